package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func join(t testing.TB, e *Engine) id.NodeID {
	t.Helper()
	feed, err := e.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return feed
}

// soon is after how long a test that expects to be refused is content.
const soon = 100 * time.Millisecond

// entry is a batch of one feed entry.
func entry(feed id.NodeID, seq uint64) *storage.Batch {
	return &storage.Batch{FeedID: feed, Feed: []*proto.FeedEntry{{Seq: seq, Transaction: storagetest.NewWorld(seq).Transaction()}}}
}

// cutOff ends the connections of an engine's leases, and keeps it from making others.
func cutOff(t *testing.T, e *Engine) {
	t.Helper()
	e.membership.feed.stop()
	e.membership.whole.stop()
}

// holders returns how many hold one of some advisory locks.
func holders(t *testing.T, e *Engine, names ...string) (n int) {
	t.Helper()
	err := e.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks l, unnest($1::text[]) name WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) | objid::bigint = hashtextextended(name, 0)", names).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// owners returns how many have joined the schema or opened it exclusively.
func owners(t *testing.T, e *Engine) int {
	t.Helper()
	return holders(t, e, lockOwner+e.reader.Schema)
}

// waitFree waits until nobody has the schema or a feed.
func waitFree(t *testing.T, e *Engine, feeds ...id.NodeID) {
	t.Helper()
	names := []string{lockOwner + e.reader.Schema}
	for _, feed := range feeds {
		names = append(names, lockFeed+e.reader.Schema+":"+feed.String())
	}
	for holders(t, e, names...) > 0 {
	}
}

// A process that lost its connection goes on as long as nobody has its feed, and not once
// longer, however little it knows of that.
func TestALostFeedIsNotWrittenTo(t *testing.T) {
	url := schemas(t)()
	slow := open(t, url)
	defer slow.Close()
	feed := join(t, slow)
	commit(t, slow, entry(feed, 1))
	cutOff(t, slow)
	commit(t, slow, entry(feed, 2))
	waitFree(t, slow, feed)

	next := open(t, url)
	defer next.Close()
	if taken := join(t, next); taken != feed {
		t.Fatalf("feed %s was free, and %s is given", feed, taken)
	}
	for range 2 {
		if err := slow.Commit(t.Context(), entry(feed, 3)); !errors.Is(err, storage.ErrFenced) {
			t.Errorf("a commit to a feed that another has: %v", err)
		}
		if err := slow.Commit(t.Context(), &storage.Batch{Meta: []storage.MetaEntry{{Key: "k", Value: []byte("v")}}}); !errors.Is(err, storage.ErrFenced) {
			t.Errorf("a commit of another kind: %v", err)
		}
	}
	commit(t, next, entry(feed, 3))
	if got, err := slow.Feed(t.Context(), feed, 0, 9); err != nil || len(got) != 3 {
		t.Errorf("%d entries, %v", len(got), err)
	}
}

// A commit that is on its way when its feed is taken is waited for: what it stores is there
// before the feed has another owner.
func TestACommitOnItsWayIsWaitedFor(t *testing.T) {
	url := schemas(t)()
	slow := open(t, url)
	defer slow.Close()
	feed := join(t, slow)
	commit(t, slow, entry(feed, 1))
	conn, err := slow.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	committing := &slow.writes(slow.described.Load(), entry(feed, 2)).batch
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.SendBatch(t.Context(), committing).Close(); err != nil {
		t.Fatal(err)
	}
	cutOff(t, slow)
	waitFree(t, slow, feed)
	next := open(t, url)
	defer next.Close()
	joined := make(chan id.NodeID)
	go func() {
		taken, err := next.Join(t.Context())
		if err != nil {
			t.Error(err)
		}
		joined <- taken
	}()
	waitForFence(t, slow)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken := <-joined
	if got, err := next.Feed(t.Context(), feed, 0, 9); err != nil || len(got) != 2 {
		t.Errorf("%d entries when the feed is taken, %v", len(got), err)
	}
	if taken != feed {
		t.Errorf("the feed taken is %s, not %s", taken, feed)
	}
}

// waitForFence waits until somebody waits for an advisory lock.
func waitForFence(t *testing.T, e *Engine) {
	t.Helper()
	for waiting := 0; waiting == 0; {
		if err := e.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}

// Who opens a schema exclusively keeps others from joining, and those who have joined keep it
// from being opened so; who lost either is fenced by the next.
func TestExclusiveAndJoined(t *testing.T) {
	url := schemas(t)()
	member := open(t, url)
	defer member.Close()
	feed := join(t, member)
	if _, err := Open(t.Context(), url, Options{Exclusive: true, grace: soon}); !errors.Is(err, ErrLocked) {
		t.Errorf("a schema that others have joined: %v", err)
	}
	cutOff(t, member)
	waitFree(t, member, feed)
	alone, err := Open(t.Context(), url, Options{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if err := member.Commit(t.Context(), entry(feed, 1)); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("a commit after another has the schema: %v", err)
	}
	join(t, alone)
	other := open(t, url)
	defer other.Close()
	other.options.grace = soon
	if _, err := other.Join(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("join a schema that another has: %v", err)
	}
	cutOff(t, alone)
	waitFree(t, alone)
	third := open(t, url)
	defer third.Close()
	join(t, third)
	if err := alone.Commit(t.Context(), entry(feed, 1)); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("a commit after others have joined: %v", err)
	}
}

// Connections that are cut cost neither the feed nor hints for long: they are made again, and
// those who listen are told to look.
func TestMembershipSurvivesCutConnections(t *testing.T) {
	url := schemas(t)()
	a, b := open(t, url), open(t, url)
	defer a.Close()
	defer b.Close()
	feed := join(t, a)
	join(t, b)
	wake := func(what string) {
		t.Helper()
		select {
		case <-b.Wake():
		case <-time.After(time.Minute):
			t.Fatalf("no hint %s", what)
		}
	}
	for n := uint64(1); n < 4; n++ {
		commit(t, a, entry(feed, 2*n-1))
		wake("of a commit")
		if _, err := a.pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		wake("of a new connection")
		commit(t, a, entry(feed, 2*n))
		wake("after that")
	}
	var feeds int
	err := a.pool.QueryRow(t.Context(), "SELECT count(*) FROM "+a.own("_leases")+" WHERE name <> 'owner'").Scan(&feeds)
	if err != nil || feeds != 2 {
		t.Errorf("there are %d feeds, %v", feeds, err)
	}
}

// A silent engine gets no hints, and gives none.
func TestSilentEngines(t *testing.T) {
	url := pgtest.Database(t)
	silent, err := Open(t.Context(), url, Options{Silent: true})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	loud := open(t, url)
	defer loud.Close()
	feed, other := join(t, silent), join(t, loud)
	commit(t, silent, entry(feed, 1))
	commit(t, loud, entry(other, 1))
	commit(t, loud, entry(other, 2))
	third := open(t, url)
	defer third.Close()
	last := join(t, third)
	commit(t, third, entry(last, 1))
	select {
	case <-loud.Wake():
	case <-time.After(time.Minute):
		t.Fatal("no hint")
	}
	select {
	case <-silent.Wake():
		t.Error("a hint")
	default:
	}
}

// A commit whose connection is cut, and which goes on in the server without it, is not taken for
// refused because of what it has stored itself.
func TestACommitThatOutlivesItsConnection(t *testing.T) {
	e := open(t, schemas(t)())
	defer e.Close()
	feed, w := join(t, e), storagetest.NewWorld(5)
	ev, rec := w.Create(storagetest.Albums)
	b := entry(feed, 1)
	b.Events, b.Records = []*proto.Event{ev}, []storage.RecordWrite{{Record: rec}}
	commit(t, e, b)
	a := attempt{engine: e, batch: b, doubt: true}
	if err := a.make(t.Context()); err != nil {
		t.Errorf("stored before this attempt: %v", err)
	}
	a = attempt{engine: e, batch: b}
	if err := a.make(t.Context()); codeOf(err) != codeUniqueViolation {
		t.Errorf("stored by somebody else, for all that this attempt knows: %v", err)
	}
}

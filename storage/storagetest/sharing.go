package storagetest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// RunShared runs the cases in which several engines have one store open at a time, as several
// processes would, but for those of the powers that they lack. Each case gets a store of its own, empty at first, from place; the function
// that place returns opens it once more.
func RunShared(t *testing.T, place func(t testing.TB) (open func(t testing.TB) storage.Engine), lacks ...Power) {
	type sharedCase struct {
		name string
		run  func(t *testing.T, open func(t testing.TB) *Member)
	}
	cases := []sharedCase{
		{"PowersAreDeclared", func(t *testing.T, open func(t testing.TB) *Member) {
			powersAreDeclared(t, open(t).Engine, []Power{Broadcasts}, lacks)
		}},
		{"EachProcessHasAFeedOfItsOwn", feedsOfTheirOwn},
		{"HeadsKeepProcessesApart", headsKeepApart},
		{"AViewIsOfOneMoment", viewIsOfOneMoment},
		{"ViewsOfABusyStoreAreWhole", viewsAreWhole},
		{"ACommitWakesOthers", commitWakesOthers},
		{"ALockIsHeldByOne", lockIsHeldByOne},
		{"ALockIsReleasedByClosing", lockIsReleasedByClosing},
	}
	if !slices.Contains(lacks, Broadcasts) {
		cases = append(cases, sharedCase{"BroadcastsReachTheOthers", broadcastsReachTheOthers}, sharedCase{"BroadcastsAreHeardFromTheFirst", broadcastsAreHeardFromTheFirst})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			open := place(t)
			c.run(t, func(t testing.TB) *Member { return newMember(t, openFor(t, open)) })
		})
	}
}

// Member is an engine that shares a store, and what it needs to commit there.
type Member struct {
	storage.Engine
	storage.Shared
	t     testing.TB
	world *World
	feed  id.NodeID
	seq   uint64 // of the last entry of its feed
	read  uint64 // of the last entry that was read of a feed of another's
}

// worlds are numbered, so that no two members make the same ids.
var worlds struct {
	sync.Mutex
	n uint64
}

func newMember(t testing.TB, e storage.Engine) *Member {
	worlds.Lock()
	defer worlds.Unlock()
	worlds.n++
	m := &Member{Engine: e, Shared: e.(storage.Shared), t: t, world: NewWorld(1000 + worlds.n)}
	m.world.stamp += id.Stamp(worlds.n) << 24
	return m
}

// Join joins, and goes on behind the last entry of the feed.
func (m *Member) Join() *Member {
	m.t.Helper()
	var err error
	if m.feed, err = m.Shared.Join(m.t.Context()); err != nil || m.feed.IsZero() {
		m.t.Fatalf("join: %s, %v", m.feed, err)
	}
	m.seq = m.feeds()[m.feed]
	return m
}

// view opens a view.
func (m *Member) view() storage.View {
	m.t.Helper()
	v, err := m.View(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return v
}

// feeds returns the ends of all feeds.
func (m *Member) feeds() map[id.NodeID]uint64 {
	m.t.Helper()
	v := m.view()
	defer v.Close()
	feeds, err := v.Feeds(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return feeds
}

// entry makes a batch of one transaction with the changes of records that are written.
func (m *Member) entry(writes ...storage.RecordWrite) *storage.Batch {
	entry := &proto.FeedEntry{Seq: m.seq + 1, Transaction: m.world.Transaction()}
	for _, w := range writes {
		entry.Changes = append(entry.Changes, proto.Change{Collection: w.Record.Collection, Entity: w.Record.Entity, Rev: w.Record.Rev, Before: w.Expect, After: w.Record.State.Head})
	}
	return &storage.Batch{Records: writes, FeedID: m.feed, Feed: []*proto.FeedEntry{entry}}
}

// write commits a transaction, and returns what came of it.
func (m *Member) write(writes ...storage.RecordWrite) error {
	err := m.Commit(m.t.Context(), m.entry(writes...))
	if err == nil {
		m.seq++
	}
	return err
}

func (m *Member) create() *proto.Record {
	m.t.Helper()
	_, rec := m.world.Create(Albums, named("a"))
	if err := m.write(storage.RecordWrite{Record: rec}); err != nil {
		m.t.Fatal(err)
	}
	return rec
}

func (m *Member) edit(rec *proto.Record) (*proto.Record, error) {
	_, edited := m.world.Edit(rec, proto.Field{Name: "year", Value: value.Int(int64(rec.Rev))})
	return edited, m.write(storage.RecordWrite{Record: edited, Expect: rec.State.Head})
}

func feedsOfTheirOwn(t *testing.T, open func(testing.TB) *Member) {
	var members []*Member
	seen := map[id.NodeID]bool{}
	for range 3 {
		m := open(t).Join()
		if seen[m.feed] {
			t.Fatalf("two processes have feed %s", m.feed)
		}
		seen[m.feed] = true
		m.create()
		members = append(members, m)
	}
	if _, err := members[0].Shared.Join(t.Context()); err == nil {
		t.Error("an engine has joined twice")
	}
	if err := members[1].Close(); err != nil {
		t.Fatal(err)
	}
	last := open(t).Join()
	if last.feed != members[1].feed && seen[last.feed] {
		t.Errorf("feed %s has an owner", last.feed)
	}
	last.create()
	members[0].create()
	want := map[id.NodeID]uint64{members[0].feed: 2, members[1].feed: 1, members[2].feed: 1}
	want[last.feed]++
	for _, m := range []*Member{members[2], last} {
		got := m.feeds()
		for feed, seq := range want {
			if got[feed] != seq {
				t.Errorf("feed %s ends at %d, want %d", feed, got[feed], seq)
			}
		}
	}
}

func headsKeepApart(t *testing.T, open func(testing.TB) *Member) {
	a, b := open(t).Join(), open(t).Join()
	rec := a.create()
	edited, err := b.edit(rec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.edit(rec); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("an edit of what another process has edited: %v", err)
	}
	wantRecords(t, records(t, a.Engine, rec.Entity), []*proto.Record{edited})
	wantFeed(t, a.Engine, b.feed, 1, 9, nil)
}

func viewIsOfOneMoment(t *testing.T, open func(testing.TB) *Member) {
	a, b := open(t).Join(), open(t).Join()
	rec := a.create()
	before := a.view()
	defer before.Close()
	edited, err := b.edit(rec)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, b.Engine, storage.Batch{Meta: []storage.MetaEntry{{Key: "k", Value: []byte("v")}}})
	_, other := b.world.Create("artist", proto.Field{Name: "land", Value: value.String("x")}) // of a new collection
	if err := b.write(storage.RecordWrite{Record: other}); err != nil {
		t.Fatal(err)
	}
	after := a.view()
	defer after.Close()
	b.create()
	for range 2 { // whatever is read first
		wantView(t, before, rec, []*proto.Record{rec}, map[id.NodeID]uint64{a.feed: 1}, nil)
		wantView(t, after, rec, []*proto.Record{edited}, map[id.NodeID]uint64{a.feed: 1, b.feed: 2}, []byte("v"))
	}
	before.Close()
}

func wantView(t *testing.T, v storage.View, rec *proto.Record, want []*proto.Record, feeds map[id.NodeID]uint64, meta []byte) {
	t.Helper()
	got, err := v.Records(t.Context(), []id.EntityID{rec.Entity})
	if err != nil {
		t.Fatal(err)
	}
	wantRecords(t, got, want)
	page, err := v.Scan(t.Context(), Albums, selection(t, "ORDER BY name"), nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	wantRecords(t, page.Records, want)
	values, err := v.Meta(t.Context(), "k")
	if err != nil || string(values[0]) != string(meta) || (values[0] == nil) != (meta == nil) {
		t.Errorf("meta is %q, %v", values, err)
	}
	ends, err := v.Feeds(t.Context())
	if err != nil || len(ends) != len(feeds) {
		t.Fatalf("feeds %v, %v, want %v", ends, err, feeds)
	}
	for feed, seq := range feeds {
		entries, err := v.Feed(t.Context(), feed, 0, 0)
		if err != nil || ends[feed] != seq || uint64(len(entries)) != seq {
			t.Errorf("feed %s has %d entries and ends at %d, want %d: %v", feed, len(entries), ends[feed], seq, err)
		}
	}
	if found, err := v.Scan(t.Context(), "artist", selection(t, "true"), nil, 10); err != nil || (len(found.Records) > 0) != (meta != nil) {
		t.Errorf("records of a collection that is new: %v, %v", found, err)
	}
}

// viewsAreWhole has several processes edit the same few entities, each as fast as it can. At
// every moment the tails of all feeds tell of exactly the revisions that the records have.
func viewsAreWhole(t *testing.T, open func(testing.TB) *Member) {
	const entities, edits = 4, 30
	a := open(t).Join()
	var ids []id.EntityID
	for range entities {
		ids = append(ids, a.create().Entity)
	}
	var wg sync.WaitGroup
	for _, m := range []*Member{a, open(t).Join(), open(t).Join()} {
		wg.Go(func() { m.editMany(ids, edits) })
	}
	reader := open(t)
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	for done := false; !done; {
		select {
		case <-written:
			done = true // look once more
		default:
		}
		reader.wantWhole(ids)
		runtime.Gosched() // nobody else does, where goroutines are not preempted
	}
}

// editMany edits entities that others edit too.
func (m *Member) editMany(ids []id.EntityID, n int) {
	for n > 0 {
		recs, err := m.Records(m.t.Context(), []id.EntityID{pick(m.world, ids)})
		if err == nil {
			_, err = m.edit(recs[0])
		}
		switch {
		case err == nil:
			n--
		case errors.Is(err, storage.ErrConflict):
			runtime.Gosched()
		default:
			m.t.Error(err)
			return
		}
	}
}

// wantWhole holds the tails of all feeds against the records of some entities.
func (m *Member) wantWhole(ids []id.EntityID) {
	m.t.Helper()
	ctx, v := m.t.Context(), m.view()
	defer v.Close()
	recs, err := v.Records(ctx, ids)
	if err != nil {
		m.t.Fatal(err)
	}
	ends, err := v.Feeds(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	told := map[id.EntityID]uint64{}
	for feed, end := range ends {
		for after := uint64(0); after < end; {
			entries, err := v.Feed(ctx, feed, after, 7)
			if err != nil || len(entries) == 0 || entries[0].Seq != after+1 {
				m.t.Fatalf("feed %s, which ends at %d, has %d entries after %d: %v", feed, end, len(entries), after, err)
			}
			for _, e := range entries {
				told[e.Changes[0].Entity]++
			}
			after = entries[len(entries)-1].Seq
		}
	}
	for i, rec := range recs {
		if told[ids[i]] != rec.Rev {
			m.t.Fatalf("the feeds tell of %d revisions of %s, which has %d", told[ids[i]], ids[i], rec.Rev)
		}
	}
}

// wakeTime is how long a hint may take before a test takes it for lost.
const wakeTime = 30 * time.Second

func commitWakesOthers(t *testing.T, open func(testing.TB) *Member) {
	a, b := open(t).Join(), open(t).Join()
	for range 3 {
		for drained := false; !drained; {
			select {
			case <-b.Wake():
			default:
				drained = true
			}
		}
		a.create()
		for end := a.feeds()[a.feed]; b.feeds()[a.feed] < end; {
		}
		select {
		case <-b.Wake():
		case <-time.After(wakeTime):
			t.Fatal("no hint")
		}
	}
}

func lockIsHeldByOne(t *testing.T, open func(testing.TB) *Member) {
	members := []*Member{open(t), open(t), open(t)}
	var inside, sum int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range members {
		for range 2 {
			wg.Go(func() {
				for range 5 {
					unlock, err := m.Lock(t.Context(), "a name")
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if inside++; inside > 1 {
						t.Error("two have the lock")
					}
					sum++
					mu.Unlock()
					commit(t, m.Engine, storage.Batch{Meta: []storage.MetaEntry{{Key: "k", Value: []byte("v")}}})
					mu.Lock()
					inside--
					mu.Unlock()
					unlock()
					unlock() // which is harmless
				}
			})
		}
	}
	other, err := members[0].Lock(t.Context(), "another")
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	defer other()
	if sum != 30 {
		t.Errorf("%d were inside", sum)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() {
		_, err := members[1].Lock(ctx, "another")
		waited <- err
	}()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("a lock that somebody has, waited for until the context ended: %v", err)
	}
}

func lockIsReleasedByClosing(t *testing.T, open func(testing.TB) *Member) {
	a, b := open(t), open(t)
	if _, err := a.Lock(t.Context(), "a name"); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		unlock, err := b.Lock(t.Context(), "a name")
		if err == nil {
			unlock()
		}
		got <- err
	}()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	if _, err := a.Lock(t.Context(), "a name"); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("a lock of a closed engine: %v", err)
	}
}

package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

var errDisk = fmt.Errorf("the disk: %w", storage.ErrFull)

// failing returns a decision that makes calls of one kind fail while it is switched on.
func failing(on *atomic.Bool, op faulty.Op, fault faulty.Fault) func(faulty.Call) faulty.Fault {
	return func(c faulty.Call) faulty.Fault {
		if on.Load() && c.Op == op {
			return fault
		}
		return faulty.Fault{}
	}
}

// TestFailedCommit is 332: where storage refuses, the caller is told, nothing is shown or
// stored, and what comes later works.
func TestFailedCommit(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		var broken atomic.Bool
		disk := memory.NewDisk()
		engine := faulty.Wrap(disk.Open(), failing(&broken, faulty.Commit, faulty.Fault{Before: errDisk}))
		n := open(core.Options{Engine: engine})
		e := add(t, n, "album", "name", "a", "year", 1)
		gone := add(t, n, "album", "name", "g", "year", 2)
		q, window := watch(t, n, "album", "ORDER BY year"), watch(t, n, "album", "ORDER BY year LIMIT 1")
		r := record(t, q)
		pending := n.Status().Pending

		broken.Store(true)
		for range 3 {
			tx := anonymous(n).Begin()
			_, err1 := tx.Create(t.Context(), "album", with("name", "b"))
			err := errors.Join(err1, tx.Set(t.Context(), "album", e, with("name", "c")), tx.Delete(t.Context(), "album", gone))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = tx.Commit(t.Context()); core.KindOf(err) != core.KindQuota || !errors.Is(err, storage.ErrFull) {
				t.Fatalf("commit: %v", err)
			}
			if rowNames(q, "name") != "a g" || r.shown() != "a g" || rowNames(window, "name") != "a" || name(t, n, "album", e) != "a" {
				t.Fatalf("shows %q, by change sets %q, and the window %q", rowNames(q, "name"), r.shown(), rowNames(window, "name"))
			}
			if p := n.Status().Pending; p != pending {
				t.Fatalf("%d pending, %d before", p, pending)
			}
		}
		broken.Store(false)
		put(t, n, "album", e, "name", "d")
		put(t, n, "album", gone, "name", "h")
		add(t, n, "album", "name", "z", "year", 9)
		if rowNames(q, "name") != "d h z" || r.shown() != "d h z" || rowNames(window, "name") != "d" {
			t.Errorf("later it shows %q, by change sets %q, and the window %q", rowNames(q, "name"), r.shown(), rowNames(window, "name"))
		}
		asStored(t, n, disk)
	})
}

// TestReferencesAfterAFailedCommit: a row that storage refused to change still leaves and moves by
// what it refers to.
func TestReferencesAfterAFailedCommit(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		var broken atomic.Bool
		engine := faulty.Wrap(memory.NewDisk().Open(), failing(&broken, faulty.Commit, faulty.Fault{Before: errDisk}))
		n := open(core.Options{Engine: engine})
		register(t, n)
		ids := discs(t, n)
		muse := watch(t, n, "record", "artist.name = 'muse' ORDER BY name")
		ordered := watch(t, n, "record", "artist IS NOT NULL ORDER BY artist.name NULLS LAST, name LIMIT 3")
		count := summarize(t, anonymous(n), "record", "artist.name = 'muse'", nil, ankql.Count("n"))
		shows := func(m, o string, c int) {
			t.Helper()
			if rowNames(muse, "name") != m || rowNames(ordered, "name") != o {
				t.Fatalf("shows %q and %q, want %q and %q", rowNames(muse, "name"), rowNames(ordered, "name"), m, o)
			}
			awaitFigures(t, count, muse.Status(), fmt.Sprintf("[%d]", c))
		}
		shows("drones showbiz", "moon drones showbiz", 2)
		broken.Store(true)
		for range 3 {
			tx := anonymous(n).Begin()
			if err := tx.Set(t.Context(), "record", ids["drones"], with("year", 1)); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Commit(t.Context()); core.KindOf(err) != core.KindQuota {
				t.Fatal(err)
			}
		}
		broken.Store(false)
		put(t, n, "artist", ids["muse"], "name", "zz top")
		shows("", "moon jazz drones", 0)
		put(t, n, "artist", ids["muse"], "name", "muse")
		shows("drones showbiz", "moon drones showbiz", 2)
	})
}

// TestHalfAnAnswerIsNotForgotten: what part of an answer has brought is shown in the end, also where
// storage failed before the rest of it came and could not be read then.
func TestHalfAnAnswerIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		engine := faulty.Wrap(memory.NewDisk().Open(), func(faulty.Call) (f faulty.Fault) {
			if broken.Load() {
				f.Before = storage.ErrUnavailable
			}
			return f
		})
		a := openAlbums(t, core.Options{Engine: engine, Limits: quick})
		s := handmade()
		conns, frames := s.listen(t, a)
		w := <-conns
		q := query(t, a, "ORDER BY name")
		first, second := w.creation("album", with("name", "first")), w.creation("album", with("name", "second"))
		rows := []proto.Row{{Entity: first.Entity, Rev: 1, State: must(entity.Apply(nil, first))}, {Entity: second.Entity, Rev: 1, State: must(entity.Apply(nil, second))}}
		sub := next[*proto.Subscribe](frames).Sub
		w.send(&proto.Rows{Sub: sub, Collection: "album", Complete: true, Done: true, Rows: rows})
		synctest.Wait()
		for i, e := range []*proto.Event{first, second} {
			rows[i] = proto.Row{Entity: e.Entity, Rev: 2, State: must(entity.Apply(rows[i].State, w.edit(e, with("name", fmt.Sprint("changed ", i)))))}
		}
		w.send(&proto.Rows{Sub: sub, Collection: "album", Complete: true, Rows: rows[:1]})
		synctest.Wait()
		broken.Store(true)
		tx := anonymous(a).Begin()
		if _, err := tx.Create(t.Context(), "album", with("name", "refused")); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(t.Context()); core.KindOf(err) != core.KindStorage {
			t.Fatal(err)
		}
		synctest.Wait() // the connection is lost as well
		broken.Store(false)

		w = <-conns
		w.send(&proto.Rows{Sub: next[*proto.Subscribe](frames).Sub, Collection: "album", Complete: true, Done: true, Rows: rows})
		synctest.Wait()
		if got := names(q); got != "changed 0 changed 1 " {
			t.Errorf("shows %q", got)
		}
	})
}

// TestRefusedByStorageIsNotSent: storage refuses a transaction while a connection is being made,
// and what it holds cannot be read. The connection is given up: the transaction, which the caller
// takes for refused, is not sent to anybody.
func TestRefusedByStorageIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		connecting := make(chan struct{})
		engine := faulty.Wrap(memory.NewDisk().Open(), func(c faulty.Call) (f faulty.Fault) {
			switch {
			case broken.Load() && c.Op == faulty.Outbox:
				f.Before = storage.ErrUnavailable
			case broken.Load() && c.Op == faulty.Commit && len(c.Batch.Outbox) > 0:
				f.Before = errDisk
			case c.Op == faulty.Commit && slices.ContainsFunc(c.Batch.Meta, func(m storage.MetaEntry) bool { return m.Key == "source" }):
				f.Wait = connecting
			}
			return f
		})
		a := openAlbums(t, core.Options{Engine: engine})
		conns, frames := handmade().listen(t, a)
		<-conns
		synctest.Wait() // it stores whom it was welcomed by

		broken.Store(true)
		outcome := make(chan error, 1)
		go func() {
			tx := anonymous(a).Begin()
			_, err := tx.Create(t.Context(), "album", with("name", "refused"))
			if err == nil {
				_, err = tx.Commit(t.Context())
			}
			outcome <- err
		}()
		synctest.Wait()
		close(connecting)
		if err := <-outcome; !errors.Is(err, storage.ErrFull) {
			t.Fatal(err)
		}
		synctest.Wait()
		broken.Store(false)
		<-conns
		tx := anonymous(a).Begin()
		if _, err := tx.Create(t.Context(), "album", with("name", "committed")); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		if sent := next[*proto.Commit](frames); sent.Transaction != tx.ID() {
			t.Errorf("%s is sent, want %s", sent.Transaction, tx.ID())
		}
	})
}

// TestOnTopOfWhatStorageRefused: a transaction that was begun on top of one that storage then refuses
// is made on top of what is left.
func TestOnTopOfWhatStorageRefused(t *testing.T) {
	for _, there := range []bool{false, true} { // or cannot say that it has
		t.Run(fmt.Sprint(there), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken, unread atomic.Bool
				storing := make(chan struct{})
				engine := faulty.Wrap(memory.NewDisk().Open(), func(c faulty.Call) (f faulty.Fault) {
					switch {
					case unread.Load() && c.Op == faulty.Records:
						f.Before = storage.ErrUnavailable
					case broken.Load() && c.Op == faulty.Commit:
						broken.Store(false)
						f.Wait = storing
						if f.Before = errDisk; there {
							f.Before, f.After = nil, storage.ErrUnavailable
						}
					}
					return f
				})
				a := openAlbums(t, core.Options{Engine: engine})
				e := add(t, a, "album", "name", "x")
				want := must(anonymous(a).Get(t.Context(), "album", e)).State().Head
				failing := anonymous(a).Begin()
				if err := failing.Set(t.Context(), "album", e, with("year", 1)); err != nil {
					t.Fatal(err)
				}
				broken.Store(true)
				outcome := make(chan error, 1)
				go func() {
					_, err := failing.Commit(t.Context())
					outcome <- err
				}()
				synctest.Wait()
				above := must(anonymous(a).Get(t.Context(), "album", e)).State().Head
				if there {
					want = above
				}
				tx := anonymous(a).Begin()
				if err := tx.Set(t.Context(), "album", e, with("artist", "Muse")); err != nil {
					t.Fatal(err)
				}
				unread.Store(there)
				close(storing)
				if err := <-outcome; err == nil {
					t.Fatal("it was stored")
				}
				unread.Store(false)
				commit(t, tx)
				_, frames := handmade().listen(t, a)
				for {
					m := next[*proto.Commit](frames)
					if m.Transaction != tx.ID() {
						continue
					}
					if !m.Events[0].Parents.Equal(want) {
						t.Errorf("it is on top of %v, want %v", m.Events[0].Parents, want)
					}
					return
				}
			})
		})
	}
}

// asStored holds what a node shows against what a node opened over the same data shows.
func asStored(t *testing.T, n *core.Node, disk *memory.Disk) {
	t.Helper()
	again := open(t, core.Options{Engine: disk.Open(), Durable: n.Durable()})
	for _, collection := range []string{"album", "pet"} {
		if _, ok := n.Model(collection); !ok {
			continue
		}
		got, want := states(t, again, collection), states(t, n, collection)
		if got != want {
			t.Errorf("%s: stored is\n%s, shown\n%s", collection, got, want)
		}
	}
	if got, want := again.Status().Pending, n.Status().Pending; got != want {
		t.Errorf("%d transactions wait in storage, %d in memory", got, want)
	}
	again.Close()
}

// states describes everything of a collection that a node holds.
func states(t *testing.T, n *core.Node, collection string) string {
	t.Helper()
	tx := anonymous(n).Begin()
	defer tx.Rollback()
	rows, err := tx.Fetch(t.Context(), collection, selection(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, v := range rows {
		out += fmt.Sprintf("%s %v %v %v\n", v.ID(), v.State().Head, v.State().Properties, v.Pending())
	}
	return out
}

// TestCommitOfUnknownOutcome: storage did it and could not say so. A node that can read
// it back answers with what is true.
func TestCommitOfUnknownOutcome(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		var broken atomic.Bool
		disk := memory.NewDisk()
		engine := faulty.Wrap(disk.Open(), failing(&broken, faulty.Commit, faulty.Fault{After: storage.ErrUnavailable}))
		n := open(core.Options{Engine: engine})
		e := add(t, n, "album", "name", "a")
		r := record(t, watch(t, n, "album", ""))
		broken.Store(true)
		put(t, n, "album", e, "name", "b")
		r.want("updated b")
		other := add(t, n, "album", "name", "c")
		r.want("added c")
		broken.Store(false)
		remove(t, n, "album", other)
		put(t, n, "album", e, "name", "d")
		r.want("removed c", "updated d")
		asStored(t, n, disk)
	})
}

// TestCommitOfOutcomeKnownLater: storage did it, could not say so, and cannot be read
// either. The caller is told that it is unknown; once storage answers again, the node
// shows what is stored.
func TestCommitOfOutcomeKnownLater(t *testing.T) {
	for _, landed := range []bool{false, true} {
		t.Run(fmt.Sprintf("landed %v", landed), func(t *testing.T) {
			bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
				var down atomic.Bool
				disk := memory.NewDisk()
				engine := faulty.Wrap(disk.Open(), func(c faulty.Call) faulty.Fault {
					switch {
					case !down.Load():
						return faulty.Fault{}
					case c.Op == faulty.Commit && landed:
						return faulty.Fault{After: storage.ErrUnavailable}
					}
					return faulty.Fault{Before: storage.ErrUnavailable}
				})
				n := open(core.Options{Engine: engine})
				e := add(t, n, "album", "name", "a", "year", 1)
				q := watch(t, n, "album", "ORDER BY year")
				r := record(t, q)

				tx, next := anonymous(n).Begin(), anonymous(n).Begin()
				if err := errors.Join(tx.Set(t.Context(), "album", e, with("name", "b")), next.Set(t.Context(), "album", e, with("year", 2))); err != nil {
					t.Fatal(err)
				}
				down.Store(true)
				if _, err := tx.Commit(t.Context()); core.KindOf(err) != core.KindStorage {
					t.Fatalf("commit: %v", err)
				}
				if _, err := next.Commit(t.Context()); core.KindOf(err) != core.KindStorage {
					t.Fatalf("the next one: %v", err)
				}
				if q.Status() == core.QueryError || r.shown() != "a" {
					t.Errorf("shows %q, %v", r.shown(), q.Err())
				}
				down.Store(false)
				add(t, n, "album", "name", "z", "year", 9)
				want := "a z"
				if landed {
					want = "b z"
				}
				if got := rowNames(q, "name"); got != want || r.shown() != want {
					t.Errorf("shows %q, by change sets %q, want %q", got, r.shown(), want)
				}
				put(t, n, "album", e, "name", "later")
				if r.shown() != "later z" {
					t.Errorf("then %q", r.shown())
				}
				asStored(t, n, disk)
			})
		})
	}
}

// TestGroupFailureRestages: when a group cannot be stored, its transactions are refused,
// and those that were staged on top of it meanwhile are made again on what is stored.
func TestGroupFailureRestages(t *testing.T) {
	disk := memory.NewDisk()
	engine := faulty.Wrap(disk.Open(), nil)
	n := durable(t, core.Options{Engine: engine, Policy: refuser{policy.Permissive()}})
	e := create(t, n, "a", 1)
	r := record(t, watch(t, n, "album", ""))
	entered, hold := make(chan struct{}), make(chan struct{})
	first := true
	engine.Decide(func(c faulty.Call) faulty.Fault {
		if c.Op != faulty.Commit || !first {
			return faulty.Fault{}
		}
		first = false
		close(entered)
		return faulty.Fault{Wait: hold, Before: errDisk}
	})
	outcomes := make(chan error, 16)
	begin := func(set []proto.Field) {
		tx := anonymous(n).Begin()
		if err := tx.Set(t.Context(), "album", e, set); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := tx.Commit(t.Context())
			outcomes <- err
		}()
	}
	begin(with("name", "doomed"))
	<-entered
	begin(with("year", 2))
	begin(with("artist", "x"))
	// Both are made on top of the one in flight, or wait in the queue: either way they
	// must come out on top of what is stored.
	close(hold)
	kinds := map[core.Kind]int{}
	for range 3 {
		kinds[core.KindOf(<-outcomes)]++
	}
	if kinds[core.KindQuota] != 1 || kinds[core.KindNone] != 2 {
		t.Fatalf("outcomes %v", kinds)
	}
	v, err := anonymous(n).Get(t.Context(), "album", e)
	if err != nil || text(v, "name") != "a" || text(v, "year") != "2" || text(v, "artist") != "x" {
		t.Errorf("%v, %v", v.State(), err)
	}
	r.want("updated a", "updated a")
	asStored(t, n, disk)
}

// TestGroupFailureTakesDependentsAlong: an edit of an entity whose creation was staged and
// could not be stored is refused.
func TestGroupFailureTakesDependentsAlong(t *testing.T) {
	disk := memory.NewDisk()
	engine := faulty.Wrap(disk.Open(), nil)
	n := durable(t, core.Options{Engine: engine})
	client, server := local.Pipe(local.Options{})
	go n.Serve(t.Context(), server)
	w := &wire{t: t, conn: client, node: id.NodeID{ULID: id.New(nil)}}
	w.hello()
	entered, hold := make(chan struct{}), make(chan struct{})
	first := true
	engine.Decide(func(c faulty.Call) faulty.Fault {
		if c.Op != faulty.Commit || !first {
			return faulty.Fault{}
		}
		first = false
		close(entered)
		return faulty.Fault{Wait: hold, Before: errDisk}
	})
	creation := w.creation("album", with("name", "doomed"))
	w.send(w.commit(creation))
	<-entered
	w.send(w.commit(w.edit(creation, with("name", "on top"))))
	close(hold)
	if got := w.nack(); got.Kind != uint64(core.KindQuota) {
		t.Errorf("creation: %v", got)
	}
	if got := w.nack(); got.Kind != uint64(core.KindMissingParents) {
		t.Errorf("edit: %v", got)
	}
	asStored(t, n, disk)
}

// TestServerStorageDown: a durable node that cannot store for a while says so without
// deciding anything; the client keeps what it has committed and delivers it later.
func TestServerStorageDown(t *testing.T) {
	var broken atomic.Bool
	engine := faulty.Wrap(memory.New(), failing(&broken, faulty.Commit, faulty.Fault{Before: storage.ErrUnavailable}))
	server := durable(t, core.Options{Engine: engine})
	a := connected(t, server, core.Options{Limits: core.Limits{Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}})
	r := record(t, watch(t, a, "album", ""))
	e := create(t, a, "one", 1)
	eventually(t, "synced", func() bool { return a.Status().Pending == 0 })

	broken.Store(true)
	receipt := put(t, a, "album", e, "name", "two")
	create(t, a, "three", 3)
	eventually(t, "told", func() bool { return core.KindOf(a.Status().LastError) == core.KindStorage })
	if p := a.Status().Pending; p != 2 || r.shown() != "two three" {
		t.Errorf("%d pending, shows %q", p, r.shown())
	}
	broken.Store(false)
	synced(t, receipt)
	eventually(t, "synced", func() bool { return a.Status().Pending == 0 })
	if list, err := a.Rejections(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("rejections %v, %v", list, err)
	}
	if got := rowNames(watch(t, server, "album", "ORDER BY year"), "name"); got != "two three" {
		t.Errorf("the server has %q", got)
	}
}

// TestClientStorageDown: an ephemeral node that cannot store what the durable node sends
// misses nothing of it once it can.
func TestClientStorageDown(t *testing.T) {
	for _, fault := range []faulty.Fault{{Before: errDisk}, {Before: storage.ErrUnavailable}, {After: storage.ErrUnavailable}} {
		t.Run(fmt.Sprint(fault.Before, fault.After), func(t *testing.T) {
			server := durable(t, core.Options{})
			var broken atomic.Bool
			disk := memory.NewDisk()
			engine := faulty.Wrap(disk.Open(), failing(&broken, faulty.Commit, fault))
			a := connected(t, server, core.Options{Engine: engine, Limits: core.Limits{Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}})
			q := watch(t, a, "album", "ORDER BY year")
			r := record(t, q)
			eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
			e := create(t, server, "a", 1)
			gone := create(t, server, "g", 2)
			r.wait("added a", "added g")

			broken.Store(true)
			put(t, server, "album", e, "name", "b")
			remove(t, server, "album", gone)
			for i := range 5 {
				create(t, server, fmt.Sprint(i), int64(10+i))
			}
			if fault.After == nil {
				eventually(t, "noticed", func() bool { return a.Status().LastError != nil })
			}
			broken.Store(false)
			// This alone must not make the node believe that it is in step.
			create(t, server, "z", 99)
			eventually(t, "caught up", func() bool {
				return rowNames(q, "name") == "b 0 1 2 3 4 z" && r.shown() == "b 0 1 2 3 4 z"
			})
			eventually(t, "stored", func() bool { return q.Status() == core.QueryLive })
			asStored(t, a, disk)
		})
	}
}

// script is what TestClientSurvivesEveryBoundary does to a client.
func clientScript(ctx context.Context, t *testing.T, a *core.Node, server *core.Node, shared id.EntityID) (created []id.EntityID, err error) {
	for i := range 3 {
		tx := anonymous(a).Begin()
		e, err := tx.Create(ctx, "album", with("name", fmt.Sprint("own", i), "year", 10+i))
		if err == nil {
			err = tx.Set(ctx, "album", shared, with("artist", fmt.Sprint(i)))
		}
		if err == nil {
			_, err = tx.Commit(ctx)
		}
		tx.Rollback()
		if err != nil {
			return created, err
		}
		created = append(created, e)
	}
	return created, nil
}

// TestClientSurvivesEveryBoundary kills an ephemeral node's storage before and after
// every call of a run, opens it again, and lets it finish: what was committed is there,
// nothing else is, and both nodes agree.
func TestClientSurvivesEveryBoundary(t *testing.T) {
	faulty.EveryBoundary(t, func(t *testing.T, wrap func(storage.Engine) *faulty.Engine) {
		server := durable(t, core.Options{})
		shared := create(t, server, "shared", 1)
		disk := memory.NewDisk()
		limits := core.Limits{Backoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()

		first := wrap(disk.Open())
		committed := runClient(ctx, t, first, limits, server, shared)
		limits.Backoff = 0

		a := open(t, core.Options{Engine: disk.Open(), Limits: limits})
		if err := a.Register(ctx, album); err != nil {
			t.Fatal(err)
		}
		for _, e := range committed {
			if _, err := anonymous(a).Get(ctx, "album", e); err != nil {
				t.Fatalf("committed and lost: %v", err)
			}
		}
		local.Connect(server, a)
		q := watch(t, a, "album", "")
		eventually(t, "live", func() bool { return q.Status() == core.QueryLive && a.Status().Pending == 0 })
		eventually(t, "equal", func() bool { return states(t, a, "album") == states(t, server, "album") })
		asStored(t, a, disk)
	})
}

func runClient(ctx context.Context, t *testing.T, engine storage.Engine, limits core.Limits, server *core.Node, shared id.EntityID) []id.EntityID {
	a, err := core.Open(ctx, core.Options{Engine: engine, Limits: limits})
	if err != nil {
		return nil
	}
	defer a.Close()
	if err := a.Register(ctx, album); err != nil {
		return nil
	}
	local.Connect(server, a)
	q, err := anonymous(a).Query("album", selection(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	dead := func() bool { return engine.(*faulty.Engine).Killed() }
	eventually(t, "live or dead", func() bool { return q.Status() == core.QueryLive || dead() })
	created, _ := clientScript(ctx, t, a, server, shared)
	eventually(t, "synced or dead", func() bool { return a.Status().Pending == 0 || dead() })
	return created
}

// TestServerSurvivesEveryBoundary does the same to a durable node: what it acknowledged
// is there after it is opened again, whole transactions only, and it goes on from there.
func TestServerSurvivesEveryBoundary(t *testing.T) {
	faulty.EveryBoundary(t, func(t *testing.T, wrap func(storage.Engine) *faulty.Engine) {
		disk := memory.NewDisk()
		acked := runServer(t, wrap(disk.Open()))

		n := open(t, core.Options{Engine: disk.Open(), Durable: true})
		if err := n.CreateSystem(t.Context()); err != nil && !errors.Is(err, core.ErrSystemExists) {
			t.Fatal(err)
		}
		if err := n.Register(t.Context(), album, pet); err != nil {
			t.Fatal(err)
		}
		for _, c := range []string{"album", "pet"} {
			rows, err := anonymous(n).Fetch(t.Context(), c, selection(t, ""))
			if err != nil || len(rows) != acked && len(rows) != acked+1 {
				t.Fatalf("%d of %s are stored, %d were acknowledged, %v", len(rows), c, acked, err)
			}
		}
		albums, pets := states(t, n, "album"), states(t, n, "pet")
		if (albums == "") != (pets == "") {
			t.Error("half of a transaction is stored")
		}
		create(t, n, "later", 1)
		asStored(t, n, disk)
	})
}

// runServer commits pairs until storage dies, and returns how many were acknowledged.
func runServer(t *testing.T, engine storage.Engine) (acked int) {
	n, err := core.Open(t.Context(), core.Options{Engine: engine, Durable: true})
	if err != nil {
		return 0
	}
	defer n.Close()
	if n.CreateSystem(t.Context()) != nil || n.Register(t.Context(), album, pet) != nil {
		return 0
	}
	for i := range 4 {
		tx := anonymous(n).Begin()
		_, err1 := tx.Create(t.Context(), "album", with("name", fmt.Sprint(i)))
		_, err2 := tx.Create(t.Context(), "pet", with("name", fmt.Sprint(i)))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if _, err := tx.Commit(t.Context()); err != nil {
			return acked
		}
		acked++
	}
	return acked
}

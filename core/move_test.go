package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// roaming is a client that is moved from one durable node to another.
type roaming struct {
	t    *testing.T
	disk *memory.Disk
	node *core.Node
	link *core.Link
	seen *memories
}

func newRoaming(t *testing.T) *roaming {
	c := &roaming{t: t, disk: memory.NewDisk(), seen: &memories{t: t}}
	c.open()
	return c
}

func (c *roaming) open() {
	c.t.Helper()
	c.node = open(c.t, core.Options{Engine: c.disk.Open(), Limits: quick})
	if err := c.node.Register(c.t.Context(), album); err != nil {
		c.t.Fatal(err)
	}
	c.seen.watch(c.node)
}

// to moves the client to a durable node.
func (c *roaming) to(s *site) {
	c.t.Helper()
	c.leave()
	c.link = c.node.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
		n := s.dialled.Load()
		if n == nil {
			return nil, errNetwork
		}
		return local.NewDialer(n, local.Options{}).Dial(ctx)
	}}, core.DialOptions{})
	eventually(c.t, "moved to "+s.name, func() bool { return c.node.Status().Connection == core.Live })
}

func (c *roaming) leave() {
	if c.link != nil {
		c.link.Close()
		eventually(c.t, "left", func() bool { return c.node.Status().Connection == core.Offline })
		c.link = nil
	}
}

// restart closes the client and opens it over what it has stored.
func (c *roaming) restart() {
	c.t.Helper()
	c.node.Close()
	c.link = nil
	c.open()
}

func (c *roaming) delivered() {
	c.t.Helper()
	eventually(c.t, "delivered", func() bool { return c.node.Status().Pending == 0 })
}

// memories checks that what was seen once is not taken back: albums are counters here, whose
// year only grows.
type memories struct {
	t     *testing.T
	mu    sync.Mutex
	years map[id.EntityID]int64
	q     *core.LiveQuery
}

func (m *memories) watch(n *core.Node) {
	q, err := anonymous(n).Query("album", selection(m.t, "ORDER BY year"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.q = q
	if m.years == nil {
		m.years = make(map[id.EntityID]int64)
	}
	q.Subscribe(func(set *core.ChangeSet) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, c := range set.Changes {
			if c.View == nil {
				m.t.Errorf("an album of %d is gone", m.years[c.Entity])
				continue
			}
			year, _ := c.View.Field("year").AsInt()
			if year < m.years[c.Entity] {
				m.t.Errorf("an album of %d is of %d again", m.years[c.Entity], year)
			}
			m.years[c.Entity] = year
		}
	})
}

// year returns the year of an album as a node shows it.
func year(t testing.TB, n *core.Node, e id.EntityID) int64 {
	t.Helper()
	v, err := anonymous(n).Get(t.Context(), "album", e)
	if err != nil {
		t.Fatal(err)
	}
	y, _ := v.Field("year").AsInt()
	return y
}

// twoSites is two durable nodes in step, and the line between them.
func twoSites(t *testing.T) (r *region, a, b *site, between *line) {
	r = newRegion(t, 2)
	between = r.connect(1, 0)
	r.settle("at first")
	return r, r.sites[0], r.sites[1], between
}

// TestMoveToANodeThatLags: what a client has seen acknowledged stays in sight when it moves
// to a durable node that has not heard of it, and what it writes on top of that arrives.
func TestMoveToANodeThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, between := twoSites(t)
		c := newRoaming(t)
		c.to(a)
		old := create(t, c.node, "old", 2000)
		c.delivered()
		r.settle("both have it")

		between.set(true)
		put(t, c.node, "album", old, "year", 2001)
		young := create(t, c.node, "young", 2010)
		c.delivered()
		c.to(b)
		if y := year(t, c.node, old); y != 2001 {
			t.Errorf("an acknowledged edit is gone: %d", y)
		}
		put(t, b.node, "album", old, "name", "renamed on B")
		eventually(t, "a change of B's is seen", func() bool { return strings.Contains(names(c.seen.q), "renamed on B") })
		if y := year(t, c.node, old); y != 2001 {
			t.Errorf("a change of another property takes it back: %d", y)
		}
		put(t, c.node, "album", old, "year", 2002)
		put(t, c.node, "album", young, "year", 2011)
		time.Sleep(time.Minute) // longer than B keeps them
		if s := c.node.Status(); s.Pending != 2 || s.Connection != core.Live {
			t.Errorf("with edits on top of what B lacks: %+v", s)
		}
		c.restart()
		c.to(b)
		if o, y := year(t, c.node, old), year(t, c.node, young); o != 2002 || y != 2011 {
			t.Errorf("after a restart: %d, %d", o, y)
		}

		r.settle("the line is mended")
		c.delivered()
		r.settle("the client's edits have come")
		for _, n := range []*core.Node{a.node, b.node, c.node} {
			if o, y := year(t, n, old), year(t, n, young); o != 2002 || y != 2011 {
				t.Errorf("in the end: %d, %d", o, y)
			}
		}
		if got := names(c.seen.q); got != "renamed on B young " {
			t.Errorf("the client shows %s", got)
		}
		// Now it is in step: a patch will do.
		put(t, a.node, "album", old, "name", "renamed on A")
		eventually(t, "A's change is seen by way of B", func() bool { return names(c.seen.q) == "renamed on A young " })
	})
}

// TestReferenceToWhatANodeLacks: a row that refers to what the durable node has not heard of
// takes nothing away from a client that holds it.
func TestReferenceToWhatANodeLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, between := twoSites(t)
		if err := a.node.Register(t.Context(), pet); err != nil {
			t.Fatal(err)
		}
		r.settle("both know pets")
		c := newRoaming(t)
		c.to(a)
		between.set(true)
		owner := create(t, c.node, "young", 2010)
		c.delivered()
		c.to(b)
		if err := c.node.Register(t.Context(), pet); err != nil {
			t.Fatal(err)
		}
		pets := watch(t, c.node, "pet", "owner.year = 2010 OR owner IS NULL")
		eventually(t, "pets are live", func() bool { return pets.Status() == core.QueryLive })
		stray := add(t, b.node, "pet", "name", "stray")
		eventually(t, "the stray is seen", func() bool { return names(pets) == "stray " })
		put(t, b.node, "pet", stray, "name", "tame", "owner", owner)
		add(t, b.node, "pet", "name", "last")
		eventually(t, "what came after it is seen", func() bool { return strings.Contains(names(pets), "last") })
		if y := year(t, c.node, owner); y != 2010 {
			t.Errorf("the owner is of %d", y)
		}
		if got := names(c.seen.q); got != "young " {
			t.Errorf("the client shows albums %s", got)
		}
	})
}

// TestMoveCostsNothingWhereNothingDiffers: rows that the other node has as well are not sent.
func TestMoveCostsNothingWhereNothingDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a, b, _ := twoSites(t)
		for i := range 300 {
			create(t, a.node, fmt.Sprint("album ", i), int64(i))
		}
		r.settle("both have them")
		c := newRoaming(t)
		c.node.Close()
		var written atomic.Int64
		engine := faulty.Wrap(c.disk.Open(), func(call faulty.Call) faulty.Fault {
			if call.Batch != nil {
				written.Add(int64(len(call.Batch.Records)))
			}
			return faulty.Fault{}
		})
		c.node = open(t, core.Options{Engine: engine, Limits: quick})
		if err := c.node.Register(t.Context(), album); err != nil {
			t.Fatal(err)
		}
		c.seen.watch(c.node)
		c.to(a)
		eventually(t, "all are here", func() bool { return len(c.seen.q.Rows()) == 300 })
		var sets atomic.Int64
		defer c.seen.q.Subscribe(func(set *core.ChangeSet) { sets.Add(int64(len(set.Changes))) })()
		sets.Store(0)
		written.Store(0)
		var received atomic.Int64
		c.leave()
		c.node.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
			conn, err := local.NewDialer(b.node, local.Options{}).Dial(ctx)
			return &counting{Conn: conn, bytes: &received}, err
		}}, core.DialOptions{})
		eventually(t, "live again", func() bool { return c.seen.q.Status() == core.QueryLive })
		synctest.Wait()
		if received.Load() > 300*64 || sets.Load() > 0 || written.Load() > 0 {
			t.Errorf("%d bytes, %d changes and %d records written for 300 rows that are the same", received.Load(), sets.Load(), written.Load())
		}
		before := len(c.seen.q.Rows())
		received.Store(0)
		put(t, b.node, "album", c.seen.q.Rows()[7].ID(), "year", 1000)
		eventually(t, "in step", func() bool { y, _ := c.seen.q.Rows()[before-1].Field("year").AsInt(); return y == 1000 })
		synctest.Wait()
		if written.Load() != 1 || received.Load() > 150 {
			t.Errorf("a patch took %d bytes and %d records written", received.Load(), written.Load())
		}
	})
}

// counting counts what it receives.
type counting struct {
	connectors.Conn
	bytes *atomic.Int64
}

func (c *counting) Receive(ctx context.Context) ([]byte, error) {
	b, err := c.Conn.Receive(ctx)
	c.bytes.Add(int64(len(b)))
	return b, err
}

// TestClientsThatRoamLoseNothing: clients write and move at random, while lines are cut and
// nodes restart; nobody sees anything taken back, and in the end all agree on everything that
// anybody committed.
func TestClientsThatRoamLoseNothing(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { roam(t, seed) })
		})
	}
}

func roam(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 9))
	r := newRegion(t, 3)
	r.connect(1, 0)
	r.connect(2, 1)
	r.settle("at first")
	clients := []*roaming{newRoaming(t), newRoaming(t)}
	var albums []id.EntityID
	latest := make(map[id.EntityID]int64)
	for i := range 150 {
		c := clients[rng.IntN(len(clients))]
		switch k := rng.IntN(16); {
		case k == 0:
			if s := r.sites[rng.IntN(3)]; s.node != nil {
				c.to(s)
			}
		case k == 1:
			r.lines[rng.IntN(2)].set(rng.IntN(2) == 0)
		case k == 2:
			c.leave()
		case k == 3:
			c.restart()
		case k == 4:
			s := r.sites[rng.IntN(3)]
			r.down(s)
			r.up(s)
		case k == 5:
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		case k < 8 || len(albums) == 0:
			e := create(t, c.node, fmt.Sprint("album ", i), int64(i))
			albums, latest[e] = append(albums, e), int64(i)
		default:
			// Only who holds it edits it; whoever wrote later has the greater year.
			e := albums[rng.IntN(len(albums))]
			tx := anonymous(c.node).Begin()
			if err := tx.Set(t.Context(), "album", e, with("year", i)); err == nil {
				commit(t, tx)
				latest[e] = int64(i)
			} else if k := core.KindOf(err); k != core.KindOffline && k != core.KindNotFound {
				t.Fatal(err)
			}
			tx.Rollback()
		}
		time.Sleep(time.Duration(1+rng.IntN(20)) * time.Millisecond)
	}
	for _, c := range clients {
		c.to(r.sites[rng.IntN(3)])
	}
	r.settle("mended")
	for _, c := range clients {
		c.delivered()
	}
	r.settle(fmt.Sprintf("seed %d", seed))
	for _, c := range clients {
		eventually(t, "live", func() bool { return c.seen.q.Status() == core.QueryLive })
	}
	for e, want := range latest {
		for _, n := range []*core.Node{r.sites[0].node, clients[0].node, clients[1].node} {
			if y := year(t, n, e); y != want {
				t.Errorf("an album is of %d, want %d", y, want)
			}
		}
	}
}

// TestAStoreThatWasSetBack: a server goes on from an older copy of its data. A client that
// knows its later life comes to show what the server has, and its pending writes arrive.
func TestAStoreThatWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 1)
		a := r.sites[0]
		c := newRoaming(t)
		c.seen.t = nil
		c.node.Close()
		c.disk = memory.NewDisk()
		c.node = open(t, core.Options{Engine: c.disk.Open(), Limits: quick})
		if err := c.node.Register(t.Context(), album); err != nil {
			t.Fatal(err)
		}
		q := query(t, c.node, "ORDER BY name")
		c.to(a)
		kept := create(t, c.node, "kept", 1)
		c.delivered()
		backup := a.disk.Copy()

		put(t, c.node, "album", kept, "year", 2)
		lost := create(t, c.node, "lost", 1)
		c.delivered()
		c.leave()
		put(t, c.node, "album", kept, "name", "kept and renamed") // on top of what will be lost
		put(t, c.node, "album", lost, "name", "lost and renamed")
		made := create(t, c.node, "made offline", 5)
		r.down(a)
		a.disk = backup
		r.up(a)
		other := create(t, a.node, "made meanwhile", 7)
		for i := range 5 { // its feed gets longer than the one that the client knows
			put(t, a.node, "album", other, "year", 10+i)
		}

		c.to(a)
		c.delivered()
		eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
		for _, n := range []*core.Node{a.node, c.node} {
			if y := year(t, n, kept); y != 1 {
				t.Errorf("the year is %d, which was lost", y)
			}
			if y := year(t, n, made); y != 5 {
				t.Errorf("made offline: %d", y)
			}
			if y := year(t, n, other); y != 14 {
				t.Errorf("made meanwhile: %d", y)
			}
		}
		if got := names(q); got != "kept and renamed made meanwhile made offline " {
			t.Errorf("the client shows %s", got)
		}
		// What edits an album that there is no more cannot be kept, and says so.
		if list, err := c.node.Rejections(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("%d rejections: %v", len(list), list)
		}
	})
}

// TestOnlyAPositionCovers: a position that a store says is one of its own speaks for what was held as
// of it. What came later, and was not covered by a position when the connection ended, is compared
// by its heads: the store may have been set back to between the two.
func TestOnlyAPositionCovers(t *testing.T) {
	for _, covered := range []bool{false, true} {
		t.Run(fmt.Sprint(covered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := handmade()
				store, epoch := id.StoreID{ULID: id.New(nil)}, id.EpochID{ULID: id.New(nil)}
				a := openAlbums(t, core.Options{})
				s.greeting = func(m *proto.Welcome) { m.Store, m.Continues = store, true }
				conns, frames := s.listen(t, a)
				w := <-conns
				_ = query(t, a, "ORDER BY name LIMIT 3")
				e := w.creation("album", with("name", "known"))
				state := must(entity.Apply(nil, e))
				w.send(&proto.Rows{Sub: next[*proto.Subscribe](frames).Sub, Collection: "album", Complete: true, Done: true, Rows: []proto.Row{{Entity: e.Entity, Rev: 7, State: state}}})
				synctest.Wait()
				if _, ok := heard[*proto.Ping](frames); !ok {
					t.Fatal("it does not ask for the position at once")
				}
				if covered {
					w.send(&proto.Pong{Position: proto.Position{{Epoch: epoch, Seq: 9}}})
				}
				synctest.Wait()
				w.conn.Close("cut")

				<-conns
				want := proto.KnownRow{Entity: e.Entity, Rev: 7}
				if !covered {
					want = proto.KnownRow{Entity: e.Entity, Head: state.Head.Fingerprint()}
				}
				synctest.Wait()
				if sub, ok := heard[*proto.Subscribe](frames); !ok || len(sub.Known) != 1 || sub.Known[0] != want {
					t.Errorf("it names %+v, want %+v", sub, want)
				}
			})
		})
	}
}

// TestEqualToWhatIsNotHeldAnyMore: a node that lags answers one selection with an old state of a
// row, which the client merges, and a later one when it has caught up: that the row is as the
// client named it. The client names it otherwise now, and asks for it.
func TestEqualToWhatIsNotHeldAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		var store id.StoreID
		a := openAlbums(t, core.Options{})
		s.greeting = func(m *proto.Welcome) {
			m.Continues = store.IsZero()
			store = id.StoreID{ULID: id.New(nil)}
			m.Store = store
		}
		conns, frames := s.listen(t, a)
		w := <-conns
		q := query(t, a, "ORDER BY name LIMIT 3")
		created := w.creation("album", with("name", "x", "year", 1))
		old := must(entity.Apply(nil, created))
		edit := w.edit(created, with("year", 2))
		current := must(entity.Apply(old, edit))
		rows := func(sub uint64, row ...proto.Row) *proto.Rows {
			return &proto.Rows{Sub: sub, Collection: "album", Complete: true, Done: true, Rows: row}
		}
		w.send(rows(next[*proto.Subscribe](frames).Sub, proto.Row{Entity: created.Entity, Rev: 2, State: current}))
		synctest.Wait()
		w.conn.Close("it moves")

		w = <-conns
		sub := next[*proto.Subscribe](frames)
		if len(sub.Known) != 1 || sub.Known[0].Head != current.Head.Fingerprint() {
			t.Fatalf("it names %+v", sub.Known)
		}
		w.send(&proto.Rows{Sub: 1000, Collection: "album", Done: true, Rows: []proto.Row{{Entity: created.Entity, Rev: 1, State: old}}})
		answer := rows(sub.Sub)
		answer.Equal = []proto.KnownRow{{Entity: created.Entity, Rev: 2, Head: sub.Known[0].Head}}
		w.send(answer)
		synctest.Wait()
		var get *proto.Get
		for len(frames) > 0 {
			if m, ok := (<-frames).(*proto.Get); ok {
				get = m
			}
		}
		if get == nil {
			t.Fatal("it does not ask for the row")
		}
		w.send(rows(get.Request, proto.Row{Entity: created.Entity, Rev: 2, State: current}))
		synctest.Wait()
		if row := q.Rows()[0]; !row.State().Head.Equal(current.Head) || text(row, "year") != "2" {
			t.Errorf("%s of %v, want %v", text(row, "year"), row.State().Head, current.Head)
		}
	})
}

// TestAcknowledgedAgainWhereItIsPartOfTheBase: the row came with the client's own change, and
// somebody's on top of it, and the acknowledgement was lost. When that comes, on a connection on
// which nothing is known of revisions, the change is not merged into the row once more.
func TestAcknowledgedAgainWhereItIsPartOfTheBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		store := id.StoreID{ULID: id.New(nil)}
		s.greeting = func(m *proto.Welcome) { m.Store, m.Continues = store, true }
		a := openAlbums(t, core.Options{})
		conns, frames := s.listen(t, a)
		w := <-conns
		q := query(t, a, "ORDER BY name LIMIT 3")
		created := w.creation("album", with("name", "x", "year", 1))
		row := proto.Row{Entity: created.Entity, Rev: 1, State: must(entity.Apply(nil, created))}
		rows := func(sub uint64, row ...proto.Row) *proto.Rows {
			return &proto.Rows{Sub: sub, Collection: "album", Complete: true, Done: true, Rows: row}
		}
		w.send(rows(next[*proto.Subscribe](frames).Sub, row))
		synctest.Wait()
		put(t, a, "album", created.Entity, "year", 2)
		own := next[*proto.Commit](frames)
		state := must(entity.Apply(row.State, own.Events[0]))
		row.Rev, row.State = 3, must(entity.Apply(state, w.edit(own.Events[0], with("year", 3))))
		w.send(rows(1000, row))
		synctest.Wait()
		w.conn.Close("cut")

		w = <-conns
		own = next[*proto.Commit](frames)
		w.send(&proto.Ack{Transaction: own.Transaction, Rows: []proto.AckRow{{Entity: row.Entity, Rev: row.Rev, Before: row.State.Head, Known: true}}})
		sub := next[*proto.Subscribe](frames)
		if len(sub.Known) != 1 || sub.Known[0].Rev != 0 {
			t.Fatalf("it names %+v", sub.Known)
		}
		answer := rows(sub.Sub)
		answer.Equal = []proto.KnownRow{{Entity: row.Entity, Rev: row.Rev, Head: sub.Known[0].Head}}
		w.send(answer)
		synctest.Wait()
		if got := q.Rows()[0]; !got.State().Head.Equal(row.State.Head) || text(got, "year") != "3" || got.Pending() {
			t.Errorf("%s of %v, want %v; pending: %v", text(got, "year"), got.State().Head, row.State.Head, got.Pending())
		}
		if left := a.Status().Pending; left != 0 {
			t.Errorf("%d transactions are pending", left)
		}
	})
}

// TestAbsentAndThenThere: a durable node says that it has never heard of a row, and then tells of
// its past, which has come to it. That it was absent is not held against what came afterwards.
func TestAbsentAndThenThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		a := openAlbums(t, core.Options{})
		s.greeting = func(m *proto.Welcome) { m.Store = id.StoreID{ULID: id.New(nil)} }
		conns, frames := s.listen(t, a)
		w := <-conns
		q := query(t, a, "ORDER BY name")
		created, other := w.creation("album", with("name", "x", "year", 1)), w.creation("album", with("name", "y", "year", 1))
		edit := w.edit(created, with("year", 2))
		old, beside := must(entity.Apply(nil, created)), must(entity.Apply(nil, other))
		current := must(entity.Apply(old, edit))
		rows := func(sub uint64, row ...proto.Row) *proto.Rows {
			return &proto.Rows{Sub: sub, Collection: "album", Complete: true, Done: true, Rows: row}
		}
		there, near := proto.Row{Entity: created.Entity, Rev: 2, State: current}, proto.Row{Entity: other.Entity, Rev: 1, State: beside}
		w.send(rows(next[*proto.Subscribe](frames).Sub, there, near))
		synctest.Wait()
		w.conn.Close("it moves")

		w = <-conns
		answer := rows(next[*proto.Subscribe](frames).Sub)
		answer.Absent = []id.EntityID{created.Entity}
		answer.Equal = []proto.KnownRow{{Entity: other.Entity, Rev: 1, Head: beside.Head.Fingerprint()}}
		w.send(answer)
		misfit := w.edit(other, with("year", 3))
		near = proto.Row{Entity: other.Entity, Rev: 3, State: must(entity.Apply(beside, misfit))}
		w.send(&proto.Update{Changes: []proto.RowChange{{Collection: "album", Entity: other.Entity, Rev: 3, Head: near.State.Head,
			Properties: entity.Patch(beside, near.State)}}})
		synctest.Wait()
		var get *proto.Get
		for len(frames) > 0 {
			switch m, _ := (<-frames).(*proto.Get); {
			case m == nil:
			case slices.Contains(m.Entities, other.Entity):
				get = m
			default: // it doubts that the row is absent
				answer := rows(m.Request)
				answer.Absent = m.Entities
				w.send(answer)
			}
		}
		if get == nil {
			t.Fatal("it does not ask for the row beside")
		}
		w.send(&proto.Update{Changes: []proto.RowChange{{Collection: "album", Entity: created.Entity, Rev: 1, Kind: proto.RowState,
			Head: old.Head, Properties: old.Properties}}})
		w.send(&proto.Update{Changes: []proto.RowChange{{Collection: "album", Entity: created.Entity, Rev: 2, Head: current.Head,
			Properties: entity.Patch(old, current)}}})
		w.send(rows(get.Request, near))
		synctest.Wait()
		asked := false
		for len(frames) > 0 {
			if m, ok := (<-frames).(*proto.Get); ok {
				answer := rows(m.Request)
				for _, row := range []proto.Row{there, near} {
					if slices.Contains(m.Entities, row.Entity) {
						answer.Rows = append(answer.Rows, row)
					}
				}
				asked = asked || slices.Contains(m.Entities, created.Entity)
				w.send(answer)
				synctest.Wait()
			}
		}
		if got := rowNames(q, "year"); !asked || got != "2 3" {
			t.Fatalf("asked for is %v; rows of %s", asked, got)
		}
		if head := q.Rows()[0].State().Head; !head.Equal(current.Head) {
			t.Errorf("head %v, want %v", head, current.Head)
		}
	})
}

// TestOnlyWhatWasRefusedIsMadeAgain: a server that was set back refuses a transaction for what
// it lacks of one album. Another one in flight, which is like it on top of what the server knows
// of a second album but has not got as a head any more, is left alone: it is accepted, and made
// again it would count twice.
func TestOnlyWhatWasRefusedIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		a := openAlbums(t, core.Options{})
		w, frames := s.connected(t, a)
		_ = query(t, a, "ORDER BY name")
		first, second := w.creation("album", with("name", "known")), w.creation("album", with("name", "lacking"))
		onSecond := w.edit(second, with("year", 1)) // what is lost
		known, had := must(entity.Apply(nil, first)), must(entity.Apply(nil, second))
		rows := []proto.Row{{Entity: first.Entity, Rev: 1, State: known}, {Entity: second.Entity, Rev: 2, State: must(entity.Apply(had, onSecond))}}
		w.send(&proto.Rows{Sub: next[*proto.Subscribe](frames).Sub, Collection: "album", Complete: true, Done: true, Rows: rows})
		synctest.Wait()

		refused, accepted := anonymous(a).Begin(), anonymous(a).Begin() // beside each other
		for _, err := range []error{
			refused.Set(t.Context(), "album", first.Entity, with("year", 5)),
			refused.Set(t.Context(), "album", second.Entity, with("year", 6)),
			accepted.Set(t.Context(), "album", first.Entity, with("artist", "Muse")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		commit(t, refused)
		commit(t, accepted)
		w.send(&proto.Nack{Transaction: next[*proto.Commit](frames).Transaction, Kind: uint64(core.KindMissingParents), Message: "lacking"})
		inFlight := next[*proto.Commit](frames)
		if inFlight.Transaction != accepted.ID() || !inFlight.Events[0].Parents.Equal(known.Head) {
			t.Fatalf("in flight is %v", inFlight)
		}
		// Meanwhile somebody has changed the first album.
		theirs := must(entity.Apply(known, w.edit(first, with("name", "changed"))))
		w.send(&proto.Rows{Sub: next[*proto.Get](frames).Request, Collection: "album", Complete: true, Done: true,
			Rows: []proto.Row{{Entity: first.Entity, Rev: 3, State: theirs}, {Entity: second.Entity, Rev: 3, State: had}}})
		again := next[*proto.Commit](frames)
		if again.Transaction != refused.ID() || again.Attempt != 1 || len(again.Events) != 2 {
			t.Errorf("made again is %+v, want %s", again, refused.ID())
		}
		w.send(&proto.Ack{Transaction: inFlight.Transaction, Rows: []proto.AckRow{{Entity: first.Entity, Rev: 4, Before: theirs.Head}}})
		synctest.Wait()
		for len(frames) > 0 {
			if c, ok := (<-frames).(*proto.Commit); ok {
				t.Errorf("%s is sent again, attempt %d", c.Transaction, c.Attempt)
			}
		}
		if pending := a.Status().Pending; pending != 1 {
			t.Errorf("%d transactions are pending, want 1", pending)
		}
	})
}

// TestDependentsAreMadeAgainInAnyOrder: of two transactions, of which the second is on top of the
// first, both are refused for what the server lacks, and what the second takes comes first: it is
// made again with the first one, and not refused.
func TestDependentsAreMadeAgainInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		a := openAlbums(t, core.Options{})
		w, frames := s.connected(t, a)
		_ = query(t, a, "ORDER BY name")
		created := w.creation("album", with("name", "x"))
		had := must(entity.Apply(nil, created))
		row := proto.Row{Entity: created.Entity, Rev: 2, State: must(entity.Apply(had, w.edit(created, with("year", 1))))} // an edit that will be lost
		w.send(&proto.Rows{Sub: next[*proto.Subscribe](frames).Sub, Collection: "album", Complete: true, Done: true, Rows: []proto.Row{row}})
		synctest.Wait()
		first := put(t, a, "album", created.Entity, "year", 5)
		second := put(t, a, "album", created.Entity, "artist", "Muse")
		for range 2 {
			c := next[*proto.Commit](frames)
			w.send(&proto.Nack{Transaction: c.Transaction, Kind: uint64(core.KindMissingParents), Message: "lacking"})
		}
		asked := []*proto.Get{next[*proto.Get](frames), next[*proto.Get](frames)}
		for _, i := range []int{1, 0} {
			w.send(&proto.Rows{Sub: asked[i].Request, Collection: "album", Complete: true, Done: true,
				Rows: []proto.Row{{Entity: created.Entity, Rev: 3, State: had}}})
			synctest.Wait()
		}
		if list, err := a.Rejections(t.Context()); err != nil || len(list) != 0 || a.Status().Pending != 2 {
			t.Fatalf("%d rejections, %v, %d pending", len(list), err, a.Status().Pending)
		}
		head := had.Head
		for i, want := range []*core.Receipt{first, second} {
			c := next[*proto.Commit](frames)
			if c.Transaction != want.Transaction() || len(c.Events) != 1 || !c.Events[0].Parents.Equal(head) {
				t.Fatalf("commit %d is %+v, want one on top of %v", i, c, head)
			}
			head = proto.NewClock(c.Events[0].ID)
		}
	})
}

// TestWhatIsRightAsItIsIsSentAgain: a server that was set back refuses a transaction for what it
// lacks of one album, and another one that is on top of what the first does to a second album. The
// first is made again on the first album alone; then the other is right as it is, and goes out again.
func TestWhatIsRightAsItIsIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		a := openAlbums(t, core.Options{})
		w, frames := s.connected(t, a)
		_ = query(t, a, "ORDER BY name")
		lost, kept := w.creation("album", with("name", "lost")), w.creation("album", with("name", "kept"))
		had, whole := must(entity.Apply(nil, lost)), must(entity.Apply(nil, kept))
		later := must(entity.Apply(had, w.edit(lost, with("year", 1)))) // which will be lost
		rows := func(sub uint64, rows ...proto.Row) {
			w.send(&proto.Rows{Sub: sub, Collection: "album", Complete: true, Done: true, Rows: rows})
			synctest.Wait()
		}
		rows(next[*proto.Subscribe](frames).Sub, proto.Row{Entity: lost.Entity, Rev: 2, State: later}, proto.Row{Entity: kept.Entity, Rev: 1, State: whole})
		tx := anonymous(a).Begin()
		for _, e := range []id.EntityID{lost.Entity, kept.Entity} {
			if err := tx.Set(t.Context(), "album", e, with("year", 5)); err != nil {
				t.Fatal(err)
			}
		}
		first := commit(t, tx)
		second := put(t, a, "album", kept.Entity, "artist", "Muse")
		var refused []*proto.Commit
		for range 2 {
			c := next[*proto.Commit](frames)
			refused = append(refused, c)
			w.send(&proto.Nack{Transaction: c.Transaction, Kind: uint64(core.KindMissingParents), Message: "lacking"})
		}
		asked := []*proto.Get{next[*proto.Get](frames), next[*proto.Get](frames)}
		for _, i := range []int{1, 0} { // the second hears first that its row is what it was
			answer := []proto.Row{{Entity: kept.Entity, Rev: 1, State: whole}}
			if slices.Contains(asked[i].Entities, lost.Entity) {
				answer = append(answer, proto.Row{Entity: lost.Entity, Rev: 3, State: had})
			}
			rows(asked[i].Request, answer...)
		}
		if c, ok := heard[*proto.Commit](frames); !ok || c.Transaction != first.Transaction() || c.Attempt == refused[0].Attempt {
			t.Fatalf("instead of making the first one again it sends %+v", c)
		}
		time.Sleep(time.Minute)
		c, ok := heard[*proto.Commit](frames)
		if !ok || c.Transaction != second.Transaction() || len(c.Events) != 1 || c.Events[0].ID != refused[1].Events[0].ID {
			t.Errorf("instead of sending the second one again it sends %+v", c)
		}
	})
}

package core_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// cluster is durable nodes, as of several processes, on one store.
type cluster struct {
	t       *testing.T
	disk    *memory.Disk
	nodes   []*core.Node
	engines []*memory.Shared
}

func share(t *testing.T, count int) *cluster {
	t.Helper()
	c := &cluster{t: t, disk: memory.NewDisk()}
	for range count {
		c.nodes, c.engines = append(c.nodes, nil), append(c.engines, nil)
		c.start(len(c.nodes) - 1)
	}
	return c
}

// start opens a node; the first one creates the system, and the others find it.
func (c *cluster) start(i int) *core.Node {
	c.t.Helper()
	c.engines[i] = c.disk.Share()
	n := open(c.t, core.Options{Engine: c.engines[i], Durable: true})
	if err := n.CreateSystem(c.t.Context()); err != nil && core.KindOf(err) != core.KindConflict {
		c.t.Fatal(err)
	}
	if err := n.Register(c.t.Context(), album); err != nil {
		c.t.Fatal(err)
	}
	c.nodes[i] = n
	return n
}

// kill ends a node as kill -9 does: the store takes it for dead.
func (c *cluster) kill(i int) {
	c.engines[i].Release()
	_ = c.nodes[i].Close()
}

// What one process commits, the live queries of the others show, and their peers'.
func TestSharedStoreReachesEverybody(t *testing.T) {
	c := share(t, 3)
	var shown []*core.LiveQuery
	for _, n := range c.nodes {
		if n.ID() == c.nodes[0].ID() && n != c.nodes[0] {
			t.Fatal("two processes write to one feed")
		}
		shown = append(shown, watch(t, n, "album", "ORDER BY name"))
		peer := connected(t, n, core.Options{})
		shown = append(shown, watch(t, peer, "album", "ORDER BY name"), watch(t, peer, "album", "ORDER BY name LIMIT 50"))
	}
	everywhere := func(want string) {
		t.Helper()
		for i, q := range shown {
			eventually(t, fmt.Sprintf("%s in query %d", want, i), func() bool { return rowNames(q, "name") == want })
		}
	}
	a := create(t, c.nodes[0], "a", 1)
	everywhere("a")
	create(t, c.nodes[1], "b", 1)
	everywhere("a b")
	change(t, c.nodes[2], a, "name", "z")
	everywhere("b z")
	change(t, c.nodes[1], a, "name", "c")
	everywhere("b c")
	tx := anonymous(c.nodes[2]).Begin()
	if err := tx.Delete(t.Context(), "album", a); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	everywhere("b")
}

// tallies counts what writers have done: each of them in a property of one entity that they
// share, and in an entity of its own.
var tallies = &schema.Model{Collection: "tally", Properties: []schema.Property{
	{Name: "done", Type: schema.TypeInt, Optional: true}, {Name: "seen", Type: schema.TypeInt, Optional: true},
	{Name: "w0", Type: schema.TypeInt, Optional: true}, {Name: "w1", Type: schema.TypeInt, Optional: true},
	{Name: "w2", Type: schema.TypeInt, Optional: true}, {Name: "w3", Type: schema.TypeInt, Optional: true},
	{Name: "w4", Type: schema.TypeInt, Optional: true}, {Name: "w5", Type: schema.TypeInt, Optional: true},
}}

const writers = 6

// tally is what one reading of the entities says.
type tally struct {
	done, seen, shared [writers]int64
}

func tallyOf(q *core.LiveQuery, shared id.EntityID, own [writers]id.EntityID) (t tally) {
	for _, v := range q.Rows() {
		for w := range own {
			if v.ID() == own[w] {
				t.done[w], _ = v.Field("done").AsInt()
				t.seen[w], _ = v.Field("seen").AsInt()
			}
			if v.ID() == shared {
				t.shared[w], _ = v.Field(fmt.Sprint("w", w)).AsInt()
			}
		}
	}
	return t
}

// problem says what is wrong with a reading that follows another: transactions are whole,
// nothing goes back, and who has seen something is not shown before it.
func (t tally) problem(before tally) string {
	total := int64(0)
	for w := range writers {
		total += t.shared[w]
	}
	for w := range writers {
		switch {
		case t.done[w] != t.shared[w]:
			return fmt.Sprintf("half a transaction of writer %d", w)
		case t.done[w] < before.done[w]:
			return fmt.Sprintf("writer %d goes back from %d", w, before.done[w])
		case t.seen[w] > total:
			return fmt.Sprintf("writer %d has seen %d done, of which %d are shown", w, t.seen[w], total)
		}
	}
	return ""
}

// Many writers in several processes change one entity, and one of their own: what was accepted
// is there once, whoever looks, live or once, sees every transaction whole and causes before
// effects, and all see the same in the end.
func TestSharedStoreUnderContention(t *testing.T) {
	const rounds = 40
	c := share(t, 3)
	for _, n := range c.nodes {
		if err := n.Register(t.Context(), tallies); err != nil {
			t.Fatal(err)
		}
	}
	var own [writers]id.EntityID
	shared := add(t, c.nodes[0], "tally")
	for w := range own {
		own[w] = add(t, c.nodes[0], "tally")
	}
	var shown []*core.LiveQuery
	for _, server := range c.nodes {
		peer := connected(t, server, core.Options{})
		if err := peer.Register(t.Context(), tallies); err != nil { // it may not have heard of it yet
			t.Fatal(err)
		}
		for _, n := range []*core.Node{server, peer} {
			for _, text := range []string{"", "ORDER BY done LIMIT 50"} {
				q := watch(t, n, "tally", text)
				eventually(t, "all entities", func() bool { return len(q.Rows()) == writers+1 })
				var last tally
				q.Subscribe(func(*core.ChangeSet) {
					now := tallyOf(q, shared, own)
					if problem := now.problem(last); problem != "" {
						t.Errorf("%q: %s: %v", text, problem, now)
					}
					last = now
				})
				shown = append(shown, q)
			}
		}
	}
	var wg sync.WaitGroup
	for w := range own {
		n, seen := c.nodes[w%len(c.nodes)], shown[4*(w%len(c.nodes))]
		wg.Go(func() {
			for i := range rounds {
				total := 0
				for _, done := range tallyOf(seen, shared, own).shared {
					total += int(done)
				}
				tx := anonymous(n).Begin()
				for e, set := range map[id.EntityID][]proto.Field{own[w]: with("done", i+1, "seen", total), shared: with(fmt.Sprint("w", w), i+1)} {
					if err := tx.Set(context.Background(), "tally", e, set); err != nil {
						t.Error(err)
					}
				}
				if _, err := tx.Commit(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, q := range shown {
		eventually(t, fmt.Sprint("everything in query ", i), func() bool {
			now := tallyOf(q, shared, own)
			return !slices.ContainsFunc(now.done[:], func(n int64) bool { return n != rounds })
		})
	}
	history := must(anonymous(c.nodes[0]).History(t.Context(), "tally", shared, core.HistoryOptions{}))
	if got := len(history.Revisions); got != writers*rounds+1 {
		t.Errorf("the shared entity has %d events, want %d", got, writers*rounds+1)
	}
}

// A client that loses its server goes on at another, with what it has and from where it was.
func TestSharedStoreFailover(t *testing.T) {
	c := share(t, 2)
	peer := openAlbums(t, core.Options{})
	link := local.Connect(c.nodes[0], peer)
	if err := peer.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := watch(t, peer, "album", "ORDER BY name")
	e := create(t, c.nodes[0], "a", 1)
	eventually(t, "a", func() bool { return rowNames(q, "name") == "a" })
	link.Close()
	eventually(t, "offline", func() bool { return peer.Status().Connection == core.Offline })
	c.kill(0)
	create(t, c.nodes[1], "b", 1)
	create(t, peer, "c", 1)
	put(t, peer, "album", e, "name", "d")
	local.Connect(c.nodes[1], peer)
	eventually(t, "everything", func() bool { return rowNames(q, "name") == "b c d" && q.Status() == core.QueryLive })
	n := c.start(0)
	if got := rowNames(watch(t, n, "album", "ORDER BY name"), "name"); got != "b c d" {
		t.Errorf("the server that came back shows %s", got)
	}
}

// dawdling lets others run between what it reads and what is done with that.
type dawdling struct{ *memory.Shared }

func (d dawdling) Meta(ctx context.Context, keys ...string) ([][]byte, error) {
	values, err := d.Shared.Meta(ctx, keys...)
	for range 100 {
		runtime.Gosched()
	}
	return values, err
}

// Processes that open a new store at the same time agree about which one it is: a client may
// go from one to the other with what it has.
func TestSharedStoreIsOne(t *testing.T) {
	for range 20 {
		disk := memory.NewDisk()
		nodes := make([]*core.Node, 3)
		var wg sync.WaitGroup
		for i := range nodes {
			wg.Go(func() { nodes[i] = open(t, core.Options{Engine: dawdling{disk.Share()}, Durable: true}) })
		}
		wg.Wait()
		stores := make(map[id.StoreID]bool)
		for _, n := range nodes {
			if err := n.CreateSystem(t.Context()); err != nil && core.KindOf(err) != core.KindConflict {
				t.Fatal(err)
			}
			w, _ := raw(t, n)
			w.send(&proto.Hello{Node: w.node})
			stores[until[*proto.Welcome](w).Store] = true
		}
		if len(stores) != 1 {
			t.Fatalf("the processes name %d stores", len(stores))
		}
	}
}

// deaf hears of nothing that other processes commit.
type deaf struct{ *memory.Shared }

func (deaf) Wake() <-chan struct{} { return nil }

// A client whose server died before it could acknowledge sends its transaction again to another
// server, which may not have heard of it yet: that shows it before it acknowledges it.
func TestSharedStoreAcknowledgesWhatItShows(t *testing.T) {
	disk := memory.NewDisk()
	first := durable(t, core.Options{Engine: disk.Share()})
	second := open(t, core.Options{Engine: deaf{disk.Share()}, Durable: true, Limits: core.Limits{SharedPoll: time.Hour}})
	w, _ := greeted(t, first)
	commit := w.commit(w.creation("album", with("name", "a", "year", 1)))
	again, _ := raw(t, second)
	again.node = w.node
	again.hello()
	again.send(&proto.Subscribe{Sub: 1, Collection: "album"})
	until[*proto.Rows](again)
	w.send(commit)
	w.ack()
	again.send(commit)
	for {
		switch m := again.receive().(type) {
		case *proto.Update:
			if len(m.Changes) != 1 || m.Changes[0].Entity != commit.Events[0].Entity {
				t.Fatalf("shown: %+v", m.Changes)
			}
			again.ack()
			return
		case *proto.Ack:
			t.Fatal("acknowledged before it is shown")
		case *proto.Nack:
			t.Fatalf("refused: %s", m.Message)
		}
	}
}

// What is acknowledged again is acknowledged as of the entities that the store holds, and not as of
// those that the server remembers.
func TestSharedStoreAcknowledgesAsOfTheStore(t *testing.T) {
	disk := memory.NewDisk()
	first := durable(t, core.Options{Engine: disk.Share()})
	second := open(t, core.Options{Engine: disk.Share(), Durable: true})
	w, _ := greeted(t, first)
	again, _ := raw(t, second)
	again.node = w.node
	again.hello()
	creation := w.creation("album", with("name", "a", "year", 1))
	again.send(again.commit(creation)) // the second remembers what it has stored
	again.ack()
	one := w.edit(creation, with("year", 2))
	w.send(w.commit(one))
	w.ack()
	two := w.commit(w.edit(one, with("year", 3)))
	w.send(two)
	rows := w.ack().Rows
	again.send(two)
	if got := again.ack().Rows; len(got) != 1 || got[0].Rev != 3 || rows[0].Rev != 3 {
		t.Errorf("acknowledged as %+v, and before as %+v", got, rows)
	}
}

// A node that the store has taken for dead accepts nothing any more, says so, and ends.
func TestSharedStoreFencesWhoIsTakenForDead(t *testing.T) {
	c := share(t, 2)
	c.engines[0].Release()
	tx := anonymous(c.nodes[0]).Begin()
	if _, err := tx.Create(t.Context(), "album", with("name", "late")); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err == nil {
		t.Error("a commit was accepted")
	}
	<-c.nodes[0].Done()
	if err := c.nodes[0].Err(); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("it ended because of %v", err)
	}
	if err := c.nodes[1].Err(); err != nil {
		t.Errorf("the other one ended: %v", err)
	}
	if rows := must(anonymous(c.nodes[1]).Fetch(t.Context(), "album", selection(t, ""))); len(rows) != 0 {
		t.Errorf("stored all the same: %v", rows)
	}
}

// A position that one process has given another takes for one of the store's, also where its
// feeds were opened since the other looked, and nothing was written to them.
func TestPositionsAreEachOthers(t *testing.T) {
	c := share(t, 2)
	create(t, c.nodes[0], "a", 1)
	create(t, c.nodes[1], "b", 1)
	known := func(at, by *core.Node) bool {
		t.Helper()
		w, _ := raw(t, at)
		store := w.hello().Store
		w.send(&proto.Ping{})
		position := until[*proto.Pong](w).Position
		x, _ := raw(t, by)
		x.send(&proto.Hello{Node: x.node, Store: store, Position: position})
		return until[*proto.Welcome](x).Continues
	}
	c.kill(0)
	again := c.start(0) // takes the feed that was left
	if !known(again, c.nodes[1]) {
		t.Error("a feed that was taken over is unknown")
	}
	c.engines, c.nodes = append(c.engines, nil), append(c.nodes, nil)
	third := c.start(2)
	for _, by := range c.nodes[:2] {
		if !known(third, by) {
			t.Error("a feed without entries is unknown")
		}
	}
	if !known(c.nodes[1], third) {
		t.Error("a new process does not know what others have written")
	}
}

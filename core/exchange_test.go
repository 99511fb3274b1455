package core_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// durableWire is a wire that presents itself as a durable node with a store of its own.
type durableWire struct {
	*wire
	epoch id.EpochID
	seq   uint64
}

// replicating connects a wire to a node as a durable peer, as far as the first Follow.
func replicating(t testing.TB, n *core.Node) (w *durableWire, served chan error) {
	t.Helper()
	plain, served := raw(t, n)
	w = &durableWire{wire: plain, epoch: id.EpochID{ULID: id.New(nil)}}
	w.send(w.hello())
	until[*proto.Welcome](w.wire)
	until[*proto.Follow](w.wire)
	return w, served
}

func (w *durableWire) hello() *proto.Hello {
	return &proto.Hello{Node: w.node, Durable: true, Time: time.Now().UnixMicro(), Store: id.StoreID{ULID: id.New(nil)}}
}

// entry is a transaction as a durable node sends it.
func (w *durableWire) entry(events ...*proto.Event) proto.Entry {
	w.seq++
	return proto.Entry{Position: proto.Position{{Epoch: w.epoch, Seq: w.seq}}, Transaction: id.TransactionID{ULID: id.New(nil)},
		Events: proto.AppendEvents(nil, events)}
}

// offer sends transactions and waits until they are taken or refused.
func (w *durableWire) offer(entries ...proto.Entry) {
	w.t.Helper()
	w.send(&proto.Entries{List: entries})
	until[*proto.Taken](w.wire)
}

// refusals collects what a node refuses.
type refusals struct {
	mu   sync.Mutex
	list []error
}

func (r *refusals) note(_ id.NodeID, _ id.TransactionID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, err)
}

func (r *refusals) take() (list []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, r.list = r.list, nil
	return list
}

// TestBadTransactionsOfADurablePeer: each is refused with a reason, and those around it are
// taken.
func TestBadTransactionsOfADurablePeer(t *testing.T) {
	var refused refusals
	n := durable(t, core.Options{Listener: core.Listener{Refused: refused.note}})
	w, _ := replicating(t, n)
	first := w.creation("album", with("name", "first"))
	other := w.creation("album", with("name", "other"))
	w.offer(w.entry(first), w.entry(other))

	tampered := w.entry(w.creation("album", with("name", "tampered")))
	tampered.Events[len(tampered.Events)-3]++
	nowhere := w.creation("album", with("name", "never sent"))
	onForeign := w.mint(&proto.Event{Collection: "album", Entity: first.Entity, Parents: proto.NewClock(other.ID), Author: w.node, Operations: operationsOf(with("year", 1))})
	elsewhere := w.mint(&proto.Event{Collection: "pet", Entity: first.Entity, Parents: proto.NewClock(first.ID), Author: w.node, Operations: operationsOf(with("age", 1))})
	half := w.creation("album", with("name", "half of a transaction"))
	for name, bad := range map[string]struct {
		entry proto.Entry
		kind  core.Kind
	}{
		"a digest that is wrong":             {tampered, core.KindInvalid},
		"events that are none":               {proto.Entry{Position: w.entry().Position, Transaction: w.entry().Transaction, Events: []byte("GET / HTTP/1.1")}, core.KindInvalid},
		"parents that nobody has":            {w.entry(w.edit(nowhere, with("year", 1))), core.KindMissingParents},
		"a parent of another entity":         {w.entry(onForeign), core.KindMissingParents},
		"an entity in another collection":    {w.entry(elsewhere), core.KindInvalid},
		"the root of another system":         {w.entry(w.creation("_ankurah_system", with("format", 1))), core.KindSystemMismatch},
		"one good event and one bad one":     {w.entry(half, onForeign), core.KindMissingParents},
		"an operation that cannot be read":   {w.entry(w.mint(&proto.Event{Collection: "album", Author: w.node, Operations: []proto.Operation{{Property: "name", Kind: 1, Data: []byte{0xc1}}}})), core.KindInvalid},
		"more events than a transaction has": {proto.Entry{Position: w.entry().Position, Transaction: w.entry().Transaction, Events: []byte{0xdd, 0xff, 0xff, 0xff, 0xff}}, core.KindTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := w.creation("album", with("name", "before")), w.creation("album", with("name", "after"))
			w.send(&proto.Entries{List: []proto.Entry{w.entry(before), bad.entry, w.entry(after)}})
			for taken := false; !taken; {
				switch m := w.receive().(type) {
				case *proto.Lookup:
					w.send(&proto.Found{Request: m.Request})
				case *proto.Taken:
					taken = true
				}
			}
			list := refused.take()
			if len(list) != 1 || core.KindOf(list[0]) != bad.kind && !strings.Contains(list[0].Error(), "on top of") {
				t.Errorf("refused %v, want one of kind %v", list, bad.kind)
			}
			for _, e := range []*proto.Event{before, after} {
				if _, err := anonymous(n).Get(t.Context(), "album", e.Entity); err != nil {
					t.Errorf("a good transaction beside it: %v", err)
				}
			}
		})
	}
	if _, err := anonymous(n).Get(t.Context(), "album", half.Entity); core.KindOf(err) != core.KindNotFound {
		t.Errorf("half of a transaction was taken: %v", err)
	}
}

// TestADurablePeerIsJudgedElsewhere: what another durable node has accepted is not held
// against this one's policy, models and limits; but system collections still need a durable
// node's word, and a client's do not count.
func TestADurablePeerIsJudgedElsewhere(t *testing.T) {
	agent := replicatingAgent{scoped(), "root"}
	n := open(t, core.Options{Durable: true, Policy: agent, Limits: core.Limits{TxEvents: 2, Siblings: 1}})
	if err := n.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	plain, _ := raw(t, n)
	w := &durableWire{wire: plain, epoch: id.EpochID{ULID: id.New(nil)}}
	hello := w.hello()
	hello.Credentials = []byte("root")
	w.send(hello)
	until[*proto.Follow](w.wire)
	e := w.creation("unknown", with("name", "of no model"))
	w.offer(w.entry(e, w.edit(e, with("name", "a")), w.edit(e, with("name", "b")), w.edit(e, with("name", "c"))))
	if x := n.Replications(); len(x) != 1 || x[0].Taken != 1 || x[0].Refused != 0 {
		t.Errorf("%+v", x)
	}
}

// replicatingAgent lets one principal replicate.
type replicatingAgent struct {
	policy.Agent
	name string
}

func (a replicatingAgent) Replicate(p policy.Principal) error {
	if p.Name != a.name {
		return policy.Denied("%s may not replicate", p.Name)
	}
	return nil
}

// TestWhoMayReplicate: saying that one is durable is not enough.
func TestWhoMayReplicate(t *testing.T) {
	for name, c := range map[string]struct {
		agent policy.Agent
		hello func(*proto.Hello, *core.Node)
		kind  core.Kind
	}{
		"an agent that says nothing of it": {scoped(), func(m *proto.Hello, _ *core.Node) { m.Credentials = []byte("root") }, core.KindDenied},
		"somebody else":                    {replicatingAgent{scoped(), "root"}, func(m *proto.Hello, _ *core.Node) { m.Credentials = []byte("ann") }, core.KindDenied},
		"nobody":                           {replicatingAgent{scoped(), "root"}, func(m *proto.Hello, _ *core.Node) {}, core.KindDenied},
		"a node of another system": {policy.Permissive(), func(m *proto.Hello, _ *core.Node) { m.System = id.EntityID{ULID: id.New(nil)} },
			core.KindSystemMismatch},
		"itself": {policy.Permissive(), func(m *proto.Hello, n *core.Node) { m.Node = n.ID() }, core.KindInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			n := durable(t, core.Options{Policy: c.agent})
			plain, served := raw(t, n)
			w := &durableWire{wire: plain}
			m := w.hello()
			c.hello(m, n)
			w.send(m)
			if refuse := w.refused(served); refuse.Kind != uint64(c.kind) || refuse.Message == "" {
				t.Errorf("refused with %v: %s", core.Kind(refuse.Kind), refuse.Message)
			}
		})
	}
}

// TestAHostileDurablePeerIsBounded: a peer that does not keep to the protocol is given up, and
// what it can make a node do is bounded.
func TestAHostileDurablePeerIsBounded(t *testing.T) {
	t.Run("more than it was asked for", func(t *testing.T) {
		n := durable(t, core.Options{})
		w, served := replicating(t, n)
		e := w.creation("album", with("name", "x"))
		nowhere := w.edit(e, with("year", 1)) // it will be asked for what this is on top of
		go func() {
			for range 64 {
				if w.conn.Send(context.Background(), proto.AppendFrame(nil, &proto.Entries{List: []proto.Entry{w.entry(nowhere)}})) != nil {
					return
				}
			}
		}()
		if err := <-served; err == nil {
			t.Error("it was served to its end")
		}
	})
	t.Run("a history without an end", func(t *testing.T) {
		var refused refusals
		n := durable(t, core.Options{Listener: core.Listener{Refused: refused.note}})
		w, _ := replicating(t, n)
		chain := []*proto.Event{w.creation("album", with("name", strings.Repeat("x", 900_000)))}
		for range 100 {
			chain = append(chain, w.edit(chain[len(chain)-1], with("name", strings.Repeat("y", 900_000))))
		}
		w.send(&proto.Entries{List: []proto.Entry{w.entry(chain[len(chain)-1])}})
		sent := 0
		for taken := false; !taken; {
			switch m := w.receive().(type) {
			case *proto.Lookup:
				for _, e := range chain {
					if e.ID == m.Events[0] {
						sent++
						w.send(&proto.Found{Request: m.Request, Events: []*proto.Event{e}})
					}
				}
			case *proto.Taken:
				taken = true
			}
		}
		if list := refused.take(); len(list) != 1 || sent > 80 {
			t.Errorf("after %d events: %v", sent, list)
		}
	})
	t.Run("frames of clients", func(t *testing.T) {
		n := durable(t, core.Options{})
		for _, f := range []proto.Frame{&proto.Subscribe{Sub: 1, Collection: "album"}, &proto.Register{Request: 1}, &proto.Commit{}} {
			w, served := replicating(t, n)
			w.send(f)
			if refuse := w.refused(served); refuse.Kind != uint64(core.KindInvalid) {
				t.Errorf("%T: %+v", f, refuse)
			}
		}
	})
	t.Run("frames of durable nodes from clients", func(t *testing.T) {
		n := durable(t, core.Options{})
		for _, f := range []proto.Frame{&proto.Follow{}, &proto.Entries{}, &proto.Lookup{}, &proto.Found{}, &proto.Taken{}} {
			w, served := greeted(t, n)
			w.send(f)
			if refuse := w.refused(served); refuse.Kind != uint64(core.KindInvalid) {
				t.Errorf("%T: %+v", f, refuse)
			}
		}
	})
	t.Run("one that takes nothing", func(t *testing.T) {
		n := durable(t, core.Options{})
		for i := range 3000 {
			create(t, n, fmt.Sprint(strings.Repeat("x", 1000), i), 1)
		}
		w, _ := replicating(t, n)
		w.send(&proto.Follow{})
		frames := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			b, err := w.conn.Receive(ctx)
			cancel()
			if err != nil {
				break
			}
			if f, _ := proto.DecodeFrame(b); f != nil {
				if _, ok := f.(*proto.Entries); ok {
					frames++
				}
			}
		}
		if frames == 0 || frames > 4 {
			t.Errorf("%d frames were sent to a peer that takes none", frames)
		}
	})
}

// TestAGapIsFilled: a node that lacks what a transaction is on top of asks for it, however
// deep it is.
func TestAGapIsFilled(t *testing.T) {
	for _, depth := range []int{1, 50, 3000} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			source, n := durable(t, core.Options{}), durable(t, core.Options{})
			w, _ := replicating(t, n)
			chain := []*proto.Event{w.creation("album", with("name", "first"))}
			for i := range depth {
				chain = append(chain, w.edit(chain[len(chain)-1], with("year", i)))
			}
			// Another durable node answers the lookups: it has all of it.
			from, _ := replicating(t, source)
			for _, e := range chain {
				from.offer(from.entry(e))
			}
			last := w.edit(chain[len(chain)-1], with("name", "last"))
			w.send(&proto.Entries{List: []proto.Entry{w.entry(last)}})
			asked := 0
			for taken := false; !taken; {
				switch m := w.receive().(type) {
				case *proto.Lookup:
					asked++
					from.send(m)
					w.send(until[*proto.Found](from.wire))
				case *proto.Taken:
					taken = true
				}
			}
			v, err := anonymous(n).Get(t.Context(), "album", last.Entity)
			if err != nil || text(v, "name") != "last" || text(v, "year") != fmt.Sprint(depth-1) {
				t.Fatalf("%v, %v", v, err)
			}
			if most := 2 + depth/1000; asked > most {
				t.Errorf("asked %d times for %d events", asked, depth)
			}
		})
	}
}

// TestEventsFromTheFutureWait: a peer's clock that is ahead keeps its transactions waiting;
// they are not dropped, and what this node has goes to the peer all the same.
func TestEventsFromTheFutureWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := durable(t, core.Options{Limits: quick})
		w, _ := replicating(t, n)
		early := &proto.Event{Collection: "album", Author: w.node, Operations: operationsOf(with("name", "from the future"))}
		if err := early.Mint(id.StampAt(time.Now().Add(20 * time.Minute))); err != nil {
			t.Fatal(err)
		}
		w.send(&proto.Entries{List: []proto.Entry{w.entry(early)}})
		w.send(&proto.Follow{})
		until[*proto.Entries](w.wire)
		synctest.Wait()
		if _, err := anonymous(n).Get(t.Context(), "album", early.Entity); core.KindOf(err) != core.KindNotFound {
			t.Errorf("it is here already: %v", err)
		}
		if x := n.Replications(); len(x) != 1 || core.KindOf(x[0].LastError) != core.KindClockDrift || !x[0].Connected {
			t.Errorf("%+v", x)
		}
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-time.After(10 * time.Second):
					w.send(&proto.Ping{})
				case <-stop:
					return
				}
			}
		}()
		until[*proto.Taken](w.wire)
		close(stop)
		if _, err := anonymous(n).Get(t.Context(), "album", early.Entity); err != nil {
			t.Errorf("in the end: %v", err)
		}
		if x := n.Replications(); x[0].LastError != nil || x[0].Taken != 1 {
			t.Errorf("%+v", x)
		}
	})
}

// TestConcurrentRegistrations: models that two nodes registered before they heard of each
// other become one, the same on both; where they contradict each other, one of them counts on
// both, and it is reported.
func TestConcurrentRegistrations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 2)
		between := r.connect(1, 0)
		var mu sync.Mutex
		reported := make(map[string]int)
		for _, s := range r.sites {
			s.opts.Listener.Failed = func(op string, err error) {
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(err.Error(), "size") {
					reported[s.name]++
				}
			}
			r.down(s)
		}
		r.settle("at first")
		between.set(true)
		a, b := r.sites[0].node, r.sites[1].node
		register := func(n *core.Node, properties ...schema.Property) {
			t.Helper()
			if err := n.Register(t.Context(), &schema.Model{Collection: "track", Properties: properties}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		register(a, schema.Property{Name: "name", Type: schema.TypeString}, schema.Property{Name: "mood", Type: schema.TypeEnum, Enum: []string{"calm"}},
			schema.Property{Name: "size", Type: schema.TypeInt, Optional: true}, schema.Property{Name: "rank", Type: schema.TypeInt, Default: value.Int(1)})
		register(b, schema.Property{Name: "mood", Type: schema.TypeEnum, Enum: []string{"wild"}}, schema.Property{Name: "length", Type: schema.TypeInt, Optional: true},
			schema.Property{Name: "name", Type: schema.TypeString, Optional: true}, schema.Property{Name: "size", Type: schema.TypeString, Optional: true},
			schema.Property{Name: "rank", Type: schema.TypeInt, Default: value.Int(2)})
		register(a, schema.Property{Name: "rank", Type: schema.TypeInt, Default: value.Int(3)})
		r.settle("both have heard of it")
		for _, n := range []*core.Node{a, b} {
			m, _ := n.Model("track")
			size, _ := m.Property("size")
			mood, _ := m.Property("mood")
			name, _ := m.Property("name")
			rank, _ := m.Property("rank")
			if len(m.Properties) != 5 || size.Type != schema.TypeInt || len(mood.Enum) != 2 || !name.Optional || rank.Default != value.Int(3) {
				t.Errorf("%+v", m)
			}
		}
		mu.Lock()
		if reported["A"] != 1 || reported["B"] != 1 {
			t.Errorf("the contradiction was reported %v times", reported)
		}
		mu.Unlock()
		// What is registered later grows the one that there is.
		for i, n := range []*core.Node{b, a} {
			register(n, schema.Property{Name: "rank", Type: schema.TypeInt, Default: value.Int(int64(7 + i))})
			r.settle("again")
			for _, n := range []*core.Node{a, b} {
				m, _ := n.Model("track")
				if rank, _ := m.Property("rank"); rank.Default != value.Int(int64(7+i)) {
					t.Errorf("%+v", rank)
				}
			}
		}
	})
}

// TestClientsHearOfModelsThatCameByReplication: and may use them.
func TestClientsHearOfModelsThatCameByReplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 2)
		r.connect(1, 0)
		r.settle("at first")
		c := open(t, core.Options{})
		local.Connect(r.sites[1].node, c)
		waitLive(t, c)
		if err := r.sites[0].node.Register(t.Context(), pet); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the client knows the model", func() bool { _, ok := c.Model("pet"); return ok })
		add(t, c, "pet", "name", "Rex")
		delivered(t, c)
		r.settle("both have it")
	})
}

// TestJoiningASystem: a durable node without a system joins that of the first one that it
// dials; with another one it is told so, and both go on.
func TestJoiningASystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := durable(t, core.Options{})
		young := open(t, core.Options{Durable: true, Limits: quick})
		other := durable(t, core.Options{Limits: quick})
		local.Connect(a, young)
		if err := young.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		root, _ := a.System()
		if got, _ := young.System(); got != root {
			t.Errorf("it joined %s, not %s", got, root)
		}
		eventually(t, "it knows the models", func() bool { _, ok := young.Model("album"); return ok })
		if err := young.CreateSystem(t.Context()); core.KindOf(err) != core.KindConflict {
			t.Errorf("a second system: %v", err)
		}
		link := local.Connect(a, other)
		time.Sleep(5 * time.Second)
		x := other.Replications()
		if len(x) != 1 || core.KindOf(x[0].LastError) != core.KindSystemMismatch || x[0].Connected || a.Peers() != 1 {
			t.Errorf("%+v, %d peers", x, a.Peers())
		}
		link.Close()
		synctest.Wait()
		if x := other.Replications(); len(x) != 0 {
			t.Errorf("after the link was closed: %+v", x)
		}
		create(t, other, "its own", 1)
	})
}

// TestACopyIsNoReplica: a store does not replicate with a copy of itself.
func TestACopyIsNoReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 1)
		a := r.sites[0]
		r.down(a)
		copied := &site{name: "copy", disk: a.disk.Copy(), opts: a.opts}
		r.sites = append(r.sites, copied)
		r.up(a)
		r.up(copied)
		r.connect(1, 0)
		time.Sleep(5 * time.Second)
		if x := copied.node.Replications(); x[0].LastError == nil || x[0].Connected {
			t.Errorf("%+v", x)
		}
	})
}

// TestAReplicaThatWasSetBack: a durable node goes on from an older copy of its data. What it
// has lost comes back from the one that replicates with it, and what it then did differently
// goes there.
func TestAReplicaThatWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 2)
		r.connect(1, 0)
		a, b := r.sites[0], r.sites[1]
		for i := range 20 {
			create(t, a.node, fmt.Sprint("early ", i), 1)
		}
		r.settle("at first")
		r.down(a)
		backup := a.disk.Copy()
		r.up(a)
		for i := range 20 {
			create(t, a.node, fmt.Sprint("lost ", i), 1)
		}
		r.settle("the copy is old")
		r.down(a)
		a.disk = backup
		r.up(a)
		for i := range 50 { // its feed gets longer than the one that B has followed
			create(t, a.node, fmt.Sprint("otherwise ", i), 1)
		}
		taken := func() uint64 { return b.node.Replications()[0].Taken }
		before := taken()
		r.settle("what was lost has come back")
		if n := len(must(anonymous(a.node).Fetch(t.Context(), "album", selection(t, "")))); n != 90 {
			t.Errorf("%d albums", n)
		}
		if n := taken() - before; n != 50 {
			t.Errorf("%d transactions were new to the other", n)
		}
		if x := a.node.Replications(); x[0].Sent != 50 {
			t.Errorf("%d transactions were sent again, of which 50 were new", x[0].Sent)
		}
	})
}

// TestReplicationStatus: how far a peer lags is told, in both directions.
func TestReplicationStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 2)
		between := r.connect(1, 0)
		r.settle("at first")
		a, b := r.sites[0].node, r.sites[1].node
		between.set(true)
		synctest.Wait()
		for i := range 30 {
			create(t, a, fmt.Sprint(i), 1)
		}
		x := b.Replications()
		if len(x) != 1 || x[0].Connected || !x[0].Dialled || x[0].Peer != a.ID() || x[0].LastError == nil || x[0].Remote == "" {
			t.Errorf("while the line is cut: %+v", x)
		}
		if len(a.Replications()) != 0 {
			t.Errorf("nobody is connected: %+v", a.Replications())
		}
		r.settle("mended")
		synctest.Wait()
		x, y := b.Replications(), a.Replications()
		if len(x) != 1 || !x[0].Connected || x[0].Lag != 0 || x[0].Taken < 30 || x[0].LastError != nil {
			t.Errorf("%+v", x)
		}
		if len(y) != 1 || !y[0].Connected || y[0].Dialled || y[0].Behind != 0 || y[0].Sent < 30 || y[0].Peer != b.ID() {
			t.Errorf("%+v", y)
		}
	})
}

var _ connectors.Dialer = (*line)(nil)

// TestProgressNeverRunsAhead: what comes behind a transaction that could not be taken yet is
// asked for again, with it, when the connection has broken meanwhile or the node restarted.
func TestProgressNeverRunsAhead(t *testing.T) {
	r := newRegion(t, 1)
	s := r.sites[0]
	plain, served := raw(t, s.node)
	w := &durableWire{wire: plain, epoch: id.EpochID{ULID: id.New(nil)}}
	hello := w.hello()
	w.send(hello)
	if m := until[*proto.Follow](w.wire); len(m.After) != 0 {
		t.Fatalf("follows after %v at first", m.After)
	}
	first, second, behind := w.creation("album", with("name", "first")), w.creation("album", with("name", "second")), w.creation("album", with("name", "behind"))
	edit := w.edit(second, with("year", 1))
	w.send(&proto.Entries{List: []proto.Entry{w.entry(first), w.entry(edit), w.entry(behind)}})
	until[*proto.Lookup](w.wire)
	w.conn.Close("cut")
	<-served
	r.down(s)
	r.up(s)

	again, _ := raw(t, s.node)
	w.wire.conn = again.conn
	w.send(hello)
	m := until[*proto.Follow](w.wire)
	if len(m.After) != 1 || m.After[0][0] != (proto.Place{Epoch: w.epoch, Seq: 1}) {
		t.Fatalf("follows after %v", m.After)
	}
	w.seq = 1
	w.offer(w.entry(second, edit), w.entry(behind))
	for _, e := range []*proto.Event{first, second, behind} {
		if _, err := anonymous(s.node).Get(t.Context(), "album", e.Entity); err != nil {
			t.Error(err)
		}
	}

	// The peer is restarted, and goes on; it might be set back to before that.
	earlier := w.epoch
	w.epoch = id.EpochID{ULID: id.New(nil)}
	w.offer(w.entry(w.creation("album", with("name", "after a restart"))))
	again, _ = raw(t, s.node)
	w.wire.conn = again.conn
	w.send(hello)
	m = until[*proto.Follow](w.wire)
	if len(m.After) != 2 || m.After[0][0] != (proto.Place{Epoch: w.epoch, Seq: 4}) || m.After[1][0] != (proto.Place{Epoch: earlier, Seq: 3}) {
		t.Errorf("follows after %v", m.After)
	}
}

package core_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// subscribed subscribes to albums, and returns how that was answered.
func (w *wire) subscribed(sub uint64, text string) core.Kind {
	w.t.Helper()
	w.send(&proto.Subscribe{Sub: sub, Collection: "album", Text: text})
	for {
		switch m := w.receive().(type) {
		case *proto.Rows:
			if m.Sub == sub && m.Done {
				return core.KindNone
			}
		case *proto.Reply:
			if m.Request == sub {
				return core.Kind(m.Kind)
			}
		}
	}
}

// What a selection takes to evaluate is bounded, alone and over a connection; what is
// unsubscribed makes room.
func TestCostsOfSelections(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{SelectionCost: 10, SubscriptionCost: 25}})
	w, _ := greeted(t, server)
	terms := func(n int) string { return strings.Repeat("name = 'x' OR ", n-1) + "name = 'y'" }
	for sub, c := range []struct {
		text string
		kind core.Kind
	}{
		{terms(11), core.KindLimit},
		{terms(10), core.KindNone},
		{terms(10), core.KindNone},
		{"name LIKE '" + strings.Repeat("%a", 400) + "'", core.KindLimit},
		{terms(6), core.KindLimit}, // beside the others
		{terms(5), core.KindNone},
	} {
		if got := w.subscribed(uint64(sub), c.text); got != c.kind {
			t.Errorf("%d, %.30s…: %v, want %v", sub, c.text, got, c.kind)
		}
	}
	aggregate := func() core.Kind {
		w.send(&proto.Aggregate{Sub: 100, Collection: "album", Text: terms(9), Columns: []proto.AggregateColumn{{}}})
		for {
			switch m := w.receive().(type) {
			case *proto.Groups:
				return core.KindNone
			case *proto.Reply:
				return core.Kind(m.Kind)
			}
		}
	}
	if got := aggregate(); got != core.KindLimit {
		t.Errorf("an aggregate beside the others: %v", got)
	}
	w.send(&proto.Unsubscribe{Sub: 1})
	if got := aggregate(); got != core.KindNone {
		t.Errorf("an aggregate in the room of another subscription: %v", got)
	}
	if got := w.subscribed(101, terms(1)); got != core.KindLimit {
		t.Errorf("one term more: %v", got)
	}
	w.send(&proto.Unsubscribe{Sub: 100})
	if got := w.subscribed(102, terms(10)); got != core.KindNone {
		t.Errorf("in the room of the aggregate: %v", got)
	}
}

func TestHistoriesAreBounded(t *testing.T) {
	server := durable(t, core.Options{Limits: core.Limits{HistoryBytes: 10_000}})
	e := create(t, server, "a", 1)
	for range 3 {
		put(t, server, "album", e, "name", strings.Repeat("x", 3000))
	}
	if _, err := anonymous(server).History(t.Context(), "album", e, core.HistoryOptions{}); err != nil {
		t.Error(err)
	}
	put(t, server, "album", e, "name", strings.Repeat("y", 3000))
	if _, err := anonymous(server).History(t.Context(), "album", e, core.HistoryOptions{}); core.KindOf(err) != core.KindLimit {
		t.Errorf("a history that is too large: %v", err)
	}
}

// Who has much undecided waits; others, and what was sent already, do not.
func TestUndecidedTransactionsAreBounded(t *testing.T) {
	gate := make(chan struct{})
	var closed atomic.Bool
	engine := faulty.Wrap(memory.New(), func(c faulty.Call) faulty.Fault {
		if closed.Load() && c.Op == faulty.Commit {
			return faulty.Fault{Wait: gate}
		}
		return faulty.Fault{}
	})
	server := durable(t, core.Options{Engine: engine, Limits: core.Limits{UnacknowledgedBytes: 5000}})
	greedy, _ := greeted(t, server)
	other, _ := greeted(t, server)
	closed.Store(true)
	for range 2 {
		greedy.send(greedy.commit(greedy.creation("album", with("name", strings.Repeat("x", 3000)))))
	}
	greedy.send(&proto.Get{Request: 1, Collection: "album"})
	other.send(other.commit(other.creation("album", with("name", "x"))))
	other.send(&proto.Get{Request: 2, Collection: "album"})
	until[*proto.Rows](other)
	close(gate)
	for acks := 0; acks < 2; { // the second is taken only when the first is decided, and then the question
		switch m := greedy.receive().(type) {
		case *proto.Ack:
			acks++
		case *proto.Rows:
			if acks == 0 {
				t.Errorf("%+v before anything was decided", m)
			}
		}
	}
	other.ack()
}

// A debt is not forgotten when its connection ends, and does not grow without end.
func TestDebtsOutliveConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := &scripted{Agent: policy.Permissive(), authenticate: func(credentials string) (policy.Principal, error) {
			return policy.Principal{Name: credentials}, nil
		}}
		server := durable(t, core.Options{Policy: agent, Limits: core.Limits{Rate: 1000, Burst: 1000, PrincipalRate: 100, PrincipalBurst: 100}})
		connect := func(name string) *wire {
			w, _ := raw(t, server)
			w.signIn(name)
			return w
		}
		one := connect("matt")
		var events []*proto.Event
		for range 2000 {
			events = append(events, one.creation("album", fields("x", 1)))
		}
		one.send(one.commit(events...)) // far more than anybody may owe
		time.Sleep(time.Millisecond)
		one.conn.Close("")
		time.Sleep(time.Second)
		if took := connect("matt").pings(1); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("a debt of four bursts, of which one second is paid, takes %s", took)
		}
		if took := connect("chris").pings(100); took != 0 {
			t.Errorf("somebody else's burst took %s", took)
		}
		server.Close()
	})
}

// A node that drains answers what peers have sent, and they come again as soon as there is
// somebody to come to.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := memory.NewDisk()
		server := durable(t, core.Options{Engine: engine.Open()})
		var ends []string
		client := openAlbums(t, core.Options{Listener: core.Listener{Disconnected: func(_ id.NodeID, _ string, err error) { ends = append(ends, fmt.Sprint(err)) }}})
		to := &switchboard{}
		to.node.Store(server)
		client.Dial(local.NewDialer(to, local.Options{}), core.DialOptions{})
		settled()
		var receipts []*core.Receipt
		for i := range 100 {
			tx := anonymous(client).Begin()
			if _, err := tx.Create(t.Context(), "album", fields(fmt.Sprint(i), 1)); err != nil {
				t.Fatal(err)
			}
			receipts = append(receipts, commit(t, tx))
		}
		if err := server.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if server.Peers() != 0 {
			t.Errorf("%d peers are served", server.Peers())
		}
		server.Close()
		synctest.Wait()
		if len(ends) != 1 || !strings.Contains(ends[0], "going away") {
			t.Errorf("the client heard %q", ends)
		}
		next := open(t, core.Options{Engine: engine.Open(), Durable: true})
		to.node.Store(next)
		began := time.Now()
		for _, r := range receipts {
			if err := r.Synced(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the client came back after %s", took)
		}
		if rows, err := anonymous(next).Fetch(t.Context(), "album", selection(t, "")); err != nil || len(rows) != 100 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}

// A draining node takes no further peers.
func TestDrainRefusesNewPeers(t *testing.T) {
	server := durable(t, core.Options{})
	if err := server.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, served := raw(t, server)
	w.send(&proto.Hello{Node: w.node, Time: time.Now().UnixMicro()})
	if m := w.refused(served); m.Kind != uint64(core.KindClosed) {
		t.Errorf("%v: %s", core.Kind(m.Kind), m.Message)
	}
	if err := server.Probe(t.Context()); err != nil {
		t.Errorf("its storage is there: %v", err)
	}
	server.Close()
	if err := server.Probe(t.Context()); err == nil {
		t.Error("a closed node is there")
	}
}

// switchboard serves by whichever node is there now.
type switchboard struct{ node atomic.Pointer[core.Node] }

func (s *switchboard) Serve(ctx context.Context, conn connectors.Conn) error {
	return s.node.Load().Serve(ctx, conn)
}

// oneAudience is an agent for whom everybody sees the same.
type oneAudience struct{ *scripted }

func (oneAudience) Audience(policy.Principal) (string, bool) { return "", true }

// slow is a selection that takes long to hold a large row against.
var slow = strings.TrimSuffix(strings.Repeat("NOT name LIKE '%a_b%' AND ", 50), " AND ")

// slowed returns a node at which everybody may spend little and sees the same, and a peer that
// has asked for something.
func slowed(t *testing.T, ask proto.Frame) (*scripted, *core.Node, *wire) {
	t.Helper()
	agent := &scripted{Agent: policy.Permissive(), authenticate: func(credentials string) (policy.Principal, error) {
		return policy.Principal{Name: credentials}, nil
	}}
	limits := core.Limits{Rate: 1000, Burst: 1000, PrincipalRate: 1000, PrincipalBurst: 1000}
	server := durable(t, core.Options{Policy: oneAudience{agent}, Limits: limits})
	greedy, _ := raw(t, server)
	greedy.signIn("greedy")
	greedy.send(ask)
	greedy.answered()
	return agent, server, greedy
}

// Selections that keep the node busy with large rows are refused, whatever they are open for;
// others' go on.
func TestSlowSelectionsAreRefused(t *testing.T) {
	for name, ask := range map[string]proto.Frame{
		"rows":         &proto.Subscribe{Sub: 1, Collection: "album", Text: slow},
		"a window":     &proto.Subscribe{Sub: 1, Collection: "album", Text: slow + " ORDER BY year LIMIT 2"},
		"an aggregate": &proto.Aggregate{Sub: 1, Collection: "album", Text: slow, Columns: []proto.AggregateColumn{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, server, greedy := slowed(t, ask)
			other, _ := raw(t, server)
			other.signIn("other")
			if got := other.subscribed(1, "year >= 0"); got != core.KindNone {
				t.Fatal(got)
			}
			create(t, server, "small", 1)
			large := create(t, server, strings.Repeat("a", 300_000), 2)
			if m := until[*proto.Reply](greedy); m.Request != 1 || core.Kind(m.Kind) != core.KindLimit {
				t.Errorf("%+v", m)
			}
			for until[*proto.Update](other).Changes[0].Entity != large {
			}
		})
	}
}

// Who opens a slow selection just when those who had it open are refused is told of changes, or
// refused too: there is no window, and no aggregate, left over that nobody tells of them.
func TestWhoComesAfterSlowSelections(t *testing.T) {
	for name, ask := range map[string]proto.Frame{
		"a window":     &proto.Subscribe{Sub: 1, Collection: "album", Text: slow + " ORDER BY year LIMIT 2"},
		"an aggregate": &proto.Aggregate{Sub: 1, Collection: "album", Text: slow, Columns: []proto.AggregateColumn{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			agent, server, greedy := slowed(t, ask)
			var late []*wire
			for i := range 6 {
				w, _ := raw(t, server)
				w.signIn(fmt.Sprint("late ", i))
				late = append(late, w)
			}
			// They ask while the change is told of to somebody who is told first: what they ask for
			// waits with the refusal to come, and is begun before it or after.
			watching, _ := raw(t, server)
			watching.signIn("watching")
			watching.subscribed(1, "year = 2")
			var asked sync.Once
			agent.set(func() {
				agent.read = func(p policy.Principal, _ string, _ policy.Fields) error {
					if p.Name == "watching" {
						asked.Do(func() {
							for _, w := range late {
								w.send(ask)
							}
							for range 10_000 {
								runtime.Gosched()
							}
						})
					}
					return nil
				}
			})
			create(t, server, strings.Repeat("a", 300_000), 2)
			until[*proto.Reply](greedy)
			var open []*wire
			for _, w := range late {
				if w.answered() {
					open = append(open, w)
				}
			}
			create(t, server, "later", 1)
			for _, w := range open {
				for told := false; !told; { // it ends when it is told, or refused, and not else
					switch w.receive().(type) {
					case *proto.Update, *proto.Groups, *proto.Reply:
						told = true
					}
				}
			}
		})
	}
}

// answered waits for the answer to what was asked first, and reports whether it was given.
func (w *wire) answered() bool {
	w.t.Helper()
	for {
		switch m := w.receive().(type) {
		case *proto.Rows:
			if m.Done {
				return true
			}
		case *proto.Groups:
			if m.Done {
				return true
			}
		case *proto.Reply:
			return false
		}
	}
}

package core_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// large creates albums with names of so many bytes.
func large(t *testing.T, n *core.Node, count, size int) (list []id.EntityID) {
	t.Helper()
	for i := range count {
		list = append(list, create(t, n, fmt.Sprint(i, strings.Repeat("x", size)), int64(i)))
	}
	return list
}

// holds fails where what a node keeps for its peers is not as wanted, once nothing is under way.
func holds(t *testing.T, n *core.Node, want func(bytes int64) bool) {
	t.Helper()
	synctest.Wait()
	if held := n.Held(); !want(held) {
		t.Errorf("%d bytes are held", held)
	}
}

func nothing(bytes int64) bool   { return bytes == 0 }
func something(bytes int64) bool { return bytes > 0 }

// What the windows of one peer take is bounded, alone and together; what it leaves makes room, and
// nobody else's is less.
func TestWindowsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{HeldBytes: 100_000}})
		defer server.Close()
		large(t, server, 100, 1000)
		greedy, served := greeted(t, server)
		for sub, c := range []struct {
			text string
			kind core.Kind
		}{
			{"ORDER BY name LIMIT 100", core.KindLimit},
			{"ORDER BY name LIMIT 3", core.KindNone},
			{"ORDER BY name DESC LIMIT 3", core.KindNone},
			{"ORDER BY year, name LIMIT 4", core.KindLimit}, // beside the others
			{"year < 20", core.KindNone},                    // without a limit nothing is kept
		} {
			if got := greedy.subscribed(uint64(sub), c.text); got != c.kind {
				t.Errorf("%s: %v, want %v", c.text, got, c.kind)
			}
		}
		other, otherServed := greeted(t, server)
		if got := other.subscribed(1, "ORDER BY name LIMIT 4"); got != core.KindNone {
			t.Errorf("somebody else's: %v", got)
		}
		greedy.send(&proto.Unsubscribe{Sub: 1})
		if got := greedy.subscribed(10, "ORDER BY year, name LIMIT 4"); got != core.KindNone {
			t.Errorf("in the room of another window: %v", got)
		}
		holds(t, server, something)
		greedy.conn.Close("")
		other.conn.Close("")
		<-served
		<-otherServed
		holds(t, server, nothing)
	})
}

// A window whose rows become too large is refused, and the connection goes on.
func TestWindowsThatGrowAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{HeldBytes: 4 << 20}})
		defer server.Close()
		rows := large(t, server, 3, 10)
		w, _ := greeted(t, server)
		if got := w.subscribed(1, "ORDER BY name LIMIT 3"); got != core.KindNone {
			t.Fatal(got)
		}
		for i := range 6 {
			put(t, server, "album", rows[i%3], "name", fmt.Sprint(i, strings.Repeat("y", 900<<10)))
		}
		if m := until[*proto.Reply](w); m.Request != 1 || core.Kind(m.Kind) != core.KindLimit {
			t.Errorf("%+v", m)
		}
		holds(t, server, nothing)
		if got := w.subscribed(2, "ORDER BY name LIMIT 1"); got != core.KindLimit {
			t.Errorf("rows and their keys: %v", got)
		}
		if got := w.subscribed(3, "ORDER BY year LIMIT 1"); got != core.KindNone {
			t.Errorf("rows: %v", got)
		}
	})
}

// Where too much is kept in all, who wants little gets it, and the others are asked to come
// again.
func TestCrowdedNodesKeepLittleForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{HeldTotal: 1}})
		defer server.Close()
		large(t, server, 100, 20_000)
		w, _ := greeted(t, server)
		if got := w.subscribed(1, "ORDER BY name LIMIT 100"); got != core.KindDeadline {
			t.Errorf("much: %v", got)
		}
		if got := w.subscribed(2, "ORDER BY year LIMIT 3"); got != core.KindNone {
			t.Errorf("little: %v", got)
		}
	})
}

// What several ask for is made once, counts for each of them, and is refused to those for whom
// it is too much.
func TestSharedWindowsCountForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{HeldBytes: 100_000}})
		defer server.Close()
		large(t, server, 100, 1000)
		a, _ := greeted(t, server)
		b, _ := greeted(t, server)
		if got := a.subscribed(1, "ORDER BY name LIMIT 3"); got != core.KindNone {
			t.Fatal(got)
		}
		synctest.Wait()
		one := server.Held()
		if got := b.subscribed(1, "ORDER BY year LIMIT 4"); got != core.KindNone {
			t.Fatal(got)
		}
		synctest.Wait()
		both := server.Held()
		if got := b.subscribed(2, "ORDER BY name LIMIT 3"); got != core.KindNone {
			t.Fatal(got)
		}
		holds(t, server, func(bytes int64) bool { return bytes == both+one })
		a.send(&proto.Unsubscribe{Sub: 1})
		holds(t, server, func(bytes int64) bool { return bytes == both })
		if got := b.subscribed(3, "ORDER BY name DESC LIMIT 9"); got != core.KindLimit {
			t.Errorf("more than it may have: %v", got)
		}
		b.send(&proto.Unsubscribe{Sub: 2})
		holds(t, server, func(bytes int64) bool { return bytes == both-one })
	})
}

// scanGate is an engine whose scans of albums wait, once that is asked for, and are counted.
type scanGate struct {
	storage.Engine
	on    atomic.Bool
	scans atomic.Int64
	open  chan struct{}
}

func withScanGate() *scanGate {
	g := &scanGate{open: make(chan struct{})}
	g.Engine = faulty.Wrap(memory.New(), func(c faulty.Call) faulty.Fault {
		if c.Op != faulty.Scan || !g.on.Load() {
			return faulty.Fault{}
		}
		g.scans.Add(1)
		return faulty.Fault{Wait: g.open}
	})
	return g
}

// A window that nobody waits for any more is not read to its end.
func TestUnwantedWindowsAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := withScanGate()
		server := durable(t, core.Options{Engine: engine})
		defer server.Close()
		large(t, server, 200, 10)
		engine.on.Store(true)
		w, _ := greeted(t, server)
		for sub := range uint64(3) {
			w.send(&proto.Subscribe{Sub: sub, Collection: "album", Text: "ORDER BY name LIMIT 150"})
		}
		synctest.Wait()
		for sub := range uint64(3) {
			w.send(&proto.Unsubscribe{Sub: sub})
		}
		synctest.Wait()
		close(engine.open)
		holds(t, server, nothing)
		if n := engine.scans.Load(); n != 1 {
			t.Errorf("%d pages were read", n)
		}
	})
}

// What changes while a window is read waits in bounded memory.
func TestWindowsThatComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := withScanGate()
		server := durable(t, core.Options{Engine: engine, Limits: core.Limits{HeldBytes: 40_000}})
		defer server.Close()
		rows := large(t, server, 2, 10)
		engine.on.Store(true)
		w, _ := greeted(t, server)
		w.send(&proto.Subscribe{Sub: 1, Collection: "album", Text: "ORDER BY name LIMIT 5"})
		synctest.Wait()
		for range 100 { // the same rows again and again are not too many
			put(t, server, "album", rows[0], "name", strings.Repeat("y", 1000))
		}
		synctest.Wait()
		large(t, server, 5, 1000)
		synctest.Wait()
		large(t, server, 100, 1000)
		if m := until[*proto.Reply](w); m.Request != 1 || core.Kind(m.Kind) != core.KindDeadline {
			t.Errorf("%+v", m)
		}
		close(engine.open)
		if got := w.subscribed(2, "ORDER BY year LIMIT 2"); got != core.KindNone {
			t.Errorf("afterwards: %v", got)
		}
	})
}

// A peer that does not take its answer while very many rows change is disconnected.
func TestRowsThatChangeDuringAnAnswerAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := withScanGate()
		server := durable(t, core.Options{Engine: engine, Limits: core.Limits{Backlog: 5}})
		defer server.Close()
		w, served := greeted(t, server)
		if got := w.subscribed(1, "year >= 0"); got != core.KindNone {
			t.Fatal(got)
		}
		engine.on.Store(true)
		w.send(&proto.Subscribe{Sub: 2, Collection: "album", Text: "year > 100"})
		synctest.Wait()
		large(t, server, 20, 10)
		synctest.Wait()
		select {
		case err := <-served:
			t.Fatalf("after 20 rows: %v", err)
		default:
		}
		large(t, server, 1, 10)
		w.refused(served)
	})
}

// groupsOf asks for albums in groups, and returns how that was answered.
func (w *wire) groupsOf(sub uint64, property string) core.Kind {
	w.t.Helper()
	w.send(&proto.Aggregate{Sub: sub, Collection: "album", GroupBy: [][]string{{property}}, Columns: []proto.AggregateColumn{{}}})
	for {
		switch m := w.receive().(type) {
		case *proto.Groups:
			if m.Sub == sub && m.Done {
				return core.KindNone
			}
		case *proto.Reply:
			return core.Kind(m.Kind)
		}
	}
}

func TestAggregatesTakeBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{HeldBytes: 40_000}})
		defer server.Close()
		large(t, server, 10, 1000)
		greedy, served := greeted(t, server)
		if got := greedy.groupsOf(1, "name"); got != core.KindLimit {
			t.Errorf("groups of long names: %v", got)
		}
		holds(t, server, nothing)
		if got := greedy.groupsOf(2, "year"); got != core.KindNone {
			t.Errorf("groups of years: %v", got)
		}
		holds(t, server, something)
		large(t, server, 100, 1) // ninety further years
		if m := until[*proto.Reply](greedy); m.Request != 2 || core.Kind(m.Kind) != core.KindLimit {
			t.Errorf("as they became more: %+v", m)
		}
		greedy.conn.Close("")
		<-served
		holds(t, server, nothing)
	})
}

func TestHistoriesTakeBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{Limits: core.Limits{HeldBytes: 10_000}})
		defer server.Close()
		e := large(t, server, 1, 1000)[0]
		w, _ := greeted(t, server)
		history := func() core.Kind {
			w.send(&proto.History{Request: 7, Collection: "album", Entity: e})
			for {
				switch m := w.receive().(type) {
				case *proto.Revisions:
					return core.KindNone
				case *proto.Reply:
					return core.Kind(m.Kind)
				}
			}
		}
		if got := history(); got != core.KindNone {
			t.Errorf("a short one: %v", got)
		}
		for i := range 10 {
			put(t, server, "album", e, "name", fmt.Sprint(i, strings.Repeat("z", 1000)))
		}
		if got := history(); got != core.KindLimit {
			t.Errorf("a long one: %v", got)
		}
		holds(t, server, nothing)
		if _, err := anonymous(server).History(t.Context(), "album", e, core.HistoryOptions{}); err != nil {
			t.Errorf("for nobody else: %v", err)
		}
	})
}

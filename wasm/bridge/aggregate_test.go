package bridge_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// table is an aggregate as a page has it.
type table struct {
	groups map[string][]value.Value
	status frame.QueryStatus
	err    *frame.Error
	runs   int // how many times it was told something
}

// table folds what the page was told of an aggregate; the caller holds mu.
func (p *page) table(query uint64) table {
	t := table{groups: map[string][]value.Value{}}
	var parts []frame.Group
	reset := false
	for _, m := range p.log {
		g, ok := m.(*frame.Groups)
		if !ok || g.Query != query {
			continue
		}
		reset = reset || g.Reset
		if parts = append(parts, g.Groups...); g.More {
			continue
		}
		if reset {
			clear(t.groups)
		}
		for _, x := range parts {
			if x.Values == nil {
				delete(t.groups, x.ID)
			} else {
				t.groups[x.ID] = x.Values
			}
		}
		parts, reset = nil, false
		t.status, t.err = g.Status, g.Err
		t.runs++
	}
	return t
}

// text writes the groups in order.
func (t table) text() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.groups)) {
		list = append(list, fmt.Sprint(t.groups[name]))
	}
	return strings.Join(list, " ")
}

func (p *page) tableNow(query uint64) table {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.table(query)
}

func (p *page) tells(query uint64, status frame.QueryStatus, want string) {
	p.t.Helper()
	p.until(want, func() bool { t := p.table(query); return t.status == status && t.text() == want })
}

// Functions as they are on the wire.
const (
	count = iota
	sum
	least
	most
	mean
)

var byYear = &frame.Aggregate{Query: 7, Collection: "album", Text: "year > 0", GroupBy: []string{"year"}, Columns: []frame.AggregateColumn{
	{Function: count}, {Function: most, Path: "name"}, {Function: count, Path: "name", Distinct: true}, {Function: sum, Path: "plays"}, {Function: mean, Path: "plays"},
}}

func TestAggregatesReachThePage(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	a, b := w.join(), w.join()
	a.send(byYear, &frame.Aggregate{Query: 8, Collection: "album", Columns: []frame.AggregateColumn{{}}})
	a.tells(7, frame.QueryLive, "")
	a.tells(8, frame.QueryLive, "[0]")
	ids := b.commitAlbums(1, albumRow("a", 1), albumRow("b", 1), albumRow("c", 2), albumRow("d", -1))
	a.tells(7, frame.QueryLive, `[1 2 "b" 2 14 7] [2 1 "c" 1 7 7]`)
	a.tells(8, frame.QueryLive, "[4]")
	b.ask(&frame.Mark{Tx: 2, Collection: "album", Entity: ids[2], Deleted: true},
		&frame.Edit{Tx: 2, Collection: "album", Entity: ids[1], Columns: []string{"plays"}, Values: []value.Value{value.Int(8)}}, &frame.Commit{Request: b.next(), Tx: 2})
	a.tells(7, frame.QueryLive, `[1 2 "b" 2 15 7.5]`)
	a.tells(8, frame.QueryLive, "[3]")
	a.send(&frame.Unsubscribe{Query: 7})
	a.ask(&frame.Locate{Request: a.next(), Collection: "album"}) // after that, so b's commit is as well
	b.commitAlbums(3, albumRow("e", 3))
	a.tells(8, frame.QueryLive, "[4]")
	if got := a.tableNow(7).text(); got != `[1 2 "b" 2 15 7.5]` {
		t.Errorf("an aggregate that was closed changes to %s", got)
	}
}

// Law L3: what a commit counts for is told before the commit is answered.
func TestCountsLeaveBeforeTheCommitsAnswer(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	p := w.join()
	p.send(&frame.Aggregate{Query: 8, Collection: "album", Columns: []frame.AggregateColumn{{}}})
	p.tells(8, frame.QueryLive, "[0]")
	for i := range 30 {
		p.commitAlbums(uint64(i+1), albumRow("x", 2000))
		if got, want := p.tableNow(8).text(), fmt.Sprintf("[%d]", i+1); got != want {
			t.Fatalf("commit %d is answered, and the count is %s", i, got)
		}
	}
}

func TestAggregatesThatAreWrongFailInWords(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{Queries: 3})
	p := w.join()
	for query, c := range []struct {
		m    *frame.Aggregate
		code string
		says string
	}{
		{&frame.Aggregate{Collection: "album", Text: "yeer > 1", Columns: []frame.AggregateColumn{{}}}, "selection", "a property of album"},
		{&frame.Aggregate{Collection: "album", Columns: []frame.AggregateColumn{{Function: sum, Path: "name"}}}, "selection", "a number"},
		{&frame.Aggregate{Collection: "album", Columns: []frame.AggregateColumn{{Function: 77, Path: "name"}}}, "selection", "COUNT"},
		{&frame.Aggregate{Collection: "album"}, "selection", "an aggregate"},
		{&frame.Aggregate{Collection: "album", Text: "LIMIT 3", Columns: []frame.AggregateColumn{{}}}, "selection", "LIMIT"},
		{&frame.Aggregate{Collection: "nothing", Columns: []frame.AggregateColumn{{}}}, "schema", "nothing"},
	} {
		c.m.Query = uint64(query)
		p.send(c.m)
		p.until("an answer", func() bool { return p.table(c.m.Query).runs > 0 })
		if got := p.tableNow(c.m.Query); got.status != frame.QueryError || got.err == nil || got.err.Code != c.code || !strings.Contains(got.err.Message, c.says) {
			t.Errorf("%+v is answered with status %d, %+v", c.m, got.status, got.err)
		}
	}
	for query := range uint64(4) {
		p.send(&frame.Aggregate{Query: 20 + query, Collection: "album", Columns: []frame.AggregateColumn{{}}})
	}
	p.until("a refusal", func() bool { return p.table(23).err != nil })
	if got := p.tableNow(23).err.Code; got != "limit" {
		t.Errorf("a fourth of three queries fails with %s", got)
	}
}

func TestClosingReleasesAggregates(t *testing.T) {
	w := newWorld(t, nil, bridge.Limits{})
	stays, p := w.join(), w.join()
	for query := range uint64(5) {
		p.send(&frame.Aggregate{Query: query, Collection: "album", Columns: []frame.AggregateColumn{{Function: count}, {Function: sum, Path: "plays"}}})
	}
	p.tells(4, frame.QueryLive, "[0 NULL]")
	if n := w.server.Watches(); n != 1 {
		t.Errorf("five equal aggregates cost the server %d watches", n)
	}
	p.session.Close()
	eventually(t, "nothing is watched", func() bool { return w.server.Watches() == 0 && w.node().Watches() == 0 })
	stays.commitAlbums(1, albumRow("a", 1))
}

// What a page has is what a fresh read of the rows gives, whatever the page's pace.
func TestAggregatesEqualRecomputedAtAnyPace(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	w := newWorld(t, nil, bridge.Limits{Window: 2000, PartBytes: 60, PartRows: 3})
	pages := []*page{w.join(), w.join()}
	for _, p := range pages {
		p.send(byYear)
	}
	var known []id.EntityID
	for step := range 120 {
		if random.IntN(4) == 0 {
			pages[0].hold()
		} else {
			pages[0].release()
		}
		known = randomTransaction(random, pages[1], uint64(step+1), known)
	}
	pages[0].release()
	want := recount(pages[1].fetch("year > 0"))
	for _, p := range pages {
		p.tells(7, frame.QueryLive, want)
	}
}

// recount is byYear over rows.
func recount(rows []row) string {
	groups := map[int64][]row{}
	for _, r := range rows {
		year, _ := r.values[1].AsInt()
		groups[year] = append(groups[year], r)
	}
	var list []string
	for _, year := range slices.Sorted(maps.Keys(groups)) {
		list = append(list, func() string {
			last, names, plays := "", map[string]bool{}, int64(0)
			for _, r := range groups[year] {
				name, _ := r.values[0].AsString()
				n, _ := r.values[2].AsInt()
				last, names[name], plays = max(last, name), true, plays+n
			}
			n := len(groups[year])
			return fmt.Sprintf("[%d %d %q %d %d %v]", year, n, last, len(names), plays, float64(plays)/float64(n))
		}())
	}
	return strings.Join(list, " ")
}

package core_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
)

// pane is a live query with a window, and where its anchor ought to be.
type pane struct {
	followed
	window core.Window
	anchor []byte // its sort key; nil at the start and at the end
}

// random returns a window over the rows of a world, and the key of its anchor. Anchors that
// are looked up are of what the world has.
func (p *pane) random(g *ankqltest.Gen, w *ankqltest.World) (core.Window, []byte) {
	sizes := []int{0, 1, 2, 3, 5, 8, 30}
	win := core.Window{Before: ankqltest.Pick(g, sizes...), After: ankqltest.Pick(g, sizes...)}
	key := func(r *ankqltest.Row) []byte { return p.sel.AppendSortKeyWith(nil, r, r.ID, w) }
	live := w.Live(p.collection)
	switch n := g.IntN(10); {
	case n < 2:
		return win, nil
	case n < 4:
		win.Anchor = core.AtEnd
	case n < 6 || len(live) == 0: // a row that is perhaps not there
		r := g.Row(p.collection, ankqltest.ID(g.IntN(20)))
		win.Anchor = core.AtCursor(p.sel.Cursor(r, r.ID, w))
		return win, key(r)
	case n < 8:
		r := ankqltest.Pick(g, live...)
		win.Anchor = core.AtEntity(r.ID)
		return win, key(r)
	default:
		index := g.IntN(12)
		win.Anchor = core.AtIndex(index)
		if all := w.Fetch(p.collection, p.sel); len(all) > 0 {
			return win, key(all[min(index, len(all)-1)])
		}
	}
	return win, nil
}

// problem returns what is wrong with what the pane shows of a world.
func (p *pane) problem(w *ankqltest.World) string {
	_, bad := p.tell()
	if bad != "" {
		return bad
	}
	all := w.Fetch(p.collection, p.sel)
	at := slices.IndexFunc(all, func(r *ankqltest.Row) bool {
		return bytes.Compare(p.sel.AppendSortKeyWith(nil, r, r.ID, w), p.anchor) >= 0
	})
	switch {
	case p.window.Anchor == core.AtEnd || at < 0:
		at = len(all)
	case p.anchor == nil:
		at = 0
	}
	low, high := max(0, at-p.window.Before), min(len(all), at+p.window.After)
	want := all[low:high]
	if problem := differ(w, "shows", p.q.Rows(), want); problem != "" {
		return problem
	}
	if problem := differ(w, "tells of", p.shown(), want); problem != "" {
		return problem
	}
	state := p.q.State()
	exact := p.window.Before+p.window.After > 0 // an empty window is not asked
	if state.Anchor != at-low || exact && (state.HasBefore != (low > 0) || state.HasAfter != (high < len(all))) {
		return fmt.Sprintf("state %d %v %v, want %d %v %v", state.Anchor, state.HasBefore, state.HasAfter, at-low, low > 0, high < len(all))
	}
	if len(want) > 0 {
		first, last := want[0], want[len(want)-1]
		if state.First != p.sel.Cursor(first, first.ID, w) || state.Last != p.sel.Cursor(last, last.ID, w) {
			return "the cursors are not those of the first row and the last"
		}
	}
	return ""
}

// panes is the windows of a node.
type panes struct {
	*story
	node *core.Node
	open []*pane
}

func (s *panes) watch(w *ankqltest.World) {
	s.t.Helper()
	p := &pane{}
	p.collection = ankqltest.Pick(s.g, w.Models.Collections()...)
	p.sel = s.g.Selection(p.collection)
	p.window, p.anchor = p.random(s.g, w)
	q, err := anonymous(s.node).QueryWindow(p.collection, p.sel, p.window)
	if err != nil {
		s.t.Fatalf("%s over %s: %v", p.sel, p.collection, err)
	}
	p.q = q
	s.t.Cleanup(q.Close)
	q.Subscribe(p.follow)
	s.open = append(s.open, p)
}

// browse moves a window, or opens another one, or changes what it shows altogether.
func (s *panes) browse(w *ankqltest.World) {
	s.t.Helper()
	p := ankqltest.Pick(s.g, s.open...)
	var err error
	switch n := s.g.IntN(8); {
	case n == 0:
		s.watch(w)
		return
	case n == 1:
		p.sel = s.g.Selection(p.collection)
		p.window, p.anchor = p.random(s.g, w)
		var done <-chan error
		if done, err = p.q.Turn(p.sel, &p.window); err == nil {
			err = <-done
		}
	case n < 4: // to a row that is shown, as a list that is scrolled does
		rows := p.q.Rows()
		if len(rows) == 0 {
			return
		}
		r := w.Row(rows[s.g.IntN(len(rows))].ID())
		p.window.Anchor = core.AtCursor(p.sel.Cursor(r, r.ID, w))
		p.anchor = p.sel.AppendSortKeyWith(nil, r, r.ID, w)
		p.window.Before += s.g.IntN(3)
		err = p.q.Move(s.t.Context(), p.window)
	default:
		p.window, p.anchor = p.random(s.g, w)
		err = p.q.Move(s.t.Context(), p.window)
	}
	if err != nil {
		s.t.Fatalf("%s over %s, window %v: %v", p.sel, p.collection, p.window, err)
	}
}

func (s *panes) check(w *ankqltest.World, status core.QueryStatus) {
	s.t.Helper()
	for _, p := range s.open {
		problem := p.problem(w)
		if problem == "" && p.q.Status() != status {
			problem = fmt.Sprintf("status %v, want %v", p.q.Status(), status)
		}
		if problem != "" {
			s.t.Fatalf("%s over %s, window %v (%v, %v): %s\nafter\n%s", p.sel, p.collection, p.window, p.q.Status(), p.q.Err(), problem, strings.Join(s.last, "\n"))
		}
	}
}

// TestWindowsEqualRecomputed is TestLiveEqualsRecomputed for windows: at once when a commit or a
// move returns, each shows what a fresh look shows, its anchor is where it was put, and its
// change sets lead there.
func TestWindowsEqualRecomputed(t *testing.T) { // 205, 224, 230 to 240, 243
	for _, kind := range []string{"durable", "ephemeral"} {
		t.Run(kind, func(t *testing.T) {
			ankqltest.Each(t, 14, func(t *testing.T, g *ankqltest.Gen) {
				synctest.Test(t, func(t *testing.T) { windowsAlone(t, g, kind == "durable") })
			})
		})
	}
}

func windowsAlone(t *testing.T, g *ankqltest.Gen, isDurable bool) {
	g.NoLimit, g.References = true, g.IntN(2) == 0
	g.Full = ankqltest.Pick(g, 12, 60)
	n := open(t, core.Options{Durable: isDurable})
	status := core.QueryLocal
	if isDurable {
		status = core.QueryLive
		if err := n.CreateSystem(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	registerAll(t, n, g.World)
	s := &panes{story: &story{t: t, g: g}, node: n}
	for range g.IntN(20) {
		s.change(n)
	}
	for range 6 {
		s.watch(g.World)
	}
	synctest.Wait()
	s.check(g.World, status)
	for range 40 {
		s.change(n)
		s.check(g.World, status)
		s.browse(g.World)
		synctest.Wait()
		s.check(g.World, status)
	}
}

// TestPeersWindowsEqualRecomputed is TestPeersEqualRecomputed for windows: a peer that holds
// but what its windows show is right whenever nothing is on its way, also after it has been
// offline and moved meanwhile.
func TestPeersWindowsEqualRecomputed(t *testing.T) {
	ankqltest.Each(t, 14, func(t *testing.T, g *ankqltest.Gen) {
		synctest.Test(t, func(t *testing.T) { windowsOfPeers(t, g) })
	})
}

func windowsOfPeers(t *testing.T, g *ankqltest.Gen) {
	g.NoLimit, g.References = true, g.IntN(2) == 0
	g.Full = ankqltest.Pick(g, 12, 60)
	server := open(t, core.Options{Durable: true, Policy: choosy{policy.Permissive()}})
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	registerAll(t, server, g.World)
	s := &peerStory{story: &story{t: t, g: g}, server: server, dead: map[id.EntityID]string{}}
	n := open(t, core.Options{})
	registerAll(t, n, g.World)
	p := &peerOf{story: s.story, node: n, link: local.Connect(server, n)}
	s.peers = append(s.peers, p)
	s.settle()
	for range g.Full {
		s.write(server)
	}
	w := &panes{story: s.story, node: n}
	check := func() {
		s.settle()
		from, status := server, core.QueryLive
		if p.link == nil {
			from, status = n, core.QueryLocal
		}
		s.world(from)
		w.check(g.World, status)
	}
	for range 5 {
		s.world(server)
		w.watch(g.World)
		s.settle()
	}
	check()
	for range 50 {
		switch g.IntN(10) {
		case 0:
			if p.link != nil {
				p.link.Close()
				p.link = nil
			}
		case 1, 2:
			s.online(p)
		case 3, 4, 5:
			check() // a window is moved among what is shown
			w.browse(g.World)
			s.settle() // an anchor is looked up before anything else happens
		case 6, 7:
			s.write(n)
		default:
			s.write(server)
		}
		if g.IntN(3) > 0 {
			check()
		}
	}
	s.online(p)
	check()
}

// Pages that go on from each other's cursors hold every row once, in order, forward and back,
// on a durable node and through one that follows it; what stays is met once while other rows
// come and go.
func TestPagesEqualRecomputed(t *testing.T) { // 198, 199, 205
	ankqltest.Each(t, 15, func(t *testing.T, g *ankqltest.Gen) {
		synctest.Test(t, func(t *testing.T) {
			g.NoLimit = true
			server := open(t, core.Options{Durable: true})
			if err := server.CreateSystem(t.Context()); err != nil {
				t.Fatal(err)
			}
			registerAll(t, server, g.World)
			s := &story{t: t, g: g}
			g.Full = 40
			for range 50 {
				s.change(server)
			}
			n := open(t, core.Options{})
			registerAll(t, n, g.World)
			local.Connect(server, n)
			synctest.Wait()
			for _, node := range []*core.Node{server, n} {
				collection := ankqltest.Pick(g, g.World.Models.Collections()...)
				sel := *g.Selection(collection)
				want := g.World.Fetch(collection, &sel)
				sel.Limit = 1 + g.IntN(7)
				pagesMeet(t, node, collection, &sel, g.World, want)
			}
		})
	})
}

func pagesMeet(t *testing.T, n *core.Node, collection string, sel *ankql.Selection, w *ankqltest.World, want []*ankqltest.Row) {
	t.Helper()
	fetch := func(at core.PageAt) *core.Page {
		p, err := anonymous(n).FetchPage(t.Context(), collection, sel, at)
		if err != nil {
			t.Fatalf("%s: %v", sel, err)
		}
		if len(p.Views) > sel.Limit {
			t.Fatalf("%s: a page of %d", sel, len(p.Views))
		}
		return p
	}
	var met []*core.View
	p := fetch(core.PageAt{})
	if !p.Previous.IsZero() {
		t.Errorf("%s: there is something before the first page", sel)
	}
	for {
		met = append(met, p.Views...)
		if p.Next.IsZero() {
			break
		}
		p = fetch(core.PageAt{After: p.Next})
	}
	if problem := differ(w, "pages hold", met, want); problem != "" {
		t.Fatalf("%s over %s: %s", sel, collection, problem)
	}
	met = slices.Clone(p.Views)
	for !p.Previous.IsZero() {
		p = fetch(core.PageAt{Before: p.Previous})
		met = append(slices.Clone(p.Views), met...)
	}
	if problem := differ(w, "pages back hold", met, want); problem != "" {
		t.Fatalf("%s over %s: %s", sel, collection, problem)
	}
}

// Locate finds the row of every index, and the last one behind them, wherever it is asked.
func TestLocate(t *testing.T) {
	server := durable(t, core.Options{})
	years(t, server, 2001, 2030)
	n := connected(t, server, core.Options{})
	offline := openAlbums(t, core.Options{})
	sel := selection(t, "year > 2010 ORDER BY year DESC")
	for _, at := range []struct{ index, year, found int }{{0, 2030, 0}, {7, 2023, 7}, {19, 2011, 19}, {20, 2011, 19}, {1 << 40, 2011, 19}, {-3, 2030, 0}} {
		for _, node := range []*core.Node{server, n} {
			cursor, found, err := anonymous(node).Locate(t.Context(), "album", sel, at.index)
			if err != nil || found != at.found {
				t.Fatalf("index %d is at %d, want %d: %v", at.index, found, at.found, err)
			}
			one := *sel
			one.Limit = 1
			model, _ := node.Model("album")
			from := must(must(one.Check(model)).From(cursor))
			rows, err := anonymous(node).Fetch(t.Context(), "album", from)
			if err != nil || len(rows) != 1 || text(rows[0], "year") != fmt.Sprint(at.year) {
				t.Errorf("index %d: %v, want %d", at.index, rows, at.year)
			}
		}
	}
	for _, node := range []*core.Node{server, n, offline} {
		if cursor, _, err := anonymous(node).Locate(t.Context(), "album", selection(t, "year < 0"), 3); err != nil || !cursor.IsZero() {
			t.Errorf("without rows: %v, %v", cursor, err)
		}
	}
	if _, _, err := anonymous(n).Locate(t.Context(), "album", selection(t, "yaer < 0"), 3); core.KindOf(err) != core.KindSelection {
		t.Errorf("a selection that is none: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := anonymous(n).Locate(ctx, "album", sel, 3); core.KindOf(err) != core.KindDeadline {
		t.Errorf("given up: %v", err)
	}
}

package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
)

// Equal queries are one result: one watch, one subscription upstream. Whoever comes late has
// the rows at once; whoever turns to another selection does so alone; the last one to leave
// frees it.
func TestEqualQueriesShareOneResult(t *testing.T) { // 213, 226, 275
	server := durable(t, core.Options{})
	years(t, server, 2001, 2005)
	for _, n := range []*core.Node{server, connected(t, server, core.Options{})} {
		q := watch(t, n, "album", "year > ? AND year < 2005 ORDER BY year LIMIT 2", 2001)
		eventually(t, "rows", func() bool { return q.Len() == 2 && q.Status() == core.QueryLive })
		first := record(t, q)
		one := n.Watches()
		var others []*core.LiveQuery
		var told []*recorder
		for range 100 {
			q := watch(t, n, "album", "2005 > year AND year > 2001 ORDER BY year LIMIT 2")
			if got := rowNames(q, "year"); got != "2002 2003" {
				t.Fatalf("a late query shows %q", got)
			}
			others, told = append(others, q), append(told, record(t, q))
		}
		if n.Watches() != one {
			t.Fatalf("%d watches of 101 equal queries, %d of one", n.Watches(), one)
		}
		if err := others[0].SetSelection(t.Context(), selection(t, "year = 2005")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other selection is shown", func() bool { return rowNames(others[0], "year") == "2005" })
		e := must(anonymous(n).Fetch(t.Context(), "album", selection(t, "year = 2002")))[0].ID()
		edit(t, n, e, "year", value.Int(1999))
		for i, r := range append(told[1:], first) {
			if got := r.shown(); len(strings.Fields(got)) != 2 || !strings.HasSuffix(got, " "+strings.Fields(first.shown())[1]) {
				t.Errorf("query %d is told of %q", i, got)
			}
		}
		if got := rowNames(others[1], "year"); got != "2003 2004" {
			t.Errorf("the others show %q", got)
		}
		edit(t, n, e, "year", value.Int(2002))
		for _, q := range others {
			q.Close()
		}
		eventually(t, "one result is left", func() bool { return n.Watches() == one })
	}
}

// discreet is an agent that judges rows one by one for each principal: what is called like
// another one is nobody else's business. That nothing more is known of it keeps principals
// apart.
type discreet struct{ policy.Agent }

func (discreet) Read(p policy.Principal, _ string, row policy.Fields) error {
	if name, _ := row.Field("name").AsString(); name != p.Name && name != "all" {
		return policy.Denied("it is %s's", name)
	}
	return nil
}

// groups is discreet, and knows that who has one name sees the same.
type groups struct{ discreet }

func (groups) Audience(p policy.Principal) (string, bool) { return p.Name, true }

// Nothing that was read for one principal is shown to another, and results are shared only
// where the agent knows that they may be.
func TestResultsAreSharedWithinAnAudience(t *testing.T) {
	for _, c := range []struct {
		name    string
		agent   policy.Agent
		watches int
	}{{"permissive", policy.Permissive(), 1}, {"row by row", discreet{policy.Permissive()}, 4}, {"by audience", groups{discreet{policy.Permissive()}}, 2}} {
		t.Run(c.name, func(t *testing.T) {
			n := durable(t, core.Options{Policy: c.agent})
			for _, name := range []string{"ann", "all", "bob"} {
				create(t, n, name, 2000)
			}
			before := n.Watches()
			for _, name := range []string{"ann", "bob", "ann", "bob"} {
				q := must(n.Context(policy.Principal{Name: name}).Query("album", selection(t, "ORDER BY name LIMIT 5")))
				t.Cleanup(q.Close)
				want := "all " + name + " "
				if c.name == "permissive" {
					want = "all ann bob "
				}
				shows(t, q, want)
			}
			if got := n.Watches() - before; got != c.watches {
				t.Errorf("%d results, want %d", got, c.watches)
			}
		})
	}
}

// A handle that is closed while its result is told of a change, and one that is opened then,
// see no half of it.
func TestQueriesComeAndGoDuringAChange(t *testing.T) {
	n := durable(t, core.Options{})
	a, b := watch(t, n, "album", "ORDER BY year"), watch(t, n, "album", "ORDER BY year")
	var late *core.LiveQuery
	a.Subscribe(func(set *core.ChangeSet) {
		if len(set.Changes) > 0 && late == nil {
			a.Close()
			late = must(anonymous(n).Query("album", selection(t, "ORDER BY year")))
		}
	})
	create(t, n, "x", 1)
	t.Cleanup(func() { late.Close() })
	shows(t, b, "x ")
	shows(t, late, "x ")
	create(t, n, "y", 2)
	shows(t, late, "x y ")
	if got := names(a); got != "x " {
		t.Errorf("a closed query shows %q", got)
	}
}

// TestWindowErrors: what is wrong with a window is said at once where it can be, and a query
// that shows something goes on showing it.
func TestWindowErrors(t *testing.T) {
	n := durable(t, core.Options{})
	years(t, n, 2001, 2009)
	c := anonymous(n)
	sel := selection(t, "ORDER BY year")
	model, _ := n.Model("album")
	other := must(selection(t, "ORDER BY name").Check(model))
	first := must(c.Fetch(t.Context(), "album", sel))[0]
	foreign := core.AtCursor(other.Cursor(first, first.ID(), nil))
	for _, bad := range []core.Window{{Before: -1}, {After: core.MaxWindow + 1}, {Anchor: foreign, After: 3}} {
		if _, err := c.QueryWindow("album", sel, bad); err == nil {
			t.Errorf("window %v was taken", bad)
		}
	}
	if _, err := c.QueryWindow("album", selection(t, "LIMIT 3"), core.Window{After: 3}); core.KindOf(err) != core.KindSelection {
		t.Errorf("a window of a limit: %v", err)
	}
	lost := must(c.QueryWindow("album", sel, core.Window{Anchor: core.AtEntity(nowhereID(t)), After: 3}))
	t.Cleanup(lost.Close)
	eventually(t, "an entity that is not there is said", func() bool { return core.KindOf(lost.Err()) == core.KindNotFound })
	q := must(c.QueryWindow("album", sel, core.Window{Anchor: core.AtEntity(first.ID()), After: 3}))
	t.Cleanup(q.Close)
	eventually(t, "rows", func() bool { return q.Len() == 3 })
	if err := q.Move(t.Context(), core.Window{Anchor: core.AtEntity(nowhereID(t)), After: 5}); core.KindOf(err) != core.KindNotFound {
		t.Errorf("moved to nowhere: %v", err)
	}
	if err := q.Move(t.Context(), core.Window{Anchor: foreign}); core.KindOf(err) != core.KindSelection {
		t.Errorf("moved by a foreign cursor: %v", err)
	}
	if q.Len() != 3 || q.Status() != core.QueryLive {
		t.Errorf("%d rows, %v after moves that failed", q.Len(), q.Status())
	}
	if err := q.Move(t.Context(), core.Window{Anchor: core.AtEnd, Before: 2}); err != nil || rowNames(q, "year") != "2008 2009" {
		t.Errorf("the end is %q: %v", rowNames(q, "year"), err)
	}
	if s := q.State(); s.Anchor != 2 || !s.HasBefore || s.HasAfter {
		t.Errorf("at the end the state is %+v", s)
	}
	if err := q.SetSelection(t.Context(), selection(t, "year < 2003")); err != nil || q.State() != nil || q.Len() != 2 {
		t.Errorf("without a window: %v rows, %v", q.Len(), err)
	}
}

// A window that is scrolled through a long list keeps what is in view, and asks the durable
// node for what comes into view: what travels does not grow with what was come past.
func TestScrollingCostsWhatItShows(t *testing.T) {
	server := durable(t, core.Options{})
	tx := anonymous(server).Begin()
	const rows = 3000
	for i := range rows {
		must(tx.Create(t.Context(), "album", fields(fmt.Sprint(i), int64(i))))
	}
	commit(t, tx)
	n := connected(t, server, core.Options{})
	q := must(anonymous(n).QueryWindow("album", selection(t, "ORDER BY year"), core.Window{After: 30}))
	t.Cleanup(q.Close)
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	r := recordAs(t, q, "year")
	most, steps := 0, 0
	for q.State().HasAfter {
		anchor := q.Rows()[q.State().Anchor+20]
		if err := q.Move(t.Context(), core.Window{Anchor: core.AtEntity(anchor.ID()), Before: 20, After: 30}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "live again", func() bool { return q.Status() == core.QueryLive })
		if got := text(q.Rows()[q.State().Anchor], "year"); got != text(anchor, "year") {
			t.Fatalf("the anchor is %s, want %s", got, text(anchor, "year"))
		}
		r.mu.Lock()
		for _, set := range r.all {
			most = max(most, len(set.Changes))
		}
		r.all, r.sets = nil, nil
		r.mu.Unlock()
		steps++
	}
	if steps < rows/20-5 {
		t.Errorf("the end was reached after %d steps", steps)
	}
	if most > 50 {
		t.Errorf("one step made %d changes", most)
	}
	if got := rowNames(q, "year"); got != r.shown() {
		t.Errorf("shown %q, told of %q", got, r.shown())
	}
}

// nowhereID returns the id of an entity that is nowhere.
func nowhereID(t *testing.T) id.EntityID {
	t.Helper()
	e, err := id.ParseEntity("01ARZ3NDEKTSV4RRFFQ69G5FAV")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Windows of many peers that ask for the same are one window of the durable node; who comes
// late has the rows, everybody hears of a change, and the last to go frees it.
func TestPeersShareAWindow(t *testing.T) { // 213, 274, 275
	for _, c := range []struct {
		name    string
		agent   policy.Agent
		watches int
	}{{"permissive", policy.Permissive(), 1}, {"row by row", discreet{policy.Permissive()}, 6}} {
		t.Run(c.name, func(t *testing.T) {
			server := durable(t, core.Options{Policy: c.agent})
			ids := map[int]id.EntityID{}
			for y := 2001; y <= 2040; y++ {
				ids[y] = add(t, server, "album", "name", "all", "year", y)
			}
			var peers []*core.Node
			var queries []*core.LiveQuery
			for range 6 {
				n := connected(t, server, core.Options{})
				q := watch(t, n, "album", "year > 2003 ORDER BY year LIMIT 3")
				eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
				if got := rowNames(q, "year"); got != "2004 2005 2006" {
					t.Fatalf("a peer shows %q", got)
				}
				peers, queries = append(peers, n), append(queries, q)
			}
			if got := server.Watches(); got != c.watches {
				t.Errorf("%d watches for 6 peers, want %d", got, c.watches)
			}
			// In one transaction more leaves than the window has in store.
			several(t, server, func(tx *core.Tx) error {
				for y := 2004; y < 2034; y++ {
					if err := tx.Delete(t.Context(), "album", ids[y]); err != nil {
						return err
					}
				}
				return nil
			})
			for _, q := range queries {
				eventually(t, "refilled", func() bool { return rowNames(q, "year") == "2034 2035 2036" })
			}
			put(t, peers[0], "album", ids[2036], "year", 2003)
			for _, q := range queries {
				eventually(t, "a peer's change", func() bool { return rowNames(q, "year") == "2034 2035 2037" })
			}
			for _, n := range peers[1:] {
				if err := n.Close(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "one watch", func() bool { return server.Watches() == 1 })
			put(t, server, "album", ids[2034], "year", 1)
			eventually(t, "still served", func() bool { return rowNames(queries[0], "year") == "2035 2037 2038" })
			queries[0].Close()
			eventually(t, "no watch", func() bool { return server.Watches() == 0 })
		})
	}
}

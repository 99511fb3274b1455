package core_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// What the catalogue of behaviour tells of live results beyond livequery_test.go: each test
// is named by a number of it, or by a section of it that lists defects of the original.

// item is what these tests keep.
var item = &schema.Model{Collection: "item", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "n", Type: schema.TypeInt, Optional: true},
	{Name: "m", Type: schema.TypeInt, Optional: true},
	{Name: "x", Type: schema.TypeString, Optional: true},
	{Name: "flag", Type: schema.TypeBool, Optional: true},
	{Name: "data", Type: schema.TypeJSON, Optional: true},
	{Name: "owner", Type: schema.TypeRef, Optional: true},
}}

// pair is a durable node and one that follows it, which know items.
type pair struct {
	t            *testing.T
	server, peer *core.Node
}

func newPair(t *testing.T, agent policy.Agent) pair {
	p := pair{t: t, server: open(t, core.Options{Durable: true, Policy: agent}), peer: open(t, core.Options{})}
	if err := p.server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*core.Node{p.server, p.peer} {
		if err := n.Register(t.Context(), item); err != nil {
			t.Fatal(err)
		}
	}
	local.Connect(p.server, p.peer)
	waitLive(t, p.peer)
	return p
}

// watch opens one query on each of the two.
func (p pair) watch(text string, params ...any) (both [2]*core.LiveQuery) {
	p.t.Helper()
	for i, n := range []*core.Node{p.server, p.peer} {
		both[i] = watch(p.t, n, "item", text, params...)
		eventually(p.t, "live", func() bool { return both[i].Status() == core.QueryLive })
	}
	return both
}

// show waits until both queries show the named rows.
func (p pair) show(both [2]*core.LiveQuery, want string) {
	p.t.Helper()
	for i, q := range both {
		await(p.t, fmt.Sprintf("%d: %q, shows %q", i, want, rowNames(q, "name")), func() bool { return rowNames(q, "name") == want })
	}
}

// TestSection_3_5: the shapes of predicates whose changes the original misses, or of which it
// panics. A row comes to match and ceases to, by an edit of the property, on the node where
// it is made and on one that follows.
func TestSection_3_5(t *testing.T) {
	p := newPair(t, nil)
	owner := add(t, p.server, "item", "name", "owner")
	for i, c := range []struct {
		where   string
		params  []any
		in, out []proto.Field
	}{
		{"x IS NULL", nil, with("x", nil), with("x", "a")},
		{"x IS NOT NULL", nil, with("x", "a"), with("x", nil)},
		{"x IN ('a', 'b')", nil, with("x", "b"), with("x", "c")},
		{"x NOT IN ('a', 'b')", nil, with("x", "c"), with("x", "b")},
		{"x IN ?", []any{[]string{"a", "b"}}, with("x", "a"), with("x", nil)},
		{"x IN ()", nil, nil, with("x", "c")},
		{"n = m", nil, with("n", 4, "m", 4), with("m", 5)},
		{"n < m", nil, with("n", 4, "m", 5), with("n", 5)},
		{"NOT (n = 1)", nil, with("n", 5), with("n", 1)},
		{"NOT (n = 1 OR x = 'a')", nil, with("n", 5, "x", "b"), with("x", "a")},
		{"30 < n", nil, with("n", 31), with("n", 30)},
		{"30 >= n", nil, with("n", 30), with("n", 31)},
		{"owner = '" + owner.String() + "'", nil, with("owner", owner), with("owner", nil)},
		{"owner = ?", []any{owner}, with("owner", owner), with("owner", nil)},
		{"n = '5'", nil, with("n", 5), with("n", 6)},
		{"x = 5", nil, with("x", "5"), with("x", "6")},
		{"n = 5.0", nil, with("n", 5), with("n", 6)},
		{"n > 4.5", nil, with("n", 5), with("n", 4)},
		{"data.n < 10", nil, with("data", json(t, "n", 9)), with("data", json(t, "n", 100))},
		{"data.n <= 10", nil, with("data", json(t, "n", 10.0)), with("data", json(t, "n", "9"))},
		{"data.n > 9", nil, with("data", json(t, "n", 100)), with("data", json(t, "n", 9))},
		{"data.deep.n = 1", nil, with("data", json(t, "deep", map[string]any{"n": 1})), with("data", json(t, "n", 1))},
		{"data.n IS NULL", nil, with("data", json(t, "n", nil)), with("data", json(t, "n", 1))},
		{"n > -5", nil, with("n", -3), with("n", -7)},
		{"n BETWEEN -5 AND -1", nil, with("n", -5), with("n", 0)},
		{"n < 0 OR x = 'z'", nil, with("n", 1, "x", "z"), with("x", nil)},
		{"x LIKE 'a_%'", nil, with("x", "ab"), with("x", "a")},
		{"x ILIKE '%É'", nil, with("x", "xé"), with("x", "xe")},
		{"flag", nil, with("flag", value.Bool(true)), with("flag", nil)},
		{"NOT flag", nil, with("flag", value.Bool(false)), with("flag", nil)},
		{"? AND x = 'a'", []any{true}, with("x", "a"), with("x", "b")},
	} {
		t.Run(c.where, func(t *testing.T) {
			p := pair{t, p.server, p.peer}
			name := fmt.Sprint("row", i)
			both := p.watch("("+c.where+") AND name = '"+name+"'", c.params...)
			e := add(t, p.server, "item", "name", name)
			change := func(fields []proto.Field) {
				several(t, p.server, func(tx *core.Tx) error { return tx.Set(t.Context(), "item", e, fields) })
			}
			change(c.out)
			p.show(both, "")
			if c.in == nil {
				return
			}
			change(c.in)
			p.show(both, name)
			change(c.out)
			p.show(both, "")
			change(c.in)
			p.show(both, name)
			remove(t, p.server, "item", e)
			p.show(both, "")
			restore(t, p.server, "item", e)
			p.show(both, name)
		})
	}
	t.Run("IN takes no scalar", func(t *testing.T) {
		for _, params := range [][]any{{5}, {"a"}} {
			if s, err := ankql.Parse("n IN ?", params...); err == nil {
				t.Errorf("%s is accepted", s)
			}
		}
	})
}

func json(t testing.TB, pairs ...any) value.Value {
	t.Helper()
	tree := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		tree[pairs[i].(string)] = pairs[i+1]
	}
	v, err := value.JSON(tree)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestScenario_141 and 142: a property that no model has yet is an error that names it; once
// it is registered the selection works, without a restart.
func TestScenario_141(t *testing.T) {
	p := newPair(t, nil)
	for _, n := range []*core.Node{p.server, p.peer} {
		for _, text := range []string{"colour = 'red'", "ORDER BY colour", "colour = 'red' ORDER BY colour"} {
			if _, err := anonymous(n).Query("item", selection(t, text)); core.KindOf(err) != core.KindSelection {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	add(t, p.server, "item", "name", "old")
	wider := *item
	wider.Properties = append(slices.Clone(item.Properties), schema.Property{Name: "colour", Type: schema.TypeString, Optional: true})
	for _, n := range []*core.Node{p.server, p.peer} {
		if err := n.Register(t.Context(), &wider); err != nil {
			t.Fatal(err)
		}
	}
	red, all := p.watch("colour = 'red'"), p.watch("ORDER BY colour")
	p.show(red, "")
	p.show(all, "old")
	add(t, p.server, "item", "name", "new", "colour", "red")
	p.show(red, "new")
	p.show(all, "new old")
}

// TestScenario_167 and 168: JSON paths are live.
func TestScenario_167(t *testing.T) {
	p := newPair(t, nil)
	flat, nested, less := p.watch("data.task_id = 'x'"), p.watch("data.context.task_id = 'x'"), p.watch("data.n < 10 ORDER BY data.n")
	a := add(t, p.server, "item", "name", "a", "data", json(t, "task_id", "x", "n", 20))
	b := add(t, p.server, "item", "name", "b", "data", json(t, "context", map[string]any{"task_id": "x"}, "n", 7))
	p.show(flat, "a")
	p.show(nested, "b")
	p.show(less, "b")
	put(t, p.server, "item", a, "data", json(t, "task_id", "y", "n", 5))
	put(t, p.server, "item", b, "data", json(t, "context", map[string]any{"task_id": "y"}, "n", 8.5))
	p.show(flat, "")
	p.show(nested, "")
	p.show(less, "a b")
}

// TestScenario_235: a row that sorts behind a full window is not told of.
func TestScenario_235(t *testing.T) {
	p := newPair(t, nil)
	for i := range 5 {
		add(t, p.server, "item", "name", fmt.Sprint(i), "n", i)
	}
	both := p.watch("ORDER BY n LIMIT 3")
	recorders := []*recorder{record(t, both[0]), record(t, both[1])}
	add(t, p.server, "item", "name", "behind", "n", 99)
	add(t, p.server, "item", "name", "in store", "n", 3)
	add(t, p.server, "item", "name", "first", "n", -1)
	recorders[0].want("removed 2, added first")
	recorders[1].wait("removed 2, added first")
}

// TestScenario_236 and 237: a row whose key changes moves, or leaves and is replaced.
func TestScenario_236(t *testing.T) {
	p := newPair(t, nil)
	var list []id.EntityID
	for i := range 6 {
		list = append(list, add(t, p.server, "item", "name", fmt.Sprint(i), "n", 10*i))
	}
	both := p.watch("ORDER BY n LIMIT 3")
	here := record(t, both[0])
	put(t, p.server, "item", list[0], "n", 15)
	here.want("updated 0")
	p.show(both, "1 0 2")
	put(t, p.server, "item", list[1], "n", 100)
	here.want("removed 1, added 3")
	p.show(both, "0 2 3")
	put(t, p.server, "item", list[1], "n", 16)
	here.want("removed 3, added 1")
	p.show(both, "0 1 2")
	put(t, p.server, "item", list[1], "n", nil)
	p.show(both, "0 2 3")
}

// TestScenario_246: a selection that is changed in place is narrowed by policy like a new one.
func TestScenario_246(t *testing.T) {
	server := durable(t, core.Options{Policy: scoped()})
	for _, n := range []string{"ann's", "ann's second", "secret"} {
		by(t, server, "ann", n)
	}
	by(t, server, "bob", "bob's")
	ann, _ := signedIn(t, server, "ann", core.Options{})
	direct, err := server.Context(policy.Principal{Name: "ann"}).Query("album", selection(t, "name = 'x'"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	for _, q := range []*core.LiveQuery{direct, watch(t, ann, "album", "name = 'x'")} {
		for _, text := range []string{"ORDER BY name", "TRUE OR artist = 'bob' ORDER BY name", "ORDER BY name LIMIT 2"} {
			if err := q.SetSelection(t.Context(), selection(t, text)); err != nil {
				t.Fatal(err)
			}
			eventually(t, text, func() bool { return q.Status() == core.QueryLive && rowNames(q, "name") == "ann's ann's second" })
		}
	}
}

// TestSection_3_3 goes through the defects of the original's windows that other tests of this
// package do not: a limit that grows or goes, an order learnt from an empty result, NULL as
// key, and the boundary of several keys.
func TestSection_3_3(t *testing.T) {
	p := newPair(t, nil)
	set := func(both [2]*core.LiveQuery, text string) {
		t.Helper()
		for _, q := range both {
			if err := q.SetSelection(t.Context(), selection(t, text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	both := p.watch("x = 'w' ORDER BY n LIMIT 2") // empty: nothing to learn types from (9)
	var list []id.EntityID
	for _, n := range []int{9, 10, 100, 2} {
		list = append(list, add(t, p.server, "item", "name", fmt.Sprint(n), "x", "w", "n", n))
	}
	p.show(both, "2 9")
	set(both, "x = 'w' ORDER BY n LIMIT 3") // 6: it grows
	p.show(both, "2 9 10")
	set(both, "x = 'w' ORDER BY n") // 6: it goes
	p.show(both, "2 9 10 100")
	add(t, p.server, "item", "name", "null", "x", "w")
	p.show(both, "2 9 10 100 null") // 10
	set(both, "x = 'w' ORDER BY n DESC LIMIT 2")
	p.show(both, "null 100")
	set(both, "x = 'w' ORDER BY m, n DESC LIMIT 2") // 1, 2: equal first keys at the boundary
	for _, e := range list {
		put(t, p.server, "item", e, "m", 1)
	}
	p.show(both, "100 10")
	remove(t, p.server, "item", list[2])
	p.show(both, "10 9")
	remove(t, p.server, "item", list[1])
	p.show(both, "9 2")
}

// TestScenario_205: pages by the key of the last row neither repeat nor lose rows, whatever
// is inserted meanwhile.
func TestScenario_205(t *testing.T) {
	ankqltest.Each(t, 20, func(t *testing.T, g *ankqltest.Gen) {
		n := open(t, core.Options{Durable: true})
		if err := n.CreateSystem(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := n.Register(t.Context(), item); err != nil {
			t.Fatal(err)
		}
		var want []id.EntityID
		for i := range 40 {
			want = append(want, add(t, n, "item", "name", fmt.Sprint(i), "n", g.IntN(5)))
		}
		seen := map[id.EntityID]int{}
		last, lastID := -1, id.EntityID{}
		for {
			q := selection(t, "n > :n OR n = :n AND id > :id ORDER BY n, id LIMIT 7", ankql.Named{"n": last, "id": lastID})
			rows, err := anonymous(n).Fetch(t.Context(), "item", q)
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			for _, v := range rows {
				seen[v.ID()]++
			}
			at, _ := rows[len(rows)-1].Field("n").AsInt()
			last, lastID = int(at), rows[len(rows)-1].ID()
			if len(seen) < 60 {
				add(t, n, "item", "name", "late", "n", g.IntN(5))
			}
		}
		for _, e := range want {
			if seen[e] != 1 {
				t.Errorf("a row was on %d pages", seen[e])
			}
		}
	})
}

// TestScenario_227: a live query keeps neither its node open nor what reads it from an answer:
// once the node is closed it shows its last rows and says that it is closed.
func TestScenario_227(t *testing.T) {
	n := open(t, core.Options{})
	if err := n.Register(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	add(t, n, "item", "name", "a")
	q := watch(t, n, "item", "")
	r := record(t, q)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if got := rowNames(q, "name"); got != "a" {
		t.Errorf("shows %q", got)
	}
	if err := q.SetSelection(t.Context(), selection(t, "n = 1")); core.KindOf(err) != core.KindClosed {
		t.Errorf("a selection after the node was closed: %v", err)
	}
	if _, err := anonymous(n).Query("item", selection(t, "")); core.KindOf(err) != core.KindClosed {
		t.Errorf("a query after the node was closed: %v", err)
	}
	q.Close()
	r.want()
}

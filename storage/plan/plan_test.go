package plan_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage/plan"
)

var model = &schema.Model{Collection: "thing", Properties: []schema.Property{
	{Name: "a", Type: schema.TypeInt}, {Name: "b", Type: schema.TypeString}, {Name: "c", Type: schema.TypeFloat},
	{Name: "d", Type: schema.TypeBool}, {Name: "j", Type: schema.TypeJSON}, {Name: "r", Type: schema.TypeRef, Target: "thing"},
}}

// thing is an entity in memory.
type thing struct {
	id     id.EntityID
	fields map[string]value.Value
}

func (t *thing) Field(name string) value.Value {
	if name == "id" {
		return value.ID(t.id)
	}
	return t.fields[name]
}

func entity(n int) id.EntityID {
	return id.EntityID{ULID: id.Make(id.Stamp(n/4)<<56|id.Stamp(n), [8]byte{byte(n), 0xff})}
}

// world is random things and what is asked about them.
type world struct {
	*rand.Rand
	things []*thing
}

func pick[T any](w *world, from ...T) T { return from[w.IntN(len(from))] }

func newWorld(seed uint64, things int) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7))}
	for n := range things {
		t := &thing{id: entity(n), fields: map[string]value.Value{}}
		for _, p := range model.Properties {
			if w.IntN(6) > 0 {
				t.fields[p.Name] = w.value(p.Type)
			}
		}
		w.things = append(w.things, t)
	}
	return w
}

func (w *world) value(t schema.Type) value.Value {
	if w.IntN(7) == 0 {
		return value.Null
	}
	switch t {
	case schema.TypeInt:
		return value.Int(pick[int64](w, 0, 1, 2, 3, -1, math.MaxInt64, math.MinInt64, 1<<53+1))
	case schema.TypeString:
		return value.String(pick(w, "", "a", "ab", "b", "a\x00", "a\x00b", "é", "~", "B"))
	case schema.TypeFloat:
		return value.Float(pick(w, 0, math.Copysign(0, -1), 1.5, 2, -1.5, math.NaN(), math.Inf(1), math.Inf(-1)))
	case schema.TypeBool:
		return value.Bool(w.IntN(2) == 0)
	case schema.TypeRef:
		return value.ID(entity(w.IntN(6)))
	}
	v, err := value.JSON(map[string]any{"n": pick[any](w, 1, 2, 2.5, "a", "1", true, nil, []any{1}, map[string]any{"x": 1})})
	if err != nil {
		panic(err)
	}
	return v
}

var paths = map[string]schema.Type{
	"a": schema.TypeInt, "b": schema.TypeString, "c": schema.TypeFloat, "d": schema.TypeBool, "j.n": "", "r": schema.TypeRef, "id": schema.TypeRef,
	"r.a": schema.TypeInt, "j": "",
}

// operand returns a value that Check lets meet the path.
func (w *world) operand(path string) value.Value {
	if t := paths[path]; t != "" {
		return w.value(t)
	}
	return w.value(pick(w, schema.TypeInt, schema.TypeString, schema.TypeFloat, schema.TypeBool))
}

func (w *world) path() string {
	return pick(w, "a", "a", "b", "b", "c", "d", "j.n", "r", "id", "r.a", "j")
}

func (w *world) condition(depth int) ankql.Condition {
	if depth > 0 && w.IntN(6) < 5 {
		first := w.condition(depth - 1)
		switch w.IntN(5) {
		case 0:
			return first.Not()
		case 1, 2:
			return first.Or(w.condition(depth - 1))
		}
		return first.And(w.condition(depth - 1))
	}
	path := w.path()
	switch w.IntN(8) {
	case 0:
		return pick(w, ankql.IsNull, ankql.IsNotNull)(path)
	case 1:
		items := make([]value.Value, w.IntN(4))
		for i := range items {
			items[i] = w.operand(path)
		}
		return ankql.In(path, items)
	case 2:
		return pick(w, ankql.Like, ankql.ILike)(pick(w, "b", "j.n"), pick(w, "a%", "a", "%", "_b%", "a_", "", "é%"))
	case 3:
		return ankql.Eq(path, ankql.Column(path))
	case 4:
		return pick(w, ankql.Where("TRUE"), ankql.Where("FALSE"), ankql.Where("?", nil))
	}
	return pick(w, ankql.Eq, ankql.Eq, ankql.Ne, ankql.Lt, ankql.Le, ankql.Gt, ankql.Ge)(path, w.operand(path))
}

func (w *world) selection() *ankql.Selection {
	q := ankql.From(w.condition(w.IntN(4)))
	for range w.IntN(3) {
		q = pick(w, q.OrderBy, q.OrderByDesc)(w.path())
		q = pick(w, q, q, q.NullsFirst(), q.NullsLast())
	}
	s, err := q.Selection()
	if err == nil {
		s, err = s.Check(model)
	}
	if err != nil {
		panic(err)
	}
	return s
}

func (w *world) index() *plan.Index {
	ix := &plan.Index{}
	for range 1 + w.IntN(3) {
		path := pick(w, ankql.Path{"a"}, ankql.Path{"b"}, ankql.Path{"c"}, ankql.Path{"d"}, ankql.Path{"j", "n"}, ankql.Path{"r"}, ankql.Path{"j"})
		if slices.ContainsFunc(ix.Columns, func(c plan.Column) bool { return slices.Equal(c.Path, path) }) {
			continue
		}
		ix.Columns = append(ix.Columns, plan.Column{Path: path, Order: value.KeyOrder{Desc: w.IntN(2) == 0, NullsFirst: w.IntN(2) == 0}})
	}
	ix.Name = fmt.Sprint(ix.Columns)
	return ix
}

// reached returns the things that ranges of a plan lead to, in the order in which a reader
// that follows the plan comes to them.
func reached(p *plan.Plan, ranges []plan.Range, things []*thing) []*thing {
	if p.Method == plan.Union {
		var out []*thing
		for _, part := range p.Parts {
			for _, t := range reached(part, part.Ranges, things) {
				if !slices.Contains(out, t) {
					out = append(out, t)
				}
			}
		}
		return out
	}
	type entry struct {
		key, group []byte
		thing      *thing
	}
	var entries []entry
	for _, t := range things {
		key := t.id.Bytes()
		if p.Method == plan.Walk {
			key = p.Index.AppendKey(nil, t, t.id)
		}
		in := slices.ContainsFunc(ranges, func(r plan.Range) bool { return r.Contains(key) })
		if p.Method == plan.Lookup {
			in = slices.Contains(p.Entities, t.id)
		}
		if in && p.Method != plan.Nothing {
			e := entry{key: key, group: key, thing: t}
			if p.Method == plan.Walk {
				e.group = key[:len(key)-id.Size]
			}
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(x, y entry) int {
		if p.Descending {
			return bytes.Compare(y.key, x.key)
		}
		if c := bytes.Compare(x.group, y.group); c != 0 && p.Reverse {
			return -c
		}
		return bytes.Compare(x.key, y.key)
	})
	out := make([]*thing, len(entries))
	for i, e := range entries {
		out[i] = e.thing
	}
	return out
}

// check verifies the laws of a plan for a selection.
func check(t *testing.T, p *plan.Plan, s *ankql.Selection, w *world) {
	t.Helper()
	fail := func(law string, x *thing) {
		t.Helper()
		t.Fatalf("%s\nof %s\nby %s\nranges %x\nthing %v", law, s, p, p.Ranges, x)
	}
	for i, r := range p.Ranges {
		if r.High != nil && bytes.Compare(r.Low, r.High) >= 0 || i > 0 && (p.Ranges[i-1].High == nil || bytes.Compare(p.Ranges[i-1].High, r.Low) > 0) {
			fail("ranges are not ascending and apart", nil)
		}
	}
	found := reached(p, p.Ranges, w.things)
	for _, x := range w.things {
		if s.Matches(x) && !slices.Contains(found, x) {
			fail("P1: a match is not reached", x)
		}
	}
	var keys []string
	var matches []*thing
	for _, x := range found {
		if left := ankql.Evaluate(p.Residual, x, nil) == ankql.TruthTrue; left != s.Matches(x) {
			fail("P2: the residual is not what is left", x)
		}
		if s.Matches(x) {
			keys = append(keys, string(s.AppendSortKey(nil, x, x.id)))
			matches = append(matches, x)
		}
	}
	if !p.Ordered {
		return
	}
	if !slices.IsSorted(keys) {
		fail("P3: not in order", nil)
	}
	if len(keys) == 0 || p.Method == plan.Lookup {
		return
	}
	at := w.IntN(len(keys))
	var rest []*thing
	for _, x := range reached(p, p.Resume([]byte(keys[at])), w.things) {
		if s.Matches(x) && (!p.Reverse || p.Method == plan.Primary || string(s.AppendSortKey(nil, x, x.id)) > keys[at]) {
			rest = append(rest, x)
		}
	}
	if !slices.Equal(rest, matches[at+1:]) {
		fail(fmt.Sprintf("resumed after %d of %d there are %d", at, len(keys), len(rest)), matches[at])
	}
}

// TestPlansKeepTheLaws: every plan over random indexes keeps P1, P2 and P3, and so does
// every index taken alone.
func TestPlansKeepTheLaws(t *testing.T) {
	methods := map[plan.Method]int{}
	ordered, reverse, whole := 0, 0, 0
	for seed := range uint64(400) {
		w := newWorld(seed, 60)
		for range 20 {
			s := w.selection()
			indexes := []*plan.Index{w.index(), w.index(), w.index()}
			indexes = append(indexes, plan.Suggest(s, plan.Found{})...)
			for _, always := range []bool{false, true} {
				p := plan.Choose(s, indexes, plan.Statistics{Walk: always})
				check(t, p, s, w)
				methods[p.Method]++
			}
			for _, ix := range indexes {
				alone := plan.Choose(s, []*plan.Index{ix}, plan.Statistics{})
				check(t, alone, s, w)
				methods[alone.Method]++
				if alone.Method == plan.Walk && alone.Ordered && len(s.Order) > 0 {
					ordered++
				}
				if alone.Reverse {
					reverse++
				}
				if alone.Method == plan.Walk && alone.Residual == ankql.True {
					whole++
				}
			}
		}
	}
	for what, n := range map[string]int{
		"nothing": methods[plan.Nothing], "lookup": methods[plan.Lookup], "primary": methods[plan.Primary], "walk": methods[plan.Walk], "union": methods[plan.Union],
		"ordered": ordered, "reverse": reverse, "without residual": whole,
	} {
		if n < 50 {
			t.Errorf("only %d plans were of the sort %q", n, what)
		}
	}
}

func index(name string, columns ...string) *plan.Index {
	ix := &plan.Index{Name: name}
	for _, c := range columns {
		s, err := ankql.Parse("ORDER BY " + c)
		if err != nil {
			panic(err)
		}
		ix.Columns = append(ix.Columns, plan.Column{Path: s.Order[0].Path, Order: s.Order[0].KeyOrder()})
	}
	return ix
}

func TestChoose(t *testing.T) {
	a, ab, abDesc, b, jn := index("a", "a"), index("ab", "a", "b"), index("ab-desc", "a", "b DESC"), index("b", "b"), index("jn", "j.n")
	all := []*plan.Index{a, ab, abDesc, b, jn}
	for _, c := range []struct {
		text    string
		params  []any
		indexes []*plan.Index
		want    string
	}{
		{"", nil, all, "walk 1 ranges of ids"},
		{"FALSE", nil, all, "nothing can match"},
		{"a > 5 AND a < 3", nil, all, "nothing can match"}, // 130
		{"a = ? OR a > ?", []any{nil, nil}, all, "nothing can match"},
		{"id = ?", []any{entity(1)}, all, "look up 1 entities"},
		{"id IN ? AND a = 1", []any{[]id.EntityID{entity(1), entity(2)}}, all, "look up 2 entities, keep where id IN ('" + entity(1).String() + "', '" + entity(2).String() + "') AND a = 1"},
		{"id >= ? AND id < ? AND c = 1", []any{entity(1), entity(9)}, all, "walk 1 ranges of ids, keep where c = 1.0"}, // 204
		{"ORDER BY id DESC", nil, all, "walk 1 ranges of ids in reverse"},
		{"a = 1", nil, []*plan.Index{a, b}, "walk 1 ranges of index a"},
		{"a = 1 AND b > 'x'", nil, all, "walk 1 ranges of index ab, sort"},
		{"a = 1 AND b > 'x' ORDER BY b", nil, all, "walk 1 ranges of index ab"},
		{"a = 1 AND b > 'x' ORDER BY b DESC", nil, all, "walk 1 ranges of index ab-desc"},
		{"a = 1 AND b > 'x' ORDER BY b DESC", nil, []*plan.Index{ab}, "walk 1 ranges of index ab in reverse"},
		{"a = 1 ORDER BY a, b DESC, a DESC", nil, all, "walk 1 ranges of index ab-desc"},
		{"ORDER BY a DESC, b DESC", nil, all, "walk 1 ranges of index ab in reverse"},
		{"ORDER BY a DESC, b DESC, id DESC", nil, all, "walk 1 ranges of index ab in reverse"},
		{"a = 1 ORDER BY b DESC, id DESC", nil, []*plan.Index{ab}, "walk 1 ranges of index ab in reverse"},
		{"ORDER BY a, id DESC", nil, []*plan.Index{a}, "walk 1 ranges of ids, sort"}, // ids descend in no walk forward
		{"ORDER BY a DESC, b", nil, all, "walk 1 ranges of index ab-desc in reverse"},
		{"ORDER BY a", nil, []*plan.Index{ab}, "walk 1 ranges of ids, sort"}, // ties would come by b
		{"ORDER BY a, id", nil, all, "walk 1 ranges of index a"},
		{"a IN (3, 1, 2) ORDER BY a", nil, all, "walk 3 ranges of index a"},
		{"a IN (1, 2) AND b = 'x'", nil, []*plan.Index{ab}, "walk 2 ranges of index ab, sort"},
		{"(a = 1 OR a = 2) AND (b = 'x' OR b LIKE 'y%')", nil, []*plan.Index{ab}, "walk 4 ranges of index ab, keep where b = 'x' OR b LIKE 'y%', sort"},
		{"a = 1 AND b = 'x' OR a = 2 AND b > 'y'", nil, []*plan.Index{ab}, "walk 2 ranges of index ab, sort"},
		{"a = 1 OR c = 2", nil, all, "walk 1 ranges of ids, keep where a = 1 OR c = 2.0"},
		{"a = 1 OR b = 'x' ORDER BY c", nil, []*plan.Index{a, b, jn}, "walk 1 ranges of index a, and walk 1 ranges of index b, keep where a = 1 OR b = 'x', sort"},
		{"a = 1 OR b = 'x' OR a = 5 AND d", nil, []*plan.Index{a, b}, "walk 2 ranges of index a, and walk 1 ranges of index b, keep where a = 1 OR b = 'x' OR a = 5 AND d = TRUE, sort"},
		{"NOT (a < 5 OR a > 7)", nil, []*plan.Index{a}, "walk 1 ranges of index a, sort"},
		{"a NOT IN (1, 2)", nil, []*plan.Index{index("a", "a")}, "walk 1 ranges of ids, keep where a NOT IN (1, 2)"},
		{"b LIKE 'ab%'", nil, all, "walk 1 ranges of index b, keep where b LIKE 'ab%', sort"},
		{"b LIKE 'ab'", nil, all, "walk 1 ranges of index b"},
		{"a IS NULL AND d", nil, all, "walk 1 ranges of index a, keep where d = TRUE"},
		{"j.n > 5", nil, all, "walk 1 ranges of ids, keep where j.n > 5"}, // a third of them, as far as is known
		{"j.n BETWEEN 5 AND 6", nil, all, "walk 1 ranges of index jn, sort"},
		{"r.a = 5", nil, all, "walk 1 ranges of ids, keep where r.a = 5"},
		{"c > 0 AND d ORDER BY b LIMIT 500", nil, all, "walk 1 ranges of index b, keep where c > 0.0 AND d = TRUE"}, // 187
	} {
		s, err := ankql.Parse(c.text, c.params...)
		if err == nil {
			s, err = s.Check(model)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Choose(s, c.indexes, plan.Statistics{}).String(); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

// Counts decide where guesses would be wrong, and nothing is counted where they cannot
// matter.
func TestChooseByStatistics(t *testing.T) {
	a, ab, b, bUnique := index("a", "a"), index("ab", "a", "b"), index("b", "b"), index("b!", "b")
	bUnique.Unique = true
	for _, c := range []struct {
		text    string
		indexes []*plan.Index
		rows    int
		want    int
		entries map[string]int
		plan    string
		counts  int
	}{
		{"a > 5", []*plan.Index{a}, 100_000, 50, map[string]int{"a": 10}, "walk 1 ranges of index a, sort", 1},
		{"a > 5", []*plan.Index{a}, 100_000, 50, map[string]int{"a": 90_000}, "walk 1 ranges of ids, keep where a > 5", 1},
		{"a = 1 AND b = 'x'", []*plan.Index{a, b}, 100_000, 4096, map[string]int{"a": 5000, "b": 3}, "walk 1 ranges of index b, keep where a = 1", 2},
		{"a = 1 AND b = 'x'", []*plan.Index{a, b}, 100_000, 4096, map[string]int{"a": 3, "b": 5000}, "walk 1 ranges of index a, keep where b = 'x'", 2},
		{"a = 1 AND b = 'x'", []*plan.Index{a, ab, b}, 100_000, 4096, nil, "walk 1 ranges of index ab", 0},
		{"a = 1", []*plan.Index{a, b}, 100_000, 10, nil, "walk 1 ranges of index a", 0},
		{"a > 5 ORDER BY b", []*plan.Index{a, b}, 100_000, 50, map[string]int{"a": 20}, "walk 1 ranges of index a, sort", 2},
		{"a > 5 ORDER BY b", []*plan.Index{a, b}, 100_000, 50, map[string]int{"a": 60_000}, "walk 1 ranges of index b, keep where a > 5", 2},
		{"a = 1 AND b = 'x' AND d", []*plan.Index{a, bUnique}, 100_000, 10, map[string]int{"a": 50, "b!": 1}, "walk 1 ranges of index b!, keep where a = 1 AND d = TRUE", 2},
	} {
		s, err := ankql.Parse(c.text)
		if err == nil {
			s, err = s.Check(model)
		}
		if err != nil {
			t.Fatal(err)
		}
		counts := 0
		got := plan.Choose(s, c.indexes, plan.Statistics{Rows: c.rows, Want: c.want, Count: func(ix *plan.Index, _ []plan.Range) (int, bool) {
			counts++
			return min(c.entries[ix.Name], 512), c.entries[ix.Name] < 512
		}})
		if got.String() != c.plan {
			t.Errorf("%s with %v:\ngot  %s\nwant %s", c.text, c.entries, got, c.plan)
		}
		if counts > c.counts {
			t.Errorf("%s: %d counts, more than %d", c.text, counts, c.counts)
		}
	}
}

func TestSuggest(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"a = 1":                               "a",
		"b = 'x' AND a = 1":                   "a, b",
		"a = 1 AND b > 'x'":                   "a, b",
		"a = 1 AND b > 'x' ORDER BY c DESC":   "a, c DESC",
		"a = 1 ORDER BY a, b NULLS FIRST, id": "a, b NULLS FIRST",
		"ORDER BY b":                          "b",
		"ORDER BY id DESC":                    "",
		"ORDER BY r.a":                        "",
		"r.a = 1":                             "",
		"j.n > 5 AND c != 1":                  "j.n",
		"a = 1 OR a BETWEEN 5 AND 7":          "a",
		"a = 1 OR b = 'x'":                    "a; b",
		"a = 1 OR b = 'x' AND c = 1 OR a = 3": "a; b, c",
		"a = 1 OR b LIKE '%x'":                "",
		"a = 1 OR id > '01ARZ3NDEKTSV4RRFFQ69G5FAV'": "",
		"a = 1 AND c = 1 OR a = 2 AND d":             "a",
		"id = '01ARZ3NDEKTSV4RRFFQ69G5FAV'":          "",
		"FALSE":                                      "",
		"b LIKE 'x%'":                                "b",
		"a IS NOT NULL":                              "",
	} {
		s, err := ankql.Parse(text)
		if err == nil {
			s, err = s.Check(model)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, ix := range plan.Suggest(s, plan.Found{}) {
			if got != "" {
				got += "; "
			}
			got += ix.Name
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// Where few match, finding them is worth more than their order.
func TestSuggestByWhatWasFound(t *testing.T) {
	s, err := ankql.Parse("a > 5 ORDER BY b")
	if err == nil {
		s, err = s.Check(model)
	}
	if err != nil {
		t.Fatal(err)
	}
	for matching, want := range map[int]string{10: "a", 2000: "a", 3000: "b", 90_000: "b"} {
		if got := plan.Suggest(s, plan.Found{Rows: 100_000, Matching: matching, Want: 50})[0].Name; got != want {
			t.Errorf("%d of 100,000 match: %q, want %q", matching, got, want)
		}
	}
}

// TestLargeLists: what has too many ranges is widened, and the residual decides.
func TestLargeLists(t *testing.T) {
	items := make([]int, ankql.MaxItems)
	for i := range items {
		items[i] = i * 2
	}
	s, err := ankql.From(ankql.In("a", items).And(ankql.In("b", []string{"x", "y"}))).Selection()
	if err == nil {
		s, err = s.Check(model)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(1, 200)
	for _, ix := range []*plan.Index{index("ab", "a", "b"), index("ba", "b", "a DESC")} {
		p := plan.Choose(s, []*plan.Index{ix}, plan.Statistics{})
		if len(p.Ranges) > plan.MaxRanges {
			t.Errorf("%d ranges", len(p.Ranges))
		}
		check(t, p, s, w)
	}
	or := ankql.Where("FALSE")
	for i := range 200 {
		or = or.Or(ankql.Eq("a", i).And(ankql.Eq("c", i)))
	}
	if s, err = ankql.From(or).Selection(); err != nil {
		t.Fatal(err)
	}
	check(t, plan.Choose(s, []*plan.Index{index("ac", "a", "c")}, plan.Statistics{}), s, w)
}

func FuzzChoose(f *testing.F) {
	f.Add("a > 1 AND NOT (b LIKE 'a%' OR a IN (2, 3)) ORDER BY b DESC, a", uint64(1))
	f.Add("j.n < 'x' OR d ORDER BY c NULLS LAST", uint64(2))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		s, err := ankql.Parse(text)
		if err == nil {
			s, err = s.Check(model)
		}
		if err != nil {
			return
		}
		w := newWorld(seed, 30)
		check(t, plan.Choose(s, []*plan.Index{w.index(), w.index()}, plan.Statistics{}), s, w)
	})
}

func BenchmarkChoose(b *testing.B) {
	s, err := ankql.Parse("a IN (1, 2, 3) AND b > 'x' AND c BETWEEN 1 AND 5 ORDER BY b DESC LIMIT 10")
	if err == nil {
		s, err = s.Check(model)
	}
	if err != nil {
		b.Fatal(err)
	}
	indexes := []*plan.Index{index("a", "a"), index("ab", "a", "b DESC"), index("b", "b DESC"), index("c", "c")}
	b.ReportAllocs()
	for b.Loop() {
		plan.Choose(s, indexes, plan.Statistics{})
	}
}

// Pages from a cursor on, and back from one, are ranges of the index that the order has, walked
// in order: they cost what they show, wherever in the list they are.
func TestCursorsAreRanges(t *testing.T) {
	ab, abDesc := index("ab", "a", "b"), index("ab-desc", "a", "b DESC")
	row := &thing{id: entity(3), fields: map[string]value.Value{"a": value.Int(5), "b": value.String("x")}}
	for _, c := range []struct {
		text    string
		indexes []*plan.Index
		after   string
		before  string
	}{
		{"ORDER BY a, b LIMIT 10", []*plan.Index{ab}, "walk 4 ranges of index ab", "walk 2 ranges of index ab in reverse"},
		{"a = 5 ORDER BY b DESC LIMIT 10", []*plan.Index{ab, abDesc}, "walk 1 ranges of index ab-desc", "walk 2 ranges of index ab-desc in reverse"},
		{"LIMIT 10", nil, "walk 1 ranges of ids", "walk 1 ranges of ids in reverse"},
	} {
		s, err := ankql.Parse(c.text)
		if err == nil {
			s, err = s.Check(model)
		}
		if err != nil {
			t.Fatal(err)
		}
		cursor := s.Cursor(row, row.id, nil)
		after, err := s.After(cursor)
		if err != nil {
			t.Fatal(err)
		}
		before, err := s.Before(cursor)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Choose(after, c.indexes, plan.Statistics{}).String(); got != c.after {
			t.Errorf("after: %s\n  %s\nwant\n  %s", after, got, c.after)
		}
		if got := plan.Choose(before, c.indexes, plan.Statistics{}).String(); got != c.before {
			t.Errorf("before: %s\n  %s\nwant\n  %s", before, got, c.before)
		}
	}
}

package aggregate_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

var model = &schema.Model{Collection: "order", Properties: []schema.Property{
	{Name: "shop", Type: schema.TypeString, Optional: true},
	{Name: "pieces", Type: schema.TypeInt, Optional: true},
	{Name: "price", Type: schema.TypeFloat, Optional: true},
	{Name: "meta", Type: schema.TypeJSON, Optional: true},
}}

type row map[string]value.Value

func (r row) Field(name string) value.Value { return r[name] }

func everything(groupBy ...string) *ankql.Aggregation {
	a, err := ankql.AggregationOf(&ankql.Selection{Limit: ankql.NoLimit}, groupBy,
		ankql.Count("n"), ankql.CountOf("priced", "price"), ankql.CountDistinct("prices", "price"), ankql.CountDistinct("shops", "shop"),
		ankql.Sum("pieces", "pieces"), ankql.Sum("total", "price"), ankql.Sum("m", "meta.n"), ankql.Avg("mean", "price"), ankql.Avg("avg", "pieces"),
		ankql.Min("least", "price"), ankql.Max("most", "price"), ankql.Min("first", "shop"), ankql.Max("last", "meta.n"))
	if err == nil {
		a, err = a.Check(model, nil)
	}
	if err != nil {
		panic(err)
	}
	return a
}

var limits = aggregate.Limits{Groups: 1000, Values: 10_000}

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

func someRow(r *rand.Rand) row {
	out := row{}
	if r.IntN(4) > 0 {
		out["shop"] = value.String(string(rune('a' + r.IntN(3))))
	}
	if r.IntN(4) > 0 {
		out["pieces"] = value.Int(r.Int64N(7) - 3)
	}
	if r.IntN(4) > 0 {
		out["price"] = []value.Value{value.Float(0.1), value.Float(0.2), value.Float(0), value.Float(math.Copysign(0, -1)), value.Float(1e300), value.Float(-1e300), value.Float(r.NormFloat64())}[r.IntN(7)]
	}
	if r.IntN(4) > 0 {
		tree := []any{nil, int64(1), 1.0, 2.5, "two", true, []any{int64(1)}}[r.IntN(7)]
		out["meta"], _ = value.JSON(map[string]any{"n": tree})
	}
	return out
}

func entityOf(n int) id.EntityID { return id.EntityID{ULID: id.Make(id.Stamp(n+1), [8]byte{1})} }

// world is rows with a table that follows them.
type world struct {
	of    *ankql.Aggregation
	rows  map[id.EntityID]row
	table *aggregate.Table
}

func (w *world) set(t testing.TB, e id.EntityID, next row) {
	if old := w.rows[e]; old != nil {
		must(t, w.table.Remove(old, e))
	}
	delete(w.rows, e)
	if next != nil {
		must(t, w.table.Add(next, e))
		w.rows[e] = next
	}
}

// refill gives the table what it is short of.
func (w *world) refill() (short int) {
	for _, s := range w.table.Short() {
		short++
		list := within(w.of, w.rows, s)
		more := len(list) > s.Want
		w.table.Fill(s, list[:min(len(list), s.Want)], more)
	}
	return short
}

func within(a *ankql.Aggregation, rows map[id.EntityID]row, s aggregate.Short) []aggregate.Row {
	sel := a.Within(s.Key, s.Column)
	var list []aggregate.Row
	for e, r := range rows {
		if sel.Matches(r) {
			list = append(list, aggregate.Row{Entity: e, Fields: r})
		}
	}
	slices.SortFunc(list, func(a, b aggregate.Row) int {
		return slices.Compare(sel.AppendSortKey(nil, a.Fields, a.Entity), sel.AppendSortKey(nil, b.Fields, b.Entity))
	})
	return list
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// showGroup writes a group, bit for bit.
func showGroup(g *aggregate.Group) string {
	if g == nil {
		return "nothing\n"
	}
	text := fmt.Sprintf("%v: %d rows", g.Key, g.Rows)
	for _, v := range g.Values {
		f, _ := v.AsFloat()
		text += fmt.Sprintf(" %s %v %x", v.Kind(), v, math.Float64bits(f))
	}
	return text + "\n"
}

// A1: what a table shows depends on the rows that are in it alone.
func TestKeptInStepIsFilledAnew(t *testing.T) {
	r := seeded(t)
	for _, groupBy := range [][]string{nil, {"shop"}, {"meta.n"}, {"price", "shop"}} {
		w := &world{of: everything(groupBy...), rows: map[id.EntityID]row{}}
		w.table = aggregate.New(w.of, limits)
		known := map[string]string{}
		short := 0
		for step := range 600 {
			for range 1 + r.IntN(3) {
				var next row
				if r.IntN(3) > 0 == (step < 300) {
					next = someRow(r)
				}
				w.set(t, entityOf(r.IntN(60)), next)
			}
			short += w.refill()
			fresh := aggregate.New(w.of, limits)
			for e, x := range w.rows {
				must(t, fresh.Add(x, e))
			}
			for _, name := range w.table.Changed() {
				delete(known, name)
				if g := w.table.Group(name, false); g != nil {
					known[name] = showGroup(g)
				}
			}
			for _, name := range fresh.Changed() {
				if got, want := known[name], showGroup(fresh.Group(name, false)); got != want {
					t.Fatalf("by %v, step %d: kept in step\n%sfilled anew\n%s", groupBy, step, got, want)
				}
			}
			if len(known) != fresh.Len() || w.table.Len() != fresh.Len() {
				t.Fatalf("by %v, step %d: %d groups and %d changed, %d anew", groupBy, step, w.table.Len(), len(known), fresh.Len())
			}
		}
		if short == 0 && len(groupBy) < 2 {
			t.Errorf("by %v: no extreme was ever short, which proves little", groupBy)
		}
		for e := range w.rows {
			w.set(t, e, nil)
		}
		if got, want := w.table.Bytes(), aggregate.New(w.of, limits).Bytes(); got != want {
			t.Errorf("by %v: without rows it takes %d bytes, an empty one %d", groupBy, got, want)
		}
	}
}

// The obvious way to know a group, from all of its rows.
func TestFunctionsMeanWhatSQLSays(t *testing.T) {
	a := everything("shop")
	table := aggregate.New(a, limits)
	doc := func(n any) value.Value { v, _ := value.JSON(map[string]any{"n": n}); return v }
	for i, x := range []row{
		{"shop": value.String("a"), "pieces": value.Int(2), "price": value.Float(0.1), "meta": doc(int64(1))},
		{"shop": value.String("a"), "pieces": value.Int(3), "price": value.Float(0.2), "meta": doc("text")},
		{"shop": value.String("a"), "pieces": value.Null, "price": value.Float(0.2), "meta": doc(0.5)},
		{"shop": value.Null, "price": value.Null},
	} {
		must(t, table.Add(x, entityOf(i)))
	}
	ids := table.Changed()
	want := []string{
		`["a"] [3 3 2 1 5 0.5 1.5 0.16666666666666669 2.5 0.1 0.2 "a" "text"]`,
		`[NULL] [1 0 0 0 NULL NULL NULL NULL NULL NULL NULL NULL NULL]`,
	}
	for i, name := range ids {
		g := table.Group(name, false)
		if got := fmt.Sprint(g.Key, " ", g.Values); got != want[i] {
			t.Errorf("%s\nwant %s", got, want[i])
		}
	}
}

func TestWithoutGroupsThereIsOneAlways(t *testing.T) {
	table := aggregate.New(everything(), limits)
	for range 2 {
		if ids := table.Changed(); len(ids) != 1 {
			t.Fatalf("%d groups of nothing", len(ids))
		}
		g := table.Group("", false)
		if got := fmt.Sprint(g.Rows, g.Values); got != "0 [0 0 0 0 NULL NULL NULL NULL NULL NULL NULL NULL NULL]" {
			t.Errorf("of nothing: %s", got)
		}
		x := row{"price": value.Float(1)}
		must(t, table.Add(x, entityOf(1)))
		must(t, table.Remove(x, entityOf(1)))
	}
}

func TestTablesAreBounded(t *testing.T) {
	table := aggregate.New(everything("shop"), aggregate.Limits{Groups: 2, Values: 3})
	shop := func(s string) row { return row{"shop": value.String(s)} }
	must(t, table.Add(shop("a"), entityOf(1)))
	must(t, table.Add(shop("b"), entityOf(2)))
	if err := table.Add(shop("c"), entityOf(3)); !errors.Is(err, aggregate.ErrGroups) {
		t.Errorf("a third of two groups: %v", err)
	}
	table = aggregate.New(everything(), aggregate.Limits{Groups: 2, Values: 3})
	for i := range 3 {
		must(t, table.Add(row{"price": value.Float(float64(i))}, entityOf(i)))
	}
	must(t, table.Add(row{"price": value.Float(1)}, entityOf(4)))
	if err := table.Add(row{"price": value.Float(3)}, entityOf(5)); !errors.Is(err, aggregate.ErrValues) {
		t.Errorf("a fourth of three values: %v", err)
	}
}

// A group by somebody else, with the differences here, is the group of all rows as they
// are here: exactly, as far as counts and sums go.
func TestDifferencesCombine(t *testing.T) {
	r := seeded(t)
	for _, groupBy := range [][]string{nil, {"shop"}} {
		a := everything(groupBy...)
		for range 300 {
			theirs, whole := aggregate.New(a, limits), aggregate.New(a, limits)
			diff := aggregate.NewDifference(a, limits)
			for i := range r.IntN(12) {
				there, here := someRow(r), someRow(r)
				if r.IntN(3) == 0 {
					there = nil
				} else if r.IntN(3) == 0 {
					here = nil
				}
				pending := r.IntN(2) == 0
				if !pending {
					here = there
				}
				if there != nil {
					must(t, theirs.Add(there, entityOf(i)))
				}
				if here != nil {
					must(t, whole.Add(here, entityOf(i)))
				}
				if pending && there != nil {
					must(t, diff.Deduct(there, entityOf(i)))
				}
				if pending && here != nil {
					must(t, diff.Add(here, entityOf(i)))
				}
			}
			names := slices.Compact(slices.Sorted(slices.Values(slices.Concat(theirs.Changed(), whole.Changed(), diff.Changed()))))
			for _, name := range names {
				base := theirs.Group(name, true)
				if base != nil {
					var err error
					if base, err = aggregate.FromParts(a, base.Key, base.Rows, base.Parts); err != nil {
						t.Fatal(err)
					}
				}
				got, want := aggregate.Combine(base, diff, name), whole.Group(name, false)
				if (got == nil) != (want == nil) {
					t.Fatalf("group %q is %v, want %v", name, got, want)
				}
				if got == nil {
					continue
				}
				for i, c := range a.Columns {
					exact := !c.Distinct && c.Function != ankql.FunctionMin && c.Function != ankql.FunctionMax
					if exact && got.Values[i] != want.Values[i] || got.Rows != want.Rows {
						t.Fatalf("group %q: %s%swant\n%s", name, &c, showGroup(got), showGroup(want))
					}
				}
			}
		}
	}
}

// What is only added is known exactly, extremes too.
func TestAddedExtremesCombine(t *testing.T) {
	a := everything()
	theirs, diff := aggregate.New(a, limits), aggregate.NewDifference(a, limits)
	must(t, theirs.Add(row{"price": value.Float(2)}, entityOf(1)))
	must(t, diff.Add(row{"price": value.Float(1)}, entityOf(2)))
	must(t, diff.Add(row{"price": value.Float(3)}, entityOf(3)))
	g := aggregate.Combine(theirs.Group("", true), diff, "")
	if least, most := g.Values[9], g.Values[10]; least != value.Float(1) || most != value.Float(3) {
		t.Errorf("from %v to %v, want from 1 to 3", least, most)
	}
}

func TestDifferencesEnd(t *testing.T) {
	a := everything("shop")
	diff := aggregate.NewDifference(a, limits)
	x, y := row{"shop": value.String("a"), "price": value.Float(0.1)}, row{"shop": value.String("b"), "price": value.Float(1e300), "pieces": value.Int(3)}
	must(t, diff.Deduct(x, entityOf(1)))
	must(t, diff.Add(y, entityOf(1)))
	must(t, diff.Restore(x, entityOf(1)))
	must(t, diff.Remove(y, entityOf(1)))
	if diff.Len() != 0 {
		t.Errorf("%d groups differ in nothing", diff.Len())
	}
}

func TestMalformedPartsAreRefused(t *testing.T) {
	a := everything("shop")
	table := aggregate.New(a, limits)
	must(t, table.Add(row{"price": value.Float(1)}, entityOf(1)))
	g := table.Group(table.Changed()[0], true)
	for i := range g.Parts {
		if f := a.Columns[i].Function; f == ankql.FunctionMin || f == ankql.FunctionMax {
			continue
		}
		parts := slices.Clone(g.Parts)
		parts[i] = value.String("x")
		if _, err := aggregate.FromParts(a, g.Key, 1, parts); !errors.Is(err, aggregate.ErrParts) {
			t.Errorf("%s made of a text: %v", &a.Columns[i], err)
		}
	}
	if _, err := aggregate.FromParts(a, nil, 1, g.Parts); !errors.Is(err, aggregate.ErrParts) {
		t.Errorf("a group by nothing: %v", err)
	}
	if _, err := aggregate.FromParts(a, g.Key, -1, g.Parts); !errors.Is(err, aggregate.ErrParts) {
		t.Errorf("a group of -1 rows: %v", err)
	}
}

func TestRowsThatNobodyLookedAtAreCounted(t *testing.T) {
	a, err := (&ankql.Aggregation{Columns: []ankql.Aggregate{ankql.Count("n")}}).Check(model, nil)
	must(t, err)
	if !aggregate.CountsOnly(a) || aggregate.CountsOnly(everything()) {
		t.Fatal("COUNT(*) is all that needs no rows")
	}
	table := aggregate.New(a, limits)
	table.AddCount(5)
	must(t, table.Remove(row{}, entityOf(1)))
	if got := table.Group("", false).Values[0]; got != value.Int(4) {
		t.Errorf("5 - 1 = %v", got)
	}
}

func BenchmarkAddRemove(b *testing.B) {
	a := everything("shop")
	table := aggregate.New(a, limits)
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]row, 1000)
	for i := range rows {
		rows[i] = someRow(r)
		must(b, table.Add(rows[i], entityOf(i)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := i % len(rows)
		_ = table.Remove(rows[k], entityOf(k))
		_ = table.Add(rows[k], entityOf(k))
	}
}

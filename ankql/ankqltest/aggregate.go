package ankqltest

import (
	"cmp"
	"math"
	"math/big"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Group is one group of a naive answer.
type Group struct {
	Key    []value.Value
	Rows   []*Row
	Values []value.Value
}

// Aggregation returns a random checked aggregation over a collection.
func (g *Gen) Aggregation(collection string) *ankql.Aggregation {
	own := func(keep func(place) bool) []place {
		return g.suitable(collection, 0, keep)
	}
	paths := own(func(place) bool { return true })
	numbers := own(func(p place) bool {
		return p.property != nil && (p.property.Type == schema.TypeInt || p.property.Type == schema.TypeFloat || p.property.Type == schema.TypeJSON)
	})
	a := &ankql.Aggregation{Where: g.Selection(collection).Where}
	for range g.IntN(3) {
		a.GroupBy = append(a.GroupBy, Pick(g, paths...).path)
	}
	for i := range 1 + g.IntN(4) {
		c := ankql.Aggregate{Name: string(rune('a' + i)), Function: ankql.Function(g.IntN(5))}
		if len(numbers) == 0 && (c.Function == ankql.FunctionSum || c.Function == ankql.FunctionAvg) {
			c.Function = ankql.FunctionCount
		}
		switch c.Function {
		case ankql.FunctionSum, ankql.FunctionAvg:
			c.Path = Pick(g, numbers...).path
		case ankql.FunctionCount:
			if c.Distinct = g.chance(3); c.Distinct || g.chance(2) {
				c.Path = Pick(g, paths...).path
			}
		default:
			c.Path = Pick(g, paths...).path
		}
		a.Columns = append(a.Columns, c)
	}
	checked, err := a.Check(g.World.Models[collection], g.World.Models)
	if err != nil {
		panic(a.String() + ": " + err.Error())
	}
	return checked
}

// Aggregate answers an aggregation by looking at every row of every group, with numbers that
// know no limits.
func (w *World) Aggregate(collection string, a *ankql.Aggregation) []*Group {
	var groups []*Group
	if len(a.GroupBy) == 0 {
		groups = append(groups, &Group{})
	}
	for _, r := range w.Fetch(collection, a.Selection()) {
		var key []value.Value
		for _, path := range a.GroupBy {
			key = append(key, plain(w.follow(path, r)))
		}
		i := slices.IndexFunc(groups, func(g *Group) bool { return compareKeys(g.Key, key) == 0 })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &Group{Key: key})
		}
		groups[i].Rows = append(groups[i].Rows, r)
	}
	slices.SortFunc(groups, func(a, b *Group) int { return compareKeys(a.Key, b.Key) })
	for _, g := range groups {
		for i := range a.Columns {
			g.Values = append(g.Values, w.aggregate(g.Rows, &a.Columns[i]))
		}
	}
	return groups
}

// compareKeys orders keys, with NULL after everything.
func compareKeys(a, b []value.Value) int {
	return slices.CompareFunc(a, b, func(x, y value.Value) int {
		if x.IsNull() || y.IsNull() {
			return cmp.Compare(btoi(x.IsNull()), btoi(y.IsNull()))
		}
		return Order(x, y)
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w *World) aggregate(rows []*Row, c *ankql.Aggregate) value.Value {
	if len(c.Path) == 0 {
		return value.Int(int64(len(rows)))
	}
	var values []value.Value
	for _, r := range rows {
		if v := plain(w.follow(c.Path, r)); !v.IsNull() {
			values = append(values, v)
		}
	}
	slices.SortFunc(values, Order)
	switch c.Function {
	case ankql.FunctionCount:
		if c.Distinct {
			values = slices.CompactFunc(values, func(a, b value.Value) bool { return Order(a, b) == 0 })
		}
		return value.Int(int64(len(values)))
	case ankql.FunctionMin, ankql.FunctionMax:
		if len(values) == 0 {
			return value.Null
		}
		if c.Function == ankql.FunctionMin {
			return values[0]
		}
		return values[len(values)-1]
	}
	return sum(values, c.Function == ankql.FunctionAvg)
}

// sum adds up the numbers among some values.
func sum(values []value.Value, mean bool) value.Value {
	total, special, n, floats := new(big.Rat), 0.0, int64(0), false
	for _, v := range values {
		f, ok := v.AsFloat()
		if !ok {
			continue
		}
		n++
		floats = floats || v.Kind() == value.KindFloat
		if math.IsInf(f, 0) || math.IsNaN(f) {
			special += f
		} else {
			total.Add(total, fraction(v))
		}
	}
	switch {
	case n == 0:
		return value.Null
	case special != 0:
		return value.Float(special)
	case mean:
		total.Quo(total, new(big.Rat).SetInt64(n))
	case !floats && total.IsInt() && total.Num().IsInt64():
		return value.Int(total.Num().Int64())
	}
	f, _ := total.Float64()
	return value.Float(f)
}

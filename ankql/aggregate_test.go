package ankql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

var orderModel = &schema.Model{Collection: "order", Properties: []schema.Property{
	{Name: "shop", Type: schema.TypeString, Optional: true},
	{Name: "pieces", Type: schema.TypeInt, Optional: true},
	{Name: "price", Type: schema.TypeFloat, Optional: true},
	{Name: "paid", Type: schema.TypeBool, Optional: true},
	{Name: "at", Type: schema.TypeTime, Optional: true},
	{Name: "buyer", Type: schema.TypeRef, Optional: true, Target: "person"},
	{Name: "meta", Type: schema.TypeJSON, Optional: true},
}}

func aggregation(t testing.TB, where string, groupBy []string, columns ...ankql.Aggregate) *ankql.Aggregation {
	t.Helper()
	s, err := ankql.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ankql.AggregationOf(s, groupBy, columns...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAggregationSaysWhatItIs(t *testing.T) {
	a, err := aggregation(t, "paid = TRUE ORDER BY price", []string{"shop", "meta.kind"},
		ankql.Count("n"), ankql.CountDistinct("buyers", "buyer"), ankql.Sum("total", "price"), ankql.Max("last", "at")).Check(orderModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "COUNT(*), COUNT(DISTINCT buyer), SUM(price), MAX(at) WHERE paid = TRUE GROUP BY shop, meta.kind"
	if got := a.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAggregatesHaveTypes(t *testing.T) {
	a, err := aggregation(t, "", nil, ankql.Count("a"), ankql.CountOf("b", "shop"), ankql.CountDistinct("c", "shop"),
		ankql.Sum("d", "pieces"), ankql.Sum("e", "price"), ankql.Sum("f", "meta.n"), ankql.Avg("g", "pieces"),
		ankql.Min("h", "at"), ankql.Max("i", "shop"), ankql.Max("j", "meta.n"), ankql.Min("k", "id")).Check(orderModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []schema.Type{"int", "int", "int", "int", "float", "", "float", "time", "string", "", "ref"}
	for i := range a.Columns {
		if got := a.Columns[i].ResultType(); got != want[i] {
			t.Errorf("%s is of type %q, want %q", &a.Columns[i], got, want[i])
		}
	}
}

func TestAggregationIsRefused(t *testing.T) {
	long := make([]ankql.Aggregate, ankql.MaxAggregates+1)
	for i := range long {
		long[i] = ankql.Count(strings.Repeat("n", i+1))
	}
	for _, c := range []struct {
		why     string
		where   string
		groupBy []string
		columns []ankql.Aggregate
	}{
		{"an aggregate, got none", "", nil, nil},
		{"at most 32 aggregates", "", nil, long},
		{"at most 8 paths to group by", "", strings.Split("shop shop shop shop shop shop shop shop shop", " "), []ankql.Aggregate{ankql.Count("n")}},
		{"a number in SUM(shop), got shop, a string", "", nil, []ankql.Aggregate{ankql.Sum("n", "shop")}},
		{"a number in AVG(at), got at, a time", "", nil, []ankql.Aggregate{ankql.Avg("n", "at")}},
		{"a number in SUM(paid), got paid, a bool", "", nil, []ankql.Aggregate{ankql.Sum("n", "paid")}},
		{"did you mean price?", "", nil, []ankql.Aggregate{ankql.Sum("n", "prize")}},
		{"did you mean shop?", "", []string{"shep"}, []ankql.Aggregate{ankql.Count("n")}},
		{"group by buyer itself", "", []string{"buyer.name"}, []ankql.Aggregate{ankql.Count("n")}},
		{"do not follow references", "", nil, []ankql.Aggregate{ankql.Max("n", "buyer.age")}},
		{"different names for the aggregates, got n twice", "", nil, []ankql.Aggregate{ankql.Count("n"), ankql.Count("n")}},
		{"a name of 1 to 128 bytes for COUNT(*)", "", nil, []ankql.Aggregate{ankql.Count("")}},
		{"DISTINCT in COUNT only, got SUM(DISTINCT price)", "", nil, []ankql.Aggregate{{Name: "n", Function: ankql.FunctionSum, Path: ankql.Path{"price"}, Distinct: true}}},
		{"a property in MAX(*)", "", nil, []ankql.Aggregate{{Name: "n", Function: ankql.FunctionMax}}},
		{"a property in COUNT(DISTINCT *)", "", nil, []ankql.Aggregate{{Name: "n", Distinct: true}}},
		{"COUNT, SUM, MIN, MAX or AVG, got function 9", "", nil, []ankql.Aggregate{{Name: "n", Function: 9, Path: ankql.Path{"price"}}}},
		{"TRUE or FALSE", "paid = 'never'", nil, []ankql.Aggregate{ankql.Count("n")}},
	} {
		_, err := aggregation(t, c.where, c.groupBy, c.columns...).Check(orderModel, nil)
		var e *ankql.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v by %v where %q: %v, want %q", c.columns, c.groupBy, c.where, err, c.why)
		}
	}
	limited, _ := ankql.Parse("paid = TRUE LIMIT 5")
	if _, err := ankql.AggregationOf(limited, nil, ankql.Count("n")); err == nil {
		t.Error("a LIMIT is taken")
	}
	if _, err := ankql.AggregationOf(&ankql.Selection{Limit: ankql.NoLimit}, []string{"a b"}); err == nil {
		t.Error("a group by something that is no path is taken")
	}
}

func TestAggregationsWithOneKeyAreOne(t *testing.T) {
	key := func(where string, groupBy []string, columns ...ankql.Aggregate) string {
		a, err := aggregation(t, where, groupBy, columns...).Check(orderModel, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a.Key()
	}
	first := key("paid = TRUE AND price > 1", []string{"shop"}, ankql.Sum("n", "price"))
	if again := key("price > 1.0 AND order.paid", []string{"order.shop"}, ankql.Sum("m", "order.price")); again != first {
		t.Error("the same, written in another way, has another key")
	}
	for i, other := range []string{
		key("paid = TRUE", []string{"shop"}, ankql.Sum("n", "price")),
		key("paid = TRUE AND price > 1", []string{"paid"}, ankql.Sum("n", "price")),
		key("paid = TRUE AND price > 1", nil, ankql.Sum("n", "price")),
		key("paid = TRUE AND price > 1", []string{"shop"}, ankql.Avg("n", "price")),
		key("paid = TRUE AND price > 1", []string{"shop"}, ankql.Sum("n", "pieces")),
		key("paid = TRUE AND price > 1", []string{"shop"}, ankql.CountOf("n", "price")),
		key("paid = TRUE AND price > 1", []string{"shop"}, ankql.CountDistinct("n", "price")),
		key("paid = TRUE AND price > 1", []string{"shop"}, ankql.Count("n")),
		key("paid = TRUE AND price > 1", []string{"shop"}, ankql.Sum("n", "price"), ankql.Count("m")),
	} {
		if other == first {
			t.Errorf("number %d has the same key and is something else", i)
		}
	}
}

// What is equal has one form, so that a group is called the same whichever entity founded it.
func TestEqualValuesHaveOneForm(t *testing.T) {
	minus := 0.0
	minus = -minus
	for _, c := range []struct {
		typ      schema.Type
		in, want value.Value
	}{
		{schema.TypeFloat, value.Float(minus), value.Float(0)},
		{schema.TypeFloat, value.Float(2), value.Float(2)},
		{schema.TypeJSON, value.Float(2), value.Int(2)},
		{schema.TypeJSON, value.Float(minus), value.Int(0)},
		{schema.TypeJSON, value.Float(1 << 63), value.Float(1 << 63)},
		{schema.TypeJSON, value.Float(-1 << 63), value.Int(-1 << 63)},
		{schema.TypeJSON, value.Float(0.5), value.Float(0.5)},
		{schema.TypeString, value.String("a"), value.String("a")},
		{schema.TypeString, value.Null, value.Null},
	} {
		f := &ankql.Field{Path: ankql.Path{"x"}, Type: c.typ}
		if got := f.Canonical(c.in); got != c.want {
			t.Errorf("%v as %s is %v, want %v", c.in, c.typ, got, c.want)
		}
	}
}

func TestWithinFindsTheExtremesOfOneGroup(t *testing.T) {
	a, err := aggregation(t, "paid = TRUE OR shop = 'b'", []string{"shop", "pieces"}, ankql.Count("n"), ankql.Min("lo", "price"), ankql.Max("hi", "price")).Check(orderModel, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := []value.Value{value.String("a"), value.Null}
	for column, want := range map[int]string{
		1: "(paid = TRUE OR shop = 'b') AND shop = 'a' AND pieces IS NULL AND price IS NOT NULL ORDER BY price",
		2: "(paid = TRUE OR shop = 'b') AND shop = 'a' AND pieces IS NULL AND price IS NOT NULL ORDER BY price DESC",
	} {
		s := a.Within(key, column)
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if again, err := s.Check(orderModel); err != nil || again.Key() != s.Key() {
			t.Errorf("%q is not what a check makes of it: %v", want, err)
		}
	}
}

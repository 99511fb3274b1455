package differential

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/pgtest"
)

// Aggregates mean what PostgreSQL means: the groups that a table keeps are those of SQL, in
// its order, with its values. Sums are held against the exact ones of numeric, rounded once;
// means against exact sums, divided and rounded once.
func TestAggregatesAgreeWithPostgreSQL(t *testing.T) {
	p := newPlain(t, pgtest.Database(t))
	ankqltest.Each(t, 40, func(t *testing.T, g *ankqltest.Gen) {
		g.Finite = true // numeric has no sum of infinities that is a float
		collections := generated(g)
		p.load(t, g.World)
		for range 15 {
			c := ankqltest.Pick(g, collections...)
			if a := g.Aggregation(c); sayable(a) {
				agreeOnGroups(t, p, c, a)
			}
		}
	})
}

// sayable reports whether SQL has a word for all of an aggregation: JSON has no one column, and
// bytes have no least.
func sayable(a *ankql.Aggregation) bool {
	for _, k := range a.Keys() {
		if k.Type == schema.TypeJSON {
			return false
		}
	}
	for i := range a.Columns {
		c := &a.Columns[i]
		f := c.Field()
		if f != nil && (f.Type == schema.TypeJSON || f.Type == schema.TypeBytes && (c.Function == ankql.FunctionMin || c.Function == ankql.FunctionMax)) {
			return false
		}
	}
	return true
}

func agreeOnGroups(t *testing.T, p *plain, collection string, a *ankql.Aggregation) {
	t.Helper()
	table := aggregate.New(a, aggregate.Limits{Groups: 1000, Values: 1000})
	for _, r := range p.world.Live(collection) {
		if !a.Selection().MatchesWith(r, p.world) {
			continue
		}
		if err := table.Add(r, r.ID); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, name := range table.Changed() {
		if x := table.Group(name, false); x != nil {
			got = append(got, written(a, x))
		}
	}
	want, err := p.groups(collection, a)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s over %s\n  gives %s\n  want  %s\nof\n%s", a, collection, strings.Join(got, "\n        "), strings.Join(want, "\n        "), p.world.Live(collection))
	}
}

// written writes a group as groups does.
func written(a *ankql.Aggregation, g *aggregate.Group) string {
	parts := []string{fmt.Sprint(g.Rows)}
	for i, v := range g.Values {
		parts = append(parts, plainText(&a.Columns[i], v))
	}
	return strings.Join(parts, " | ")
}

func plainText(c *ankql.Aggregate, v value.Value) string {
	switch v.Kind() {
	case value.KindNull:
		return "NULL"
	case value.KindString:
		s, _ := v.AsString()
		return s
	case value.KindFloat:
		f, _ := v.AsFloat()
		return floatText(f)
	case value.KindInt:
		return new(big.Rat).SetInt64(must(v.AsInt())).RatString()
	}
	return v.String()
}

func must[T any](v T, _ bool) T { return v }

// groups returns PostgreSQL's groups: their rows and the values of each.
func (p *plain) groups(collection string, a *ankql.Aggregation) ([]string, error) {
	columns := []string{"count(*)::text"}
	for i := range a.Columns {
		columns = append(columns, p.aggregate(collection, &a.Columns[i]), p.counted(collection, &a.Columns[i]))
	}
	var keys []string
	for _, path := range a.GroupBy {
		keys = append(keys, p.only(collection, path))
	}
	sql := "SELECT ARRAY[" + strings.Join(columns, ", ") + "] FROM " + quoted(collection) + " AS t WHERE " + p.predicate(collection, a.Where)
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ") + " ORDER BY " + strings.Join(keys, ", ") // NULL is last
	}
	rows, err := p.conn.Query(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, clip(sql))
	}
	var out []string
	var texts []*string
	_, err = pgx.ForEachRow(rows, []any{&texts}, func() error {
		parts := []string{*texts[0]}
		for i := range a.Columns {
			parts = append(parts, spoken(&a.Columns[i], texts[1+2*i], texts[2+2*i]))
		}
		out = append(out, strings.Join(parts, " | "))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, clip(sql))
	}
	return out, nil
}

// only returns the one column of a property; of a number the exact one.
func (p *plain) only(collection string, path ankql.Path) string {
	for _, part := range p.field(collection, "t", path).parts {
		return part
	}
	return "NULL"
}

func (p *plain) aggregate(collection string, c *ankql.Aggregate) string {
	if c.Field() == nil {
		return "count(*)::text"
	}
	column := p.only(collection, c.Path)
	switch c.Function {
	case ankql.FunctionSum, ankql.FunctionAvg:
		return "sum(" + column + ")::text"
	case ankql.FunctionMin, ankql.FunctionMax:
		if c.Field().Type == schema.TypeBool {
			return map[ankql.Function]string{ankql.FunctionMin: "bool_and", ankql.FunctionMax: "bool_or"}[c.Function] + "(" + column + ")::text"
		}
		return strings.ToLower(c.Function.String()) + "(" + column + ")::text"
	}
	if c.Distinct {
		return "count(DISTINCT " + column + ")::text"
	}
	return "count(" + column + ")::text"
}

// counted is how many values an aggregate is of.
func (p *plain) counted(collection string, c *ankql.Aggregate) string {
	if c.Field() == nil {
		return "count(*)::text"
	}
	return "count(" + p.only(collection, c.Path) + ")::text"
}

// spoken writes one of PostgreSQL's values as plainText does.
func spoken(c *ankql.Aggregate, said, counted *string) string {
	if said == nil {
		return "NULL"
	}
	number, ok := new(big.Rat).SetString(*said)
	if !ok || c.Field() != nil && !isNumber(c.Field().Type) && c.Function != ankql.FunctionCount {
		return *said
	}
	switch {
	case c.Function == ankql.FunctionAvg:
		n, _ := new(big.Rat).SetString(*counted)
		number.Quo(number, n)
	case c.Function != ankql.FunctionSum, c.Field().Type == schema.TypeInt && number.Num().IsInt64():
		return number.RatString()
	}
	f, _ := number.Float64()
	return floatText(f)
}

// floatText writes a float exactly; a sum may be beyond the greatest.
func floatText(f float64) string {
	if math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return new(big.Rat).SetFloat64(f).RatString()
}

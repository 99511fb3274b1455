package ankql_test

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
)

// TestBuilderMakesTheSameTrees: 125.
func TestBuilderMakesTheSameTrees(t *testing.T) {
	name, age := "Bob", 5
	for text, c := range map[string]ankql.Condition{
		"":                            ankql.Where(""),
		"name = 'Bob'":                ankql.Eq("name", name),
		"age != 5":                    ankql.Ne("age", age),
		"age <> 5":                    ankql.Ne("age", age),
		"age < 5":                     ankql.Lt("age", age),
		"age <= 5":                    ankql.Le("age", age),
		"age > 5":                     ankql.Gt("age", age),
		"age >= 5":                    ankql.Ge("age", age),
		"name = 'Bob' AND age > 5":    ankql.Eq("name", name).And(ankql.Gt("age", age)),
		"a = 1 OR b = 2 AND c = 3":    ankql.Eq("a", 1).Or(ankql.Eq("b", 2).And(ankql.Eq("c", 3))),
		"(a = 1 OR b = 2) AND c = 3":  ankql.Eq("a", 1).Or(ankql.Eq("b", 2)).And(ankql.Eq("c", 3)),
		"NOT (a = 1 AND b = 2)":       ankql.Eq("a", 1).And(ankql.Eq("b", 2)).Not(),
		"a IN (1, 2)":                 ankql.In("a", []int{1, 2}),
		"a IN ()":                     ankql.In("a", []string(nil)),
		"NOT a IN ('x', 5)":           ankql.In("a", []any{"x", 5}).Not(),
		"a BETWEEN 1 AND 2.5":         ankql.Between("a", 1, 2.5),
		"a LIKE 'x%'":                 ankql.Like("a", "x%"),
		"a NOT ILIKE 'x%'":            ankql.ILike("a", "x%").Not(),
		"a LIKE 'x!%' ESCAPE '!'":     ankql.LikeEscape("a", "x!%", '!'),
		"a NOT ILIKE 'x\\' ESCAPE ''": ankql.ILikeEscape("a", `x\`, ankql.NoEscape).Not(),
		"a LIKE 'x' ESCAPE '\\'":      ankql.Like("a", "x"),
		"a IN (1, b, 'x')":            ankql.In("a", []any{1, ankql.Column("b"), "x"}),
		"a NOT IN (b, c.d)":           ankql.In("a", []ankql.Column{"b", "c.d"}).Not(),
		"5 IN (a, b)":                 ankql.Eq("a", 5).Or(ankql.Eq("b", 5)),
		"3 BETWEEN a AND b":           ankql.Le("a", 3).And(ankql.Ge("b", 3)),
		"a BETWEEN b AND 3":           ankql.Between("a", ankql.Column("b"), 3),
		"TRUE":                        {},
		"FALSE":                       ankql.Condition{}.Not(),
		"a OR NOT b":                  ankql.Eq("a", true).Or(ankql.Eq("b", true).Not()),
		"a IS NULL":                   ankql.IsNull("a"),
		"a.b IS NOT NULL":             ankql.IsNotNull("a.b"),
		"a = b":                       ankql.Eq("a", ankql.Column("b")),
		`meta."a key".x = TRUE`:       ankql.Eq(`meta."a key".x`, true),
		"a = 1 AND (b OR c LIKE 'x')": ankql.Eq("a", 1).And(ankql.Where("b OR c LIKE ?", "x")),
		"a = 1 AND TRUE AND b = 2":    ankql.Eq("a", 1).And(ankql.Condition{}, ankql.Eq("b", 2)),
		"a = 1 AND b = 2 AND c = 3":   ankql.Eq("a", 1).And(ankql.Eq("b", 2).And(ankql.Eq("c", 3))),
		"FALSE OR a = 1":              ankql.Where("FALSE").Or(ankql.Eq("a", 1)),
	} {
		got, err := ankql.From(c).Selection()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want := mustParse(t, text); !ankql.Equal(got, want) {
			t.Errorf("%s: built %s", text, got)
		}
	}
}

func TestQueryMakesTheSameSelections(t *testing.T) {
	base := ankql.From(ankql.Gt("year", 1985)).OrderBy("name")
	for text, q := range map[string]ankql.Query{
		"year > 1985 ORDER BY name":                                base,
		"year > 1985 ORDER BY name LIMIT 50":                       base.Take(50),
		"year > 1985 ORDER BY name, year DESC LIMIT 0":             base.OrderByDesc("year").Take(0),
		"year > 1985 ORDER BY name, artist.name":                   base.OrderBy("artist.name"),
		"year > 1985 ORDER BY name NULLS FIRST, a DESC NULLS LAST": base.NullsFirst().OrderByDesc("a").NullsLast(),
		"":              {},
		"ORDER BY name": ankql.Query{}.OrderBy("name"),
	} {
		got, err := q.Selection()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want := mustParse(t, text); !ankql.Equal(got, want) {
			t.Errorf("%s: built %s", text, got)
		}
	}
}

func TestBuilderKeepsItsFirstMistake(t *testing.T) {
	for name, c := range map[string]ankql.Condition{
		"path": ankql.Eq("a b", 1), "empty path": ankql.Eq("", 1), "reserved": ankql.IsNull("null"), "value": ankql.Eq("a", make(chan int)), "list": ankql.Eq("a", []int{1}),
		"no list": ankql.In("a", 5), "pattern": ankql.Like("a", `x\`), "column": ankql.Eq("a", ankql.Column("b c")), "text": ankql.Where("a ="), "order": ankql.Where("a ORDER BY a"),
		"escape": ankql.LikeEscape("a", "x!", '!'), "columns": ankql.In("a", make([]ankql.Column, ankql.MaxColumns+1)), "no column": ankql.In("a", []any{ankql.Column("b c")}),
		"a column among the parameters": ankql.Where("a = ?", ankql.Column("b")),
		"between":                       ankql.Between("a", struct{}{}, 1), "in path": ankql.In("a.", []int{1}), "like path": ankql.Like("", "x"), "item": ankql.In("a", []any{struct{}{}}),
	} {
		if _, err := ankql.From(c.Not().Or(ankql.Eq("x", 1)).And(ankql.Eq("y", 2))).OrderBy("z").Selection(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, q := range map[string]ankql.Query{"order": ankql.Query{}.OrderBy("a b").OrderBy(""), "take": ankql.Query{}.Take(-1).Take(-2)} {
		if _, err := q.Selection(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEntities(t *testing.T) {
	e := func(n ...byte) []id.EntityID {
		out := []id.EntityID{}
		for _, n := range n {
			out = append(out, entity(n))
		}
		return out
	}
	for _, c := range []struct {
		text   string
		params []any
		want   []id.EntityID
		exact  bool
	}{
		{"id = ?", []any{entity(1)}, e(1), true},
		{"? = id", []any{entity(1).String()}, e(1), true},
		{"id IN ?", []any{e(3, 1, 3)}, e(1, 3), true},
		{"id IN ()", nil, e(), true},
		{"id = ?", []any{nil}, e(), true},
		{"FALSE", nil, e(), true},
		{"id = ? AND plays > 5", []any{entity(1)}, e(1), false},
		{"id IN ? AND id IN ?", []any{e(1, 2, 3), e(2, 3, 4)}, e(2, 3), true},
		{"id = ? AND id = ? AND plays > 5", []any{entity(1), entity(2)}, e(), true},
		{"id = ? OR id = ?", []any{entity(2), entity(1)}, e(1, 2), true},
		{"id = ? OR id = ? AND active", []any{entity(2), entity(1)}, e(1, 2), false},
		{"(id IN ? OR id = ?) AND name = 'x'", []any{e(1, 2), entity(5)}, e(1, 2, 5), false},
		{"id = ? OR plays > 5", []any{entity(1)}, nil, false},
		{"NOT id = ?", []any{entity(1)}, nil, false},
		{"id > ?", []any{entity(1)}, nil, false},
		{"artist = ?", []any{entity(1)}, nil, false},
		{"", nil, nil, false},
	} {
		got, exact := mustCheck(t, albumModel, c.text, c.params...).Entities()
		if (got == nil) != (c.want == nil) || len(got) != len(c.want) || exact != c.exact {
			t.Errorf("%s: got %v, %v", c.text, got, exact)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: got %v, want %v", c.text, got, c.want)
			}
		}
	}
}

// TestEntitiesIsNeverShort: what matches is among the entities named.
func TestEntitiesIsNeverShort(t *testing.T) {
	g := randomWorld(6)
	rows := g.World.Live("album")
	named := 0
	for range 20_000 {
		s := g.Selection("album")
		ids, exact := s.Entities()
		if ids == nil {
			continue
		}
		named++
		r := ankqltest.Pick(g, rows...)
		among := slices.Contains(ids, r.ID)
		if matches := s.Matches(r); matches && !among || exact && among != matches {
			t.Fatalf("%s names %v, exactly: %v; matches %v", s, ids, exact, r)
		}
	}
	if named < 100 {
		t.Errorf("only %d selections named entities", named)
	}
}

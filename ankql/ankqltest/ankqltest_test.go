package ankqltest_test

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/value"
)

// TestSameSeedSameWorld: everything follows from the seed.
func TestSameSeedSameWorld(t *testing.T) {
	story := func(seed uint64) (lines []string) {
		g := ankqltest.New(seed)
		g.References = true
		g.Model("thing")
		for range 60 {
			op := g.Op()
			g.World.Do(op, ankqltest.ID(len(g.World.Rows)))
			s := g.Selection(op.Collection)
			lines = append(lines, op.String(), s.String())
			for _, r := range g.World.Fetch(op.Collection, s) {
				lines = append(lines, r.String())
			}
		}
		return lines
	}
	for seed := range uint64(50) {
		if !slices.Equal(story(seed), story(seed)) {
			t.Fatalf("seed %d tells two stories", seed)
		}
	}
	if slices.Equal(story(1), story(2)) {
		t.Error("two seeds tell one story")
	}
}

// TestReach: what is random says something: each operator is drawn, selections find some
// rows and not others, and every truth value occurs.
func TestReach(t *testing.T) {
	g := ankqltest.New(1)
	g.Fill("artist", 5)
	g.Fill("album", 40)
	g.References = true
	kinds, truths, found := map[string]int{}, map[ankql.Truth]int{}, map[string]int{}
	for range 2000 {
		s := g.Selection("album")
		count(s.Where, kinds)
		switch n := len(g.World.Fetch("album", s)); n {
		case 0:
			found["none"]++
		case 40:
			found["all"]++
		default:
			found["some"]++
		}
		for _, r := range g.World.Live("album") {
			truths[g.World.Truth(s.Where, r)]++
		}
	}
	for _, kind := range []string{"and", "or", "not", "literal", "column", "in", "like", "null", "constant", "reference", "json"} {
		if kinds[kind] < 100 {
			t.Errorf("%d × %s", kinds[kind], kind)
		}
	}
	if len(truths) != 3 || found["some"] < 400 || found["none"] > 1400 {
		t.Errorf("truths %v, found %v", truths, found)
	}
}

func count(e ankql.Expr, kinds map[string]int) {
	ankql.EachField(e, func(f *ankql.Field) {
		if len(f.Targets) > 0 {
			kinds["reference"]++
		} else if len(f.Path) > 1 {
			kinds["json"]++
		}
	})
	switch e := e.(type) {
	case *ankql.Conjunction:
		kinds["and"]++
		for _, t := range e.Terms {
			count(t, kinds)
		}
	case *ankql.Disjunction:
		kinds["or"]++
		for _, t := range e.Terms {
			count(t, kinds)
		}
	case *ankql.Negation:
		kinds["not"]++
		count(e.Term, kinds)
	case *ankql.Comparison:
		if _, ok := e.Right.(*ankql.Field); ok {
			kinds["column"]++
		} else {
			kinds["literal"]++
		}
	case *ankql.Membership:
		kinds["in"]++
	case *ankql.Match:
		kinds["like"]++
	case *ankql.NullTest:
		kinds["null"]++
	default:
		kinds["constant"]++
	}
}

// TestRowsKeepTheirModel: rows and edits hold what their properties take.
func TestRowsKeepTheirModel(t *testing.T) {
	ankqltest.Each(t, 100, func(t *testing.T, g *ankqltest.Gen) {
		m := g.Model("thing")
		for range 50 {
			op := g.Op()
			g.World.Do(op, ankqltest.ID(len(g.World.Rows)))
		}
		for _, r := range g.World.Live("thing") {
			for i := range m.Properties {
				if err := m.Properties[i].Check(r.Field(m.Properties[i].Name)); err != nil {
					t.Errorf("%s: %v", r, err)
				}
			}
		}
	})
}

func TestClone(t *testing.T) {
	g := ankqltest.New(1)
	g.Fill("album", 3)
	before := g.World.Clone()
	g.World.Do(ankqltest.Op{Kind: ankqltest.Delete, Collection: "album", Entity: ankqltest.ID(0)}, ankqltest.ID(0))
	g.World.Do(ankqltest.Op{Kind: ankqltest.Edit, Collection: "album", Entity: ankqltest.ID(1), Set: map[string]value.Value{"plays": value.Int(77)}}, ankqltest.ID(0))
	g.Fill("album", 1)
	if len(before.Live("album")) != 3 || before.Row(ankqltest.ID(1)).Field("plays") == value.Int(77) || before.Row(ankqltest.ID(3)) != nil {
		t.Error("what became of the world changed its clone")
	}
	if len(g.World.Live("album")) != 3 || g.World.Row(ankqltest.ID(1)).Field("plays") != value.Int(77) {
		t.Error("the world did not change")
	}
}

// TestShrink: what is left of a failure is what it takes.
func TestShrink(t *testing.T) {
	g := ankqltest.New(1)
	s, err := ankql.Parse("(year > 1 OR NOT (plays IN (1, 2, 3) AND name = 'a')) AND live ORDER BY name, year LIMIT 3")
	if err == nil {
		s, err = s.Check(g.World.Models["album"])
	}
	if err != nil {
		t.Fatal(err)
	}
	small := ankqltest.Shrink(s, func(s *ankql.Selection) bool {
		mentions := false
		ankql.EachField(s.Where, func(f *ankql.Field) { mentions = mentions || f.Path.String() == "plays" })
		return mentions && len(s.Order) > 0
	})
	if got := small.String(); got != "plays IN () ORDER BY year" {
		t.Errorf("got %s", got)
	}
	g.Fill("album", 30)
	rows := ankqltest.ShrinkRows(g.World.Live("album"), func(rows []*ankqltest.Row) bool {
		return slices.ContainsFunc(rows, func(r *ankqltest.Row) bool { return !r.Field("year").IsNull() })
	})
	if len(rows) != 1 || len(rows[0].Values) != 1 {
		t.Errorf("got %v", rows)
	}
}

// TestSweep: the operations of a sweep can be carried out one after the other.
func TestSweep(t *testing.T) {
	g := ankqltest.New(1)
	g.Fill("album", 40)
	g.Fill("artist", 40)
	kinds := map[ankqltest.OpKind]int{}
	for range 200 {
		for _, op := range g.Sweep() {
			if r := g.World.Row(op.Entity); r.Deleted != (op.Kind == ankqltest.Restore) {
				t.Fatalf("%s of %s", op, r)
			}
			g.World.Do(op, op.Entity)
			kinds[op.Kind]++
		}
	}
	if len(kinds) != 3 {
		t.Errorf("got %v", kinds)
	}
}

package differential

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// subject is something that answers selections.
type subject struct {
	name  string
	fetch func(collection string, s *ankql.Selection) ([]string, error)
}

// agree makes a failure of each subject whose answer to a selection is not that of the world,
// with the smallest selection that shows it.
func agree(t *testing.T, w *ankqltest.World, collection string, s *ankql.Selection, subjects []subject) {
	t.Helper()
	for _, sub := range subjects {
		differs := func(s *ankql.Selection) bool {
			got, err := sub.fetch(collection, s)
			return err != nil || !slices.Equal(got, ids(w.Fetch(collection, s)))
		}
		if !differs(s) {
			continue
		}
		small := ankqltest.Shrink(s, differs)
		got, err := sub.fetch(collection, small)
		t.Errorf("%s: %s\n  gives %v %v\n  want  %v\nfound as %s; the rows are\n%s",
			sub.name, small, err, got, ids(w.Fetch(collection, small)), s, table(w.Live(collection)))
	}
}

func ids(rows []*ankqltest.Row) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.ID.String())
	}
	return out
}

func table(rows []*ankqltest.Row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	return b.Bytes()
}

// language is the evaluation of package ankql itself.
func language(w *ankqltest.World) subject {
	return subject{"ankql", func(collection string, s *ankql.Selection) ([]string, error) {
		rows := slices.DeleteFunc(w.Live(collection), func(r *ankqltest.Row) bool { return !s.MatchesWith(r, w) })
		slices.SortFunc(rows, func(a, b *ankqltest.Row) int {
			return bytes.Compare(s.AppendSortKeyWith(nil, a, a.ID, w), s.AppendSortKeyWith(nil, b, b.ID, w))
		})
		if s.Limit != ankql.NoLimit {
			rows = rows[:min(len(rows), s.Limit)]
		}
		return ids(rows), nil
	}}
}

// generated makes a generator of what PostgreSQL can store, and its world.
func generated(g *ankqltest.Gen) []string {
	g.NoNUL = true
	g.Model("thing")
	collections := g.World.Models.Collections()
	for range 2 {
		for _, c := range collections {
			g.Fill(c, 4+g.IntN(14))
		}
	}
	return collections
}

// tests returns the predicates that a predicate is made of: what has no others inside.
func tests(e ankql.Expr) []ankql.Expr {
	var list []ankql.Expr
	switch e := e.(type) {
	case *ankql.Conjunction:
		for _, t := range e.Terms {
			list = append(list, tests(t)...)
		}
	case *ankql.Disjunction:
		for _, t := range e.Terms {
			list = append(list, tests(t)...)
		}
	case *ankql.Negation:
		list = tests(e.Term)
	default:
		list = append(list, e)
	}
	return list
}

// The language means what PostgreSQL means, also behind references: for each row each
// predicate has the same truth value, and selections have the same rows in the same order.
func TestLanguageAgreesWithPostgreSQL(t *testing.T) {
	p := newPlain(t, pgtest.Database(t))
	ankqltest.Each(t, 60, func(t *testing.T, g *ankqltest.Gen) {
		g.References = g.IntN(3) == 0
		collections := generated(g)
		p.load(t, g.World)
		subjects := []subject{language(g.World), {"PostgreSQL", p.fetch}}
		for range 25 {
			c := ankqltest.Pick(g, collections...)
			s := g.Selection(c)
			agree(t, g.World, c, s, subjects)
			agreeOnTruth(t, p, c, append(tests(s.Where), s.Where))
		}
	})
}

// agreeOnTruth holds what the language and PostgreSQL say of each row against each other, and
// against the world.
func agreeOnTruth(t *testing.T, p *plain, collection string, predicates []ankql.Expr) {
	t.Helper()
	said, err := p.truths(collection, predicates)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.world.Live(collection) {
		for i, e := range predicates {
			language, postgres := ankql.Evaluate(e, r, p.world), said[r.ID.String()][i]
			if want := p.world.Truth(e, r); language != want || postgres != want {
				t.Fatalf("%s is %s in AnkQL and %s in PostgreSQL, and should be %s, of\n%s\n%s",
					e, language, postgres, want, r, clip(p.predicate(collection, e)))
			}
		}
	}
}

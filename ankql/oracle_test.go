package ankql_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
)

// randomWorld returns a generator over some albums and artists that refer to each other.
func randomWorld(seed uint64) *ankqltest.Gen {
	g := ankqltest.New(seed)
	g.References = true
	g.Fill("artist", 4)
	g.Fill("album", 12)
	return g
}

// TestEvaluateAgainstOracle: 139, 140, 144 to 146 and 148, as far as this package goes. A
// selection says of a row what the truth tables say.
func TestEvaluateAgainstOracle(t *testing.T) {
	ankqltest.Each(t, 100, func(t *testing.T, g *ankqltest.Gen) {
		g.References = true
		collection := "album"
		if g.IntN(2) == 0 {
			collection = "thing"
			g.Model(collection)
		}
		g.Fill("artist", 4)
		g.Fill("album", 6)
		g.Fill(collection, 12)
		for range 40 {
			agrees(t, g, collection, g.Selection(collection))
		}
	})
}

// agrees holds evaluation against the oracle, of all rows.
func agrees(t *testing.T, g *ankqltest.Gen, collection string, s *ankql.Selection) {
	t.Helper()
	differs := func(s *ankql.Selection, r *ankqltest.Row) bool {
		want := g.World.Truth(s.Where, r)
		return ankql.Evaluate(s.Where, r, g.World) != want || s.MatchesWith(r, g.World) != (want == ankql.TruthTrue)
	}
	for _, r := range g.World.Live(collection) {
		if differs(s, r) {
			s = ankqltest.Shrink(s, func(s *ankql.Selection) bool { return differs(s, r) })
			t.Fatalf("%s\non %s: got %v, want %v", s, r, ankql.Evaluate(s.Where, r, g.World), g.World.Truth(s.Where, r))
		}
		alone := ankqltest.NewWorld(g.World.Models)
		if want := alone.Truth(s.Where, r) == ankql.TruthTrue; s.Matches(r) != want {
			t.Fatalf("%s\non %s without a resolver: matches %v", s, r, !want)
		}
	}
}

// TestCheckIsIdempotent: a checked selection is accepted as it is, and has the same key.
func TestCheckIsIdempotent(t *testing.T) {
	g := randomWorld(2)
	for range 2000 {
		once := g.Selection("album")
		twice, err := once.CheckWith(g.World.Models["album"], g.World.Models)
		if err != nil || !ankql.Equal(once, twice) || once.Key() != twice.Key() {
			t.Fatalf("%s\nbecame %s, %v", once, twice, err)
		}
	}
}

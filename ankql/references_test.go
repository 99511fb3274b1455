package ankql_test

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
)

// TestPartsOfReferences: what a selection says of the entity itself, and of the one behind a
// reference.
func TestPartsOfReferences(t *testing.T) {
	discs := &schema.Model{Collection: "disc", Properties: []schema.Property{
		{Name: "year", Type: schema.TypeInt}, {Name: "by", Type: schema.TypeRef, Target: "band"}, {Name: "on", Type: schema.TypeRef},
	}}
	bands := &schema.Model{Collection: "band", Properties: []schema.Property{{Name: "name", Type: schema.TypeString}, {Name: "on", Type: schema.TypeRef, Target: "firm"}}}
	for _, c := range []struct{ text, local, behind string }{
		{"year = 1", "year = 1", ""},
		{"by.name = 'a'", "TRUE", "name = 'a'"},
		{"by.name = 'a' AND year > 1", "year > 1", "name = 'a'"},
		{"by.name = 'a' AND by.on.name IN ('x', 'y') AND by IS NOT NULL", "by IS NOT NULL", "name = 'a' AND \"on\".name IN ('x', 'y')"},
		{"by.name = 'a' OR year > 1", "TRUE", ""},
		{"by.name = 'a' OR by.name = 'b'", "TRUE", "name = 'a' OR name = 'b'"},
		{"(year = 1 AND by.name = 'a') OR year = 2", "year = 1 OR year = 2", ""},
		{"NOT (by.name = 'a') AND NOT (year = 1)", "NOT year = 1", "NOT name = 'a'"},
		{"by.name IS NULL", "TRUE", ""},           // true where there is no band
		{"NOT (by.name IS NOT NULL)", "TRUE", ""}, // likewise
		{"by.name = 'a' OR year IS NULL", "TRUE", ""},
		{"by.name IS NOT NULL", "TRUE", "NOT name IS NULL"},
		{"on.name = 'a'", "TRUE", ""}, // of no one collection
		{"by.name = on.name", "TRUE", ""},
	} {
		s, err := ankql.Parse(c.text)
		if err == nil {
			s, err = s.CheckWith(discs, theModels{"band": bands})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := ankql.Local(s.Where).String(); got != mustParse(t, c.local).Where.String() {
			t.Errorf("%s: local part %s, want %s", c.text, got, c.local)
		}
		collection, behind := ankql.Behind(s.Where, "by")
		switch {
		case behind == nil && c.behind != "" || behind != nil && c.behind == "":
			t.Errorf("%s: behind by %v, want %q", c.text, behind, c.behind)
		case behind != nil && (collection != "band" || behind.String() != mustParse(t, c.behind).Where.String()):
			t.Errorf("%s: behind by %s of %s, want %s", c.text, behind, collection, c.behind)
		}
	}
}

type theModels map[string]*schema.Model

func (m theModels) Model(collection string) (*schema.Model, bool) {
	x, ok := m[collection]
	return x, ok
}

// TestPartsAreNecessary: where a selection is true of an entity, its local part is; and what
// it says of the entity behind a reference is true of one, which the reference names.
func TestPartsAreNecessary(t *testing.T) {
	ankqltest.Each(t, 300, func(t *testing.T, g *ankqltest.Gen) {
		g.References, g.NoOrder, g.NoLimit = true, true, true
		g.Fill("artist", 5)
		g.Fill("album", 15)
		s := g.Selection("album")
		for _, row := range g.World.Live("album") {
			if !s.MatchesWith(row, g.World) {
				continue
			}
			if ankql.Evaluate(ankql.Local(s.Where), row, nil) != ankql.TruthTrue {
				t.Fatalf("%s is true of %v and its local part %s is not", s, row, ankql.Local(s.Where))
			}
			for _, reference := range []string{"artist", "sequel"} {
				collection, behind := ankql.Behind(s.Where, reference)
				if behind == nil {
					continue
				}
				e, _ := row.Field(reference).AsID()
				target, ok := g.World.Resolve(collection, e)
				if !ok || ankql.Evaluate(behind, target, g.World) != ankql.TruthTrue {
					t.Fatalf("%s is true of %v, and %s not of %s %v", s, row, behind, collection, target)
				}
				if naming := ankql.Naming(reference, []id.EntityID{e}); ankql.Evaluate(naming, row, nil) != ankql.TruthTrue {
					t.Fatalf("%s is not true of %v", naming, row)
				}
			}
		}
	})
}

// TestReferencesAreLimited: whoever keeps a result true keeps up with every reference.
func TestReferencesAreLimited(t *testing.T) {
	discs := &schema.Model{Collection: "disc", Properties: []schema.Property{{Name: "on", Type: schema.TypeRef}, {Name: "by", Type: schema.TypeRef, Target: "band"}}}
	follow := func(format string, n int) error {
		text := "TRUE"
		for i := range n {
			text += " AND " + fmt.Sprintf(format, i)
		}
		_, err := mustParse(t, text).Check(discs)
		return err
	}
	if err := follow("on.p%d.name = 1", ankql.MaxReferences-1); err != nil { // on itself is one
		t.Error(err)
	}
	if err := follow("on.p%d.name = 1", ankql.MaxReferences); err == nil {
		t.Error("too many references were taken")
	}
	if err := follow("by.name != 'p%d'", 1000); err != nil {
		t.Errorf("one reference in many places: %v", err)
	}
}

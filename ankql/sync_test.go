package ankql_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// TestPartsOfSync: what is left of a selection for rows of one state, and of any.
func TestPartsOfSync(t *testing.T) {
	for _, c := range []struct{ text, synced, pending, any string }{
		{"year = 1", "year = 1", "year = 1", "year = 1"},
		{"$sync = 'pending'", "FALSE", "TRUE", "TRUE"},
		{"$sync != 'pending'", "TRUE", "FALSE", "TRUE"},
		{"$sync = 'pending' AND year = 1", "FALSE", "year = 1", "year = 1"},
		{"$sync = 'pending' OR year = 1", "year = 1", "TRUE", "TRUE"},
		{"NOT ($sync = 'pending' OR year = 1)", "NOT year = 1", "FALSE", "NOT year = 1"},
		{"NOT ($sync = 'pending' AND year = 1)", "TRUE", "NOT year = 1", "TRUE"},
		{"$sync = 'pending' AND year = 1 OR $sync = 'refused' AND year = 2", "FALSE", "year = 1", "year = 1 OR year = 2"},
		{"$sync IN ('synced', 'refused') AND year IS NULL", "year IS NULL", "FALSE", "year IS NULL"},
		{"$sync LIKE 'p%'", "FALSE", "TRUE", "TRUE"},
		{"$sync IS NULL", "FALSE", "FALSE", "FALSE"},
		{"$sync = name", "name = 'synced'", "name = 'pending'", "name = 'synced' OR name = 'pending' OR name = 'refused'"},
		{"name < $sync", "name < 'synced'", "name < 'pending'", "name < 'synced' OR name < 'pending' OR name < 'refused'"},
		{"$sync = $sync", "TRUE", "TRUE", "TRUE"},
	} {
		where := mustParse(t, c.text).Where
		for want, got := range map[string]ankql.Expr{c.synced: ankql.WhereSync(where, schema.Synced), c.pending: ankql.WhereSync(where, schema.Pending), c.any: ankql.AnySync(where)} {
			if got.String() != want {
				t.Errorf("%s: left %s, want %s", c.text, got, want)
			}
		}
	}
}

// TestSyncedSelection: what is asked of a node that knows nothing of the states.
func TestSyncedSelection(t *testing.T) {
	s := mustParse(t, "$sync != 'pending' AND year > 1 ORDER BY $sync DESC, name LIMIT 5")
	if !s.AsksSync() || !mustParse(t, "ORDER BY $sync").AsksSync() {
		t.Error("nobody noticed that a selection asks for the state")
	}
	got := s.Synced()
	if text := got.String(); text != "year > 1 ORDER BY name LIMIT 5" || got.AsksSync() {
		t.Errorf("asked for %s", text)
	}
	if s.String() != "$sync != 'pending' AND year > 1 ORDER BY $sync DESC, name LIMIT 5" {
		t.Errorf("the selection itself became %s", s)
	}
}

// TestSyncAgainstEvaluation: the parts say of a row of a state what the whole says of it, in
// three-valued logic, for any predicate.
func TestSyncAgainstEvaluation(t *testing.T) {
	ankqltest.Each(t, 60, func(t *testing.T, g *ankqltest.Gen) {
		album := g.World.Models["album"]
		at := -1
		for i := range album.Properties {
			if album.Properties[i].Name == "format" {
				at, album.Properties[i].Enum = i, schema.SyncStates[:]
			}
		}
		g.Fill("album", 8)
		for range 40 {
			where := ankql.MapFields(g.Selection("album").Where, func(f *ankql.Field) *ankql.Field {
				if f.Path[0] != album.Properties[at].Name {
					return f
				}
				return &ankql.Field{Path: ankql.Path{schema.Sync}, Type: f.Type}
			})
			holds := func(row ankql.Fields, state string) (whole, part, any ankql.Truth) {
				seen := rowOfState{row, state}
				return ankql.Evaluate(where, seen, g.World), ankql.Evaluate(ankql.WhereSync(where, state), row, g.World), ankql.Evaluate(ankql.AnySync(where), row, g.World)
			}
			for _, row := range g.World.Live("album") {
				for _, state := range schema.SyncStates {
					whole, part, any := holds(row, state)
					if whole != part {
						t.Fatalf("%s\non %s row %s: %v, its part %s: %v", where, state, row, whole, ankql.WhereSync(where, state), part)
					}
					if whole == ankql.TruthTrue && any != ankql.TruthTrue {
						t.Fatalf("%s\nis true of %s row %s, and %s is not", where, state, row, ankql.AnySync(where))
					}
				}
			}
		}
	})
}

// rowOfState is a row in a state.
type rowOfState struct {
	ankql.Fields
	state string
}

func (r rowOfState) Field(name string) value.Value {
	if name == schema.Sync {
		return value.String(r.state)
	}
	return r.Fields.Field(name)
}

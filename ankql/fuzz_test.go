package ankql_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
)

// FuzzParse: whatever the text, Parse answers without a panic, and what it accepts is
// printed as text that parses to the same tree.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "a = 1 OR NOT b.c IN (1, 'x''y', -1.5e3) AND d IS NOT NULL ORDER BY a DESC NULLS LAST, \"b\"\"c\" LIMIT 5",
		"order LIMIT 5", "limit ORDER BY limit", "a BETWEEN ? AND :b", "a NOT ILIKE '%_\\%' ESCAPE '!'", "((((a", "a--b = - 1", "Ж=''''",
	} {
		f.Add(text)
	}
	for _, text := range scenarioInputs(f, "parse.txt") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ankql.Parse(text)
		if err != nil {
			return
		}
		if again := parseText(t, s); !ankql.Equal(s, again) {
			t.Fatalf("%q is printed as %s, which parses to %s", text, s, again)
		}
		checked, err := s.Check(nil)
		if tooLong := err != nil && strings.Contains(err.Error(), "bytes as text"); tooLong {
			return // BETWEEN and IN repeat their path
		}
		if err != nil || !ankql.Equal(s, checked) {
			t.Fatalf("%q passes Parse but not Check(nil): %v", text, err)
		}
		if checked, err := s.CheckWith(albumModel, models); err == nil {
			parseText(t, checked)
		}
	})
}

// FuzzEvaluate: whatever the predicate and the row, evaluation agrees with the oracle.
func FuzzEvaluate(f *testing.F) {
	f.Add("meta.n IN (1, '9') OR NOT artist.name LIKE 'a_%'", uint64(1))
	for i, text := range scenarioInputs(f, "check.txt") {
		f.Add(text, uint64(i))
	}
	f.Add("plays BETWEEN -1 AND rating AND name = note", uint64(2))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		s, err := ankql.Parse(text)
		if err != nil {
			return
		}
		g := randomWorld(seed)
		checked, err := s.CheckWith(g.World.Models["album"], g.World.Models)
		if err != nil {
			return
		}
		agrees(t, g, "album", checked)
		r := g.World.Live("album")[0]
		key := s.AppendSortKey(nil, r, entity(1))
		if bytes.Equal(key, s.AppendSortKey(nil, r, entity(2))) {
			t.Fatalf("%s: two entities have one sort key", s)
		}
	})
}

package plan_test

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage/plan"
)

func within(bounds []plan.Bound, row ankql.Fields) bool {
	return !slices.ContainsFunc(bounds, func(b plan.Bound) bool { return !b.Contains(b.Field.Value(row, nil)) })
}

// Whatever matches lies within one of the alternatives.
func TestBoundsAreNecessary(t *testing.T) {
	narrow := 0
	for seed := range uint64(3000) {
		w := newWorld(seed, 40)
		s := w.selection()
		alternatives := plan.Bounds(s.Where)
		for _, row := range w.things {
			lies := slices.ContainsFunc(alternatives, func(bounds []plan.Bound) bool { return within(bounds, row) })
			if s.Matches(row) && !lies {
				t.Fatalf("seed %d: %s matches %v, which is in none of %v", seed, s, row.fields, alternatives)
			}
			if !lies {
				narrow++
			}
		}
	}
	if narrow < 3000*40/4 {
		t.Errorf("only %d rows in all are left out", narrow)
	}
}

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		where string
		paths [][]string // of each alternative
	}{
		{"TRUE", [][]string{{}}},
		{"FALSE", nil},
		{"a = 1", [][]string{{"a"}}},
		{"a = 1 AND b LIKE 'x%'", [][]string{{"a", "b"}}},
		{"a = 1 AND a = 2", nil},
		{"a = 1 OR a = 2 OR a > 7", [][]string{{"a"}}},
		{"a = 1 OR b = 'x'", [][]string{{"a"}, {"b"}}},
		{"NOT (a = 1 OR j.n IS NULL)", [][]string{{"a", "j.n"}}},
		{"r.a = 1", [][]string{{}}},
		{"a = c", [][]string{{}}},
		{"a = c AND d = TRUE", [][]string{{"d"}}},
		{"id = ?", [][]string{{"id"}}},
	} {
		var params []any
		if tc.where == "id = ?" {
			params = append(params, entity(1))
		}
		s, err := ankql.Parse(tc.where, params...)
		if err == nil {
			s, err = s.Check(model)
		}
		if err != nil {
			t.Fatal(err)
		}
		var got [][]string
		for _, bounds := range plan.Bounds(s.Where) {
			paths := []string{}
			for _, b := range bounds {
				paths = append(paths, b.Field.Path.String())
			}
			got = append(got, paths)
		}
		if !slices.EqualFunc(got, tc.paths, slices.Equal) {
			t.Errorf("%s bounds %v, want %v", tc.where, got, tc.paths)
		}
	}
	if got := plan.Bounds(nil); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("no predicate bounds %v", got)
	}
}

func TestBoundContains(t *testing.T) {
	s, err := ankql.Parse("a IN (1, 3) OR a > 7 OR a IS NULL")
	if err == nil {
		s, err = s.Check(model)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := plan.Bounds(s.Where)[0][0]
	for v, want := range map[value.Value]bool{
		value.Int(1): true, value.Float(3): true, value.Int(2): false, value.Int(7): false, value.Int(8): true, value.Null: true, value.String("8"): false,
	} {
		if got := b.Contains(v); got != want {
			t.Errorf("%v: %v", v, got)
		}
	}
	if len(b.Points) != 3 || len(b.Ranges) != 1 {
		t.Errorf("%d points and %d ranges", len(b.Points), len(b.Ranges))
	}
}

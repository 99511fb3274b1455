package relational

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

func mustJSON(t *testing.T, tree any) value.Value {
	t.Helper()
	v, err := value.JSON(tree)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A column holds what it gives back exactly, and nothing else.
func TestHold(t *testing.T) {
	entity := id.EntityID{ULID: id.Make(7, [8]byte{1})}
	for _, c := range []struct {
		typ              Type
		v                value.Value
		postgres, sqlite bool
	}{
		{Text, value.String("a"), true, true},
		{Text, value.String("\U0010ffff"), true, true},
		{Text, value.String("a\x00b"), false, false},
		{Text, value.String("\xff"), false, false},
		{Text, value.Int(1), false, false},
		{Text, value.Null, true, true},
		{Int, value.Int(math.MinInt64), true, true},
		{Int, value.Float(1), false, false},
		{Float, value.Float(math.Inf(1)), true, true},
		{Float, value.Float(math.NaN()), true, false},
		{Float, value.Int(1), false, false},
		{Bool, value.Bool(false), true, true},
		{Bytes, value.Bytes(nil), true, true},
		{Bytes, value.Bytes([]byte{0}), true, true},
		{ID, value.ID(entity), true, true},
		{ID, value.String(entity.String()), false, false},
		{JSON, mustJSON(t, nil), true, true},
		{JSON, mustJSON(t, []any{"a", 1.5}), true, true},
		{JSON, mustJSON(t, "\x00"), false, false},
		{JSON, mustJSON(t, `\u0000`), true, true},
		{JSON, mustJSON(t, `\`+"\x00"), false, false},
		{JSON, mustJSON(t, map[string]any{"a\x00": 1}), false, false},
		{JSON, value.String("a"), false, false},
	} {
		for d, want := range map[Dialect]bool{Postgres: c.postgres, SQLite: c.sqlite} {
			arg, ok := d.Hold(c.typ, c.v)
			if ok != want || c.v.IsNull() != (arg == nil) && ok {
				t.Errorf("%v in %s: %#v, %v, want %v", c.v, d.ColumnType(c.typ), arg, ok, want)
			}
		}
	}
}

// T2: a row is odd exactly where a column does not hold what its record does.
func TestOddRows(t *testing.T) {
	table := NewTable("album", "album", []Column{{Property: "year", Name: "year", Type: Int}, {Property: "name", Name: "name", Type: Text}})
	record := func(properties ...proto.PropertyState) *proto.Record {
		return &proto.Record{State: &proto.State{Properties: properties}}
	}
	for what, c := range map[string]struct {
		rec *proto.Record
		odd bool
	}{
		"nothing set":        {record(), false},
		"as declared":        {record(proto.PropertyState{Name: "name", Value: value.String("a")}, proto.PropertyState{Name: "year", Value: value.Int(1)}), false},
		"NULLs":              {record(proto.PropertyState{Name: "name"}, proto.PropertyState{Name: "year"}), false},
		"another type":       {record(proto.PropertyState{Name: "year", Value: value.String("1")}), true},
		"a NUL":              {record(proto.PropertyState{Name: "name", Value: value.String("\x00")}), true},
		"no such column":     {record(proto.PropertyState{Name: "plays", Value: value.Int(1)}), true},
		"NULL in no column":  {record(proto.PropertyState{Name: "plays"}), false},
		"a mark of a system": {record(proto.PropertyState{Name: proto.Deleted, Value: value.Bool(false)}), false},
	} {
		args, odd := Postgres.Row(table, c.rec)
		if odd != c.odd || len(args) != 2 {
			t.Errorf("%s: %v, odd %v", what, args, odd)
		}
	}
}

// Every name becomes an identifier of its own that either database takes.
func TestNames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	taken := map[string]bool{"id": true, "_odd": true}
	names := []string{"name", "NAME", "Name", "id", "ID", "_odd", "_records", "sqlite_master", "pg_class", "", "a\x00b", "\xff", `"`, strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("日", 30)}
	for range 500 {
		name := ""
		for range rng.IntN(90) {
			name += []string{"a", "A", "é", "_", "日", "\x00", "\xff", `"`}[rng.IntN(8)]
		}
		names = append(names, name)
	}
	for _, name := range names {
		got := Name(name, func(lower string) bool {
			if lower != strings.ToLower(lower) {
				t.Errorf("asked whether %q is taken", lower)
			}
			return taken[lower]
		})
		lower := strings.ToLower(got)
		if taken[lower] || got == "" || len(got) > maxName || !utf8.ValidString(got) || strings.ContainsRune(got, 0) ||
			strings.HasPrefix(lower, "sqlite_") || strings.HasPrefix(lower, "pg_") || got[0] == '_' {
			t.Errorf("%q is called %q", name, got)
		}
		taken[lower] = true
	}
	for _, name := range []string{"album", "größe", "a-b"} {
		if got := Name(name, func(string) bool { return false }); got != name {
			t.Errorf("%q is called %q", name, got)
		}
	}
}

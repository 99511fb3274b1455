package ankql_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// Most of 101 to 122 are in testdata/parse.txt.

func TestEmptyTextSelectsEverything(t *testing.T) { // 101
	for _, text := range []string{"", "   ", "\n\t", "true", "\u00a0"} {
		s := mustParse(t, text)
		if s.Where != ankql.True || s.Order != nil || s.Limit != ankql.NoLimit {
			t.Errorf("%q is parsed as %s", text, s)
		}
	}
}

func TestKeywordsInAnyCase(t *testing.T) { // 113
	const text = "a = 1 AND NOT b IN (1) OR c IS NOT NULL AND d BETWEEN 1 AND 2 OR e LIKE 'x' ESCAPE '!' ORDER BY a ASC NULLS LAST, b DESC NULLS FIRST LIMIT 1"
	want := mustParse(t, text)
	for _, variant := range []string{text, keywordsLower(text), keywordsMixed(text)} {
		if got := mustParse(t, variant); !ankql.Equal(got, want) {
			t.Errorf("%s is parsed as %s", variant, got)
		}
	}
	// A Kelvin sign is no K.
	if _, err := ankql.Parse("a LI\u212aE 'x'"); err == nil {
		t.Error("a Kelvin sign passes for K")
	}
}

// keywordsLower lowers all but the text literals, whose case counts; names are in lower case.
func keywordsLower(text string) string { return strings.ToLower(text) }

func keywordsMixed(text string) string {
	mixed := []byte(text)
	for i := 0; i < len(mixed); i += 2 {
		mixed[i] = strings.ToLower(text)[i]
	}
	return string(mixed)
}

func TestPositionalParameters(t *testing.T) { // 118
	s := mustParse(t, "a = ? AND b IN (?, ?, 3) AND c BETWEEN ? AND ? AND d LIKE ? LIMIT ?", "x", 1, 2, 5, 9, "y%", 10)
	want := mustParse(t, "a = 'x' AND b IN (1, 2, 3) AND c BETWEEN 5 AND 9 AND d LIKE 'y%' LIMIT 10")
	if !ankql.Equal(s, want) {
		t.Errorf("got %s, want %s", s, want)
	}
	for _, params := range [][]any{nil, {1, 2}} {
		wantError(t, "a = ?", params, "parameter")
	}
}

func TestNamedParameters(t *testing.T) {
	s := mustParse(t, "a = :name OR b = :name AND c IN :list", ankql.Named{"name": 1, "list": []int{1, 2}, "unused": true})
	if want := mustParse(t, "a = 1 OR b = 1 AND c IN (1, 2)"); !ankql.Equal(s, want) {
		t.Errorf("got %s, want %s", s, want)
	}
	wantError(t, "a = :nome", []any{ankql.Named{"name": 1}}, "a parameter called :nome")
	wantError(t, "a = ?", []any{ankql.Named{"name": 1}}, "a named parameter")
	wantError(t, "a = :name", []any{1}, "ankql.Named")
}

// title and the others are types with a name, as users have them.
type (
	title  string
	count  uint8
	toggle bool
	ratio  float32
	holder struct{ v value.Value }
)

func (h holder) AnkQLValue() value.Value { return h.v }

func TestParameterTypes(t *testing.T) {
	moment := time.Date(2024, 2, 29, 12, 0, 0, 1000, time.UTC)
	seven := 7
	for _, c := range []struct {
		given any
		want  value.Value
	}{
		{nil, value.Null}, {(*int)(nil), value.Null}, {&seven, value.Int(7)},
		{true, value.Bool(true)}, {toggle(true), value.Bool(true)},
		{1, value.Int(1)}, {int8(-1), value.Int(-1)}, {int64(1 << 60), value.Int(1 << 60)}, {uint(3), value.Int(3)}, {count(4), value.Int(4)},
		{1.5, value.Float(1.5)}, {ratio(0.5), value.Float(0.5)},
		{"x' OR TRUE", value.String("x' OR TRUE")}, {title("y"), value.String("y")},
		{[]byte("z"), value.Bytes([]byte("z"))}, {entity(3), value.ID(entity(3))}, {holder{value.ID(entity(4))}, value.ID(entity(4))},
		{moment, value.Int(moment.UnixMicro())}, {value.Int(9), value.Int(9)},
		{map[string]any{"a": 1}, mustJSON(t, map[string]any{"a": 1})},
	} {
		got := mustParse(t, "a = ?", c.given).Where.(*ankql.Comparison).Right.(*ankql.Literal).Value
		if got != c.want {
			t.Errorf("%#v is bound as %v, want %v", c.given, got, c.want)
		}
	}
	for _, bad := range []any{make(chan int), struct{}{}, func() {}, uint64(1 << 63), "\xff", map[string]any{"a": make(chan int)}, map[int]int{}} {
		wantError(t, "a = ?", []any{bad}, "parameter 1")
	}
}

func TestListParameters(t *testing.T) {
	for _, list := range []any{
		[]int{1, 2}, []any{1, uint8(2)}, []value.Value{value.Int(1), value.Int(2)}, [2]int64{1, 2}, []count{1, 2},
	} {
		for _, where := range []string{"a IN ?", "a IN (?)", "NOT a NOT IN ?"} {
			if got := mustParse(t, where, list); got.String() != "a IN (1, 2)" {
				t.Errorf("%s with %v is parsed as %s", where, list, got)
			}
		}
	}
	if got := mustParse(t, "a IN (?, 3, ?)", []int{1, 2}, 4); got.String() != "a IN (1, 2, 3, 4)" {
		t.Errorf("got %s", got)
	}
	if got := mustParse(t, "a IN ?", []string{}); got.String() != "a IN ()" {
		t.Errorf("got %s", got)
	}
	ids := mustParse(t, "id IN ?", []id.EntityID{entity(1), entity(2)})
	if got, exact := ids.Entities(); len(got) != 2 || !exact {
		t.Errorf("got %v", got)
	}
	for where, params := range map[string][]any{
		"a = ?": {[]int{1}}, "a BETWEEN ? AND 2": {[]int{1}}, "a LIKE ?": {[]string{"x"}}, "? IS NULL": {[]int{1}}, "? IN (1)": {[]int{1}},
		"a IN ?": {5}, "a IN (?)": {[]any{[]int{1}}}, "LIMIT ?": {[]int{1}}, "?": {[]int{1}}, "a IN (?, 1)": {make([]int, ankql.MaxItems)},
	} {
		wantError(t, where, params, "")
	}
}

// TestPredicateParameters: 119.
func TestPredicateParameters(t *testing.T) {
	a := mustParse(t, "a = 1 OR b = 2").Where
	s := mustParse(t, "? AND NOT ? AND ?", a, a, true)
	if want := mustParse(t, "(a = 1 OR b = 2) AND NOT (a = 1 OR b = 2)"); !ankql.Equal(s, want) {
		t.Errorf("got %s, want %s", s, want)
	}
	if s := mustParse(t, "?", nil); s.Matches(row{}) || mustParse(t, "NOT ?", nil).Matches(row{}) {
		t.Error("a NULL predicate is not unknown")
	}
	wantError(t, "a = ?", []any{a}, "a list binds to IN, a predicate to AND and OR")
	wantError(t, "a IN (?)", []any{a}, "a value or a property")
	wantError(t, "? AND a = 1", []any{5}, "a bool or a predicate")
}

// TestParametersNeverBecomeSyntax: NULL is bound as NULL, quotes are characters.
func TestParametersNeverBecomeSyntax(t *testing.T) {
	hostile := "' OR TRUE OR name = '"
	s := mustParse(t, "name = ?", hostile)
	if s.Matches(row{"name": value.String("x")}) || !s.Matches(row{"name": value.String(hostile)}) {
		t.Error("a parameter became syntax")
	}
	if null := mustParse(t, "name = ? OR name != ?", nil, nil); null.Matches(row{}) || null.Matches(row{"name": value.String("x")}) {
		t.Error("comparing with a NULL parameter is not unknown")
	}
}

func TestErrorsSayWhere(t *testing.T) {
	for _, c := range []struct {
		text              string
		pos, line, column int
	}{
		{"a = NULL", 4, 1, 5},
		{"a = 1 AND\n\tb = = 2", 15, 2, 6},
		{"Заметка = NULL", 17, 1, 11},
		{"a = 'x\ny' AND b c", 16, 2, 10},
		{"a = \xff", 4, 1, 5},
		{"a = 1 AND", 9, 1, 10},
	} {
		_, err := ankql.Parse(c.text)
		var e *ankql.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if e.Pos != c.pos || e.Line != c.line || e.Column != c.column {
			t.Errorf("%q: error at %d, line %d, column %d: %v", c.text, e.Pos, e.Line, e.Column, e)
		}
	}
}

func TestErrorsRepeatLittle(t *testing.T) {
	huge := strings.Repeat("ж", ankql.MaxText/4)
	for _, text := range []string{huge + " " + huge, "a = '" + huge, "a = " + strings.Repeat("9", 1000), `"` + huge + `" x`, ":" + huge} {
		_, err := ankql.Parse(text)
		if err == nil || len(err.Error()) > 400 {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
	if _, err := mustParse(t, huge[:ankql.MaxPath]+" = 1").Check(albumModel); err == nil || len(err.Error()) > 400 {
		t.Error(err)
	}
}

func TestErrorWithoutText(t *testing.T) {
	s, err := ankql.From(ankql.Eq("nmae", 1)).Selection()
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Check(albumModel)
	var e *ankql.Error
	if !errors.As(err, &e) || e.Pos != -1 || e.Line != 0 || e.Hint != "did you mean name?" {
		t.Errorf("got %#v", err)
	}
}

func wantError(t *testing.T, text string, params []any, part string) {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	var e *ankql.Error
	switch {
	case err == nil:
		t.Errorf("%s with %v is parsed as %s", text, params, s)
	case !errors.As(err, &e):
		t.Errorf("%s: %T is not an *ankql.Error", text, err)
	case !strings.Contains(err.Error(), part):
		t.Errorf("%s with %v: %v does not say %q", text, params, err, part)
	}
}

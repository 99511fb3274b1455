package ankql_test

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/value"
)

// parseText parses what Text returned.
func parseText(t testing.TB, s *ankql.Selection) *ankql.Selection {
	t.Helper()
	text, values := s.Text()
	params := make([]any, len(values))
	for i, v := range values {
		params[i] = v
	}
	again, err := ankql.Parse(text, params...)
	if err != nil {
		t.Fatalf("%s\nis printed as %s, which fails: %v", s, text, err)
	}
	return again
}

// TestTextParsesToTheSameTree: 123.
func TestTextParsesToTheSameTree(t *testing.T) {
	g := randomWorld(3)
	for i := range 10_000 {
		s := g.Selection("album")
		if again := parseText(t, s); !ankql.Equal(s, again) || s.String() != again.String() {
			t.Fatalf("case %d: %s\nbecame %s", i, s, again)
		}
	}
}

func TestTextUsesParametersWhereThereIsNoLiteral(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, v := range []value.Value{
		value.Null, value.Bytes([]byte{0, 1}), value.ID(entity(1)), mustJSON(t, map[string]any{"a": 1}),
		value.Float(math.NaN()), value.Float(math.Inf(-1)), value.String(long),
	} {
		s := mustParse(t, "a = ?", v)
		text, params := s.Text()
		if text != "a = ?" || len(params) != 1 || params[0] != v {
			t.Errorf("%v is printed as %s with %v", v, text, params)
		}
	}
	list := make([]int, 1000)
	text, params := mustParse(t, "a IN ?", list).Text()
	if len(params) != 1000 || !strings.HasPrefix(text, "a IN (?, ?") {
		t.Errorf("a long list is printed as %.40s… with %d parameters", text, len(params))
	}
}

func TestStringIsForPeople(t *testing.T) {
	s := mustParse(t, "a = ? AND b = ? AND c = ? ORDER BY d", value.ID(entity(1)), []byte{1}, nil)
	want := `a = '` + entity(1).String() + `' AND b = bytes(01) AND c = NULL ORDER BY d`
	if s.String() != want {
		t.Errorf("got %s, want %s", s, want)
	}
}

// TestLimits: what is at a limit passes every stage, what is beyond is refused (124).
func TestLimits(t *testing.T) {
	nested := func(n int) string {
		return strings.Repeat("(b = 1 AND (a = 1 OR ", n) + "c = 1" + strings.Repeat("))", n)
	}
	steps := func(n int) string { return strings.TrimSuffix(strings.Repeat("a.", n), ".") + " = 1" }
	keys := func(n int) string { return "ORDER BY a" + strings.Repeat(", a", n-1) }
	items := func(n int) string { return "a IN (1" + strings.Repeat(",1", n-1) + ")" }
	values := func(n int) string { return "a = 1" + strings.Repeat(" or a=1", n-1) }
	for name, texts := range map[string][2]string{
		"depth":   {nested(ankql.MaxDepth / 2), nested(ankql.MaxDepth/2 + 1)},
		"steps":   {steps(ankql.MaxSteps), steps(ankql.MaxSteps + 1)},
		"path":    {strings.Repeat("x", ankql.MaxPath) + " = 1", `a."` + strings.Repeat("é", ankql.MaxPath/2) + `" = 1`},
		"columns": {"5 IN (a" + strings.Repeat(",a", ankql.MaxColumns-1) + ")", "b IN (a" + strings.Repeat(",1", ankql.MaxColumns) + ")"},
		"keys":    {keys(ankql.MaxOrder), keys(ankql.MaxOrder + 1)},
		"items":   {items(ankql.MaxItems), items(ankql.MaxItems + 1)},
		"text":    {"a='" + strings.Repeat("x", ankql.MaxText-4) + "'", "a='" + strings.Repeat("x", ankql.MaxText-3) + "'"},
		"pattern": {"a LIKE '" + strings.Repeat("_", ankql.MaxPattern) + "'", "a LIKE '" + strings.Repeat("_", ankql.MaxPattern+1) + "'"},
		"limit":   {"LIMIT 1073741824", "LIMIT 1073741825"},
		"values":  {values(ankql.MaxText / 10), items(9999) + " OR " + items(9999) + " OR " + items(9999)},
	} {
		s := mustParse(t, texts[0])
		checked, err := s.Check(nil)
		if err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
			continue
		}
		if again := parseText(t, checked); !ankql.Equal(s, again) {
			t.Errorf("%s: printed and parsed it differs", name)
		}
		if _, err := ankql.Parse(texts[1]); err == nil {
			t.Errorf("%s: beyond the limit it is accepted", name)
		}
	}
	for _, bomb := range []string{
		strings.Repeat("(", 10_000), strings.Repeat("(", 10_000) + "a = 1" + strings.Repeat(")", 10_000),
		strings.Repeat("NOT ", 10_000) + "a = 1", strings.Repeat("NOT (", 10_000),
	} {
		if s, err := ankql.Parse(bomb); err == nil {
			_ = s.String()
		}
	}
}

func TestCheckRefusesTreesBeyondTheLimits(t *testing.T) {
	deep := ankql.Eq("a", 1)
	for range ankql.MaxDepth {
		deep = deep.And(ankql.Eq("b", 1)).Not()
	}
	list := make([]int, ankql.MaxItems)
	many := ankql.In("a", list).Or(ankql.In("b", list), ankql.In("c", list))
	wide := make([]ankql.Condition, ankql.MaxValues-1)
	for i := range wide {
		wide[i] = ankql.Eq("property_with_a_name", i)
	}
	for name, c := range map[string]ankql.Condition{"depth": deep.And(ankql.Eq("b", 1)).Not(), "values": many, "text": ankql.Where("").Not().Or(wide...)} {
		s, err := ankql.From(c).Selection()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check(nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s, err := ankql.From(deep).Selection()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(nil); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	parseText(t, s)
}

func TestKey(t *testing.T) {
	same := [][2]string{
		{"plays = 1 AND active", "active = TRUE AND plays = 1.0"},
		{"plays IN (1, 2)", "plays IN (2, 1, 1)"},
		{"plays IN (1)", "1 = plays"},
		{"NOT plays < 5", "plays >= 5"},
		{"plays < rating", "rating > plays"},
		{"name LIKE 'a'", `name LIKE 'a' ESCAPE '\'`},
		{"ORDER BY name DESC", "true ORDER BY name DESC NULLS FIRST"},
		{"year > 2020", "year > '2020'"},
		{"album.name = 'x' OR name = 'x'", "name = 'x' OR name = 'x'"},
	}
	for _, c := range same {
		if a, b := mustCheck(t, albumModel, c[0]).Key(), mustCheck(t, albumModel, c[1]).Key(); a != b {
			t.Errorf("%s and %s have different keys", c[0], c[1])
		}
	}
	different := []string{
		"", "FALSE", "LIMIT 0", "LIMIT 1", "ORDER BY name", "ORDER BY name DESC", "ORDER BY name NULLS FIRST", "ORDER BY year",
		"plays = 1", "plays = 2", "plays != 1", "plays = rating", "plays IN (1, 2)", "plays IN ()", "plays IS NULL", "rating IS NULL",
		"name = '1'", "name LIKE '1'", "name ILIKE '1'", "name LIKE '1' ESCAPE ''", "NOT name LIKE '1'", "meta.n = 1", "meta.n = '1'",
		"plays = 1 AND rating = 2", "plays = 1 OR rating = 2", "NOT (plays = 1 AND rating = 2)", "meta.a.b = 1", `meta."a.b" = 1`,
	}
	seen := map[string]string{}
	for _, text := range different {
		key := mustCheck(t, albumModel, text).Key()
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have one key", text, other)
		}
		seen[key] = text
	}
}

// TestEqualKeysSelectEqually: selections with one key say the same of every row.
func TestEqualKeysSelectEqually(t *testing.T) {
	g := randomWorld(4)
	rows := g.World.Live("album")
	byKey := map[string]*ankql.Selection{}
	shared := 0
	for range 20_000 {
		s := g.Selection("album")
		other, ok := byKey[s.Key()]
		if !ok {
			byKey[s.Key()] = s
			continue
		}
		if ankql.Equal(s, other) {
			continue
		}
		shared++
		for _, r := range rows {
			if ankql.Evaluate(s.Where, r, g.World) != ankql.Evaluate(other.Where, r, g.World) {
				t.Fatalf("%s and %s have one key and differ on %v", s, other, r)
			}
		}
	}
	if shared == 0 {
		t.Error("no two different selections had one key")
	}
}

// TestSpellingDoesNotMatter: white space, the case of keywords, parentheses that say nothing,
// and the two signs for unequal make no difference.
func TestSpellingDoesNotMatter(t *testing.T) {
	ankqltest.Each(t, 300, func(t *testing.T, g *ankqltest.Gen) {
		g.References = true
		g.Fill("album", 3)
		s := g.Selection("album")
		text, values := s.Text()
		params := make([]any, len(values))
		for i, v := range values {
			params[i] = v
		}
		spelt := spell(g, text)
		again, err := ankql.Parse(spelt, params...)
		if err != nil || !ankql.Equal(s, again) {
			t.Fatalf("%s\nspelt %q is %v, %v", text, spelt, again, err)
		}
		if where := s.Where.String(); len(s.Order) == 0 && s.Limit == ankql.NoLimit && where != "TRUE" {
			again, err := ankql.Parse("(("+spelt+"))", params...)
			if err != nil || !ankql.Equal(s, again) {
				t.Fatalf("(%s)\nis %v, %v", spelt, again, err)
			}
		}
	})
}

var (
	words    = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[\pL_][\pL\d_-]*|<=|>=|!=|.`)
	keywords = map[string]bool{"AND": true, "OR": true, "NOT": true, "IN": true, "IS": true, "NULL": true, "TRUE": true, "FALSE": true, "LIKE": true, "ILIKE": true,
		"ESCAPE": true, "ORDER": true, "BY": true, "DESC": true, "NULLS": true, "FIRST": true, "LAST": true, "LIMIT": true}
)

// spell writes a text in another way.
func spell(g *ankqltest.Gen, text string) string {
	var b strings.Builder
	for _, w := range words.FindAllString(text, -1) {
		switch {
		case w == " ":
			w = ankqltest.Pick(g, " ", "  ", "\n", "\t ", "\u00a0")
		case w == "!=":
			w = ankqltest.Pick(g, "!=", "<>")
		case keywords[w]:
			w = ankqltest.Pick(g, w, strings.ToLower(w), w[:1]+strings.ToLower(w[1:]))
		case strings.Contains("=()<=>=,", w):
			w = ankqltest.Pick(g, w, w+" ", "\n"+w+" ")
		}
		b.WriteString(w)
	}
	return b.String()
}

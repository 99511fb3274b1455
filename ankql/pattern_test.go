package ankql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/value"
)

func TestLike(t *testing.T) {
	for _, c := range []struct {
		text, where string
		want        bool
	}{
		{"abc", "a LIKE 'abc'", true}, {"abc", "a LIKE 'ab'", false}, {"abc", "a LIKE 'bc'", false}, // the whole text
		{"abc", "a LIKE 'a%'", true}, {"abc", "a LIKE '_b_'", true}, {"abc", "a LIKE 'c'", false}, // PostgreSQL's manual
		{"", "a LIKE ''", true}, {"", "a LIKE '%'", true}, {"", "a LIKE '_'", false}, {"x", "a LIKE ''", false}, {"", "a LIKE '%%'", true},
		{"abcabc", "a LIKE '%b%b%'", true}, {"abcabc", "a LIKE '%b%b%b%'", false}, {"aab", "a LIKE '%ab'", true}, {"abab", "a LIKE 'ab%ab'", true}, {"ab", "a LIKE 'ab%ab'", false},
		{"a%c", `a LIKE 'a\%c'`, true}, {"abc", `a LIKE 'a\%c'`, false}, {"a_c", `a LIKE 'a\_c'`, true}, {`a\c`, `a LIKE 'a\\c'`, true}, {"abc", `a LIKE 'a\bc'`, true},
		{"a%c", "a LIKE 'a!%c' ESCAPE '!'", true}, {"a!c", "a LIKE 'a!!c' ESCAPE '!'", true}, {`a\bc`, `a LIKE 'a\%c' ESCAPE ''`, true}, {`a\bc`, `a LIKE 'a\%c' ESCAPE '!'`, true},
		{"Aé你x", "a LIKE '____'", true}, {"Aé你x", "a LIKE 'A__x'", true}, {"Aé你x", "a LIKE '%_x'", true}, {"Aé你x", "a LIKE '%_你_'", true}, {"e\u0301", "a LIKE '_'", false},
		{"ABC", "a LIKE 'abc'", false}, {"ABC", "a ILIKE 'aBc'", true}, {"ÜBER", "a ILIKE 'über'", true}, {"Σίσυφος", "a ILIKE 'ΣΊΣΥΦΟΣ'", true}, {"\u212A", "a ILIKE 'k'", true},
		{"line\nbreak", "a LIKE 'line%'", true}, {"line\nbreak", "a LIKE 'line_break'", true},
		{"xAyBz", "a ILIKE '%a%b%'", true}, {"straße", "a ILIKE 'STRASSE'", false}, // simple folding: one character for one
	} {
		if got := mustParse(t, c.where).Matches(row{"a": value.String(c.text)}); got != c.want {
			t.Errorf("%q %s: got %v", c.text, c.where, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	for where, want := range map[string]struct {
		prefix string
		whole  bool
	}{
		"a LIKE 'abc%'": {"abc", false}, "a LIKE 'abc'": {"abc", true}, "a LIKE 'ab_c'": {"ab", false}, "a LIKE '%x'": {"", false},
		`a LIKE 'a\%b%'`: {"a%b", false}, "a ILIKE 'abc%'": {"", false}, "a LIKE ''": {"", true}, "a LIKE 'é_'": {"é", false},
	} {
		prefix, whole := mustParse(t, where).Where.(*ankql.Match).Prefix()
		if prefix != want.prefix || whole != want.whole {
			t.Errorf("%s: got %q, %v", where, prefix, whole)
		}
	}
}

// TestLikeDoesNotBacktrack: a pattern that takes a backtracking matcher for ever takes this
// one about the product of the lengths.
func TestLikeDoesNotBacktrack(t *testing.T) {
	s := mustParse(t, "a ILIKE ?", strings.Repeat("%a_", 1000)+"%b")
	done := make(chan bool, 1)
	go func() { done <- s.Matches(row{"a": value.String(strings.Repeat("a", 20_000))}) }()
	select {
	case got := <-done:
		if got {
			t.Error("it matches")
		}
	case <-time.After(time.Minute):
		t.Fatal("still matching")
	}
}

// TestLongPartsAreFound: what is searched for by bits is found where a regular expression
// finds it, also where a part goes over several words of bits.
func TestLongPartsAreFound(t *testing.T) {
	ankqltest.Each(t, 300, func(t *testing.T, g *ankqltest.Gen) {
		letters := ankqltest.Pick(g, []string{"a", "b"}, []string{"a", "A", "é", "你", "😀", "\u212a", "k", "K"})
		var text, pattern strings.Builder
		for range 100 + g.IntN(300) {
			text.WriteString(ankqltest.Pick(g, letters...))
		}
		for range 1 + g.IntN(3) {
			// A part that is in the text, mostly.
			runes := []rune(text.String())
			from := g.IntN(len(runes))
			to := min(len(runes), from+1+g.IntN(200))
			pattern.WriteString("%")
			for _, c := range runes[from:to] {
				if g.IntN(4) == 0 {
					c = '_'
				}
				pattern.WriteRune(c)
			}
			if g.IntN(4) == 0 {
				pattern.WriteString("b")
			}
		}
		pattern.WriteString(ankqltest.Pick(g, "%", ""))
		r := row{"a": value.String(text.String())}
		for _, like := range []string{"LIKE", "ILIKE"} {
			s := mustParse(t, "a "+like+" ?", pattern.String())
			if got, want := s.Matches(r), ankqltest.NewWorld(nil).Truth(s.Where, r) == ankql.TruthTrue; got != want {
				t.Fatalf("%q %s: got %v", text.String(), s, got)
			}
		}
	})
}

// TestPartsWithPlacesAreFound: a part with _ in it is found by the letters beside them, wherever
// these stand.
func TestPartsWithPlacesAreFound(t *testing.T) {
	ankqltest.Each(t, 2000, func(t *testing.T, g *ankqltest.Gen) {
		letters := ankqltest.Pick(g, []string{"a", "b"}, []string{"a", "A", "é", "你", "😀", "_"})
		some := func(most int, letters ...string) string {
			var text strings.Builder
			for range g.IntN(most) {
				text.WriteString(ankqltest.Pick(g, letters...))
			}
			return text.String()
		}
		r := row{"a": value.String(some(12, letters...))}
		pattern := ankqltest.Pick(g, "%", "", "_")
		for range 1 + g.IntN(3) {
			pattern += some(5, append(letters, "_", "_")...) + "%"
		}
		pattern += ankqltest.Pick(g, "", "", letters[0])
		s := mustParse(t, "a LIKE ?", pattern)
		if got, want := s.Matches(r), ankqltest.NewWorld(nil).Truth(s.Where, r) == ankql.TruthTrue; got != want {
			t.Fatalf("%v %s: got %v", r["a"], s, got)
		}
	})
}

// TestSearchesCost: what is looked for anywhere in a text takes more than what is at its ends.
func TestSearchesCost(t *testing.T) {
	for text, want := range map[string]int{
		"a = 'x'": 1, "a LIKE 'x%'": 2, "a LIKE '%x'": 2, "a LIKE 'x%y'": 2, "a LIKE '%'": 2, "a LIKE '%%%'": 2,
		"a LIKE '%x%'": 12, "a ILIKE 'x%_%y'": 12, "a LIKE '%x%' OR NOT a LIKE '%y%'": 24,
	} {
		if got := mustParse(t, text).Cost(); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// TestLikeCostsLittleMoreForLongPatterns: a text that is made for it does not make a pattern
// cost the product of their lengths.
func TestLikeCostsLittleMoreForLongPatterns(t *testing.T) {
	text := row{"a": value.String(strings.Repeat("a", 1<<17))}
	for name, part := range map[string]string{"any": "_", "letters": "a", "both": "a_"} {
		cost := func(length int) time.Duration {
			s := mustParse(t, "a ILIKE ?", "%"+strings.Repeat(part, length/len(part))+"b%")
			best := time.Duration(1 << 62)
			for range 3 {
				begin := time.Now()
				if s.Matches(text) {
					t.Error("it matches")
				}
				best = min(best, time.Since(begin))
			}
			return best
		}
		short, long := cost(16), cost(ankql.MaxPattern-8)
		if long > 30*short { // for 255 times the pattern
			t.Errorf("%s: %v, and %v of 255 times the pattern", name, short, long)
		}
	}
}

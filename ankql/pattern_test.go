package ankql_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
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

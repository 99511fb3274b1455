package relational

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/ankql"
)

// Marks among the runes of a pattern.
const (
	anyRune rune = -1 - iota // _
	anyText                  // %
)

// tokens takes a pattern apart; what the escape character took the meaning from is a
// plain rune.
func tokens(m *ankql.Match) []rune {
	escape := m.Escape
	if escape == 0 {
		escape = '\\'
	}
	var out []rune
	escaped := false
	for _, c := range m.Pattern {
		switch {
		case escaped:
			out, escaped = append(out, c), false
		case c == escape:
			escaped = true
		case c == '%':
			if len(out) == 0 || out[len(out)-1] != anyText {
				out = append(out, anyText)
			}
		case c == '_':
			out = append(out, anyRune)
		default:
			out = append(out, c)
		}
	}
	return out
}

// maxFolded is the longest pattern that is said as a regular expression; a longer one is
// left to the records.
const maxFolded = 256

func (s *statement) match(e *ankql.Match) predicate {
	o := s.operand(e.Field.Path)
	sql := o.sql
	switch {
	case o.kind == beyond:
		return everything
	case o.kind == document:
		sql = jsonText(o.sql)
	case o.kind == absent || o.typ != Text:
		return exactly(s.dialect.unknown())
	}
	pattern := tokens(e)
	switch {
	case slices.Contains(pattern, 0):
		return exactly(constant(sql, false)) // no stored text has a NUL
	case e.Fold && (s.dialect == SQLite || len(pattern) > maxFolded):
		return everything
	case e.Fold:
		return exactly("(" + sql + " ~ " + s.param(regularExpression(pattern), Text) + ")")
	case s.dialect == SQLite:
		return exactly("(" + sql + " GLOB " + s.placeholder(glob(pattern)) + ")")
	}
	out := sql + " LIKE " + s.param(like(pattern), Text)
	if low, high, ok := prefixRange(pattern); ok && o.indexed {
		out += " AND " + textPrefix(sql) + " >= " + s.param(low, Text)
		if high != "" {
			out += " AND " + textPrefix(sql) + " < " + s.param(high, Text)
		}
	}
	return exactly("(" + out + ")")
}

func like(pattern []rune) string {
	var b strings.Builder
	for _, c := range pattern {
		switch c {
		case anyText:
			b.WriteByte('%')
		case anyRune:
			b.WriteByte('_')
		case '%', '_', '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func glob(pattern []rune) string {
	var b strings.Builder
	for _, c := range pattern {
		switch c {
		case anyText:
			b.WriteByte('*')
		case anyRune:
			b.WriteByte('?')
		case '*', '?', '[':
			b.WriteString("[" + string(c) + "]")
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// regularExpression is a pattern whose letters stand for all that differ from them by
// simple case folding alone.
func regularExpression(pattern []rune) string {
	var b strings.Builder
	b.WriteByte('^')
	for _, c := range pattern {
		switch c {
		case anyText:
			b.WriteString(".*")
		case anyRune:
			b.WriteByte('.')
		default:
			writeFolded(&b, c)
		}
	}
	b.WriteByte('$')
	return b.String()
}

func writeFolded(b *strings.Builder, c rune) {
	b.WriteByte('[')
	writeRune(b, c)
	for d := unicode.SimpleFold(c); d != c; d = unicode.SimpleFold(d) {
		writeRune(b, d)
	}
	b.WriteByte(']')
}

func writeRune(b *strings.Builder, c rune) {
	if '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
		b.WriteRune(c)
		return
	}
	fmt.Fprintf(b, `\U%08x`, c)
}

// prefixRange returns between which texts, the latter excluded and "" for no end, the
// prefixes lie of what a pattern matches.
func prefixRange(pattern []rune) (low, high string, ok bool) {
	n := slices.IndexFunc(pattern, func(c rune) bool { return c == anyRune || c == anyText })
	if n < 0 {
		n = len(pattern)
	}
	prefix := pattern[:min(n, PrefixChars)]
	for i := len(prefix) - 1; i >= 0; i-- {
		if next, ok := nextRune(prefix[i]); ok {
			return string(prefix), string(prefix[:i]) + string(next), true
		}
	}
	return string(prefix), "", len(prefix) > 0
}

// nextRune returns the rune after c; UTF-8 has no surrogates.
func nextRune(c rune) (rune, bool) {
	switch {
	case c >= utf8.MaxRune:
		return 0, false
	case c+1 == 0xd800:
		return 0xe000, true
	}
	return c + 1, true
}

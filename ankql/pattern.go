package ankql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/value"
)

// pattern is a compiled LIKE pattern: the parts between its % signs. The first part stands
// at the beginning of the text and the last at its end; each between them stands as far
// to the left as it can, which leaves most to the others, so nothing is tried twice.
type pattern struct {
	parts []part
	fold  bool
}

// part is a piece of a pattern without %.
type part struct {
	text   string // where nothing in it is _ and letters are compared as they are
	runes  []rune // otherwise; anyRune for _
	simple bool
	search *search // for a long one with runes
	anchor string  // of the others where letters are compared as they are: the longest run without _
	lead   int     // how many runes stand before the anchor
}

// anyRune stands for _ among the runes of a part.
const anyRune rune = -1

// newMatch makes a test for a pattern.
func newMatch(f *Field, text string, escape rune, fold bool, at position) (*Match, error) {
	compiled, expected, got := compilePattern(text, escape, fold)
	if expected != "" {
		return nil, at.err(expected, got, "")
	}
	return &Match{Field: f, Pattern: text, Escape: escape, Fold: fold, at: at, pattern: compiled}, nil
}

// compilePattern returns the compiled pattern, or what was expected and found instead.
func compilePattern(text string, escape rune, fold bool) (compiled *pattern, expected, got string) {
	if len(text) > MaxPattern {
		return nil, "a pattern of at most " + strconv.Itoa(MaxPattern) + " bytes", strconv.Itoa(len(text))
	}
	if escape == 0 {
		escape = '\\'
	}
	compiled = &pattern{fold: fold}
	var runes []rune
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			runes, escaped = append(runes, c), false
		case c == escape:
			escaped = true
		case c == '%':
			compiled.parts = append(compiled.parts, newPart(runes, fold))
			runes = nil
		case c == '_':
			runes = append(runes, anyRune)
		default:
			runes = append(runes, c)
		}
	}
	if escaped {
		return nil, "a character after the escape character " + string(escape), "the end of the pattern"
	}
	compiled.parts = append(compiled.parts, newPart(runes, fold))
	return compiled, "", ""
}

func newPart(runes []rune, fold bool) part {
	if len(runes) == 0 || !fold && !containsAny(runes) {
		return part{text: string(runes), simple: true}
	}
	if fold {
		for i, c := range runes {
			runes[i] = foldRune(c)
		}
	}
	if len(runes) >= searchFrom {
		return part{runes: runes, search: newSearch(runes)}
	}
	if fold {
		return part{runes: runes}
	}
	anchor, lead := longestRun(runes)
	return part{runes: runes, anchor: anchor, lead: lead}
}

// longestRun returns the longest run of runes without _, and where it begins.
func longestRun(runes []rune) (run string, from int) {
	begin := 0
	for i := 0; i <= len(runes); i++ {
		if i < len(runes) && runes[i] != anyRune {
			continue
		}
		if i-begin > 0 && len(string(runes[begin:i])) > len(run) {
			run, from = string(runes[begin:i]), begin
		}
		begin = i + 1
	}
	return run, from
}

func containsAny(runes []rune) bool {
	for _, c := range runes {
		if c == anyRune {
			return true
		}
	}
	return false
}

// foldRune returns the least of the runes that differ from c only by case.
func foldRune(c rune) rune {
	switch {
	case 'A' <= c && c <= 'Z', c == anyRune:
		return c
	case 'a' <= c && c <= 'z':
		return c - 'a' + 'A' // also for k and s, whose other forms are greater
	}
	least := c
	for d := unicode.SimpleFold(c); d != c; d = unicode.SimpleFold(d) {
		least = min(least, d)
	}
	return least
}

// holds says whether v is a text that the pattern matches.
func (m *Match) holds(v value.Value) Truth {
	s, ok := v.Scalar().AsString()
	if !ok {
		return TruthUnknown
	}
	p := m.pattern
	if p == nil {
		var expected string
		if p, expected, _ = compilePattern(m.Pattern, m.Escape, m.Fold); expected != "" {
			return TruthUnknown // Check refuses it
		}
	}
	return truthOf(p.matches(s))
}

// Prefix returns the text with which everything that m matches begins, for a look-up by
// index; whole says that m matches that text and nothing else.
func (m *Match) Prefix() (prefix string, whole bool) {
	p, expected, _ := compilePattern(m.Pattern, m.Escape, m.Fold)
	if expected != "" || m.Fold {
		return "", false
	}
	first := p.parts[0]
	if first.simple {
		return first.text, len(p.parts) == 1
	}
	for i, c := range first.runes {
		if c == anyRune {
			return string(first.runes[:i]), false
		}
	}
	return string(first.runes), false
}

func (p *pattern) matches(s string) bool {
	first, last := &p.parts[0], &p.parts[len(p.parts)-1]
	n, ok := first.prefix(s, p.fold)
	if !ok {
		return false
	}
	s = s[n:]
	if len(p.parts) == 1 {
		return s == ""
	}
	if n, ok = last.suffix(s, p.fold); !ok {
		return false
	}
	s = s[:len(s)-n]
	for i := 1; i < len(p.parts)-1; i++ {
		end := p.parts[i].find(s, p.fold)
		if end < 0 {
			return false
		}
		s = s[end:]
	}
	return true
}

// prefix reports whether s begins with the part, and how many bytes of s it takes.
func (q *part) prefix(s string, fold bool) (n int, ok bool) {
	if q.simple {
		return len(q.text), strings.HasPrefix(s, q.text)
	}
	for _, want := range q.runes {
		if n == len(s) {
			return 0, false
		}
		c, size := utf8.DecodeRuneInString(s[n:])
		if want != anyRune && c != want && (!fold || foldRune(c) != want) {
			return 0, false
		}
		n += size
	}
	return n, true
}

// suffix reports whether s ends with the part, and how many bytes of s it takes.
func (q *part) suffix(s string, fold bool) (n int, ok bool) {
	if q.simple {
		return len(q.text), strings.HasSuffix(s, q.text)
	}
	start := len(s)
	for range q.runes {
		if start == 0 {
			return 0, false
		}
		_, size := utf8.DecodeLastRuneInString(s[:start])
		start -= size
	}
	return q.prefix(s[start:], fold)
}

// find returns where the leftmost occurrence of the part in s ends, or -1.
func (q *part) find(s string, fold bool) int {
	if q.simple {
		if i := strings.Index(s, q.text); i >= 0 {
			return i + len(q.text)
		}
		return -1
	}
	if q.search != nil {
		return q.search.find(s, fold)
	}
	if q.anchor != "" {
		return q.findAnchored(s)
	}
	for i := range s {
		if n, ok := q.prefix(s[i:], fold); ok {
			return i + n
		}
	}
	return -1
}

// findAnchored is find by way of the anchor, which is looked for many bytes at a time.
func (q *part) findAnchored(s string) int {
	for from := 0; ; from++ {
		i := strings.Index(s[from:], q.anchor)
		if i < 0 {
			return -1
		}
		from += i
		start, ok := back(s, from, q.lead)
		if !ok {
			continue
		}
		if n, ok := q.prefix(s[start:], false); ok {
			return start + n
		}
	}
}

// back returns the place that is so many runes before another one, if there are as many.
func back(s string, from, runes int) (place int, ok bool) {
	for ; runes > 0; runes-- {
		if from == 0 {
			return 0, false
		}
		_, size := utf8.DecodeLastRuneInString(s[:from])
		from -= size
	}
	return from, true
}

// searches reports whether there is something between the ends of a text to look for.
func (m *Match) searches() bool {
	p := m.pattern
	if p == nil {
		if p, _, _ = compilePattern(m.Pattern, m.Escape, m.Fold); p == nil {
			return false // Check refuses it
		}
	}
	for i := 1; i < len(p.parts)-1; i++ {
		if q := &p.parts[i]; q.text != "" || len(q.runes) > 0 {
			return true
		}
	}
	return false
}

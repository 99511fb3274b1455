package ankql

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a selection, and where. Parse and Check return it; get
// at it with errors.As.
type Error struct {
	Pos    int // offset in the text in bytes, from 0; -1 if the selection was not parsed from text
	Line   int // from 1; 0 if not known
	Column int // in characters, from 1; 0 if not known

	Expected string // what could have stood there, or what the rule is
	Got      string // what stands there
	Hint     string // how to put it right; may be empty
}

// Error returns position, expectation, finding and hint in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("ankql: ")
	if e.Line > 0 {
		b.WriteString("line " + strconv.Itoa(e.Line) + ", column " + strconv.Itoa(e.Column) + ": ")
	}
	b.WriteString("expected " + e.Expected)
	if e.Got != "" {
		b.WriteString(", got " + e.Got)
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// position is a place in a text; the zero position is not known.
type position struct{ offset, line, column int32 }

func (p position) known() bool { return p.line > 0 }

func (p position) err(expected, got, hint string) *Error {
	e := &Error{Pos: -1, Expected: expected, Got: got, Hint: hint}
	if p.known() {
		e.Pos, e.Line, e.Column = int(p.offset), int(p.line), int(p.column)
	}
	return e
}

// maxQuoted bounds what an error repeats of a text or a value.
const maxQuoted = 40

// clip shortens s for an error, at a character's boundary.
func clip(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

package ankql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/schema"
)

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenName             // a name without quotes, or a keyword
	tokenQuoted           // "a name"
	tokenNumber           // with its sign
	tokenText             // 'text'
	tokenParam            // ? or :name; text holds the name
	tokenSymbol           // an operator or punctuation
)

// token is one word of the language. For names and texts text is what the quotes stand
// for, else what was written.
type token struct {
	kind tokenKind
	text string
	raw  string
	at   position
}

// is reports whether t is the given symbol.
func (t token) is(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

// keyword reports whether t is the given keyword, which is in capitals.
func (t token) keyword(word string) bool { return t.kind == tokenName && equalWord(t.text, word) }

// describe returns t for an error.
func (t token) describe() string {
	if t.kind == tokenEnd {
		return "the end of the text"
	}
	return clip(t.raw)
}

// equalWord reports whether name is word, whose letters are ASCII capitals, in any case.
// (Unicode case folding would let a Kelvin sign stand for K.)
func equalWord(name, word string) bool {
	if len(name) != len(word) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// reserved words cannot be the first step of a path without quotes; the others can be,
// wherever they do not begin a clause.
var (
	reserved   = [...]string{"AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "BETWEEN", "LIKE", "ILIKE"}
	contextual = [...]string{"ORDER", "BY", "LIMIT", "ASC", "DESC", "NULLS", "FIRST", "LAST", "ESCAPE"}
)

func isReserved(name string) bool { return oneOf(name, reserved[:]) }

func isKeyword(name string) bool { return isReserved(name) || oneOf(name, contextual[:]) }

func oneOf(name string, words []string) bool {
	for _, w := range words {
		if equalWord(name, w) {
			return true
		}
	}
	return false
}

// lexer cuts a text into tokens. It is a small value: copying it remembers a place.
type lexer struct {
	text string
	pos  int
	mark position // the place reached by at, which counts lines and columns
}

func newLexer(text string) lexer { return lexer{text: text, mark: position{line: 1, column: 1}} }

// at returns the position of an offset that is not before those asked for earlier.
func (l *lexer) at(offset int) position {
	for _, c := range l.text[l.mark.offset:offset] {
		if c == '\n' {
			l.mark.line++
			l.mark.column = 0
		}
		l.mark.column++
	}
	l.mark.offset = int32(offset)
	return l.mark
}

// next returns the next token.
func (l *lexer) next() (token, error) {
	l.skipSpace()
	start := l.pos
	t := token{at: l.at(start)}
	if start == len(l.text) {
		return t, nil
	}
	var err error
	switch c, size := utf8.DecodeRuneInString(l.text[start:]); {
	case isNameStart(c):
		t.kind, t.text = tokenName, l.name()
	case l.sync():
		t.kind, t.text = tokenName, schema.Sync
	case isDigit(c), (c == '-' || c == '+') && l.digitAt(start+1):
		t.kind = tokenNumber
		t.text, err = l.number(t.at)
	case c == '\'':
		t.kind = tokenText
		t.text, err = l.quoted('\'', "text", t.at)
	case c == '"':
		t.kind = tokenQuoted
		t.text, err = l.quoted('"', "name", t.at)
	case c == '?':
		t.kind = tokenParam
		l.pos++
	case c == ':':
		l.pos++
		if first, _ := utf8.DecodeRuneInString(l.text[l.pos:]); !isNameStart(first) {
			return t, t.at.err("a parameter's name after the colon", l.describeAt(l.pos), "")
		}
		t.kind, t.text = tokenParam, l.name()
	default:
		t.kind = tokenSymbol
		t.text, err = l.symbol(c, size, t.at)
	}
	t.raw = l.text[start:l.pos]
	return t, err
}

func (l *lexer) skipSpace() {
	for l.pos < len(l.text) {
		c, size := utf8.DecodeRuneInString(l.text[l.pos:])
		if !unicode.IsSpace(c) {
			return
		}
		l.pos += size
	}
}

// sync takes the one name that begins with a dollar.
func (l *lexer) sync() bool {
	rest, ok := strings.CutPrefix(l.text[l.pos:], schema.Sync)
	if c, _ := utf8.DecodeRuneInString(rest); !ok || isNamePart(c) {
		return false
	}
	l.pos += len(schema.Sync)
	return true
}

func (l *lexer) name() string {
	start := l.pos
	for l.pos < len(l.text) {
		c, size := utf8.DecodeRuneInString(l.text[l.pos:])
		if !isNamePart(c) {
			break
		}
		l.pos += size
	}
	return l.text[start:l.pos]
}

// isNameStart and isNamePart agree with schema.ValidateName.
func isNameStart(c rune) bool { return c == '_' || unicode.IsLetter(c) }

func isNamePart(c rune) bool { return isNameStart(c) || c == '-' || unicode.IsDigit(c) }

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

func (l *lexer) digitAt(i int) bool { return i < len(l.text) && isDigit(rune(l.text[i])) }

// number reads [+-] digits [. digits] [e [+-] digits].
func (l *lexer) number(at position) (string, error) {
	start := l.pos
	if !l.digitAt(l.pos) {
		l.pos++ // the sign
	}
	l.digits()
	if l.pos < len(l.text) && l.text[l.pos] == '.' {
		l.pos++
		if !l.digitAt(l.pos) {
			return "", at.err("digits after the decimal point", clip(l.text[start:l.pos]), "")
		}
		l.digits()
	}
	if l.pos < len(l.text) && l.text[l.pos]|0x20 == 'e' {
		l.pos++
		if l.pos < len(l.text) && (l.text[l.pos] == '-' || l.text[l.pos] == '+') {
			l.pos++
		}
		if !l.digitAt(l.pos) {
			return "", at.err("digits in the exponent", clip(l.text[start:l.pos]), "")
		}
		l.digits()
	}
	end := l.pos
	if c, _ := utf8.DecodeRuneInString(l.text[end:]); isNamePart(c) {
		l.name()
		return "", at.err("a number", clip(l.text[start:l.pos]), `names start with a letter or _, others are written in "quotes"`)
	}
	return l.text[start:end], nil
}

func (l *lexer) digits() {
	for l.digitAt(l.pos) {
		l.pos++
	}
}

// quoted reads text or a name between quotes, in which a doubled quote stands for one.
func (l *lexer) quoted(quote byte, what string, at position) (string, error) {
	start := l.pos + 1
	doubled := false
	for i := start; ; i++ {
		n := strings.IndexByte(l.text[i:], quote)
		if n < 0 {
			hint := "a quote inside is written twice"
			return "", at.err("a closing quote for the "+what+" that begins here", "the end of the text", hint)
		}
		i += n
		if i+1 == len(l.text) || l.text[i+1] != quote {
			l.pos = i + 1
			s := l.text[start:i]
			if doubled {
				s = strings.ReplaceAll(s, string([]byte{quote, quote}), string(quote))
			}
			return s, nil
		}
		doubled = true
		i++
	}
}

func (l *lexer) symbol(c rune, size int, at position) (string, error) {
	l.pos += size
	switch c {
	case '(', ')', ',', '.':
	case '=':
		if l.take('=') {
			return "", at.err("=", "==", "equality is one =")
		}
	case '<':
		if !l.take('=') {
			l.take('>')
		}
	case '>':
		l.take('=')
	case '!':
		if !l.take('=') {
			return "", at.err("!=", "!", "negation is written NOT")
		}
	default:
		return "", at.err("a name, a value or an operator", l.describeAt(l.pos-size), l.symbolHint(c))
	}
	return l.text[at.offset:l.pos], nil
}

func (l *lexer) take(c byte) bool {
	if l.pos < len(l.text) && l.text[l.pos] == c {
		l.pos++
		return true
	}
	return false
}

func (l *lexer) describeAt(pos int) string {
	if pos >= len(l.text) {
		return "the end of the text"
	}
	c, _ := utf8.DecodeRuneInString(l.text[pos:])
	if !unicode.IsPrint(c) {
		return "the character U+" + strings.ToUpper(strconv.FormatInt(int64(c)|1<<16, 16)[1:])
	}
	return string(c)
}

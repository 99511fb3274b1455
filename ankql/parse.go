package ankql

import (
	"strconv"
	"unicode/utf8"
)

// Parse reads a selection. Parameters fill the placeholders: for each ? the next one, or,
// if the only parameter is a [Named], for :name the one of that name. A parameter is a
// [value.Value], a bool, number, string, []byte, time.Time, [id.EntityID], a JSON
// object (map[string]any), nil or a nil pointer for NULL, a [Valuer], for IN a slice of
// these, or, where a predicate can stand, an [Expr]. It never becomes syntax. Errors
// are of type *Error.
//
// [id.EntityID]: github.com/ankurah-go/ankurah/core/id.EntityID
func Parse(text string, params ...any) (*Selection, error) {
	start := position{line: 1, column: 1}
	if len(text) > MaxText {
		return nil, start.err("at most "+strconv.Itoa(MaxText)+" bytes", strconv.Itoa(len(text)), "pass long lists as parameters")
	}
	p := &parser{lex: newLexer(text), params: newBinder(params)}
	if bad := invalidUTF8(text); bad >= 0 {
		return nil, p.lex.at(bad).err("text in UTF-8", "the byte "+strconv.Itoa(int(text[bad])), "")
	}
	s, err := p.selection()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, c := range s {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// parsePath reads a path alone, as the builder takes it.
func parsePath(text string) (*Field, error) {
	if len(text) > MaxText || !utf8.ValidString(text) {
		return nil, position{}.err("a path", clip(text), "")
	}
	p := &parser{lex: newLexer(text)}
	if err := p.advance(); err != nil {
		return nil, err
	}
	f, err := p.path()
	if err == nil && p.tok.kind != tokenEnd {
		err = p.unexpected("the end of the path", "")
	}
	if err != nil {
		return nil, err
	}
	f.at = position{} // the builder's text is not the selection's
	return f, nil
}

// parser is a recursive-descent parser with one token of lookahead, and a second one
// where a word is a keyword only before another.
type parser struct {
	lex    lexer
	tok    token // the next token that nobody has taken
	params binder
	depth  int
	values int
	bare   bool // what was taken last was a field that stood as a predicate
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

// peek returns the token after the next one; one that is not well formed is the end.
func (p *parser) peek() token {
	ahead := p.lex
	t, err := ahead.next()
	if err != nil {
		return token{}
	}
	return t
}

func (p *parser) unexpected(expected, hint string) error {
	return p.tok.at.err(expected, p.tok.describe(), hint)
}

// skip takes the next token if it is the given keyword.
func (p *parser) skip(word string) (bool, error) {
	if !p.tok.keyword(word) {
		return false, nil
	}
	return true, p.advance()
}

// expect takes a symbol that has to come.
func (p *parser) expect(symbol, expected string) error {
	if !p.tok.is(symbol) {
		return p.unexpected(expected, "")
	}
	return p.advance()
}

func (p *parser) selection() (*Selection, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	s := &Selection{Where: True, Limit: NoLimit}
	var err error
	if p.tok.kind != tokenEnd && !p.atOrder() && !p.atLimit() {
		if s.Where, err = p.predicate(); err != nil {
			return nil, err
		}
	}
	if p.tok.keyword("ORDER") {
		if s.Order, err = p.order(); err != nil {
			return nil, err
		}
	}
	if p.tok.keyword("LIMIT") {
		if s.Limit, err = p.limit(); err != nil {
			return nil, err
		}
	}
	if p.tok.kind != tokenEnd {
		return nil, p.trailing(s)
	}
	if err := p.params.done(p.tok.at); err != nil {
		return nil, err
	}
	return s, nil
}

func (p *parser) atOrder() bool { return p.tok.keyword("ORDER") && p.peek().keyword("BY") }

func (p *parser) atLimit() bool {
	if !p.tok.keyword("LIMIT") {
		return false
	}
	after := p.peek().kind
	return after == tokenNumber || after == tokenParam
}

func (p *parser) order() ([]Order, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if by, err := p.skip("BY"); err != nil || !by {
		if err == nil {
			err = p.unexpected("BY", "")
		}
		return nil, err
	}
	var keys []Order
	for {
		key, err := p.orderKey()
		if err != nil {
			return nil, err
		}
		if keys = append(keys, key); len(keys) > MaxOrder {
			return nil, key.at.err("at most "+strconv.Itoa(MaxOrder)+" keys", "more", "")
		}
		if !p.tok.is(",") {
			return keys, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) orderKey() (Order, error) {
	f, err := p.path()
	if err != nil {
		return Order{}, err
	}
	o := Order{Path: f.Path, at: f.at}
	if o.Desc, err = p.skip("DESC"); err != nil {
		return o, err
	}
	if !o.Desc {
		if _, err = p.skip("ASC"); err != nil {
			return o, err
		}
	}
	if nulls, err := p.skip("NULLS"); err != nil || !nulls {
		return o, err
	}
	switch {
	case p.tok.keyword("FIRST"):
		o.Nulls = NullsFirst
	case p.tok.keyword("LAST"):
		o.Nulls = NullsLast
	default:
		return o, p.unexpected("FIRST or LAST", "")
	}
	return o, p.advance()
}

func (p *parser) limit() (int, error) {
	if err := p.advance(); err != nil {
		return 0, err
	}
	if p.tok.kind != tokenNumber && p.tok.kind != tokenParam {
		return 0, p.unexpected("a number of rows", "")
	}
	o, err := p.operand("a number of rows")
	if err != nil {
		return 0, err
	}
	if o.lit != nil {
		n, ok := o.lit.Value.AsInt()
		if ok && n > MaxLimit {
			return 0, o.start.at.err("at most "+strconv.Itoa(MaxLimit)+" rows", clip(o.lit.Value.String()), "without LIMIT it is all of them")
		}
		if ok && n >= 0 {
			return int(n), nil
		}
	}
	return 0, o.start.at.err("a number of rows from 0", describeBound(o), "")
}

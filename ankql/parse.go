package ankql

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/value"
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

const comparisons = "a comparison (=, !=, <, <=, >, >=, IN, BETWEEN, LIKE, ILIKE, IS NULL)"

// trailing explains a token that nothing could take.
func (p *parser) trailing(s *Selection) error {
	switch {
	case s.Limit != NoLimit && p.tok.keyword("ORDER"):
		return p.unexpected("the end of the text", "ORDER BY stands before LIMIT")
	case s.Limit != NoLimit && !p.tok.keyword("OFFSET"):
		return p.unexpected("the end of the text", "")
	case s.Order != nil && !p.tok.keyword("OFFSET"):
		return p.unexpected(", LIMIT or the end of the text", "")
	case p.tok.keyword("OFFSET"):
		return p.unexpected("the end of the text", "there is no OFFSET; compare with the last row's values")
	case p.tok.is(")"):
		return p.unexpected("the end of the text", "there is no parenthesis to close")
	case p.bare && p.tok.kind == tokenNumber:
		return p.unexpected(comparisons, "there is no arithmetic")
	case p.bare:
		return p.unexpected(comparisons+", AND, OR, ORDER BY, LIMIT or the end of the text", firstWordHint(s.Where))
	case isComparison(p.tok):
		return p.unexpected("AND, OR, ORDER BY, LIMIT or the end of the text", "comparisons do not chain: write a = b AND b = c")
	}
	return p.unexpected("AND, OR, ORDER BY, LIMIT or the end of the text", "")
}

// firstWordHint explains a text that begins like something else.
func firstWordHint(where Expr) string {
	c, ok := where.(*Comparison)
	if !ok || len(c.Left.Path) != 1 {
		return ""
	}
	switch name := c.Left.Path[0]; {
	case equalWord(name, "SELECT"), equalWord(name, "WHERE"), equalWord(name, "FROM"):
		return "a selection is only what follows WHERE"
	case equalWord(name, "LIMIT"):
		return "LIMIT takes a number of rows"
	}
	return ""
}

// predicate reads terms joined by OR.
func (p *parser) predicate() (Expr, error) {
	return p.joined("OR", p.conjunction, disjunction)
}

// conjunction reads terms joined by AND, which binds tighter.
func (p *parser) conjunction() (Expr, error) {
	return p.joined("AND", p.negation, conjunction)
}

func (p *parser) joined(word string, term func() (Expr, error), join func(...Expr) Expr) (Expr, error) {
	first, err := term()
	if err != nil || !p.tok.keyword(word) {
		return first, err
	}
	terms := []Expr{first}
	for p.tok.keyword(word) {
		if err := p.advance(); err != nil {
			return nil, err
		}
		t, err := term()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return join(terms...), nil
}

// negation reads any number of NOT and what they apply to.
func (p *parser) negation() (Expr, error) {
	negated := false
	for {
		not, err := p.skip("NOT")
		if err != nil {
			return nil, err
		}
		if !not {
			break
		}
		negated = !negated
	}
	e, err := p.primary()
	if err != nil || !negated {
		return e, err
	}
	return Not(e), nil
}

// primary reads a predicate in parentheses, or one that starts with an operand.
func (p *parser) primary() (Expr, error) {
	if !p.tok.is("(") {
		return p.test()
	}
	open := p.tok.at
	if err := p.nest(); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.predicate()
	if err != nil {
		return nil, err
	}
	if !p.tok.is(")") {
		return nil, p.unclosed(open)
	}
	p.depth--
	p.bare = false
	return e, p.advance()
}

// nest counts one more pair of parentheses; what BETWEEN and IN stand for takes them too.
func (p *parser) nest() error {
	if p.depth++; p.depth > MaxDepth {
		return p.tok.at.err("at most "+strconv.Itoa(MaxDepth)+" parentheses inside each other", "more", "")
	}
	return nil
}

func (p *parser) unclosed(open position) error {
	expected := "AND, OR or a closing parenthesis"
	if p.bare {
		expected = comparisons + ", AND, OR or a closing parenthesis"
	}
	hint := "it was opened in line " + strconv.Itoa(int(open.line)) + ", column " + strconv.Itoa(int(open.column))
	if p.tok.is(",") {
		hint = "a list of values follows IN"
	}
	return p.unexpected(expected, hint)
}

// operand is one side of a comparison, before it is known what stands on the other.
type operand struct {
	field *Field
	lit   *Literal
	bound bound // of a parameter that is a list or a predicate
	start token
}

func (o operand) scalar() bool { return o.field != nil || o.lit != nil }

func isComparison(t token) bool {
	_, ok := comparisonOperator(t)
	return ok
}

func comparisonOperator(t token) (Operator, bool) {
	if t.kind == tokenSymbol {
		switch t.text {
		case "=":
			return OpEqual, true
		case "!=", "<>":
			return OpNotEqual, true
		case "<":
			return OpLess, true
		case "<=":
			return OpLessEqual, true
		case ">":
			return OpGreater, true
		case ">=":
			return OpGreaterEqual, true
		}
	}
	return 0, false
}

// test reads a predicate that starts with an operand.
func (p *parser) test() (Expr, error) {
	p.bare = false
	if p.tok.keyword("NULL") {
		return nil, p.unexpected("a predicate", "write name IS NULL")
	}
	left, err := p.operand("a predicate")
	if err != nil {
		return nil, err
	}
	if op, ok := comparisonOperator(p.tok); ok {
		return p.comparison(left, op)
	}
	if p.tok.keyword("IS") {
		return p.nullTest(left)
	}
	negated := p.tok.keyword("NOT")
	if negated {
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	e, err := p.keywordTest(left, negated)
	if err != nil || !negated {
		return e, err
	}
	return Not(e), nil
}

// keywordTest reads IN, BETWEEN, LIKE and ILIKE; without any of them left itself has to
// be a predicate.
func (p *parser) keywordTest(left operand, negated bool) (Expr, error) {
	word := p.tok
	if word.keyword("IN") || word.keyword("BETWEEN") {
		if err := p.nest(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
	}
	switch {
	case word.keyword("IN"):
		return p.membership(left)
	case word.keyword("BETWEEN"):
		return p.between(left)
	case word.keyword("LIKE"), word.keyword("ILIKE"):
		return p.match(left, word.keyword("ILIKE"))
	case negated:
		return nil, p.unexpected("IN, BETWEEN, LIKE or ILIKE after NOT", "")
	}
	return p.standalone(left)
}

// standalone returns an operand as a predicate.
func (p *parser) standalone(o operand) (Expr, error) {
	if o.field != nil {
		p.bare = true
		return &Comparison{Left: o.field, Op: OpEqual, Right: &Literal{Value: value.Bool(true), at: o.field.at}, bare: true}, nil
	}
	if o.bound.expr != nil {
		return o.bound.expr, nil
	}
	if o.lit != nil {
		if b, ok := o.lit.Value.AsBool(); ok {
			return Constant(truthOf(b)), nil
		}
		if o.lit.Value.IsNull() {
			return Constant(TruthUnknown), nil
		}
	}
	if o.start.kind == tokenParam {
		return nil, o.start.at.err("a bool or a predicate for "+p.params.describe(o.start), describeBound(o), "only these can stand alone")
	}
	return nil, p.unexpected("a comparison after "+clip(o.start.raw), "")
}

func describeBound(o operand) string {
	if o.bound.isList {
		return "a list"
	}
	if o.bound.expr != nil {
		return "a predicate"
	}
	return clip(o.lit.Value.String())
}

// operand reads a path, a literal or a parameter.
func (p *parser) operand(expected string) (operand, error) {
	o := operand{start: p.tok}
	var err error
	switch t := p.tok; {
	case t.kind == tokenQuoted, t.kind == tokenName && !isReserved(t.text):
		o.field, err = p.path()
		return o, err
	case t.keyword("TRUE"), t.keyword("FALSE"):
		o.lit = &Literal{Value: value.Bool(t.keyword("TRUE")), at: t.at}
	case t.kind == tokenNumber:
		o.lit, err = number(t)
	case t.kind == tokenText:
		o.lit = &Literal{Value: value.String(t.text), at: t.at}
	case t.kind == tokenParam:
		if o.bound, err = p.params.bind(t); err == nil && !o.bound.isList && o.bound.expr == nil {
			o.lit = &Literal{Value: o.bound.value, at: t.at}
		}
	default:
		return o, p.unexpected(expected, operandHint(t))
	}
	if err == nil {
		err = p.count(max(1, len(o.bound.list)))
	}
	if err != nil {
		return o, err
	}
	return o, p.advance()
}

func operandHint(t token) string {
	switch {
	case t.keyword("NULL"):
		return "nothing equals NULL; use IS NULL or IS NOT NULL"
	case t.kind == tokenName:
		return `a property with the name of a keyword is written "` + clip(t.text) + `"`
	case t.is("("):
		return "parentheses hold predicates, and lists after IN"
	}
	return ""
}

func (p *parser) count(values int) error {
	if p.values += values; p.values > MaxValues {
		return p.tok.at.err("at most "+strconv.Itoa(MaxValues)+" values", "more", "")
	}
	return nil
}

// scalarOperand reads an operand that is not a list or a predicate.
func (p *parser) scalarOperand(expected string) (operand, error) {
	o, err := p.operand(expected)
	if err == nil && !o.scalar() {
		err = o.start.at.err(expected, describeBound(o), "a list binds to IN, a predicate to AND and OR")
	}
	return o, err
}

func number(t token) (*Literal, error) {
	if !strings.ContainsAny(t.text, ".eE") {
		i, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return nil, t.at.err("a whole number of 64 bits", clip(t.text), "greater ones are written with an exponent: 1e19")
		}
		return &Literal{Value: value.Int(i), at: t.at}, nil
	}
	f, err := strconv.ParseFloat(t.text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, t.at.err("a number that fits in 64 bits", clip(t.text), "")
	}
	return &Literal{Value: value.Float(f), at: t.at}, nil
}

// path reads name { "." name }.
func (p *parser) path() (*Field, error) {
	f := &Field{at: p.tok.at, quoted: p.tok.kind == tokenQuoted}
	size := 0
	for {
		ok := p.tok.kind == tokenQuoted || p.tok.kind == tokenName && (len(f.Path) > 0 || !isReserved(p.tok.text))
		if !ok {
			return nil, p.unexpected("the name of a property", operandHint(p.tok))
		}
		if len(f.Path) == MaxSteps {
			return nil, p.tok.at.err("at most "+strconv.Itoa(MaxSteps)+" steps in a path", "more", "")
		}
		if size += len(p.tok.text); size > MaxPath {
			return nil, f.at.err("a path of at most "+strconv.Itoa(MaxPath)+" bytes", "more", "")
		}
		f.Path = append(f.Path, p.tok.text)
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.tok.is(".") {
			return f, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) comparison(left operand, op Operator) (Expr, error) {
	if !left.scalar() {
		return nil, left.start.at.err("a value to compare", describeBound(left), "a list binds to IN")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.keyword("NULL") {
		hint := "nothing is less or greater than NULL; use IS NULL or IS NOT NULL"
		switch op {
		case OpEqual:
			hint = "use IS NULL"
		case OpNotEqual:
			hint = "use IS NOT NULL"
		}
		return nil, p.unexpected("a value or a property", hint)
	}
	right, err := p.scalarOperand("a value or a property")
	if err != nil {
		return nil, err
	}
	if isComparison(p.tok) {
		return nil, p.unexpected("AND, OR, ORDER BY, LIMIT or the end of the text", "comparisons do not chain: write a = b AND b = c")
	}
	return compare(left, op, right), nil
}

// compare makes the comparison of two operands: a field stands on the left, and two
// literals are compared at once.
func compare(left operand, op Operator, right operand) Expr {
	switch {
	case left.field == nil && right.field == nil:
		return Constant(op.compare(left.lit.Value, right.lit.Value))
	case left.field == nil:
		return &Comparison{Left: right.field, Op: op.flipped(), Right: left.lit}
	case right.field == nil:
		return &Comparison{Left: left.field, Op: op, Right: right.lit}
	}
	return &Comparison{Left: left.field, Op: op, Right: right.field}
}

func (p *parser) nullTest(left operand) (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	negated, err := p.skip("NOT")
	if err != nil {
		return nil, err
	}
	if !p.tok.keyword("NULL") {
		hint := ""
		if p.tok.keyword("TRUE") || p.tok.keyword("FALSE") {
			hint = "write = TRUE or = FALSE"
		}
		expected := "NULL"
		if !negated {
			expected = "NULL or NOT NULL"
		}
		return nil, p.unexpected(expected, hint)
	}
	if !left.scalar() {
		return nil, left.start.at.err("a property before IS", describeBound(left), "")
	}
	var e Expr
	if left.field != nil {
		e = &NullTest{Field: left.field}
	} else {
		e = Constant(truthOf(left.lit.Value.IsNull()))
	}
	if negated {
		e = Not(e)
	}
	return e, p.advance()
}

func (p *parser) between(left operand) (Expr, error) {
	if !left.scalar() {
		return nil, left.start.at.err("a property before BETWEEN", describeBound(left), "")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	low, err := p.scalarOperand("the lower bound")
	if err != nil {
		return nil, err
	}
	if !p.tok.keyword("AND") {
		return nil, p.unexpected("AND and the upper bound", "x BETWEEN 1 AND 5 holds both ends")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	high, err := p.scalarOperand("the upper bound")
	if err != nil {
		return nil, err
	}
	return conjunction(compare(left, OpGreaterEqual, low), compare(left, OpLessEqual, high)), nil
}

// membership reads the list of IN: in parentheses, or one parameter.
func (p *parser) membership(left operand) (Expr, error) {
	if !left.scalar() {
		return nil, left.start.at.err("a property before IN", describeBound(left), "")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenParam {
		list, err := p.operand("a list")
		if err != nil {
			return nil, err
		}
		if !list.bound.isList {
			return nil, list.start.at.err("a list for "+p.params.describe(list.start), describeBound(list), "a single value is written IN (?)")
		}
		return member(left, appendItems(nil, list))
	}
	if err := p.expect("(", "a list in parentheses or a parameter"); err != nil {
		return nil, err
	}
	var items []operand
	for !p.tok.is(")") {
		if len(items) > 0 {
			if err := p.expect(",", "a comma or the end of the list"); err != nil {
				return nil, err
			}
		}
		item, err := p.item()
		if err != nil {
			return nil, err
		}
		if items = appendItems(items, item); len(items) > MaxItems {
			return nil, item.start.at.err("at most "+strconv.Itoa(MaxItems)+" items", "more", "")
		}
	}
	e, err := member(left, items)
	if err != nil {
		return nil, err
	}
	return e, p.advance()
}

func (p *parser) item() (operand, error) {
	item, err := p.operand("a value or a property")
	if err == nil && item.bound.expr != nil {
		err = item.start.at.err("a value or a property", "a predicate", "")
	}
	return item, err
}

// appendItems appends an operand, or what a list parameter holds.
func appendItems(items []operand, o operand) []operand {
	if !o.bound.isList {
		return append(items, o)
	}
	for _, v := range o.bound.list {
		items = append(items, operand{lit: &Literal{Value: v, at: o.start.at}})
	}
	return items
}

// member makes the test for membership: where it is not a field and values it is what it
// means, a disjunction of comparisons.
func member(left operand, items []operand) (Expr, error) {
	plain := left.field != nil
	for _, item := range items {
		plain = plain && item.lit != nil
	}
	if !plain && len(items) > MaxColumns {
		return nil, left.start.at.err("at most "+strconv.Itoa(MaxColumns)+" items where not all are values", strconv.Itoa(len(items)), "")
	}
	if !plain {
		tests := make([]Expr, len(items))
		for i, item := range items {
			tests[i] = compare(left, OpEqual, item)
		}
		return disjunction(tests...), nil
	}
	values := make([]value.Value, len(items))
	places := make([]position, len(items))
	for i, item := range items {
		values[i], places[i] = item.lit.Value, item.lit.at
	}
	return newMembership(left.field, values, places), nil
}

// match reads the pattern of LIKE or ILIKE.
func (p *parser) match(left operand, fold bool) (Expr, error) {
	if left.field == nil {
		return nil, left.start.at.err("a property before LIKE", clip(left.start.raw), "")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.operand("a pattern")
	if err != nil {
		return nil, err
	}
	escape, err := p.escape()
	if err != nil {
		return nil, err
	}
	if right.lit == nil {
		return nil, right.start.at.err("a pattern in quotes or a parameter", clip(right.start.raw), "")
	}
	if right.lit.Value.IsNull() {
		// Unknown, but of a field whose name is still to be checked.
		return &Comparison{Left: left.field, Op: OpEqual, Right: right.lit}, nil
	}
	text, ok := right.lit.Value.AsString()
	if !ok {
		return nil, right.start.at.err("a pattern in quotes", clip(right.lit.Value.String()), "LIKE compares text")
	}
	return newMatch(left.field, text, escape, fold, right.lit.at)
}

func (p *parser) escape() (rune, error) {
	if written, err := p.skip("ESCAPE"); err != nil || !written {
		return 0, err
	}
	t := p.tok
	if t.kind != tokenText || utf8.RuneCountInString(t.text) > 1 {
		return 0, p.unexpected("one character in quotes", "ESCAPE '' is for none")
	}
	c, _ := utf8.DecodeRuneInString(t.text)
	switch t.text {
	case "":
		c = NoEscape
	case `\`:
		c = 0
	}
	return c, p.advance()
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

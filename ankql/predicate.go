package ankql

import (
	"strconv"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/value"
)

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
	case negated && word.keyword("NULL"):
		return nil, p.unexpected("IN, BETWEEN, LIKE or ILIKE after NOT", "write IS NOT NULL")
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
		return nil, p.unexpected(further, hintChain)
	}
	return compare(left, op, right), nil
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
			if !p.tok.is(",") {
				return nil, p.unexpected("a comma or the end of the list", itemHint(items))
			}
			if err := p.advance(); err != nil {
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

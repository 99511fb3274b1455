package ankql

import (
	"math"
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/core/value"
)

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
		return o, p.unexpected(expected, p.operandHint())
	}
	if err == nil {
		err = p.count(max(1, len(o.bound.list)))
	}
	if err != nil {
		return o, err
	}
	return o, p.advance()
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
			return nil, p.unexpected("the name of a property", p.operandHint())
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

package ankql

import (
	"math"
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Text returns the selection as text and parameters from which Parse makes an equal one
// (see Equal). Literals stand in the text; what has no literal (bytes, ids, JSON, NULL,
// infinities), a long text, and the items of a long list are parameters.
func (s *Selection) Text() (text string, params []value.Value) {
	p := printer{params: &params}
	p.selection(s)
	return p.String(), params
}

// String returns the selection in AnkQL, for people: what has no literal appears in the
// notation of package value.
func (s *Selection) String() string {
	var p printer
	p.selection(s)
	return p.String()
}

func (e Constant) String() string     { return exprString(e) }
func (e *Conjunction) String() string { return exprString(e) }
func (e *Disjunction) String() string { return exprString(e) }
func (e *Negation) String() string    { return exprString(e) }
func (e *Comparison) String() string  { return exprString(e) }
func (e *Membership) String() string  { return exprString(e) }
func (e *Match) String() string       { return exprString(e) }
func (e *NullTest) String() string    { return exprString(e) }

func exprString(e Expr) string {
	var p printer
	p.expr(e, precedenceOr)
	return p.String()
}

// String returns the path as it is written, with quotes where they are needed.
func (path Path) String() string {
	var p printer
	p.path(path)
	return p.String()
}

// printer writes AnkQL. With params nil it writes for people.
type printer struct {
	strings.Builder
	params *[]value.Value
}

// Precedences, from the one that binds least.
const (
	precedenceOr = iota
	precedenceAnd
	precedenceNot
)

func (p *printer) selection(s *Selection) {
	sep := ""
	if s.Where != nil && s.Where != True {
		p.expr(s.Where, precedenceOr)
		sep = " "
	}
	for i, o := range s.Order {
		if i == 0 {
			p.WriteString(sep + "ORDER BY ")
		} else {
			p.WriteString(", ")
		}
		p.order(o)
		sep = " "
	}
	if s.Limit != NoLimit {
		p.WriteString(sep + "LIMIT " + strconv.Itoa(s.Limit))
	}
}

func (p *printer) order(o Order) {
	p.path(o.Path)
	if o.Desc {
		p.WriteString(" DESC")
	}
	switch o.Nulls {
	case NullsFirst:
		p.WriteString(" NULLS FIRST")
	case NullsLast:
		p.WriteString(" NULLS LAST")
	}
}

// expr writes e, in parentheses if it binds less than what surrounds it.
func (p *printer) expr(e Expr, around int) {
	switch e := e.(type) {
	case Constant:
		p.constant(Truth(e))
	case *Conjunction:
		p.joined(e.Terms, " AND ", precedenceAnd, around)
	case *Disjunction:
		p.joined(e.Terms, " OR ", precedenceOr, around)
	case *Negation:
		p.negation(e.Term)
	case *Comparison:
		p.path(e.Left.Path)
		p.WriteString(" " + e.Op.String() + " ")
		p.operand(e.Right)
	case *Membership:
		p.membership(e, " IN (")
	case *Match:
		p.match(e, "")
	case *NullTest:
		p.path(e.Field.Path)
		p.WriteString(" IS NULL")
	}
}

func (p *printer) joined(terms []Expr, word string, precedence, around int) {
	if precedence < around {
		p.WriteByte('(')
		defer p.WriteByte(')')
	}
	for i, t := range terms {
		if i > 0 {
			p.WriteString(word)
		}
		p.expr(t, precedence+1)
	}
}

func (p *printer) negation(term Expr) {
	switch term := term.(type) {
	case *Membership:
		p.membership(term, " NOT IN (")
	case *Match:
		p.match(term, "NOT ")
	case *NullTest:
		p.path(term.Field.Path)
		p.WriteString(" IS NOT NULL")
	default:
		p.WriteString("NOT ")
		p.expr(term, precedenceNot)
	}
}

func (p *printer) constant(t Truth) {
	switch t {
	case TruthTrue:
		p.WriteString("TRUE")
	case TruthFalse:
		p.WriteString("FALSE")
	default:
		p.param(value.Null)
	}
}

func (p *printer) membership(e *Membership, word string) {
	p.path(e.Field.Path)
	p.WriteString(word)
	inline := len(e.Items) <= maxInlineList
	for i, v := range e.Items {
		if i > 0 {
			p.WriteString(", ")
		}
		if inline || p.params == nil {
			p.value(v)
		} else {
			p.param(v)
		}
	}
	p.WriteByte(')')
}

func (p *printer) match(e *Match, not string) {
	p.path(e.Field.Path)
	p.WriteString(" " + not)
	if e.Fold {
		p.WriteByte('I')
	}
	p.WriteString("LIKE ")
	p.value(value.String(e.Pattern))
	switch e.Escape {
	case 0, '\\':
	case NoEscape:
		p.WriteString(" ESCAPE ''")
	default:
		p.WriteString(" ESCAPE " + quoteText(string(e.Escape)))
	}
}

func (p *printer) operand(o Operand) {
	switch o := o.(type) {
	case *Literal:
		p.value(o.Value)
	case *Field:
		p.path(o.Path)
	}
}

// value writes a literal where there is one.
func (p *printer) value(v value.Value) {
	switch v.Kind() {
	case value.KindBool:
		b, _ := v.AsBool()
		p.constant(truthOf(b))
		return
	case value.KindInt:
		p.WriteString(v.String())
		return
	case value.KindFloat:
		if f, _ := v.AsFloat(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			p.WriteString(floatLiteral(f))
			return
		}
	case value.KindString:
		if s, _ := v.AsString(); len(s) <= maxInlineText || p.params == nil {
			p.WriteString(quoteText(s))
			return
		}
	}
	p.param(v)
}

// floatLiteral writes f so that it is read as a float again.
func floatLiteral(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// param writes a placeholder and appends its value, or writes for people.
func (p *printer) param(v value.Value) {
	if p.params != nil {
		p.WriteByte('?')
		*p.params = append(*p.params, v)
		return
	}
	if v.Kind() == value.KindID {
		p.WriteString(quoteText(v.String()))
		return
	}
	p.WriteString(v.String())
}

func (p *printer) path(path Path) {
	for i, step := range path {
		if i > 0 {
			p.WriteByte('.')
		}
		if isPlainName(step) && !isKeyword(step) || step == schema.Sync {
			p.WriteString(step)
		} else {
			p.WriteString(quote(step, '"'))
		}
	}
}

func isPlainName(s string) bool {
	for i, c := range s {
		if i == 0 && !isNameStart(c) || !isNamePart(c) {
			return false
		}
	}
	return s != ""
}

func quoteText(s string) string { return quote(s, '\'') }

func quote(s string, q byte) string {
	mark := string([]byte{q})
	return mark + strings.ReplaceAll(s, mark, mark+mark) + mark
}

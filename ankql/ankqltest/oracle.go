package ankqltest

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

// The tables of three-valued logic, by the numbers of ankql.Truth: false, unknown, true.
var (
	andTable = [3][3]ankql.Truth{
		{ankql.TruthFalse, ankql.TruthFalse, ankql.TruthFalse},
		{ankql.TruthFalse, ankql.TruthUnknown, ankql.TruthUnknown},
		{ankql.TruthFalse, ankql.TruthUnknown, ankql.TruthTrue},
	}
	orTable = [3][3]ankql.Truth{
		{ankql.TruthFalse, ankql.TruthUnknown, ankql.TruthTrue},
		{ankql.TruthUnknown, ankql.TruthUnknown, ankql.TruthTrue},
		{ankql.TruthTrue, ankql.TruthTrue, ankql.TruthTrue},
	}
	notTable = [3]ankql.Truth{ankql.TruthTrue, ankql.TruthUnknown, ankql.TruthFalse}
)

// Truth returns what a predicate says of a row of the world.
func (w *World) Truth(e ankql.Expr, r ankql.Fields) ankql.Truth {
	switch e := e.(type) {
	case ankql.Constant:
		return ankql.Truth(e)
	case *ankql.Negation:
		return notTable[w.Truth(e.Term, r)]
	case *ankql.Conjunction:
		all := ankql.TruthTrue
		for _, t := range e.Terms {
			all = andTable[all][w.Truth(t, r)]
		}
		return all
	case *ankql.Disjunction:
		some := ankql.TruthFalse
		for _, t := range e.Terms {
			some = orTable[some][w.Truth(t, r)]
		}
		return some
	case *ankql.Comparison:
		return compare(w.hold(e.Left, r), e.Op, w.operand(e.Right, r))
	case *ankql.Membership:
		some := ankql.TruthFalse
		for _, item := range e.Items {
			some = orTable[some][compare(w.hold(e.Field, r), ankql.OpEqual, item)]
		}
		return some
	case *ankql.Match:
		text, ok := w.hold(e.Field, r).AsString()
		if !ok {
			return ankql.TruthUnknown
		}
		return truth(patternRegexp(e).MatchString(text))
	case *ankql.NullTest:
		return truth(w.hold(e.Field, r).IsNull())
	}
	panic(fmt.Sprintf("ankqltest: %T", e))
}

// Fetch returns the rows of a selection, which has been checked: all rows of the collection
// that are not deleted, filtered, sorted and cut.
func (w *World) Fetch(collection string, s *ankql.Selection) []*Row {
	rows := slices.DeleteFunc(w.Live(collection), func(r *Row) bool { return w.Truth(s.Where, r) != ankql.TruthTrue })
	slices.SortFunc(rows, func(a, b *Row) int { return w.Compare(s, a, b) })
	if s.Limit >= 0 && s.Limit < len(rows) {
		rows = rows[:s.Limit]
	}
	return rows
}

// Compare returns how two rows follow each other under a selection's ORDER BY: negative if a
// comes first. The ids decide at last.
func (w *World) Compare(s *ankql.Selection, a, b *Row) int {
	for _, o := range s.Order {
		x, y := w.follow(o.Path, a), w.follow(o.Path, b)
		var c int
		switch {
		case x.IsNull() && y.IsNull():
			continue
		case x.IsNull() || y.IsNull():
			c = 1
			if x.IsNull() == (o.Nulls == ankql.NullsFirst || o.Nulls == ankql.NullsDefault && o.Desc) {
				c = -1
			}
		default:
			c = Order(x, y)
			if o.Desc {
				c = -c
			}
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(string(a.ID.Bytes()), string(b.ID.Bytes()))
}

func truth(b bool) ankql.Truth {
	if b {
		return ankql.TruthTrue
	}
	return ankql.TruthFalse
}

func (w *World) operand(x ankql.Operand, r ankql.Fields) value.Value {
	if f, ok := x.(*ankql.Field); ok {
		return w.hold(f, r)
	}
	return x.(*ankql.Literal).Value
}

func compare(a value.Value, op ankql.Operator, b value.Value) ankql.Truth {
	a, b = plain(a), plain(b)
	if a.IsNull() || b.IsNull() || rank(a) != rank(b) {
		return ankql.TruthUnknown
	}
	c := Order(a, b)
	return truth(map[ankql.Operator]bool{
		ankql.OpEqual: c == 0, ankql.OpNotEqual: c != 0, ankql.OpLess: c < 0,
		ankql.OpLessEqual: c <= 0, ankql.OpGreater: c > 0, ankql.OpGreaterEqual: c >= 0,
	}[op])
}

// rank orders the families of values.
func rank(v value.Value) int {
	switch v.Kind() {
	case value.KindBool:
		return 1
	case value.KindInt, value.KindFloat:
		return 2
	case value.KindString:
		return 3
	case value.KindBytes:
		return 4
	case value.KindID:
		return 5
	}
	return 6
}

// Order places two values that are not NULL in the one total order.
func Order(a, b value.Value) int {
	a, b = plain(a), plain(b)
	if rank(a) != rank(b) {
		return rank(a) - rank(b)
	}
	switch rank(a) {
	case 1:
		x, _ := a.AsBool()
		y, _ := b.AsBool()
		return map[[2]bool]int{{false, true}: -1, {true, false}: 1}[[2]bool{x, y}]
	case 2:
		return orderNumbers(a, b)
	case 3:
		x, _ := a.AsString()
		y, _ := b.AsString()
		return strings.Compare(x, y)
	case 4:
		x, _ := a.AsBytes()
		y, _ := b.AsBytes()
		return strings.Compare(string(x), string(y))
	case 5:
		x, _ := a.AsID()
		y, _ := b.AsID()
		return strings.Compare(string(x.Bytes()), string(y.Bytes()))
	}
	x, _ := a.JSONMsgpack() // arrays and objects are in the order of their encodings
	y, _ := b.JSONMsgpack()
	return strings.Compare(x, y)
}

// orderNumbers compares exact fractions; beyond them are the infinities, and after those
// what is not a number.
func orderNumbers(a, b value.Value) int {
	x, y := beyond(a), beyond(b)
	if x != 0 || y != 0 {
		return x - y
	}
	return fraction(a).Cmp(fraction(b))
}

func beyond(v value.Value) int {
	switch f, _ := v.AsFloat(); {
	case math.IsNaN(f):
		return 2
	case math.IsInf(f, 1):
		return 1
	case math.IsInf(f, -1):
		return -1
	}
	return 0
}

func fraction(v value.Value) *big.Rat {
	if i, ok := v.AsInt(); ok {
		return new(big.Rat).SetInt64(i)
	}
	f, _ := v.AsFloat()
	return new(big.Rat).SetFloat64(f)
}

// plain turns JSON scalars into what they hold.
func plain(v value.Value) value.Value {
	if v.Kind() != value.KindJSON {
		return v
	}
	return fromTree(v.Tree())
}

func fromTree(tree any) value.Value {
	switch t := tree.(type) {
	case nil:
		return value.Null
	case bool:
		return value.Bool(t)
	case int64:
		return value.Int(t)
	case float64:
		return value.Float(t)
	case string:
		return value.String(t)
	}
	return document(tree)
}

func (w *World) hold(f *ankql.Field, r ankql.Fields) value.Value { return w.follow(f.Path, r) }

// follow returns what lies under a path. Where it goes on behind a reference, the collection
// that the model declares says where.
func (w *World) follow(path ankql.Path, r ankql.Fields) value.Value {
	v := r.Field(path[0])
	if len(path) == 1 {
		return plain(v)
	}
	if e, ok := v.AsID(); ok {
		target := w.target(w.declaredTarget(r, path[0]), e)
		if target == nil {
			return value.Null
		}
		return w.follow(path[1:], target)
	}
	tree := v.Tree()
	for _, key := range path[1:] {
		object, _ := tree.(map[string]any)
		tree = object[key]
	}
	return fromTree(tree)
}

func (w *World) declaredTarget(r ankql.Fields, property string) string {
	row, ok := r.(*Row)
	if !ok || w.Models[row.Collection] == nil {
		return ""
	}
	p, ok := w.Models[row.Collection].Property(property)
	if !ok {
		return ""
	}
	return p.Target
}

func patternRegexp(m *ankql.Match) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s)")
	if m.Fold {
		b.WriteString("(?i)")
	}
	b.WriteString("^")
	escape := m.Escape
	if escape == 0 {
		escape = '\\'
	}
	escaped := false
	for _, c := range m.Pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(c)))
			escaped = false
		case c == escape:
			escaped = true
		case c == '%':
			b.WriteString(".*")
		case c == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return regexp.MustCompile(b.String() + "$")
}

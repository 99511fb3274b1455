package ankql_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

// oracle evaluates predicates in the slowest and plainest way: truth values are -1, 0 and
// 1, lists are disjunctions, patterns are regular expressions, and JSON is a Go tree.
type oracle struct {
	row  row
	refs entities
}

const (
	no      = -1
	unknown = 0
	yes     = 1
)

func (o oracle) truth(e ankql.Expr) int {
	switch e := e.(type) {
	case ankql.Constant:
		return int(e) - 1
	case *ankql.Negation:
		return -o.truth(e.Term)
	case *ankql.Conjunction:
		all := yes
		for _, t := range e.Terms {
			all = min(all, o.truth(t))
		}
		return all
	case *ankql.Disjunction:
		some := no
		for _, t := range e.Terms {
			some = max(some, o.truth(t))
		}
		return some
	case *ankql.Comparison:
		return o.compare(o.field(e.Left), e.Op, o.operand(e.Right))
	case *ankql.Membership:
		some := no
		for _, item := range e.Items {
			some = max(some, o.compare(o.field(e.Field), ankql.OpEqual, item))
		}
		return some
	case *ankql.Match:
		text, ok := o.field(e.Field).AsString()
		if !ok {
			return unknown
		}
		return boolTruth(patternRegexp(e).MatchString(text))
	case *ankql.NullTest:
		return boolTruth(o.field(e.Field).IsNull())
	}
	panic(fmt.Sprintf("%T", e))
}

func boolTruth(b bool) int {
	if b {
		return yes
	}
	return no
}

func (o oracle) operand(x ankql.Operand) value.Value {
	if f, ok := x.(*ankql.Field); ok {
		return o.field(f)
	}
	return plain(x.(*ankql.Literal).Value)
}

func (o oracle) compare(a value.Value, op ankql.Operator, b value.Value) int {
	a, b = plain(a), plain(b)
	if familyName(a) != familyName(b) || a.IsNull() {
		return unknown
	}
	c := value.Compare(a, b)
	return boolTruth([]bool{c == 0, c != 0, c < 0, c <= 0, c > 0, c >= 0}[op])
}

func familyName(v value.Value) string {
	if v.Kind() == value.KindFloat {
		return value.KindInt.String()
	}
	return v.Kind().String()
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
	v, err := value.JSON(tree)
	if err != nil {
		panic(err)
	}
	return v
}

func (o oracle) field(f *ankql.Field) value.Value {
	v := o.row[f.Path[0]]
	for i, step := range f.Path[1:] {
		if e, ok := v.AsID(); ok {
			v = o.refs[e][step]
			continue
		}
		tree := v.Tree()
		for _, key := range f.Path[i+1:] {
			m, _ := tree.(map[string]any)
			tree = m[key]
		}
		return fromTree(tree)
	}
	return plain(v)
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

// TestEvaluateAgainstOracle: 148, as far as this package goes. Checked or not, printed and
// parsed again or not, a selection says of a row what the oracle says.
func TestEvaluateAgainstOracle(t *testing.T) {
	g := newGenerator(1)
	for i := range 3000 {
		s := g.selection(3)
		checked, err := s.CheckWith(albumModel, models)
		if err != nil {
			t.Fatalf("case %d: %s: %v", i, s, err)
		}
		for range 20 {
			o := oracle{row: g.album(), refs: entities{entity(0): g.artist(), entity(1): g.album(), entity(2): g.artist()}}
			want := o.truth(checked.Where)
			if got := int(ankql.Evaluate(checked.Where, o.row, o.refs)) - 1; got != want {
				t.Fatalf("case %d: %s\non %v: got %d, want %d", i, checked, o.row, got, want)
			}
			if got := checked.MatchesWith(o.row, o.refs); got != (want == yes) {
				t.Fatalf("case %d: %s\non %v: matches %v, want %d", i, checked, o.row, got, want)
			}
			if want := (oracle{row: o.row}).truth(checked.Where) == yes; checked.Matches(o.row) != want {
				t.Fatalf("case %d: %s\non %v without a resolver: matches %v", i, checked, o.row, !want)
			}
		}
	}
}

// TestCheckIsIdempotent: a checked selection is accepted as it is, and has the same key.
func TestCheckIsIdempotent(t *testing.T) {
	g := newGenerator(2)
	for range 2000 {
		once, err := g.selection(3).CheckWith(albumModel, models)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := once.CheckWith(albumModel, models)
		if err != nil || !ankql.Equal(once, twice) || once.Key() != twice.Key() {
			t.Fatalf("%s\nbecame %s, %v", once, twice, err)
		}
	}
}

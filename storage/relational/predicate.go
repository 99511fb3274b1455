package relational

import (
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

// predicate is a predicate in SQL.
type predicate struct {
	sql string
	// exact says that sql has the predicate's truth value for every row that is not odd,
	// unknown as NULL; otherwise it is true at least where the predicate is.
	exact bool
}

var everything = predicate{sql: yes}

func exactly(sql string) predicate { return predicate{sql: sql, exact: true} }

// predicate turns e into SQL.
func (s *statement) predicate(e ankql.Expr) predicate {
	switch e := e.(type) {
	case ankql.Constant:
		return exactly([...]string{ankql.TruthFalse: no, ankql.TruthUnknown: s.dialect.unknown(), ankql.TruthTrue: yes}[e])
	case *ankql.Conjunction:
		return s.joined(e.Terms, " AND ")
	case *ankql.Disjunction:
		return s.joined(e.Terms, " OR ")
	case *ankql.Negation:
		return s.negation(e)
	case *ankql.Comparison:
		return s.comparison(e)
	case *ankql.Membership:
		return s.membership(e)
	case *ankql.Match:
		return s.match(e)
	case *ankql.NullTest:
		return s.nullTest(e)
	}
	return everything
}

// joined leaves out nothing: a term that is not exact is true too often, and so is what is
// joined with it.
func (s *statement) joined(terms []ankql.Expr, with string) predicate {
	out := make([]string, len(terms))
	exact := true
	for i, t := range terms {
		p := s.predicate(t)
		out[i], exact = p.sql, exact && p.exact
	}
	return predicate{sql: "(" + strings.Join(out, with) + ")", exact: exact}
}

func (s *statement) negation(e *ankql.Negation) predicate {
	mark := len(s.args)
	s.negated++
	p := s.predicate(e.Term)
	s.negated--
	if !p.exact {
		s.args = s.args[:mark] // Postgres wants every argument used
		return everything
	}
	return exactly("(NOT " + p.sql + ")")
}

func (s *statement) nullTest(e *ankql.NullTest) predicate {
	switch o := s.operand(e.Field.Path); o.kind {
	case absent:
		return exactly(yes)
	case column:
		return exactly("(" + o.sql + " IS NULL)")
	case document:
		return exactly("(" + jsonRank(o.sql) + " IS NULL)")
	}
	return everything
}

func (s *statement) comparison(e *ankql.Comparison) predicate {
	left := s.operand(e.Left.Path)
	var sql string
	var ok bool
	if lit, isLiteral := e.Right.(*ankql.Literal); isLiteral {
		sql, ok = s.compareLiteral(left, e.Op, lit.Value)
	} else {
		sql, ok = s.compareOperands(left, e.Op, s.operand(e.Right.(*ankql.Field).Path))
	}
	if !ok {
		return everything
	}
	return exactly(sql)
}

// compareOperands compares what two paths lead to.
func (s *statement) compareOperands(a operand, op ankql.Operator, b operand) (sql string, ok bool) {
	switch {
	case a.kind == beyond || b.kind == beyond:
		return "", false
	case a.kind == absent || b.kind == absent:
		return s.dialect.unknown(), true
	case a.kind == document && b.kind == document:
		return s.compareDocuments(a.sql, op, b.sql)
	case a.kind == document:
		return s.compareColumns(ofFamily(a, b.typ), op, b), true
	case b.kind == document:
		return s.compareColumns(a, op, ofFamily(b, a.typ)), true
	}
	return s.compareColumns(a, op, b), true
}

// ofFamily is what a document holds as a column to compare with one of type t.
func ofFamily(doc operand, t Type) operand {
	switch t {
	case Int, Float:
		return operand{kind: document, typ: t, sql: jsonNumber(doc.sql)}
	case Text:
		return operand{kind: column, typ: Text, sql: jsonText(doc.sql)}
	case Bool:
		return operand{kind: column, typ: Bool, sql: jsonBool(doc.sql)}
	}
	return operand{kind: absent, typ: t} // documents have no bytes and no ids
}

func (s *statement) compareColumns(a operand, op ankql.Operator, b operand) string {
	if a.kind == absent || b.kind == absent || a.typ.family() != b.typ.family() {
		return s.dialect.unknown()
	}
	if s.dialect == Postgres && a.typ.family() == rankNumber && (a.typ != b.typ || a.kind != b.kind) {
		return compareNumbers(a, op, b)
	}
	return "(" + a.sql + " " + symbol(op) + " " + b.sql + ")"
}

// compareNumbers compares numbers of two types by value. Casts to double precision round, and
// casts of it to numeric lose digits, so floats are compared first, and where these are
// equal, the whole numbers that they are.
func compareNumbers(a operand, op ankql.Operator, b operand) string {
	if a.typ == Int && b.typ == Int {
		return "(" + a.sql + "::numeric " + symbol(op) + " " + b.sql + "::numeric)"
	}
	x, y := "("+a.sql+"::double precision)", "("+b.sql+"::double precision)"
	whole := func(o operand, f string) string {
		if o.kind == column && o.typ == Float {
			return f + "::bigint::numeric"
		}
		return o.sql + "::numeric"
	}
	order := "(CASE WHEN " + x + " < " + y + " THEN -1 WHEN " + x + " > " + y + " THEN 1" +
		" WHEN " + x + " = " + y + " THEN CASE" +
		" WHEN abs(" + x + ") < 9007199254740992 THEN 0" +
		" WHEN " + x + " >= -9223372036854775808 AND " + x + " < 9223372036854775808 THEN sign(" + whole(a, x) + " - " + whole(b, y) + ")::int" +
		" WHEN " + isShort(a) + " THEN -1 WHEN " + isShort(b) + " THEN 1 ELSE 0 END END)"
	return "(" + order + " " + symbol(op) + " 0)"
}

// isShort says of a number that becomes 2^63 as a float whether it is less.
func isShort(o operand) string {
	if o.kind == column && o.typ == Float {
		return no
	}
	return o.sql + "::numeric BETWEEN 0 AND 9223372036854775807"
}

// compareDocuments compares what two documents hold.
func (s *statement) compareDocuments(a string, op ankql.Operator, b string) (string, bool) {
	if op != ankql.OpEqual && op != ankql.OpNotEqual {
		return "", false // containers are in the order of their encodings
	}
	return "(CASE WHEN " + jsonFamily(a) + " = " + jsonFamily(b) + " THEN " + a + " " + symbol(op) + " " + b + " END)", true
}

// membership is the disjunction of comparisons with each item, family by family.
func (s *statement) membership(e *ankql.Membership) predicate {
	o := s.operand(e.Field.Path)
	switch {
	case len(e.Items) == 0:
		return exactly(no)
	case o.kind == beyond:
		return everything
	case o.kind == absent:
		return exactly(s.dialect.unknown())
	}
	var parts []string
	unknown := false
	groups := map[int][]value.Value{}
	for _, v := range e.Items {
		groups[family(v)] = append(groups[family(v)], v.Scalar())
	}
	for _, f := range []int{0, rankTrue, rankNumber, rankText, rankBytes, rankID, rankContainer} {
		items := groups[f]
		switch {
		case len(items) == 0:
		case f == 0 || o.kind == column && o.typ.family() != f || o.kind == document && (f == rankBytes || f == rankID):
			unknown = true // never equal, and never known not to be
		default:
			parts = append(parts, s.anyOf(o, items))
		}
	}
	if unknown {
		parts = append(parts, s.dialect.unknown())
	}
	return exactly("(" + strings.Join(parts, " OR ") + ")")
}

// anyOf says whether o equals one of the items, which are of one family that o can have.
func (s *statement) anyOf(o operand, items []value.Value) string {
	if family(items[0]) == rankContainer {
		parts := make([]string, len(items))
		for i, v := range items {
			parts[i] = s.sameContainer(o.sql, ankql.OpEqual, v)
		}
		return "(" + strings.Join(parts, " OR ") + ")"
	}
	sql, t := o.sql, o.typ
	numeric := false
	if o.kind == document {
		switch family(items[0]) {
		case rankTrue:
			sql, t = jsonBool(o.sql), Bool
		case rankNumber:
			sql, numeric = jsonNumber(o.sql), true
		case rankText:
			sql, t = jsonText(o.sql), Text
		}
	}
	var args []any
	for _, v := range items {
		if numeric {
			args = append(args, decimal(v))
		} else if arg, ok := s.equalArgument(t, v); ok {
			args = append(args, arg)
		}
	}
	if len(args) == 0 {
		return constant(sql, false)
	}
	out := sql + s.oneOf(args, t, numeric)
	if o.kind == document && family(items[0]) != rankTrue {
		out = s.ranked(o, family(items[0]), out)
	}
	if o.indexed && t == Text && !numeric && s.dialect == Postgres {
		prefixes := make([]any, len(args))
		for i, arg := range args {
			prefixes[i] = firstChars(arg.(string))
		}
		out += " AND " + textPrefix(sql) + s.oneOf(prefixes, Text, false)
	}
	return "(" + out + ")"
}

// equalArgument returns the one argument that a column of type t equals where it equals v.
func (s *statement) equalArgument(t Type, v value.Value) (any, bool) {
	switch {
	case t == Int && v.Kind() == value.KindFloat:
		f, _ := v.AsFloat()
		i := int64(f)
		return i, f >= -1<<63 && f < 1<<63 && float64(i) == f
	case t == Float && v.Kind() == value.KindInt:
		f, _ := v.AsFloat()
		return f, value.Equal(value.Float(f), v)
	}
	return s.dialect.Hold(t, v)
}

// oneOf is the comparison of something with a list of arguments.
func (s *statement) oneOf(args []any, t Type, numeric bool) string {
	if s.dialect == SQLite {
		places := make([]string, len(args))
		for i, arg := range args {
			places[i] = s.placeholder(arg)
		}
		return " IN (" + strings.Join(places, ", ") + ")"
	}
	cast := s.dialect.ParameterType(t, true)
	if numeric {
		return " = ANY(" + s.placeholder(list(args, Text)) + "::text[]::numeric[])"
	}
	return " = ANY(" + s.placeholder(list(args, t)) + "::" + cast + ")"
}

// list returns arguments as a slice of their own type, as a driver takes it.
func list(args []any, t Type) any {
	switch t {
	case Int:
		return slice[int64](args)
	case Float:
		return slice[float64](args)
	case Bool:
		return slice[bool](args)
	case Bytes:
		return slice[[]byte](args)
	}
	return slice[string](args)
}

func slice[T any](args []any) []T {
	out := make([]T, len(args))
	for i, arg := range args {
		out[i] = arg.(T)
	}
	return out
}

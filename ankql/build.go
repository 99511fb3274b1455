package ankql

import (
	"slices"
	"strconv"
)

// Condition is a predicate that Go code puts together: the same trees as Parse makes, with
// values that never pass through text. A mistake (a path that is none, a value of a type
// that Parse would not take as parameter) stays in the condition, and comes out of
// Expr and Query.Selection. The zero Condition is TRUE.
type Condition struct {
	expr Expr
	err  error
}

// Expr returns the predicate, or the first mistake in it.
func (c Condition) Expr() (Expr, error) {
	if c.err != nil {
		return nil, c.err
	}
	if c.expr == nil {
		return True, nil
	}
	return c.expr, nil
}

// Column stands for a property where a value could stand, as in Eq("buyer", Column("seller")).
type Column string

// Eq is true where the property at path equals v, a value of a type that Parse takes as
// parameter, or a Column. A path is written as in the language, as "artist.name".
// Nothing equals nil; use IsNull.
func Eq(path string, v any) Condition { return compareTo(path, OpEqual, v) }

// Ne is true where the property holds something other than v.
func Ne(path string, v any) Condition { return compareTo(path, OpNotEqual, v) }

// Lt is true where the property is less than v.
func Lt(path string, v any) Condition { return compareTo(path, OpLess, v) }

// Le is true where the property is at most v.
func Le(path string, v any) Condition { return compareTo(path, OpLessEqual, v) }

// Gt is true where the property is greater than v.
func Gt(path string, v any) Condition { return compareTo(path, OpGreater, v) }

// Ge is true where the property is at least v.
func Ge(path string, v any) Condition { return compareTo(path, OpGreaterEqual, v) }

// Between is true where the property is low or high or something between them.
func Between(path string, low, high any) Condition { return Ge(path, low).And(Le(path, high)) }

func compareTo(path string, op Operator, v any) Condition {
	f, err := parsePath(path)
	if err != nil {
		return Condition{err: err}
	}
	right, err := operandOf(v)
	if err != nil {
		return Condition{err: err}
	}
	return Condition{expr: compare(operand{field: f}, op, right)}
}

func operandOf(v any) (operand, error) {
	if column, ok := v.(Column); ok {
		f, err := parsePath(string(column))
		return operand{field: f}, err
	}
	v1, ok, problem := scalarOf(v)
	if problem == "" && !ok {
		_, problem = listOf(v)
		if problem == "" {
			problem = "a list"
		}
	}
	if problem != "" {
		return operand{}, position{}.err("a value", problem, "lists go with In")
	}
	return operand{lit: &Literal{Value: v1}}, nil
}

// In is true where the property equals one of the items of list, a slice of values; Columns
// may be among them. In(…).Not() is NOT IN.
func In(path string, list any) Condition {
	f, err := parsePath(path)
	if err != nil {
		return Condition{err: err}
	}
	items, err := itemsOf(list)
	if err != nil {
		return Condition{err: err}
	}
	e, err := member(operand{field: f}, items)
	if err != nil {
		return Condition{err: err}
	}
	return Condition{expr: e}
}

func itemsOf(list any) ([]operand, error) {
	var given []any
	switch list := list.(type) {
	case []Column:
		for _, c := range list {
			given = append(given, c)
		}
	case []any:
		given = list
	}
	if slices.ContainsFunc(given, func(v any) bool { _, ok := v.(Column); return ok }) {
		items := make([]operand, len(given))
		for i, v := range given {
			var err error
			if items[i], err = operandOf(v); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	values, problem := listOf(list)
	if problem != "" {
		return nil, position{}.err("a list", problem, "")
	}
	items := make([]operand, len(values))
	for i, v := range values {
		items[i] = operand{lit: &Literal{Value: v}}
	}
	return items, nil
}

// Like is true where the property is a text that matches pattern, in which % stands for any
// text, _ for one character, and a backslash takes the meaning from what follows it.
func Like(path, pattern string) Condition { return matching(path, pattern, 0, false) }

// ILike is Like for which letters of either case are equal.
func ILike(path, pattern string) Condition { return matching(path, pattern, 0, true) }

// LikeEscape is Like with another escape character than the backslash; NoEscape is none.
func LikeEscape(path, pattern string, escape rune) Condition {
	return matching(path, pattern, escape, false)
}

// ILikeEscape is ILike with another escape character than the backslash; NoEscape is none.
func ILikeEscape(path, pattern string, escape rune) Condition {
	return matching(path, pattern, escape, true)
}

func matching(path, pattern string, escape rune, fold bool) Condition {
	f, err := parsePath(path)
	if err != nil {
		return Condition{err: err}
	}
	m, err := newMatch(f, pattern, escape, fold, position{})
	if err != nil {
		return Condition{err: err}
	}
	return Condition{expr: m}
}

// IsNull is true where the property holds NULL or was never set.
func IsNull(path string) Condition {
	f, err := parsePath(path)
	if err != nil {
		return Condition{err: err}
	}
	return Condition{expr: &NullTest{Field: f}}
}

// IsNotNull is the negation of IsNull.
func IsNotNull(path string) Condition { return IsNull(path).Not() }

// Where is a predicate written as text, with parameters as for Parse, but without ORDER BY
// and LIMIT.
func Where(text string, params ...any) Condition {
	s, err := Parse(text, params...)
	if err != nil {
		return Condition{err: err}
	}
	if len(s.Order) > 0 || s.Limit != NoLimit {
		return Condition{err: position{}.err("a predicate alone", "ORDER BY or LIMIT", "use OrderBy and Take")}
	}
	return Condition{expr: s.Where}
}

// And returns the conjunction of c and others.
func (c Condition) And(others ...Condition) Condition { return c.join(others, conjunction) }

// Or returns the disjunction of c and others.
func (c Condition) Or(others ...Condition) Condition { return c.join(others, disjunction) }

// Not returns the negation of c.
func (c Condition) Not() Condition {
	e, err := c.Expr()
	if err != nil {
		return Condition{err: err}
	}
	return Condition{expr: Not(e)}
}

func (c Condition) join(others []Condition, join func(...Expr) Expr) Condition {
	terms := make([]Expr, 0, len(others)+1)
	for _, other := range append([]Condition{c}, others...) {
		e, err := other.Expr()
		if err != nil {
			return Condition{err: err}
		}
		terms = append(terms, e)
	}
	return Condition{expr: join(terms...)}
}

// Query is a selection that Go code puts together. It is a value: each method returns
// another one.
type Query struct {
	where Condition
	order []Order
	limit int // plus one, so that the zero Query has none
	err   error
}

// From begins a query for what c is true of; the zero Condition is for everything.
func From(c Condition) Query { return Query{where: c} }

// OrderBy adds a key, least significant so far, in ascending order, NULL last.
func (q Query) OrderBy(path string) Query { return q.orderBy(path, false) }

// OrderByDesc adds a key in descending order, NULL first.
func (q Query) OrderByDesc(path string) Query { return q.orderBy(path, true) }

func (q Query) orderBy(path string, desc bool) Query {
	f, err := parsePath(path)
	if err != nil {
		if q.err == nil {
			q.err = err
		}
		return q
	}
	q.order = append(slices.Clip(q.order), Order{Path: f.Path, Desc: desc})
	return q
}

// NullsFirst puts NULL first in the key that was added last.
func (q Query) NullsFirst() Query { return q.nulls(NullsFirst) }

// NullsLast puts NULL last in the key that was added last.
func (q Query) NullsLast() Query { return q.nulls(NullsLast) }

func (q Query) nulls(n NullsOrder) Query {
	if len(q.order) > 0 {
		q.order = slices.Clone(q.order)
		q.order[len(q.order)-1].Nulls = n
	}
	return q
}

// Take limits the result to its first n rows; n is from 0 to MaxLimit.
func (q Query) Take(n int) Query {
	if n < 0 || n > MaxLimit {
		if q.err == nil {
			q.err = position{}.err("a number of rows from 0 to "+strconv.Itoa(MaxLimit), strconv.Itoa(n), "")
		}
		return q
	}
	q.limit = n + 1
	return q
}

// Selection returns the selection, or the first mistake in it, an *Error.
func (q Query) Selection() (*Selection, error) {
	where, err := q.where.Expr()
	if err == nil {
		err = q.err
	}
	if err != nil {
		return nil, err
	}
	return &Selection{Where: where, Order: slices.Clone(q.order), Limit: q.limit - 1}, nil
}

package ankql

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// Fields is one entity as a selection reads it: the values of its properties, NULL for
// one that was never set, and the entity's id under "id".
type Fields interface {
	Field(name string) value.Value
}

// Resolver finds the entities that references name.
type Resolver interface {
	// Resolve returns the entity e of the collection; collection is "" where the
	// model does not say which.
	Resolve(collection string, e id.EntityID) (Fields, bool)
}

// Matches reports whether the predicate is true of row: not false, and not unknown. What
// lies behind a reference is NULL; MatchesWith follows references.
func (s *Selection) Matches(row Fields) bool { return s.MatchesWith(row, nil) }

// MatchesWith is Matches for predicates that follow references: r finds the entities that
// they name, and what lies behind one that it does not find is NULL. It allocates
// nothing itself.
func (s *Selection) MatchesWith(row Fields, r Resolver) bool {
	return s.Where == nil || Evaluate(s.Where, row, r) == TruthTrue
}

// Evaluate returns what e says of row; r may be nil, as for Matches.
func Evaluate(e Expr, row Fields, r Resolver) Truth {
	switch e := e.(type) {
	case *Comparison:
		left := e.Left.Value(row, r)
		if lit, ok := e.Right.(*Literal); ok {
			return e.Op.compare(left, lit.Value)
		}
		return e.Op.compare(left, e.Right.(*Field).Value(row, r))
	case *Conjunction:
		all := TruthTrue
		for _, t := range e.Terms {
			if all = min(all, Evaluate(t, row, r)); all == TruthFalse {
				break
			}
		}
		return all
	case *Disjunction:
		anyOf := TruthFalse
		for _, t := range e.Terms {
			if anyOf = max(anyOf, Evaluate(t, row, r)); anyOf == TruthTrue {
				break
			}
		}
		return anyOf
	case *Negation:
		return Evaluate(e.Term, row, r).Not()
	case *Membership:
		return e.holds(e.Field.Value(row, r))
	case *Match:
		return e.holds(e.Field.Value(row, r))
	case *NullTest:
		return truthOf(isNull(e.Field.Value(row, r)))
	}
	return Truth(e.(Constant))
}

// isNull counts a JSON null as NULL, like the order of values does.
func isNull(v value.Value) bool {
	return v.IsNull() || v.Kind() == value.KindJSON && v.Scalar().IsNull()
}

// Value returns what row holds under the path. Behind a JSON property the path follows
// object keys; behind a reference it goes on in the entity that r finds. Where it leads
// nowhere, and behind a reference if r is nil, the value is NULL.
func (f *Field) Value(row Fields, r Resolver) value.Value {
	v := row.Field(f.Path[0])
	for i := 1; i < len(f.Path); i++ {
		switch v.Kind() {
		case value.KindJSON:
			return v.Path(f.Path[i:]...)
		case value.KindID:
			if r == nil {
				return value.Null
			}
			e, _ := v.AsID()
			target, ok := r.Resolve(f.target(i-1), e)
			if !ok {
				return value.Null
			}
			v = target.Field(f.Path[i])
		default:
			return value.Null
		}
	}
	return v
}

func (f *Field) target(step int) string {
	if step < len(f.Targets) {
		return f.Targets[step]
	}
	return ""
}

// compare applies op to two values: unknown if either is NULL or they are of different
// families, else what their order says.
func (op Operator) compare(a, b value.Value) Truth {
	if k := a.Kind(); k != b.Kind() || k == value.KindNull || k == value.KindJSON {
		if !value.SameFamily(a, b) {
			return TruthUnknown
		}
	}
	return op.holds(value.Compare(a, b))
}

// holds says what op makes of an outcome of value.Compare.
func (op Operator) holds(c int) Truth {
	switch op {
	case OpEqual:
		return truthOf(c == 0)
	case OpNotEqual:
		return truthOf(c != 0)
	case OpLess:
		return truthOf(c < 0)
	case OpLessEqual:
		return truthOf(c <= 0)
	case OpGreater:
		return truthOf(c > 0)
	}
	return truthOf(c >= 0)
}

// flipped returns the operator that says the same with the sides exchanged.
func (op Operator) flipped() Operator {
	switch op {
	case OpLess:
		return OpGreater
	case OpLessEqual:
		return OpGreaterEqual
	case OpGreater:
		return OpLess
	case OpGreaterEqual:
		return OpLessEqual
	}
	return op
}

// Negated returns the operator that is true where op is false.
func (op Operator) Negated() Operator {
	switch op {
	case OpEqual:
		return OpNotEqual
	case OpNotEqual:
		return OpEqual
	case OpLess:
		return OpGreaterEqual
	case OpLessEqual:
		return OpGreater
	case OpGreater:
		return OpLessEqual
	}
	return OpLess
}

// String returns the operator as it is written.
func (op Operator) String() string {
	if op > OpGreaterEqual {
		return "?"
	}
	return [...]string{"=", "!=", "<", "<=", ">", ">="}[op]
}

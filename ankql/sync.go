package ankql

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// sync is the property of every row that says how far it is in step: see schema.Sync.
var sync = schema.Property{Name: schema.Sync, Type: schema.TypeEnum, Enum: schema.SyncStates[:]}

// asksSync reports whether the field is the row's sync state.
func (f *Field) asksSync() bool { return f.Path[0] == schema.Sync }

// AsksSync reports whether the predicate or the order of a selection reads the row's sync
// state, which is known to the node that shows the row and to no other.
func (s *Selection) AsksSync() bool {
	return slices.ContainsFunc(s.Order, func(o Order) bool { return o.Path[0] == schema.Sync }) || asksSync(s.Where)
}

func asksSync(e Expr) (found bool) {
	EachField(e, func(f *Field) { found = found || f.asksSync() })
	return found
}

// WhereSync returns e as it is for the rows of one sync state, without asking for that. It
// is False where no such row can match, as far as the form of e tells.
func WhereSync(e Expr, state string) Expr {
	again := func(t Expr) Expr { return WhereSync(t, state) }
	if !asksSync(e) {
		return e
	}
	switch e := e.(type) {
	case *Conjunction:
		terms := mapped(e.Terms, again)
		if slices.Contains(terms, False) {
			return False
		}
		return conjunction(terms...)
	case *Disjunction:
		terms := mapped(e.Terms, again)
		if slices.Contains(terms, True) {
			return True
		}
		return disjunction(terms...)
	case *Negation:
		return Not(again(e.Term))
	case *Comparison:
		known := &Literal{Value: value.String(state)}
		right, two := e.Right.(*Field)
		switch {
		case two && !right.asksSync():
			return &Comparison{Left: right, Op: e.Op.flipped(), Right: known}
		case two && !e.Left.asksSync():
			return &Comparison{Left: e.Left, Op: e.Op, Right: known}
		}
	}
	return Constant(Evaluate(e, stateOnly(state), nil))
}

// AnySync returns a predicate that does not ask for the sync state and is true wherever e
// is, of rows of whatever state.
func AnySync(e Expr) Expr {
	if !asksSync(e) {
		return e
	}
	var terms []Expr
	for _, state := range schema.SyncStates {
		t := WhereSync(e, state)
		if t == True {
			return True
		}
		if !slices.ContainsFunc(terms, func(other Expr) bool { return equalExpr(other, t) }) {
			terms = append(terms, t)
		}
	}
	return disjunction(terms...)
}

// Synced returns the selection as it is where every row is synced: on a durable node, and for
// the rows that another node knows and this one has changed nothing of. It asks for no sync
// state.
func (s *Selection) Synced() *Selection {
	if !s.AsksSync() {
		return s
	}
	out := *s
	out.Where = WhereSync(s.Where, schema.Synced)
	out.Order = slices.DeleteFunc(slices.Clone(s.Order), func(o Order) bool { return o.Path[0] == schema.Sync })
	return &out
}

// stateOnly is a row of which nothing but the sync state is asked.
type stateOnly string

func (s stateOnly) Field(string) value.Value { return value.String(string(s)) }

package ankql

import (
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// NoLimit is the Limit of a selection that has none.
const NoLimit = -1

// Selection says which entities of a collection are wanted, in which order, and how
// many of them. Selections are values that nobody changes: Check and the builder make
// new ones.
type Selection struct {
	Where Expr    // never nil; True selects everything
	Order []Order // most significant first; the entity id always breaks ties
	Limit int     // NoLimit for none
}

// Order is one key of an ordering.
type Order struct {
	Path  Path
	Desc  bool
	Nulls NullsOrder

	at      position
	typ     schema.Type // as Field.Type
	targets []string    // as Field.Targets
}

// NullsOrder says where NULL sorts.
type NullsOrder uint8

// Where NULL can sort. By default it is last when ascending and first when descending.
const (
	NullsDefault NullsOrder = iota
	NullsFirst
	NullsLast
)

// NullsFirst reports whether NULL comes before every value under o.
func (o Order) NullsFirst() bool {
	if o.Nulls == NullsDefault {
		return o.Desc
	}
	return o.Nulls == NullsFirst
}

// FollowsReferences reports whether the path of a checked order leads out of the entity.
func (o Order) FollowsReferences() bool { return len(o.targets) > 0 }

// KeyOrder returns o in the terms of package value's key encoding.
func (o Order) KeyOrder() value.KeyOrder {
	return value.KeyOrder{Desc: o.Desc, NullsFirst: o.NullsFirst()}
}

// Path names a property, or what lies behind one: object keys inside a JSON property,
// properties of the entity that a reference names.
type Path []string

// Expr is a predicate. Its types are [Constant], [*Conjunction], [*Disjunction],
// [*Negation], [*Comparison], [*Membership], [*Match] and [*NullTest]; everything that
// the language can say is written with these (BETWEEN is two comparisons, a literal
// always stands on the right). Trees are immutable, and are made by Parse, the builder
// and the functions And, Or and Not, which keep them in their simplest form.
type Expr interface {
	isExpr()
	// String returns the predicate in AnkQL, for people; values without a literal
	// appear in the notation of package value.
	String() string
}

// Constant is a predicate with a fixed outcome: TRUE, FALSE or, from a NULL parameter,
// unknown.
type Constant Truth

// True selects everything, False nothing.
var (
	True  Expr = Constant(TruthTrue)
	False Expr = Constant(TruthFalse)
)

// Conjunction is true where all of its terms are. It has two or more, none of which is
// a conjunction or True.
type Conjunction struct{ Terms []Expr }

// Disjunction is true where any of its terms is. It has two or more, none of which is
// a disjunction or False.
type Disjunction struct{ Terms []Expr }

// Negation is true where its term is false; NOT unknown is unknown. Its term is
// neither a constant nor a negation.
type Negation struct{ Term Expr }

// Comparison compares what a field holds with a literal or another field. It is unknown
// where either is NULL or the two are of different families (value.SameFamily).
type Comparison struct {
	Left  *Field
	Op    Operator
	Right Operand

	bare bool // written as a predicate of its own: `active` for `active = TRUE`
}

// Operator is a comparison operator.
type Operator uint8

// The comparison operators.
const (
	OpEqual Operator = iota
	OpNotEqual
	OpLess
	OpLessEqual
	OpGreater
	OpGreaterEqual
)

// Membership is true where what the field holds equals one of the items: the same, in
// every case, as a disjunction of comparisons with each of them. So it is false for an
// empty list, and unknown where nothing is equal and the field or an item is NULL.
type Membership struct {
	Field *Field
	Items []value.Value // in the order written; may hold NULL

	places []position // of the items, or nil
	set    *itemSet   // the items prepared for look-ups, or nil
}

// Match is LIKE, or ILIKE where Fold is set: % stands for any text, _ for one character.
// It is unknown where the field holds anything but text.
type Match struct {
	Field   *Field
	Pattern string
	Escape  rune // zero is the default, backslash; NoEscape for none
	Fold    bool // letters of either case are equal

	at      position
	pattern *pattern // compiled, or nil
}

// NoEscape is the Escape of a Match whose pattern has no escape character.
const NoEscape rune = -1

// NullTest is true where the field holds NULL or is missing, else false.
type NullTest struct{ Field *Field }

// Operand is what a comparison has on its right: a [*Field] or a [*Literal].
type Operand interface{ isOperand() }

// Literal is a value written in the text or bound to a parameter.
type Literal struct {
	Value value.Value

	at position
}

// Field is what an entity holds under a path. Its further fields are set by Check.
type Field struct {
	Path Path

	// Type is the declared type of what the path leads to; it is TypeJSON for a path
	// into a JSON property, TypeRef for id, and "" where no model was known.
	Type schema.Type
	// Targets are the collections of the references that the path follows, one for each
	// of its first steps; "" where the model does not say. A path that starts with
	// a plain or JSON property has none.
	Targets []string

	at     position
	quoted bool
}

func (Constant) isExpr()     {}
func (*Conjunction) isExpr() {}
func (*Disjunction) isExpr() {}
func (*Negation) isExpr()    {}
func (*Comparison) isExpr()  {}
func (*Membership) isExpr()  {}
func (*Match) isExpr()       {}
func (*NullTest) isExpr()    {}

func (*Literal) isOperand() {}
func (*Field) isOperand()   {}

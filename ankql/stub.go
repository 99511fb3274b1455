package ankql

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

type itemSet struct{}
type pattern struct{}

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

// Models finds the models of the collections that references lead to.
type Models interface {
	Model(collection string) (*schema.Model, bool)
}

// Named gives parameters by name, for :name.
type Named map[string]any

func (e Constant) String() string     { return "" }
func (e *Conjunction) String() string { return "" }
func (e *Disjunction) String() string { return "" }
func (e *Negation) String() string    { return "" }
func (e *Comparison) String() string  { return "" }
func (e *Membership) String() string  { return "" }
func (e *Match) String() string       { return "" }
func (e *NullTest) String() string    { return "" }

// Parse reads a selection.
func Parse(text string, params ...any) (*Selection, error) {
	return &Selection{Where: True, Limit: NoLimit}, nil
}

// Check checks the selection against a model.
func (s *Selection) Check(m *schema.Model) (*Selection, error) { return s, nil }

// CheckWith is Check with the models that references lead to.
func (s *Selection) CheckWith(m *schema.Model, models Models) (*Selection, error) { return s, nil }

// Matches reports whether the predicate is true of row.
func (s *Selection) Matches(row Fields) bool { return true }

// MatchesWith is Matches following references.
func (s *Selection) MatchesWith(row Fields, r Resolver) bool { return true }

// AppendSortKey appends the row's place in the order.
func (s *Selection) AppendSortKey(dst []byte, row Fields, e id.EntityID) []byte {
	return e.AppendTo(dst)
}

// AppendSortKeyWith is AppendSortKey following references.
func (s *Selection) AppendSortKeyWith(dst []byte, row Fields, e id.EntityID, r Resolver) []byte {
	return e.AppendTo(dst)
}

// Text returns a printable form.
func (s *Selection) Text() (text string, params []value.Value) { return "", nil }

// String returns the selection for people.
func (s *Selection) String() string { return "" }

// Key returns the canonical identity.
func (s *Selection) Key() string { return "" }

// Entities returns the ids that the predicate names.
func (s *Selection) Entities() (ids []id.EntityID, exact bool) { return nil, false }

package ankql

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// FollowsReferences reports whether the path of a checked field leads out of the entity.
func (f *Field) FollowsReferences() bool { return len(f.Targets) > 0 }

// FollowsReferences reports whether the predicate or the order of a checked selection reads
// other entities than the one that it is evaluated for.
func (s *Selection) FollowsReferences() bool {
	for _, o := range s.Order {
		if o.FollowsReferences() {
			return true
		}
	}
	return follows(s.Where)
}

func follows(e Expr) (found bool) {
	EachField(e, func(f *Field) { found = found || f.FollowsReferences() })
	return found
}

// references returns how many references the selection follows: each path to one counts once,
// and with an unknown model behind it every step may be one.
func (s *Selection) references() int {
	if !s.FollowsReferences() {
		return 0
	}
	followed := make(map[string]bool)
	for _, f := range s.Fields() {
		steps := len(f.Targets)
		if steps > 0 && f.Type == "" {
			steps = len(f.Path) - 1
		}
		for i := range steps {
			followed[f.Path[:i+1].String()] = true
		}
	}
	return len(followed)
}

// Fields returns the fields of the predicate and of the order, as often as they are written.
func (s *Selection) Fields() (list []*Field) {
	EachField(s.Where, func(f *Field) { list = append(list, f) })
	for _, o := range s.Order {
		list = append(list, o.field())
	}
	return list
}

// Local returns a predicate that follows no references and is true wherever e is: the part
// of e that one entity can answer for itself.
func Local(e Expr) Expr {
	if e == nil || !follows(e) {
		return e
	}
	switch e := e.(type) {
	case *Conjunction:
		return conjunction(mapped(e.Terms, Local)...)
	case *Disjunction:
		terms := mapped(e.Terms, Local)
		if !slices.Contains(terms, True) {
			return disjunction(terms...)
		}
	}
	return True
}

// Behind returns a predicate over the entities that the reference property names: the part
// of e that needs such an entity, as it reads that one. Where e is true of an entity, the
// reference names one, of the returned collection, of which the predicate is true. It
// returns nil where there is no such part.
func Behind(e Expr, reference string) (collection string, where Expr) {
	terms := []Expr{e}
	if all, ok := e.(*Conjunction); ok {
		terms = all.Terms
	}
	var found []Expr
	for _, t := range terms {
		if target, ok := needs(t, reference); ok {
			collection = target
			found = append(found, MapFields(t, func(f *Field) *Field {
				return &Field{Path: f.Path[1:], Type: f.Type, Targets: f.Targets[1:], at: f.at}
			}))
		}
	}
	if found == nil {
		return "", nil
	}
	return collection, conjunction(found...)
}

// Naming returns the predicate that the reference property names one of the entities.
func Naming(reference string, entities []id.EntityID) Expr {
	if len(entities) == 0 {
		return False
	}
	items := make([]value.Value, len(entities))
	for i, e := range entities {
		items[i] = value.ID(e)
	}
	return newMembership(&Field{Path: Path{reference}, Type: schema.TypeRef}, items, nil)
}

// needs reports whether e reads only what lies behind the reference, and is not true where
// that names nothing.
func needs(e Expr, reference string) (target string, ok bool) {
	ok = true
	EachField(e, func(f *Field) {
		if !f.FollowsReferences() || f.Path[0] != reference || f.Targets[0] == "" ||
			f.Type == "" && len(f.Path) > len(f.Targets)+1 {
			ok = false
			return
		}
		target = f.Targets[0]
	})
	return target, ok && target != "" && Evaluate(e, nothing{}, nil) != TruthTrue
}

// nothing is an entity without properties.
type nothing struct{}

func (nothing) Field(string) value.Value { return value.Null }

func mapped(terms []Expr, f func(Expr) Expr) []Expr {
	out := make([]Expr, len(terms))
	for i, t := range terms {
		out[i] = f(t)
	}
	return out
}

// MapFields returns e with every field replaced by what f makes of it.
func MapFields(e Expr, f func(*Field) *Field) Expr {
	again := func(t Expr) Expr { return MapFields(t, f) }
	switch e := e.(type) {
	case *Conjunction:
		return conjunction(mapped(e.Terms, again)...)
	case *Disjunction:
		return disjunction(mapped(e.Terms, again)...)
	case *Negation:
		return Not(again(e.Term))
	case *Comparison:
		out := *e
		out.Left = f(e.Left)
		if right, ok := e.Right.(*Field); ok {
			out.Right = f(right)
		}
		return &out
	case *Membership:
		out := *e
		out.Field = f(e.Field)
		return &out
	case *Match:
		out := *e
		out.Field = f(e.Field)
		return &out
	case *NullTest:
		return &NullTest{Field: f(e.Field)}
	}
	return e
}

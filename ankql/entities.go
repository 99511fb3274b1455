package ankql

import (
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Entities returns the entities that a checked predicate can be true of, where it names
// them by id: ascending, each once. It returns nil where it does not, and an empty
// slice where nothing can match. With exact, the predicate says nothing else: it is
// true of each of them that exists. Without, the predicate still has to be evaluated.
func (s *Selection) Entities() (ids []id.EntityID, exact bool) {
	if s.Where == nil {
		return nil, false
	}
	pinned := entitiesOf(s.Where)
	if !pinned.finite {
		return nil, false
	}
	return pinned.ids, pinned.exact
}

// entitySet is what a predicate says of the id alone.
type entitySet struct {
	finite bool // only ids can match
	exact  bool // and each of them does
	ids    []id.EntityID
}

func entitiesOf(e Expr) entitySet {
	switch e := e.(type) {
	case Constant:
		if e != True {
			return entitySet{finite: true, exact: true, ids: []id.EntityID{}}
		}
	case *Comparison:
		if lit, ok := e.Right.(*Literal); ok && isID(e.Left) && e.Op == OpEqual {
			return entitiesNamed([]value.Value{lit.Value})
		}
	case *Membership:
		if isID(e.Field) {
			return entitiesNamed(e.Items)
		}
	case *Conjunction:
		return intersectAll(e.Terms)
	case *Disjunction:
		return uniteAll(e.Terms)
	}
	return entitySet{}
}

func isID(f *Field) bool { return len(f.Path) == 1 && f.Path[0] == schema.ID }

// entitiesNamed is exact: an id equals nothing but an id.
func entitiesNamed(items []value.Value) entitySet {
	ids := make([]id.EntityID, 0, len(items))
	for _, v := range items {
		if e, ok := v.AsID(); ok {
			ids = append(ids, e)
		}
	}
	return entitySet{finite: true, exact: true, ids: sortedOnce(ids)}
}

func intersectAll(terms []Expr) entitySet {
	out := entitySet{exact: true}
	for _, t := range terms {
		term := entitiesOf(t)
		out.exact = out.exact && term.exact
		switch {
		case !term.finite:
		case !out.finite:
			out.finite, out.ids = true, term.ids
		default:
			out.ids = slices.DeleteFunc(slices.Clone(out.ids), func(e id.EntityID) bool {
				_, found := slices.BinarySearchFunc(term.ids, e, compareIDs)
				return !found
			})
		}
	}
	if out.finite && len(out.ids) == 0 {
		out.exact = true
	}
	return out
}

func uniteAll(terms []Expr) entitySet {
	out := entitySet{finite: true, exact: true, ids: []id.EntityID{}}
	for _, t := range terms {
		term := entitiesOf(t)
		if !term.finite {
			return entitySet{}
		}
		out.exact = out.exact && term.exact
		out.ids = append(out.ids, term.ids...)
	}
	out.ids = sortedOnce(out.ids)
	return out
}

func sortedOnce(ids []id.EntityID) []id.EntityID {
	sort.Slice(ids, func(i, j int) bool { return compareIDs(ids[i], ids[j]) < 0 })
	return slices.Compact(ids)
}

func compareIDs(a, b id.EntityID) int { return a.Compare(b.ULID) }

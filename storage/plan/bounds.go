package plan

import (
	"bytes"
	"maps"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

// Bound says where what a field holds lies: the ascending key of its value
// (value.AppendKey) is one of Points or is in one of Ranges. Both are ascending.
type Bound struct {
	Field  *ankql.Field
	Points [][]byte
	Ranges []Range
}

// Bounds returns what must be so of an entity for the predicate to be true of it: at
// least one of the alternatives, that is, every bound of that alternative. An
// alternative without bounds says nothing, and no alternatives say that the predicate is
// true of no entity (law P4). The converse does not hold: the predicate still has to be
// evaluated.
func Bounds(where ankql.Expr) (alternatives [][]Bound) {
	if where == nil {
		return [][]Bound{nil}
	}
	fields := map[string]*ankql.Field{}
	ankql.EachField(where, func(f *ankql.Field) { fields[f.Path.String()] = f })
	for _, b := range boxesOf(where, false) {
		var bounds []Bound
		for _, path := range slices.Sorted(maps.Keys(b.sets)) {
			bounds = append(bounds, boundOf(fields[path], b.sets[path]))
		}
		alternatives = append(alternatives, bounds)
	}
	return alternatives
}

func boundOf(f *ankql.Field, s set) Bound {
	out := Bound{Field: f}
	for _, v := range s {
		if v.isPoint() {
			out.Points = append(out.Points, v.low)
		} else {
			out.Ranges = append(out.Ranges, Range{Low: v.low, High: v.high})
		}
	}
	return out
}

// Contains reports whether v lies in the bound.
func (b *Bound) Contains(v value.Value) bool {
	key := value.AppendKey(nil, v, value.Ascending)
	if _, found := slices.BinarySearchFunc(b.Points, key, bytes.Compare); found {
		return true
	}
	return slices.ContainsFunc(b.Ranges, func(r Range) bool { return r.Contains(key) })
}

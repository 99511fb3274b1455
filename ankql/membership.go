package ankql

import (
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/value"
)

// itemSet is the items of a list prepared for look-ups: sorted, each once.
type itemSet struct {
	sorted  []value.Value // without NULL; JSON scalars as the scalar that they hold
	hasNull bool
	uniform bool // all of one family
}

// newMembership makes a membership test with its look-up prepared. It keeps items.
func newMembership(f *Field, items []value.Value, places []position) *Membership {
	return &Membership{Field: f, Items: items, places: places, set: newItemSet(items)}
}

func newItemSet(items []value.Value) *itemSet {
	set := &itemSet{sorted: make([]value.Value, 0, len(items)), uniform: true}
	for _, v := range items {
		if v = v.Scalar(); v.IsNull() {
			set.hasNull = true
			continue
		}
		set.sorted = append(set.sorted, v)
		set.uniform = set.uniform && value.SameFamily(v, set.sorted[0])
	}
	sort.Slice(set.sorted, func(i, j int) bool { return value.Compare(set.sorted[i], set.sorted[j]) < 0 })
	set.sorted = slices.CompactFunc(set.sorted, value.Equal)
	return set
}

// Set returns the items that something can equal, in ascending order and each once: what a
// look-up by index needs. The caller does not change it.
func (m *Membership) Set() []value.Value { return m.prepared().sorted }

// prepared returns the prepared items, made on the spot for a test that no function of this
// package made.
func (m *Membership) prepared() *itemSet {
	if m.set != nil {
		return m.set
	}
	return newItemSet(m.Items)
}

// holds says whether v is one of the items.
func (m *Membership) holds(v value.Value) Truth {
	set := m.prepared()
	v = v.Scalar()
	switch {
	case len(m.Items) == 0:
		return TruthFalse
	case v.IsNull() || len(set.sorted) == 0:
		return TruthUnknown
	}
	if set.contains(v) {
		return TruthTrue
	}
	if set.hasNull || !set.uniform || !value.SameFamily(v, set.sorted[0]) {
		return TruthUnknown
	}
	return TruthFalse
}

func (s *itemSet) contains(v value.Value) bool {
	_, found := slices.BinarySearchFunc(s.sorted, v, value.Compare)
	return found
}

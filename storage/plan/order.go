package plan

import (
	"bytes"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

func isID(p ankql.Path) bool { return len(p) == 1 && p[0] == schema.ID }

// significant returns the keys of an order that decide anything: not those with one value
// only, not those of a path that stood before, and none after the id.
func significant(order []ankql.Order, fixed map[string][]byte) []ankql.Order {
	var out []ankql.Order
	for _, o := range order {
		_, same := fixed[o.Path.String()]
		for _, before := range out {
			same = same || slices.Equal(before.Path, o.Path)
		}
		if same {
			continue
		}
		out = append(out, o)
		if isID(o.Path) {
			break
		}
	}
	return out
}

// idOrder reports whether ascending ids, or descending ones, are in the order.
func idOrder(order []ankql.Order, fixed map[string][]byte) (ordered, reverse bool) {
	keys := significant(order, fixed)
	if len(keys) == 0 {
		return true, false
	}
	return isID(keys[0].Path), isID(keys[0].Path) && keys[0].Desc
}

// indexOrder reports whether an index, walked one way or the other, is in the order. Its
// columns have to be those of the order and no more, since ties are broken by id.
func indexOrder(ix *Index, order []ankql.Order, fixed map[string][]byte) (ordered, reverse bool) {
	keys := significant(order, fixed)
	if n := len(keys); n > 0 && isID(keys[n-1].Path) {
		if keys[n-1].Desc {
			return false, false
		}
		keys = keys[:n-1]
	}
	var columns []Column
	for _, c := range ix.Columns {
		if _, ok := fixed[c.Path.String()]; !ok {
			columns = append(columns, c)
		}
	}
	forward := matchesOrder(columns, keys, false)
	reverse = !forward && matchesOrder(columns, keys, true)
	return forward || reverse, reverse
}

func matchesOrder(columns []Column, keys []ankql.Order, reverse bool) bool {
	return slices.EqualFunc(columns, keys, func(c Column, o ankql.Order) bool {
		want := o.KeyOrder()
		if reverse {
			want = flipped(want)
		}
		return slices.Equal(c.Path, o.Path) && c.Order == want
	})
}

func flipped(o value.KeyOrder) value.KeyOrder {
	return value.KeyOrder{Desc: !o.Desc, NullsFirst: !o.NullsFirst}
}

// Resume returns the ranges of an ordered plan from the entity whose sort key
// (ankql.Selection.AppendSortKey) is given, which is left out, onwards. In reverse over an
// index the rest of that entity's group is still in them, and the reader skips the
// entities whose sort keys are not greater. A plan that is not ordered, or a key that
// is not one of its selection's, gives all ranges.
func (p *Plan) Resume(sortKey []byte) []Range {
	if !p.Ordered || len(sortKey) < id.Size {
		return p.Ranges
	}
	last := sortKey[len(sortKey)-id.Size:]
	switch {
	case p.Method == Primary && p.Reverse:
		return clip(p.Ranges, span{low: []byte{}, high: last})
	case p.Method == Primary:
		return clip(p.Ranges, span{low: append(bytes.Clone(last), 0)})
	case p.Method != Walk:
		return p.Ranges
	}
	group, ok := p.group(sortKey)
	switch {
	case !ok:
		return p.Ranges
	case p.Reverse:
		return clip(p.Ranges, span{low: []byte{}, high: after(group)})
	}
	return clip(p.Ranges, span{low: append(append(group, last...), 0)})
}

// group returns the columns' part of the index key that belongs to a sort key.
func (p *Plan) group(sortKey []byte) ([]byte, bool) {
	parts := map[string][]byte{} // ascending keys
	for path, key := range p.fixed {
		parts[path] = key
	}
	for _, o := range p.order {
		n, ok := value.KeyLen(sortKey, o.KeyOrder())
		if !ok {
			return nil, false
		}
		if path := o.Path.String(); parts[path] == nil {
			parts[path] = reorder(sortKey[:n], o.KeyOrder(), value.Ascending)
		}
		sortKey = sortKey[n:]
	}
	var group []byte
	for _, c := range p.Index.Columns {
		part, ok := parts[c.Path.String()]
		if !ok {
			return nil, false
		}
		group = append(group, reorder(part, value.Ascending, c.Order)...)
	}
	return group, true
}

func clip(ranges []Range, to span) []Range {
	var out []Range
	for _, r := range ranges {
		s := span{maxLow(r.Low, to.low), minHigh(r.High, to.high)}
		if !s.empty() {
			out = append(out, Range{Low: s.low, High: s.high})
		}
	}
	return out
}

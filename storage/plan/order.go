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

// indexOrder reports whether an index, walked one way or the other, is in the order, and
// whether ids descend where it is walked in reverse. Its columns have to be those of the
// order and no more, since ties are broken by id.
func indexOrder(ix *Index, order []ankql.Order, fixed map[string][]byte) (ordered, reverse, descending bool) {
	keys := significant(order, fixed)
	if n := len(keys); n > 0 && isID(keys[n-1].Path) {
		descending = keys[n-1].Desc
		keys = keys[:n-1]
	}
	var columns []Column
	for _, c := range ix.Columns {
		if _, ok := fixed[c.Path.String()]; !ok {
			columns = append(columns, c)
		}
	}
	forward := !descending && matchesOrder(columns, keys, false)
	reverse = !forward && matchesOrder(columns, keys, true)
	return forward || reverse, reverse, reverse && descending
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
// entries up to the one that Entry returns. A plan that is not ordered, or a key that
// nothing within the plan's ranges can have, gives all ranges.
func (p *Plan) Resume(sortKey []byte) []Range {
	last, ok := p.After(sortKey)
	switch {
	case !ok || !p.Ordered:
		return p.Ranges
	case p.Method == Primary && p.Reverse:
		return clip(p.Ranges, span{low: []byte{}, high: last})
	case p.Method == Primary:
		return clip(p.Ranges, span{low: append(bytes.Clone(last), 0)})
	}
	entry, ok := p.Entry(sortKey)
	switch {
	case !ok:
		return p.Ranges
	case p.Descending:
		return clip(p.Ranges, span{low: []byte{}, high: entry})
	case p.Reverse:
		return clip(p.Ranges, span{low: []byte{}, high: after(entry[:len(entry)-id.Size])})
	}
	return clip(p.Ranges, span{low: append(entry, 0)})
}

// After returns the id, in its bytes, of the entity whose sort key is given; ok is false
// where the key is not one that an entity within the plan's ranges can have. Where there
// is no ORDER BY any bytes will do, since ids are compared as bytes.
func (p *Plan) After(sortKey []byte) (entity []byte, ok bool) {
	if len(p.order) == 0 {
		return sortKey, true
	}
	_, entity, ok = p.split(sortKey)
	return entity, ok
}

// Entry returns the key that the entity whose sort key is given has in the plan's index;
// ok is false where the plan walks none, is not ordered, or After's is.
func (p *Plan) Entry(sortKey []byte) (key []byte, ok bool) {
	if !p.Ordered || p.Method != Walk {
		return nil, false
	}
	parts, entity, ok := p.split(sortKey)
	if !ok {
		return nil, false
	}
	for _, c := range p.Index.Columns {
		part, ok := parts[c.Path.String()]
		if !ok {
			return nil, false
		}
		key = append(key, reorder(part, value.Ascending, c.Order)...)
	}
	return append(key, entity...), true
}

// split takes a sort key apart: the ascending keys of the paths that it and the predicate
// tell, and the entity.
func (p *Plan) split(sortKey []byte) (parts map[string][]byte, entity []byte, ok bool) {
	parts = make(map[string][]byte, len(p.fixed)+len(p.order))
	for path, key := range p.fixed {
		parts[path] = key
	}
	for _, o := range p.order {
		n, ok := value.KeyLen(sortKey, o.KeyOrder())
		if !ok {
			return nil, nil, false
		}
		path, part := o.Path.String(), reorder(sortKey[:n], o.KeyOrder(), value.Ascending)
		if known := parts[path]; known != nil && !bytes.Equal(known, part) {
			return nil, nil, false
		}
		parts[path] = part
		sortKey = sortKey[n:]
	}
	return parts, sortKey, len(sortKey) == id.Size
}

// AppendPlace appends where an entity within the ranges of an ordered plan is in the order
// of reading: its sort key, if it matches. Entities that match are read later exactly if
// their sort keys are greater.
func (p *Plan) AppendPlace(dst []byte, row ankql.Fields, e id.EntityID) []byte {
	for _, o := range p.order {
		if key, ok := p.fixed[o.Path.String()]; ok { // and this one may have another value
			dst = append(dst, reorder(key, value.Ascending, o.KeyOrder())...)
			continue
		}
		f := ankql.Field{Path: o.Path}
		dst = value.AppendKey(dst, f.Value(row, nil), o.KeyOrder())
	}
	return e.AppendTo(dst)
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

package plan

import (
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Found is what reading a selection without an index has shown. The zero value is nothing.
type Found struct {
	Rows     int // read
	Matching int // of these
	Want     int // as many as are read at once
}

// few reports whether collecting and sorting all that match is less than to go through the
// rows in order until enough of them match.
func (f Found) few() bool { return f.Matching*f.Matching < f.Want*f.Rows }

// Suggest returns the index that would serve the selection best: the paths that it fixes,
// then its order or one path that it bounds; or several, of which each serves one of the
// alternatives of an OR. It returns none where ids alone serve, or no index can. The
// selection has been checked against its model. Equal suggestions have equal names.
func Suggest(s *ankql.Selection, found Found) []*Index {
	if ids, _ := s.Entities(); ids != nil {
		return nil
	}
	where := s.Where
	if where == nil {
		where = ankql.True
	}
	boxes := boxesOf(where, false)
	if len(boxes) == 0 {
		return nil
	}
	fixed := fixedPaths(boxes)
	if _, ok := fixed[schema.ID]; ok {
		return nil
	}
	paths := pathsByText(where)
	var columns []Column
	for _, path := range slices.Sorted(keysOf(fixed)) {
		columns = append(columns, Column{Path: paths[path]})
	}
	ordered, ok := orderColumns(significant(s.Order, fixed))
	unordered := len(ordered) == 0 || found.few()
	if bounded := boundedPath(boxes, fixed); unordered && bounded != "" {
		return []*Index{NewIndex(append(columns, Column{Path: paths[bounded]}))}
	}
	if unordered && len(columns) == 0 {
		if each := suggestEach(boxes, paths); each != nil {
			return each
		}
	}
	if columns = append(columns, ordered...); !ok || len(columns) == 0 {
		return nil
	}
	return []*Index{NewIndex(columns)}
}

// suggestEach returns an index for each box, or none if one of them has none.
func suggestEach(boxes []box, paths map[string]ankql.Path) (each []*Index) {
	if len(boxes) < 2 {
		return nil
	}
	for _, b := range boxes {
		var columns []Column
		fixed := fixedPaths([]box{b})
		if _, ok := fixed[schema.ID]; ok {
			return nil
		}
		for _, path := range slices.Sorted(keysOf(fixed)) {
			columns = append(columns, Column{Path: paths[path]})
		}
		if bounded := boundedPath([]box{b}, fixed); bounded != "" {
			columns = append(columns, Column{Path: paths[bounded]})
		}
		if len(columns) == 0 {
			return nil
		}
		ix := NewIndex(columns)
		if !slices.ContainsFunc(each, func(other *Index) bool { return other.Name == ix.Name }) {
			each = append(each, ix)
		}
	}
	return each
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// orderColumns returns the columns for the keys of an order; ok is false if it needs one
// that cannot be indexed, or is the order of ids.
func orderColumns(keys []ankql.Order) (columns []Column, ok bool) {
	for i, o := range keys {
		if isID(o.Path) {
			return columns, i > 0 && !o.Desc
		}
		if o.FollowsReferences() {
			return nil, false
		}
		columns = append(columns, Column{Path: o.Path, Order: o.KeyOrder()})
	}
	return columns, true
}

// boundedPath returns the path that all boxes bound most, or "".
func boundedPath(boxes []box, fixed map[string][]byte) string {
	best, bestPart := "", 0.9
	for _, path := range slices.Sorted(keysOf(boxes[0].sets)) {
		if _, ok := fixed[path]; ok || path == schema.ID {
			continue
		}
		part := 0.0
		for _, b := range boxes {
			s, ok := b.sets[path]
			if !ok {
				part = 1
				break
			}
			part += selectivity(s)
		}
		if part < bestPart {
			best, bestPart = path, part
		}
	}
	return best
}

// pathsByText returns the paths of a predicate by their text.
func pathsByText(e ankql.Expr) map[string]ankql.Path {
	paths := map[string]ankql.Path{}
	ankql.EachField(e, func(f *ankql.Field) { paths[f.Path.String()] = f.Path })
	return paths
}

func indexName(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Path.String()
		if c.Order.Desc {
			names[i] += " DESC"
		}
		if c.Order.NullsFirst != c.Order.Desc {
			names[i] += map[bool]string{true: " NULLS FIRST", false: " NULLS LAST"}[c.Order.NullsFirst]
		}
	}
	return strings.Join(names, ", ")
}

// Declared returns the index that a model declares.
func Declared(declared *schema.Index) *Index {
	columns := make([]Column, len(declared.Columns))
	for i, c := range declared.Columns {
		columns[i] = Column{Path: ankql.Path(c.Path), Order: value.KeyOrder{Desc: c.Desc, NullsFirst: c.Desc}}
	}
	ix := NewIndex(columns)
	ix.Unique = declared.Unique
	return ix
}

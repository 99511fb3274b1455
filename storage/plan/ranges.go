package plan

import (
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// coverage says how much of a predicate ranges express.
type coverage struct {
	exact    bool            // all of it
	paths    map[string]bool // of a single box: the sets that are expressed whole
	fraction float64         // the part of the collection that they are expected to hold
}

// says reports whether the ranges of a single box express the term t of its conjunction.
func (c coverage) says(t ankql.Expr) bool {
	boxes := boxesOf(t, false)
	if len(boxes) != 1 || !boxes[0].exact {
		return false
	}
	for path := range boxes[0].sets {
		if !c.paths[path] {
			return false
		}
	}
	return true
}

// add takes in the coverage of one more box.
func (c *coverage) add(b box, paths map[string]bool, fraction float64, first bool) {
	c.exact = (first || c.exact) && b.exact && len(paths) == len(b.sets)
	c.fraction = min(1, c.fraction+fraction)
	c.paths = paths
}

// indexRanges returns the ranges of the index that hold what lies in the boxes.
func indexRanges(ix *Index, boxes []box) ([]Range, coverage) {
	var all set
	var used coverage
	for i, b := range boxes {
		spans, paths, fraction := boxSpans(ix, b)
		all = append(all, spans...)
		used.add(b, paths, fraction, i == 0)
	}
	return rangesOf(all, &used), used
}

// boxSpans returns the spans of one box: its columns that take single values are prefixes,
// the first column that takes more ends them. Where all columns are prefixes the id follows.
func boxSpans(ix *Index, b box) (spans set, paths map[string]bool, fraction float64) {
	paths, fraction = map[string]bool{}, 1
	spans = set{{low: []byte{}}}
	for _, c := range ix.Columns {
		path := c.Path.String()
		s, ok := b.sets[path]
		if !ok {
			break
		}
		fraction *= selectivity(s)
		points := allPoints(s)
		s = s.inOrder(c.Order)
		if len(s)*len(spans) > MaxRanges {
			hull := span{s[0].low, s[len(s)-1].high}
			return extend(spans, set{hull}), paths, fraction
		}
		spans = extend(spans, s)
		paths[path] = true
		if !points {
			return spans, paths, fraction
		}
	}
	if s, ok := b.sets[schema.ID]; ok && len(paths) == len(ix.Columns) && !paths[schema.ID] {
		if s = idSpans(s); len(s)*len(spans) <= MaxRanges {
			spans = extend(spans, s)
			paths[schema.ID] = true
		}
	}
	return spans, paths, fraction
}

func allPoints(s set) bool {
	for _, v := range s {
		if !v.isPoint() {
			return false
		}
	}
	return true
}

// extend appends to each prefix each span; the prefixes are the lower bounds of spans.
func extend(prefixes, s set) set {
	out := make(set, 0, len(prefixes)*len(s))
	for _, p := range prefixes {
		for _, v := range s {
			high := after(p.low)
			if v.high != nil {
				high = slices.Concat(p.low, v.high)
			}
			out = append(out, span{slices.Concat(p.low, v.low), high})
		}
	}
	return out
}

// boolKeyLen is how long the keys of booleans are, and no others.
const boolKeyLen = 2

// selectivity guesses which part of a collection has a value of s, for want of statistics.
func selectivity(s set) float64 {
	sum := 0.0
	for _, v := range s {
		switch {
		case v.isPoint() && len(v.low) == boolKeyLen:
			sum += 0.5
		case v.isPoint():
			sum += 0.02
		case len(v.low) > 1 && len(v.high) > 1: // a family's bounds are one byte long
			sum += 0.1
		case len(v.low) > 1 || len(v.high) > 1:
			sum += 0.3
		default:
			sum += 0.9
		}
	}
	return min(sum, 1)
}

// idRanges returns the ranges of ids that hold what lies in the boxes.
func idRanges(boxes []box) ([]Range, coverage) {
	var all set
	var used coverage
	for i, b := range boxes {
		s, ok := b.sets[schema.ID]
		if !ok {
			all = append(all, span{low: []byte{}})
			used.add(b, nil, 1, i == 0)
			continue
		}
		all = append(all, idSpans(s)...)
		used.add(b, map[string]bool{schema.ID: true}, selectivity(s), i == 0)
	}
	return rangesOf(all, &used), used
}

// idSpans returns the spans of the bytes of the ids that a set of keys holds.
func idSpans(s set) (out set) {
	tag := family(value.AppendKey(nil, value.ID(id.EntityID{}), value.Ascending))
	for _, v := range intersect(s, set{tag}) {
		out = append(out, span{low: v.low[1:], high: idBound(v.high, tag)})
	}
	return out
}

// idBound takes the family's tag from an upper bound.
func idBound(high []byte, tag span) []byte {
	if string(high) == string(tag.high) {
		return nil
	}
	return high[1:]
}

// rangesOf makes ranges of spans in any order, one of all if there are too many.
func rangesOf(spans set, used *coverage) []Range {
	spans = union(spans, nil)
	if len(spans) > MaxRanges {
		spans = set{{spans[0].low, spans[len(spans)-1].high}}
		used.exact, used.paths = false, nil
	}
	ranges := make([]Range, len(spans))
	for i, s := range spans {
		ranges[i] = Range{Low: s.low, High: s.high}
	}
	return ranges
}

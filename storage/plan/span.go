package plan

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/value"
)

// span is the byte strings from low, included, to high, excluded; a nil high is no bound.
type span struct{ low, high []byte }

func (s span) contains(key []byte) bool {
	return bytes.Compare(key, s.low) >= 0 && (s.high == nil || bytes.Compare(key, s.high) < 0)
}

func (s span) empty() bool { return s.high != nil && bytes.Compare(s.low, s.high) >= 0 }

// set is spans that are ascending, apart from each other and not empty. The sets of
// a box hold keys in ascending order, where NULL is the greatest.
type set []span

var (
	nullKey   = value.AppendKey(nil, value.Null, value.Ascending)
	nullFirst = value.AppendKey(nil, value.Null, value.KeyOrder{NullsFirst: true})

	nulls    = set{prefixSpan(nullKey)}
	notNulls = set{{after(nullFirst), nullKey}}
	anything = union(notNulls, nulls)
)

// after returns the least byte string that is greater than all that begin with prefix, or
// nil if there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := bytes.Clone(prefix[:i+1])
			next[i]++
			return next
		}
	}
	return nil
}

// prefixSpan is everything that begins with prefix.
func prefixSpan(prefix []byte) span { return span{prefix, after(prefix)} }

// family is everything of the family of the value whose key is given: a key begins with
// the family's tag.
func family(key []byte) span { return prefixSpan(key[:1]) }

func union(sets ...set) set {
	if len(sets) == 1 {
		return sets[0]
	}
	all := slices.Concat(sets...)
	sort.Slice(all, func(i, j int) bool { return bytes.Compare(all[i].low, all[j].low) < 0 })
	var out set
	for _, s := range all {
		if s.empty() {
			continue
		}
		last := len(out) - 1
		if last < 0 || out[last].high != nil && bytes.Compare(out[last].high, s.low) < 0 {
			out = append(out, s)
		} else {
			out[last].high = maxHigh(out[last].high, s.high)
		}
	}
	return out
}

func intersect(a, b set) set {
	var out set
	for i, j := 0, 0; i < len(a) && j < len(b); {
		s := span{maxLow(a[i].low, b[j].low), minHigh(a[i].high, b[j].high)}
		if !s.empty() {
			out = append(out, s)
		}
		if lessHigh(a[i].high, b[j].high) {
			i++
		} else {
			j++
		}
	}
	return out
}

// intersectAll halves the list, so that each span is looked at a few times.
func intersectAll(sets []set) set {
	if len(sets) == 1 {
		return sets[0]
	}
	half := len(sets) / 2
	return intersect(intersectAll(sets[:half]), intersectAll(sets[half:]))
}

// without returns what of whole is not in s.
func without(whole span, s set) set {
	var out set
	low := whole.low
	for _, hole := range s {
		if gap := (span{low, minHigh(hole.low, whole.high)}); !gap.empty() {
			out = append(out, gap)
		}
		if hole.high == nil {
			return out
		}
		low = maxLow(low, hole.high)
	}
	if rest := (span{low, whole.high}); !rest.empty() {
		out = append(out, rest)
	}
	return out
}

func maxLow(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return b
	}
	return a
}

// lessHigh compares upper bounds, of which nil is the greatest.
func lessHigh(a, b []byte) bool {
	if a == nil || b == nil {
		return a != nil
	}
	return bytes.Compare(a, b) < 0
}

func minHigh(a, b []byte) []byte {
	if lessHigh(a, b) {
		return a
	}
	return b
}

func maxHigh(a, b []byte) []byte {
	if lessHigh(a, b) {
		return b
	}
	return a
}

// isPoint reports whether the span is the keys that begin with one value's key.
func (s span) isPoint() bool {
	n, ok := value.KeyLen(s.low, value.Ascending)
	return ok && n == len(s.low) && bytes.Equal(s.high, after(s.low))
}

// inOrder translates a set of ascending keys into the keys of a column.
func (s set) inOrder(o value.KeyOrder) set {
	values, null := intersect(s, notNulls), intersect(s, nulls)
	if o.Desc {
		values = inverted(values)
	}
	if len(null) > 0 && o.NullsFirst {
		null = set{prefixSpan(nullFirst)}
	}
	return union(values, null)
}

// inverted translates spans of ascending keys into spans of descending ones, whose bytes
// are the complements: a lower bound becomes an upper one, which has to take in what
// begins with it, and the other way round.
func inverted(s set) set {
	out := make(set, 0, len(s))
	for _, v := range slices.Backward(s) {
		out = append(out, span{after(complement(v.high)), after(complement(v.low))})
	}
	return intersect(out, notNulls)
}

func complement(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = ^c
	}
	return out
}

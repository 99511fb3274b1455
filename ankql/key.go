package ankql

import (
	"encoding/binary"
	"slices"

	"github.com/ankurah-go/ankurah/core/value"
)

// Key returns an identity of a checked selection: two selections over one collection that
// have the same key select the same entities in the same order, whatever the order of
// their terms and items and the way their numbers are written. Selections that mean the
// same by some deeper law may have different keys. A key is not text.
func (s *Selection) Key() string {
	var key []byte
	if s.Where == nil {
		key = appendExprKey(key, True)
	} else {
		key = appendExprKey(key, s.Where)
	}
	key = binary.AppendUvarint(key, uint64(len(s.Order)))
	for _, o := range s.Order {
		key = appendPathKey(key, o.Path)
		key = append(key, byte(truthOf(o.Desc)), byte(truthOf(o.NullsFirst())))
	}
	return string(binary.AppendVarint(key, int64(s.Limit)))
}

// The first bytes of the keys of predicates.
const (
	keyConstant = iota
	keyConjunction
	keyDisjunction
	keyNegation
	keyComparison
	keyFieldComparison
	keyMembership
	keyMatch
	keyNullTest
)

func appendExprKey(key []byte, e Expr) []byte {
	switch e := e.(type) {
	case Constant:
		return append(key, keyConstant, byte(e))
	case *Conjunction:
		return appendTermsKey(append(key, keyConjunction), e.Terms)
	case *Disjunction:
		return appendTermsKey(append(key, keyDisjunction), e.Terms)
	case *Negation:
		if c, ok := e.Term.(*Comparison); ok {
			return appendExprKey(key, &Comparison{Left: c.Left, Op: c.Op.Negated(), Right: c.Right})
		}
		return appendExprKey(append(key, keyNegation), e.Term)
	case *Comparison:
		return appendComparisonKey(key, e)
	case *Membership:
		return appendMembershipKey(key, e)
	case *Match:
		key = appendPathKey(append(key, keyMatch), e.Field.Path)
		key = append(key, byte(truthOf(e.Fold)))
		key = binary.AppendVarint(key, int64(e.escape()))
		return appendString(key, e.Pattern)
	case *NullTest:
		return appendPathKey(append(key, keyNullTest), e.Field.Path)
	}
	return key
}

// appendTermsKey appends the keys of the terms in ascending order, each once.
func appendTermsKey(key []byte, terms []Expr) []byte {
	keys := make([]string, len(terms))
	for i, t := range terms {
		keys[i] = string(appendExprKey(nil, t))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	key = binary.AppendUvarint(key, uint64(len(keys)))
	for _, k := range keys {
		key = appendString(key, k)
	}
	return key
}

func appendComparisonKey(key []byte, c *Comparison) []byte {
	other, ok := c.Right.(*Field)
	if !ok {
		key = appendPathKey(append(key, keyComparison, byte(c.Op)), c.Left.Path)
		return value.AppendKey(key, c.Right.(*Literal).Value, value.Ascending)
	}
	left, op := c.Left, c.Op
	if slices.Compare(left.Path, other.Path) > 0 {
		left, op, other = other, op.flipped(), left
	}
	key = appendPathKey(append(key, keyFieldComparison, byte(op)), left.Path)
	return appendPathKey(key, other.Path)
}

func appendMembershipKey(key []byte, m *Membership) []byte {
	set := m.prepared()
	if len(set.sorted) == 1 && !set.hasNull {
		return appendComparisonKey(key, &Comparison{Left: m.Field, Op: OpEqual, Right: &Literal{Value: set.sorted[0]}})
	}
	key = appendPathKey(append(key, keyMembership, byte(truthOf(set.hasNull))), m.Field.Path)
	key = binary.AppendUvarint(key, uint64(len(set.sorted)))
	for _, v := range set.sorted {
		key = value.AppendKey(key, v, value.Ascending)
	}
	return key
}

func appendPathKey(key []byte, path Path) []byte {
	key = binary.AppendUvarint(key, uint64(len(path)))
	for _, step := range path {
		key = appendString(key, step)
	}
	return key
}

func appendString(key []byte, s string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(s))), s...)
}

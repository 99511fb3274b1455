package value

import (
	"cmp"
	"math"
	"strings"
)

// family groups the kinds that compare with each other; families sort by number
// (law V3).
type family uint8

const (
	familyBool family = iota + 1
	familyNumber
	familyString
	familyBytes
	familyID
	familyContainer
	familyNull
)

func (v Value) family() family {
	switch v.kind {
	case KindBool:
		return familyBool
	case KindInt, KindFloat:
		return familyNumber
	case KindString:
		return familyString
	case KindBytes:
		return familyBytes
	case KindID:
		return familyID
	case KindJSON:
		return familyContainer
	}
	return familyNull
}

// SameFamily reports whether a and b belong to one family, so that comparing them
// says something: bool, number, string, bytes, id or JSON container. Null belongs to
// none. JSON scalars count as the scalar that they hold.
func SameFamily(a, b Value) bool {
	fa, fb := a.Scalar().family(), b.Scalar().family()
	return fa == fb && fa != familyNull
}

// Compare places a before (-1), with (0) or after (1) b in the total order.
func Compare(a, b Value) int {
	if a.kind == KindJSON || b.kind == KindJSON {
		a, b = a.Scalar(), b.Scalar()
	}
	if a.kind != b.kind {
		fa, fb := a.family(), b.family()
		if fa != fb {
			return cmp.Compare(fa, fb)
		}
		return compareNumbers(a, b)
	}
	switch a.kind {
	case KindBool:
		return cmp.Compare(a.num, b.num)
	case KindInt:
		return cmp.Compare(int64(a.num), int64(b.num))
	case KindFloat:
		return compareNumbers(a, b)
	}
	return strings.Compare(a.str, b.str)
}

// Equal reports whether Compare calls a and b equal.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

func compareNumbers(a, b Value) int {
	fa, ra := splitNumber(a)
	fb, rb := splitNumber(b)
	if c := compareFloats(fa, fb); c != 0 {
		return c
	}
	return cmp.Compare(ra, rb)
}

// compareFloats differs from cmp.Compare in where NaN goes: above +Inf.
func compareFloats(a, b float64) int {
	switch an, bn := math.IsNaN(a), math.IsNaN(b); {
	case an && bn:
		return 0
	case an:
		return 1
	case bn:
		return -1
	}
	return cmp.Compare(a, b)
}

// splitNumber writes a number as the nearest float and what is left over, which is
// not zero only for integers beyond 2^53. Rounding is monotone, so the pairs compare
// as the numbers do.
func splitNumber(v Value) (f float64, rest int64) {
	if v.kind == KindFloat {
		f = math.Float64frombits(v.num)
		if f == 0 {
			f = 0 // -0 is 0
		}
		return f, 0
	}
	i := int64(v.num)
	f = float64(i)
	if f == 1<<63 {
		return f, i - math.MaxInt64 - 1
	}
	return f, i - int64(f)
}

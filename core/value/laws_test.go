package value

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
)

func mustJSON(tree any) Value {
	v, err := JSON(tree)
	if err != nil {
		panic(err)
	}
	return v
}

// extremes are values at the edges of everything that the order has to get right.
func extremes() []Value {
	values := []Value{
		Null, Bool(false), Bool(true),
		ID(id.EntityID{}), ID(id.EntityID{ULID: id.Make(id.MaxStamp, [8]byte{255})}), ID(id.EntityID{ULID: id.Make(1<<40, [8]byte{})}),
	}
	for _, i := range []int64{0, 1, -1, 255, 256, 1 << 52, 1 << 53, 1 << 62, math.MaxInt64, math.MinInt64, math.MaxInt64 - 512, math.MaxInt64 - 1024} {
		for d := int64(-2); d <= 2; d++ {
			values = append(values, Int(i+d), Int(-i+d))
		}
	}
	for _, f := range []float64{0, 0.5, 1, 1.5, math.Pi, 1 << 52, 1 << 53, 1<<53 + 2, 1 << 62, 1 << 63, 1 << 64, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1)} {
		values = append(values, Float(f), Float(-f), Float(math.Nextafter(f, math.Inf(1))), Float(math.Nextafter(-f, 0)))
	}
	values = append(values, Float(math.NaN()), Float(-math.NaN()), Float(math.Float64frombits(0x7ff0000000000001)), Float(math.Copysign(0, -1)))
	for _, s := range []string{"", "\x00", "\x00\x00", "\x00\x01", "\x01", "a", "a\x00", "a\x00b", "a\x01", "aa", "ab", "b", "Z", "é", "\u00ff", "\U0001f600", "\uffff", strings.Repeat("x", 300)} {
		values = append(values, String(s), Bytes([]byte(s)), mustJSON(s), mustJSON([]any{s}), mustJSON(map[string]any{s: nil}))
	}
	values = append(values, Bytes([]byte{0xff}), Bytes([]byte{0, 0xff}), Bytes([]byte{0xff, 0xff}), Bytes([]byte{0, 0xff, 0}), Bytes([]byte{0xfe}))
	for _, tree := range []any{
		nil, true, false, 0, -1, 1.5, int64(1<<53 + 1), math.MaxInt64, math.MinInt64, -0x1p63, 0x1p63, 1e300,
		[]any{}, []any{nil}, []any{1, 2}, []any{1, "2"}, map[string]any{}, map[string]any{"a": 1}, map[string]any{"a": 1, "b": []any{}},
	} {
		values = append(values, mustJSON(tree))
	}
	return values
}

func randomValue(rng *rand.Rand) Value {
	switch rng.IntN(6) {
	case 0:
		return Int(int64(rng.Uint64()) >> rng.IntN(64))
	case 1:
		return Float(math.Float64frombits(rng.Uint64()))
	case 2:
		return Float(float64(int64(rng.Uint64()) >> rng.IntN(64)))
	case 3:
		return String(randomText(rng))
	case 4:
		return Bytes([]byte(randomText(rng)))
	}
	return mustJSON([]any{rng.Int64(), randomText(rng), nil})
}

func randomText(rng *rand.Rand) string {
	var b strings.Builder
	for n := rng.IntN(6); n > 0; n-- {
		b.WriteString([]string{"\x00", "\x01", "a", "b", "é", "\uffff"}[rng.IntN(6)])
	}
	return b.String()
}

func sample() []Value {
	rng := rand.New(rand.NewPCG(7, 7))
	values := extremes()
	for range 150 {
		values = append(values, randomValue(rng))
	}
	return values
}

// oracle compares as the laws are written, slowly and with exact numbers.
func oracle(a, b Value) int {
	a, b = a.Scalar(), b.Scalar()
	rank := func(v Value) int {
		return slices.Index([]Kind{KindBool, KindInt, KindString, KindBytes, KindID, KindJSON, KindNull}, map[bool]Kind{true: KindInt, false: v.Kind()}[v.Kind() == KindFloat])
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch a.Kind() {
	case KindInt, KindFloat:
		return compareExactly(a, b)
	case KindBool:
		x, _ := a.AsBool()
		y, _ := b.AsBool()
		return map[[2]bool]int{{false, true}: -1, {true, false}: 1}[[2]bool{x, y}]
	}
	return strings.Compare(a.str, b.str)
}

func compareExactly(a, b Value) int {
	fa, _ := a.AsFloat()
	fb, _ := b.AsFloat()
	if na, nb := math.IsNaN(fa), math.IsNaN(fb); na || nb {
		return map[[2]bool]int{{false, true}: -1, {true, false}: 1}[[2]bool{na, nb}]
	}
	return exact(a).Cmp(exact(b))
}

func exact(v Value) *big.Float {
	if i, ok := v.AsInt(); ok {
		return new(big.Float).SetInt64(i)
	}
	f, _ := v.AsFloat()
	return new(big.Float).SetFloat64(f)
}

// V1, V2 and V3: Compare is the order that the laws describe.
func TestCompareIsTheOrderOfTheLaws(t *testing.T) {
	values := sample()
	for _, a := range values {
		for _, b := range values {
			if got, want := Compare(a, b), oracle(a, b); got != want {
				t.Fatalf("%#v against %#v is %d, want %d", a, b, got, want)
			}
			if got := Equal(a, b); got != (Compare(a, b) == 0) {
				t.Fatalf("%#v equal to %#v: %v", a, b, got)
			}
			same := a.Scalar().family() == b.Scalar().family() && !a.Scalar().IsNull()
			if got := SameFamily(a, b); got != same {
				t.Fatalf("%#v and %#v of one family: %v", a, b, got)
			}
		}
	}
}

func TestCompareIsATotalOrder(t *testing.T) {
	values := sample()
	slices.SortFunc(values, Compare)
	for i, a := range values {
		if Compare(a, a) != 0 {
			t.Errorf("%#v is not equal to itself", a)
		}
		for _, b := range values[i:] {
			if Compare(a, b) > 0 || Compare(b, a) != -Compare(a, b) {
				t.Fatalf("%#v and %#v are out of order: %d, %d", a, b, Compare(a, b), Compare(b, a))
			}
		}
	}
}

func TestOrderOfNumbers(t *testing.T) {
	ascending := [][]Value{
		{Float(math.Inf(-1))}, {Float(-math.MaxFloat64)}, {Float(-0x1p64)},
		{Int(math.MinInt64), Float(-0x1p63), mustJSON(-0x1p63)}, {Int(math.MinInt64 + 1)},
		{Int(-1<<53 - 1)}, {Int(-1 << 53), Float(-1 << 53)}, {Int(-1), Float(-1)},
		{Float(-math.SmallestNonzeroFloat64)}, {Int(0), Float(0), Float(math.Copysign(0, -1)), mustJSON(0.0)}, {Float(math.SmallestNonzeroFloat64)},
		{Int(1), Float(1), mustJSON(1)}, {Float(1.5)},
		{Int(1 << 53), Float(1 << 53)}, {Int(1<<53 + 1)}, {Int(1<<53 + 2), Float(1<<53 + 2)}, {Int(1<<53 + 3)},
		{Int(math.MaxInt64 - 1)}, {Int(math.MaxInt64)}, {Float(0x1p63)}, {Float(0x1p64)},
		{Float(math.MaxFloat64)}, {Float(math.Inf(1))}, {Float(math.NaN()), Float(-math.NaN())},
	}
	for i, group := range ascending {
		for _, a := range group {
			for j, other := range ascending {
				for _, b := range other {
					if got := Compare(a, b); got != cmp.Compare(i, j) {
						t.Errorf("%#v against %#v is %d, want %d", a, b, got, cmp.Compare(i, j))
					}
				}
			}
		}
	}
}

var orders = []KeyOrder{{}, {Desc: true}, {NullsFirst: true}, {Desc: true, NullsFirst: true}}

// inOrder is what a KeyOrder says, by Compare.
func inOrder(a, b Value, o KeyOrder) int {
	an, bn := a.Scalar().IsNull(), b.Scalar().IsNull()
	switch {
	case an && bn:
		return 0
	case an != bn:
		if an == o.NullsFirst {
			return -1
		}
		return 1
	case o.Desc:
		return Compare(b, a)
	}
	return Compare(a, b)
}

// V4, for every order.
func TestKeysCompareAsTheValues(t *testing.T) {
	values := sample()
	for _, o := range orders {
		keys := make([][]byte, len(values))
		for i, v := range values {
			keys[i] = AppendKey(nil, v, o)
		}
		for i, a := range values {
			for j, b := range values {
				want := inOrder(a, b, o)
				if got := bytes.Compare(keys[i], keys[j]); got != want {
					t.Fatalf("%+v: the keys of %#v and %#v compare as %d, want %d: %x, %x", o, a, b, got, want, keys[i], keys[j])
				}
				if want != 0 && bytes.HasPrefix(keys[j], keys[i]) {
					t.Fatalf("%+v: the key of %#v begins that of %#v: %x, %x", o, a, b, keys[i], keys[j])
				}
			}
		}
	}
}

// Keys appended to each other compare as tuples, and are taken apart again by KeyLen.
func TestKeysOfTuplesCompareAsTuples(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	values := sample()
	pick := func() [3]Value {
		return [3]Value{values[rng.IntN(len(values))], values[rng.IntN(len(values))], values[rng.IntN(len(values))]}
	}
	for range 5000 {
		a, b := pick(), pick()
		if rng.IntN(2) == 0 {
			b[0] = a[0]
		}
		o := [3]KeyOrder{orders[rng.IntN(4)], orders[rng.IntN(4)], orders[rng.IntN(4)]}
		var ka, kb []byte
		want := 0
		for i := range a {
			ka, kb = AppendKey(ka, a[i], o[i]), AppendKey(kb, b[i], o[i])
			want = cmp.Or(want, inOrder(a[i], b[i], o[i]))
		}
		if got := bytes.Compare(ka, kb); got != want {
			t.Fatalf("%v against %v by %v is %d, want %d", a, b, o, got, want)
		}
		for i := range a {
			n, ok := KeyLen(ka, o[i])
			if own := AppendKey(nil, a[i], o[i]); !ok || !bytes.Equal(ka[:n], own) {
				t.Fatalf("the key of %#v by %+v at the start of %x has length %d, %v", a[i], o[i], ka, n, ok)
			}
			ka = ka[n:]
		}
	}
}

func TestKeyLenOfPartsOfKeys(t *testing.T) {
	for _, o := range orders {
		for _, v := range sample() {
			key := AppendKey(nil, v, o)
			for n := range key {
				if got, ok := KeyLen(key[:n], o); ok {
					t.Fatalf("%d bytes of the key %x are said to begin with a key of %d", n, key, got)
				}
			}
		}
		for _, tag := range []byte{0x00, 0x02, 0x0f, 0x11, 0x70, 0x80, 0xf1, 0xff} {
			if n, ok := KeyLen([]byte{tag, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, o); ok {
				t.Errorf("a key that begins with %#x has length %d", tag, n)
			}
		}
	}
}

func TestTextPrefix(t *testing.T) {
	for _, prefix := range []string{"", "a", "a\x00", "\x00", "é"} {
		begin := AppendTextPrefix(nil, prefix)
		for _, v := range sample() {
			s, ok := v.Scalar().AsString()
			key := AppendKey(nil, v, Ascending)
			if got, want := bytes.HasPrefix(key, begin), ok && strings.HasPrefix(s, prefix); got != want {
				t.Errorf("%q begins the key of %#v: %v", prefix, v, got)
			}
		}
	}
}

func TestAppendKeyKeepsWhatWasThere(t *testing.T) {
	for _, o := range orders {
		for _, v := range extremes() {
			if got := AppendKey([]byte{1, 0xfe}, v, o); !bytes.Equal(got, append([]byte{1, 0xfe}, AppendKey(nil, v, o)...)) {
				t.Fatalf("%#v after other bytes is %x", v, got)
			}
		}
	}
}

// What is read back from a key is the value by V1 to V3, whatever stands behind it, and
// what only begins like a key is none.
func TestKeysAreReadBack(t *testing.T) {
	for _, o := range orders {
		for _, v := range sample() {
			key := AppendKey(nil, v, o)
			got, n, ok := ReadKey(append(bytes.Clone(key), "rest"...), o)
			if !ok || n != len(key) || Compare(got, v) != 0 || got.Kind() == KindJSON && got.Scalar() != got {
				t.Fatalf("%+v: the key of %#v is read as %#v of %d bytes, %v; want %d", o, v, got, n, ok, len(key))
			}
			for cut := range key {
				if got, _, ok := ReadKey(key[:cut], o); ok {
					t.Fatalf("%+v: %d bytes of the key of %#v are read as %#v", o, cut, v, got)
				}
			}
		}
	}
}

package aggregate

import (
	"errors"
	"math"
	"math/bits"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// ErrParts says that parts of a group are not what a table makes.
var ErrParts = errors.New("aggregate: malformed parts")

// Sum adds up numbers exactly, so that numbers can be taken away again and their order does
// not matter. Ints are added up in 128 bits, which the ints of no collection fill. Floats
// are added up as one long integer, of as many bits as there are between the smallest and
// the greatest float and 64 more for the carry: no bit of any of them is lost. The zero
// Sum is empty.
type Sum struct {
	n      int64 // numbers
	floats int64 // those of them that are floats
	// Floats that no addition undoes are counted apart.
	nans, positive, negative int64

	high int64 // of the ints, with low a number of 128 bits in two's complement
	low  uint64
	long *long // of the floats; nil is zero
}

// long is an integer in units of the smallest float, 2^-1074, in two's complement, the
// lowest word first.
type long [longWords]uint64

const (
	longWords = 34   // 2098 bits for finite floats, 64 for the carry, one for the sign
	unit      = 1074 // 1 is 2^unit units
	mantissa  = 52   // bits of a float's fraction
)

// Add adds a number, weight times: 1 to add it, -1 to take it away. What is not a number
// is passed over.
func (s *Sum) Add(v value.Value, weight int64) {
	switch v.Kind() {
	case value.KindInt:
		i, _ := v.AsInt()
		s.n += weight
		s.addInt(i, weight)
	case value.KindFloat:
		f, _ := v.AsFloat()
		s.n += weight
		s.floats += weight
		s.addFloat(f, weight)
	}
}

func (s *Sum) addInt(i, weight int64) {
	low, high := uint64(i), i>>63
	var carry uint64
	if weight > 0 {
		s.low, carry = bits.Add64(s.low, low, 0)
		s.high += high + int64(carry)
	} else {
		s.low, carry = bits.Sub64(s.low, low, 0)
		s.high -= high + int64(carry)
	}
}

func (s *Sum) addFloat(f float64, weight int64) {
	switch {
	case math.IsNaN(f):
		s.nans += weight
	case math.IsInf(f, 1):
		s.positive += weight
	case math.IsInf(f, -1):
		s.negative += weight
	case f != 0:
		if s.long == nil {
			s.long = new(long)
		}
		raw := math.Float64bits(f)
		exponent, digits := uint(raw>>mantissa&0x7ff), raw&(1<<mantissa-1)
		if exponent == 0 {
			exponent = 1
		} else {
			digits |= 1 << mantissa
		}
		s.long.add(0, digits, exponent-1, (weight < 0) != (f < 0))
	}
}

// add adds high·2^64 + low, shifted left, or subtracts it.
func (l *long) add(high, low uint64, shift uint, subtract bool) {
	i, off := shift/64, shift%64
	words := [3]uint64{low << off, high << off, 0}
	if off > 0 {
		words[1] |= low >> (64 - off)
		words[2] = high >> (64 - off)
	}
	var carry uint64
	for k := uint(0); i+k < longWords; k++ {
		var w uint64
		if k < 3 {
			w = words[k]
		} else if carry == 0 {
			return
		}
		if subtract {
			l[i+k], carry = bits.Sub64(l[i+k], w, carry)
		} else {
			l[i+k], carry = bits.Add64(l[i+k], w, carry)
		}
	}
}

func (l *long) addAll(m *long) {
	var carry uint64
	for i := range l {
		l[i], carry = bits.Add64(l[i], m[i], carry)
	}
}

func (l *long) isZero() bool { return l == nil || *l == long{} }

// negate makes l its absolute value, and reports whether it was negative.
func (l *long) abs() (negative bool) {
	if l[longWords-1]>>63 == 0 {
		return false
	}
	var borrow uint64
	for i := range l {
		l[i], borrow = bits.Sub64(0, l[i], borrow)
	}
	return true
}

// divide divides a positive l, and returns what is left over.
func (l *long) divide(by uint64) (rest uint64) {
	for i := longWords - 1; i >= 0; i-- {
		l[i], rest = bits.Div64(rest, l[i], by)
	}
	return rest
}

// round returns the float nearest to a positive l, with an even last digit where two are:
// below is how much more it is than l, less than a unit: 0 none, 1 less than half, 2 half,
// 3 more.
func (l *long) round(below int) float64 {
	top := longWords - 1
	for top > 0 && l[top] == 0 {
		top--
	}
	length := 64*top + bits.Len64(l[top])
	digits, place := l[0], 0 // of the lowest bit that a float of this size has
	if length > mantissa+1 {
		place = length - mantissa - 1
		digits = l.from(place)
		below = l.rest(place, below)
	}
	if below > 2 || below == 2 && digits&1 == 1 {
		digits++
	}
	// The leading digit, which a float does not write, adds one to the exponent; so does a
	// carry.
	raw := uint64(place)<<mantissa + digits
	if raw >= 0x7ff<<mantissa {
		return math.Inf(1)
	}
	return math.Float64frombits(raw)
}

// from returns the 53 bits from a place on, above which there are none.
func (l *long) from(place int) uint64 {
	i, off := place/64, uint(place%64)
	digits := l[i] >> off
	if off > 0 && i+1 < longWords {
		digits |= l[i+1] << (64 - off)
	}
	return digits
}

// rest classifies what is below a place.
func (l *long) rest(place, below int) int {
	i, off := (place-1)/64, uint((place-1)%64)
	half := l[i]>>off&1 == 1
	some := below != 0 || l[i]&(1<<off-1) != 0
	for k := 0; k < i && !some; k++ {
		some = l[k] != 0
	}
	switch {
	case half && some:
		return 3
	case half:
		return 2
	case some:
		return 1
	}
	return 0
}

// Count returns how many numbers there are.
func (s *Sum) Count() int64 { return s.n }

// isZero reports whether the sum is as if nothing had ever been added.
func (s *Sum) isZero() bool {
	return s.n == 0 && s.floats == 0 && s.nans == 0 && s.positive == 0 && s.negative == 0 && s.high == 0 && s.low == 0 && s.long.isZero()
}

// Total returns what the numbers add up to: an int if all of them are and it is one of 64
// bits, else the nearest float; NULL if there is no number.
func (s *Sum) Total() value.Value {
	switch {
	case s.n == 0:
		return value.Null
	case s.floats == 0 && s.high == int64(s.low)>>63:
		return value.Int(int64(s.low))
	}
	return value.Float(s.nearest(1))
}

// Mean returns the float nearest to the mean of the numbers, NULL if there is none.
func (s *Sum) Mean() value.Value {
	if s.n <= 0 {
		return value.Null
	}
	return value.Float(s.nearest(uint64(s.n)))
}

func (s *Sum) nearest(parts uint64) float64 {
	switch {
	case s.nans > 0 || s.positive > 0 && s.negative > 0:
		return math.NaN()
	case s.positive > 0:
		return math.Inf(1)
	case s.negative > 0:
		return math.Inf(-1)
	}
	var l long
	if s.long != nil {
		l = *s.long
	}
	high, low, minus := uint64(s.high), s.low, s.high < 0
	if minus {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	l.add(high, low, unit, minus)
	negative := l.abs()
	rest := l.divide(parts)
	below := 0
	if rest != 0 {
		// Twice the rest against the divisor: both are below 2^63, since parts count numbers.
		switch twice := 2 * rest; {
		case twice < parts:
			below = 1
		case twice == parts:
			below = 2
		default:
			below = 3
		}
	}
	f := l.round(below)
	if negative && f != 0 {
		return -f
	}
	return f
}

// Merge adds up two sums.
func (s *Sum) Merge(t *Sum) {
	s.n += t.n
	s.floats += t.floats
	s.nans += t.nans
	s.positive += t.positive
	s.negative += t.negative
	var carry uint64
	s.low, carry = bits.Add64(s.low, t.low, 0)
	s.high += t.high + int64(carry)
	if t.long != nil {
		if s.long == nil {
			s.long = new(long)
		}
		s.long.addAll(t.long)
	}
}

// Append appends s in its one form: [n, floats, NaN, +Inf, -Inf, high, low, first, words].
// The words are those of the floats' sum from the first that is not zero, without those at
// the end that only repeat the sign.
func (s *Sum) Append(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 9)
	for _, n := range [...]int64{s.n, s.floats, s.nans, s.positive, s.negative, s.high} {
		dst = msgpack.AppendInt(dst, n)
	}
	dst = msgpack.AppendUint(dst, s.low)
	first, end := s.long.extent()
	dst = msgpack.AppendUint(dst, uint64(first))
	dst = msgpack.AppendArrayLen(dst, end-first)
	for i := first; i < end; i++ {
		dst = msgpack.AppendUint(dst, s.long[i])
	}
	return dst
}

// extent returns which words say everything about l.
func (l *long) extent() (first, end int) {
	if l.isZero() {
		return 0, 0
	}
	for l[first] == 0 {
		first++
	}
	end = longWords
	for end > first+1 && l[end-1] == sign(l[end-2]) {
		end--
	}
	return first, end
}

// sign returns the word that continues w upwards.
func sign(w uint64) uint64 { return uint64(int64(w) >> 63) }

// ReadSum reads what Append wrote; errors stay in r.
func ReadSum(r *msgpack.Reader) (s Sum) {
	r.Array(9)
	for _, n := range [...]*int64{&s.n, &s.floats, &s.nans, &s.positive, &s.negative, &s.high} {
		*n = r.Int()
	}
	s.low = r.Uint()
	first := r.Uint()
	words := r.ArrayLen(longWords)
	if first+uint64(words) > longWords || first > longWords || words == 0 && first != 0 {
		r.Fail(ErrParts)
	}
	if r.Err() != nil || words == 0 {
		return s
	}
	s.long = new(long)
	end := int(first) + words
	for i := int(first); i < end; i++ {
		s.long[i] = r.Uint()
	}
	for i := end; i < longWords; i++ {
		s.long[i] = sign(s.long[end-1])
	}
	if a, b := s.long.extent(); a != int(first) || b != end {
		r.Fail(ErrParts)
	}
	return s
}

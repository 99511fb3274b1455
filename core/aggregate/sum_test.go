package aggregate

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// seeded returns a source whose seed a failing test prints.
func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// someNumber returns ints and floats of every size, and the ones at which arithmetic breaks.
func someNumber(r *rand.Rand) value.Value {
	special := []value.Value{
		value.Int(math.MaxInt64), value.Int(math.MinInt64), value.Int(-1), value.Int(0), value.Int(1 << 53), value.Int(1<<53 + 1),
		value.Float(0), value.Float(math.Copysign(0, -1)), value.Float(math.SmallestNonzeroFloat64), value.Float(-math.SmallestNonzeroFloat64),
		value.Float(math.MaxFloat64), value.Float(-math.MaxFloat64), value.Float(0x1p-1022), value.Float(0.1), value.Float(0.2), value.Float(1e16), value.Float(-1e16),
	}
	switch r.IntN(5) {
	case 0:
		return special[r.IntN(len(special))]
	case 1:
		return value.Int(int64(r.Uint64()))
	case 2:
		return value.Int(r.Int64N(1000) - 500)
	case 3:
		return value.Float(float64(r.Int64N(100_000)) / 100)
	}
	for {
		if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return value.Float(f)
		}
	}
}

// exactly returns what numbers add up to, by package math/big, divided and rounded once.
func exactly(numbers []value.Value, parts int64) float64 {
	sum := new(big.Rat)
	for _, v := range numbers {
		if i, ok := v.AsInt(); ok {
			sum.Add(sum, new(big.Rat).SetInt64(i))
		} else {
			f, _ := v.AsFloat()
			sum.Add(sum, new(big.Rat).SetFloat64(f))
		}
	}
	f, _ := sum.Quo(sum, new(big.Rat).SetInt64(parts)).Float64()
	return f
}

func TestSumsAreRoundedOnceFromTheExactSum(t *testing.T) {
	r := seeded(t)
	for range 3000 {
		var s Sum
		var numbers []value.Value
		for range 1 + r.IntN(12) {
			v := someNumber(r)
			numbers = append(numbers, v)
			s.Add(v, 1)
			if r.IntN(3) == 0 {
				gone := r.IntN(len(numbers))
				s.Add(numbers[gone], -1)
				numbers = append(numbers[:gone:gone], numbers[gone+1:]...)
			}
		}
		if len(numbers) == 0 {
			if !s.isZero() || !s.Total().IsNull() || !s.Mean().IsNull() {
				t.Fatalf("nothing is left, and the sum is %v, %+v", s.Total(), s)
			}
			continue
		}
		total, _ := s.Total().AsFloat()
		if i, ok := s.Total().AsInt(); ok {
			want := new(big.Int)
			for _, v := range numbers {
				n, isInt := v.AsInt()
				if !isInt {
					t.Fatalf("the sum of %v is the int %d", numbers, i)
				}
				want.Add(want, big.NewInt(n))
			}
			if !want.IsInt64() || want.Int64() != i {
				t.Fatalf("the sum of %v is %d, want %v", numbers, i, want)
			}
		} else if want := exactly(numbers, 1); total != want {
			t.Fatalf("the sum of %v is %v, want %v", numbers, total, want)
		}
		mean, _ := s.Mean().AsFloat()
		if want := exactly(numbers, int64(len(numbers))); mean != want {
			t.Fatalf("the mean of %v is %v, want %v", numbers, mean, want)
		}
	}
}

func TestIntsBecomeAFloatWhere64BitsDoNotHoldTheirSum(t *testing.T) {
	var s Sum
	s.Add(value.Int(math.MaxInt64), 1)
	s.Add(value.Int(1), 1)
	if got := s.Total(); got != value.Float(0x1p63) {
		t.Errorf("one more than the greatest int is %v", got)
	}
	s.Add(value.Int(1), -1)
	if got := s.Total(); got != value.Int(math.MaxInt64) {
		t.Errorf("and one less again is %v", got)
	}
}

func TestWhatNoAdditionUndoesCanBeTakenAway(t *testing.T) {
	inf, nan := value.Float(math.Inf(1)), value.Float(math.NaN())
	var s Sum
	for _, step := range []struct {
		v      value.Value
		weight int64
		want   float64
	}{
		{value.Float(0.5), 1, 0.5}, {inf, 1, math.Inf(1)}, {value.Float(math.Inf(-1)), 1, math.NaN()}, {inf, -1, math.Inf(-1)},
		{nan, 1, math.NaN()}, {value.Float(math.Inf(-1)), -1, math.NaN()}, {nan, -1, 0.5},
	} {
		s.Add(step.v, step.weight)
		if got, _ := s.Total().AsFloat(); got != step.want && !(math.IsNaN(got) && math.IsNaN(step.want)) {
			t.Errorf("after %v of %v the sum is %v, want %v", step.weight, step.v, got, step.want)
		}
	}
}

func TestSumsMergeAndTravel(t *testing.T) {
	r := seeded(t)
	for range 1000 {
		var whole, one, other Sum
		for range r.IntN(10) {
			v, weight := someNumber(r), int64(1)
			if r.IntN(4) == 0 {
				weight = -1
			}
			whole.Add(v, weight)
			if r.IntN(2) == 0 {
				one.Add(v, weight)
			} else {
				other.Add(v, weight)
			}
		}
		b := one.Append(nil)
		reader := msgpack.NewReader(b)
		read := ReadSum(&reader)
		if err := reader.Done(); err != nil {
			t.Fatal(err)
		}
		read.Merge(&other)
		if got, want := fmt.Sprintf("%x", read.Append(nil)), fmt.Sprintf("%x", whole.Append(nil)); got != want {
			t.Fatalf("the parts make %s, the whole is %s", got, want)
		}
	}
}

func FuzzReadSum(f *testing.F) {
	var s Sum
	f.Add(s.Append(nil))
	s.Add(value.Float(-0.1), 1)
	s.Add(value.Int(-5), 1)
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := msgpack.NewReader(b)
		s := ReadSum(&r)
		if r.Done() != nil {
			return
		}
		s.Total()
		s.Mean()
		r = msgpack.NewReader(s.Append(nil))
		again := ReadSum(&r)
		if r.Done() != nil || string(again.Append(nil)) != string(s.Append(nil)) {
			t.Fatalf("%x is written as %x and read otherwise: %v", b, s.Append(nil), r.Err())
		}
	})
}

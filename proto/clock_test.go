package proto

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Clocks are sets: order and repetition in what they are made of do not matter (scenarios
// 11 and 14).
func TestClocksAreSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 300 {
		var ids []id.EventID
		for range rng.IntN(8) {
			ids = append(ids, id.EventID{ULID: id.Make(id.Stamp(rng.IntN(5)), [8]byte{byte(rng.IntN(3))})})
		}
		given := slices.Clone(ids)
		c := NewClock(ids...)
		if !slices.Equal(ids, given) {
			t.Fatal("what the clock was made of is changed")
		}
		rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		if d := NewClock(append(ids, c...)...); !d.Equal(c) || !c.ascends() || (len(c) == 0) != (c == nil) {
			t.Fatalf("%v and %v", c, d)
		}
		for _, e := range ids {
			if !c.Contains(e) || c.Stamp() < e.Stamp() {
				t.Fatalf("%v lacks %v, or its stamp %x is less", c, e, c.Stamp())
			}
		}
		sub := NewClock(ids[:len(ids)/2]...)
		if !c.ContainsAll(sub) || !c.ContainsAll(nil) || c.ContainsAll(clockOf(1)) {
			t.Fatalf("%v contains %v: %v", c, sub, c.ContainsAll(sub))
		}
		r := msgpack.NewReader(AppendClock(nil, c))
		if got := ReadClock(&r); !got.Equal(c) || r.Done() != nil {
			t.Fatalf("%v is read as %v, %v", c, got, r.Err())
		}
	}
}

func TestAdvance(t *testing.T) {
	e := func(n byte) id.EventID { return id.EventID{ULID: ulid(n)} }
	for _, tc := range []struct {
		name          string
		head, parents Clock
		event         id.EventID
		want          Clock
	}{
		{"creation", nil, nil, e(1), clockOf(1)},
		{"on the head", clockOf(1), clockOf(1), e(2), clockOf(2)},
		{"beside the head", clockOf(2), clockOf(1), e(3), clockOf(2, 3)},
		{"on all heads", clockOf(2, 3), clockOf(2, 3), e(4), clockOf(4)},
		{"on one of the heads", clockOf(2, 3), clockOf(3), e(4), clockOf(2, 4)},
		{"earlier than the other heads", clockOf(5, 9), clockOf(1), e(4), clockOf(4, 5, 9)},
		{"on a head and something older", clockOf(3), clockOf(1, 3), e(4), clockOf(4)},
		{"again", clockOf(2, 4), clockOf(3), e(4), clockOf(2, 4)},
	} {
		before := slices.Clone(tc.head)
		if got := tc.head.Advance(tc.parents, tc.event); !got.Equal(tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
		if !tc.head.Equal(before) {
			t.Errorf("%s: the head it came from is changed", tc.name)
		}
	}
	if (Clock)(nil).Stamp() != 0 {
		t.Error("the empty clock has a stamp")
	}
}

func TestOtherClocksAreRefused(t *testing.T) {
	list := func(ids ...byte) []byte {
		b := msgpack.AppendArrayLen(nil, len(ids))
		for _, n := range ids {
			b = AppendID(b, ulid(n))
		}
		return b
	}
	wide := make([]byte, MaxClock+1)
	for i := range wide {
		wide[i] = byte(i)
	}
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"descending": {list(2, 1), ErrNotCanonical},
		"doubled":    {list(1, 1), ErrNotCanonical},
		"too many":   {list(wide...), msgpack.ErrTooLong},
		"short id":   {msgpack.AppendBytes(msgpack.AppendArrayLen(nil, 1), make([]byte, 15)), id.ErrFormat},
		"text":       {msgpack.AppendString(msgpack.AppendArrayLen(nil, 1), "0000000000000000"), msgpack.ErrType},
		"no array":   {msgpack.AppendNil(nil), msgpack.ErrType},
		"cut off":    {list(1, 2)[:20], msgpack.ErrTruncated},
	} {
		r := msgpack.NewReader(tc.b)
		if c := ReadClock(&r); !errors.Is(r.Done(), tc.want) || c != nil {
			t.Errorf("%s: %v, %v; want %v", name, c, r.Err(), tc.want)
		}
	}
	r := msgpack.NewReader(list(wide[:MaxClock]...))
	if c := ReadClock(&r); r.Done() != nil || len(c) != MaxClock {
		t.Errorf("as many as allowed: %d, %v", len(c), r.Err())
	}
}

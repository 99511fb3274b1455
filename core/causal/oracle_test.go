package causal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/causal"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// history is a DAG in memory, and counts what it is asked for.
type history struct {
	parents map[id.EventID]proto.Clock
	missing map[id.EventID]bool
	asked   int
	fails   error
}

func newHistory() *history {
	return &history{parents: make(map[id.EventID]proto.Clock), missing: make(map[id.EventID]bool)}
}

// event returns the id of the n-th event of a test; they ascend.
func event(n int) id.EventID {
	return id.EventID{ULID: id.Make(id.Stamp(n+1), [8]byte{})}
}

func (h *history) add(e id.EventID, parents ...id.EventID) { h.parents[e] = proto.NewClock(parents...) }

func (h *history) Parents(_ context.Context, events []id.EventID) ([]causal.Parents, error) {
	h.asked += len(events)
	if h.fails != nil {
		return nil, h.fails
	}
	out := make([]causal.Parents, len(events))
	for i, e := range events {
		parents, ok := h.parents[e]
		if ok && !h.missing[e] {
			out[i] = causal.Parents{Known: true, Clock: parents}
		}
	}
	return out, nil
}

// past is the oracle: the events of a clock and all below, by brute force.
func (h *history) past(c proto.Clock) map[id.EventID]bool {
	past := make(map[id.EventID]bool)
	waiting := slices.Clone(c)
	for len(waiting) > 0 {
		e := waiting[0]
		waiting = waiting[1:]
		if !past[e] {
			past[e] = true
			waiting = append(waiting, h.parents[e]...)
		}
	}
	return past
}

func (h *history) compare(a, b proto.Clock) causal.Comparison {
	pa, pb := h.past(a), h.past(b)
	var common []id.EventID
	for e := range pa {
		if pb[e] {
			common = append(common, e)
		}
	}
	for past, other := range map[*map[id.EventID]bool]map[id.EventID]bool{&pa: pb, &pb: pa} {
		for e := range *past {
			if len(h.parents[e]) == 0 && !other[e] && len(a) > 0 && len(b) > 0 {
				return causal.Comparison{Relation: causal.Disjoint}
			}
		}
	}
	result := causal.Comparison{Relation: causal.Concurrent, Meet: h.greatest(common)}
	switch ca, cb := len(common) == len(pa), len(common) == len(pb); {
	case ca && cb:
		result.Relation = causal.Equal
	case cb:
		result.Relation = causal.Descends
	case ca:
		result.Relation = causal.Precedes
	}
	return result
}

func (h *history) greatest(events []id.EventID) proto.Clock {
	var heads []id.EventID
	for _, e := range events {
		if !slices.ContainsFunc(events, func(o id.EventID) bool { return o != e && h.past(proto.Clock{o})[e] }) {
			heads = append(heads, e)
		}
	}
	return proto.NewClock(heads...)
}

func (h *history) between(from, to proto.Clock) []id.EventID {
	had := h.past(from)
	var list []id.EventID
	for e := range h.past(to) {
		if !had[e] {
			list = append(list, e)
		}
	}
	return proto.NewClock(list...)
}

// random makes a history of n events from the given number of creations.
func random(r *rand.Rand, n, roots int) *history {
	h := newHistory()
	for i := range n {
		if i < roots {
			h.add(event(i))
			continue
		}
		var parents []id.EventID
		for range 1 + r.IntN(3) {
			back := 1 + r.IntN(min(i, 1+r.IntN(6)))
			parents = append(parents, event(i-back))
		}
		h.add(event(i), h.greatest(proto.NewClock(parents...))...)
	}
	return h
}

// clock is a random antichain.
func (h *history) clock(r *rand.Rand) proto.Clock {
	var list []id.EventID
	for range r.IntN(4) {
		list = append(list, event(r.IntN(len(h.parents))))
	}
	return h.greatest(proto.NewClock(list...))
}

const plenty = 1 << 20

func TestAnswersAreTheOracles(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	relations := make(map[causal.Relation]int)
	for range 3000 {
		h := random(r, 2+r.IntN(24), 1+r.IntN(2)*r.IntN(2))
		a, b := h.clock(r), h.clock(r)
		got, err := causal.Compare(t.Context(), h, a, b, plenty)
		if want := h.compare(a, b); err != nil || got.Relation != want.Relation || !got.Meet.Equal(want.Meet) {
			t.Fatalf("Compare(%v, %v) = %v, %v, want %v\n%v", a, b, got, err, want, h.parents)
		}
		relations[got.Relation]++
		mirrored, _ := causal.Compare(t.Context(), h, b, a, plenty) // C1
		if mirror(mirrored.Relation) != got.Relation || !mirrored.Meet.Equal(got.Meet) {
			t.Fatalf("Compare(%v, %v) = %v, the other way %v", a, b, got, mirrored)
		}
		between, err := causal.Between(t.Context(), h, a, b, plenty)
		if want := h.between(a, b); err != nil || !slices.Equal(between, want) {
			t.Fatalf("Between(%v, %v) = %v, %v, want %v\n%v", a, b, between, err, want, h.parents)
		}
		some := append(slices.Clone(a), b...)
		heads, err := causal.Greatest(t.Context(), h, some, plenty)
		if want := h.greatest(proto.NewClock(some...)); err != nil || !heads.Equal(want) {
			t.Fatalf("Greatest(%v) = %v, %v, want %v\n%v", some, heads, err, want, h.parents)
		}
	}
	for _, want := range []causal.Relation{causal.Equal, causal.Descends, causal.Precedes, causal.Concurrent, causal.Disjoint} {
		if relations[want] == 0 {
			t.Errorf("no case was %s", want)
		}
	}
}

func mirror(r causal.Relation) causal.Relation {
	switch r {
	case causal.Descends:
		return causal.Precedes
	case causal.Precedes:
		return causal.Descends
	}
	return r
}

// C3: with events missing and little to walk over, an answer is the one that the whole
// history gives, or there is none.
func TestNoAnswerIsAGuess(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	answered, refused := 0, 0
	check := func(err error, right bool, what string) {
		var missing *causal.MissingError
		switch {
		case errors.As(err, &missing) || errors.Is(err, causal.ErrLimit):
			refused++
		case err != nil:
			t.Fatalf("%s: %v", what, err)
		case !right:
			t.Fatalf("%s is wrong", what)
		default:
			answered++
		}
	}
	for range 3000 {
		h := random(r, 2+r.IntN(24), 1)
		for range r.IntN(4) {
			h.missing[event(r.IntN(len(h.parents)))] = true
		}
		a, b, limit := h.clock(r), h.clock(r), 1+r.IntN(20)
		got, err := causal.Compare(t.Context(), h, a, b, limit)
		want := h.compare(a, b)
		check(err, got.Relation == want.Relation && got.Meet.Equal(want.Meet), fmt.Sprintf("Compare(%v, %v) = %v\n%v without %v", a, b, got, h.parents, h.missing))
		list, err := causal.Between(t.Context(), h, a, b, limit)
		check(err, slices.Equal(list, h.between(a, b)), "Between")
		some := append(slices.Clone(a), b...)
		heads, err := causal.Greatest(t.Context(), h, some, limit)
		check(err, heads.Equal(h.greatest(proto.NewClock(some...))), fmt.Sprintf("Greatest(%v) = %v\n%v without %v", some, heads, h.parents, h.missing))
	}
	if answered == 0 || refused == 0 {
		t.Errorf("%d answered, %d refused", answered, refused)
	}
}

func TestGettersErrorIsNotAMissingEvent(t *testing.T) { // scenario 47
	h := random(rand.New(rand.NewPCG(1, 1)), 9, 1)
	h.fails = errors.New("disk on fire")
	_, err := causal.Compare(t.Context(), h, proto.Clock{event(8)}, proto.Clock{event(1)}, plenty)
	if !errors.Is(err, h.fails) {
		t.Errorf("got %v", err)
	}
}

func TestParentsMustBeLess(t *testing.T) {
	h := newHistory()
	h.add(event(0))
	h.add(event(1), event(2))
	h.add(event(2), event(1)) // a cycle, which no honest node can mint
	_, err := causal.Compare(t.Context(), h, proto.Clock{event(2)}, proto.Clock{event(0)}, plenty)
	if !errors.Is(err, causal.ErrMonotone) {
		t.Errorf("got %v", err)
	}
}

// ladder is a diamond on a diamond on a diamond: 2^rungs paths.
func ladder(rungs int) (h *history, top id.EventID) {
	h = newHistory()
	h.add(event(0))
	for i := range rungs {
		bottom := 3 * i
		h.add(event(bottom+1), event(bottom))
		h.add(event(bottom+2), event(bottom))
		h.add(event(bottom+3), event(bottom+1), event(bottom+2))
	}
	return h, event(3 * rungs)
}

func TestCostIsByEventNotByPath(t *testing.T) { // scenario 37
	h, top := ladder(30)
	got, err := causal.Compare(t.Context(), h, proto.Clock{top}, proto.Clock{event(0)}, len(h.parents))
	if err != nil || got.Relation != causal.Descends {
		t.Fatalf("%v, %v", got, err)
	}
	if h.asked > len(h.parents) {
		t.Errorf("asked for %d parents of %d events", h.asked, len(h.parents))
	}
}

// What lies below the meet is not walked over, however much it is.
func TestCostIsByDifferenceNotByHistory(t *testing.T) {
	h := newHistory()
	h.add(event(0))
	const trunk = 10_000
	for i := 1; i < trunk; i++ {
		h.add(event(i), event(i-1))
	}
	h.add(event(trunk), event(trunk-1))
	h.add(event(trunk+1), event(trunk-1))
	got, err := causal.Compare(t.Context(), h, proto.Clock{event(trunk)}, proto.Clock{event(trunk + 1)}, 4)
	if err != nil || got.Relation != causal.Concurrent || !got.Meet.Equal(proto.Clock{event(trunk - 1)}) {
		t.Errorf("%v, %v", got, err)
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		h, top := ladder(n)
		b.Run(fmt.Sprintf("ladder=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := causal.Compare(b.Context(), h, proto.Clock{top}, proto.Clock{event(0)}, plenty); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(h.parents)), "ns/event")
		})
	}
}

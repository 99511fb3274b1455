package propertytest

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Suite describes a kind to the laws.
type Suite struct {
	Kind property.Kind
	// Value returns a value that properties of the kind take.
	Value func(*rand.Rand) value.Value
}

const (
	name      = "subject"
	authors   = 4
	histories = 150
)

// Run checks the laws on random histories. A failure names the seed of its history.
func Run(t *testing.T, s Suite) {
	laws := []struct {
		name string
		law  func(*world)
	}{
		{"P1 any order gives the same state", (*world).anyOrder},
		{"P2 twice is once", (*world).twiceIsOnce},
		{"P3 merging states is applying their operations", (*world).mergeIsUnion},
		{"P3 merging is commutative, associative and idempotent", (*world).mergeIsJoin},
		{"a write that saw all others is what is read", (*world).lastWordWins},
		{"an initial state is what its operation makes", (*world).initialIsApplied},
		{"states survive their encoding", (*world).statesAreEncoded},
		{"arguments are not changed", (*world).argumentsStay},
	}
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			for seed := range uint64(histories) {
				w := newWorld(t, s, seed)
				l.law(w)
				if t.Failed() {
					t.Fatalf("the history of seed %d: %v", seed, w.history)
				}
			}
		})
	}
}

// write is an operation with the event that carries it.
type write struct {
	Event     id.EventID
	Operation proto.Operation
}

// world is a history: what some authors wrote, each on top of what it had seen.
type world struct {
	t       *testing.T
	suite   Suite
	rng     *rand.Rand
	history []write
}

func newWorld(t *testing.T, s Suite, seed uint64) *world {
	w := &world{t: t, suite: s, rng: rand.New(rand.NewPCG(seed, 0))}
	var seen [authors]map[int]bool
	for i := range seen {
		seen[i] = map[int]bool{}
	}
	for n := 1 + w.rng.IntN(9); n > 0; n-- {
		author := w.rng.IntN(authors)
		for i := range w.history {
			if w.rng.IntN(3) == 0 {
				seen[author][i] = true
			}
		}
		w.write(seen[author], s.Value(w.rng))
		seen[author][len(w.history)-1] = true
	}
	return w
}

// write appends a write of v by somebody who has seen those writes. By the monotone rule
// its stamp is greater than theirs, and may be less than that of others.
func (w *world) write(seen map[int]bool, v value.Value) {
	var stamp id.Stamp
	var known []write
	for i, other := range w.history {
		if seen[i] {
			stamp = max(stamp, other.Event.Stamp())
			known = append(known, other)
		}
	}
	var tail [8]byte
	for i := range tail {
		tail[i] = byte(w.rng.Uint32())
	}
	stamp += 1 + id.Stamp(w.rng.IntN(3))
	op := w.suite.Kind.Set(name, w.state(known), v)
	w.history = append(w.history, write{Event: id.EventID{ULID: id.Make(stamp, tail)}, Operation: op})
}

// state is what the writes make of an untouched property, applied in the given order.
func (w *world) state(writes []write) proto.PropertyState {
	w.t.Helper()
	s := proto.PropertyState{Name: name}
	for _, x := range writes {
		s = w.apply(s, x)
	}
	return s
}

func (w *world) apply(s proto.PropertyState, x write) proto.PropertyState {
	w.t.Helper()
	next, err := w.suite.Kind.Apply(s, x.Operation, x.Event)
	if err != nil {
		w.t.Fatalf("apply: %v", err)
	}
	return next
}

// initialIsApplied is the promise of Initial and AppendSet.
func (w *world) initialIsApplied() {
	untouched := proto.PropertyState{Name: name}
	for _, x := range w.history {
		v := w.suite.Value(w.rng)
		op := w.suite.Kind.Set(name, untouched, v)
		if data := w.suite.Kind.AppendSet([]byte{7}, v); string(data) != "\a"+string(op.Data) {
			w.t.Errorf("AppendSet of %v appends %x, and Set has %x", v, data[1:], op.Data)
		}
		w.same("initial", w.suite.Kind.Initial(op, v, x.Event), w.apply(untouched, write{x.Event, op}))
	}
}

func (w *world) merge(a, b proto.PropertyState) proto.PropertyState {
	w.t.Helper()
	m, err := w.suite.Kind.Merge(a, b)
	if err != nil {
		w.t.Fatalf("merge: %v", err)
	}
	return m
}

func (w *world) same(what string, got, want proto.PropertyState) {
	w.t.Helper()
	if got.Name != want.Name || got.Kind != want.Kind || got.Value != want.Value || string(got.Data) != string(want.Data) {
		w.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (w *world) shuffled() []write {
	out := append([]write(nil), w.history...)
	w.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// some returns some of the history, in any order; perhaps all, never nothing.
func (w *world) some() []write {
	all := w.shuffled()
	return all[:1+w.rng.IntN(len(all))]
}

func (w *world) anyOrder() {
	want := w.state(w.history)
	for range 4 {
		w.same("in another order", w.state(w.shuffled()), want)
	}
}

func (w *world) twiceIsOnce() {
	want := w.state(w.history)
	w.same("all again", w.state(append(w.shuffled(), w.shuffled()...)), want)
	s := proto.PropertyState{Name: name}
	for _, x := range w.shuffled() {
		s = w.apply(s, x)
		w.same("the last one again", w.apply(s, x), s)
	}
}

func (w *world) mergeIsUnion() {
	a, b := w.some(), w.some()
	w.same("merged", w.merge(w.state(a), w.state(b)), w.state(append(append([]write(nil), a...), b...)))
	// Operations may come after a merge as well.
	s := w.merge(w.state(a), w.state(b))
	for _, x := range w.shuffled() {
		s = w.apply(s, x)
	}
	w.same("merged, then the rest", s, w.state(w.history))
}

func (w *world) mergeIsJoin() {
	a, b, c := w.state(w.some()), w.state(w.some()), w.state(w.some())
	w.same("b with a", w.merge(b, a), w.merge(a, b))
	w.same("a with (b with c)", w.merge(a, w.merge(b, c)), w.merge(w.merge(a, b), c))
	w.same("a with itself", w.merge(a, a), a)
	w.same("a with what holds it", w.merge(a, w.merge(a, b)), w.merge(a, b))
}

func (w *world) lastWordWins() {
	all := map[int]bool{}
	for i := range w.history {
		all[i] = true
	}
	v := w.suite.Value(w.rng)
	w.write(all, v)
	for range 4 {
		if got := w.state(w.shuffled()); got.Value != v {
			w.t.Errorf("it reads %#v, and %#v was written last", got.Value, v)
		}
	}
	last := w.history[len(w.history)-1].Operation
	if written, whole, err := w.suite.Kind.Written(last); err != nil || whole && written != v {
		w.t.Errorf("it is said to write %#v, %v, %v; want %#v", written, whole, err, v)
	}
}

func (w *world) statesAreEncoded() {
	want := w.state(w.some())
	r := msgpack.NewReader(proto.AppendState(nil, &proto.State{Properties: []proto.PropertyState{want}}))
	read := proto.ReadState(&r)
	if err := r.Done(); err != nil {
		w.t.Fatal(err)
	}
	w.same("read again", read.Properties[0], want)
	w.same("merged with what was read", w.merge(read.Properties[0], w.state(w.history)), w.state(w.history))
	if want.Kind != w.suite.Kind.Code() || want.Name != name {
		w.t.Errorf("the state is of kind %d and called %q", want.Kind, want.Name)
	}
}

func (w *world) argumentsStay() {
	a, b := w.state(w.some()), w.state(w.some())
	x := w.history[w.rng.IntN(len(w.history))]
	before := []any{clone(a), clone(b), append([]byte(nil), x.Operation.Data...)}
	w.apply(a, x)
	w.merge(a, b)
	w.suite.Kind.Set(name, a, w.suite.Value(w.rng))
	if after := []any{clone(a), clone(b), append([]byte(nil), x.Operation.Data...)}; !reflect.DeepEqual(before, after) {
		w.t.Errorf("%+v became %+v", before, after)
	}
}

func clone(s proto.PropertyState) proto.PropertyState {
	s.Data = append([]byte(nil), s.Data...)
	return s
}

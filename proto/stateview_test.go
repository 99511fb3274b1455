package proto

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

func randomState(rng *rand.Rand) *State {
	s := &State{Head: NewClock(id.EventID{ULID: id.Make(id.Stamp(rng.Uint64N(1000)), [8]byte{1})})}
	for _, name := range []string{Deleted, "artist", "name", "year"} {
		values := []value.Value{value.Null, value.Bool(true), value.Int(rng.Int64N(3000)), value.String("Muse"), value.Bytes([]byte{0, 1})}
		if rng.IntN(2) == 0 {
			s.Properties = append(s.Properties, PropertyState{Name: name, Kind: 1, Value: values[rng.IntN(len(values))], Data: []byte{7}})
		}
	}
	return s
}

// A view reads what the decoded state reads, in whatever order it is asked, and also
// when it is used again.
func TestStateViewReadsWhatTheStateReads(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{"", Deleted, "a", "artist", "name", "none", "year", "z"}
	var view StateView
	for range 500 {
		state := randomState(rng)
		if err := view.Reset(append(AppendState(nil, state), 0xc0)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(view.Head(), AppendClock(nil, state.Head)) {
			t.Fatalf("head %x, want that of %v", view.Head(), state.Head)
		}
		for range 12 {
			name := names[rng.IntN(len(names))]
			if got, want := view.Field(name), state.Field(name); got != want {
				t.Fatalf("field %s: %v, want %v", name, got, want)
			}
		}
		if view.Deleted() != state.Deleted() || view.Err() != nil {
			t.Fatalf("deleted %v, want %v; error %v", view.Deleted(), state.Deleted(), view.Err())
		}
	}
}

// A long value is decoded once, however often a selection asks for it.
func TestStateViewDecodesOnce(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	state := &State{Head: Clock{}, Properties: []PropertyState{{Name: "name", Kind: 1, Value: value.String(long)}}}
	var v StateView
	encoded := AppendState(nil, state)
	if n := testing.AllocsPerRun(10, func() {
		if err := v.Reset(encoded); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if got, _ := v.Field("name").AsString(); got != long {
				t.Fatal("another value")
			}
		}
	}); n > 2 {
		t.Errorf("%v allocations for one value", n)
	}
}

// Damage is reported, by Reset or by Field, and never a panic.
func TestStateViewReportsDamage(t *testing.T) {
	whole := AppendState(nil, &State{Properties: []PropertyState{{Name: "name", Value: value.String("Muse")}}})
	var view StateView
	for n := range whole {
		err := view.Reset(whole[:n])
		if view.Field("name"); err == nil && view.Err() == nil {
			t.Fatalf("the first %d of %d bytes are a state", n, len(whole))
		}
	}
	for _, damaged := range [][]byte{
		propertyOf(func(b []byte) []byte { return msgpack.AppendArrayLen(b, 0) }), // no value is a plain array
		propertyOf(func(b []byte) []byte { return append(b, 0xa1, 0xff) }),        // nor text that is not UTF-8
		bytes.Replace(whole, []byte{0x94, 0xa4}, []byte{0x94, 0xc0}, 1),           // nil for a name
		bytes.Replace(whole, []byte{0x94, 0xa4}, []byte{0x93, 0xa4}, 1),           // three items
	} {
		if err := view.Reset(damaged); err != nil {
			t.Fatal(err)
		}
		if view.Field("name"); view.Err() == nil {
			t.Errorf("%x reads without error", damaged)
		}
	}
	if err := view.Reset([]byte{0x93, 99, 0x90, 0x90}); err == nil {
		t.Error("a state of a newer version reads")
	}
}

// propertyOf returns a state with one property, "name", whose value is what value appends.
func propertyOf(value func([]byte) []byte) []byte {
	b := msgpack.AppendArrayLen(nil, 3)
	b = msgpack.AppendUint(b, stateVersion)
	b = AppendClock(b, nil)
	b = msgpack.AppendArrayLen(b, 1)
	b = msgpack.AppendArrayLen(b, 4)
	b = msgpack.AppendString(b, "name")
	b = msgpack.AppendUint(b, 1)
	b = value(b)
	return msgpack.AppendBytes(b, "")
}

// Whatever a state decodes to, a view of it reads alike, and whatever the bytes are, a
// view does not panic.
func FuzzStateView(f *testing.F) {
	f.Add(AppendState(nil, randomState(rand.New(rand.NewPCG(3, 4)))), "name")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		var view StateView
		err := view.Reset(b)
		got := view.Field(name)
		r := msgpack.NewReader(b)
		state := ReadState(&r)
		if r.Err() != nil || state == nil {
			return
		}
		if err != nil || view.Err() != nil || value.Compare(got, state.Field(name)) != 0 {
			t.Fatalf("field %q is %v (%v, %v), want %v", name, got, err, view.Err(), state.Field(name))
		}
	})
}

// A property that the head's only event wrote takes a byte for that; any other keeps the
// whole of its kind's data.
func TestStatesSayOnceWhoWroteThem(t *testing.T) {
	one, two := id.EventID{ULID: id.Make(1, [8]byte{1})}, id.EventID{ULID: id.Make(2, [8]byte{2})}
	for _, head := range []Clock{nil, {one}, {two}, {one, two}} {
		s := &State{Head: head, Properties: []PropertyState{
			{Name: "a", Kind: 1, Value: value.Int(1), Data: one.Bytes()},
			{Name: "b", Kind: 1, Value: value.Int(2), Data: two.Bytes()},
			{Name: "c", Kind: 1, Value: value.Int(3)},
		}}
		b := AppendState(nil, s)
		if len(head) == 1 && bytes.Count(b, head[0].Bytes()) != 1 {
			t.Errorf("%x names its only event %d times", b, bytes.Count(b, head[0].Bytes()))
		}
		r := msgpack.NewReader(b)
		read := ReadState(&r)
		if err := r.Done(); err != nil {
			t.Fatal(err)
		}
		for i := range s.Properties {
			if got, want := read.Properties[i].Data, s.Properties[i].Data; !bytes.Equal(got, want) {
				t.Errorf("head %v: property %d has data %x, want %x", head, i, got, want)
			}
		}
	}
	stray := AppendState(nil, &State{Head: Clock{one}, Properties: []PropertyState{{Name: "a", Kind: 1, Data: one.Bytes()}}})
	r := msgpack.NewReader(bytes.Replace(stray, AppendClock(nil, Clock{one}), AppendClock(nil, nil), 1))
	if ReadState(&r); !errors.Is(r.Err(), ErrNotCanonical) {
		t.Errorf("nil for the event of an empty head: %v", r.Err())
	}
}

package proto

import (
	"bytes"
	"math/rand/v2"
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

// A view reads what the decoded state reads, also when it is used again.
func TestStateViewReadsWhatTheStateReads(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var view StateView
	for range 500 {
		state := randomState(rng)
		r := msgpack.NewReader(AppendState(nil, state))
		view.Reset(&r)
		if err := r.Done(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(view.Head(), AppendClock(nil, state.Head)) {
			t.Fatalf("head %x, want that of %v", view.Head(), state.Head)
		}
		for _, name := range []string{Deleted, "artist", "name", "year", "none"} {
			if got, want := view.Field(name), state.Field(name); got != want {
				t.Fatalf("field %s: %v, want %v", name, got, want)
			}
		}
		if view.Deleted() != state.Deleted() || view.Err() != nil {
			t.Fatalf("deleted %v, want %v; error %v", view.Deleted(), state.Deleted(), view.Err())
		}
	}
}

// Damage is reported, by Reset or by Field, and never a panic.
func TestStateViewReportsDamage(t *testing.T) {
	whole := AppendState(nil, &State{Properties: []PropertyState{{Name: "name", Value: value.String("Muse")}}})
	var view StateView
	for n := range whole {
		r := msgpack.NewReader(whole[:n])
		if view.Reset(&r); r.Err() == nil {
			t.Fatalf("the first %d of %d bytes are a state", n, len(whole))
		}
	}
	odd := msgpack.AppendArrayLen(nil, 3)
	odd = msgpack.AppendUint(odd, stateVersion)
	odd = AppendClock(odd, nil)
	odd = msgpack.AppendArrayLen(odd, 1)
	odd = msgpack.AppendArrayLen(odd, 4)
	odd = msgpack.AppendString(odd, "name")
	odd = msgpack.AppendUint(odd, 1)
	odd = msgpack.AppendArrayLen(odd, 0) // no value is a plain array
	odd = msgpack.AppendBytes(odd, "")
	r := msgpack.NewReader(odd)
	if view.Reset(&r); r.Done() != nil {
		t.Fatal(r.Err())
	}
	if view.Field("name"); view.Err() == nil {
		t.Fatal("a property that is no value reads without error")
	}
}

package propertytest

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/proto"
)

// Fuzz feeds the kind operations and states that no author wrote: it refuses them with an
// ErrOperation, or obeys its laws all the same, and does not panic.
func Fuzz(f *testing.F, s Suite) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 8 {
		op := s.Kind.Set(name, proto.PropertyState{Name: name}, s.Value(rng))
		state, err := s.Kind.Apply(proto.PropertyState{Name: name}, op, id.EventID{ULID: id.Make(1, [8]byte{})})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(op.Data, state.Data)
	}
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte{0xc1}, []byte{1})
	f.Fuzz(func(t *testing.T, operation, data []byte) {
		op := proto.Operation{Property: name, Kind: s.Kind.Code(), Data: operation}
		state := proto.PropertyState{Name: name, Kind: s.Kind.Code(), Data: data}
		event := id.EventID{ULID: id.Make(2, [8]byte{})}
		refused := func(what string, err error) bool {
			if err != nil && !errors.Is(err, property.ErrOperation) {
				t.Fatalf("%s: %v does not wrap ErrOperation", what, err)
			}
			return err != nil
		}
		_, _, err := s.Kind.Written(op)
		unreadable := refused("written", err)
		next, err := s.Kind.Apply(state, op, event)
		if refused("apply", err) {
			return
		}
		if unreadable {
			t.Fatalf("the operation %x is applied, and cannot be read", operation)
		}
		again, err := s.Kind.Apply(next, op, event)
		if refused("apply again", err) || again.Value != next.Value || string(again.Data) != string(next.Data) {
			t.Fatalf("applied twice: %+v, %v; want %+v", again, err, next)
		}
		merged, err := s.Kind.Merge(next, state)
		if refused("merge", err) || merged.Value != next.Value || string(merged.Data) != string(next.Data) {
			t.Fatalf("merged with what it came from: %+v, %v; want %+v", merged, err, next)
		}
	})
}

// Package lww is the last-writer-wins register: of all writes the one with the
// greatest event id stays. By the monotone rule a causally later write has a greater
// id, so it always wins; concurrent writes resolve to the later clock, the same on
// every node.
//
// An operation's data is the new value, one MessagePack item. A state's data is the 16
// bytes of the id of the event that wrote it.
//
// The maximum over a totally ordered set is commutative, associative and idempotent,
// which is the whole proof of laws P1 to P3.
package lww

import (
	"fmt"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Code is the kind's number in operations and states.
const Code = 1

// Register is the kind; it has no state of its own.
type Register struct{}

var _ property.Kind = Register{}

// Code implements property.Kind.
func (Register) Code() byte { return Code }

// Serves implements property.Kind: lww, and text until that merges by itself.
func (Register) Serves(k schema.Kind) bool {
	return k == "" || k == schema.KindLWW || k == schema.KindText
}

// Apply implements property.Kind.
func (Register) Apply(before proto.PropertyState, op proto.Operation, e id.EventID) (proto.PropertyState, error) {
	v, err := read(op)
	if err != nil {
		return before, err
	}
	writer, ok, err := Writer(before)
	if err != nil {
		return before, err
	}
	if ok && writer.Compare(e.ULID) >= 0 {
		return before, nil
	}
	return proto.PropertyState{Name: op.Property, Kind: Code, Value: v, Data: idBytes(e)}, nil
}

// Initial implements property.Kind.
func (Register) Initial(op proto.Operation, v value.Value, e id.EventID) proto.PropertyState {
	return proto.PropertyState{Name: op.Property, Kind: Code, Value: v, Data: idBytes(e)}
}

// latest is the event whose bytes idBytes returned last.
var latest atomic.Pointer[eventBytes]

type eventBytes struct {
	event id.EventID
	bytes [id.Size]byte
}

// idBytes returns the 16 bytes of an event's id, which all properties share that it wrote
// one after the other.
func idBytes(e id.EventID) []byte {
	w := latest.Load()
	if w == nil || w.event != e {
		w = &eventBytes{e, e.Array()}
		latest.Store(w)
	}
	return w.bytes[:]
}

// Merge implements property.Kind.
func (Register) Merge(a, b proto.PropertyState) (proto.PropertyState, error) {
	wa, _, err := Writer(a)
	if err != nil {
		return a, err
	}
	wb, _, err := Writer(b)
	if err != nil {
		return a, err
	}
	if wa.Compare(wb.ULID) >= 0 {
		return a, nil
	}
	return b, nil
}

// Set implements property.Kind.
func (Register) Set(name string, _ proto.PropertyState, v value.Value) proto.Operation {
	return proto.Operation{Property: name, Kind: Code, Data: value.Append(nil, v)}
}

// AppendSet implements property.Kind.
func (Register) AppendSet(dst []byte, v value.Value) []byte { return value.Append(dst, v) }

// Written implements property.Kind.
func (Register) Written(op proto.Operation) (value.Value, bool, error) {
	v, err := read(op)
	return v, err == nil, err
}

// Writer returns the event that wrote a state; ok is false for a property that was
// never written.
func Writer(p proto.PropertyState) (e id.EventID, ok bool, err error) {
	if len(p.Data) == 0 {
		return e, false, nil
	}
	u, err := id.FromBytes(p.Data)
	if err != nil {
		return e, false, fmt.Errorf("%w: %s: writer of %d bytes", property.ErrOperation, p.Name, len(p.Data))
	}
	return id.EventID{ULID: u}, true, nil
}

func read(op proto.Operation) (value.Value, error) {
	r := msgpack.NewReader(op.Data)
	v := value.Read(&r)
	if err := r.Done(); err != nil {
		return value.Null, fmt.Errorf("%w: %s: %w", property.ErrOperation, op.Property, err)
	}
	return v, nil
}

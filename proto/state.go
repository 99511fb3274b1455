package proto

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// stateVersion opens every encoded state, so that later forms can be told apart.
const stateVersion = 1

// State is an entity's head with its properties. A State that was stored, sent or
// handed out is not changed any more; package entity makes new ones.
type State struct {
	Head       Clock
	Properties []PropertyState // ascending by name
}

// PropertyState is one property of a state: its value as readers see it, and what its
// kind needs to merge further changes.
type PropertyState struct {
	Name  string
	Kind  byte
	Value value.Value
	Data  []byte // the kind's own; for "lww" the id of the writing event
}

// Field returns the value of a property; one that was never set is null.
func (s *State) Field(name string) value.Value {
	if i, found := s.Find(name); found {
		return s.Properties[i].Value
	}
	return value.Null
}

// Find returns the index of a property, or where it would be inserted.
func (s *State) Find(name string) (index int, found bool) {
	return slices.BinarySearchFunc(s.Properties, name, func(p PropertyState, name string) int {
		return strings.Compare(p.Name, name)
	})
}

// Size returns about how many bytes the state takes in memory.
func (s *State) Size() int {
	size := 32 + 18*len(s.Head)
	for i := range s.Properties {
		size += 8 + len(s.Properties[i].Name) + s.Properties[i].Value.Size() + len(s.Properties[i].Data)
	}
	return size
}

// Deleted reports whether the entity is marked as deleted.
func (s *State) Deleted() bool {
	// The mark sorts before every name that a model can have.
	if len(s.Properties) == 0 || s.Properties[0].Name != Deleted {
		return false
	}
	deleted, _ := s.Properties[0].Value.AsBool()
	return deleted
}

// AppendState appends s as [version, head, [[name, kind, value, data or nil]…]]. Nil
// stands for the id of the head's only event: of most entities most properties were
// written by it.
func AppendState(dst []byte, s *State) []byte {
	dst = msgpack.AppendArrayLen(dst, 3)
	dst = msgpack.AppendUint(dst, stateVersion)
	dst = AppendClock(dst, s.Head)
	return appendProperties(dst, s.Head, s.Properties)
}

func appendProperties(dst []byte, head Clock, list []PropertyState) []byte {
	var only [id.Size]byte
	if len(head) == 1 {
		only = head[0].Array()
	}
	dst = msgpack.AppendArrayLen(dst, len(list))
	for i := range list {
		p := &list[i]
		dst = msgpack.AppendArrayLen(dst, 4)
		dst = msgpack.AppendString(dst, p.Name)
		dst = msgpack.AppendUint(dst, uint64(p.Kind))
		dst = value.Append(dst, p.Value)
		if len(head) == 1 && string(p.Data) == string(only[:]) {
			dst = msgpack.AppendNil(dst)
		} else {
			dst = msgpack.AppendBytes(dst, p.Data)
		}
	}
	return dst
}

// ReadState reads what AppendState wrote; errors stay in r.
func ReadState(r *msgpack.Reader) *State {
	r.Array(3)
	if v := r.Uint(); r.Err() == nil && v != stateVersion {
		r.Fail(fmt.Errorf("proto: state of version %d, newer than this program's %d", v, stateVersion))
		return nil
	}
	s := &State{Head: ReadClock(r)}
	s.Properties = readProperties(r, s.Head)
	if r.Err() != nil {
		return nil
	}
	return s
}

// minPropertySize is the length of the shortest encoded property: a property in memory
// takes many times that, so no more are made room for than the input can hold.
const minPropertySize = 5

func readProperties(r *msgpack.Reader, head Clock) []PropertyState {
	n := r.ArrayLen(MaxFrameItems)
	if n*minPropertySize > r.Remaining() {
		r.Fail(msgpack.ErrTruncated)
	}
	if n == 0 || r.Err() != nil {
		return nil
	}
	var only []byte // the id that nil stands for, which those properties share
	list := make([]PropertyState, n)
	for i := range list {
		p := &list[i]
		r.Array(4)
		p.Name = readName(r)
		p.Kind = readKind(r)
		p.Value = value.Read(r)
		if !r.TryNil() {
			p.Data = append([]byte(nil), r.Bytes()...)
		} else if len(head) != 1 {
			r.Fail(ErrNotCanonical)
		} else {
			if only == nil {
				only = head[0].Bytes()
			}
			p.Data = only
		}
		if i > 0 && list[i-1].Name >= p.Name {
			r.Fail(ErrNotCanonical)
		}
		if r.Err() != nil {
			return nil
		}
	}
	return list
}

// Record is what a node stores of one entity.
type Record struct {
	Collection string
	Entity     id.EntityID

	// Rev counts the writes of this record on this node, from 1; a greater Rev is a
	// later reading of the entity.
	Rev uint64

	// BaseRev is, on an ephemeral node, the Rev that the confirmed part had on the
	// durable node it came from; zero means that none has confirmed the entity yet. A
	// durable node leaves it zero.
	BaseRev uint64

	// State is what reads and selections see.
	State *State

	// Base is what the durable node has confirmed, where State holds this node's
	// pending events on top of it; else nil. A base with an empty head belongs to an
	// entity whose creation is itself pending.
	Base *State

	// Sync is how far State is in step with the durable node, as the node that holds the
	// record knows. It follows from what else that node keeps, and is not stored.
	Sync SyncState
}

// SyncState is how far what is shown of an entity is in step with the durable node.
type SyncState uint8

// The states.
const (
	Synced  SyncState = iota // as the durable node has it, as far as this node knows
	Pending                  // with changes that no durable node has acknowledged
	Refused                  // without changes that a durable node refused, which are kept
)

// String returns the state as selections know it.
func (s SyncState) String() string { return schema.SyncStates[s] }

// Field is how selections read a record: its properties, its id as "id" and its Sync as
// schema.Sync.
func (r *Record) Field(name string) value.Value {
	switch name {
	case schema.ID:
		return value.ID(r.Entity)
	case schema.Sync:
		return value.String(r.Sync.String())
	}
	return r.State.Field(name)
}

// AppendRecord appends r as [collection, entity, rev, base rev, state, base or nil].
func AppendRecord(dst []byte, rec *Record) []byte {
	dst = msgpack.AppendArrayLen(dst, 6)
	dst = msgpack.AppendString(dst, rec.Collection)
	dst = AppendID(dst, rec.Entity.ULID)
	dst = msgpack.AppendUint(dst, rec.Rev)
	dst = msgpack.AppendUint(dst, rec.BaseRev)
	dst = AppendState(dst, rec.State)
	if rec.Base == nil {
		return msgpack.AppendNil(dst)
	}
	return AppendState(dst, rec.Base)
}

// ReadRecord reads what AppendRecord wrote; errors stay in r.
func ReadRecord(r *msgpack.Reader) *Record {
	r.Array(6)
	rec := &Record{Collection: readName(r), Entity: id.EntityID{ULID: ReadID(r)}, Rev: r.Uint(), BaseRev: r.Uint()}
	rec.State = ReadState(r)
	if !r.TryNil() {
		rec.Base = ReadState(r)
	}
	if r.Err() != nil {
		return nil
	}
	return rec
}

// DecodeRecord is ReadRecord for a slice that holds exactly one record.
func DecodeRecord(b []byte) (*Record, error) {
	r := msgpack.NewReader(b)
	rec := ReadRecord(&r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("proto: record: %w", err)
	}
	return rec, nil
}

package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// History asks for a page of an entity's history, the latest event first; Revisions or a
// Reply with an error answer.
type History struct {
	Request    uint64
	Collection string
	Entity     id.EntityID
	Before     id.EventID // only events with lesser ids; zero for all
	Limit      uint64     // zero for as many as there may be
}

func (*History) frameType() uint64 { return typeHistory }

func (m *History) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 5), m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = AppendID(dst, m.Entity.ULID)
	dst = AppendID(dst, m.Before.ULID)
	return msgpack.AppendUint(dst, m.Limit)
}

func (m *History) readBody(r *msgpack.Reader) {
	r.Array(5)
	m.Request = r.Uint()
	m.Collection = readName(r)
	m.Entity = id.EntityID{ULID: ReadID(r)}
	m.Before = id.EventID{ULID: ReadID(r)}
	m.Limit = r.Uint()
}

// Revisions answer a History.
type Revisions struct {
	Request uint64
	List    []Revision // the latest first
	Next    id.EventID // the Before of the following page; zero if there is none
}

// Revision is an event as readers of a history see it: with values in place of operations.
type Revision struct {
	Event   id.EventID
	Author  id.NodeID
	User    string
	Parents Clock
	Changes []ValueChange
}

// ValueChange is a property's value before and after something.
type ValueChange struct {
	Property      string
	Before, After value.Value
}

func (*Revisions) frameType() uint64 { return typeRevisions }

func (m *Revisions) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), m.Request)
	dst = msgpack.AppendArrayLen(dst, len(m.List))
	for i := range m.List {
		dst = m.List[i].append(dst)
	}
	return AppendID(dst, m.Next.ULID)
}

func (m *Revisions) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Request = r.Uint()
	for n := r.ArrayLen(MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.List = append(m.List, readRevision(r))
	}
	m.Next = id.EventID{ULID: ReadID(r)}
}

func (v *Revision) append(dst []byte) []byte {
	dst = AppendID(msgpack.AppendArrayLen(dst, 5), v.Event.ULID)
	dst = AppendID(dst, v.Author.ULID)
	dst = msgpack.AppendString(dst, v.User)
	dst = AppendClock(dst, v.Parents)
	dst = msgpack.AppendArrayLen(dst, 3*len(v.Changes))
	for i := range v.Changes {
		c := &v.Changes[i]
		dst = msgpack.AppendString(dst, c.Property)
		dst = value.Append(value.Append(dst, c.Before), c.After)
	}
	return dst
}

func readRevision(r *msgpack.Reader) Revision {
	r.Array(5)
	v := Revision{Event: id.EventID{ULID: ReadID(r)}, Author: id.NodeID{ULID: ReadID(r)}, User: readText(r), Parents: ReadClock(r)}
	for n := readRun(r, 3, MaxOperations); n > 0 && r.Err() == nil; n-- {
		v.Changes = append(v.Changes, ValueChange{Property: readName(r), Before: value.Read(r), After: value.Read(r)})
	}
	return v
}

// AsOf asks for an entity as it was after the given events, or, where there are none, at a
// time; a Snapshot or a Reply with an error answers.
type AsOf struct {
	Request    uint64
	Collection string
	Entity     id.EntityID
	Events     Clock
	Time       int64 // microseconds since 1970
}

func (*AsOf) frameType() uint64 { return typeAsOf }

func (m *AsOf) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 5), m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = AppendID(dst, m.Entity.ULID)
	dst = AppendClock(dst, m.Events)
	return msgpack.AppendInt(dst, m.Time)
}

func (m *AsOf) readBody(r *msgpack.Reader) {
	r.Array(5)
	m.Request = r.Uint()
	m.Collection = readName(r)
	m.Entity = id.EntityID{ULID: ReadID(r)}
	m.Events = ReadClock(r)
	m.Time = r.Int()
}

// Snapshot answers an AsOf.
type Snapshot struct {
	Request uint64
	State   *State
}

func (*Snapshot) frameType() uint64 { return typeSnapshot }

func (m *Snapshot) appendBody(dst []byte) []byte {
	return AppendState(msgpack.AppendUint(msgpack.AppendArrayLen(dst, 2), m.Request), m.State)
}

func (m *Snapshot) readBody(r *msgpack.Reader) {
	r.Array(2)
	m.Request = r.Uint()
	m.State = ReadState(r)
}

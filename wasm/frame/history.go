package frame

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// History asks for a page of an entity's history; Revisions answers.
type History struct {
	Request    uint64
	Collection string
	Entity     id.EntityID
	Before     id.EventID // only events with lesser ids; zero for all
	Limit      uint64     // zero for as many as there may be
}

// AsOf reads an entity as it was after the given events or, where there are none, at a
// time; Rows answers with one row.
type AsOf struct {
	Request    uint64
	Collection string
	Entity     id.EntityID
	Events     []id.EventID
	Millis     int64 // since 1970
}

// Retry makes a refused transaction again; Committed answers.
type Retry struct {
	Request     uint64
	Transaction id.TransactionID
}

// Revisions answers History.
type Revisions struct {
	Request uint64
	List    []Revision // the latest first
	Next    id.EventID // the Before of the following page; zero if there is none
}

// Revision is one event of a history.
type Revision struct {
	Event   id.EventID
	Millis  int64 // since 1970
	Author  id.NodeID
	User    string // "" when anonymous
	Parents []id.EventID
	Pending bool
	Changes []ValueChange
}

// ValueChange is a property before and after an event; proto.Deleted is among them where
// it deleted the entity or restored it.
type ValueChange struct {
	Property      string
	Before, After value.Value
}

func (*History) kind() uint64   { return kindHistory }
func (*AsOf) kind() uint64      { return kindAsOf }
func (*Retry) kind() uint64     { return kindRetry }
func (*Revisions) kind() uint64 { return kindRevisions }

func (*History) fields() int   { return 5 }
func (*AsOf) fields() int      { return 5 }
func (*Retry) fields() int     { return 2 }
func (*Revisions) fields() int { return 3 }

// ID implements Request.
func (m *History) ID() uint64 { return m.Request }

// ID implements Request.
func (m *AsOf) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Retry) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Revisions) ID() uint64 { return m.Request }

func (m *History) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = appendULID(dst, m.Entity.ULID)
	return msgpack.AppendUint(appendEvent(dst, m.Before), m.Limit)
}

func (m *History) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Entity = id.EntityID{ULID: readULID(r)}
	m.Before = readEvent(r)
	m.Limit = r.Uint()
}

func (m *AsOf) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = appendULID(dst, m.Entity.ULID)
	return msgpack.AppendInt(appendEvents(dst, m.Events), m.Millis)
}

func (m *AsOf) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Entity = id.EntityID{ULID: readULID(r)}
	m.Events = readEvents(r)
	m.Millis = r.Int()
}

func (m *Retry) write(dst []byte) []byte {
	return appendULID(msgpack.AppendUint(dst, m.Request), m.Transaction.ULID)
}

func (m *Retry) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Transaction = id.TransactionID{ULID: readULID(r)}
}

func (m *Revisions) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendArrayLen(dst, len(m.List))
	for i := range m.List {
		x := &m.List[i]
		dst = appendULID(msgpack.AppendArrayLen(dst, 7), x.Event.ULID)
		dst = msgpack.AppendInt(dst, x.Millis)
		dst = appendULID(dst, x.Author.ULID)
		dst = appendOptional(dst, x.User)
		dst = appendEvents(dst, x.Parents)
		dst = msgpack.AppendBool(dst, x.Pending)
		dst = msgpack.AppendArrayLen(dst, len(x.Changes))
		for _, c := range x.Changes {
			dst = msgpack.AppendString(msgpack.AppendArrayLen(dst, 3), c.Property)
			dst = value.Append(value.Append(dst, c.Before), c.After)
		}
	}
	return appendEvent(dst, m.Next)
}

func (m *Revisions) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		r.Array(7)
		x := Revision{Event: id.EventID{ULID: readULID(r)}, Millis: r.Int(), Author: id.NodeID{ULID: readULID(r)},
			User: readOptional(r), Parents: readEvents(r), Pending: r.Bool()}
		for n := r.ArrayLen(MaxColumns); n > 0 && r.Err() == nil; n-- {
			r.Array(3)
			x.Changes = append(x.Changes, ValueChange{Property: readString(r, proto.MaxNameBytes), Before: value.Read(r), After: value.Read(r)})
		}
		m.List = append(m.List, x)
	}
	m.Next = readEvent(r)
}

// appendEvent appends nil for the zero id.
func appendEvent(dst []byte, e id.EventID) []byte {
	if e.IsZero() {
		return msgpack.AppendNil(dst)
	}
	return appendULID(dst, e.ULID)
}

func readEvent(r *msgpack.Reader) id.EventID {
	if r.TryNil() {
		return id.EventID{}
	}
	return id.EventID{ULID: readULID(r)}
}

func appendEvents(dst []byte, events []id.EventID) []byte {
	dst = msgpack.AppendArrayLen(dst, len(events))
	for _, e := range events {
		dst = appendULID(dst, e.ULID)
	}
	return dst
}

func readEvents(r *msgpack.Reader) (events []id.EventID) {
	for n := r.ArrayLen(proto.MaxClock); n > 0 && r.Err() == nil; n-- {
		events = append(events, id.EventID{ULID: readULID(r)})
	}
	return events
}

package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Limits of replication frames.
const (
	// MaxFollow bounds the positions of one Follow.
	MaxFollow = 16
	// MaxEntries bounds the transactions of one Entries.
	MaxEntries = 4096
	// MaxLookup bounds the events asked for by one Lookup.
	MaxLookup = 1024
)

// Follow asks a durable node for everything that is committed to its store, from one durable
// node to another. The answer is a run of Entries that does not end.
type Follow struct {
	// After are positions as of which the sender has everything, the best first: one of an
	// earlier life of the store may be known where the last is not, since the store was set
	// back. Where none is known, the answer begins with the first transaction that there is.
	After []Position
}

func (*Follow) frameType() uint64 { return typeFollow }

func (m *Follow) appendBody(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(msgpack.AppendArrayLen(dst, 1), len(m.After))
	for _, p := range m.After {
		dst = AppendPosition(dst, p)
	}
	return dst
}

func (m *Follow) readBody(r *msgpack.Reader) {
	r.Array(1)
	for n := r.ArrayLen(MaxFollow); n > 0 && r.Err() == nil; n-- {
		m.After = append(m.After, ReadPosition(r))
	}
}

// Entries are transactions in the order in which the sender's store has them. Taken answers
// each; a sender has no more than a few on their way.
type Entries struct {
	List []Entry
	// Left is about how many transactions follow.
	Left uint64
}

// Entry is one transaction of a durable node's store.
type Entry struct {
	// Position is how far the receiver is with this entry.
	Position    Position
	Transaction id.TransactionID
	// Events are the transaction's, as AppendEvents writes them. They are read one entry at
	// a time (DecodeEvents), so that a bad one harms no other. Empty where the receiver is
	// known to have them.
	Events []byte
}

func (*Entries) frameType() uint64 { return typeEntries }

func (m *Entries) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 2), m.Left)
	dst = msgpack.AppendArrayLen(dst, 3*len(m.List))
	for i := range m.List {
		e := &m.List[i]
		dst = AppendPosition(dst, e.Position)
		dst = AppendID(dst, e.Transaction.ULID)
		dst = msgpack.AppendBytes(dst, e.Events)
	}
	return dst
}

func (m *Entries) readBody(r *msgpack.Reader) {
	r.Array(2)
	m.Left = r.Uint()
	for n := readRun(r, 3, MaxEntries); n > 0 && r.Err() == nil; n-- {
		e := Entry{Position: ReadPosition(r), Transaction: id.TransactionID{ULID: ReadID(r)}}
		e.Events = append([]byte(nil), r.Bytes()...)
		m.List = append(m.List, e)
	}
}

// DecodeEvents reads a slice that holds exactly what AppendEvents wrote, and verifies each
// event.
func DecodeEvents(b []byte) ([]*Event, error) {
	r := msgpack.NewReader(b)
	events := ReadEvents(&r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	return events, nil
}

// Taken says that the receiver of an Entries is done with it: what it could not take it has
// refused.
type Taken struct{}

func (*Taken) frameType() uint64 { return typeTaken }

func (m *Taken) appendBody(dst []byte) []byte { return msgpack.AppendArrayLen(dst, 0) }

func (m *Taken) readBody(r *msgpack.Reader) { r.Array(0) }

// Lookup asks for events by id, between durable nodes; Found answers. A node has one on its
// way at a time.
type Lookup struct {
	Request uint64
	Events  []id.EventID
	// Known are events that the sender has, with all that they are on top of.
	Known []id.EventID
}

func (*Lookup) frameType() uint64 { return typeLookup }

func (m *Lookup) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), m.Request)
	return appendEventIDs(appendEventIDs(dst, m.Events), m.Known)
}

func appendEventIDs(dst []byte, list []id.EventID) []byte {
	dst = msgpack.AppendArrayLen(dst, len(list))
	for _, e := range list {
		dst = AppendID(dst, e.ULID)
	}
	return dst
}

func (m *Lookup) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Request = r.Uint()
	m.Events = readEventIDs(r, MaxLookup)
	m.Known = readEventIDs(r, MaxLookup)
}

func readEventIDs(r *msgpack.Reader, max int) (list []id.EventID) {
	for n := r.ArrayLen(max); n > 0 && r.Err() == nil; n-- {
		list = append(list, id.EventID{ULID: ReadID(r)})
	}
	return list
}

// Found answers a Lookup with those of the events that there are, and with what they are on
// top of, as much as fits.
type Found struct {
	Request uint64
	Events  []*Event
}

func (*Found) frameType() uint64 { return typeFound }

func (m *Found) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 2), m.Request)
	return AppendEvents(dst, m.Events)
}

func (m *Found) readBody(r *msgpack.Reader) {
	r.Array(2)
	m.Request = r.Uint()
	m.Events = ReadEvents(r)
}

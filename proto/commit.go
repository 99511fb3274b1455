package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Commit offers a transaction to a durable node; Ack or Nack answers. Sending it again
// has no further effect.
type Commit struct {
	Transaction id.TransactionID
	// Attempt counts how often the events were made again (after an earlier
	// transaction was refused); the answer repeats it.
	Attempt uint64
	Events  []*Event
}

func (*Commit) frameType() uint64 { return typeCommit }

func (m *Commit) appendBody(dst []byte) []byte {
	dst = AppendID(msgpack.AppendArrayLen(dst, 3), m.Transaction.ULID)
	dst = msgpack.AppendUint(dst, m.Attempt)
	return AppendEvents(dst, m.Events)
}

func (m *Commit) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Transaction = id.TransactionID{ULID: ReadID(r)}
	m.Attempt = r.Uint()
	m.Events = ReadEvents(r)
}

// AppendEvents appends events as an array.
func AppendEvents(dst []byte, events []*Event) []byte {
	dst = msgpack.AppendArrayLen(dst, len(events))
	for _, e := range events {
		dst = AppendEvent(dst, e)
	}
	return dst
}

// ReadEvents reads what AppendEvents wrote, verifying each event.
func ReadEvents(r *msgpack.Reader) []*Event {
	var events []*Event
	for n := r.ArrayLen(MaxTxEvents); n > 0 && r.Err() == nil; n-- {
		events = append(events, ReadEvent(r))
	}
	if r.Err() != nil {
		return nil
	}
	return events
}

// Ack says that a transaction is safe on a durable node.
type Ack struct {
	Transaction id.TransactionID
	Attempt     uint64
	Rows        []AckRow
}

// AckRow is what the durable node made of one entity of an acknowledged transaction.
type AckRow struct {
	Entity id.EntityID
	Rev    uint64 // of the record after the transaction
	Before Clock  // its head before the transaction
	Known  bool   // the transaction's events were part of it before, so that it is as it was
}

func (*Ack) frameType() uint64 { return typeAck }

func (m *Ack) appendBody(dst []byte) []byte {
	dst = AppendID(msgpack.AppendArrayLen(dst, 3), m.Transaction.ULID)
	dst = msgpack.AppendUint(dst, m.Attempt)
	dst = msgpack.AppendArrayLen(dst, 4*len(m.Rows))
	for _, row := range m.Rows {
		dst = msgpack.AppendUint(AppendID(dst, row.Entity.ULID), row.Rev)
		dst = msgpack.AppendBool(AppendClock(dst, row.Before), row.Known)
	}
	return dst
}

func (m *Ack) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Transaction = id.TransactionID{ULID: ReadID(r)}
	m.Attempt = r.Uint()
	for n := readRun(r, 4, MaxTxEvents); n > 0 && r.Err() == nil; n-- {
		m.Rows = append(m.Rows, AckRow{Entity: id.EntityID{ULID: ReadID(r)}, Rev: r.Uint(), Before: ReadClock(r), Known: r.Bool()})
	}
}

// Nack says that a transaction was refused as a whole, and why.
type Nack struct {
	Transaction id.TransactionID
	Attempt     uint64
	Kind        uint64      // core.Kind
	Entity      id.EntityID // the entity that the refusal is about; zero if none
	Message     string
}

func (*Nack) frameType() uint64 { return typeNack }

func (m *Nack) appendBody(dst []byte) []byte {
	dst = AppendID(msgpack.AppendArrayLen(dst, 5), m.Transaction.ULID)
	dst = msgpack.AppendUint(dst, m.Attempt)
	dst = msgpack.AppendUint(dst, m.Kind)
	dst = AppendID(dst, m.Entity.ULID)
	return appendMessage(dst, m.Message)
}

func (m *Nack) readBody(r *msgpack.Reader) {
	r.Array(5)
	m.Transaction = id.TransactionID{ULID: ReadID(r)}
	m.Attempt = r.Uint()
	m.Kind = r.Uint()
	m.Entity = id.EntityID{ULID: ReadID(r)}
	m.Message = readText(r)
}

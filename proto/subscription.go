package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Subscribe names a selection that the sender wants to be kept in step with, and what
// it holds of it. The answer is a run of Rows with the same number, the last of them
// Done, and Updates from then on; or a Reply with an error.
type Subscribe struct {
	Sub        uint64 // chosen by the subscriber, unique within the connection
	Collection string
	Text       string        // the selection, as ankql prints it
	Params     []value.Value // its parameters
	Once       bool          // the rows as of now, and no Updates

	// After is a position as of which the subscriber has all rows of this selection; it may
	// be none.
	After Position
	// Known are rows that it holds, so that they need not be sent again. They are
	// used where After is not.
	Known []KnownRow
}

// KnownRow names a held row by the durable node's revision of it or, where that is not
// known, by its head.
type KnownRow struct {
	Entity id.EntityID
	Rev    uint64 // 0: not known
	Head   uint64 // Clock.Fingerprint, where Rev is 0
}

func (*Subscribe) frameType() uint64 { return typeSubscribe }

func (m *Subscribe) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 7), m.Sub)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	dst = msgpack.AppendArrayLen(dst, len(m.Params))
	for _, v := range m.Params {
		dst = value.Append(dst, v)
	}
	dst = msgpack.AppendBool(dst, m.Once)
	dst = AppendPosition(dst, m.After)
	return appendKnown(dst, m.Known)
}

func appendKnown(dst []byte, list []KnownRow) []byte {
	dst = msgpack.AppendArrayLen(dst, 3*len(list))
	for _, k := range list {
		dst = msgpack.AppendUint(AppendID(dst, k.Entity.ULID), k.Rev)
		dst = msgpack.AppendUint(dst, k.Head)
	}
	return dst
}

func readKnown(r *msgpack.Reader) (list []KnownRow) {
	for n := readRun(r, 3, MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		list = append(list, KnownRow{Entity: id.EntityID{ULID: ReadID(r)}, Rev: r.Uint(), Head: r.Uint()})
	}
	return list
}

func (m *Subscribe) readBody(r *msgpack.Reader) {
	r.Array(7)
	m.Sub = r.Uint()
	m.Collection = readName(r)
	m.Text = readText(r)
	for n := r.ArrayLen(MaxParams); n > 0 && r.Err() == nil; n-- {
		m.Params = append(m.Params, value.Read(r))
	}
	m.Once = r.Bool()
	m.After = ReadPosition(r)
	m.Known = readKnown(r)
}

// Unsubscribe ends a subscription; nothing answers it.
type Unsubscribe struct{ Sub uint64 }

func (*Unsubscribe) frameType() uint64 { return typeUnsubscribe }

func (m *Unsubscribe) appendBody(dst []byte) []byte {
	return msgpack.AppendUint(msgpack.AppendArrayLen(dst, 1), m.Sub)
}

func (m *Unsubscribe) readBody(r *msgpack.Reader) {
	r.Array(1)
	m.Sub = r.Uint()
}

// Row is an entity as the durable node has it.
type Row struct {
	Entity id.EntityID
	Rev    uint64
	State  *State
}

// Rows is part of the answer to a Subscribe or a Get.
//
// Complete answers list every row of the selection, in Rows or, where the subscriber
// named the present revision as known, in Same; what it holds beyond that no longer
// matches. Answers that are not Complete go on from the After of the Subscribe: Rows
// are the rows that changed since, whether they match or not, and Gone the ones that
// the subscriber may no longer see.
//
// Equal are rows that were named by their heads and have these, with their revisions; they
// are listed like Same. Absent are rows that were asked for by id and that this node has
// never heard of, though others may have.
type Rows struct {
	Sub        uint64
	Collection string
	Complete   bool
	Done       bool // the last of this answer
	Rows       []Row
	Same       []id.EntityID
	Gone       []id.EntityID
	Equal      []KnownRow
	Absent     []id.EntityID
}

func (*Rows) frameType() uint64 { return typeRows }

func (m *Rows) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 9), m.Sub)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendBool(dst, m.Complete)
	dst = msgpack.AppendBool(dst, m.Done)
	dst = msgpack.AppendArrayLen(dst, 3*len(m.Rows))
	for i := range m.Rows {
		row := &m.Rows[i]
		dst = msgpack.AppendUint(AppendID(dst, row.Entity.ULID), row.Rev)
		dst = AppendState(dst, row.State)
	}
	dst = appendEntities(dst, m.Same)
	dst = appendEntities(dst, m.Gone)
	dst = appendKnown(dst, m.Equal)
	return appendEntities(dst, m.Absent)
}

func (m *Rows) readBody(r *msgpack.Reader) {
	r.Array(9)
	m.Sub = r.Uint()
	m.Collection = readName(r)
	m.Complete = r.Bool()
	m.Done = r.Bool()
	for n := readRun(r, 3, MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.Rows = append(m.Rows, Row{Entity: id.EntityID{ULID: ReadID(r)}, Rev: r.Uint(), State: ReadState(r)})
	}
	m.Same = readEntities(r)
	m.Gone = readEntities(r)
	m.Equal = readKnown(r)
	m.Absent = readEntities(r)
}

func appendEntities(dst []byte, list []id.EntityID) []byte {
	dst = msgpack.AppendArrayLen(dst, len(list))
	for _, e := range list {
		dst = AppendID(dst, e.ULID)
	}
	return dst
}

func readEntities(r *msgpack.Reader) []id.EntityID {
	var list []id.EntityID
	for n := r.ArrayLen(MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		list = append(list, id.EntityID{ULID: ReadID(r)})
	}
	return list
}

// Update is a transaction's effect on what the receiver subscribes to, once however
// many of its subscriptions show it.
type Update struct {
	// Position is one up to which, with this, the receiver has been sent everything; it may
	// be none.
	Position    Position
	Transaction id.TransactionID // zero where the update is of several
	Changes     []RowChange
	// More says that the next Update goes on with this one: its changes are to be shown with
	// these, and the last one's position and transaction are those of the whole.
	More bool
}

// RowChange is what a transaction did to one row.
type RowChange struct {
	Collection string
	Entity     id.EntityID
	Rev        uint64
	Kind       RowChangeKind
	Head       Clock           // the head after
	Properties []PropertyState // RowPatch: those touched; RowState: all
}

// RowChangeKind says how to read a RowChange.
type RowChangeKind uint64

// The kinds of row changes. The list is append-only.
const (
	// RowPatch: whoever holds revision Rev-1 replaces the properties given; whoever
	// does not asks for the row.
	RowPatch RowChangeKind = iota
	// RowState: the whole row.
	RowState
	// RowGone: the receiver may no longer see the row, and forgets it.
	RowGone
)

func (*Update) frameType() uint64 { return typeUpdate }

func (m *Update) appendBody(dst []byte) []byte {
	dst = AppendPosition(msgpack.AppendArrayLen(dst, 4), m.Position)
	dst = AppendID(dst, m.Transaction.ULID)
	dst = msgpack.AppendArrayLen(dst, len(m.Changes))
	for i := range m.Changes {
		c := &m.Changes[i]
		dst = msgpack.AppendString(msgpack.AppendArrayLen(dst, 6), c.Collection)
		dst = AppendID(dst, c.Entity.ULID)
		dst = msgpack.AppendUint(dst, c.Rev)
		dst = msgpack.AppendUint(dst, uint64(c.Kind))
		dst = AppendClock(dst, c.Head)
		dst = appendProperties(dst, c.Head, c.Properties)
	}
	return msgpack.AppendBool(dst, m.More)
}

func (m *Update) readBody(r *msgpack.Reader) {
	r.Array(4)
	m.Position = ReadPosition(r)
	m.Transaction = id.TransactionID{ULID: ReadID(r)}
	for n := r.ArrayLen(MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		r.Array(6)
		c := RowChange{Collection: readName(r), Entity: id.EntityID{ULID: ReadID(r)}, Rev: r.Uint(), Kind: RowChangeKind(r.Uint())}
		if c.Kind > RowGone {
			r.Fail(ErrStructure)
		}
		c.Head = ReadClock(r)
		c.Properties = readProperties(r, c.Head)
		m.Changes = append(m.Changes, c)
	}
	m.More = r.Bool()
}

// Get asks for rows by id; Rows answer, numbered by the request and Complete: what is
// in none of them does not exist for the asker.
type Get struct {
	Request    uint64
	Collection string
	Entities   []id.EntityID
}

func (*Get) frameType() uint64 { return typeGet }

func (m *Get) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	return appendEntities(dst, m.Entities)
}

func (m *Get) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Request = r.Uint()
	m.Collection = readName(r)
	m.Entities = readEntities(r)
}

// Reply ends a request that has no answer of its own: it succeeded (Kind 0) or why not.
type Reply struct {
	Request uint64
	Kind    uint64 // core.Kind
	Message string
}

func (*Reply) frameType() uint64 { return typeReply }

func (m *Reply) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), m.Request)
	dst = msgpack.AppendUint(dst, m.Kind)
	return appendMessage(dst, m.Message)
}

func (m *Reply) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Request = r.Uint()
	m.Kind = r.Uint()
	m.Message = readText(r)
}

package frame

// What the node says. It appends it; parse is the page's half, for tests.

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Error is what went wrong, for an application.
type Error struct {
	Code    string // core.Kind's text
	Message string
	Place   *Place // in the text of a selection; nil where no place is to blame
}

// Place is where in the text of a selection an error is, as JavaScript counts: in UTF-16
// units.
type Place struct {
	Offset int // from 0
	Line   int // from 1
	Column int // from 1
	Hint   string
}

// QueryStatus is how much a live query's rows are worth. The list is append-only.
type QueryStatus uint8

// The statuses of a live query.
const (
	QueryLoading QueryStatus = iota
	QueryLocal
	QueryLive
	QueryError
)

// Connection is a node's connection to the durable node. The list is append-only.
type Connection uint8

// The states of a connection.
const (
	Connecting Connection = iota
	Live
	Offline
)

// Op is what happened to an entity's membership in a result. The list is append-only.
type Op uint8

// What can happen to a membership.
const (
	OpInitial Op = iota
	OpAdded
	OpUpdated
	OpRemoved
)

// Change moves one row: it is taken from From, unless that is -1, and then put at To,
// unless that is -1. Changes are applied in their order.
type Change struct {
	Op       Op
	From, To int
	Entity   id.EntityID
	Sync     proto.SyncState // not of OpRemoved
	Values   []value.Value   // by the query's columns; nil for OpRemoved, and where they are as before
}

// Row is one row of an answer.
type Row struct {
	Entity id.EntityID
	Sync   proto.SyncState
	Values []value.Value // as long as Columns
}

// Done says that a request succeeded.
type Done struct{ Request uint64 }

// Failed says that a request failed. Request 0 is the session itself: a message that could
// not be read.
type Failed struct {
	Request uint64
	Err     Error
}

// Opened says that the node is open.
type Opened struct {
	Request uint64
	Storage Storage
	Warning *Error // why it is not the storage that was asked for, or nil
}

// Rows are a part of the rows that were asked for; with More another part follows.
type Rows struct {
	Request uint64
	More    bool
	Columns []string
	Rows    []Row
}

// Created are the ids of the entities created, in their order.
type Created struct {
	Request  uint64
	Entities []id.EntityID
}

// Committed says that a transaction is safe on this node.
type Committed struct {
	Request     uint64
	Transaction id.TransactionID
}

// Delta is a part of what happened to a live query in one transaction; with More another
// part follows, and the page shows them together. With Reset the rows before are forgotten.
// Columns are given with the first delta and whenever they change, else nil.
type Delta struct {
	Query   uint64
	More    bool
	Status  QueryStatus
	Err     *Error
	Reset   bool
	Columns []string
	Changes []Change
	Window  *WindowState // with the last part; nil for a query without a window
}

// Status tells how the node is; it is sent to every session at the beginning and at every
// change.
type Status struct {
	Connection Connection
	Pending    uint64
	Ready      bool
	Err        *Error
}

// Settled says that a transaction of this node was acknowledged (Err is nil) or refused.
type Settled struct {
	Transaction id.TransactionID
	Err         *Error
}

// Rejections are all refused transactions that are not dismissed, oldest first; they are
// sent at the beginning and at every change.
type Rejections struct{ List []Rejection }

// Rejection is one refused transaction.
type Rejection struct {
	Transaction id.TransactionID
	Code        string
	Message     string
	Millis      int64 // since 1970
	Changes     []RejectedChange
}

// RejectedChange is what a refused transaction would have done to one entity.
type RejectedChange struct {
	Collection string
	Entity     id.EntityID
	Creation   bool
	Fields     []proto.Field
}

func (*Done) kind() uint64       { return kindDone }
func (*Failed) kind() uint64     { return kindFailed }
func (*Opened) kind() uint64     { return kindOpened }
func (*Rows) kind() uint64       { return kindRows }
func (*Created) kind() uint64    { return kindCreated }
func (*Committed) kind() uint64  { return kindCommitted }
func (*Delta) kind() uint64      { return kindDelta }
func (*Status) kind() uint64     { return kindStatus }
func (*Settled) kind() uint64    { return kindSettled }
func (*Rejections) kind() uint64 { return kindRejections }

func (*Done) fields() int       { return 1 }
func (*Failed) fields() int     { return 2 }
func (*Opened) fields() int     { return 3 }
func (*Rows) fields() int       { return 4 }
func (*Created) fields() int    { return 2 }
func (*Committed) fields() int  { return 2 }
func (*Delta) fields() int      { return 8 }
func (*Status) fields() int     { return 4 }
func (*Settled) fields() int    { return 2 }
func (*Rejections) fields() int { return 1 }

// ID implements Request.
func (m *Done) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Failed) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Opened) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Rows) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Created) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Committed) ID() uint64 { return m.Request }

func (m *Done) append(dst []byte) []byte { return msgpack.AppendUint(dst, m.Request) }
func (m *Done) parse(r *msgpack.Reader)  { m.Request = r.Uint() }

// appendError appends an error as [code, message, place or nil], and nil for none.
func appendError(dst []byte, e *Error) []byte {
	if e == nil {
		return msgpack.AppendNil(dst)
	}
	dst = msgpack.AppendArrayLen(dst, 3)
	dst = msgpack.AppendString(dst, e.Code)
	dst = msgpack.AppendString(dst, e.Message)
	if e.Place == nil {
		return msgpack.AppendNil(dst)
	}
	dst = msgpack.AppendArrayLen(dst, 4)
	dst = msgpack.AppendInt(dst, int64(e.Place.Offset))
	dst = msgpack.AppendInt(dst, int64(e.Place.Line))
	dst = msgpack.AppendInt(dst, int64(e.Place.Column))
	return msgpack.AppendString(dst, e.Place.Hint)
}

func readError(r *msgpack.Reader) *Error {
	if r.TryNil() {
		return nil
	}
	r.Array(3)
	e := &Error{Code: readString(r, MaxName), Message: readString(r, MaxText)}
	if !r.TryNil() {
		r.Array(4)
		e.Place = &Place{int(r.Int()), int(r.Int()), int(r.Int()), readString(r, MaxText)}
	}
	return e
}

func (m *Failed) append(dst []byte) []byte {
	return appendError(msgpack.AppendUint(dst, m.Request), &m.Err)
}

func (m *Failed) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	if e := readError(r); e != nil {
		m.Err = *e
	} else {
		r.Fail(msgpack.ErrType)
	}
}

func (m *Opened) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendUint(dst, uint64(m.Storage))
	return appendError(dst, m.Warning)
}

func (m *Opened) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Storage = Storage(readEnum(r, uint64(StorageMemory)))
	m.Warning = readError(r)
}

func (m *Rows) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendBool(dst, m.More)
	dst = appendNames(dst, m.Columns)
	dst = msgpack.AppendArrayLen(dst, len(m.Rows))
	for i := range m.Rows {
		dst = msgpack.AppendArrayLen(dst, 2+len(m.Rows[i].Values))
		dst = appendULID(dst, m.Rows[i].Entity.ULID)
		dst = msgpack.AppendUint(dst, uint64(m.Rows[i].Sync))
		for _, v := range m.Rows[i].Values {
			dst = value.Append(dst, v)
		}
	}
	return dst
}

func (m *Rows) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.More = r.Bool()
	m.Columns = readNames(r)
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		r.Array(2 + len(m.Columns))
		row := Row{Entity: id.EntityID{ULID: readULID(r)}, Sync: readSync(r), Values: make([]value.Value, len(m.Columns))}
		readValues(r, row.Values)
		m.Rows = append(m.Rows, row)
	}
}

func (m *Created) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	ids := make([]byte, 0, id.Size*len(m.Entities))
	for _, e := range m.Entities {
		ids = e.AppendTo(ids)
	}
	return msgpack.AppendBytes(dst, ids)
}

func (m *Created) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	ids := r.Bytes()
	if len(ids)%id.Size != 0 {
		r.Fail(msgpack.ErrType)
		return
	}
	for ; len(ids) > 0; ids = ids[id.Size:] {
		u, _ := id.FromBytes(ids[:id.Size])
		m.Entities = append(m.Entities, id.EntityID{ULID: u})
	}
}

func (m *Committed) append(dst []byte) []byte {
	return appendULID(msgpack.AppendUint(dst, m.Request), m.Transaction.ULID)
}

func (m *Committed) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Transaction = id.TransactionID{ULID: readULID(r)}
}

func (m *Delta) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Query)
	dst = msgpack.AppendBool(dst, m.More)
	dst = msgpack.AppendUint(dst, uint64(m.Status))
	dst = appendError(dst, m.Err)
	dst = msgpack.AppendBool(dst, m.Reset)
	if m.Columns == nil {
		dst = msgpack.AppendNil(dst)
	} else {
		dst = appendNames(dst, m.Columns)
	}
	dst = msgpack.AppendArrayLen(dst, len(m.Changes))
	for i := range m.Changes {
		dst = m.Changes[i].append(dst)
	}
	return appendState(dst, m.Window)
}

// append appends a change as [op, from, to, entity, sync, value…], up to the entity for OpRemoved.
func (c *Change) append(dst []byte) []byte {
	fields := 5 + len(c.Values)
	if c.Op == OpRemoved {
		fields = 4
	}
	dst = msgpack.AppendArrayLen(dst, fields)
	dst = msgpack.AppendUint(dst, uint64(c.Op))
	dst = msgpack.AppendInt(dst, int64(c.From))
	dst = msgpack.AppendInt(dst, int64(c.To))
	dst = appendULID(dst, c.Entity.ULID)
	if c.Op == OpRemoved {
		return dst
	}
	dst = msgpack.AppendUint(dst, uint64(c.Sync))
	for _, v := range c.Values {
		dst = value.Append(dst, v)
	}
	return dst
}

func readSync(r *msgpack.Reader) proto.SyncState {
	return proto.SyncState(readEnum(r, uint64(proto.Refused)))
}

func (m *Delta) parse(r *msgpack.Reader) {
	m.Query = r.Uint()
	m.More = r.Bool()
	m.Status = QueryStatus(readEnum(r, uint64(QueryError)))
	m.Err = readError(r)
	m.Reset = r.Bool()
	if !r.TryNil() {
		m.Columns = readNames(r)
	}
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.Changes = append(m.Changes, readChange(r))
	}
	m.Window = readState(r)
}

func readChange(r *msgpack.Reader) Change {
	n := r.ArrayLen(5 + MaxColumns)
	if n < 4 {
		r.Fail(msgpack.ErrType)
		return Change{}
	}
	c := Change{Op: Op(readEnum(r, uint64(OpRemoved))), From: int(r.Int()), To: int(r.Int())}
	c.Entity = id.EntityID{ULID: readULID(r)}
	if n > 4 {
		c.Sync = readSync(r)
	}
	if n > 5 {
		c.Values = make([]value.Value, n-5)
		readValues(r, c.Values)
	}
	return c
}

func (m *Status) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, uint64(m.Connection))
	dst = msgpack.AppendUint(dst, m.Pending)
	dst = msgpack.AppendBool(dst, m.Ready)
	return appendError(dst, m.Err)
}

func (m *Status) parse(r *msgpack.Reader) {
	m.Connection = Connection(readEnum(r, uint64(Offline)))
	m.Pending = r.Uint()
	m.Ready = r.Bool()
	m.Err = readError(r)
}

func (m *Settled) append(dst []byte) []byte {
	return appendError(appendULID(dst, m.Transaction.ULID), m.Err)
}

func (m *Settled) parse(r *msgpack.Reader) {
	m.Transaction = id.TransactionID{ULID: readULID(r)}
	m.Err = readError(r)
}

func (m *Rejections) append(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, len(m.List))
	for _, rejection := range m.List {
		dst = msgpack.AppendArrayLen(dst, 5)
		dst = appendULID(dst, rejection.Transaction.ULID)
		dst = msgpack.AppendString(dst, rejection.Code)
		dst = msgpack.AppendString(dst, rejection.Message)
		dst = msgpack.AppendInt(dst, rejection.Millis)
		dst = msgpack.AppendArrayLen(dst, len(rejection.Changes))
		for _, c := range rejection.Changes {
			dst = c.append(dst)
		}
	}
	return dst
}

func (m *Rejections) parse(r *msgpack.Reader) {
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		r.Array(5)
		x := Rejection{
			Transaction: id.TransactionID{ULID: readULID(r)},
			Code:        readString(r, MaxName),
			Message:     readString(r, MaxText),
			Millis:      r.Int(),
		}
		for n := r.ArrayLen(proto.MaxTxEvents); n > 0 && r.Err() == nil; n-- {
			x.Changes = append(x.Changes, readRejectedChange(r))
		}
		m.List = append(m.List, x)
	}
}

func (c *RejectedChange) append(dst []byte) []byte {
	dst = msgpack.AppendString(msgpack.AppendArrayLen(dst, 4), c.Collection)
	dst = appendULID(dst, c.Entity.ULID)
	dst = msgpack.AppendBool(dst, c.Creation)
	dst = msgpack.AppendArrayLen(dst, len(c.Fields))
	for _, f := range c.Fields {
		dst = value.Append(msgpack.AppendString(msgpack.AppendArrayLen(dst, 2), f.Name), f.Value)
	}
	return dst
}

func readRejectedChange(r *msgpack.Reader) RejectedChange {
	r.Array(4)
	c := RejectedChange{Collection: readString(r, proto.MaxNameBytes), Entity: id.EntityID{ULID: readULID(r)}, Creation: r.Bool()}
	for n := r.ArrayLen(MaxColumns + 1); n > 0 && r.Err() == nil; n-- {
		r.Array(2)
		c.Fields = append(c.Fields, proto.Field{Name: readString(r, proto.MaxNameBytes), Value: value.Read(r)})
	}
	return c
}

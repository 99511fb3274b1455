package frame

// What a page says. The node reads it; write is the page's half, for tests.

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Request is a message that names a request: its first field. The page numbers requests
// from 1 and does not use a number twice.
type Request interface {
	Message
	// ID returns the request's number.
	ID() uint64
}

// Storage says where a node keeps its data. The list is append-only.
type Storage uint8

// Where a node can keep its data.
const (
	StorageIndexedDB Storage = iota
	StorageMemory
)

// String returns the name that the application uses.
func (s Storage) String() string {
	if s == StorageMemory {
		return "memory"
	}
	return "indexeddb"
}

// Hello opens the node, or joins the one that is open. It is the first message of
// a session; Opened answers.
type Hello struct {
	Request uint64
	Name    string // names the database
	URL     string // of the durable node; empty for none
	Storage Storage
	Token   string // presented to the durable node; empty for none
	Models  []*schema.Model
}

// Subscribe opens a live query under a number that the page chose; deltas follow, the
// first of them with Reset set.
type Subscribe struct {
	Query      uint64
	Collection string
	Text       string
	Params     Params
	Window     *Window // nil for all rows of the selection
}

// Unsubscribe closes a live query. Deltas that are on their way may still arrive.
type Unsubscribe struct{ Query uint64 }

// Fetch reads rows once; Rows answers.
type Fetch struct {
	Request    uint64
	Tx         uint64 // the transaction to read in, 0 for none
	Collection string
	Text       string
	Params     Params
}

// Get reads one entity; Rows answers with one row.
type Get struct {
	Request    uint64
	Tx         uint64
	Collection string
	Entity     id.EntityID
}

// Create creates entities with the given columns in a transaction, which begins with the
// first message that names it; Created answers.
type Create struct {
	Request    uint64
	Tx         uint64
	Collection string
	Columns    []string
	Rows       [][]value.Value // each as long as Columns
}

// Edit writes properties of one entity in a transaction. It has no answer: what is wrong
// with it fails the commit.
type Edit struct {
	Tx         uint64
	Collection string
	Entity     id.EntityID
	Columns    []string
	Values     []value.Value // as long as Columns
}

// Mark deletes an entity, or restores it, in a transaction. It has no answer.
type Mark struct {
	Tx         uint64
	Collection string
	Entity     id.EntityID
	Deleted    bool
}

// Commit commits a transaction; Committed answers. With Replaces it is made in the place of
// that refused one, which is dismissed in the same step.
type Commit struct {
	Request  uint64
	Tx       uint64
	Replaces id.TransactionID // zero for none
}

// Rollback ends a transaction without a trace.
type Rollback struct{ Tx uint64 }

// Cancel gives up a request, which is then answered by Failed unless it was done before.
type Cancel struct{ Request uint64 }

// Dismiss forgets a refused transaction, or all of them; Done answers.
type Dismiss struct {
	Request     uint64
	Transaction id.TransactionID // zero for all
}

// Token presents other credentials to the durable node; Done answers.
type Token struct {
	Request uint64
	Token   string
}

// Await waits until the node has a system to work in; Done answers.
type Await struct{ Request uint64 }

// Received tells how many bytes of frames have been taken in since the session began.
type Received struct{ Bytes uint64 }

// Network tells whether the page has a network, as far as its browser knows; until it says
// so it has. A node has none to dial through while none of its pages has. It may come before
// Hello, so that a page without a network is never connected.
type Network struct{ Online bool }

func (*Hello) kind() uint64       { return kindHello }
func (*Subscribe) kind() uint64   { return kindSubscribe }
func (*Unsubscribe) kind() uint64 { return kindUnsubscribe }
func (*Fetch) kind() uint64       { return kindFetch }
func (*Get) kind() uint64         { return kindGet }
func (*Create) kind() uint64      { return kindCreate }
func (*Edit) kind() uint64        { return kindEdit }
func (*Mark) kind() uint64        { return kindMark }
func (*Commit) kind() uint64      { return kindCommit }
func (*Rollback) kind() uint64    { return kindRollback }
func (*Cancel) kind() uint64      { return kindCancel }
func (*Dismiss) kind() uint64     { return kindDismiss }
func (*Token) kind() uint64       { return kindToken }
func (*Await) kind() uint64       { return kindAwait }
func (*Received) kind() uint64    { return kindReceived }
func (*Network) kind() uint64     { return kindNetwork }

func (*Hello) fields() int       { return 6 }
func (*Subscribe) fields() int   { return 5 }
func (*Unsubscribe) fields() int { return 1 }
func (*Fetch) fields() int       { return 5 }
func (*Get) fields() int         { return 4 }
func (*Create) fields() int      { return 5 }
func (*Edit) fields() int        { return 5 }
func (*Mark) fields() int        { return 4 }
func (*Commit) fields() int      { return 3 }
func (*Rollback) fields() int    { return 1 }
func (*Cancel) fields() int      { return 1 }
func (*Dismiss) fields() int     { return 2 }
func (*Token) fields() int       { return 2 }
func (*Await) fields() int       { return 1 }
func (*Received) fields() int    { return 1 }
func (*Network) fields() int     { return 1 }

// ID implements Request.
func (m *Hello) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Fetch) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Get) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Create) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Commit) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Dismiss) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Token) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Await) ID() uint64 { return m.Request }

func (m *Hello) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendString(dst, m.Name)
	dst = appendOptional(dst, m.URL)
	dst = msgpack.AppendUint(dst, uint64(m.Storage))
	dst = appendOptional(dst, m.Token)
	return proto.AppendModels(dst, m.Models)
}

func (m *Hello) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Name = readString(r, MaxName)
	m.URL = readOptional(r)
	m.Storage = Storage(readEnum(r, uint64(StorageMemory)))
	m.Token = readOptional(r)
	m.Models = proto.ReadModels(r)
}

// readEnum reads a number of a closed list whose last one is max.
func readEnum(r *msgpack.Reader, max uint64) uint64 {
	n := r.Uint()
	if n > max {
		r.Fail(msgpack.ErrType)
		return 0
	}
	return n
}

func (m *Subscribe) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Query)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	return appendWindow(m.Params.append(dst), m.Window)
}

func (m *Subscribe) read(r *msgpack.Reader) {
	m.Query = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Text = readString(r, MaxText)
	m.Params = readParams(r)
	m.Window = readWindow(r)
}

func (m *Unsubscribe) write(dst []byte) []byte { return msgpack.AppendUint(dst, m.Query) }
func (m *Unsubscribe) read(r *msgpack.Reader)  { m.Query = r.Uint() }

func (m *Fetch) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendUint(dst, m.Tx)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	return m.Params.append(dst)
}

func (m *Fetch) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Tx = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Text = readString(r, MaxText)
	m.Params = readParams(r)
}

func (m *Get) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendUint(dst, m.Tx)
	dst = msgpack.AppendString(dst, m.Collection)
	return appendULID(dst, m.Entity.ULID)
}

func (m *Get) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Tx = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Entity = id.EntityID{ULID: readULID(r)}
}

func (m *Create) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendUint(dst, m.Tx)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = appendNames(dst, m.Columns)
	dst = msgpack.AppendArrayLen(dst, len(m.Rows))
	for _, row := range m.Rows {
		dst = appendValues(dst, row)
	}
	return dst
}

func (m *Create) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Tx = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Columns = readNames(r)
	n := r.ArrayLen(MaxRows)
	if r.Err() != nil || n*(1+len(m.Columns)) > r.Remaining() {
		r.Fail(msgpack.ErrTruncated)
		return
	}
	// One array holds all values: a message is decoded once and used once.
	values := make([]value.Value, n*len(m.Columns))
	m.Rows = make([][]value.Value, n)
	for i := range m.Rows {
		m.Rows[i], values = values[:len(m.Columns):len(m.Columns)], values[len(m.Columns):]
		readRow(r, m.Rows[i])
	}
}

// readRow reads an array of as many values. Their texts are parts of one string, which
// each of them keeps, and are therefore not longer together than a row is.
func readRow(r *msgpack.Reader, values []value.Value) {
	row := msgpack.NewStringReader(string(r.Known()))
	row.Array(len(values))
	readValues(&row, values)
	if err := row.Done(); err != nil {
		r.Fail(err)
	}
}

func appendValues(dst []byte, values []value.Value) []byte {
	dst = msgpack.AppendArrayLen(dst, len(values))
	for _, v := range values {
		dst = value.Append(dst, v)
	}
	return dst
}

func (m *Edit) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Tx)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = appendULID(dst, m.Entity.ULID)
	dst = appendNames(dst, m.Columns)
	return appendValues(dst, m.Values)
}

func (m *Edit) read(r *msgpack.Reader) {
	m.Tx = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Entity = id.EntityID{ULID: readULID(r)}
	m.Columns = readNames(r)
	r.Array(len(m.Columns))
	m.Values = make([]value.Value, len(m.Columns))
	readValues(r, m.Values)
}

func (m *Mark) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Tx)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = appendULID(dst, m.Entity.ULID)
	return msgpack.AppendBool(dst, m.Deleted)
}

func (m *Mark) read(r *msgpack.Reader) {
	m.Tx = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Entity = id.EntityID{ULID: readULID(r)}
	m.Deleted = r.Bool()
}

func (m *Commit) write(dst []byte) []byte {
	return appendChosen(msgpack.AppendUint(msgpack.AppendUint(dst, m.Request), m.Tx), m.Replaces.ULID)
}

func (m *Commit) read(r *msgpack.Reader) {
	m.Request, m.Tx = r.Uint(), r.Uint()
	m.Replaces = id.TransactionID{ULID: readChosen(r)}
}

func (m *Rollback) write(dst []byte) []byte { return msgpack.AppendUint(dst, m.Tx) }
func (m *Rollback) read(r *msgpack.Reader)  { m.Tx = r.Uint() }

func (m *Cancel) write(dst []byte) []byte { return msgpack.AppendUint(dst, m.Request) }
func (m *Cancel) read(r *msgpack.Reader)  { m.Request = r.Uint() }

func (m *Dismiss) write(dst []byte) []byte {
	return appendChosen(msgpack.AppendUint(dst, m.Request), m.Transaction.ULID)
}

func (m *Dismiss) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Transaction = id.TransactionID{ULID: readChosen(r)}
}

func (m *Token) write(dst []byte) []byte {
	return appendOptional(msgpack.AppendUint(dst, m.Request), m.Token)
}

func (m *Token) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Token = readOptional(r)
}

func (m *Await) write(dst []byte) []byte { return msgpack.AppendUint(dst, m.Request) }
func (m *Await) read(r *msgpack.Reader)  { m.Request = r.Uint() }

func (m *Received) write(dst []byte) []byte { return msgpack.AppendUint(dst, m.Bytes) }
func (m *Received) read(r *msgpack.Reader)  { m.Bytes = r.Uint() }

func (m *Network) write(dst []byte) []byte { return msgpack.AppendBool(dst, m.Online) }
func (m *Network) read(r *msgpack.Reader)  { m.Online = r.Bool() }

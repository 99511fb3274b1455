package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Hello opens a connection; the side that dialled sends it first.
type Hello struct {
	Node        id.NodeID
	Durable     bool
	System      id.EntityID // the system that the node belongs to; zero if none yet
	Time        int64       // the sender's clock, microseconds since 1970
	Credentials []byte      // for the policy agent; at most MaxText bytes
	Store       id.StoreID  // whose revisions and position an ephemeral node has; zero if none
	Position    Position    // how far it was in step with that at most
}

func (*Hello) frameType() uint64 { return typeHello }

func (m *Hello) appendBody(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 7)
	dst = AppendID(dst, m.Node.ULID)
	dst = msgpack.AppendBool(dst, m.Durable)
	dst = AppendID(dst, m.System.ULID)
	dst = msgpack.AppendInt(dst, m.Time)
	dst = msgpack.AppendBytes(dst, m.Credentials)
	dst = AppendID(dst, m.Store.ULID)
	return AppendPosition(dst, m.Position)
}

func (m *Hello) readBody(r *msgpack.Reader) {
	r.Array(7)
	m.Node = id.NodeID{ULID: ReadID(r)}
	m.Durable = r.Bool()
	m.System = id.EntityID{ULID: ReadID(r)}
	m.Time = r.Int()
	m.Credentials = readBlob(r)
	m.Store = id.StoreID{ULID: ReadID(r)}
	m.Position = ReadPosition(r)
}

func readBlob(r *msgpack.Reader) []byte {
	b := r.Bytes()
	if len(b) > MaxText {
		r.Fail(msgpack.ErrTooLong)
		return nil
	}
	return append([]byte(nil), b...)
}

// Welcome answers Hello: the connection is served.
type Welcome struct {
	Node   id.NodeID
	System id.EntityID
	Time   int64  // the sender's clock when it answered, microseconds since 1970
	User   string // the principal that the credentials stand for
	Store  id.StoreID
	// Continues says that the position in the Hello is one of this store's. Else the
	// receiver knows another store, or one that has been set back since: it cannot compare
	// its revisions with the sender's.
	Continues bool
	// Alone says that the store has never replicated with another: what it lacks is nowhere
	// else.
	Alone bool
	// View stands for what the principal may see: while it is the same, a position tells what
	// the receiver has missed. After another, rows may have come into sight or left it that no
	// transaction touched.
	View uint64
}

func (*Welcome) frameType() uint64 { return typeWelcome }

func (m *Welcome) appendBody(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 8)
	dst = AppendID(dst, m.Node.ULID)
	dst = AppendID(dst, m.System.ULID)
	dst = msgpack.AppendInt(dst, m.Time)
	dst = msgpack.AppendString(dst, m.User)
	dst = AppendID(dst, m.Store.ULID)
	dst = msgpack.AppendBool(dst, m.Continues)
	dst = msgpack.AppendBool(dst, m.Alone)
	return msgpack.AppendUint(dst, m.View)
}

func (m *Welcome) readBody(r *msgpack.Reader) {
	r.Array(8)
	m.Node = id.NodeID{ULID: ReadID(r)}
	m.System = id.EntityID{ULID: ReadID(r)}
	m.Time = r.Int()
	m.User = readText(r)
	m.Store = id.StoreID{ULID: ReadID(r)}
	m.Continues = r.Bool()
	m.Alone = r.Bool()
	m.View = r.Uint()
}

// Refuse answers Hello, or ends a connection: the peer cannot be served, and why.
type Refuse struct {
	Kind    uint64 // core.Kind
	Message string
}

func (*Refuse) frameType() uint64 { return typeRefuse }

func (m *Refuse) appendBody(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 2)
	dst = msgpack.AppendUint(dst, m.Kind)
	return appendMessage(dst, m.Message)
}

func (m *Refuse) readBody(r *msgpack.Reader) {
	r.Array(2)
	m.Kind = r.Uint()
	m.Message = readText(r)
}

// Ping asks for a Pong, to keep a connection alive and see that it is.
type Ping struct{ Time int64 }

func (*Ping) frameType() uint64 { return typePing }

func (m *Ping) appendBody(dst []byte) []byte {
	return msgpack.AppendInt(msgpack.AppendArrayLen(dst, 1), m.Time)
}

func (m *Ping) readBody(r *msgpack.Reader) {
	r.Array(1)
	m.Time = r.Int()
}

// Pong answers Ping. Position is one up to which the receiver has been sent everything that
// its subscriptions show; it may be none.
type Pong struct {
	Time     int64 // as in the Ping
	Position Position
}

func (*Pong) frameType() uint64 { return typePong }

func (m *Pong) appendBody(dst []byte) []byte {
	dst = msgpack.AppendInt(msgpack.AppendArrayLen(dst, 2), m.Time)
	return AppendPosition(dst, m.Position)
}

func (m *Pong) readBody(r *msgpack.Reader) {
	r.Array(2)
	m.Time = r.Int()
	m.Position = ReadPosition(r)
}

package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Locate asks for a position in the order of a selection: that of an entity, whether the
// selection is true of it or not, or else of the row with so many before it. Located
// answers, or a Reply with an error.
type Locate struct {
	Request    uint64
	Collection string
	Text       string        // the selection, as ankql prints it
	Params     []value.Value // its parameters
	Entity     id.EntityID   // zero for none
	Index      uint64
}

func (*Locate) frameType() uint64 { return typeLocate }

func (m *Locate) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 6), m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	dst = msgpack.AppendArrayLen(dst, len(m.Params))
	for _, v := range m.Params {
		dst = value.Append(dst, v)
	}
	dst = AppendID(dst, m.Entity.ULID)
	return msgpack.AppendUint(dst, m.Index)
}

func (m *Locate) readBody(r *msgpack.Reader) {
	r.Array(6)
	m.Request = r.Uint()
	m.Collection = readName(r)
	m.Text = readText(r)
	for n := r.ArrayLen(MaxParams); n > 0 && r.Err() == nil; n-- {
		m.Params = append(m.Params, value.Read(r))
	}
	m.Entity = id.EntityID{ULID: ReadID(r)}
	m.Index = r.Uint()
}

// Located is the position asked for; by index, that of the last row if there are fewer, and
// then the cursor is empty if there is none.
type Located struct {
	Request uint64
	Cursor  string // as ankql.Cursor prints it
	Index   uint64 // of the row, where it was asked for by index
}

func (*Located) frameType() uint64 { return typeLocated }

func (m *Located) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), m.Request)
	return msgpack.AppendUint(msgpack.AppendString(dst, m.Cursor), m.Index)
}

func (m *Located) readBody(r *msgpack.Reader) {
	r.Array(3)
	m.Request = r.Uint()
	m.Cursor = readText(r)
	m.Index = r.Uint()
}

package proto

import (
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Locate asks for the position of a row of a selection by how many rows are before it.
// Located answers, or a Reply with an error.
type Locate struct {
	Request    uint64
	Collection string
	Text       string        // the selection, as ankql prints it
	Params     []value.Value // its parameters
	Index      uint64
}

func (*Locate) frameType() uint64 { return typeLocate }

func (m *Locate) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 5), m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	dst = msgpack.AppendArrayLen(dst, len(m.Params))
	for _, v := range m.Params {
		dst = value.Append(dst, v)
	}
	return msgpack.AppendUint(dst, m.Index)
}

func (m *Locate) readBody(r *msgpack.Reader) {
	r.Array(5)
	m.Request = r.Uint()
	m.Collection = readName(r)
	m.Text = readText(r)
	for n := r.ArrayLen(MaxParams); n > 0 && r.Err() == nil; n-- {
		m.Params = append(m.Params, value.Read(r))
	}
	m.Index = r.Uint()
}

// Located is the position of the row of that index, or of the last one if there are fewer
// rows; the cursor is empty if there is none.
type Located struct {
	Request uint64
	Cursor  string // as ankql.Cursor prints it
	Index   uint64
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

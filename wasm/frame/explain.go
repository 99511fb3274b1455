package frame

import (
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Explain asks how a selection is read; Explained answers.
type Explain struct {
	Request    uint64
	Collection string
	Text       string
	Params     Params
}

// Explained answers Explain: what storage.Explanation says.
type Explained struct {
	Request  uint64
	Plan     string
	Method   string
	Index    string // empty for none
	Ranges   int
	Sorted   bool
	Residual string // empty for nothing
	Entries  int
	Rows     int
	Returned int
	More     bool
	Micros   int64
}

func (*Explain) kind() uint64   { return kindExplain }
func (*Explained) kind() uint64 { return kindExplained }

func (*Explain) fields() int   { return 4 }
func (*Explained) fields() int { return 12 }

// ID implements Request.
func (m *Explain) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Explained) ID() uint64 { return m.Request }

func (m *Explain) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	return m.Params.append(dst)
}

func (m *Explain) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Text = readString(r, MaxText)
	m.Params = readParams(r)
}

func (m *Explained) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendString(dst, m.Plan)
	dst = msgpack.AppendString(dst, m.Method)
	dst = appendOptional(dst, m.Index)
	dst = msgpack.AppendInt(dst, int64(m.Ranges))
	dst = msgpack.AppendBool(dst, m.Sorted)
	dst = appendOptional(dst, m.Residual)
	dst = msgpack.AppendInt(dst, int64(m.Entries))
	dst = msgpack.AppendInt(dst, int64(m.Rows))
	dst = msgpack.AppendInt(dst, int64(m.Returned))
	dst = msgpack.AppendBool(dst, m.More)
	return msgpack.AppendInt(dst, m.Micros)
}

func (m *Explained) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Plan = readString(r, MaxFrame)
	m.Method = readString(r, MaxName)
	m.Index = readOptional(r)
	m.Ranges = int(r.Int())
	m.Sorted = r.Bool()
	m.Residual = readOptional(r)
	m.Entries, m.Rows, m.Returned = int(r.Int()), int(r.Int()), int(r.Int())
	m.More = r.Bool()
	m.Micros = r.Int()
}

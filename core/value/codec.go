package value

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Extension types of the formats.
const (
	extID   = 1 // 16 bytes
	extJSON = 2 // canonical MessagePack of a JSON document
)

// Append appends v as one MessagePack item: nil, bool, int, float and str as
// themselves, bytes as bin, ids and JSON as extensions 1 and 2.
func Append(dst []byte, v Value) []byte {
	switch v.kind {
	case KindBool:
		return msgpack.AppendBool(dst, v.num != 0)
	case KindInt:
		return msgpack.AppendInt(dst, int64(v.num))
	case KindFloat:
		f, _ := v.AsFloat()
		return msgpack.AppendFloat(dst, f)
	case KindString:
		return msgpack.AppendString(dst, v.str)
	case KindBytes:
		return msgpack.AppendBytes(dst, v.str)
	case KindID:
		return msgpack.AppendExt(dst, extID, v.str)
	case KindJSON:
		return msgpack.AppendExt(dst, extJSON, v.str)
	}
	return msgpack.AppendNil(dst)
}

// Read reads what Append wrote; errors stay in r. A plain array or map is refused:
// values that are not scalars come as extensions.
func Read(r *msgpack.Reader) Value {
	switch r.Next() {
	case msgpack.TypeBool:
		return Bool(r.Bool())
	case msgpack.TypeInt:
		return Int(r.Int())
	case msgpack.TypeFloat:
		return Float(r.Float())
	case msgpack.TypeString:
		return String(r.String())
	case msgpack.TypeBytes:
		return Value{kind: KindBytes, str: string(r.Bytes())}
	case msgpack.TypeExt:
		return readExt(r)
	}
	r.Nil()
	return Null
}

func readExt(r *msgpack.Reader) Value {
	typ, data := r.Ext()
	if r.Err() != nil {
		return Null
	}
	switch {
	case typ == extID && len(data) == id.Size:
		return Value{kind: KindID, str: string(data)}
	case typ == extJSON:
		v, err := JSONFromMsgpack(data)
		if err != nil {
			r.Fail(err)
		}
		return v
	}
	r.Fail(msgpack.ErrType)
	return Null
}

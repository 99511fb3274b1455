package frame

import (
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Params are what is bound to a selection: by position or by name, never both. On the wire
// they are nil, an array, or a map; a list is an array in the place of a value.
type Params struct {
	Positional []Param
	Named      []NamedParam // ascending by name
}

// Param is a value, or a list of values where IsList is set.
type Param struct {
	Value  value.Value
	List   []value.Value
	IsList bool
}

// NamedParam is a parameter with its name.
type NamedParam struct {
	Name string
	Param
}

func (p Params) append(dst []byte) []byte {
	switch {
	case len(p.Named) > 0:
		dst = msgpack.AppendMapLen(dst, len(p.Named))
		for _, named := range p.Named {
			dst = named.append(msgpack.AppendString(dst, named.Name))
		}
		return dst
	case len(p.Positional) > 0:
		dst = msgpack.AppendArrayLen(dst, len(p.Positional))
		for _, param := range p.Positional {
			dst = param.append(dst)
		}
		return dst
	}
	return msgpack.AppendNil(dst)
}

func (p Param) append(dst []byte) []byte {
	if p.IsList {
		return appendValues(dst, p.List)
	}
	return value.Append(dst, p.Value)
}

func readParams(r *msgpack.Reader) (p Params) {
	switch r.Next() {
	case msgpack.TypeArray:
		n := r.ArrayLen(proto.MaxParams)
		p.Positional = make([]Param, 0, n)
		for ; n > 0 && r.Err() == nil; n-- {
			p.Positional = append(p.Positional, readParam(r))
		}
	case msgpack.TypeMap:
		n := r.MapLen(proto.MaxParams)
		p.Named = make([]NamedParam, 0, n)
		for ; n > 0 && r.Err() == nil; n-- {
			named := NamedParam{readString(r, proto.MaxNameBytes), readParam(r)}
			if k := len(p.Named); k > 0 && p.Named[k-1].Name >= named.Name {
				r.Fail(proto.ErrNotCanonical)
			}
			p.Named = append(p.Named, named)
		}
	default:
		r.Nil()
	}
	return p
}

func readParam(r *msgpack.Reader) Param {
	if r.Next() != msgpack.TypeArray {
		return Param{Value: value.Read(r)}
	}
	n := r.ArrayLen(proto.MaxParams)
	list := make([]value.Value, n)
	readValues(r, list)
	return Param{List: list, IsList: true}
}

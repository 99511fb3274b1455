package proto

import (
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// MaxModels bounds the models of one Register or Catalog.
const MaxModels = 1024

// Register tells a durable node of models; a Reply answers.
type Register struct {
	Request uint64
	Models  []*schema.Model
}

func (*Register) frameType() uint64 { return typeRegister }

func (m *Register) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 2), m.Request)
	return AppendModels(dst, m.Models)
}

func (m *Register) readBody(r *msgpack.Reader) {
	r.Array(2)
	m.Request = r.Uint()
	m.Models = ReadModels(r)
}

// Catalog gives models to a connected node: all of them after Welcome, later those
// that grew.
type Catalog struct{ Models []*schema.Model }

func (*Catalog) frameType() uint64 { return typeCatalog }

func (m *Catalog) appendBody(dst []byte) []byte {
	return AppendModels(msgpack.AppendArrayLen(dst, 1), m.Models)
}

func (m *Catalog) readBody(r *msgpack.Reader) {
	r.Array(1)
	m.Models = ReadModels(r)
}

// AppendModels appends models as an array of [collection, [property…], [index…]], where
// a property is [name, type, kind, optional, default, target, [enum…]] and an index is
// [unique, [[[step…], desc]…]].
func AppendModels(dst []byte, models []*schema.Model) []byte {
	dst = msgpack.AppendArrayLen(dst, len(models))
	for _, m := range models {
		dst = msgpack.AppendString(msgpack.AppendArrayLen(dst, 3), m.Collection)
		dst = msgpack.AppendArrayLen(dst, len(m.Properties))
		for i := range m.Properties {
			dst = appendProperty(dst, &m.Properties[i])
		}
		dst = msgpack.AppendArrayLen(dst, len(m.Indexes))
		for i := range m.Indexes {
			dst = appendIndex(dst, &m.Indexes[i])
		}
	}
	return dst
}

func appendProperty(dst []byte, p *schema.Property) []byte {
	dst = msgpack.AppendArrayLen(dst, 7)
	dst = msgpack.AppendString(dst, p.Name)
	dst = msgpack.AppendString(dst, string(p.Type))
	dst = msgpack.AppendString(dst, string(p.MergeKind()))
	dst = msgpack.AppendBool(dst, p.Optional)
	dst = value.Append(dst, p.Default)
	dst = msgpack.AppendString(dst, p.Target)
	dst = msgpack.AppendArrayLen(dst, len(p.Enum))
	for _, e := range p.Enum {
		dst = msgpack.AppendString(dst, e)
	}
	return dst
}

// ReadModels reads what AppendModels wrote; whether the models are valid is for
// schema.Model.Validate to say.
func ReadModels(r *msgpack.Reader) []*schema.Model {
	var models []*schema.Model
	for n := r.ArrayLen(MaxModels); n > 0 && r.Err() == nil; n-- {
		r.Array(3)
		m := &schema.Model{Collection: readName(r)}
		for k := r.ArrayLen(schema.MaxProperties); k > 0 && r.Err() == nil; k-- {
			m.Properties = append(m.Properties, readProperty(r))
		}
		for k := r.ArrayLen(schema.MaxIndexes); k > 0 && r.Err() == nil; k-- {
			m.Indexes = append(m.Indexes, readIndex(r))
		}
		models = append(models, m)
	}
	return models
}

func readProperty(r *msgpack.Reader) schema.Property {
	r.Array(7)
	p := schema.Property{
		Name:     readName(r),
		Type:     schema.Type(readName(r)),
		Kind:     schema.Kind(readName(r)),
		Optional: r.Bool(),
		Default:  value.Read(r),
		Target:   readName(r),
	}
	for n := r.ArrayLen(schema.MaxEnum); n > 0 && r.Err() == nil; n-- {
		p.Enum = append(p.Enum, readText(r))
	}
	return p
}

func appendIndex(dst []byte, ix *schema.Index) []byte {
	dst = msgpack.AppendBool(msgpack.AppendArrayLen(dst, 2), ix.Unique)
	dst = msgpack.AppendArrayLen(dst, len(ix.Columns))
	for _, c := range ix.Columns {
		dst = msgpack.AppendArrayLen(dst, 2)
		dst = msgpack.AppendArrayLen(dst, len(c.Path))
		for _, step := range c.Path {
			dst = msgpack.AppendString(dst, step)
		}
		dst = msgpack.AppendBool(dst, c.Desc)
	}
	return dst
}

func readIndex(r *msgpack.Reader) schema.Index {
	r.Array(2)
	ix := schema.Index{Unique: r.Bool()}
	for n := r.ArrayLen(schema.MaxIndexColumns); n > 0 && r.Err() == nil; n-- {
		var c schema.IndexColumn
		r.Array(2)
		for k := r.ArrayLen(schema.MaxIndexSteps); k > 0 && r.Err() == nil; k-- {
			c.Path = append(c.Path, readName(r))
		}
		c.Desc = r.Bool()
		ix.Columns = append(ix.Columns, c)
	}
	return ix
}

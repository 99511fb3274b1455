package frame

import (
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Aggregate opens a live aggregate under a number that the page chose, among those of its
// queries; groups follow, the first of them with Reset set. Unsubscribe closes it.
type Aggregate struct {
	Query      uint64
	Collection string
	Text       string // the predicate
	Params     Params
	GroupBy    []string // paths
	Columns    []AggregateColumn
}

// AggregateColumn is what is to be known of each group.
type AggregateColumn struct {
	Function uint64 // ankql.Function
	Path     string // empty for the entities themselves
	Distinct bool
}

// Groups is a part of what happened to a live aggregate in one transaction; with More
// another part follows, and the page shows them together. With Reset the groups before are
// forgotten.
type Groups struct {
	Query  uint64
	More   bool
	Status QueryStatus
	Err    *Error
	Reset  bool
	Groups []Group
}

// Group is one group. Its id orders the groups as bytes. One without values is no more.
type Group struct {
	ID     string
	Values []value.Value // what its rows agree in, and then what is known of them
}

func (*Aggregate) kind() uint64 { return kindAggregate }
func (*Groups) kind() uint64    { return kindGroups }
func (*Aggregate) fields() int  { return 6 }
func (*Groups) fields() int     { return 6 }

func (m *Aggregate) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Query)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	dst = m.Params.append(dst)
	dst = appendNames(dst, m.GroupBy)
	dst = msgpack.AppendArrayLen(dst, len(m.Columns))
	for _, c := range m.Columns {
		dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), c.Function)
		dst = msgpack.AppendString(dst, c.Path)
		dst = msgpack.AppendBool(dst, c.Distinct)
	}
	return dst
}

func (m *Aggregate) read(r *msgpack.Reader) {
	m.Query = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Text = readString(r, MaxText)
	m.Params = readParams(r)
	for n := r.ArrayLen(proto.MaxAggregates); n > 0 && r.Err() == nil; n-- {
		m.GroupBy = append(m.GroupBy, readString(r, MaxText))
	}
	for n := r.ArrayLen(proto.MaxAggregates); n > 0 && r.Err() == nil; n-- {
		r.Array(3)
		m.Columns = append(m.Columns, AggregateColumn{Function: r.Uint(), Path: readString(r, MaxText), Distinct: r.Bool()})
	}
}

func (m *Groups) append(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Query)
	dst = msgpack.AppendBool(dst, m.More)
	dst = msgpack.AppendUint(dst, uint64(m.Status))
	dst = appendError(dst, m.Err)
	dst = msgpack.AppendBool(dst, m.Reset)
	dst = msgpack.AppendArrayLen(dst, len(m.Groups))
	for i := range m.Groups {
		dst = m.Groups[i].append(dst)
	}
	return dst
}

// append appends a group as [id, value…].
func (g *Group) append(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 1+len(g.Values))
	dst = msgpack.AppendBytes(dst, g.ID)
	for _, v := range g.Values {
		dst = value.Append(dst, v)
	}
	return dst
}

func (m *Groups) parse(r *msgpack.Reader) {
	m.Query = r.Uint()
	m.More = r.Bool()
	m.Status = QueryStatus(readEnum(r, uint64(QueryError)))
	m.Err = readError(r)
	m.Reset = r.Bool()
	for n := r.ArrayLen(proto.MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		values := r.ArrayLen(1+2*proto.MaxAggregates) - 1
		g := Group{ID: string(r.Bytes())}
		if values > 0 {
			g.Values = make([]value.Value, values)
			readValues(r, g.Values)
		}
		m.Groups = append(m.Groups, g)
	}
}

package proto

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// Limits of an aggregation on the wire; what it means is checked with its model.
const (
	MaxAggregates = 64 // aggregates, and paths to group by
	MaxPathSteps  = 32
)

// Aggregate asks to be kept in step with what is known of the groups of a selection's rows,
// without the rows. The answer is a run of Groups with the same number, the last of them
// Done, and further such runs whenever a group changes; or a Reply with an error.
// Unsubscribe ends it.
//
// It is answered after the transactions have been decided that the sender offered before.
type Aggregate struct {
	Sub        uint64 // as that of a Subscribe
	Collection string
	Text       string        // the predicate, as ankql prints it
	Params     []value.Value // its parameters
	GroupBy    [][]string    // paths
	Columns    []AggregateColumn
}

// AggregateColumn is what is to be known of each group.
type AggregateColumn struct {
	Function uint64   // ankql.Function
	Path     []string // what it is made of; empty for COUNT(*)
	Distinct bool
}

func (*Aggregate) frameType() uint64 { return typeAggregate }

func (m *Aggregate) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 6), m.Sub)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	dst = appendValues(dst, m.Params)
	dst = msgpack.AppendArrayLen(dst, len(m.GroupBy))
	for _, path := range m.GroupBy {
		dst = appendPath(dst, path)
	}
	dst = msgpack.AppendArrayLen(dst, len(m.Columns))
	for i := range m.Columns {
		c := &m.Columns[i]
		dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), c.Function)
		dst = appendPath(dst, c.Path)
		dst = msgpack.AppendBool(dst, c.Distinct)
	}
	return dst
}

func (m *Aggregate) readBody(r *msgpack.Reader) {
	r.Array(6)
	m.Sub = r.Uint()
	m.Collection = readName(r)
	m.Text = readText(r)
	m.Params = readValues(r, MaxParams)
	for n := r.ArrayLen(MaxAggregates); n > 0 && r.Err() == nil; n-- {
		m.GroupBy = append(m.GroupBy, readPath(r))
	}
	for n := r.ArrayLen(MaxAggregates); n > 0 && r.Err() == nil; n-- {
		r.Array(3)
		m.Columns = append(m.Columns, AggregateColumn{Function: r.Uint(), Path: readPath(r), Distinct: r.Bool()})
	}
}

func appendPath(dst []byte, path []string) []byte {
	dst = msgpack.AppendArrayLen(dst, len(path))
	for _, step := range path {
		dst = msgpack.AppendString(dst, step)
	}
	return dst
}

func readPath(r *msgpack.Reader) (path []string) {
	for n := r.ArrayLen(MaxPathSteps); n > 0 && r.Err() == nil; n-- {
		path = append(path, readText(r))
	}
	return path
}

func appendValues(dst []byte, list []value.Value) []byte {
	dst = msgpack.AppendArrayLen(dst, len(list))
	for _, v := range list {
		dst = value.Append(dst, v)
	}
	return dst
}

func readValues(r *msgpack.Reader, max int) (list []value.Value) {
	for n := r.ArrayLen(max); n > 0 && r.Err() == nil; n-- {
		list = append(list, value.Read(r))
	}
	return list
}

// Groups is part of what is known of groups: all of them (Reset), or those that changed
// since the last run. A run is shown as a whole, with its last frame.
type Groups struct {
	Sub   uint64
	Reset bool // with the first of a run: what was known before is void
	Done  bool // the last of a run
	// Included are transactions of the receiver's that the groups include and that have
	// not been acknowledged before this frame.
	Included []id.TransactionID
	Groups   []Group
}

// Group is one group.
type Group struct {
	Key  []value.Value // what its rows agree in
	Rows uint64
	// Parts are what each aggregate was made of (package aggregate). A group without
	// parts is no more.
	Parts []value.Value
}

func (*Groups) frameType() uint64 { return typeGroups }

func (m *Groups) appendBody(dst []byte) []byte {
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 5), m.Sub)
	dst = msgpack.AppendBool(dst, m.Reset)
	dst = msgpack.AppendBool(dst, m.Done)
	dst = msgpack.AppendArrayLen(dst, len(m.Included))
	for _, tx := range m.Included {
		dst = AppendID(dst, tx.ULID)
	}
	dst = msgpack.AppendArrayLen(dst, 3*len(m.Groups))
	for i := range m.Groups {
		g := &m.Groups[i]
		dst = appendValues(dst, g.Key)
		dst = msgpack.AppendUint(dst, g.Rows)
		dst = appendValues(dst, g.Parts)
	}
	return dst
}

func (m *Groups) readBody(r *msgpack.Reader) {
	r.Array(5)
	m.Sub = r.Uint()
	m.Reset = r.Bool()
	m.Done = r.Bool()
	for n := r.ArrayLen(MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.Included = append(m.Included, id.TransactionID{ULID: ReadID(r)})
	}
	for n := readRun(r, 3, MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		m.Groups = append(m.Groups, Group{Key: readValues(r, MaxAggregates), Rows: r.Uint(), Parts: readValues(r, MaxAggregates)})
	}
}

package frame

// Windows: a part of a live query's rows around a place in their order.

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// MaxWindow bounds the rows on each side of a window's anchor.
const MaxWindow = 1 << 20

// AnchorKind says what an anchor's place was given by. The list is append-only.
type AnchorKind uint8

// What can give a place in an order.
const (
	AnchorStart  AnchorKind = iota // before all rows
	AnchorEnd                      // behind all rows
	AnchorCursor                   // a cursor's text
	AnchorEntity                   // where an entity stands when the node looks
	AnchorIndex                    // the row of that number from 0, or the last
)

// Anchor is a place in an order; it stays where it is whatever rows come, go and move.
type Anchor struct {
	Kind   AnchorKind
	Cursor string      // of AnchorCursor
	Entity id.EntityID // of AnchorEntity
	Index  uint64      // of AnchorIndex
}

// Window is up to Before rows before the anchor and After from it on. Neither is ever more,
// or less while there are rows on that side.
type Window struct {
	Anchor        Anchor
	Before, After uint64
}

// WindowState is what a page knows of a window besides its rows.
type WindowState struct {
	Anchor        int // how many of the rows stand before the anchor
	Before, After bool
	// First and Last are the cursors of the first row and the last one, empty where there are
	// none; Position is the anchor's, empty at the start, at the end, and until it is known.
	First, Last, Position string
}

// Move moves and resizes a live query's window in place, or makes one of a query that had
// none; a nil Window takes it away. Rows that are shown before and after stay; deltas follow.
type Move struct {
	Query  uint64
	Window *Window
}

// Select changes a live query's selection and window in place: deltas lead from the old rows
// to the new ones as soon as there are any.
type Select struct {
	Query  uint64
	Text   string
	Params Params
	Window *Window // nil for none
}

// Locate asks for the cursor of the row of number Index, from 0, or of the last row; Located
// answers.
type Locate struct {
	Request    uint64
	Collection string
	Text       string
	Params     Params
	Index      uint64
}

// Located answers Locate. Without rows the cursor is empty.
type Located struct {
	Request uint64
	Cursor  string
	Index   uint64 // of the row
}

func (*Move) kind() uint64    { return kindMove }
func (*Select) kind() uint64  { return kindSelect }
func (*Locate) kind() uint64  { return kindLocate }
func (*Located) kind() uint64 { return kindLocated }

func (*Move) fields() int    { return 2 }
func (*Select) fields() int  { return 4 }
func (*Locate) fields() int  { return 5 }
func (*Located) fields() int { return 3 }

// ID implements Request.
func (m *Locate) ID() uint64 { return m.Request }

// ID implements Request.
func (m *Located) ID() uint64 { return m.Request }

// appendWindow appends [kind, cursor or entity or index or nil, before, after], or nil.
func appendWindow(dst []byte, w *Window) []byte {
	if w == nil {
		return msgpack.AppendNil(dst)
	}
	dst = msgpack.AppendArrayLen(dst, 4)
	dst = msgpack.AppendUint(dst, uint64(w.Anchor.Kind))
	switch w.Anchor.Kind {
	case AnchorCursor:
		dst = msgpack.AppendString(dst, w.Anchor.Cursor)
	case AnchorEntity:
		dst = appendULID(dst, w.Anchor.Entity.ULID)
	case AnchorIndex:
		dst = msgpack.AppendUint(dst, w.Anchor.Index)
	default:
		dst = msgpack.AppendNil(dst)
	}
	dst = msgpack.AppendUint(dst, w.Before)
	return msgpack.AppendUint(dst, w.After)
}

func readWindow(r *msgpack.Reader) *Window {
	if r.TryNil() {
		return nil
	}
	r.Array(4)
	w := &Window{Anchor: Anchor{Kind: AnchorKind(readEnum(r, uint64(AnchorIndex)))}}
	switch w.Anchor.Kind {
	case AnchorCursor:
		w.Anchor.Cursor = readString(r, MaxText)
	case AnchorEntity:
		w.Anchor.Entity = id.EntityID{ULID: readULID(r)}
	case AnchorIndex:
		w.Anchor.Index = r.Uint()
	default:
		r.Nil()
	}
	w.Before = readEnum(r, MaxWindow)
	w.After = readEnum(r, MaxWindow)
	return w
}

// appendState appends [anchor, before, after, first or nil, last or nil, position or nil],
// and nil for none.
func appendState(dst []byte, s *WindowState) []byte {
	if s == nil {
		return msgpack.AppendNil(dst)
	}
	dst = msgpack.AppendArrayLen(dst, 6)
	dst = msgpack.AppendInt(dst, int64(s.Anchor))
	dst = msgpack.AppendBool(dst, s.Before)
	dst = msgpack.AppendBool(dst, s.After)
	dst = appendOptional(dst, s.First)
	dst = appendOptional(dst, s.Last)
	return appendOptional(dst, s.Position)
}

func readState(r *msgpack.Reader) *WindowState {
	if r.TryNil() {
		return nil
	}
	r.Array(6)
	return &WindowState{Anchor: int(r.Int()), Before: r.Bool(), After: r.Bool(),
		First: readOptional(r), Last: readOptional(r), Position: readOptional(r)}
}

func (m *Move) write(dst []byte) []byte {
	return appendWindow(msgpack.AppendUint(dst, m.Query), m.Window)
}

func (m *Move) read(r *msgpack.Reader) {
	m.Query = r.Uint()
	m.Window = readWindow(r)
}

func (m *Select) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Query)
	dst = msgpack.AppendString(dst, m.Text)
	return appendWindow(m.Params.append(dst), m.Window)
}

func (m *Select) read(r *msgpack.Reader) {
	m.Query = r.Uint()
	m.Text = readString(r, MaxText)
	m.Params = readParams(r)
	m.Window = readWindow(r)
}

func (m *Locate) write(dst []byte) []byte {
	dst = msgpack.AppendUint(dst, m.Request)
	dst = msgpack.AppendString(dst, m.Collection)
	dst = msgpack.AppendString(dst, m.Text)
	return msgpack.AppendUint(m.Params.append(dst), m.Index)
}

func (m *Locate) read(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Collection = readString(r, proto.MaxNameBytes)
	m.Text = readString(r, MaxText)
	m.Params = readParams(r)
	m.Index = r.Uint()
}

func (m *Located) append(dst []byte) []byte {
	dst = appendOptional(msgpack.AppendUint(dst, m.Request), m.Cursor)
	return msgpack.AppendUint(dst, m.Index)
}

func (m *Located) parse(r *msgpack.Reader) {
	m.Request = r.Uint()
	m.Cursor = readOptional(r)
	m.Index = r.Uint()
}

package ankql

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// ErrCursor says that a text is no cursor, or that a cursor belongs to another order than
// that of the selection it is used with.
var ErrCursor = errors.New("ankql: no cursor of this order")

// Cursor is a position in the order of a selection: that of the row it was made from, at
// the time. It names no row, so it stays good when that row changes, moves or goes. It
// belongs to an order (the keys, their directions, where NULL goes), and goes with every
// selection that has it, whatever the predicate and the limit. The zero Cursor belongs to
// none. Cursors can be compared with ==.
type Cursor struct{ form string } // binary, as marks.append writes it

// marks is what a cursor holds.
type marks struct {
	order  uint64 // fingerprint
	entity id.EntityID
	values []value.Value
}

// cursorForm opens the binary form of a cursor.
const cursorForm = 1

// maxCursor bounds the text of a cursor.
const maxCursor = MaxText

// Cursor returns the position of a row. References are followed by r, which may be nil as
// for Matches.
func (s *Selection) Cursor(row Fields, e id.EntityID, r Resolver) Cursor {
	m := marks{order: fingerprint(s.Order), values: make([]value.Value, len(s.Order)), entity: e}
	for i := range s.Order {
		m.values[i] = s.Order[i].field().Value(row, r).Scalar()
	}
	return Cursor{string(m.append(nil))}
}

// fingerprint identifies an order.
func fingerprint(order []Order) uint64 {
	h := fnv.New64a()
	for _, o := range order {
		key := appendPathKey(nil, o.Path)
		h.Write(append(key, byte(truthOf(o.Desc)), byte(truthOf(o.NullsFirst()))))
	}
	return h.Sum64()
}

// IsZero reports whether c is the zero Cursor.
func (c Cursor) IsZero() bool { return c.form == "" }

// Entity returns the entity that the cursor was made from. It breaks ties; nothing says
// that it is still there.
func (c Cursor) Entity() id.EntityID {
	m, _ := readMarks([]byte(c.form))
	return m.entity
}

func (m *marks) append(b []byte) []byte {
	b = msgpack.AppendArrayLen(b, 3+len(m.values))
	b = msgpack.AppendUint(b, cursorForm)
	b = msgpack.AppendUint(b, m.order)
	b = value.Append(b, value.ID(m.entity))
	for _, v := range m.values {
		b = value.Append(b, v)
	}
	return b
}

func readMarks(b []byte) (m marks, err error) {
	r := msgpack.NewReader(b)
	n := r.ArrayLen(3 + MaxOrder)
	if form := r.Uint(); n < 3 || form != cursorForm {
		r.Fail(msgpack.ErrType)
	}
	m.order = r.Uint()
	entity, ok := value.Read(&r).AsID()
	if !ok {
		r.Fail(msgpack.ErrType)
	}
	m.entity = entity
	for range n - 3 {
		m.values = append(m.values, value.Read(&r))
	}
	return m, r.Done()
}

// String returns the cursor's text, which ParseCursor reads: letters, digits, - and _ only,
// so that it can stand in a URL. It is not secret; it holds the values that the row had
// under the order's keys. The zero Cursor's text is empty.
func (c Cursor) String() string { return base64.RawURLEncoding.EncodeToString([]byte(c.form)) }

// ParseCursor reads what String returned. Its error is an ErrCursor.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	if len(text) > maxCursor {
		return Cursor{}, fmt.Errorf("%w: %d characters, more than %d", ErrCursor, len(text), maxCursor)
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: the text is not base64url", ErrCursor)
	}
	m, err := readMarks(b)
	if err != nil {
		return Cursor{}, fmt.Errorf("%w: the text holds something else: %w", ErrCursor, err)
	}
	return Cursor{string(m.append(nil))}, nil
}

// MarshalText implements encoding.TextMarshaler.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Cursor) UnmarshalText(text []byte) (err error) {
	*c, err = ParseCursor(string(text))
	return err
}

// AppendCursorKey appends the sort key (AppendSortKey) of the position. It fails with an
// ErrCursor if the cursor belongs to another order.
func (s *Selection) AppendCursorKey(dst []byte, c Cursor) ([]byte, error) {
	m, err := s.marks(c)
	if err != nil {
		return dst, err
	}
	for i, v := range m.values {
		dst = value.AppendKey(dst, v, s.Order[i].KeyOrder())
	}
	return m.entity.AppendTo(dst), nil
}

// marks returns what a cursor holds if it belongs to the selection's order.
func (s *Selection) marks(c Cursor) (m marks, err error) {
	if c.IsZero() {
		return m, fmt.Errorf("%w: it is empty", ErrCursor)
	}
	m, err = readMarks([]byte(c.form))
	if err != nil || m.order != fingerprint(s.Order) || len(m.values) != len(s.Order) {
		return m, fmt.Errorf("%w: it was made with another ORDER BY", ErrCursor)
	}
	return m, nil
}

// After returns the selection of those rows, in their order, that come after the position:
// the next page. The selection has to be one that Check returned. It fails with an
// ErrCursor if the cursor belongs to another order.
func (s *Selection) After(c Cursor) (*Selection, error) { return s.beyond(c, false) }

// From is After with the row at the position itself, if there is one.
func (s *Selection) From(c Cursor) (*Selection, error) { return s.beyond(c, true) }

// Before returns the selection of the rows that come before the position, in the reverse
// of their order, so that LIMIT takes those next to it: the previous page, last row first.
// It is like After otherwise.
func (s *Selection) Before(c Cursor) (*Selection, error) {
	m, err := s.marks(c)
	if err != nil {
		return nil, err
	}
	out := s.Reversed()
	if len(out.Order) > MaxOrder {
		return nil, position{}.err("at most "+strconv.Itoa(MaxOrder-1)+" keys to order by where pages go back", strconv.Itoa(len(s.Order)), "")
	}
	out.Where = And(s.where(), following(out.Order, m, false))
	return out, nil
}

func (s *Selection) beyond(c Cursor, inclusive bool) (*Selection, error) {
	m, err := s.marks(c)
	if err != nil {
		return nil, err
	}
	out := *s
	out.Where = And(s.where(), following(s.Order, m, inclusive))
	return &out, nil
}

func (s *Selection) where() Expr {
	if s.Where == nil {
		return True
	}
	return s.Where
}

// Reversed returns the selection with its order turned around, down to the entity id that
// breaks ties. The limit takes the last rows then.
func (s *Selection) Reversed() *Selection {
	out := *s
	out.Order = make([]Order, 0, len(s.Order)+1)
	byID := false
	for _, o := range s.Order {
		switch o.Nulls {
		case NullsFirst:
			o.Nulls = NullsLast
		case NullsLast:
			o.Nulls = NullsFirst
		}
		o.Desc = !o.Desc
		out.Order = append(out.Order, o)
		byID = byID || o.isID()
	}
	if !byID {
		out.Order = append(out.Order, Order{Path: Path{schema.ID}, Desc: true, typ: schema.TypeRef})
	}
	return &out
}

func (o Order) isID() bool { return len(o.Path) == 1 && o.Path[0] == schema.ID }

func (o Order) field() *Field { return &Field{Path: o.Path, Type: o.typ, Targets: o.targets} }

// following returns what is true of the rows that come after the position in the order:
// a row does if its first key does, or is equal and the rest comes after. Whoever is equal
// in all keys stands at the position itself.
func following(order []Order, at marks, inclusive bool) Expr {
	byID := Order{Path: Path{schema.ID}, typ: schema.TypeRef}
	if i := slices.IndexFunc(order, Order.isID); i >= 0 {
		order, byID = order[:i], order[i] // nothing after it decides
	}
	op := OpGreater
	if byID.Desc {
		op = OpLess
	}
	if inclusive {
		op++ // to the operator with equality
	}
	out := Expr(&Comparison{Left: byID.field(), Op: op, Right: &Literal{Value: value.ID(at.entity)}})
	for i, o := range slices.Backward(order) {
		out = Or(beyondValue(o, at.values[i]), And(atValue(o, at.values[i]), out))
	}
	return out
}

// atValue is true where the key is v, for an order: NULL equals NULL.
func atValue(o Order, v value.Value) Expr {
	if v.IsNull() {
		return &NullTest{Field: o.field()}
	}
	return &Comparison{Left: o.field(), Op: OpEqual, Right: &Literal{Value: v}}
}

// beyondValue is true where the key comes after v.
func beyondValue(o Order, v value.Value) Expr {
	null := Expr(&NullTest{Field: o.field()})
	if v.IsNull() {
		if o.NullsFirst() {
			return Not(null)
		}
		return False
	}
	op := OpGreater
	if o.Desc {
		op = OpLess
	}
	out := Expr(&Comparison{Left: o.field(), Op: op, Right: &Literal{Value: v}})
	for _, least := range familiesOf(o.typ) {
		// A comparison is true only within a family: this one, of the whole of it.
		if c := value.Compare(least, v); !value.SameFamily(least, v) && c > 0 != o.Desc {
			out = Or(out, &Comparison{Left: o.field(), Op: OpGreaterEqual, Right: &Literal{Value: least}})
		}
	}
	if !o.NullsFirst() {
		out = Or(out, null)
	}
	return out
}

// familiesOf returns the least value of each family of values that a key of a type may be
// of, where that is more than one.
func familiesOf(t schema.Type) []value.Value {
	switch t {
	case schema.TypeJSON:
		return []value.Value{leastBool, leastNumber, leastText, leastContainer}
	case "":
		return []value.Value{leastBool, leastNumber, leastText, leastBytes, leastID, leastContainer}
	}
	return nil
}

var (
	leastBool         = value.Bool(false)
	leastNumber       = value.Float(math.Inf(-1))
	leastText         = value.String("")
	leastBytes        = value.Bytes(nil)
	leastID           = value.ID(id.EntityID{})
	leastContainer, _ = value.JSON(map[string]any{})
)

// ReverseKey appends the sort key that a row has under Reversed, given its sort key under s.
func (s *Selection) ReverseKey(dst, key []byte) []byte {
	byID := false
	for _, o := range s.Order {
		n, ok := value.KeyLen(key, o.KeyOrder())
		if !ok {
			return dst // no key of this selection
		}
		dst = appendReversed(dst, key[:n], o.KeyOrder())
		key = key[n:]
		byID = byID || o.isID()
	}
	if !byID {
		if e, err := id.FromBytes(key); err == nil {
			dst = value.AppendKey(dst, value.ID(id.EntityID{ULID: e}), value.KeyOrder{Desc: true})
		}
	}
	return append(dst, key...)
}

// appendReversed appends the key of one value in the opposite direction, with NULL at the
// other end.
func appendReversed(dst, key []byte, o value.KeyOrder) []byte {
	null := value.AppendKey(nil, value.Null, o)
	if string(key) == string(null) {
		return value.AppendKey(dst, value.Null, value.KeyOrder{Desc: !o.Desc, NullsFirst: !o.NullsFirst})
	}
	for _, b := range key {
		dst = append(dst, ^b)
	}
	return dst
}

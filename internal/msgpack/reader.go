package msgpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"
)

// What can be wrong with the input.
var (
	ErrTruncated = errors.New("msgpack: input ends inside an item")
	ErrType      = errors.New("msgpack: item of another type expected")
	ErrTrailing  = errors.New("msgpack: bytes after the last item")
	ErrTooLong   = errors.New("msgpack: item longer than allowed")
	ErrTooDeep   = errors.New("msgpack: items nested too deeply")
)

// MaxDepth bounds how deeply arrays and maps may be nested in an item that is
// skipped or taken whole.
const MaxDepth = 64

// Type is the kind of the next item.
type Type uint8

// The types of items. Int covers every integer, Float both widths.
const (
	TypeInvalid Type = iota
	TypeNil
	TypeBool
	TypeInt
	TypeFloat
	TypeString
	TypeBytes
	TypeArray
	TypeMap
	TypeExt
)

// Reader reads items from a byte slice, which it never changes. The zero value
// reads nothing. It is not safe for concurrent use.
type Reader struct {
	buf  []byte
	pos  int
	err  error
	text string // what buf is part of, if it is of a string
}

// NewReader returns a reader of b.
func NewReader(b []byte) Reader { return Reader{buf: b} }

// NewStringReader returns a reader of bytes that are held in a string, without copying
// them. What String returns is then part of that string; so are what StringBytes, Bytes,
// Ext and Raw return, which must not be written to.
func NewStringReader(s string) Reader {
	// The reader itself never writes to its input, so the string stays immutable.
	return Reader{buf: unsafe.Slice(unsafe.StringData(s), len(s)), text: s}
}

// Err returns the first error met.
func (r *Reader) Err() error { return r.err }

// Fail makes err the reader's error, unless it has one; callers use it to report
// what is well-formed but not acceptable, at the present offset.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w (at byte %d)", err, r.pos)
	}
}

// Done returns the first error met, or ErrTrailing when input remains.
func (r *Reader) Done() error {
	if r.err == nil && r.pos != len(r.buf) {
		r.Fail(ErrTrailing)
	}
	return r.err
}

// Remaining returns the number of bytes not read yet.
func (r *Reader) Remaining() int { return len(r.buf) - r.pos }

// More reports whether there is input left and no error.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.buf) }

// Next returns the type of the next item without reading it.
func (r *Reader) Next() Type {
	if r.err != nil || r.pos >= len(r.buf) {
		return TypeInvalid
	}
	return typeOf(r.buf[r.pos])
}

func typeOf(c byte) Type {
	switch {
	case c < 0x80 || c >= 0xe0 || c >= 0xcc && c <= 0xd3:
		return TypeInt
	case c < 0x90 || c == 0xde || c == 0xdf:
		return TypeMap
	case c < 0xa0 || c == 0xdc || c == 0xdd:
		return TypeArray
	case c < 0xc0 || c >= 0xd9 && c <= 0xdb:
		return TypeString
	case c == 0xc0:
		return TypeNil
	case c == 0xc2 || c == 0xc3:
		return TypeBool
	case c >= 0xc4 && c <= 0xc6:
		return TypeBytes
	case c == 0xca || c == 0xcb:
		return TypeFloat
	case c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8:
		return TypeExt
	}
	return TypeInvalid
}

// take returns the next n bytes, or nil and an error.
func (r *Reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.buf)-r.pos {
		r.Fail(ErrTruncated)
		return nil
	}
	b := r.buf[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *Reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uintN reads an unsigned big-endian integer of n bytes.
func (r *Reader) uintN(n int) uint64 {
	b := r.take(n)
	if b == nil {
		return 0
	}
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

func (r *Reader) wrongType() {
	if r.err == nil {
		r.pos--
		r.Fail(ErrType)
	}
}

// Nil reads nil.
func (r *Reader) Nil() {
	if c := r.byte(); r.err == nil && c != 0xc0 {
		r.wrongType()
	}
}

// TryNil reads nil if it is the next item, and reports whether it was.
func (r *Reader) TryNil() bool {
	if r.Next() != TypeNil {
		return false
	}
	r.pos++
	return true
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	switch c := r.byte(); {
	case r.err != nil:
	case c == 0xc2:
		return false
	case c == 0xc3:
		return true
	default:
		r.wrongType()
	}
	return false
}

// Int reads an integer that fits in 64 signed bits.
func (r *Reader) Int() int64 {
	c := r.byte()
	switch {
	case r.err != nil:
		return 0
	case c < 0x80:
		return int64(c)
	case c >= 0xe0:
		return int64(int8(c))
	}
	switch c {
	case 0xcc, 0xcd, 0xce:
		return int64(r.uintN(1 << (c - 0xcc)))
	case 0xcf:
		u := r.uintN(8)
		if u > math.MaxInt64 {
			r.Fail(ErrType)
			return 0
		}
		return int64(u)
	case 0xd0:
		return int64(int8(r.uintN(1)))
	case 0xd1:
		return int64(int16(r.uintN(2)))
	case 0xd2:
		return int64(int32(r.uintN(4)))
	case 0xd3:
		return int64(r.uintN(8))
	}
	r.wrongType()
	return 0
}

// Uint reads an integer that is not negative.
func (r *Reader) Uint() uint64 {
	if r.err == nil && r.pos < len(r.buf) && r.buf[r.pos] == 0xcf {
		r.pos++
		return r.uintN(8)
	}
	v := r.Int()
	if v < 0 {
		r.Fail(ErrType)
		return 0
	}
	return uint64(v)
}

// Float reads a float of either width, or an integer as a float.
func (r *Reader) Float() float64 {
	if r.Next() == TypeInt {
		return float64(r.Int())
	}
	switch c := r.byte(); {
	case r.err != nil:
	case c == 0xca:
		return float64(math.Float32frombits(uint32(r.uintN(4))))
	case c == 0xcb:
		return math.Float64frombits(r.uintN(8))
	default:
		r.wrongType()
	}
	return 0
}

// StringBytes reads a string without copying it: the result is part of the
// reader's input. Text that is not UTF-8 is refused.
func (r *Reader) StringBytes() []byte {
	c := r.byte()
	if r.err != nil {
		return nil
	}
	var n int
	switch {
	case c&0xe0 == 0xa0:
		n = int(c & 0x1f)
	case c >= 0xd9 && c <= 0xdb:
		n = int(r.uintN(1 << (c - 0xd9)))
	default:
		r.wrongType()
		return nil
	}
	b := r.take(n)
	if b != nil && !utf8.Valid(b) {
		r.Fail(ErrType)
		return nil
	}
	return b
}

// String reads a string.
func (r *Reader) String() string {
	b := r.StringBytes()
	if r.text != "" {
		return r.text[r.pos-len(b) : r.pos]
	}
	return string(b)
}

// Bytes reads a byte string without copying it: the result is part of the
// reader's input.
func (r *Reader) Bytes() []byte {
	c := r.byte()
	if r.err != nil {
		return nil
	}
	if c < 0xc4 || c > 0xc6 {
		r.wrongType()
		return nil
	}
	return r.take(int(r.uintN(1 << (c - 0xc4))))
}

// ArrayLen reads the header of an array of at most max items. Since an item takes
// at least a byte, a length beyond the input is refused here.
func (r *Reader) ArrayLen(max int) int {
	c := r.byte()
	if r.err != nil {
		return 0
	}
	switch {
	case c&0xf0 == 0x90:
		return r.length(uint64(c&0x0f), max, 1)
	case c == 0xdc:
		return r.length(r.uintN(2), max, 1)
	case c == 0xdd:
		return r.length(r.uintN(4), max, 1)
	}
	r.wrongType()
	return 0
}

// Array reads the header of an array of exactly n items.
func (r *Reader) Array(n int) {
	if got := r.ArrayLen(n); r.err == nil && got != n {
		r.Fail(ErrType)
	}
}

// MapLen reads the header of a map of at most max pairs.
func (r *Reader) MapLen(max int) int {
	c := r.byte()
	if r.err != nil {
		return 0
	}
	switch {
	case c&0xf0 == 0x80:
		return r.length(uint64(c&0x0f), max, 2)
	case c == 0xde:
		return r.length(r.uintN(2), max, 2)
	case c == 0xdf:
		return r.length(r.uintN(4), max, 2)
	}
	r.wrongType()
	return 0
}

func (r *Reader) length(n uint64, max, each int) int {
	if r.err != nil {
		return 0
	}
	if n > uint64(max) {
		r.Fail(ErrTooLong)
		return 0
	}
	if n*uint64(each) > uint64(r.Remaining()) {
		r.Fail(ErrTruncated)
		return 0
	}
	return int(n)
}

// Ext reads an application-defined item without copying its data.
func (r *Reader) Ext() (typ int8, data []byte) {
	c := r.byte()
	if r.err != nil {
		return 0, nil
	}
	var n int
	switch {
	case c >= 0xd4 && c <= 0xd8:
		n = 1 << (c - 0xd4)
	case c >= 0xc7 && c <= 0xc9:
		n = int(r.uintN(1 << (c - 0xc7)))
	default:
		r.wrongType()
		return 0, nil
	}
	typ = int8(r.byte())
	return typ, r.take(n)
}

// Skip passes over the next item, whatever it is.
func (r *Reader) Skip() { r.skip(0) }

// SkipKnown is Skip for an item that was checked when it was written: it looks at lengths
// only, as Span does.
func (r *Reader) SkipKnown() {
	if r.err != nil {
		return
	}
	n := Span(r.buf[r.pos:])
	if n == 0 {
		r.Fail(ErrTruncated)
	}
	r.pos += n
}

// Known returns the bytes of the next item like Raw, and checks no more than SkipKnown.
func (r *Reader) Known() []byte {
	start := r.pos
	r.SkipKnown()
	if r.err != nil {
		return nil
	}
	return r.buf[start:r.pos:r.pos]
}

// Raw returns the bytes of the next item, which are part of the reader's input.
func (r *Reader) Raw() []byte {
	start := r.pos
	r.Skip()
	if r.err != nil {
		return nil
	}
	return r.buf[start:r.pos:r.pos]
}

func (r *Reader) skip(depth int) {
	if depth > MaxDepth {
		r.Fail(ErrTooDeep)
		return
	}
	switch r.Next() {
	case TypeNil:
		r.Nil()
	case TypeBool:
		r.Bool()
	case TypeInt:
		if r.buf[r.pos] == 0xcf {
			r.Uint()
		} else {
			r.Int()
		}
	case TypeFloat:
		r.Float()
	case TypeString:
		r.StringBytes()
	case TypeBytes:
		r.Bytes()
	case TypeExt:
		r.Ext()
	case TypeArray:
		for n := r.ArrayLen(math.MaxInt32); n > 0 && r.err == nil; n-- {
			r.skip(depth + 1)
		}
	case TypeMap:
		for n := 2 * r.MapLen(math.MaxInt32/2); n > 0 && r.err == nil; n-- {
			r.skip(depth + 1)
		}
	default:
		if r.pos >= len(r.buf) {
			r.Fail(ErrTruncated)
		} else {
			r.Fail(ErrType)
		}
	}
}

package value

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/ankurah-go/ankurah/core/id"
)

// Tags of the families in keys; their order is the families'. The gaps leave room.
const (
	tagNullFirst = 0x01
	tagBool      = 0x10
	tagNumber    = 0x20
	tagString    = 0x30
	tagBytes     = 0x40
	tagID        = 0x50
	tagContainer = 0x60
	tagNullLast  = 0xf0
)

// KeyOrder says how a key sorts: the direction of the values, and independently
// where null goes.
type KeyOrder struct {
	Desc       bool // greatest first
	NullsFirst bool // null before every value, whatever the direction
}

// Ascending is the natural order, the one of Compare.
var Ascending = KeyOrder{}

// AppendKey appends the encoding of v to dst, such that bytes.Compare of two keys
// made with the same order puts them as o says (law V4). Keys can be appended to each
// other to compare tuples.
//
// The form is a tag byte for the family followed by: bool, one byte; number, the
// nearest float with its bits arranged to sort, and two bytes for the rest that
// only integers beyond 2^53 have; text and bytes, with 0x00 written as 0x00 0xFF
// and 0x00 0x01 at the end. Descending keys have every byte after the tag of null
// inverted.
func AppendKey(dst []byte, v Value, o KeyOrder) []byte {
	v = v.Scalar()
	if v.kind == KindNull {
		if o.NullsFirst {
			return append(dst, tagNullFirst)
		}
		return append(dst, tagNullLast)
	}
	start := len(dst)
	dst = appendAscending(dst, v)
	if o.Desc {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

func appendAscending(dst []byte, v Value) []byte {
	switch v.family() {
	case familyBool:
		return append(dst, tagBool, byte(v.num))
	case familyNumber:
		return appendNumber(append(dst, tagNumber), v)
	case familyString:
		return appendText(append(dst, tagString), v.str)
	case familyBytes:
		return appendText(append(dst, tagBytes), v.str)
	case familyID:
		return append(append(dst, tagID), v.str...)
	}
	return appendText(append(dst, tagContainer), v.str)
}

func appendNumber(dst []byte, v Value) []byte {
	f, rest := splitNumber(v)
	bits := math.Float64bits(f)
	switch {
	case math.IsNaN(f):
		bits = math.MaxUint64
	case bits>>63 == 1:
		bits = ^bits
	default:
		bits |= 1 << 63
	}
	dst = binary.BigEndian.AppendUint64(dst, bits)
	// The rest of an int64 lies within ±512 (rounding to 53 bits of 64).
	return binary.BigEndian.AppendUint16(dst, uint16(rest+1<<15))
}

func appendText(dst []byte, s string) []byte {
	return append(appendEscaped(dst, s), textEnd, textEndMark)
}

// Text ends with textEnd textEndMark; a zero byte in it is written textEnd textZeroMark.
const (
	textEnd      = 0
	textEndMark  = 1
	textZeroMark = 0xff
)

func appendEscaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, textEnd)
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(append(dst, s[:i]...), textEnd, textZeroMark)
		s = s[i+1:]
	}
}

// AppendTextPrefix appends what the ascending keys of exactly those texts begin with that
// begin with prefix.
func AppendTextPrefix(dst []byte, prefix string) []byte {
	return appendEscaped(append(dst, tagString), prefix)
}

// KeyLen returns how many bytes of b, which begins with a key made with o, that key
// takes; ok is false if b begins with none.
func KeyLen(b []byte, o KeyOrder) (n int, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	if b[0] == tagNullFirst || b[0] == tagNullLast {
		return 1, true
	}
	var flip byte
	if o.Desc {
		flip = 0xff
	}
	switch b[0] ^ flip {
	case tagBool:
		n = 2
	case tagNumber:
		n = 1 + 8 + 2
	case tagID:
		n = 1 + id.Size
	case tagString, tagBytes, tagContainer:
		return textKeyLen(b, flip)
	}
	return n, n > 0 && len(b) >= n
}

func textKeyLen(b []byte, flip byte) (n int, ok bool) {
	for i := 1; i+1 < len(b); i++ {
		if b[i]^flip != textEnd {
			continue
		}
		if i++; b[i]^flip == textEndMark {
			return i + 1, true
		}
	}
	return 0, false
}

// ReadKey returns the value whose key b begins with, made with o, and the length of that
// key. A number comes back as some number of the same value, int or float; a JSON scalar as
// the scalar that it holds. ok is false if b does not begin with a key.
func ReadKey(b []byte, o KeyOrder) (v Value, n int, ok bool) {
	if n, ok = KeyLen(b, o); !ok {
		return Null, 0, false
	}
	if b[0] == tagNullFirst || b[0] == tagNullLast {
		return Null, n, true
	}
	key := append([]byte(nil), b[:n]...)
	if o.Desc {
		for i := range key {
			key[i] = ^key[i]
		}
	}
	v, ok = readAscending(key[0], key[1:])
	return v, n, ok
}

// readAscending reads what follows the tag in an ascending key.
func readAscending(tag byte, b []byte) (Value, bool) {
	switch tag {
	case tagBool:
		return Bool(b[0] != 0), b[0] <= 1
	case tagNumber:
		return readNumber(b), true
	case tagID:
		return Value{kind: KindID, str: string(b)}, true
	}
	text, ok := readText(b)
	if !ok {
		return Null, false
	}
	switch tag {
	case tagString:
		return String(text), true
	case tagBytes:
		return Value{kind: KindBytes, str: text}, true
	}
	v, err := JSONFromMsgpack([]byte(text))
	return v, err == nil
}

func readNumber(b []byte) Value {
	bits := binary.BigEndian.Uint64(b)
	rest := int64(binary.BigEndian.Uint16(b[8:])) - 1<<15
	if bits>>63 == 1 {
		bits &^= 1 << 63
	} else {
		bits = ^bits
	}
	f := math.Float64frombits(bits)
	switch {
	case rest == 0 || math.IsNaN(f):
		return Float(f)
	case f == 1<<63:
		return Int(math.MaxInt64 + (rest + 1))
	}
	return Int(int64(f) + rest)
}

// readText undoes appendText.
func readText(b []byte) (string, bool) {
	var text []byte
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] != textEnd:
			text = append(text, b[i])
		case b[i+1] == textEndMark:
			return string(text), i+2 == len(b)
		case b[i+1] == textZeroMark:
			text = append(text, textEnd)
			i++
		default:
			return "", false
		}
	}
	return "", false
}

package msgpack

import "encoding/binary"

// Span returns the length of the item that b begins with, or 0 if b does not begin with
// a whole item. It looks at lengths only and not into strings, for walking through what
// was checked when it was written; Reader checks everything.
func Span(b []byte) int { return span(b, 0) }

func span(b []byte, depth int) int {
	if len(b) == 0 {
		return 0
	}
	size, items := 0, 0 // of the item's own bytes, and of the items in it
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0:
		return 1
	case c < 0x90:
		size, items = 1, 2*int(c&0x0f)
	case c < 0xa0:
		size, items = 1, int(c&0x0f)
	case c < 0xc0:
		size = 1 + int(c&0x1f)
	default:
		size, items = longSpan(b)
	}
	if size == 0 || size > len(b) || items > len(b)-size || items > 0 && depth > MaxDepth {
		return 0
	}
	for ; items > 0; items-- {
		n := span(b[size:], depth+1)
		if n == 0 {
			return 0
		}
		size += n
	}
	return size
}

// fixedSpans are the lengths of items whose first byte, from 0xc0, says all about it;
// 0 for the others.
var fixedSpans = [32]int{
	0x00: 1, 0x02: 1, 0x03: 1, // nil, false, true
	0x0a: 5, 0x0b: 9, // float
	0x0c: 2, 0x0d: 3, 0x0e: 5, 0x0f: 9, // uint
	0x10: 2, 0x11: 3, 0x12: 5, 0x13: 9, // int
	0x14: 3, 0x15: 4, 0x16: 6, 0x17: 10, 0x18: 18, // ext of 1 to 16 bytes
}

// longSpan is span for items that begin with 0xc0 to 0xdf.
func longSpan(b []byte) (size, items int) {
	c := b[0]
	if n := fixedSpans[c-0xc0]; n > 0 {
		return n, 0
	}
	switch c {
	case 0xc4, 0xd9:
		return 2 + lengthAt(b, 1), 0
	case 0xc5, 0xda:
		return 3 + lengthAt(b, 2), 0
	case 0xc6, 0xdb:
		return 5 + lengthAt(b, 4), 0
	case 0xc7:
		return 3 + lengthAt(b, 1), 0
	case 0xc8:
		return 4 + lengthAt(b, 2), 0
	case 0xc9:
		return 6 + lengthAt(b, 4), 0
	case 0xdc:
		return 3, lengthAt(b, 2)
	case 0xdd:
		return 5, lengthAt(b, 4)
	case 0xde:
		return 3, 2 * lengthAt(b, 2)
	case 0xdf:
		return 5, 2 * lengthAt(b, 4)
	}
	return 0, 0
}

// lengthAt reads the length of n bytes behind the first byte; where they are missing it
// is more than b holds.
func lengthAt(b []byte, n int) int {
	if len(b) < 1+n {
		return len(b)
	}
	switch n {
	case 1:
		return int(b[1])
	case 2:
		return int(binary.BigEndian.Uint16(b[1:]))
	}
	return int(min(binary.BigEndian.Uint32(b[1:]), 1<<30))
}

package main

import (
	"bytes"
	"errors"
	"fmt"
)

// errFormat is wrapped by the errors for binaries that are not what Strip expects.
var errFormat = errors.New("not a Go WebAssembly binary of a known form")

// Sections of a module that matter here.
const (
	sectionCustom = 0
	sectionData   = 11
)

// header is the magic number and version that open a module.
var header = []byte("\x00asm\x01\x00\x00\x00")

type section struct {
	id      byte
	payload []byte
}

// cursor reads a module; the first error stays.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail() {
	if c.err == nil {
		c.err = fmt.Errorf("%w: truncated", errFormat)
	}
	c.b = nil
}

func (c *cursor) byte() byte {
	if len(c.b) == 0 {
		c.fail()
		return 0
	}
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	x := c.b[:n]
	c.b = c.b[n:]
	return x
}

// unsigned and signed read LEB128 numbers.
func (c *cursor) unsigned() (v uint64) {
	for shift := 0; shift < 64; shift += 7 {
		x := c.byte()
		v |= uint64(x&0x7f) << shift
		if x < 0x80 {
			return v
		}
	}
	c.fail()
	return 0
}

func (c *cursor) signed() (v int64) {
	for shift := 0; shift < 64; {
		x := c.byte()
		v |= int64(x&0x7f) << shift
		shift += 7
		if x < 0x80 {
			if x&0x40 != 0 && shift < 64 {
				v -= 1 << shift
			}
			return v
		}
	}
	c.fail()
	return 0
}

func appendUnsigned(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendSigned(b []byte, v int64) []byte {
	for {
		x := byte(v & 0x7f)
		v >>= 7
		if v == 0 && x&0x40 == 0 || v == -1 && x&0x40 != 0 {
			return append(b, x)
		}
		b = append(b, x|0x80)
	}
}

func readSections(module []byte) ([]section, error) {
	if !bytes.HasPrefix(module, header) {
		return nil, fmt.Errorf("%w: no WebAssembly header", errFormat)
	}
	c := &cursor{b: module[len(header):]}
	var list []section
	for len(c.b) > 0 && c.err == nil {
		id := c.byte()
		list = append(list, section{id, c.take(c.unsigned())})
	}
	return list, c.err
}

func appendSections(list []section) []byte {
	out := bytes.Clone(header)
	for _, s := range list {
		out = append(out, s.id)
		out = appendUnsigned(out, uint64(len(s.payload)))
		out = append(out, s.payload...)
	}
	return out
}

// Opcodes of the expressions that place a segment.
const (
	opI32Const = 0x41
	opEnd      = 0x0b
)

// maxMemory bounds the initial memory that a data section may describe.
const maxMemory = 256 << 20

// readData returns the memory that a data section initialises, from address 0.
func readData(payload []byte) ([]byte, error) {
	c := &cursor{b: payload}
	var memory []byte
	for n := c.unsigned(); n > 0 && c.err == nil; n-- {
		if flags := c.unsigned(); flags != 0 || c.byte() != opI32Const {
			return nil, fmt.Errorf("%w: a data segment that is not active", errFormat)
		}
		at := c.signed()
		if c.byte() != opEnd {
			return nil, fmt.Errorf("%w: a data segment with a computed place", errFormat)
		}
		data := c.take(c.unsigned())
		end := at + int64(len(data))
		if at < 0 || end > maxMemory {
			return nil, fmt.Errorf("%w: a data segment at %d", errFormat, at)
		}
		if int(end) > len(memory) {
			memory = append(memory, make([]byte, int(end)-len(memory))...)
		}
		copy(memory[at:], data)
	}
	return memory, c.err
}

// gap is how many zeros end a segment. Shorter runs compress to less than a segment's
// header costs.
const gap = 512

// appendData writes memory as a data section.
func appendData(memory []byte) []byte {
	var segments []byte
	count := uint64(0)
	zeros := make([]byte, gap)
	for at := 0; at < len(memory); {
		if memory[at] == 0 {
			at++
			continue
		}
		end := len(memory)
		if i := bytes.Index(memory[at:], zeros); i >= 0 {
			end = at + i
		}
		data := bytes.TrimRight(memory[at:end], "\x00")
		segments = append(segments, 0, opI32Const)
		segments = appendSigned(segments, int64(at))
		segments = append(segments, opEnd)
		segments = appendUnsigned(segments, uint64(len(data)))
		segments = append(segments, data...)
		count++
		at = end
	}
	return append(appendUnsigned(nil, count), segments...)
}

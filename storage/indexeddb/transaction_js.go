//go:build js && wasm

package indexeddb

import (
	"encoding/binary"
	"errors"
	"math"
	"syscall/js"

	"github.com/ankurah-go/ankurah/storage/indexeddb/internal/paged"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// The format of bridge.js, which has the other half.
const (
	opGet    = 1
	opScan   = 2
	opCheck  = 3
	opPut    = 4
	opDelete = 5
	opClear  = 6

	scanKeysOnly = 1

	absent = math.MaxUint32
)

// operations packs a transaction for bridge.js.
type operations []byte

func (o *operations) length(n int) { *o = binary.LittleEndian.AppendUint32(*o, uint32(n)) }

// bytes appends a length and bytes; nil means that there are none, which is not the
// same as empty.
func (o *operations) bytes(b []byte) {
	if b == nil {
		o.length(absent)
		return
	}
	o.length(len(b))
	*o = append(*o, b...)
}

func (o *operations) op(code byte, args ...[]byte) {
	*o = append(*o, code)
	for _, b := range args {
		o.bytes(b)
	}
}

// pack packs a transaction, but for the values to be put that are large: those cross one
// by one, which saves two copies of each.
func pack(t *paged.Transaction) (operations, js.Value) {
	o := make(operations, 0, packedSize(t))
	values := js.Undefined()
	for _, c := range t.Checks {
		o.op(opCheck, c.Key, c.Value)
	}
	for _, key := range t.Gets {
		o.op(opGet, key)
	}
	for _, s := range t.Scans {
		o.op(opScan)
		var flags byte
		if s.KeysOnly {
			flags = scanKeysOnly
		}
		o = append(o, flags)
		o.bytes(s.Start)
		o.bytes(s.End)
	}
	for _, s := range t.Clears {
		o.op(opClear, s.Start, s.End)
	}
	for _, key := range t.Deletes {
		o.op(opDelete, key)
	}
	for _, p := range t.Puts {
		if len(p.Value) < largeValue {
			o.op(opPut, p.Key, present(p.Value))
			continue
		}
		o.op(opPut, p.Key, nil)
		if values.IsUndefined() {
			values = js.Global().Get("Array").New()
		}
		values.Call("push", bytesToJS(p.Value))
	}
	return o, values
}

// present returns an empty value in place of nil, which stands for a large one.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// largeValue is the size from which on a value is worth a call of its own.
const largeValue = 4 << 10

// packedSize is about the size of the operations.
func packedSize(t *paged.Transaction) int {
	n := 64 * (len(t.Checks) + len(t.Gets) + len(t.Scans) + len(t.Clears) + len(t.Deletes))
	for _, p := range t.Puts {
		n += 16 + len(p.Key)
		if len(p.Value) < largeValue {
			n += len(p.Value)
		}
	}
	return n
}

// bytesToJS returns bytes as a Uint8Array.
func bytesToJS(b []byte) js.Value {
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}

var errBadReply = errors.New("indexeddb: malformed reply of the bridge")

// unpack reads the results of a transaction. They are copies, so that one that is kept
// does not keep all others.
func unpack(t *paged.Transaction, packed []byte) (*paged.Results, error) {
	in := reply{rest: packed}
	r := &paged.Results{
		Values: make([][]byte, len(t.Gets)),
		Scans:  make([][]kv.Pair, len(t.Scans)),
	}
	for i := range r.Values {
		r.Values[i] = in.bytes()
	}
	for i := range r.Scans {
		n := in.length()
		for range n {
			if in.bad {
				break
			}
			r.Scans[i] = append(r.Scans[i], kv.Pair{Key: in.bytes(), Value: in.bytes()})
		}
	}
	if in.bad || len(in.rest) > 0 {
		return nil, errBadReply
	}
	return r, nil
}

type reply struct {
	rest []byte
	bad  bool // something was not there
}

func (r *reply) length() uint32 {
	if len(r.rest) < 4 {
		r.bad = true
		return 0
	}
	n := binary.LittleEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return n
}

// bytes returns a copy of the next bytes, nil where they are absent.
func (r *reply) bytes() []byte {
	n := r.length()
	if n == absent {
		return nil
	}
	if uint64(n) > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := append(make([]byte, 0, n), r.rest[:n]...)
	r.rest = r.rest[n:]
	return b
}

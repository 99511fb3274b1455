//go:build js && wasm

package indexeddb

import (
	"encoding/binary"
	"errors"
	"math"
	"syscall/js"
)

// The format of bridge.js, which has the other half.
const (
	opGet    = 1
	opScan   = 2
	opCheck  = 3
	opPut    = 4
	opDelete = 5
	opClear  = 6

	scanReverse  = 1
	scanKeysOnly = 2

	absent = math.MaxUint32
)

// transaction is a list of operations, packed for bridge.js, that are carried out
// together or not at all. The reply holds the results of its gets and scans in order.
type transaction struct {
	operations []byte
	writes     bool
}

func (t *transaction) length(n int) {
	t.operations = binary.LittleEndian.AppendUint32(t.operations, uint32(n))
}

// slice appends bytes; nil means that there are none, which is not the same as empty.
func (t *transaction) slice(b []byte) {
	if b == nil {
		t.length(absent)
		return
	}
	t.length(len(b))
	t.operations = append(t.operations, b...)
}

func (t *transaction) op(code byte) { t.operations = append(t.operations, code) }

func (t *transaction) get(key []byte) {
	t.op(opGet)
	t.slice(key)
}

// scan asks for the pairs with start <= key < end, at most limit if that is positive.
func (t *transaction) scan(start, end []byte, flags byte, limit int) {
	t.op(opScan)
	t.op(flags)
	t.length(max(0, limit))
	t.slice(start)
	t.slice(end)
}

// check lets the transaction fail with storage.ErrConflict unless the value under key
// is want.
func (t *transaction) check(key, want []byte) {
	t.op(opCheck)
	t.slice(key)
	t.slice(want)
}

func (t *transaction) put(key, value []byte) {
	t.writes = true
	t.op(opPut)
	t.slice(key)
	t.length(len(value))
	t.operations = append(t.operations, value...)
}

func (t *transaction) delete(key []byte) {
	t.writes = true
	t.op(opDelete)
	t.slice(key)
}

// javaScript returns the operations as a Uint8Array.
func (t *transaction) javaScript() js.Value {
	array := js.Global().Get("Uint8Array").New(len(t.operations))
	js.CopyBytesToJS(array, t.operations)
	return array
}

// reply reads the results of a transaction. What it returns are parts of its bytes,
// each with no room to grow.
type reply struct {
	bytes []byte
	bad   bool
}

var errBadReply = errors.New("indexeddb: malformed reply of the bridge")

func (r *reply) length() uint32 {
	if len(r.bytes) < 4 {
		r.bad = true
		return 0
	}
	n := binary.LittleEndian.Uint32(r.bytes)
	r.bytes = r.bytes[4:]
	return n
}

// slice returns the next bytes, nil where they are absent.
func (r *reply) slice() []byte {
	n := r.length()
	if n == absent {
		return nil
	}
	if uint64(n) > uint64(len(r.bytes)) {
		r.bad = true
		return nil
	}
	b := r.bytes[:n:n]
	r.bytes = r.bytes[n:]
	return b
}

// err says whether everything could be read and nothing is left.
func (r *reply) err() error {
	if r.bad || len(r.bytes) > 0 {
		return errBadReply
	}
	return nil
}

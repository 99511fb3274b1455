package paged

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/storage"
)

// block is a list of entries in ascending order of key, each key once. It is not
// changed after it was made.
type block struct {
	data    []byte   // entries, packed; those that count are at offsets
	offsets []uint32 // in ascending order of key
}

// appendEntry packs an entry; value is nil for a deletion.
func appendEntry(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	dst = append(dst, key...)
	if value == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(value))+1)
	return append(dst, value...)
}

// entrySize returns how many bytes appendEntry appends.
func entrySize(key, value []byte) int {
	n := uvarintSize(uint64(len(key))) + len(key)
	if value == nil {
		return n + 1
	}
	return n + uvarintSize(uint64(len(value))+1) + len(value)
}

func uvarintSize(x uint64) int {
	n := 1
	for ; x >= 0x80; x >>= 7 {
		n++
	}
	return n
}

var errMalformed = errors.New("malformed entry")

// nextEntry unpacks the first entry of data; value is nil for a deletion.
func nextEntry(data []byte) (key, value, rest []byte, err error) {
	key, rest, err = lengthPrefixed(data, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(rest) > 0 && rest[0] == 0 {
		return key, nil, rest[1:], nil
	}
	value, rest, err = lengthPrefixed(rest, 1)
	return key, value, rest, err
}

func lengthPrefixed(data []byte, bias uint64) (b, rest []byte, err error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n-bias > uint64(len(data)-size) {
		return nil, nil, errMalformed
	}
	end := size + int(n-bias)
	return data[size:end:end], data[end:], nil
}

// parsePage makes a block of a page's entries.
func parsePage(data []byte) (*block, error) {
	b, sorted, err := parse(data)
	if err == nil && !sorted {
		err = errors.New("entries out of order")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: page: %w", storage.ErrCorrupt, err)
	}
	return b, nil
}

// parseLog makes a block of a log record's entries, of which later ones win.
func parseLog(data []byte) (*block, error) {
	b, sorted, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: log: %w", storage.ErrCorrupt, err)
	}
	if !sorted {
		b.sort()
	}
	return b, nil
}

// parse finds the entries, and reports whether their keys ascend strictly.
func parse(data []byte) (b *block, sorted bool, err error) {
	if uint64(len(data)) > math.MaxUint32 {
		return nil, false, errMalformed
	}
	b, sorted = &block{data: data}, true
	var last []byte
	for rest := data; len(rest) > 0; {
		at := uint32(len(data) - len(rest))
		var key []byte
		if key, _, rest, err = nextEntry(rest); err != nil {
			return nil, false, err
		}
		sorted = sorted && (len(b.offsets) == 0 || bytes.Compare(last, key) < 0)
		b.offsets = append(b.offsets, at)
		last = key
	}
	return b, sorted, nil
}

// sort puts the offsets in order and leaves of equal keys the last.
func (b *block) sort() {
	slices.SortStableFunc(b.offsets, func(x, y uint32) int { return bytes.Compare(keyAt(b.data, x), keyAt(b.data, y)) })
	kept := b.offsets[:0]
	for i, at := range b.offsets {
		if i+1 < len(b.offsets) && bytes.Equal(keyAt(b.data, at), keyAt(b.data, b.offsets[i+1])) {
			continue
		}
		kept = append(kept, at)
	}
	b.offsets = kept
}

// keyAt returns the key of an entry that is known to be well formed.
func keyAt(data []byte, at uint32) []byte {
	data = data[at:]
	if n := data[0]; n < 0x80 { // most keys are short, and this is where searches spend their time
		return data[1 : 1+n : 1+n]
	}
	n, size := binary.Uvarint(data)
	return data[size : size+int(n) : size+int(n)]
}

func (b *block) len() int { return len(b.offsets) }

// size is about how much memory the block takes.
func (b *block) size() int { return len(b.data) + 4*len(b.offsets) }

func (b *block) key(i int) []byte { return keyAt(b.data, b.offsets[i]) }

// firstKey returns the least key, nil if there is none.
func (b *block) firstKey() []byte {
	if b.len() == 0 {
		return nil
	}
	return b.key(0)
}

// entry returns the i-th entry; value is nil for a deletion.
func (b *block) entry(i int) (key, value []byte) {
	key, value, _, _ = nextEntry(b.data[b.offsets[i]:])
	return key, value
}

// seek returns the number of entries whose keys are less than key; near is a guess.
func (b *block) seek(key []byte, near int) int {
	lo, hi := 0, len(b.offsets)
	// Calls often come in order of key: look around the guess, further and further.
	if near < hi {
		if bytes.Compare(b.key(near), key) < 0 {
			lo = near + 1
			for step := 1; lo+step < hi; step *= 4 {
				if bytes.Compare(b.key(lo+step), key) >= 0 {
					hi = lo + step
					break
				}
				lo += step + 1
			}
		} else {
			hi = near
			if near > 0 && bytes.Compare(b.key(near-1), key) < 0 {
				lo = near
			}
		}
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return bytes.Compare(b.key(lo+i), key) >= 0 })
}

// find looks for key; near as in seek. It returns where it looked.
func (b *block) find(key []byte, near int) (value []byte, found bool, at int) {
	at = b.seek(key, near)
	if at < len(b.offsets) && bytes.Equal(b.key(at), key) {
		_, value = b.entry(at)
		return value, true, at
	}
	return nil, false, at
}

// merged returns one block with the entries of both, newer's where keys are equal.
func merged(older, newer *block) *block {
	m := &block{
		data:    make([]byte, 0, len(older.data)+len(newer.data)),
		offsets: make([]uint32, 0, len(older.offsets)+len(newer.offsets)),
	}
	i, j := 0, 0
	for i < older.len() || j < newer.len() {
		c := -1
		if i == older.len() {
			c = 1
		} else if j < newer.len() {
			c = bytes.Compare(older.key(i), newer.key(j))
		}
		if c < 0 {
			m.add(older.entry(i))
			i++
			continue
		}
		m.add(newer.entry(j))
		j++
		if c == 0 {
			i++
		}
	}
	return m
}

// add appends an entry whose key is greater than all others, while the block is made.
func (b *block) add(key, value []byte) {
	b.offsets = append(b.offsets, uint32(len(b.data)))
	b.data = appendEntry(b.data, key, value)
}

package paged

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// directory knows which page has which keys. It is not changed after it was made.
type directory struct {
	lows [][]byte // ascending; the first is empty (P1)
}

func (d *directory) len() int { return len(d.lows) }

// locate returns the page of a key, or -1 if there are no pages.
func (d *directory) locate(key []byte) int {
	return sort.Search(len(d.lows), func(i int) bool { return bytes.Compare(d.lows[i], key) > 0 }) - 1
}

// has reports whether page i is the one of a key.
func (d *directory) has(i int, key []byte) bool {
	high := d.high(i)
	return bytes.Compare(d.lows[i], key) <= 0 && (high == nil || bytes.Compare(key, high) < 0)
}

// span returns the pages first to last that have keys k with start <= k < end, nil
// being no bound; last < first if there are none.
func (d *directory) span(start, end []byte) (first, last int) {
	first, last = d.locate(start), d.len()-1
	if end != nil {
		last = sort.Search(len(d.lows), func(i int) bool { return bytes.Compare(d.lows[i], end) >= 0 }) - 1
	}
	return max(0, first), last
}

// high returns the key that ends page i, nil if nothing does.
func (d *directory) high(i int) []byte {
	if i+1 < len(d.lows) {
		return d.lows[i+1]
	}
	return nil
}

// replaced returns the directory with other lows in place of pages first to last.
func (d *directory) replaced(first, last int, lows [][]byte) *directory {
	next := make([][]byte, 0, len(d.lows)-(last-first+1)+len(lows))
	next = append(next, d.lows[:first]...)
	next = append(next, lows...)
	next = append(next, d.lows[last+1:]...)
	return &directory{next}
}

// append packs the directory: length and bytes of each low.
func (d *directory) append(dst []byte) []byte {
	for _, low := range d.lows {
		dst = append(binary.AppendUvarint(dst, uint64(len(low))), low...)
	}
	return dst
}

func parseDirectory(data []byte) (*directory, error) {
	d := &directory{}
	for len(data) > 0 {
		low, rest, err := lengthPrefixed(data, 0)
		if err != nil {
			return nil, fmt.Errorf("%w: directory: %w", storage.ErrCorrupt, err)
		}
		d.lows = append(d.lows, low)
		data = rest
	}
	return d, d.validate()
}

// directoryOf returns the directory of pages that a scan found.
func directoryOf(pages []kv.Pair) (*directory, error) {
	d := &directory{lows: make([][]byte, len(pages))}
	for i, p := range pages {
		d.lows[i] = p.Key[1:]
	}
	return d, d.validate()
}

func (d *directory) validate() error {
	var err error
	for i, low := range d.lows {
		switch {
		case i == 0 && len(low) > 0:
			err = errors.New("the first page is missing") // P1
		case i > 0 && bytes.Compare(d.lows[i-1], low) >= 0:
			err = errors.New("lows out of order")
		}
	}
	if err != nil {
		return fmt.Errorf("%w: directory: %w", storage.ErrCorrupt, err)
	}
	return nil
}

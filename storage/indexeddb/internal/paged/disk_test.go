package paged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// memoryDisk is a disk that fails on command.
type memoryDisk struct {
	mu           sync.Mutex
	records      map[string][]byte
	transactions int
	written      int // bytes
	read         int // values

	// fault, if not nil, decides about the n-th transaction: with an error it fails, and
	// with applied it has been carried out all the same.
	fault func(n int, t *Transaction) (applied bool, err error)
}

func newMemoryDisk() *memoryDisk { return &memoryDisk{records: map[string][]byte{}} }

func (d *memoryDisk) setFault(f func(n int, t *Transaction) (applied bool, err error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

func (d *memoryDisk) keys(s Span) []string {
	var keys []string
	for k := range d.records {
		if k >= string(s.Start) && k < string(s.End) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

func (d *memoryDisk) Transact(ctx context.Context, t *Transaction) (*Results, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.transactions++
	for _, c := range t.Checks {
		v, ok := d.records[string(c.Key)]
		if ok != (c.Value != nil) || !bytes.Equal(v, c.Value) {
			return nil, storage.ErrConflict
		}
	}
	if d.fault != nil {
		if applied, err := d.fault(d.transactions, t); err != nil {
			if applied {
				d.write(t)
			}
			return nil, err
		}
	}
	r := &Results{}
	for _, key := range t.Gets {
		r.Values = append(r.Values, bytes.Clone(d.records[string(key)]))
		d.read++
	}
	for _, s := range t.Scans {
		pairs := []kv.Pair{}
		for _, k := range d.keys(s.Span) {
			p := kv.Pair{Key: []byte(k)}
			if !s.KeysOnly {
				p.Value = bytes.Clone(d.records[k])
			}
			pairs = append(pairs, p)
		}
		r.Scans = append(r.Scans, pairs)
	}
	d.write(t)
	return r, nil
}

func (d *memoryDisk) write(t *Transaction) {
	for _, s := range t.Clears {
		for _, k := range d.keys(s) {
			delete(d.records, k)
		}
	}
	for _, k := range t.Deletes {
		delete(d.records, string(k))
	}
	for _, p := range t.Puts {
		d.records[string(p.Key)] = append([]byte{}, p.Value...)
		d.written += len(p.Value)
	}
}

func (d *memoryDisk) Close() error { return nil }

// count returns how many records and bytes a space has.
func (d *memoryDisk) count(s Span) (records, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.keys(s) {
		records++
		size += len(d.records[k])
	}
	return records, size
}

// verify holds the disk against the layout: page bounds, order, and P1.
func (d *memoryDisk) verify(maxPage int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	lows := d.keys(allPages)
	if packed := d.records[string(dirKey)]; packed != nil {
		listed, err := parseDirectory(packed)
		if err != nil {
			return err
		}
		if len(listed.lows) != len(lows) {
			return fmt.Errorf("the directory lists %d pages of %d", len(listed.lows), len(lows))
		}
		for i, low := range listed.lows {
			if lows[i][1:] != string(low) {
				return fmt.Errorf("the directory lists %x for %x", low, lows[i][1:])
			}
		}
	}
	for i, k := range lows {
		low, high := []byte(k[1:]), []byte(nil)
		if i == 0 && len(low) > 0 {
			return fmt.Errorf("the first page has the low %x", low)
		}
		if i+1 < len(lows) {
			high = []byte(lows[i+1][1:])
		}
		b, err := parsePage(d.records[k])
		if err != nil {
			return fmt.Errorf("page %x: %w", low, err)
		}
		if b.len() == 0 && i > 0 {
			return fmt.Errorf("page %x is empty", low)
		}
		if len(b.data) > maxPage && b.len() > 1 {
			return fmt.Errorf("page %x has %d bytes", low, len(b.data))
		}
		for j := range b.len() {
			key, value := b.entry(j)
			if bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
				return fmt.Errorf("page [%x, %x) has the key %x", low, high, key)
			}
			if value == nil {
				return fmt.Errorf("page %x has a deletion", low)
			}
		}
	}
	return nil
}

var errFault = errors.New("fault")

// lost is a transaction whose outcome is unknown.
var errLost = fmt.Errorf("%w: %w", storage.ErrUnavailable, errFault)

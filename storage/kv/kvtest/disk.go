package kvtest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Disk is an ordered map from which stores read and write; closing a store, or
// dropping it, loses nothing that it committed.
type Disk struct {
	mu struct {
		sync.RWMutex
		keys   []string // ascending
		values map[string][]byte
	}
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	d := &Disk{}
	d.mu.values = map[string][]byte{}
	return d
}

// Open returns a store over the disk. It is a kv.Viewer as well.
func (d *Disk) Open() kv.Store { return &memory{disk: d} }

// Copy returns a disk with what is on this one at the moment.
func (d *Disk) Copy() *Disk {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := NewDisk()
	c.mu.keys, c.mu.values = slices.Clone(d.mu.keys), maps.Clone(d.mu.values)
	return c
}

// Plain returns a store that has no powers but those of kv.Store.
func Plain(s kv.Store) kv.Store { return struct{ kv.Store }{s} }

// memory is one opening of a disk. closed is guarded by the disk's lock.
type memory struct {
	disk   *Disk
	closed bool
}

// read takes the disk's lock for reading; unless it fails, the caller releases it.
func (m *memory) read(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.disk.mu.RLock()
	if m.closed {
		m.disk.mu.RUnlock()
		return storage.ErrClosed
	}
	return nil
}

// Get implements kv.Store.
func (m *memory) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	if err := m.read(ctx); err != nil {
		return nil, err
	}
	defer m.disk.mu.RUnlock()
	return reader{m.disk}.Get(keys)
}

// Scan implements kv.Store.
func (m *memory) Scan(ctx context.Context, r kv.Range, limit int) (pairs []kv.Pair, err error) {
	if err := m.read(ctx); err != nil {
		return nil, err
	}
	defer m.disk.mu.RUnlock()
	err = reader{m.disk}.Visit(r, limit, func(key, value []byte) bool {
		pairs = append(pairs, kv.Pair{Key: key, Value: bytes.Clone(value)})
		return len(pairs) != limit
	})
	return pairs, err
}

// View implements kv.Viewer.
func (m *memory) View(ctx context.Context, read func(kv.Reader) error) error {
	if err := m.read(ctx); err != nil {
		return err
	}
	defer m.disk.mu.RUnlock()
	return read(reader{m.disk})
}

// reader reads a disk whose lock is held.
type reader struct{ disk *Disk }

// Get implements kv.Reader.
func (r reader) Get(keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = bytes.Clone(r.disk.mu.values[string(key)])
	}
	return values, nil
}

// Visit implements kv.Reader.
func (r reader) Visit(within kv.Range, _ int, visit func(key, value []byte) bool) error {
	for _, key := range r.disk.withinLocked(within) {
		if !visit([]byte(key), r.disk.mu.values[key]) {
			break
		}
	}
	return nil
}

// withinLocked returns the keys of the range in the order of reading.
func (d *Disk) withinLocked(r kv.Range) iter.Seq2[int, string] {
	from := sort.SearchStrings(d.mu.keys, string(r.Start))
	to := len(d.mu.keys)
	if r.End != nil {
		to = max(from, sort.SearchStrings(d.mu.keys, string(r.End)))
	}
	if r.Reverse {
		return slices.Backward(d.mu.keys[from:to])
	}
	return slices.All(d.mu.keys[from:to])
}

// Commit implements kv.Store.
func (m *memory) Commit(ctx context.Context, w *kv.Writes) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := m.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.closed {
		return storage.ErrClosed
	}
	for _, c := range w.Checks {
		stored, found := d.mu.values[string(c.Key)]
		if found != (c.Value != nil) || !bytes.Equal(stored, c.Value) {
			return fmt.Errorf("%w: key %x", storage.ErrConflict, c.Key)
		}
	}
	for _, p := range w.Puts {
		d.putLocked(string(p.Key), p.Value)
	}
	for _, key := range w.Deletes {
		d.deleteLocked(string(key))
	}
	return nil
}

func (d *Disk) putLocked(key string, value []byte) {
	if _, found := d.mu.values[key]; !found {
		i := sort.SearchStrings(d.mu.keys, key)
		d.mu.keys = slices.Insert(d.mu.keys, i, key)
	}
	d.mu.values[key] = append([]byte{}, value...)
}

func (d *Disk) deleteLocked(key string) {
	if _, found := d.mu.values[key]; found {
		i := sort.SearchStrings(d.mu.keys, key)
		d.mu.keys = slices.Delete(d.mu.keys, i, i+1)
		delete(d.mu.values, key)
	}
}

// Close implements kv.Store.
func (m *memory) Close() error {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.closed = true
	return nil
}

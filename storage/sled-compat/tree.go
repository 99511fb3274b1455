package sledcompat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Tree is an ordered map from keys to values, compared as bytes. It is a name: any
// number of Trees may stand for one.
type Tree struct {
	db     *DB
	prefix []byte // of its keys in Pebble: the name's length, and the name
}

// Name returns the tree's name.
func (t *Tree) Name() string { return string(t.prefix[1:]) }

// Get returns the value under key, which is the caller's, or nil if there is none.
func (t *Tree) Get(key []byte) ([]byte, error) {
	if err := t.db.enter(); err != nil {
		return nil, err
	}
	defer t.db.leave()
	value, err := t.get(t.db.pebble, key)
	return value, classify(err)
}

// GetMany returns the values under the given keys, all of one moment, nil where there
// is none.
func (t *Tree) GetMany(keys [][]byte) ([][]byte, error) {
	if err := t.db.enter(); err != nil {
		return nil, err
	}
	defer t.db.leave()
	if len(keys) == 1 {
		return t.getMany(t.db.pebble, keys)
	}
	snapshot := t.db.pebble.NewSnapshot()
	defer snapshot.Close()
	return t.getMany(snapshot, keys)
}

func (t *Tree) getMany(r reader, keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		value, err := t.get(r, key)
		if err != nil {
			return nil, classify(err)
		}
		values[i] = value
	}
	return values, nil
}

// reader is what a database and a snapshot of it have in common.
type reader interface {
	Get(key []byte) (value []byte, closer io.Closer, err error)
	NewIter(o *pebble.IterOptions) (*pebble.Iterator, error)
}

func (t *Tree) get(r reader, key []byte) ([]byte, error) {
	stored, closer, err := r.Get(t.key(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value := append(make([]byte, 0, len(stored)), stored...)
	return value, closer.Close()
}

func (t *Tree) key(key []byte) []byte {
	return append(append(make([]byte, 0, len(t.prefix)+len(key)), t.prefix...), key...)
}

// Range calls visit for the tree's keys within r, in its order and all of one moment,
// until visit returns false. Key and value are valid during the call only, which must
// not call the database.
func (t *Tree) Range(r kv.Range, visit func(key, value []byte) bool) error {
	if err := t.db.enter(); err != nil {
		return err
	}
	defer t.db.leave()
	return t.visit(t.db.pebble, r, visit)
}

func (t *Tree) visit(from reader, r kv.Range, visit func(key, value []byte) bool) error {
	bounds := &pebble.IterOptions{LowerBound: t.key(r.Start), UpperBound: prefixEnd(t.prefix)}
	if r.End != nil {
		bounds.UpperBound = t.key(r.End)
	}
	if bytes.Compare(bounds.LowerBound, bounds.UpperBound) >= 0 {
		return nil
	}
	it, err := from.NewIter(bounds)
	if err != nil {
		return classify(err)
	}
	first, next := it.First, it.Next
	if r.Reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return classify(errors.Join(err, it.Close()))
		}
		if !visit(it.Key()[len(t.prefix):], value) {
			break
		}
	}
	return classify(errors.Join(it.Error(), it.Close()))
}

// view is a tree at one moment.
type view struct {
	tree     *Tree
	snapshot *pebble.Snapshot
}

// Get implements kv.Reader.
func (v view) Get(keys [][]byte) ([][]byte, error) { return v.tree.getMany(v.snapshot, keys) }

// Visit implements kv.Reader.
func (v view) Visit(r kv.Range, _ int, visit func(key, value []byte) bool) error {
	return v.tree.visit(v.snapshot, r, visit)
}

// Insert sets the value under key. It returns when the change is on disk.
func (t *Tree) Insert(key, value []byte) error {
	return t.apply(&kv.Writes{Puts: []kv.Pair{{Key: key, Value: value}}})
}

// Remove removes key, if it is there. It returns when the change is on disk.
func (t *Tree) Remove(key []byte) error {
	return t.apply(&kv.Writes{Deletes: [][]byte{key}})
}

// CompareAndSwap sets the value under key, or removes it if value is nil, provided that
// the one stored is old, or that there is none if old is nil; else it returns
// storage.ErrConflict.
func (t *Tree) CompareAndSwap(key, old, value []byte) error {
	b := Batch{}
	b.Expect(key, old)
	if value == nil {
		b.Remove(key)
	} else {
		b.Insert(key, value)
	}
	return t.Apply(&b)
}

// Batch is a set of changes to one tree. The zero value is empty. It keeps the slices
// that it is given.
type Batch struct{ writes kv.Writes }

// Insert adds that key has a value. A key is changed once in a batch.
func (b *Batch) Insert(key, value []byte) {
	b.writes.Puts = append(b.writes.Puts, kv.Pair{Key: key, Value: value})
}

// Remove adds that key is removed.
func (b *Batch) Remove(key []byte) { b.writes.Deletes = append(b.writes.Deletes, key) }

// Expect adds a condition: the value stored is this one, or none if value is nil.
func (b *Batch) Expect(key, value []byte) {
	b.writes.Checks = append(b.writes.Checks, kv.Check{Key: key, Value: value})
}

// Apply makes the batch's changes, all or none, and returns when they are on disk. It
// returns storage.ErrConflict when a condition does not hold.
func (t *Tree) Apply(b *Batch) error { return t.apply(&b.writes) }

func (t *Tree) apply(w *kv.Writes) error {
	db := t.db
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	batch := db.pebble.NewBatch()
	if err := t.fill(batch, w); err != nil {
		return errors.Join(err, batch.Close())
	}
	if err := db.space.check(batch.Len()); err != nil {
		return errors.Join(err, batch.Close())
	}
	if err := t.enterMemory(batch, w.Checks); err != nil {
		return err // the batch may be in the log's queue; it is left to the collector
	}
	if err := batch.SyncWait(); err != nil {
		return db.fail(err)
	}
	return batch.Close()
}

func (t *Tree) fill(batch *pebble.Batch, w *kv.Writes) error {
	for _, p := range w.Puts {
		op := batch.SetDeferred(len(t.prefix)+len(p.Key), len(p.Value))
		copy(op.Key[copy(op.Key, t.prefix):], p.Key)
		copy(op.Value, p.Value)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	for _, key := range w.Deletes {
		op := batch.DeleteDeferred(len(t.prefix) + len(key))
		copy(op.Key[copy(op.Key, t.prefix):], key)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	return nil
}

// enterMemory checks the conditions and puts the batch into the log's queue and into
// memory, without waiting for the disk.
func (t *Tree) enterMemory(batch *pebble.Batch, checks []kv.Check) error {
	db := t.db
	db.commit.Lock()
	defer db.commit.Unlock()
	if failed := db.failed.Load(); failed != nil {
		return *failed
	}
	for _, c := range checks {
		if err := t.check(c); err != nil {
			return err
		}
	}
	err := catch(func() error { return db.pebble.ApplyNoSyncWait(batch, pebble.Sync) })
	if err != nil {
		return db.fail(err)
	}
	return nil
}

func (t *Tree) check(c kv.Check) error {
	stored, closer, err := t.db.pebble.Get(t.key(c.Key))
	if errors.Is(err, pebble.ErrNotFound) {
		if c.Value == nil {
			return nil
		}
		return conflict(c)
	}
	if err != nil {
		return classify(err)
	}
	equal := c.Value != nil && bytes.Equal(stored, c.Value)
	if err := closer.Close(); err != nil {
		return classify(err)
	}
	if !equal {
		return conflict(c)
	}
	return nil
}

func conflict(c kv.Check) error { return fmt.Errorf("%w: key %x", storage.ErrConflict, c.Key) }

// prefixEnd returns the first key after all that begin with prefix, whose first byte is
// the length of a name and so never 0xff.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i > 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	end[0]++
	return end[:1]
}

// store is a tree as a kv.Store that owns the database.
type store struct{ tree *Tree }

var _ interface {
	kv.Store
	kv.Viewer
} = (*store)(nil)

// Get implements kv.Store.
func (s *store) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.tree.GetMany(keys)
}

// Scan implements kv.Store.
func (s *store) Scan(ctx context.Context, r kv.Range, limit int) (pairs []kv.Pair, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.tree.Range(r, func(key, value []byte) bool {
		both := append(append(make([]byte, 0, len(key)+len(value)), key...), value...)
		pairs = append(pairs, kv.Pair{Key: both[:len(key):len(key)], Value: both[len(key):]})
		return len(pairs) != limit
	})
	return pairs, err
}

// View implements kv.Viewer.
func (s *store) View(ctx context.Context, read func(kv.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	db := s.tree.db
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	snapshot := db.pebble.NewSnapshot()
	err := read(view{s.tree, snapshot})
	return errors.Join(err, classify(snapshot.Close()))
}

// Commit implements kv.Store.
func (s *store) Commit(ctx context.Context, w *kv.Writes) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.tree.apply(w)
}

// Close implements kv.Store.
func (s *store) Close() error { return s.tree.db.Close() }

package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// indexState is where an index is in its life. The numbers are part of the layout.
type indexState uint64

const (
	building indexState = iota // commits maintain it, selections do not use it
	ready                      // it has every entry
	dropping                   // nobody maintains it; its entries are being removed
)

// index is one index of a collection.
type index struct {
	plan.Index
	number   uint32 // in the keys of its entries; never given again within the collection
	state    indexState
	declared bool // in the model; else made for a selection
	prefix   []byte
}

// entryKey returns the key of an entity's entry.
func (ix *index) entryKey(row ankql.Fields, e id.EntityID) []byte {
	key := make([]byte, len(ix.prefix), len(ix.prefix)+64)
	copy(key, ix.prefix)
	return ix.AppendKey(key, row, e)
}

// catalogue is the indexes of one collection as they are stored in one row. It is
// immutable: a change makes another, and is committed with a check of the row before.
type catalogue struct {
	collection string
	key        []byte // of the row
	raw        []byte // the row; nil if there is none
	next       uint32 // the number of the index that is made next
	indexes    []*index

	usable     []*plan.Index // those that selections may use
	maintained []*index      // those that commits maintain
}

// readCatalogue reads the row of a collection, nil for none.
func readCatalogue(collection string, raw []byte) (*catalogue, error) {
	c := &catalogue{collection: collection, key: catalogueKey(collection), raw: raw}
	if raw == nil {
		return c, nil
	}
	r := msgpack.NewReader(raw)
	r.Array(2)
	c.next = uint32(r.Uint())
	for range r.ArrayLen(maxIndexes) {
		c.indexes = append(c.indexes, readIndex(&r))
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: indexes of %s: %w", storage.ErrCorrupt, collection, err)
	}
	for _, ix := range c.indexes {
		ix.prefix = entryPrefix(collection, ix.number)
		if ix.state == ready {
			c.usable = append(c.usable, &ix.Index)
		}
		if ix.state != dropping {
			c.maintained = append(c.maintained, ix)
		}
	}
	return c, nil
}

// maxIndexes bounds the indexes of a collection, those that are being removed included.
const maxIndexes = 256

func readIndex(r *msgpack.Reader) *index {
	ix := &index{}
	r.Array(5)
	ix.number, ix.state, ix.declared = uint32(r.Uint()), indexState(r.Uint()), r.Bool()
	unique := r.Bool()
	var columns []plan.Column
	for range r.ArrayLen(ankql.MaxOrder) {
		var c plan.Column
		r.Array(3)
		for range r.ArrayLen(ankql.MaxSteps) {
			c.Path = append(c.Path, r.String())
		}
		c.Order = value.KeyOrder{Desc: r.Bool(), NullsFirst: r.Bool()}
		columns = append(columns, c)
	}
	ix.Index = *plan.NewIndex(columns)
	ix.Unique = unique
	if r.Err() == nil && ix.state > dropping {
		r.Fail(fmt.Errorf("index in state %d", ix.state))
	}
	return ix
}

// appendTo appends the row of the catalogue: [next, [[number, state, declared, unique,
// [[path, desc, nulls first], …]], …]].
func (c *catalogue) appendTo(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 2)
	dst = msgpack.AppendUint(dst, uint64(c.next))
	dst = msgpack.AppendArrayLen(dst, len(c.indexes))
	for _, ix := range c.indexes {
		dst = msgpack.AppendArrayLen(dst, 5)
		dst = msgpack.AppendUint(dst, uint64(ix.number))
		dst = msgpack.AppendUint(dst, uint64(ix.state))
		dst = msgpack.AppendBool(dst, ix.declared)
		dst = msgpack.AppendBool(dst, ix.Unique)
		dst = msgpack.AppendArrayLen(dst, len(ix.Columns))
		for _, column := range ix.Columns {
			dst = msgpack.AppendArrayLen(dst, 3)
			dst = msgpack.AppendArrayLen(dst, len(column.Path))
			for _, step := range column.Path {
				dst = msgpack.AppendString(dst, step)
			}
			dst = msgpack.AppendBool(dst, column.Order.Desc)
			dst = msgpack.AppendBool(dst, column.Order.NullsFirst)
		}
	}
	return dst
}

// changed returns a copy in which f has changed the indexes, which are copies too.
func (c *catalogue) changed(f func(next *catalogue)) *catalogue {
	next := &catalogue{collection: c.collection, next: c.next}
	for _, ix := range c.indexes {
		same := *ix
		next.indexes = append(next.indexes, &same)
	}
	f(next)
	return next
}

// find returns the index of the given name that is not being removed, or nil.
func (c *catalogue) find(name string) *index {
	for _, ix := range c.indexes {
		if ix.Name == name && ix.state != dropping {
			return ix
		}
	}
	return nil
}

// add makes an index, which is then being built, unless there are too many.
func (c *catalogue) add(ix *plan.Index, declared bool) {
	if len(c.indexes) < maxIndexes {
		c.indexes = append(c.indexes, &index{Index: *ix, number: c.next, declared: declared})
		c.next++
	}
}

// of returns the index that a plan walks.
func (c *catalogue) of(p *plan.Plan) *index {
	i := slices.IndexFunc(c.indexes, func(ix *index) bool { return &ix.Index == p.Index })
	return c.indexes[i]
}

// automatic returns how many indexes there are that nobody has declared.
func (c *catalogue) automatic() (n int) {
	for _, ix := range c.indexes {
		if !ix.declared && ix.state != dropping {
			n++
		}
	}
	return n
}

// catalogues remembers the catalogues read. A memory that is out of date is found out by
// whoever relies on it (K5).
type catalogues struct {
	mu struct {
		sync.Mutex
		known map[string]*catalogue
	}
}

func (cs *catalogues) init() { cs.mu.known = map[string]*catalogue{} }

// get returns the catalogue of the collection if it is remembered, else nil.
func (cs *catalogues) get(collection string) *catalogue {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.mu.known[collection]
}

func (cs *catalogues) put(c *catalogue) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.mu.known[c.collection] = c
}

// confirm remembers a catalogue that was taken to be so, and is, unless there is news.
func (cs *catalogues) confirm(c *catalogue) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.mu.known[c.collection] == nil {
		cs.mu.known[c.collection] = c
	}
}

func (cs *catalogues) forget(collection string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.mu.known, collection)
}

// learn remembers the catalogue that a row holds, and returns it. What the row leaves to
// be done is begun.
func (e *Engine) learn(collection string, raw []byte) (*catalogue, error) {
	if known := e.catalogues.get(collection); known != nil && isRow(known.raw, raw) {
		return known, nil
	}
	c, err := readCatalogue(collection, bytes.Clone(raw))
	if err != nil {
		return nil, err
	}
	e.catalogues.put(c)
	if len(c.indexes) > 0 {
		e.indexer.want(collection)
	}
	return c, nil
}

// isRow reports whether two rows are the same; nil is an absent one.
func isRow(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// catalogue returns the catalogue of a collection as it is remembered or stored.
func (e *Engine) catalogue(ctx context.Context, collection string) (*catalogue, error) {
	if c := e.catalogues.get(collection); c != nil {
		return c, nil
	}
	values, err := e.store.Get(ctx, [][]byte{catalogueKey(collection)})
	if err != nil {
		return nil, err
	}
	return e.learn(collection, values[0])
}

// recatalogue changes the catalogue of a collection, if f changes anything, and commits
// the change along with w, or with nothing else if that is nil. It tries again when
// somebody else has changed it, unless there is more to commit.
func (e *Engine) recatalogue(ctx context.Context, collection string, w *Writes, f func(next *catalogue)) error {
	for attempt := 1; ; attempt++ {
		c, err := e.catalogue(ctx, collection)
		if err != nil {
			return err
		}
		next := c.changed(f)
		raw := next.appendTo(nil)
		if w == nil && (bytes.Equal(raw, c.raw) || c.raw == nil && len(next.indexes) == 0) {
			return nil
		}
		writes := &Writes{}
		if w != nil {
			*writes = *w
		}
		writes.Checks = append(slices.Clip(writes.Checks), Check{c.key, c.raw})
		writes.Puts = append(slices.Clip(writes.Puts), Pair{c.key, raw})
		err = e.store.Commit(ctx, writes)
		e.catalogues.forget(collection)
		if err == nil {
			_, err = e.learn(collection, raw)
			return err
		}
		if w != nil || !errors.Is(err, storage.ErrConflict) || attempt == maxAttempts {
			return err
		}
	}
}

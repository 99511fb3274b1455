package kv

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/storage"
)

// usage remembers when selections used indexes and how many rows collections have,
// about: as many as were counted when an index was built.
type usage struct {
	mu struct {
		sync.Mutex
		used map[usageKey]time.Time
		kept map[usageKey]time.Time // as far as it is stored
		rows map[string]int
	}
}

type usageKey struct {
	collection string
	number     uint32
}

func (u *usage) init() {
	u.mu.used, u.mu.kept, u.mu.rows = map[usageKey]time.Time{}, map[usageKey]time.Time{}, map[string]int{}
}

// note remembers that an index was used, and reports whether that is to be stored.
func (u *usage) note(collection string, number uint32) (due bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key, now := usageKey{collection, number}, time.Now()
	u.mu.used[key] = now
	if due = now.Sub(u.mu.kept[key]) > keepUse; due {
		u.mu.kept[key] = now
	}
	return due
}

// keepUse is how exactly it is stored when an index was used last.
const keepUse = 24 * time.Hour

// rows returns about how many entities the collection has, 0 if nobody has counted.
func (u *usage) rows(collection string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mu.rows[collection]
}

// learn takes in what is stored about an index, and returns when it was used last.
func (u *usage) learn(collection string, number uint32, p progress) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mu.rows[collection] = max(u.mu.rows[collection], int(p.rows))
	if used := u.mu.used[usageKey{collection, number}]; used.After(p.used) {
		return used
	}
	return p.used
}

// usesOf returns when the indexes of a catalogue were used last, by number.
func (e *Engine) usesOf(ctx context.Context, c *catalogue) (map[uint32]time.Time, error) {
	keys := make([][]byte, len(c.indexes))
	for i, ix := range c.indexes {
		keys[i] = progressKey(c.collection, ix.number)
	}
	values, err := e.store.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	uses := map[uint32]time.Time{}
	for i, ix := range c.indexes {
		p, err := readProgress(values[i])
		if err != nil {
			return nil, err
		}
		uses[ix.number] = e.usage.learn(c.collection, ix.number, p)
	}
	return uses, nil
}

// leastUsed returns the automatic index that was not used for longest, of those that are
// ready; nil if there is none.
func leastUsed(c *catalogue, uses map[uint32]time.Time) (oldest *index) {
	for _, ix := range c.indexes {
		if ix.state == ready && !ix.declared && (oldest == nil || uses[ix.number].Before(uses[oldest.number])) {
			oldest = ix
		}
	}
	return oldest
}

// review stores when indexes were used last, and has automatic ones removed that nobody
// uses any more; then there is more to do.
func (x *indexer) review(ctx context.Context, c *catalogue) (more bool, err error) {
	uses, err := x.engine.usesOf(ctx, c)
	if err != nil {
		return false, err
	}
	idle := func(ix *index) bool {
		return ix.state == ready && !ix.declared && time.Since(uses[ix.number]) > x.engine.options.IdleIndexes
	}
	if slices.ContainsFunc(c.indexes, idle) {
		return true, x.engine.recatalogue(ctx, c.collection, nil, func(next *catalogue) {
			for _, ix := range next.indexes {
				if idle(ix) {
					ix.state = dropping
				}
			}
		})
	}
	return false, x.keepUses(ctx, c, uses)
}

func (x *indexer) keepUses(ctx context.Context, c *catalogue, uses map[uint32]time.Time) error {
	for _, ix := range c.indexes {
		key := progressKey(c.collection, ix.number)
		values, err := x.engine.store.Get(ctx, [][]byte{key})
		if err != nil {
			return err
		}
		p, err := readProgress(values[0])
		if err != nil || values[0] == nil || uses[ix.number].Sub(p.used) <= keepUse {
			continue
		}
		p.used = uses[ix.number]
		err = x.engine.store.Commit(ctx, &Writes{
			Checks: []Check{{key, values[0]}, {c.key, c.raw}},
			Puts:   []Pair{{key, p.appendTo(nil)}},
		})
		if err != nil && !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return nil
}

package kv

import (
	"bytes"
	"sync"
	"unique"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// recent remembers what was put last, up to a bound. Entries are in one of two
// generations; when the young one is full, the old one is dropped for it.
type recent[V any] struct {
	mu struct {
		sync.Mutex
		young, old map[id.EntityID]V
		size       int // of the young generation
	}
	bound int // of one generation
}

// init sets the bound, in the unit of the sizes that put is given.
func (r *recent[V]) init(bound int) {
	r.bound = bound / 2
	r.mu.young = map[id.EntityID]V{}
}

func (r *recent[V]) get(entity id.EntityID) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, found := r.mu.young[entity]; found {
		return v
	}
	return r.mu.old[entity]
}

func (r *recent[V]) put(entity id.EntityID, v V, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if size > r.bound {
		r.forgetLocked(entity)
		return
	}
	if r.mu.size += size; r.mu.size > r.bound {
		r.mu.old, r.mu.young, r.mu.size = r.mu.young, map[id.EntityID]V{}, size
	}
	r.mu.young[entity] = v
}

func (r *recent[V]) forget(entity id.EntityID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetLocked(entity)
}

func (r *recent[V]) forgetLocked(entity id.EntityID) {
	delete(r.mu.young, entity)
	delete(r.mu.old, entity)
}

// homes remembers which collection an entity is in; what it says stays true (K2).
type homes struct{ recent[string] }

// learn remembers the collection that a home row names, and returns its name.
func (h *homes) learn(entity id.EntityID, row []byte) string {
	name := unique.Make(string(row)).Value() // one copy, however many entities
	h.put(entity, name, 1)
	return name
}

// heads remembers the rows that were written last, so that an edit on top of an edit
// need not read what it expects. The store checks the row (another process may have
// written since), so a wrong memory costs a second look and nothing else.
type heads struct{ recent[[]byte] }

// rowOverhead is about what an entry takes beside its bytes.
const rowOverhead = 64

func (h *heads) remember(entity id.EntityID, row []byte) { h.put(entity, row, len(row)+rowOverhead) }

// expected returns the row of the entity if it is remembered with the given head.
func (h *heads) expected(entity id.EntityID, head proto.Clock) []byte {
	row := h.get(entity)
	if row == nil {
		return nil
	}
	var view rowView
	if view.reset(entity, row) != nil || !bytes.Equal(view.state.Head(), proto.AppendClock(nil, head)) {
		return nil
	}
	return row
}

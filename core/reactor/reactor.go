// Package reactor leads from a change to the queries that it touches.
//
// A watcher names a collection and a predicate. Each published transaction is held
// against the predicates, with the entities before and after it; a watcher hears of the
// changes that matched before or match after, and then, once, that the transaction is
// over. Which queries there are, what they show and where rows live is not the
// reactor's affair.
//
// # Concurrency
//
// Watch and stop may be called from anywhere, also from a watcher. Publish is called
// from one goroutine at a time, and calls watchers on it; a watcher hears of
// transactions in the order of publication, and of nothing after its stop returned on
// that goroutine.
package reactor

import (
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Change is what a transaction did to one entity. Before and After are nil where the
// entity does not exist or is deleted, so that no selection sees it.
type Change struct {
	Collection    string
	Entity        id.EntityID
	Rev           uint64 // of the record after
	Before, After *proto.Record
	// Stored is the record after the change, deleted or not; nil if it was evicted.
	Stored *proto.Record
}

// Transaction is the changes that are shown together. It has at most one for an entity.
type Transaction struct {
	Seq     uint64 // the durable node's feed position; 0 on an ephemeral node
	ID      id.TransactionID
	Changes []Change
}

// Watcher hears of changes. One watcher may stand behind several watches.
type Watcher interface {
	// Touch tells of a change that the predicate of watch matched before or after, or
	// both.
	Touch(watch *Watch, c *Change, before, after bool)
	// Settle ends a transaction that Touch was called for.
	Settle(t *Transaction)
}

// Watch is one registered predicate.
type Watch struct {
	collection string
	where      *ankql.Selection
	watcher    Watcher
	reactor    *Reactor
}

// Reactor knows the watches. The zero value is ready to use.
type Reactor struct {
	mu struct {
		sync.RWMutex
		watches map[string]map[*Watch]struct{} // by collection
		count   int
	}
}

// Watch registers a watcher for the rows of a collection that match the selection's
// predicate; its order and limit are not looked at.
func (r *Reactor) Watch(collection string, s *ankql.Selection, w Watcher) *Watch {
	watch := &Watch{collection: collection, where: s, watcher: w, reactor: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.watches == nil {
		r.mu.watches = make(map[string]map[*Watch]struct{})
	}
	if r.mu.watches[collection] == nil {
		r.mu.watches[collection] = make(map[*Watch]struct{})
	}
	r.mu.watches[collection][watch] = struct{}{}
	r.mu.count++
	return watch
}

// Stop removes the watch. Stopping twice is harmless.
func (w *Watch) Stop() {
	r := w.reactor
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.mu.watches[w.collection][w]; !ok {
		return
	}
	delete(r.mu.watches[w.collection], w)
	r.mu.count--
	if len(r.mu.watches[w.collection]) == 0 {
		delete(r.mu.watches, w.collection)
	}
}

func (w *Watch) stopped() bool {
	w.reactor.mu.RLock()
	defer w.reactor.mu.RUnlock()
	_, ok := w.reactor.mu.watches[w.collection][w]
	return !ok
}

// Count returns how many watches there are, for leak tests and metrics.
func (r *Reactor) Count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.count
}

// touch is a watch that a change concerns.
type touch struct {
	watch         *Watch
	change        *Change
	before, after bool
}

// Publish tells the watchers of a transaction.
func (r *Reactor) Publish(t *Transaction) {
	touches := r.touched(t)
	settled := make(map[Watcher]bool, 4)
	for _, c := range touches {
		if c.watch.stopped() {
			continue
		}
		c.watch.watcher.Touch(c.watch, c.change, c.before, c.after)
		settled[c.watch.watcher] = true
	}
	for _, c := range touches {
		if w := c.watch.watcher; settled[w] {
			delete(settled, w)
			w.Settle(t)
		}
	}
}

func (r *Reactor) touched(t *Transaction) (touches []touch) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range t.Changes {
		c := &t.Changes[i]
		for w := range r.mu.watches[c.Collection] {
			before := c.Before != nil && w.where.Matches(c.Before)
			after := c.After != nil && w.where.Matches(c.After)
			if before || after {
				touches = append(touches, touch{w, c, before, after})
			}
		}
	}
	return touches
}

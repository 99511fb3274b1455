package reactor

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/plan"
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
	// Recalled says that of Before only the values are known, and not what wrote them.
	Recalled bool
}

// Derived reports whether the row itself did not change, but something that it refers to.
func (c *Change) Derived() bool { return c.Before != nil && c.Before == c.After }

// Transaction is the changes that are shown together. It has at most one for an entity.
type Transaction struct {
	// Position is how far a durable node has published its store with this one; none on an
	// ephemeral node.
	Position proto.Position
	ID       id.TransactionID // zero where the changes are of several
	Changes  []Change

	// World finds what lies behind references; it may be nil where Follows is false.
	World World
	// Named has entities that whoever sent the transaction spoke of, changed or not. It is nil
	// where nobody sent it.
	Named map[id.EntityID]bool
	// Loose says that watchers may have seen entities of the transaction neither as before
	// nor as after it. Then who follows references is told whatever matches.
	Loose bool
}

// Watcher hears of changes. One watcher may stand behind several watches. Watchers are
// compared, so their types have to allow it.
type Watcher interface {
	// Touch tells of a change that the predicate of watch matched before or after, or
	// both.
	Touch(watch *Watch, c *Change, before, after bool)
	// Settle ends a transaction that Touch was called for.
	Settle(t *Transaction)
}

// Timed is a watcher that is told, during Publish, how long it took to hold a large row against
// the predicate of a watch, where that was long. If it returns false, the watch is told of nothing
// any more. It must not call the reactor.
type Timed interface {
	Watcher
	Took(watch *Watch, d time.Duration) (goOn bool)
}

// What is large, in bytes, and long.
const (
	largeRow = 16 << 10
	longTime = time.Millisecond
)

// First is a watcher that is told of the end of a transaction before those that are not.
type First interface {
	Watcher
	SettlesFirst()
}

func settlesFirst(w Watcher) int {
	if _, first := w.(First); first {
		return 0
	}
	return 1
}

// Watch is one registered predicate.
type Watch struct {
	collection string
	where      *ankql.Selection
	watcher    Watcher
	reactor    *Reactor
	seq        uint64       // registrations are numbered
	homes      []plan.Bound // where the index has it
	behind     *behind      // of one that follows references
	seen       uint64       // the last search that found it; belongs to Publish
	stopped    atomic.Bool
	givenUp    bool // by its watcher (Timed); belongs to Publish
}

// Reactor knows the watches. The zero value is ready to use.
type Reactor struct {
	mu struct {
		sync.RWMutex
		plain     map[string]*index // by collection
		following map[string]*index // of watches that follow references
		routes    routes
		seq       uint64
		count     int
	}

	// The rest belongs to Publish.
	search  search
	touches []touch
}

// Watch registers a watcher for the rows of a collection that match the selection's
// predicate; its order and limit are not looked at. The selection has been checked
// against the collection's model. What lies behind a reference is NULL; Follow follows it.
func (r *Reactor) Watch(collection string, s *ankql.Selection, w Watcher) *Watch {
	return r.register(&r.mu.plain, &Watch{collection: collection, where: s, watcher: w, reactor: r})
}

func (r *Reactor) register(indexes *map[string]*index, watch *Watch) *Watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if *indexes == nil {
		*indexes = make(map[string]*index)
	}
	ix := (*indexes)[watch.collection]
	if ix == nil {
		ix = newIndex()
		(*indexes)[watch.collection] = ix
	}
	r.mu.seq++
	watch.seq = r.mu.seq
	ix.add(watch)
	if watch.behind != nil {
		r.mu.routes.add(watch)
	}
	r.mu.count++
	return watch
}

// Stop removes the watch. Stopping twice is harmless.
func (w *Watch) Stop() {
	if w.stopped.Swap(true) {
		return
	}
	r := w.reactor
	r.mu.Lock()
	defer r.mu.Unlock()
	indexes := r.mu.plain
	if w.behind != nil {
		indexes = r.mu.following
		r.mu.routes.remove(w) // while its homes are known
	}
	ix := indexes[w.collection]
	ix.remove(w)
	r.mu.count--
	if ix.size == 0 {
		delete(indexes, w.collection)
	}
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
	lost          error // the watch is told of that only
}

// Publish tells the watchers of a transaction. If one of them panics, the others are told
// all the same before the panic goes on.
func (r *Reactor) Publish(t *Transaction) {
	touches := r.touched(t, r.touches[:0])
	r.search.forget()
	if len(touches) > 0 {
		r.touches = nil // not to be used again before it is free: a watcher may publish
		d := delivery{transaction: t, touches: touches, first: make(map[Watcher]uint64)}
		d.touch()
		clear(touches)
	}
	r.touches = touches
}

// delivery is a transaction on its way to the watchers.
type delivery struct {
	transaction *Transaction
	touches     []touch            // those not told yet
	first       map[Watcher]uint64 // the number of the first watch that each was told for
	settling    []Watcher          // those not told of the end yet
}

func (d *delivery) touch() {
	defer d.touchRest()
	for len(d.touches) > 0 {
		c := d.touches[0]
		d.touches = d.touches[1:]
		if c.watch.stopped.Load() {
			continue
		}
		if c.lost != nil {
			c.watch.watcher.(Follower).Lost(c.watch, c.lost)
			continue
		}
		if seq, told := d.first[c.watch.watcher]; !told || c.watch.seq < seq {
			d.first[c.watch.watcher] = c.watch.seq
		}
		c.watch.watcher.Touch(c.watch, c.change, c.before, c.after)
	}
}

// touchRest goes on behind a watcher that panicked, and then to the end.
func (d *delivery) touchRest() {
	if len(d.touches) > 0 {
		d.touch()
		return
	}
	for w := range d.first {
		d.settling = append(d.settling, w)
	}
	sort.Sort((*settlingOrder)(d))
	d.settle()
}

// settlingOrder sorts who is to be told of the end of a transaction.
type settlingOrder delivery

func (d *settlingOrder) Len() int      { return len(d.settling) }
func (d *settlingOrder) Swap(i, j int) { d.settling[i], d.settling[j] = d.settling[j], d.settling[i] }
func (d *settlingOrder) Less(i, j int) bool {
	a, b := d.settling[i], d.settling[j]
	if x, y := settlesFirst(a), settlesFirst(b); x != y {
		return x < y
	}
	return d.first[a] < d.first[b]
}

func (d *delivery) settle() {
	defer func() {
		if len(d.settling) > 0 {
			d.settle()
		}
	}()
	for len(d.settling) > 0 {
		w := d.settling[0]
		d.settling = d.settling[1:]
		w.Settle(d.transaction)
	}
}

// touched appends the watches that the transaction concerns, in the order in which they
// are told.
func (r *Reactor) touched(t *Transaction, touches []touch) []touch {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range t.Changes {
		c := &t.Changes[i]
		ix := r.mu.plain[c.Collection]
		if ix == nil {
			continue
		}
		large := isLarge(c)
		for _, w := range r.search.candidates(ix, c.Before, c.After, nil) {
			if before, after := w.hold(c, nil, nil, large); before || after {
				touches = append(touches, touch{watch: w, change: c, before: before, after: after})
			}
		}
	}
	if len(r.mu.following) > 0 && t.World != nil {
		touches = r.followed(t, touches)
	}
	return touches
}

// hold holds a change's rows against the predicate, with what lies behind references before and
// after it.
func (w *Watch) hold(c *Change, was, is ankql.Resolver, large bool) (before, after bool) {
	if w.givenUp || w.stopped.Load() {
		return false, false
	}
	var begun time.Time
	if large {
		begun = time.Now()
	}
	before = c.Before != nil && w.where.MatchesWith(c.Before, was)
	after = c.After != nil && w.where.MatchesWith(c.After, is)
	if large {
		w.took(time.Since(begun))
	}
	return before, after
}

func (w *Watch) took(d time.Duration) {
	if timed, ok := w.watcher.(Timed); ok && d >= longTime {
		w.givenUp = !timed.Took(w, d)
	}
}

// isLarge reports whether it may take long to hold a change's rows against a predicate.
func isLarge(c *Change) bool {
	return c.Before != nil && c.Before.State.Size() >= largeRow || c.After != nil && c.After.State.Size() >= largeRow
}

package bridge

import (
	"context"
	"sync"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// item is something to be sent: exactly one of message, answer, query, aggregate and room is set.
type item struct {
	message   frame.Answer
	answer    *rowsAnswer
	query     *query
	set       *core.ChangeSet // of query; nil stands for its present rows
	aggregate *aggregate
	room      *attendance
}

// rowsAnswer answers fetch and get.
type rowsAnswer struct {
	request uint64
	columns []string
	views   []*core.View
}

// outgoing is what waits to be sent to a page, in order. Adding never blocks (B1 rests on
// that: the order here is the order in which things happened).
type outgoing struct {
	limits *Limits
	ready  chan struct{} // signals items
	window chan struct{} // signals that the page took something in

	mu struct {
		sync.Mutex
		items     []*item
		changes   int   // rows of the change sets in items
		status    *item // the one in items, if any: only the latest counts
		refused   *item // likewise
		sent      uint64
		received  uint64
		discarded bool
	}
}

func newOutgoing(limits *Limits) *outgoing {
	return &outgoing{limits: limits, ready: make(chan struct{}, 1), window: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (o *outgoing) add(i *item) {
	o.mu.Lock()
	o.addLocked(i)
	o.mu.Unlock()
	signal(o.ready)
}

func (o *outgoing) addLocked(i *item) {
	if !o.mu.discarded {
		o.mu.items = append(o.mu.items, i)
	}
}

func (o *outgoing) message(m frame.Answer) { o.add(&item{message: m}) }

// along adds a message that need not go before the next one does; wake sends it in any case.
func (o *outgoing) along(m frame.Answer) {
	o.mu.Lock()
	o.addLocked(&item{message: m})
	o.mu.Unlock()
}

// wake sends what waits.
func (o *outgoing) wake() { signal(o.ready) }

func (o *outgoing) rows(a *rowsAnswer) { o.add(&item{answer: a}) }

// status adds the node's status in the place of an older one that still waits.
func (o *outgoing) status(m *frame.Status) {
	o.mu.Lock()
	o.latestLocked(&o.mu.status, m)
	o.mu.Unlock()
	signal(o.ready)
}

// rejections adds the refused transactions in the place of an older list that still waits.
func (o *outgoing) rejections(m *frame.Rejections) {
	o.mu.Lock()
	o.latestLocked(&o.mu.refused, m)
	o.mu.Unlock()
	signal(o.ready)
}

func (o *outgoing) latestLocked(place **item, m frame.Answer) {
	if *place != nil {
		(*place).message = m
		return
	}
	*place = &item{message: m}
	o.addLocked(*place)
}

// refresh makes the page get the present rows of q.
func (o *outgoing) refresh(q *query) {
	o.mu.Lock()
	if !q.stale {
		q.stale = true
		o.addLocked(&item{query: q})
	}
	o.mu.Unlock()
	signal(o.ready)
}

// changed adds a change set that q's subscription of that number was told. A page that is
// to get the present rows anyway needs none.
func (o *outgoing) changed(q *query, subscription int, set *core.ChangeSet) {
	o.mu.Lock()
	if !q.stale && q.subscription == subscription {
		o.addLocked(&item{query: q, set: set})
		o.mu.changes += len(set.Changes)
		if o.mu.changes > o.limits.Changes {
			o.condenseLocked()
		}
	}
	o.mu.Unlock()
	signal(o.ready)
}

// condenseLocked drops all change sets (B2). The first of each query gives its place to the
// query's present rows: they hold all that the sets told, and still come before whatever
// followed those (B1).
func (o *outgoing) condenseLocked() {
	kept := o.mu.items[:0]
	for _, i := range o.mu.items {
		if i.set == nil {
			kept = append(kept, i)
		} else if !i.query.stale {
			i.query.stale = true
			kept = append(kept, &item{query: i.query})
		}
	}
	clear(o.mu.items[len(kept):])
	o.mu.items = kept
	o.mu.changes = 0
}

// subscribed begins a new subscription of q: sets of earlier ones are ignored from now on,
// and those of this one follow the present rows.
func (o *outgoing) subscribed(q *query) (subscription int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	q.stale = false
	q.subscription++
	return q.subscription
}

// take returns the next item, or nil if there is none.
func (o *outgoing) take() *item {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.mu.items) == 0 {
		return nil
	}
	i := o.mu.items[0]
	o.mu.items[0] = nil
	o.mu.items = o.mu.items[1:]
	if i.set != nil {
		o.mu.changes -= len(i.set.Changes)
	}
	switch i {
	case o.mu.status:
		o.mu.status = nil
	case o.mu.refused:
		o.mu.refused = nil
	}
	return i
}

// sending waits until the page can be sent a frame of n bytes, and counts it; it reports
// false when ctx ends first. One frame may always be on its way, whatever its size.
func (o *outgoing) sending(ctx context.Context, n int) bool {
	for {
		o.mu.Lock()
		open := o.mu.sent-o.mu.received < uint64(o.limits.Window)
		if open {
			o.mu.sent += uint64(n)
		}
		o.mu.Unlock()
		if open {
			return true
		}
		select {
		case <-o.window:
		case <-ctx.Done():
			return false
		}
	}
}

// taken notes that the page has taken in as many bytes in all.
func (o *outgoing) taken(bytes uint64) {
	o.mu.Lock()
	o.mu.received = min(max(bytes, o.mu.received), o.mu.sent)
	o.mu.Unlock()
	signal(o.window)
}

// discard drops everything, now and later.
func (o *outgoing) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.items = nil
	o.mu.changes = 0
	o.mu.discarded = true
}

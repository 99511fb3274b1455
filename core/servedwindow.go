package core

import (
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/proto"
)

// servedWindows is the windows that a durable node keeps for its peers. It belongs to the
// loop.
type servedWindows struct {
	shared map[string]*servedWindow // by extent.key; those that cannot be shared are not in it
}

// servedWindow is the rows of a limited selection, for all subscriptions that ask for the
// same and belong to one audience. It lives as long as one of them does. It belongs to the
// loop.
type servedWindow struct {
	node    *Node
	extent  *extent
	watch   *reactor.Watch
	subs    []*subscription  // in the order in which they came
	set     *resultset.Set   // nil while the first scan is under way
	buffer  []reactor.Change // published meanwhile
	waiting []func(error)    // for the scan's end
	began   bool             // the set is inside a transaction

	settled *reactor.Transaction // the one that changes is of
	changes []resultset.Change
}

// join gives a subscription the window that it asks for: the one that there is, or a new
// one. done is called on the loop, as soon as it has rows.
func (s *servedWindows) join(sub *subscription, x *extent, done func(error)) {
	if sub.stopped.Load() {
		done(ErrClosed)
		return
	}
	w := s.shared[x.key]
	if x.key == "" || w == nil {
		w = &servedWindow{node: sub.session.node, extent: x}
		if x.key != "" {
			if s.shared == nil {
				s.shared = make(map[string]*servedWindow)
			}
			s.shared[x.key] = w
		}
		w.start(sub.session)
	}
	sub.window = w
	w.subs = append(w.subs, sub)
	if w.set != nil {
		done(nil)
		return
	}
	w.waiting = append(w.waiting, done)
}

// start watches, then scans (law L9), for the session that asked first.
func (w *servedWindow) start(asked *session) {
	w.watch = w.extent.reading.watch(w)
	w.node.run.start(func(ctx context.Context) {
		set := w.extent.newSet()
		err := w.extent.reading.first(withSharedTurns(ctx, asked), func(at *moment) error { return w.extent.fill(at, set) })
		w.node.loop.post(func() { w.filled(set, err) })
	})
}

func (w *servedWindow) filled(set *resultset.Set, err error) {
	defer w.survive()
	if err == nil {
		for _, c := range w.extent.reading.caughtUp(w.buffer) {
			w.place(set, &c)
		}
		err = w.extent.fill(w.node.shown, set)
	}
	w.buffer = nil
	if err == nil {
		w.set = set
	} else {
		w.end()
	}
	waiting := w.waiting
	w.waiting = nil
	for _, done := range waiting {
		done(err)
	}
}

// leave takes a subscription away; the last one ends the window.
func (w *servedWindow) leave(sub *subscription) {
	w.subs = slices.DeleteFunc(w.subs, func(x *subscription) bool { return x == sub })
	if len(w.subs) == 0 {
		w.end()
	}
}

func (w *servedWindow) end() {
	w.watch.Stop()
	if shared := w.node.windows.shared; shared[w.extent.key] == w {
		delete(shared, w.extent.key)
	}
}

// fail ends the connections that the window is kept for: the peers come again, and are
// answered anew.
func (w *servedWindow) fail(err error) {
	w.end()
	for _, sub := range w.subs {
		sub.session.lost(err)
	}
}

// survive keeps a defect of the policy agent, which judges rows, to this window.
func (w *servedWindow) survive() {
	if cause := recover(); cause != nil {
		w.fail(recovered("judging a row", cause))
	}
}

// rows returns the visible rows.
func (w *servedWindow) rows() []*proto.Record {
	rows := make([]*proto.Record, 0, w.set.Rows().Len())
	for _, r := range w.set.Rows().All() {
		rows = append(rows, r)
	}
	return rows
}

// Touch implements reactor.Watcher.
func (w *servedWindow) Touch(_ *reactor.Watch, c *reactor.Change, _, _ bool) {
	defer w.survive()
	if w.set == nil {
		w.buffer = buffered(w.buffer, c)
		return
	}
	if !w.began {
		w.began = true
		w.set.Begin()
		for _, sub := range w.subs {
			sub.session.feed.windows = append(sub.session.feed.windows, sub)
		}
	}
	_, held := w.set.Get(c.Entity)
	w.place(w.set, c)
	if _, holds := w.set.Get(c.Entity); held || holds {
		for _, sub := range w.subs {
			sub.hear(c, held)
		}
	}
}

// hear tells a subscription of a row in its window.
func (sub *subscription) hear(c *reactor.Change, held bool) {
	defer sub.session.survive()
	if !sub.stopped.Load() {
		sub.tell(c, held && !sub.filling)
	}
}

func (w *servedWindow) place(set *resultset.Set, c *reactor.Change) {
	reading := w.extent.reading
	from := reading.now()
	if c.After != nil && reading.matches(c.After, from) {
		set.Follow(from)
		set.Put(c.After)
	} else {
		set.Remove(c.Entity, c.Rev)
	}
}

// Settle implements reactor.Watcher.
func (w *servedWindow) Settle(t *reactor.Transaction) {
	for _, sub := range slices.Clone(w.subs) {
		watcher{sub}.Settle(t)
	}
}

// Lost implements reactor.Follower.
func (w *servedWindow) Lost(_ *reactor.Watch, err error) { w.fail(err) }

// finish refills the window after a transaction, and returns what that has changed. It is
// called for each of the subscriptions, and works for the first.
func (w *servedWindow) finish(t *reactor.Transaction) []resultset.Change {
	if w.settled == t {
		return w.changes
	}
	w.settled, w.began = t, false
	err := w.extent.fill(w.node.shown, w.set)
	w.changes = w.set.End()
	if err != nil {
		w.fail(err)
	}
	return w.changes
}

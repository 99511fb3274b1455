package core

import (
	"cmp"
	"context"
	"errors"
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
	failed  error            // why there will be none
	buffer  []reactor.Change // published meanwhile
	waiting []func()         // for the scan's end
	stop    func()           // ends the scan
	payer   string           // for whom it is made
	holding *holding
	began   bool // the set is inside a transaction

	handedOver bool // see filledFor

	buffered, changed int // bytes: of buffer, and put into the set since it was measured

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
		w = &servedWindow{node: sub.session.node, extent: x, payer: sub.session.payer}
		w.holding = w.node.peers().held.begin(w.payer)
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
		done(w.admit(sub))
		return
	}
	w.waiting = append(w.waiting, func() { done(w.admit(sub)) })
}

// admit gives a subscription its part in the window, which has rows, or says why it has none.
func (w *servedWindow) admit(sub *subscription) (err error) {
	switch {
	case sub.stopped.Load():
		return ErrClosed
	case w.set != nil:
		err = w.holding.join(sub.session.payer)
		sub.admitted = err == nil
	case errors.Is(w.failed, ErrLimit) && sub.session.payer != w.payer:
		err = &Error{Kind: KindDeadline, Err: w.failed} // it was too much for somebody else
	default:
		err = w.failed
	}
	return err
}

// start watches, then scans (law L9), for the session that asked first.
func (w *servedWindow) start(asked *session) {
	w.watch = w.extent.reading.watch(w)
	ctx, stop := context.WithCancel(withSharedTurns(w.node.run.ctx, asked))
	w.stop = stop
	w.node.run.start(func(context.Context) {
		set := w.extent.newSet()
		err := w.extent.reading.first(ctx, func(at *moment) error {
			at.kept = w.holding
			return w.extent.fill(at, set)
		})
		w.node.loop.post(func() {
			defer w.filledFor()
			w.filled(set, err)
		})
	})
}

func (w *servedWindow) filled(set *resultset.Set, err error) {
	defer w.survive()
	w.stop()
	if err = cmp.Or(w.failed, err); err == nil {
		for _, c := range w.extent.reading.caughtUp(w.buffer) {
			w.place(set, &c)
		}
		err = w.extent.fill(w.node.shown, set)
	}
	w.buffer, w.buffered = nil, 0
	if err == nil {
		w.set = set
		w.measure()
	} else {
		w.failed = err
		w.end()
	}
	w.filledFor()
	waiting := w.waiting
	w.waiting = nil
	for _, done := range waiting {
		done()
	}
}

// filledFor ends the part that the payer has in the window whose subscription had it filled:
// from here on those have parts who are admitted.
func (w *servedWindow) filledFor() {
	if !w.handedOver {
		w.handedOver = true
		w.holding.leave(w.payer)
	}
}

// measure counts what the window takes, and ends the subscriptions for which that is too much.
func (w *servedWindow) measure() {
	w.changed = 0
	over := w.holding.become(w.set.Bytes(heldSize), true)
	if over == nil {
		return
	}
	for _, sub := range w.subs {
		if err := over[sub.session.payer]; err != nil && sub.admitted {
			sub.refuseLater(err)
		}
	}
}

// leave takes a subscription away; the last one ends the window.
func (w *servedWindow) leave(sub *subscription) {
	w.subs = slices.DeleteFunc(w.subs, func(x *subscription) bool { return x == sub })
	if sub.admitted {
		sub.admitted = false
		w.holding.leave(sub.session.payer)
	}
	if len(w.subs) == 0 {
		w.end()
	}
}

func (w *servedWindow) end() {
	w.watch.Stop()
	w.stop()
	w.unshare()
}

// unshare has the next who asks for the same get a window of its own.
func (w *servedWindow) unshare() {
	if shared := w.node.sequencer().windows.shared; shared[w.extent.key] == w {
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
		w.wait(c)
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
	if c.After != nil {
		w.changed += heldSize(c.After)
	}
	if _, holds := w.set.Get(c.Entity); held || holds {
		for _, sub := range w.subs {
			sub.hear(c, held)
		}
	}
}

// wait keeps a change until the first scan has ended. Where too much changes meanwhile, the
// scan is given up: the peers come again.
func (w *servedWindow) wait(c *reactor.Change) {
	if w.failed != nil {
		return
	}
	w.buffer = buffered(w.buffer, c)
	if c.After != nil {
		w.buffered += heldSize(c.After)
	}
	if w.buffered < w.node.limits.HeldBytes {
		return
	}
	w.buffer, w.buffered = coalesce(w.buffer), 0
	for i := range w.buffer {
		if after := w.buffer[i].After; after != nil {
			w.buffered += heldSize(after)
		}
	}
	if w.buffered >= w.node.limits.HeldBytes/2 {
		w.buffer, w.failed = nil, &Error{Kind: KindDeadline, Err: errBusy}
		w.stop()
	}
}

// errBusy: a window was not filled in time.
var errBusy = errors.New("too much changed while rows were read")

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

// measuredBytes is how much a window's rows change, in bytes, before it is measured again.
const measuredBytes = 1 << 20

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
	if w.changed > measuredBytes {
		w.measure()
	}
	return w.changes
}

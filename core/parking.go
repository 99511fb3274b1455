package core

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
)

// parking keeps transactions of peers that came before what they are on top of: a client that
// moves here from another durable node may be faster than replication.
type parking struct {
	wake chan struct{} // something was parked
	mu   struct {
		sync.Mutex
		list []*parkedTx // in the order in which they came
	}
}

// parkedTx is a transaction that waits for events.
type parkedTx struct {
	sub     *submission
	session context.Context // of the peer, as long as it is listened to
	unwatch func() bool     // ends being woken by its end
	awaits  []id.EventID
}

// maxParked bounds the transactions that wait; the bytes are bounded by what each connection
// may have undecided.
const maxParked = 4096

// park implements durability. It does not block.
func (s *sequencer) park(session context.Context, sub *submission, err *error) bool {
	var lacking *lackingError
	if !errors.As(*err, &lacking) || s.node.replication.isAlone() {
		return false
	}
	if sub.parked.IsZero() {
		sub.parked = time.Now()
	}
	p := &s.parking
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.list) >= maxParked || session.Err() != nil || time.Since(sub.parked) >= s.node.limits.Parked {
		*err = errBehind
		return false
	}
	unwatch := context.AfterFunc(session, func() { signal(p.wake) })
	p.mu.list = append(p.mu.list, &parkedTx{sub, session, unwatch, lacking.parents})
	signal(p.wake)
	return true
}

// unpark submits parked transactions again when what they wait for is here, and gives them
// back when it does not come, until ctx ends.
func (s *sequencer) unpark(ctx context.Context) {
	for ctx.Err() == nil {
		s.idle(ctx)
		more := s.node.replication.published.watch()
		next := s.unparkReady(ctx)
		timer := time.NewTimer(next)
		select {
		case <-more:
		case <-s.parking.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// idle waits while nothing is parked.
func (s *sequencer) idle(ctx context.Context) {
	for s.parking.empty() {
		select {
		case <-s.parking.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (p *parking) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.list) == 0
}

// take removes what keep does not want to keep, and returns it.
func (p *parking) take(keep func(*parkedTx) bool) (taken []*parkedTx) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.mu.list[:0]
	for _, x := range p.mu.list {
		if keep(x) {
			kept = append(kept, x)
		} else {
			x.unwatch()
			taken = append(taken, x)
		}
	}
	clear(p.mu.list[len(kept):])
	p.mu.list = kept
	return taken
}

// unparkReady looks at all parked transactions, and returns when to look at them again.
func (s *sequencer) unparkReady(ctx context.Context) time.Duration {
	next := s.node.limits.Parked
	overdue := s.parking.take(func(x *parkedTx) bool {
		left := s.node.limits.Parked - time.Since(x.sub.parked)
		if left > 0 && x.session.Err() == nil {
			next = min(next, left)
			return true
		}
		return false
	})
	for _, x := range overdue {
		x.sub.done(nil, &lackingError{x.awaits, "they did not come in time"})
	}
	here, err := s.arrivedSince(ctx)
	if err != nil {
		s.node.opts.Listener.failed("parked transactions", err)
		return next
	}
	for _, x := range s.parking.take(func(x *parkedTx) bool { return !allIn(x.awaits, here) }) {
		if err := s.submit(ctx, x.sub); err != nil {
			return next // the node is closing
		}
	}
	return next
}

// arrivedSince returns which of the events that are waited for are stored.
func (s *sequencer) arrivedSince(ctx context.Context) (map[id.EventID]bool, error) {
	var wanted []id.EventID
	here := make(map[id.EventID]bool)
	s.parking.mu.Lock()
	for _, x := range s.parking.mu.list {
		wanted = unseen(wanted, x.awaits, here)
	}
	s.parking.mu.Unlock()
	clear(here)
	for len(wanted) > 0 {
		page := wanted[:min(len(wanted), bodiesAhead)]
		wanted = wanted[len(page):]
		found, err := s.node.engine.Events(ctx, page)
		if err != nil {
			return nil, err
		}
		for i, e := range found {
			here[page[i]] = e != nil
		}
	}
	return here, nil
}

func allIn(events []id.EventID, set map[id.EventID]bool) bool {
	for _, e := range events {
		if !set[e] {
			return false
		}
	}
	return true
}

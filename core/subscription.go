package core

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// subscription is a selection that a session keeps its peer in step with. Without a limit
// it keeps no state per row: before and after say what changed. With one it keeps the
// window.
type subscription struct {
	session    *session
	number     uint64
	collection string
	sel        *ankql.Selection // checked and narrowed
	reading    *reading         // of sel, by the peer's principal
	scope      *ankql.Selection // what the principal may see at all; nil for everything
	watch      *reactor.Watch   // without a limit
	stopped    atomic.Bool
	cost       int // of sel

	// The rest belongs to the loop.
	filling  bool          // its first answer is on its way: changes are sent as whole rows
	window   *servedWindow // with a limit
	admitted bool          // it has its part in the window
}

// subscribe starts to answer a Subscribe.
func (s *session) subscribe(m *proto.Subscribe) error {
	if !s.enter(m) {
		return nil // the same frame again
	}
	return s.scanning(func(ctx context.Context) {
		defer s.telling.answering()()
		sub, err := s.newSubscription(m)
		if errors.Is(err, errUnwanted) {
			return
		}
		if err == nil {
			err = sub.answer(ctx, m)
			if finishErr := sub.answered(ctx); err == nil {
				err = finishErr
			}
		}
		if err != nil && ctx.Err() == nil && (sub == nil || !sub.stopped.Load()) { // else it was ended, and said so
			s.unsubscribe(m.Sub)
			s.reply(m.Sub, err)
		}
	})
}

// answered ends the first answer.
func (sub *subscription) answered(ctx context.Context) error {
	return sub.session.node.loop.call(ctx, func() { sub.filling = false })
}

var (
	errDuplicate = errors.New("the subscription exists")
	errUnwanted  = errors.New("the subscription is not wanted any more")
)

// enter notes, before anything that the peer sends next is read, that a subscription is to be
// opened, so that an Unsubscribe finds it from now on. It reports whether it is new.
func (s *session) enter(m *proto.Subscribe) bool {
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	if s.entering[m.Sub] != nil || s.subs[m.Sub] != nil || s.aggregates[m.Sub] != nil {
		return false
	}
	if s.entering == nil {
		s.entering = make(map[uint64]*proto.Subscribe)
	}
	s.entering[m.Sub] = m
	return true
}

// selection reads a selection that the peer sent, and prepares it.
func (s *session) selection(collection, text string, values []value.Value) (*ankql.Selection, error) {
	params := make([]any, len(values))
	for i, v := range values {
		params[i] = v
	}
	parsed, err := ankql.Parse(text, params...)
	if err != nil {
		return nil, err
	}
	checked, err := s.node.prepare(s.principal, collection, parsed)
	if err != nil {
		return nil, err
	}
	return checked, s.affordable(checked)
}

func (s *session) newSubscription(m *proto.Subscribe) (*subscription, error) {
	checked, err := s.selection(m.Collection, m.Text, m.Params)
	if err != nil {
		return nil, err
	}
	sub := &subscription{session: s, number: m.Sub, cost: checked.Cost(), collection: m.Collection, sel: checked, filling: true}
	sub.reading = s.node.reading(s.principal, m.Collection, checked)
	if sub.scope, err = s.node.scope(s.principal, m.Collection); err != nil {
		return nil, err
	}
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	if s.run.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if s.entering[m.Sub] != m {
		return nil, errUnwanted
	}
	if err := errors.Join(s.roomLocked(), s.budgetLocked(sub.cost)); err != nil {
		return nil, err
	}
	if checked.Limit < 0 {
		sub.watch = sub.reading.watch(watcher{sub})
	}
	delete(s.entering, m.Sub)
	s.subs[m.Sub] = sub
	return sub, nil
}

// stop ends a subscription. Its window is left soon.
func (sub *subscription) stop() {
	sub.stopped.Store(true)
	if sub.watch != nil {
		sub.watch.Stop()
		return
	}
	sub.session.node.loop.releases.add(func() {
		if sub.window != nil {
			sub.window.leave(sub)
		}
	})
}

func (s *session) unsubscribe(number uint64) {
	s.subsMu.Lock()
	sub := s.subs[number]
	delete(s.subs, number)
	delete(s.entering, number)
	if sub != nil {
		s.cost -= sub.cost
	}
	s.subsMu.Unlock()
	if sub != nil {
		sub.stop()
	}
}

// readable reports whether the peer may see a row as it is.
func (sub *subscription) readable(row policy.Fields) bool {
	return sub.readableBy(row, nil)
}

// readableBy is readable where the scope may follow references.
func (sub *subscription) readableBy(row policy.Fields, from ankql.Resolver) bool {
	if sub.scope != nil && !sub.scope.MatchesWith(row, from) {
		return false
	}
	return sub.session.node.policy.Read(sub.session.principal, sub.collection, row) == nil
}

// watcher hears for a subscription. Its transactions are settled by the session, once
// for all of its subscriptions.
type watcher struct{ sub *subscription }

// What follows runs on the loop.

// Touch implements reactor.Watcher.
func (w watcher) Touch(_ *reactor.Watch, c *reactor.Change, before, after bool) {
	defer w.sub.session.survive()
	if before || after {
		w.sub.tell(c, before && !w.sub.filling)
	}
}

// Settle implements reactor.Watcher.
func (w watcher) Settle(t *reactor.Transaction) {
	defer w.sub.session.survive()
	w.sub.session.settle(t)
}

// Lost implements reactor.Follower.
func (w watcher) Lost(_ *reactor.Watch, err error) { w.sub.session.lost(err) }

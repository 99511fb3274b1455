package core

import (
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/core/reactor"
)

// The loop holds every change against every selection, so what takes it long keeps everybody
// waiting. Who has such selections open pays for the time, as for reading; who cannot is refused.

// mostOwed is how long it may take to pay for the time that selections have taken.
const mostOwed = time.Second

var errSlowSelection = fmt.Errorf("%w: it takes too long to hold large rows against the selection", ErrLimit)

// pays charges a session for time of the loop, and reports whether it can go on.
func (s *session) pays(d time.Duration) bool { return s.charge(int(d/unitsPer)) <= mostOwed }

// refuseLater ends a subscription, but not within a transaction.
func (sub *subscription) refuseLater(err error) {
	s := sub.session
	s.node.loop.releases.add(func() {
		s.unsubscribe(sub.number)
		s.reply(sub.number, err)
	})
}

// Took implements reactor.Timed.
func (w watcher) Took(_ *reactor.Watch, d time.Duration) bool {
	if w.sub.session.pays(d) {
		return true
	}
	w.sub.refuseLater(errSlowSelection)
	return false
}

// Took implements reactor.Timed. Everybody who has the window pays: it is read for each.
func (w *servedWindow) Took(_ *reactor.Watch, d time.Duration) (goOn bool) {
	for _, sub := range w.subs {
		if sub.session.pays(d) {
			goOn = true
		} else {
			sub.refuseLater(errSlowSelection)
		}
	}
	if !goOn {
		w.unshare() // who comes before they have left gets one that is told of changes
	}
	return goOn
}

// Took implements reactor.Timed. One that is observed within the process goes on.
func (t *tabulation) Took(_ *reactor.Watch, d time.Duration) (goOn bool) {
	t.mu.Lock()
	goOn = len(t.mu.observers) > 0
	var refused []follower
	for _, f := range t.mu.followers {
		if f.pays(d) {
			goOn = true
		} else {
			refused = append(refused, f)
		}
	}
	t.mu.Unlock()
	for _, f := range refused {
		t.node.loop.releases.add(func() { f.refuse(errSlowSelection) })
	}
	if !goOn {
		t.node.aggregates.forget(t) // likewise
	}
	return goOn
}

func (a *aggregateSub) pays(d time.Duration) bool { return a.session.pays(d) }

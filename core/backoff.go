package core

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait before something is tried again: longer each time, and
// jittered, so that those who failed together do not try again together.
type backoff struct {
	limits *Limits
	last   time.Duration
}

// next returns the next pause: at random between half of Limits.Backoff and the whole at
// first, twice that each time after, and no more than MaxBackoff.
func (b *backoff) next() time.Duration {
	if b.last == 0 {
		b.last = b.limits.Backoff
	} else {
		b.last = min(2*b.last, b.limits.MaxBackoff)
	}
	return b.last/2 + rand.N(b.last/2+1)
}

// later runs f on the loop after a pause.
func (n *Node) later(pause time.Duration, f func()) {
	n.run.start(func(ctx context.Context) {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
			n.loop.post(f)
		case <-ctx.Done():
		}
	})
}

// reset begins again with the shortest pause.
func (b *backoff) reset() { b.last = 0 }

package core

import (
	"context"
	"sync/atomic"
)

// Still calls read while a durable node stores and publishes nothing; commits that come
// meanwhile wait. So read is to be short, and does not call the node. What other processes
// write to the same store, Still does not hold up.
func (n *Node) Still(ctx context.Context, read func(context.Context) error) (err error) {
	defer wrap(&err, "hold still")
	if !n.opts.Durable {
		return ErrDurableOnly
	}
	var claimed atomic.Bool // by the loop, or by a caller that has given up
	done := make(chan error, 1)
	posted := n.loop.post(func() {
		if claimed.CompareAndSwap(false, true) {
			done <- read(ctx)
		}
	})
	if !posted {
		return ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-n.run.ctx.Done():
		err = ErrClosed
	}
	if claimed.CompareAndSwap(false, true) {
		return err
	}
	return <-done
}

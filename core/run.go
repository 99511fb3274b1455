package core

import (
	"context"
	"errors"
	"sync"
)

// runner owns the goroutines of a node or of a connection: it is the only place of
// this package that starts one. stop ends their context and waits for them.
type runner struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		stopped bool
	}
}

func newRunner(parent context.Context) *runner {
	r := &runner{}
	r.ctx, r.cancel = context.WithCancelCause(parent)
	return r
}

// errStopped ends what has done its work.
var errStopped = errors.New("stopped")

// start runs f in a goroutine of the runner's, unless that has been stopped; it reports
// whether it did. f returns soon after its context has ended.
func (r *runner) start(f func(ctx context.Context)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.stopped {
		return false
	}
	r.wg.Go(func() { f(r.ctx) })
	return true
}

// enqueue hands x to a goroutine of the runner's; it blocks while the queue is full. It fails
// with ErrClosed when the runner ends instead.
func enqueue[T any](ctx context.Context, r *runner, queue chan<- T, x T) error {
	select {
	case queue <- x:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ctx.Done():
		return ErrClosed
	}
}

// outcome waits for how something ends that a goroutine of the runner's does.
func (r *runner) outcome(ctx context.Context, of <-chan error) error {
	select {
	case err := <-of:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ctx.Done():
		return ErrClosed
	}
}

// hold makes stop wait for a goroutine that the runner did not start, until release.
func (r *runner) hold() (release func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.stopped {
		return nil, false
	}
	r.wg.Add(1)
	return r.wg.Done, true
}

// stop ends the runner's context with the given cause, and waits for its goroutines.
// It must not be called from one of them.
func (r *runner) stop(cause error) {
	r.end(cause)
	r.wg.Wait()
}

// end is stop without waiting; a goroutine of the runner's own may call it.
func (r *runner) end(cause error) {
	r.mu.Lock()
	r.mu.stopped = true
	r.mu.Unlock()
	r.cancel(cause)
}

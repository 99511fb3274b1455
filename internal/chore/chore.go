// Package chore does work in the background that nobody waits for, such as upkeep: in one
// goroutine, which runs while there is something to do.
//
// # Concurrency
//
// All methods may be called from many goroutines. The work itself is never done twice at a
// time.
package chore

import (
	"context"
	"errors"
	"sync"
)

// Worker has one piece of work to do, again and again.
type Worker struct {
	work func(ctx context.Context) (more bool, err error)
	life context.Context
	end  context.CancelFunc
	done sync.WaitGroup

	mu struct {
		sync.Mutex
		stopped bool
		running bool
		woken   bool          // since the work began
		idle    chan struct{} // closed when there is nothing to do
		failed  error         // why it was given up the last time, if it was
	}
}

// New returns a worker that rests. Its work says whether there is more to do; it is given up
// with an error. Its context ends when the worker is stopped.
func New(work func(ctx context.Context) (more bool, err error)) *Worker {
	w := &Worker{work: work}
	w.life, w.end = context.WithCancel(context.Background())
	return w
}

// Wake has the worker look for what there is to do. What was put where it looks before this
// call is seen.
func (w *Worker) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.woken = true
	if w.mu.stopped || w.mu.running {
		return
	}
	w.mu.running, w.mu.idle = true, make(chan struct{})
	w.done.Go(w.run)
}

func (w *Worker) run() {
	for w.begin() {
		more, err := w.work(w.life)
		w.mu.Lock()
		w.mu.woken = w.mu.woken || more
		w.mu.failed = err
		w.mu.Unlock()
	}
}

// begin says whether to do the work, or ends the goroutine.
func (w *Worker) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.mu.woken || w.mu.stopped {
		w.mu.running = false
		close(w.mu.idle)
		return false
	}
	w.mu.woken = false
	return true
}

// Settle waits until there is nothing to do, and returns why the work was given up, if it was.
func (w *Worker) Settle(ctx context.Context) error {
	w.mu.Lock()
	running, idle := w.mu.running, w.mu.idle
	w.mu.Unlock()
	if running {
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.stopped && errors.Is(w.mu.failed, context.Canceled) {
		return nil
	}
	return w.mu.failed
}

// Stop ends the work and waits for it. Nothing is done afterwards.
func (w *Worker) Stop() {
	w.mu.Lock()
	w.mu.stopped = true
	w.mu.Unlock()
	w.end()
	w.done.Wait()
}

package signals

import (
	"context"
	"sync"
)

// Observer runs functions and tells, by a callback, when something that the last one
// read has changed. It is how a user interface draws from cells: run the drawing within
// the observer, and schedule another when told.
type Observer struct {
	changed func()

	running sync.Mutex // held while a function runs

	// Guarded by the graph:
	links  []link
	due    bool // is in graph.due
	closed bool
	flush  uint64 // the flush in which it was told last
	runs   int    // how often in that flush
}

// NewObserver returns an observer that calls changed, on the goroutine of the write,
// after something that the last Run read has changed. Close it when it is not needed.
func NewObserver(changed func()) *Observer { return &Observer{changed: changed} }

// Run runs f, and from then on watches what f has read through its tracker, and nothing
// else; also if f panics. What f writes is a Batch. Observers may be nested: each
// reading belongs to the tracker by which it is made.
func (o *Observer) Run(f func(t *Tracker)) {
	Batch(func() {
		if o.run(f) {
			o.schedule()
		}
	})
}

// run reports whether something was written meanwhile that f has read.
func (o *Observer) run(f func(t *Tracker)) (again bool) {
	o.running.Lock()
	defer o.running.Unlock()
	graph.Lock()
	at := graph.version
	graph.Unlock()

	t := &Tracker{owner: o}
	defer func() {
		if o.watch(t, at) {
			again = changed(t.links, nil)
		}
	}()
	f(t)
	return again
}

// watch replaces what is watched, and reports whether anything was written since at.
func (o *Observer) watch(t *Tracker, at uint64) bool {
	graph.Lock()
	defer graph.Unlock()
	if o.closed {
		return false
	}
	relinkLocked(o, o.links, t)
	o.links = t.links
	return graph.version != at
}

// Watched returns the number of values that the last run has read.
func (o *Observer) Watched() int {
	graph.Lock()
	defer graph.Unlock()
	return len(o.links)
}

// Close ends the watching. A callback that runs on another goroutine may still be
// running when it returns.
func (o *Observer) Close() {
	graph.Lock()
	defer graph.Unlock()
	o.closed = true
	for _, l := range o.links {
		detachLocked(l.source, o)
	}
	o.links = nil
}

func (o *Observer) invalidateLocked() {
	if !o.due && !o.closed {
		o.due = true
		graph.due = append(graph.due, o)
	}
}

func (o *Observer) schedule() {
	graph.Lock()
	defer graph.Unlock()
	o.invalidateLocked()
}

// count, called with the lock held, finds observers that never come to rest.
func (o *Observer) count() {
	if o.flush != graph.flushes {
		o.flush, o.runs = graph.flushes, 0
	}
	o.runs++
}

// tell calls back if a value has changed, and not only something behind it.
func (o *Observer) tell() {
	graph.Lock()
	links := append([]link{}, o.links...)
	closed, runs := o.closed, o.runs
	graph.Unlock()
	if closed || !changed(links, nil) {
		return
	}
	if runs > maxRuns {
		panic("signals: effects keep writing what they read")
	}
	o.catchUp()
	o.changed()
}

// catchUp takes the present values as seen, so that the next change is told again.
func (o *Observer) catchUp() {
	graph.Lock()
	defer graph.Unlock()
	for i := range o.links {
		o.links[i].version = o.links[i].source.point().version
	}
}

// Effect runs f now, and again whenever something that f has read through its tracker has
// changed, until stop is called. What f writes is a Batch.
func Effect(f func(t *Tracker)) (stop func()) {
	var o *Observer
	o = NewObserver(func() { o.Run(f) })
	started := false
	defer func() {
		if !started { // f panicked, and nobody could stop it
			o.Close()
		}
	}()
	o.Run(f)
	started = true
	return o.Close
}

// Subscribe calls f with each new value of r, not with the present one, until stop is
// called. What f itself reads does not matter.
func Subscribe[T any](r Readable[T], f func(T)) (stop func()) {
	first := true
	return Effect(func(t *Tracker) {
		value := r.Track(t)
		if first {
			first = false
			return
		}
		f(value)
	})
}

// Wait returns the first value of r that satisfies accept, the present one if it does,
// or ctx's error. accept must not block.
func Wait[T any](ctx context.Context, r Readable[T], accept func(T) bool) (T, error) {
	found := make(chan T, 1)
	stop := Effect(func(t *Tracker) {
		if value := r.Track(t); accept(value) {
			select {
			case found <- value:
			default: // an earlier one is waiting to be taken
			}
		}
	})
	defer stop()
	select {
	case value := <-found:
		return value, nil
	default:
	}
	select {
	case value := <-found:
		return value, nil
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

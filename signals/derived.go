package signals

import "sync"

// Derived is a value that a function computes from others.
type Derived[T any] struct {
	compute func(*Tracker) T
	equal   func(a, b T) bool // nil: every computed value is another one

	running sync.Mutex // held while the function runs
	place   point

	// Guarded by the graph:
	value    T
	computed bool   // there is a value, and its computation did not panic
	links    []link // what it was computed from
	at       uint64 // the graph's version for which value is known to hold
	live     bool   // something observes it, and so it hears of invalidations
	stale    bool   // live: a source has been written; targets have been told
	recheck  bool   // live: a source may have been written without its knowing
}

var _ Readable[int] = (*Derived[int])(nil)

// NewDerived returns the value that compute returns. compute reads other values through
// its tracker; it runs when the value is asked for, and only if something that it read
// has changed. It must not write cells.
func NewDerived[T any](compute func(t *Tracker) T) *Derived[T] { return newDerived(compute, nil) }

// NewDistinct is NewDerived for values that can be compared: if compute returns the same
// value again, nobody is told.
func NewDistinct[T comparable](compute func(t *Tracker) T) *Derived[T] {
	return newDerived(compute, func(a, b T) bool { return a == b })
}

func newDerived[T any](compute func(*Tracker) T, equal func(a, b T) bool) *Derived[T] {
	d := &Derived[T]{compute: compute, equal: equal}
	d.place.observed = d.observedLocked
	d.place.unobserved = d.unobservedLocked
	return d
}

// Get implements Readable.
func (d *Derived[T]) Get() T {
	d.refresh(nil)
	graph.Lock()
	defer graph.Unlock()
	return d.value
}

// Track implements Readable.
func (d *Derived[T]) Track(t *Tracker) T {
	d.refresh(t)
	graph.Lock()
	defer graph.Unlock()
	t.note(d, d.place.version)
	return d.value
}

// refresh brings the value up to date, computing it again if it has to.
func (d *Derived[T]) refresh(reader *Tracker) {
	if reader.within(d) {
		panic("signals: a derived value depends on itself")
	}
	if d.isCurrent() {
		return
	}
	d.running.Lock()
	defer d.running.Unlock()
	for range maxAttempts {
		at, links, ok := d.begin()
		if !ok {
			return
		}
		t := &Tracker{owner: d, parent: reader}
		if links != nil && !changed(links, t) {
			if d.settle(at) {
				return
			}
			continue
		}
		if d.run(t, at) {
			return
		}
	}
}

func (d *Derived[T]) isCurrent() bool {
	graph.Lock()
	defer graph.Unlock()
	return d.isCurrentLocked()
}

func (d *Derived[T]) isCurrentLocked() bool {
	if d.live {
		return d.computed && !d.stale && !d.recheck
	}
	return d.computed && d.at == graph.version
}

// begin returns the graph's version, and the links to compare with, or none if there is
// no value yet; not ok if there is nothing to do. Writes from here on are noticed.
func (d *Derived[T]) begin() (at uint64, links []link, ok bool) {
	graph.Lock()
	defer graph.Unlock()
	if d.isCurrentLocked() {
		return 0, nil, false
	}
	d.stale, d.recheck = false, false
	if d.computed {
		links = append([]link{}, d.links...)
	}
	return graph.version, links, true
}

// settle reports whether the value holds for the present: nothing was written since at.
func (d *Derived[T]) settle(at uint64) bool {
	graph.Lock()
	defer graph.Unlock()
	return d.settleLocked(at)
}

func (d *Derived[T]) settleLocked(at uint64) bool {
	d.at = at
	d.recheck = graph.version != at
	return !d.recheck
}

// run computes the value, and reports whether it holds for the present.
func (d *Derived[T]) run(t *Tracker, at uint64) (holds bool) {
	var value T
	returned := false
	defer func() {
		graph.Lock()
		defer graph.Unlock()
		if d.live {
			relinkLocked(d, d.links, t)
		}
		d.links = t.links
		if !returned { // a panic is on its way: try again next time
			d.computed = false
			return
		}
		if !d.computed || d.equal == nil || !d.equal(d.value, value) {
			d.value = value
			d.place.version++
		}
		d.computed = true
		holds = d.settleLocked(at)
	}()
	value = d.compute(t)
	returned = true
	return holds
}

func (d *Derived[T]) point() *point { return &d.place }

func (d *Derived[T]) invalidateLocked() {
	if !d.stale {
		d.stale = true
		d.place.invalidateTargetsLocked()
	}
}

func (d *Derived[T]) observedLocked() {
	d.live = true
	d.stale = false
	d.recheck = d.at != graph.version
	for _, l := range d.links {
		attachLocked(l.source, d)
	}
}

func (d *Derived[T]) unobservedLocked() {
	d.live = false
	for _, l := range d.links {
		detachLocked(l.source, d)
	}
}

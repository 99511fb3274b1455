package signals

import "sync"

// maxRuns is how often one effect may run before writes come to rest; what exceeds it
// writes what it reads.
const maxRuns = 1000

// maxAttempts is how often a derived value is computed again because its sources changed
// meanwhile; then it is used, and computed again for the next reader.
const maxAttempts = 16

// graph is what all cells share. The lock is held for moments, never while functions of
// the user run.
var graph struct {
	sync.Mutex
	version  uint64 // counts the writes of cells
	depth    int    // open batches
	flushing bool
	flushes  uint64 // counts the flushes
	due      []*Observer
}

// source is a value that can be tracked: a cell or a derived one.
type source interface {
	// refresh brings the value up to date; reader is who wants it.
	refresh(reader *Tracker)
	// point returns the source's place in the graph.
	point() *point
}

// point is a source's place in the graph, guarded by it.
type point struct {
	version uint64 // counts the changes of the value
	targets map[target]struct{}
	// observed and unobserved are called, with the lock, when the first target comes and
	// the last one goes; nil for a cell.
	observed, unobserved func()
}

// target is what depends on sources.
type target interface {
	// invalidateLocked says that a source, or a source of it, has been written.
	invalidateLocked()
}

// link is a source as it was when it was read.
type link struct {
	source  source
	version uint64
}

// changed reports whether a source has another value than when it was read; it stops at
// the first, because what was read after it may depend on it. A source that panics has
// changed: who reads it is to find out.
func changed(links []link, reader *Tracker) bool {
	for _, l := range links {
		if contained(func() { l.source.refresh(reader) }) != nil {
			return true
		}
		graph.Lock()
		same := l.source.point().version == l.version
		graph.Unlock()
		if !same {
			return true
		}
	}
	return false
}

func (p *point) invalidateTargetsLocked() {
	for t := range p.targets {
		t.invalidateLocked()
	}
}

func attachLocked(s source, t target) {
	p := s.point()
	if p.targets == nil {
		p.targets = map[target]struct{}{}
	}
	p.targets[t] = struct{}{}
	if len(p.targets) == 1 && p.observed != nil {
		p.observed()
	}
}

func detachLocked(s source, t target) {
	p := s.point()
	if _, ok := p.targets[t]; !ok {
		return
	}
	delete(p.targets, t)
	if len(p.targets) == 0 && p.unobserved != nil {
		p.unobserved()
	}
}

// relinkLocked replaces what t depends on, from the links before to those that tracker
// has noted. New links come first, so that what stays observed is not let go in between.
func relinkLocked(t target, before []link, tracker *Tracker) {
	for _, l := range tracker.links {
		attachLocked(l.source, t)
	}
	for _, l := range before {
		if _, stays := tracker.noted[l.source]; !stays {
			detachLocked(l.source, t)
		}
	}
}

// Batch runs f, and runs effects only after it: they see all of its writes at once.
// Batches may be nested; the outermost counts. Values read meanwhile, in f or on other
// goroutines, are those written so far.
func Batch(f func()) {
	graph.Lock()
	graph.depth++
	graph.Unlock()
	defer func() {
		graph.Lock()
		graph.depth--
		graph.Unlock()
		flush()
	}()
	f()
}

// flush tells the observers that are due, and those who become so by that, unless
// somebody else is doing it or a batch is open.
func flush() {
	graph.Lock()
	if graph.flushing || graph.depth > 0 || len(graph.due) == 0 {
		graph.Unlock()
		return
	}
	graph.flushing = true
	graph.flushes++
	var first any
	for len(graph.due) > 0 && graph.depth == 0 {
		o := graph.due[0]
		graph.due = graph.due[1:]
		o.due = false
		o.count()
		graph.Unlock()
		if cause := contained(o.tell); cause != nil && first == nil {
			first = cause
		}
		graph.Lock()
	}
	if len(graph.due) == 0 {
		graph.due = nil
	}
	graph.flushing = false
	graph.Unlock()
	if first != nil {
		panic(first)
	}
}

// contained runs f and returns what it panicked with.
func contained(f func()) (cause any) {
	defer func() { cause = recover() }()
	f()
	return nil
}

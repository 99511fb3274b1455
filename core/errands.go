package core

import "sync"

// errands are functions that wait for one goroutine to call them, one after the other.
type errands struct {
	wake chan struct{} // receives when there are any
	mu   struct {
		sync.Mutex
		waiting []func()
	}
}

func (e *errands) init() { e.wake = make(chan struct{}, 1) }

// add has f called soon. It does not block, so that the goroutine may call it too; what waits is
// bounded by what there is to be done.
func (e *errands) add(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.waiting = append(e.mu.waiting, f)
	signal(e.wake)
}

// run calls what waits.
func (e *errands) run() {
	e.mu.Lock()
	list := e.mu.waiting
	e.mu.waiting = nil
	e.mu.Unlock()
	for _, f := range list {
		f()
	}
}

package paged

import (
	"context"
	"sync"
)

// gate keeps reading pages and merging into them apart: many may share it, or one may
// have it alone. Who wants it alone goes before those who come later. Waiting ends with
// a context.
type gate struct {
	mu sync.Mutex

	shared  int
	alone   bool
	wanted  bool          // somebody waits to have it alone
	changed chan struct{} // closed and replaced when any of these has changed
}

func (g *gate) changedLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

// share waits until nobody has or wants the gate alone.
func (g *gate) share(ctx context.Context) error {
	g.mu.Lock()
	for g.alone || g.wanted {
		if err := g.waitLocked(ctx); err != nil {
			g.mu.Unlock()
			return err
		}
	}
	g.shared++
	g.mu.Unlock()
	return nil
}

func (g *gate) unshare() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shared--
	g.changedLocked()
}

// take waits until nobody else has the gate. One goroutine takes.
func (g *gate) take(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wanted = true
	defer func() { g.wanted = false }()
	for g.shared > 0 {
		if err := g.waitLocked(ctx); err != nil {
			g.wanted = false
			g.changedLocked()
			return err
		}
	}
	g.alone = true
	return nil
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alone = false
	g.changedLocked()
}

func (g *gate) waitLocked(ctx context.Context) error {
	changed := g.changed
	g.mu.Unlock()
	defer g.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

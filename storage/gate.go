package storage

import (
	"context"
	"sync"
)

// Gate lets an engine's calls in until it is closed, and has Close wait for those inside. The
// zero Gate is open. A call does not go in twice: where another waits to close it, it would
// wait for itself.
type Gate struct {
	inside sync.RWMutex // held for reading by every call
	closed bool
}

// Enter begins a call: unless it fails, with ErrClosed or since ctx has ended, the caller defers
// Leave.
func (g *Gate) Enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.inside.RLock()
	if g.closed {
		g.inside.RUnlock()
		return ErrClosed
	}
	return nil
}

// Leave ends a call.
func (g *Gate) Leave() { g.inside.RUnlock() }

// Close waits until nobody is inside, lets nobody in any more, and then releases what the engine
// has; the second time it does nothing.
func (g *Gate) Close(release func() error) error {
	g.inside.Lock()
	defer g.inside.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	return release()
}

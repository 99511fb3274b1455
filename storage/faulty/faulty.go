package faulty

import (
	"context"
	"fmt"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// ErrKilled is what an engine answers that was killed.
var ErrKilled = fmt.Errorf("%w: faulty: engine was killed", storage.ErrUnavailable)

// Op names a method of storage.Engine.
type Op string

// The methods whose calls can fail. Close cannot, so that tests can always clean up.
const (
	Commit       Op = "Commit"
	Records      Op = "Records"
	Events       Op = "Events"
	EntityEvents Op = "EntityEvents"
	Scan         Op = "Scan"
	Feed         Op = "Feed"
	Outbox       Op = "Outbox"
	Meta         Op = "Meta"
)

// Call is one call of an engine.
type Call struct {
	Number int // from 1, in the order in which the calls began
	Op     Op
	Batch  *storage.Batch // what Commit was given
}

// Fault is what happens to a call. The zero Fault is nothing.
type Fault struct {
	// Wait delays the call until it is closed, or the call's context ends.
	Wait <-chan struct{}
	// Before makes the call fail with it, and not reach the engine.
	Before error
	// After makes the call fail with it though the engine has done it; it stands for an
	// outcome that is unknown, so it should be a storage.ErrUnavailable.
	After error
	// Kill kills the engine before the call or, with KillAfter, when it is done. What
	// was committed stays with the wrapped engine.
	Kill, KillAfter bool
}

// Engine is a storage.Engine with faults.
type Engine struct {
	inner storage.Engine

	mu struct {
		sync.Mutex
		decide func(Call) Fault
		calls  int
		killed bool
	}
}

// Wrap returns an engine that passes calls on to inner, with the faults that decide
// returns for them; nil decides for none. Close closes inner, unless the engine was
// killed: then inner, or what it holds, is the caller's, to be opened again.
func Wrap(inner storage.Engine, decide func(Call) Fault) *Engine {
	e := &Engine{inner: inner}
	e.Decide(decide)
	return e
}

// Decide replaces the function that decides; nil decides for no fault.
func (e *Engine) Decide(decide func(Call) Fault) {
	if decide == nil {
		decide = func(Call) Fault { return Fault{} }
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.decide = decide
}

// Calls returns how many calls have begun.
func (e *Engine) Calls() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.calls
}

// Kill kills the engine: every later call fails with ErrKilled, as does every call in
// progress when it returns. What was committed stays with the wrapped engine.
func (e *Engine) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.killed = true
}

// Killed reports whether the engine was killed.
func (e *Engine) Killed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.killed
}

// call makes a call with whatever fault it has.
func (e *Engine) call(ctx context.Context, op Op, b *storage.Batch, do func() error) error {
	fault, err := e.begin(op, b)
	if err != nil {
		return err
	}
	if fault.Wait != nil {
		select {
		case <-fault.Wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fault.Kill {
		e.Kill()
	}
	switch {
	case e.Killed(): // perhaps while it waited
		return ErrKilled
	case fault.Before != nil:
		return fault.Before
	}
	err = do()
	if fault.KillAfter {
		e.Kill()
	}
	switch {
	case e.Killed():
		return ErrKilled
	case fault.After != nil && err == nil:
		return fault.After
	}
	return err
}

func (e *Engine) begin(op Op, b *storage.Batch) (Fault, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.killed {
		return Fault{}, ErrKilled
	}
	e.mu.calls++
	return e.mu.decide(Call{Number: e.mu.calls, Op: op, Batch: b}), nil
}

// result makes a call that returns something, which is nothing when it fails.
func result[T any](ctx context.Context, e *Engine, op Op, do func() (T, error)) (T, error) {
	var value T
	err := e.call(ctx, op, nil, func() (err error) {
		value, err = do()
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return value, nil
}

// Commit implements storage.Engine.
func (e *Engine) Commit(ctx context.Context, b *storage.Batch) error {
	return e.call(ctx, Commit, b, func() error { return e.inner.Commit(ctx, b) })
}

// Records implements storage.Engine.
func (e *Engine) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	return result(ctx, e, Records, func() ([]*proto.Record, error) { return e.inner.Records(ctx, entities) })
}

// Events implements storage.Engine.
func (e *Engine) Events(ctx context.Context, events []id.EventID) ([]*proto.Event, error) {
	return result(ctx, e, Events, func() ([]*proto.Event, error) { return e.inner.Events(ctx, events) })
}

// EntityEvents implements storage.Engine.
func (e *Engine) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	return result(ctx, e, EntityEvents, func() ([]*proto.Event, error) {
		return e.inner.EntityEvents(ctx, entity, after, limit)
	})
}

// Scan implements storage.Engine.
func (e *Engine) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	return result(ctx, e, Scan, func() (*storage.Page, error) {
		return e.inner.Scan(ctx, collection, s, after, limit)
	})
}

// Feed implements storage.Engine.
func (e *Engine) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	return result(ctx, e, Feed, func() ([]*proto.FeedEntry, error) { return e.inner.Feed(ctx, feed, after, limit) })
}

// Outbox implements storage.Engine.
func (e *Engine) Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error) {
	return result(ctx, e, Outbox, func() ([]storage.OutboxEntry, error) { return e.inner.Outbox(ctx, after, limit) })
}

// Meta implements storage.Engine.
func (e *Engine) Meta(ctx context.Context, keys ...string) ([][]byte, error) {
	return result(ctx, e, Meta, func() ([][]byte, error) { return e.inner.Meta(ctx, keys...) })
}

// Close implements storage.Engine.
func (e *Engine) Close() error {
	if e.Killed() {
		return nil
	}
	return e.inner.Close()
}

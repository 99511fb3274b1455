package connectortest

import (
	"context"
	"errors"
	"sync"

	"github.com/ankurah-go/ankurah/connectors"
)

// ErrUnplugged is what dials and connections through a Wire answer while it is
// unplugged or after it was cut. It does not wrap connectors.ErrClosed: the network
// went away, nobody said goodbye.
var ErrUnplugged = errors.New("connectortest: wire is unplugged")

// Direction says who sent a frame.
type Direction int

// The two directions, seen from the side that dials.
const (
	Up   Direction = iota // from the dialing side
	Down                  // to the dialing side
)

// Frame is a frame on its way, as a rule sees it.
type Frame struct {
	Direction Direction
	Number    int // counts the frames of this direction since the wire was made, from 0
	Data      []byte
}

// Action is what happens to a frame.
type Action int

// The actions of a rule.
const (
	Deliver   Action = iota
	Drop             // the frame is lost; no real pipe does that without breaking
	Duplicate        // the frame arrives twice
	Cut              // the connection breaks, and the frame is lost
)

// Wire is a network that tests control: it wraps a Dialer, and everything that is
// dialled through it. Its methods may be called from any goroutine, a Rule among them.
type Wire struct {
	dialer connectors.Dialer

	mu struct {
		sync.Mutex
		unplugged bool
		held      [2]bool
		changed   chan struct{} // closed, and replaced, when held changes
		rule      func(Frame) Action
		count     [2]int
		dials     int
		conns     map[*wireConn]struct{}
	}
}

// NewWire returns a wire to what d dials, plugged in and without rules.
func NewWire(d connectors.Dialer) *Wire {
	w := &Wire{dialer: d}
	w.mu.changed = make(chan struct{})
	w.mu.conns = map[*wireConn]struct{}{}
	return w
}

// Dial implements connectors.Dialer.
func (w *Wire) Dial(ctx context.Context) (connectors.Conn, error) {
	w.mu.Lock()
	w.mu.dials++
	unplugged := w.mu.unplugged
	w.mu.Unlock()
	if unplugged {
		return nil, ErrUnplugged
	}
	inner, err := w.dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancelCause(context.Background())
	c := &wireConn{Conn: inner, wire: w, life: life, end: end}

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.unplugged {
		c.cut()
		return nil, ErrUnplugged
	}
	w.mu.conns[c] = struct{}{}
	return c, nil
}

// String implements connectors.Dialer.
func (w *Wire) String() string { return "wire to " + w.dialer.String() }

// Unplug breaks all connections, and every dial until Plug.
func (w *Wire) Unplug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.unplugged = true
	w.cutLocked()
}

// Plug lets dials succeed again.
func (w *Wire) Plug() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.unplugged = false
}

// Cut breaks all present connections; the next dial succeeds.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutLocked()
}

func (w *Wire) cutLocked() {
	for c := range w.mu.conns {
		c.cut()
	}
	clear(w.mu.conns)
}

// Hold makes the frames of one direction wait, in their order, until Release. At most
// one frame of a connection waits in the wire, the others wait before it.
func (w *Wire) Hold(d Direction) { w.setHeld(d, true) }

// Release lets the frames of one direction go on.
func (w *Wire) Release(d Direction) { w.setHeld(d, false) }

func (w *Wire) setHeld(d Direction, held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.held[d] = held
	close(w.mu.changed)
	w.mu.changed = make(chan struct{})
}

// Rule decides about every frame from now on; nil delivers all. The rule is called by
// the goroutines that send and receive, and may call the wire's other methods.
func (w *Wire) Rule(rule func(Frame) Action) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.rule = rule
}

// Dials returns how often somebody has dialled, with success or without.
func (w *Wire) Dials() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.dials
}

// Connections returns the number of present connections.
func (w *Wire) Connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.conns)
}

// judge returns what is to happen to a frame.
func (w *Wire) judge(d Direction, data []byte) Action {
	w.mu.Lock()
	f := Frame{Direction: d, Number: w.mu.count[d], Data: data}
	w.mu.count[d]++
	rule := w.mu.rule
	w.mu.Unlock()
	if rule == nil {
		return Deliver
	}
	return rule(f)
}

// pass waits while direction d is held.
func (w *Wire) pass(ctx context.Context, d Direction) error {
	for {
		w.mu.Lock()
		held, changed := w.mu.held[d], w.mu.changed
		w.mu.Unlock()
		if !held {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *Wire) forget(c *wireConn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.mu.conns, c)
}

// wireConn is the dialing side's end of a connection through a wire.
type wireConn struct {
	connectors.Conn
	wire *Wire
	life context.Context
	end  context.CancelCauseFunc

	again []byte // a frame that is to be received a second time
}

func (c *wireConn) cut() {
	c.end(ErrUnplugged)
	c.Conn.Close("")
}

// bound returns ctx, ended when the connection is cut.
func (c *wireConn) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { cancel(context.Cause(c.life)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Send implements connectors.Conn.
func (c *wireConn) Send(ctx context.Context, frame []byte) error {
	ctx, stop := c.bound(ctx)
	defer stop()
	if err := c.wire.pass(ctx, Up); err != nil {
		return c.explain(err)
	}
	copies := 1
	switch c.wire.judge(Up, frame) {
	case Drop:
		copies = 0
	case Duplicate:
		copies = 2
	case Cut:
		c.cut()
		c.wire.forget(c)
		return ErrUnplugged
	}
	for range copies {
		if err := c.Conn.Send(ctx, append([]byte(nil), frame...)); err != nil {
			return c.explain(err)
		}
	}
	return nil
}

// Receive implements connectors.Conn.
func (c *wireConn) Receive(ctx context.Context) ([]byte, error) {
	ctx, stop := c.bound(ctx)
	defer stop()
	for {
		if frame := c.again; frame != nil && ctx.Err() == nil {
			c.again = nil
			return frame, nil
		}
		frame, err := c.Conn.Receive(ctx)
		if err == nil {
			err = c.wire.pass(ctx, Down)
		}
		if err != nil {
			return nil, c.explain(err)
		}
		switch c.wire.judge(Down, frame) {
		case Drop:
			continue
		case Duplicate:
			c.again = append([]byte{}, frame...)
		case Cut:
			c.cut()
			c.wire.forget(c)
			return nil, ErrUnplugged
		}
		return frame, nil
	}
}

// Close implements connectors.Conn.
func (c *wireConn) Close(reason string) error {
	c.wire.forget(c)
	return c.Conn.Close(reason)
}

// explain returns ErrUnplugged if the wire was the cause of err.
func (c *wireConn) explain(err error) error {
	if cause := context.Cause(c.life); cause != nil {
		return cause
	}
	return err
}

package local

import (
	"context"
	"fmt"
	"sync"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/proto"
)

// Options bound a pipe. The zero value is useful.
type Options struct {
	// Queue is the number of frames that may wait in each direction; default 64.
	Queue int
	// MaxFrame is the size in bytes of the largest frame; default proto.MaxFrame.
	MaxFrame int
	// Name appears in Remote and in errors; default "local".
	Name string
}

func (o Options) ensureDefaults() Options {
	if o.Queue <= 0 {
		o.Queue = 64
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = proto.MaxFrame
	}
	if o.Name == "" {
		o.Name = "local"
	}
	return o
}

// Pipe returns the two ends of a new connection.
func Pipe(o Options) (client, server connectors.Conn) {
	o = o.ensureDefaults()
	up, down := make(chan []byte, o.Queue), make(chan []byte, o.Queue)
	c := &end{name: o.Name + "/server", maxFrame: o.MaxFrame, out: up, in: down, closed: make(chan struct{})}
	s := &end{name: o.Name + "/client", maxFrame: o.MaxFrame, out: down, in: up, closed: make(chan struct{})}
	c.peer, s.peer = s, c
	return c, s
}

// end is one side of a pipe. The channels of frames are never closed; the closed
// channels of the two ends say when to stop.
type end struct {
	name     string // of the other side
	maxFrame int
	out      chan<- []byte
	in       <-chan []byte
	peer     *end

	close  sync.Once
	reason string // set before closed is closed
	closed chan struct{}
}

// Send implements connectors.Conn.
func (e *end) Send(ctx context.Context, frame []byte) error {
	if len(frame) > e.maxFrame {
		e.Close("frame too large")
		return fmt.Errorf("%w: %d bytes, at most %d", connectors.ErrFrameTooLarge, len(frame), e.maxFrame)
	}
	if err := e.ended(); err != nil { // rather than the chance of a select
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case e.out <- frame:
		return nil
	case <-e.closed:
	case <-e.peer.closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.ended()
}

// Receive implements connectors.Conn.
func (e *end) Receive(ctx context.Context) ([]byte, error) {
	if isClosed(e.closed) {
		return nil, e.ended()
	}
	select {
	case frame := <-e.in:
		return frame, nil
	case <-e.closed:
		return nil, e.ended()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.peer.closed:
	}
	// The peer sends nothing any more; what it has sent is all there.
	select {
	case frame := <-e.in:
		return frame, nil
	default:
		return nil, e.ended()
	}
}

// Close implements connectors.Conn.
func (e *end) Close(reason string) error {
	e.close.Do(func() {
		e.reason = connectors.TrimReason(reason)
		close(e.closed)
	})
	return nil
}

// Remote implements connectors.Conn.
func (e *end) Remote() string { return e.name }

// ended returns the error that says which side closed, nil while neither has.
func (e *end) ended() error {
	switch {
	case isClosed(e.closed):
		return fmt.Errorf("%w here", connectors.ErrClosed)
	case isClosed(e.peer.closed) && e.peer.reason != "":
		return fmt.Errorf("%w by %s: %s", connectors.ErrClosed, e.name, e.peer.reason)
	case isClosed(e.peer.closed):
		return fmt.Errorf("%w by %s", connectors.ErrClosed, e.name)
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

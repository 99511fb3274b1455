// Package connectors is the contract between a node and what carries its frames.
//
// A [Conn] is one ordered, bounded pipe of frames to one peer; a [Dialer] makes them
// on demand, so that a node can keep itself connected. The implementations are in the
// folders below, and package connectortest is the conformance kit that each passes.
package connectors

import (
	"context"
	"errors"
)

// What a pipe can answer, wrapped with context.
var (
	// ErrClosed: this side or the other closed the pipe in good order.
	ErrClosed = errors.New("connectors: connection closed")
	// ErrFrameTooLarge: a frame exceeds the pipe's limit. The pipe is closed.
	ErrFrameTooLarge = errors.New("connectors: frame too large")
)

// Conn is an ordered pipe of frames. One goroutine may send while another receives;
// Close may be called from any.
type Conn interface {
	// Send queues a frame, which the pipe keeps; the caller does not change it
	// afterwards. It blocks while the pipe's bounded queue is full, until ctx ends.
	Send(ctx context.Context, frame []byte) error

	// Receive returns the next frame, which belongs to the caller. It blocks until
	// there is one, the pipe ends (ErrClosed), breaks (any other error), or ctx ends.
	// After ctx has ended the pipe may be unusable.
	Receive(ctx context.Context) ([]byte, error)

	// Close ends the pipe; the peer is told reason where the pipe can carry text
	// (at most 120 bytes of it). Frames already sent are delivered if that is
	// possible without blocking. Pending calls return. Closing twice is harmless.
	Close(reason string) error

	// Remote describes the other end for logs and policy, as an address or URL.
	Remote() string
}

// Dialer makes connections to one peer.
type Dialer interface {
	// Dial connects, or fails within ctx.
	Dial(ctx context.Context) (Conn, error)

	// String describes the target for logs.
	String() string
}

// Package local connects nodes that live in one process.
//
// A [Pipe] is two connected ends with a bounded queue each way; frames are handed over
// without copying. A [Dialer] makes pipes to a node that serves, and [Connect] keeps
// one node connected to another.
//
// # Concurrency
//
// An end may be used like every connectors.Conn: one goroutine sends, one receives,
// any closes. What one end has sent before it closed is still received by the other.
//
// # Errors
//
// connectors.ErrClosed with the reason that the closing side gave, and
// connectors.ErrFrameTooLarge.
package local

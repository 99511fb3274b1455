// Package ws connects nodes over WebSockets, with coder/websocket: [Handler] is the
// server's side, embeddable in any HTTP server, and [Dialer] the native client's. A
// browser uses package wsjs.
//
// A frame is one binary message. Each direction has a bounded queue, in frames and in
// bytes; each frame has a deadline, in both directions; a peer that says nothing for a while
// is pinged, and given up when it does not answer. An endpoint bounds its connections, those
// of one address among them, and the memory of what is being received on all of them
// together. A panic while a connection is served ends that
// connection and no other.
//
// # Concurrency
//
// A connection has two goroutines of its own, one that writes to the socket and one
// that reads from it; they end when the connection does, at the latest after the
// seconds that the closing handshake may take. Nothing blocks longer than its context.
//
// # Errors
//
// connectors.ErrClosed wraps the reason with which the peer, or this side, closed in
// good order; connectors.ErrFrameTooLarge a message over the limit. Everything else is
// a broken connection and says how.
//
// # Closing codes
//
// 1000 for a reason that the node gives, 1001 when the server shuts down, 1003 for a
// text message, 1009 for a frame over the limit, 1011 after a panic, 1013 when there
// are too many connections.
package ws

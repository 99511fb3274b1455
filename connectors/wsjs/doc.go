// Package wsjs connects a node in a browser to a server over the browser's own
// WebSocket. A native program uses package ws, whose endpoint is the other side of
// both.
//
// A frame is one binary message. It works in a page, in every kind of worker, and in
// JavaScript runtimes that have a WebSocket of their own, as Node.js has from version
// 22; elsewhere Dial returns [ErrUnsupported]. The package exists on every platform,
// [Dialer] only where GOOS is js.
//
// # Bounds
//
// A browser neither tells when it has written what was sent, nor lets a program hold
// back what arrives. So Send blocks, by looking again and again, while the browser
// holds Options.QueueBytes or more; and frames that nobody receives are kept up to
// Options.ReceiveBytes, beyond which the connection ends with [ErrOverflow]: dialling
// again and resuming costs less than a page without memory.
//
// # Concurrency
//
// A connection has no goroutine of its own. The browser's callbacks copy what arrived
// and signal; they never wait.
//
// # Errors
//
// connectors.ErrClosed wraps the reason with which the peer, or this side, closed in
// good order; connectors.ErrFrameTooLarge a message over the limit. Everything else is
// a broken connection. A browser does not say why a connection could not be made or
// broke: the server's refusal, the network and a wrong address look the same to a page.
//
// # Closing codes
//
// 1000 for a reason that the node gives. A page may send no other standard code, hence
// 4003 for a text message, 4009 for a frame over the limit, 4013 for an overflow.
package wsjs

// Package bridge serves the pages of a browser from one node: it gives the messages of
// package frame their meaning.
//
// Each page has a [Session], which owns its live queries and transactions and releases
// them when it ends. The node is opened by the first session's hello, shared by all that
// name the same one, and closed after the last. Equal live queries of all sessions are one
// result of the node. Nothing here knows JavaScript: the program in package wasm and the
// tests of this package hand over frames alike.
//
// The rules that code and tests refer to:
//
//   - B1: what a commit changed leaves for its page before the commit's answer does (L3 of
//     the house: read your writes).
//   - B2: a page that takes in nothing costs a bounded amount of memory. Its change sets are
//     dropped then, and once it goes on it gets the present rows instead.
//   - B3: a message that is wrong gets an error, and the session goes on.
//   - B4: what belongs to a session is gone when the session is.
//   - B5: no message holds more than a page decodes in a few milliseconds.
//
// # Concurrency
//
// A session's methods may be called from any goroutine and never block or compute: they
// hand over to the session's own goroutines, of which one reads, one writes, and each
// transaction and request has its own while it lasts. Bridge.Close waits for all of them.
//
// # Errors
//
// Errors become messages: a code (core.Kind), words, and for a selection the place. What
// has no request to answer is told to Options.Failed.
package bridge

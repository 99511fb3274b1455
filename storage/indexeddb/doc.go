// Package indexeddb is the key-value store of a node in a browser.
//
// [Open] returns a kv.Store over one object store of an IndexedDB database. IndexedDB
// takes some 50 µs for each record, whatever its size, and the same again to read it; so
// the pairs of a store are not its records. Package paged, inside, keeps them in packed
// pages and a log, of which a commit writes one record and a read of some rows a few;
// this package is the disk under it.
//
// The database is opened and upgraded with go-indexeddb. Data moves in bulk through a
// small piece of JavaScript, bridge.js: a transaction crosses as one packed list of
// operations and comes back as one packed list of results, and waits for nothing that
// is not IndexedDB's own, which would end it.
//
// The package exists on every platform, [Open] only where GOOS is js.
//
// # The bridge
//
// bridge.js sets the global ankurahIndexedDB. A page or worker whose
// Content-Security-Policy has no 'unsafe-eval' runs the file before it starts the
// program; otherwise Open makes the global from the copy in the program.
//
// # One writer
//
// A store is for one node. Each Open takes the data over: the store that was opened
// before fails with ErrSuperseded from its next transaction on, and so does a store
// whose data the user or the browser removed. It notices then and not before; until
// then it goes on to answer from memory.
//
// # Concurrency
//
// As package kv demands. Where JavaScript has one thread, no callback runs while any
// goroutine does; so a call that could be answered from memory now and then lets the
// event loop go round first. Callbacks copy and signal, and are released when their
// connection has ended; of each connection one small callback of go-indexeddb's stays.
//
// # Errors
//
// Those of package storage; ErrUnsupported, ErrBlocked, ErrNewer, ErrDisconnected and
// ErrSuperseded say more about storage.ErrUnavailable. A connection that was lost, for
// a browser's reasons or to an upgrade elsewhere, is opened again by the next call.
// storage.ErrFull is the origin's quota.
package indexeddb

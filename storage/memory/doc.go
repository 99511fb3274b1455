// Package memory is the obvious storage engine: maps, and for a selection a full scan,
// a filter and a sort. It serves nodes that keep nothing across restarts, and it is
// the oracle that the other engines are compared with, so nothing in it is clever.
//
// What an engine holds can outlive it on a [Disk], for tests that crash and restart a
// node.
//
// # Concurrency
//
// As package storage says. One lock covers a disk: commits exclude each other and
// reads; reads run side by side.
//
// # Errors
//
// Those of package storage: ErrConflict and ErrClosed, or the context's own.
package memory

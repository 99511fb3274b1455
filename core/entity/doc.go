// Package entity makes the state of an entity out of its events: a head clock and one
// state per property.
//
// States are immutable: Apply returns a new one that shares what did not change. Who
// calls Apply knows that the event is not part of the state yet and that its parents
// are; package core's ingest sees to it.
//
// # Errors
//
// [ErrNoEntity], [ErrExists], [ErrKind] and [ErrWide], wrapped with the property or
// event concerned, and the errors of package property.
package entity

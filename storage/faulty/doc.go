// Package faulty is a storage engine that fails on command, for testing what is above
// one: [Wrap] puts a decision before every call, and [EveryBoundary] runs a scenario
// again and again, killing its engine before and after each call that it makes.
//
// # Concurrency
//
// An [Engine] may be used from many goroutines. The function that decides is called by
// one at a time, in the order in which the calls are numbered.
//
// # Errors
//
// Those of the wrapped engine, those that faults name, and [ErrKilled], which is a
// storage.ErrUnavailable, from every call of an engine that was killed.
package faulty

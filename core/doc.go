// Package core is a node: the order of the steps by which data is committed, merged,
// stored, shown and sent, and only that. What an event is, how properties merge, how
// selections read, where data is kept and how frames travel live in the packages below.
//
// A durable node commits through a sequencer: transactions queue, are validated and
// merged in memory one after the other, and go to storage in groups, each of which is
// one batch with one fsync, while the next is being validated (sequencer.go, ingest.go).
// An ephemeral node keeps, of each entity, the base that a durable node has confirmed,
// with its own pending events merged over it (replica.go); what it committed waits in an
// outbox until a durable node has it. A connection is a session on the side that serves
// (session.go) and a link on the side that dialled (link.go, upstream.go). Between durable
// nodes with stores of their own it is an exchange, by which they replicate (replication.go).
//
// Aggregates are kept by tabulations (tabulation.go), each for all who ask the same: a
// durable node's counts its rows once and then follows the reactor; sessions tell peers of
// the groups (aggregate_session.go), and an ephemeral node's adds its own transactions that
// these do not include (distant.go).
//
// # Concurrency
//
// Everything exported may be used from many goroutines, except a Tx, which belongs to
// one at a time. Goroutines are started in run.go alone; each belongs to the node, ends
// when the node is closed, and is waited for. All publications, hence all callbacks of
// live queries, happen one after the other on the node's loop goroutine: a callback must
// return soon and must not wait for the node (the facade's subscriptions may).
//
// # Errors
//
// Calls return *[Error], whose Kind says what a caller may do about it and is the same
// on the wire and in TypeScript; KindOf finds it. Errors of other packages stay visible
// to errors.Is and errors.As.
package core

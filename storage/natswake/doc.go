// Package natswake has the processes that share a store tell each other of commits, and of what
// they broadcast, over NATS, as storage.Hints: an engine that would have to look whether there is
// something new, as storage/tikv does, is told so within a fraction of a millisecond.
//
// A hint is an empty message on a subject of the store, of which there is one for each kind of
// news. It is sent beside commits and not in them, and NATS keeps none of it: a hint that is lost costs the time until the next look at the
// store, and one that nobody has sent costs a look. So nothing depends on NATS, which may be
// away when a process starts, and come and go.
//
// # Concurrency
//
// All methods may be called from several goroutines. No method waits for the network, except
// Open, which makes one attempt to connect, and goes on trying in the background.
//
// # Errors
//
// Open fails for addresses that are none. Everything later is told to the log: NATS going away
// and coming back, and subjects that it does not permit.
package natswake

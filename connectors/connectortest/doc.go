// Package connectortest is the conformance kit of package connectors, and a wire that
// tests can cut, hold and tamper with.
//
// [Run] takes a constructor and checks the contract of connectors.Conn: frames arrive
// whole and in order, queues are bounded, both ends learn of the end and of its
// reason, calls end with their context, and no goroutine stays behind. Connectors
// outside this module can run it too.
//
// [Wire] wraps any Dialer, so that the tests of a node can take its network away and
// give it back, at frames of their choice.
package connectortest

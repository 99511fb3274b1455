// Package causal answers questions about the history of one entity: which of two clocks is
// ahead, where they parted, what lies between them.
//
// It knows ids and parents and nothing else: a [Getter] brings the parents of an event. What
// makes its answers cheap is the monotone rule, that an event's id is greater than each of its
// parents' ids. Walking back in descending order of ids therefore meets every event after all
// that descend from it, so that what is known of an event when it is met is final, each is
// met once however many paths lead to it, and a walk ends as soon as nothing that is still to
// come can change the answer.
//
// The laws, each held by tests against an oracle that works by brute force:
//
//	C1  Compare(a, b) and Compare(b, a) mirror each other, and have the same meet.
//	C2  The meet is the greatest events that are in both histories; no event in it
//	    descends from another one.
//	C3  A verdict is never given by a walk that ran out of its limit or met an event that
//	    it needed and nobody has: those are errors.
//
// # Concurrency
//
// The functions keep no state and may be called from many goroutines. They block for as long
// as the Getter does.
//
// # Errors
//
// [ErrLimit], [*MissingError], [ErrMonotone], and the Getter's own, which surface as they are
// and are never taken for a missing event.
package causal

// Package id holds identity and time: ULIDs, the typed ids made of them, and the
// hybrid logical clock that stamps events.
//
// Every id is 16 bytes. Its first eight are a [Stamp], 48 bits of milliseconds
// since 1970 and a 16-bit logical counter, so ids sort by time. For an [EventID]
// the last eight are the first 64 bits of the SHA-256 of the event's canonical
// body (package proto computes it), which is how a receiver checks an event
// against its name. For the other ids they are random. Text is always the
// 26-character Crockford form of a ULID.
//
// The monotone rule: the stamp of an event is strictly greater than the stamp of
// each of its parents. [HLC.Next] guarantees it; whoever receives an event checks
// it with [Stamp] alone.
//
// # Concurrency
//
// Ids are values. An [HLC] may be used from many goroutines.
package id

// Package storagetest is the conformance kit of package storage: the promises of
// [storage.Engine] as cases that every engine passes.
//
// [Run] takes a constructor of empty engines, [RunDurable] one that can open the same
// data again; an engine that keeps its data is run through both. [WriteUntilKilled] and
// [VerifyAcknowledged] are the two halves of a test that kills a process in the middle
// of its commits, and [Compare] runs any number of random histories against the oracle.
// [World] makes the events and records for them all; what it makes depends on its seed
// alone, and failures name the seed.
package storagetest

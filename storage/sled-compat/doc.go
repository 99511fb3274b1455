// Package sledcompat is the embedded storage engine: one directory, no other process.
//
// It stands where sled stands in the original Ankurah, and speaks its words: a [DB]
// holds named trees, a [Tree] is an ordered map with Insert, Get, Remove and Range, and
// a [Batch] changes one atomically. Below it is Pebble, a log-structured merge tree in
// pure Go. [Open] gives the storage.Engine over one tree; the layout of what is in it is
// that of package kv.
//
// # Durability
//
// A change that was acknowledged has been written to the log and fsynced: it survives
// the end of the process, by kill -9 too, and of the machine. Changes that come together
// from several goroutines share an fsync. A reader sees a change from the moment it is
// in memory, a little before it is acknowledged.
//
// # Concurrency
//
// Everything may be used from many goroutines. The checks of a batch and its entry into
// memory happen under a lock that is not held while the disk works. A directory is open
// once: a second Open, in this process or another, fails with [ErrLocked].
//
// # Errors
//
// Those of package storage. ErrFull comes before anything is written, when less space is
// free than the reserve (see [WithReserve]), so that the database stays sound and can be
// read. If the log cannot be written or synced all the same, what is in memory may be
// more than what is on disk: that call and every later one fail with ErrUnavailable,
// naming the cause, until the directory is opened again. Where Pebble finds in the
// background that it cannot go on at all (its manifest cannot be written), it panics:
// the data on disk is sound, and a process that went on would pretend otherwise.
package sledcompat

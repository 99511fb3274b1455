// Package sqlite is the storage engine over a SQLite file, in pure Go: for small deployments
// and the desktop, where one file is to hold everything and other programs are to read it.
//
// A collection is a table by its name, with a row for each entity that is not deleted, its id
// as text, and a column for each property that ever had a value; package relational says
// how. The engine's own tables lie beside them and begin with an underscore. The file's
// application id says that it is Ankurah's, its user version which layout it has.
//
// # Indexes
//
// Indexes are made for selections that read much to return little, and as models declare them,
// and go when nobody uses them. SQLite has no way to make one beside other writes: commits wait
// while it does, about a second for a million rows; reads do not. What a path leads to inside a
// document is not indexed.
//
// # Durability
//
// The file is in WAL mode with synchronous=FULL: what Commit acknowledged is synced, and
// survives the end of the process and of the machine. Commits that come together share a
// database transaction, and so a sync; each of them still holds or fails on its own. Beside
// the file are its -wal and -shm while it is open; a backup copies all of them, or uses
// SQLite's own means.
//
// # Concurrency
//
// An engine may be used from many goroutines, and a file by several processes on one machine.
// There is one writer at a time; readers do not wait for it, and a call that reads is one
// statement, and so of one moment.
//
// # Errors
//
// Those of package storage, with SQLite's own words. ErrUnavailable says that the disk failed,
// or that another process kept the file busy for longer than Options.Busy. [ErrForeign] and
// [ErrNewer] say what is wrong with a file.
package sqlite

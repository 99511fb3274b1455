// Package postgres is the storage engine over PostgreSQL 15 and later: for teams that have a
// server of it already, or want their entities where their other programs are.
//
// Everything lies in one schema of a database, "ankurah" unless the URL says otherwise with
// the parameter schema. A collection is a table by its name, with a row for each entity that
// is not deleted, its id as text, and a typed column for each property that ever had a
// value; package relational says how. These tables are there to be read by everybody; who
// writes to them changes nothing that a node sees, and is overwritten. Beside them are the
// engine's own, whose names begin with an underscore:
//
//	_ankurah             layout version; version of the tables' description
//	_tables, _columns    which table is which collection's, which column which property's
//	_indexes             indexes made for selections or declared, and what they are over
//	_records             id, collection, head, and the record in the node's own form
//	_events              id, entity, and the event
//	_feed                feed, seq, and the entry
//	_leases              who may write: feeds, and the schema as a whole
//	_outbox, _meta       as their names say
//
// # Commits
//
// A commit is one round trip and one database transaction: the writes of a batch go out
// together with the conditions under which they hold, and PostgreSQL refuses them together.
// The condition that the tables are what this process takes them for is among them, so that
// several processes may write to one database, and add tables and columns to it, without
// asking each other. What adds them takes turns by an advisory lock.
//
// READ COMMITTED is enough for that. A record is changed by UPDATE … WHERE head = the one
// expected: whoever comes second waits for the first, and is then held against the head that
// the first has left, so that no change is made on top of one that it does not know; records of
// one batch are locked in order of their ids. A record that is created, and a feed entry, have a
// key that can be there once. A batch depends on nothing else that it has read, so that a
// stricter isolation would refuse more and protect no more.
//
// # Several processes
//
// A process that has joined (storage.Shared) has a feed of its own by a lease, of which lease.go
// says how it is held, lost and fenced. LISTEN and NOTIFY are hints, sent beside commits and
// not in them, since NOTIFY has transactions take turns. A View is a REPEATABLE READ transaction;
// a Lock is an advisory lock. Indexes are made CONCURRENTLY, by one process at a time, which
// also removes what an interrupted attempt has left. Where an engine was opened with
// Options.Exclusive, others neither join nor open the schema so.
//
// # Concurrency
//
// An engine may be used from many goroutines, and a database by several engines in several
// processes. Calls take connections from a pool and wait where it has none left; beside it are
// one for each lease and each named lock that is held, and one for hints. A call that
// reads is one statement, and so of one moment.
//
// # Errors
//
// Those of package storage, with PostgreSQL's own words. Serialization failures and deadlocks
// are tried again, and so is what found its connection cut before anything was sent, or
// only read. A commit whose connection is cut in the middle looks, once there is a connection
// again, whether it was stored. ErrUnavailable says that the server could not be reached
// within the time allowed. [ErrForeign], [ErrNewer] and [ErrLocked] say what is wrong with a
// database.
package postgres

// Package relational says how entities lie in the tables of an SQL database, and turns
// selections into SQL over them. It is what storage/postgres and storage/sqlite share; it
// opens no connections.
//
// # Tables
//
// Each collection has a table of the entities that are not deleted, with a typed column for
// each property that ever had a value, for everybody to read. A column has the type of
// the first value of its property. Beside these tables is one of records, with the exact
// state of each entity in the node's own form: what an engine returns is read there.
//
//	T1  a row that is not odd holds in each of its columns exactly the value that its
//	    record holds, or NULL where that is NULL
//	T2  a row whose record holds something that a column cannot (a value of another type,
//	    text with a NUL, a number that is none) is marked odd. What its columns hold then
//	    decides nothing: odd rows are read by every scan, and their records decide
//
// So reading is right whatever was written, and fast where what was written is of one type.
//
// # Statements
//
// A [Reader] is what of an engine only reads; an engine gives it a [Database] to run its
// statements on. [Layout.Scan] makes the one statement that reads a page. Its parts are the
// version of the tables' description, by which the reader sees that its own is out of date; the
// rows that stand apart, which SQL cannot put in order; and the rows that it can, from the key
// after which the page begins. A [Pager] makes the page of them. The predicate is SQL with the
// same truth value for each row, where SQL can say it, and otherwise true of some rows more; the
// Pager holds every record against the selection itself. [Layout.Count] counts in SQL where
// that can say all of the predicate.
//
// # Indexes
//
// An [Indexer] decides which indexes there are: those that models declare, and those for
// selections that would have been served by one. The table _indexes says which, whoever made
// them; the database is told to build and to drop by an engine's [Builder].
//
// # Concurrency
//
// Tables, layouts and descriptions are immutable once made; a Pager and a Tally belong to one
// goroutine; a Reader and an Indexer may be used from many.
package relational

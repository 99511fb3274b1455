// Package kv is the storage engine over any ordered key-value store. It owns the
// layout of the keys, the choice of how a selection is read, and the check of expected
// heads; a [Store] brings bytes, order and atomicity.
//
// # Layout
//
// A key is a byte that names its space, then:
//
//	v                                   version of this layout, one byte
//	e  event                            an event
//	h  entity event                     history: empty; see K1 for event = entity
//	r  len collection entity            a record
//	c  len collection                   the indexes of a collection, see K5
//	c  len collection number            how far an index is built, when it was used last
//	i  len collection number columns entity   an entry of an index: empty
//	f  feed seq                         a feed entry
//	o  seq                              an outbox entry
//	m  name                             a metadata entry
//
// Ids are their 16 bytes, seq is 8 bytes and number 4 bytes big endian, len is one byte, and
// collection and name are text; columns are the keys of values (value.AppendKey). So the
// rows of one collection lie together in ascending order of entity, which is the order of a
// selection without ORDER BY. A record's row is a MessagePack array [rev, base rev, state,
// base or nil] of the forms of package proto; what the key says is not said again.
//
// The invariants that code and tests cite:
//
//	K1  A record, or a creation event, has a home row: the history row of the entity's
//	    creation, which exists even where the event does not, and whose value is the
//	    name of the collection. So a record is found by its entity alone.
//	K2  An entity's collection never changes, so a home once read stays true.
//	K3  A history row whose event is absent is passed over.
//	K4  What was read decides: an access path may offer rows that do not match, and
//	    every row is held against the whole selection before it is returned.
//	K5  Whoever writes a record, or walks an index, does so by the catalogue of its
//	    collection as it is stored at that moment: a commit checks its row, a scan reads it
//	    along with everything else. So no process can miss an index that another has made,
//	    nor rely on one that is being removed.
//	K6  Every index that is not being removed has the entries of all rows written since
//	    it was listed, and a ready one those of all rows; deleted entities have none. The
//	    number of an index is not used again, so entries that are left over mean nothing.
//
// A store whose layout is newer than this program is refused with [ErrNewer].
//
// # Indexes
//
// An index is declared by a model or made when a selection first needs it: when a scan has
// examined many rows (Options.AutoIndexRows) and returned few of them, the index that
// package plan suggests is listed as being built. From then on every commit keeps it up, in
// the writes of the record itself, from the stored row before to the row after. What is
// older is filled in by one goroutine, in steps of Options.BuildRows rows, each of which
// checks that its rows are still those read: a commit that came in between wins, and the
// step is made again, smaller. A step is one commit along with how far it has come, so
// after a crash the next process goes on where the last one stopped. With the last step the
// index is ready. Readers wait for none of this.
//
// Of automatic indexes a collection has at most Options.AutoIndexes; when one more is needed
// the one that was not used for longest gives way, and one that nobody has used for
// Options.IdleIndexes goes by itself. When an index was used is stored to the day. An
// index that is to go is not maintained from that moment on, and its entries are removed
// in steps.
//
// What a plan costs is guessed from the predicate, and where the guess could mislead, the
// entries in the ranges of the few best indexes are counted, up to 512 of each: less work
// than the plan itself will be. How many rows a collection has is what was counted when
// an index over it was last built. There are no other statistics to be kept, or to be
// wrong.
//
// A scan in the selection's order stops when its page is full, and after
// Options.ScanRows rows or Options.ScanBytes of them in any case; the next page goes on by the sort key,
// whatever plan it is read by then. Where the order is that of ids, which entries tell, the ids in the
// ranges, of several indexes perhaps, are sorted before any row is read. Everything else is
// collected in a window of the page's size, for which all rows in the ranges are read.
//
// Indexes take a store that gives views of one moment ([Viewer]): an entry and the row it
// leads to have to belong together.
//
// Where several processes share a store they build and remove indexes in turns
// (Options.Turn). Nothing depends on it but how often they get in each other's way: the
// catalogue is checked with every commit and every step, whoever makes it.
//
// # Concurrency
//
// The engine may be used from many goroutines, and so may a store be shared by several
// engines in several processes: what an engine remembers is a guess that the store's checks
// confirm, or, like the collection of an entity, never changes. Commit reads what the batch
// expects, and hands the store the writes with the exact values read as checks; when another
// commit came in between, it reads again. It holds no lock while the store works, so commits
// that come together can share what making them durable costs.
//
// # Errors
//
// Those of package storage: the store's own, ErrConflict for an unexpected head,
// ErrCorrupt for a row that cannot be read; and [ErrNewer].
package kv

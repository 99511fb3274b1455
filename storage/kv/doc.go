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
//	f  feed seq                         a feed entry
//	o  seq                              an outbox entry
//	m  name                             a metadata entry
//
// Ids are their 16 bytes, seq is 8 bytes big endian, len is one byte, and collection
// and name are text. So the rows of one collection lie together in ascending order of
// entity, which is the order of a selection without ORDER BY. The space i is kept for
// secondary indexes. A record's row is a MessagePack array [rev, state, base or nil]
// of the forms of package proto; what the key says is not said again.
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
//
// A store whose layout is newer than this program is refused with [ErrNewer].
//
// # Concurrency
//
// The engine may be used from many goroutines, and so may a store be shared by several
// engines in several processes. Commit reads what the batch expects, and hands the
// store the writes with the exact values read as checks; when another commit came in
// between, it reads again. It holds no lock while the store works, so commits that
// come together can share what making them durable costs.
//
// # Errors
//
// Those of package storage: the store's own, ErrConflict for an unexpected head,
// ErrCorrupt for a row that cannot be read; and [ErrNewer].
package kv

// Package storage is the contract between a node and what keeps its data.
//
// An [Engine] keeps one node's records (entity states), events, outbox, metadata and
// change feed. The contract has no callbacks, no open iterators and no transaction
// handles: IndexedDB ends a transaction that waits for anything else, and a fault
// injector can enumerate every call. The engines are in the folders below; the
// conformance kit that each of them passes is package storagetest.
//
// # Concurrency
//
// All methods may be called from many goroutines. Commit is atomic and durable: when
// it returns nil, everything in the batch survives a crash of the process and, unless
// the engine says otherwise, of the machine. A read sees every batch whose Commit had
// returned, and every batch wholly or not at all; what one call returns is one
// consistent moment.
//
// # Errors
//
// [ErrConflict], [ErrClosed], [ErrCorrupt], [ErrFull] and [ErrUnavailable] are wrapped
// with context; a call may also return its context's error. After an error Commit has
// stored nothing, except for ErrUnavailable, after which the outcome is unknown and the
// batch may be committed again: events are idempotent, and the expected heads tell.
package storage

import (
	"context"
	"errors"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// What an engine can answer.
var (
	// ErrConflict: an entity's stored head is not the one that the batch expects.
	ErrConflict = errors.New("storage: stored head is not the expected one")
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("storage: engine is closed")
	// ErrCorrupt: what was read is not what could have been written.
	ErrCorrupt = errors.New("storage: corrupt data")
	// ErrFull: the device or the quota is exhausted.
	ErrFull = errors.New("storage: no space left")
	// ErrUnavailable: the store cannot be reached or was taken away.
	ErrUnavailable = errors.New("storage: unavailable")
)

// MaxPage is the greatest limit that Scan, Feed, Outbox and EntityEvents honour; more
// is treated as MaxPage, and zero or less as MaxPage too.
const MaxPage = 4096

// PageSize is the number of items that a call with the given limit returns at most.
func PageSize(limit int) int {
	if limit <= 0 {
		return MaxPage
	}
	return min(limit, MaxPage)
}

// Reader is what can be read of a store. Slices and records that it returns belong to the
// caller, except that records, states and events are immutable.
type Reader interface {
	// Records returns the records of the given entities, in their order, nil where
	// there is none. Records of deleted entities are returned like others.
	Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error)

	// Events returns the given events, in their order, nil where there is none.
	Events(ctx context.Context, events []id.EventID) ([]*proto.Event, error)

	// EntityEvents returns events of an entity in ascending order of id, from the
	// first one greater than after.
	EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error)

	// Scan returns, in the selection's order, up to limit records of the collection
	// that match its predicate and are not deleted, from the first one whose sort key
	// (ankql.Selection.AppendSortKey) is greater than after; nil is the beginning. The
	// selection's own LIMIT is not looked at. The selection has been checked against
	// its model (ankql.Selection.Check).
	Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*Page, error)

	// Feed returns entries of one feed in ascending order, from the first one whose
	// Seq is greater than after.
	Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error)

	// Meta returns the values under the given keys, nil where there is none.
	Meta(ctx context.Context, keys ...string) ([][]byte, error)
}

// Engine keeps one node's data. What is passed to it is not changed by the caller
// afterwards.
type Engine interface {
	Reader

	// Commit stores a batch whole or not at all.
	Commit(ctx context.Context, b *Batch) error

	// Outbox returns outbox entries in ascending order of Seq, from the first one
	// greater than after.
	Outbox(ctx context.Context, after uint64, limit int) ([]OutboxEntry, error)

	// Close waits for calls in progress and releases everything. Later calls, a
	// second Close aside, return ErrClosed.
	Close() error
}

// MaxPageBytes is about how many bytes of records, and of their sort keys, a page of a scan
// has at most; one that would have more ends before, but not before its first record. So what
// a reader keeps in memory does not depend on how large records are.
const MaxPageBytes = 8 << 20

// Page is one bounded part of a scan.
type Page struct {
	Records []*proto.Record
	// More says that further records may follow; the caller goes on after the sort key
	// of the last record. A page may have fewer records than were asked for, or none, and
	// still have More (an engine bounds the work and the memory of one call); Next is
	// where to go on.
	More bool
	// Next is the key to pass as after for the next page; nil when More is false.
	Next []byte
}

// Batch is what one Commit stores.
type Batch struct {
	// Events are added; those already there stay. (Whoever accepts an event has
	// checked its id against its content, so equal ids are equal events.)
	Events []*proto.Event
	// Records are written, each if the stored head is the expected one; at most one
	// for an entity. An entity's collection never changes.
	Records []RecordWrite
	// Evict removes the records of these entities, whatever they are; an ephemeral
	// node forgets what it may no longer see. Events stay. An entity is not both
	// written and evicted.
	Evict []id.EntityID
	// Outbox entries are written, or removed where Data is nil.
	Outbox []OutboxEntry
	// Meta entries are written, or removed where Value is nil.
	Meta []MetaEntry
	// Feed entries are appended to the feed FeedID. The node numbers them; an entry
	// already there under its number is an ErrConflict.
	FeedID id.NodeID
	Feed   []*proto.FeedEntry
}

// RecordWrite writes one record.
type RecordWrite struct {
	Record *proto.Record
	// Expect is the head that the stored record's State must have; nil means that there
	// must be no record.
	Expect proto.Clock
}

// OutboxEntry is a transaction that waits to be sent, in the node's own encoding.
type OutboxEntry struct {
	Seq  uint64
	Data []byte
}

// MetaEntry is a small named value: the node's id, its system, cursors.
type MetaEntry struct {
	Key   string
	Value []byte
}

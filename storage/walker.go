package storage

import (
	"context"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Walker is a power that an engine may have: it goes through everything that it holds, of
// all collections, in order of ids. Copies, checks and counts of a whole store are made
// with it. What one call returns need not be of one moment as a whole, but each of its
// items is, and nothing is passed over that was there before the call.
//
// An item that cannot be read says so in its Err, which wraps ErrCorrupt, and the walk
// goes on behind it.
type Walker interface {
	// WalkRecords returns the records of up to limit entities, deleted ones included, in
	// ascending order of entity from the first one greater than after. Fewer than limit
	// are the last.
	WalkRecords(ctx context.Context, after id.EntityID, limit int) ([]StoredRecord, error)

	// WalkEvents returns up to limit events in ascending order of entity, and of id within
	// an entity, from the first one greater than after. Fewer than limit are the last.
	WalkEvents(ctx context.Context, after EventKey, limit int) ([]StoredEvent, error)

	// Feeds returns the greatest Seq of every feed that has entries.
	Feeds(ctx context.Context) (map[id.NodeID]uint64, error)
}

// EventKey is the place of an event in the order of WalkEvents. The zero key comes before
// all others.
type EventKey struct {
	Entity id.EntityID
	Event  id.EventID
}

// Compare returns -1, 0 or 1 as k comes before, with or after l.
func (k EventKey) Compare(l EventKey) int {
	if c := k.Entity.Compare(l.Entity.ULID); c != 0 {
		return c
	}
	return k.Event.Compare(l.Event.ULID)
}

// StoredRecord is a record that a Walker came by, or why it cannot be read.
type StoredRecord struct {
	Entity id.EntityID
	Record *proto.Record
	Err    error
}

// StoredEvent is an event that a Walker came by, or why it cannot be read.
type StoredEvent struct {
	Key   EventKey
	Event *proto.Event
	Err   error
}

// Sizer is a power that an engine may have: it knows how much room it takes.
type Sizer interface {
	// Size returns about how many bytes the store takes where it is kept.
	Size(ctx context.Context) (int64, error)
}

package proto

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// FeedEntry is one committed transaction in a durable node's change feed. Seq counts
// from 1 without gaps within one feed.
type FeedEntry struct {
	Seq         uint64
	Transaction id.TransactionID
	Changes     []Change
}

// AppendEvents appends the ids of the transaction's events.
func (e *FeedEntry) AppendEvents(dst []id.EventID) []id.EventID {
	for i := range e.Changes {
		dst = append(dst, e.Changes[i].Events...)
	}
	return dst
}

// Change is what a transaction did to one entity.
type Change struct {
	Collection string
	Entity     id.EntityID
	Rev        uint64 // the record's after the change
	Before     Clock  // head before; empty for a creation
	After      Clock  // head after
	Events     []id.EventID

	// Undo holds what the touched properties were before, so that "did it match
	// then?" needs no replay. Null stands for never set.
	Undo []Field
}

// Field is a property name with a value.
type Field struct {
	Name  string
	Value value.Value
}

// AppendFeedEntry appends e as [seq, transaction, [change…]].
func AppendFeedEntry(dst []byte, e *FeedEntry) []byte {
	dst = msgpack.AppendArrayLen(dst, 3)
	dst = msgpack.AppendUint(dst, e.Seq)
	dst = AppendID(dst, e.Transaction.ULID)
	dst = msgpack.AppendArrayLen(dst, len(e.Changes))
	for i := range e.Changes {
		dst = appendChange(dst, &e.Changes[i])
	}
	return dst
}

func appendChange(dst []byte, c *Change) []byte {
	dst = msgpack.AppendArrayLen(dst, 7)
	dst = msgpack.AppendString(dst, c.Collection)
	dst = AppendID(dst, c.Entity.ULID)
	dst = msgpack.AppendUint(dst, c.Rev)
	dst = AppendClock(dst, c.Before)
	dst = AppendClock(dst, c.After)
	dst = msgpack.AppendArrayLen(dst, len(c.Events))
	for _, e := range c.Events {
		dst = AppendID(dst, e.ULID)
	}
	dst = msgpack.AppendArrayLen(dst, 2*len(c.Undo))
	for _, f := range c.Undo {
		dst = msgpack.AppendString(dst, f.Name)
		dst = value.Append(dst, f.Value)
	}
	return dst
}

// DecodeFeedEntry reads a slice that holds exactly one entry.
func DecodeFeedEntry(b []byte) (*FeedEntry, error) {
	r := msgpack.NewReader(b)
	r.Array(3)
	e := &FeedEntry{Seq: r.Uint(), Transaction: id.TransactionID{ULID: ReadID(&r)}}
	for n := r.ArrayLen(MaxTxEvents); n > 0 && r.Err() == nil; n-- {
		e.Changes = append(e.Changes, readChange(&r))
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("proto: feed entry: %w", err)
	}
	return e, nil
}

func readChange(r *msgpack.Reader) Change {
	r.Array(7)
	c := Change{
		Collection: readName(r),
		Entity:     id.EntityID{ULID: ReadID(r)},
		Rev:        r.Uint(),
		Before:     ReadClock(r),
		After:      ReadClock(r),
	}
	for n := r.ArrayLen(MaxTxEvents); n > 0 && r.Err() == nil; n-- {
		c.Events = append(c.Events, id.EventID{ULID: ReadID(r)})
	}
	for n := readRun(r, 2, MaxFrameItems); n > 0 && r.Err() == nil; n-- {
		c.Undo = append(c.Undo, Field{Name: readName(r), Value: value.Read(r)})
	}
	return c
}

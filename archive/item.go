package archive

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
)

// Item is one of three things: the others are nil.
type Item struct {
	Record *proto.Record
	Event  *proto.Event
	Entry  *proto.FeedEntry
	Feed   id.NodeID // of Entry
}

const (
	itemRecord = 1
	itemEvent  = 2
	itemEntry  = 3
)

func appendItem(dst []byte, item *Item) []byte {
	switch {
	case item.Record != nil:
		dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 2), itemRecord)
		return proto.AppendRecord(dst, item.Record)
	case item.Event != nil:
		dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 2), itemEvent)
		return proto.AppendEvent(dst, item.Event)
	}
	dst = msgpack.AppendUint(msgpack.AppendArrayLen(dst, 3), itemEntry)
	dst = proto.AppendID(dst, item.Feed.ULID)
	return proto.AppendFeedEntry(dst, item.Entry)
}

// readItem reads what appendItem wrote, and verifies events; errors stay in r.
func readItem(r *msgpack.Reader) (item Item) {
	n := r.ArrayLen(3)
	tag := r.Uint()
	switch {
	case r.Err() != nil:
	case n == 2 && tag == itemRecord:
		item.Record = proto.ReadRecord(r)
	case n == 2 && tag == itemEvent:
		item.Event = proto.ReadEvent(r)
	case n == 3 && tag == itemEntry:
		item.Feed = id.NodeID{ULID: proto.ReadID(r)}
		item.Entry = readEntry(r)
	default:
		r.Fail(fmt.Errorf("item %d of %d parts is unknown", tag, n))
	}
	return item
}

func readEntry(r *msgpack.Reader) *proto.FeedEntry {
	raw := r.Raw()
	if r.Err() != nil {
		return nil
	}
	entry, err := proto.DecodeFeedEntry(raw)
	if err != nil {
		r.Fail(err)
	}
	return entry
}

// Counts are how many items there are of each kind.
type Counts struct{ Records, Events, Entries uint64 }

func (c *Counts) add(item *Item) {
	switch {
	case item.Record != nil:
		c.Records++
	case item.Event != nil:
		c.Events++
	default:
		c.Entries++
	}
}

// Data is one chunk of items.
type Data struct {
	Items []Item
	// Cursor is how far one is with them.
	Cursor Cursor
}

func decodeData(b []byte) (*Data, error) {
	r := msgpack.NewReader(b)
	d := &Data{Cursor: readCursor(&r)}
	for r.More() {
		d.Items = append(d.Items, readItem(&r))
	}
	if err := r.Done(); err != nil {
		return nil, damaged("item %d: %w", len(d.Items), err)
	}
	return d, nil
}

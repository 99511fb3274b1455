package archive

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Cursor is how far one is with an archive. The zero cursor is its beginning.
type Cursor struct {
	// Last is the last entity that was seen, and the last of its events.
	Last storage.EventKey
	// Walked says that all entities were seen.
	Walked bool
	// Feeds is the last entry seen of each feed, in ascending order of feeds.
	Feeds []FeedPosition
}

// FeedPosition is a place in one feed.
type FeedPosition struct {
	Feed id.NodeID
	Seq  uint64
}

// Equal reports whether two cursors are of the same place.
func (c Cursor) Equal(d Cursor) bool {
	return c.Last == d.Last && c.Walked == d.Walked && slices.Equal(c.Feeds, d.Feeds)
}

// seq returns the last entry seen of a feed.
func (c *Cursor) seq(feed id.NodeID) uint64 {
	if i, found := c.find(feed); found {
		return c.Feeds[i].Seq
	}
	return 0
}

func (c *Cursor) find(feed id.NodeID) (int, bool) {
	return slices.BinarySearchFunc(c.Feeds, feed, func(p FeedPosition, feed id.NodeID) int { return p.Feed.Compare(feed.ULID) })
}

// saw notes an entry. Cursors that were handed out are not changed.
func (c *Cursor) saw(feed id.NodeID, seq uint64) {
	i, found := c.find(feed)
	c.Feeds = slices.Clone(c.Feeds)
	if !found {
		c.Feeds = slices.Insert(c.Feeds, i, FeedPosition{Feed: feed})
	}
	c.Feeds[i].Seq = seq
}

// maxFeeds bounds the feeds of a store: as many as a position has places, in a store that
// has seen a great many processes.
const maxFeeds = 64 * proto.MaxPlaces

func appendFeeds(dst []byte, feeds []FeedPosition) []byte {
	dst = msgpack.AppendArrayLen(dst, len(feeds))
	for _, f := range feeds {
		dst = proto.AppendID(msgpack.AppendArrayLen(dst, 2), f.Feed.ULID)
		dst = msgpack.AppendUint(dst, f.Seq)
	}
	return dst
}

func readFeeds(r *msgpack.Reader) (feeds []FeedPosition) {
	for n := r.ArrayLen(maxFeeds); n > 0 && r.Err() == nil; n-- {
		r.Array(2)
		feeds = append(feeds, FeedPosition{Feed: id.NodeID{ULID: proto.ReadID(r)}, Seq: r.Uint()})
		if k := len(feeds) - 1; k > 0 && feeds[k-1].Feed.Compare(feeds[k].Feed.ULID) >= 0 {
			r.Fail(proto.ErrNotCanonical)
		}
	}
	return feeds
}

func appendCursor(dst []byte, c Cursor) []byte {
	dst = msgpack.AppendArrayLen(dst, 4)
	dst = proto.AppendID(dst, c.Last.Entity.ULID)
	dst = proto.AppendID(dst, c.Last.Event.ULID)
	dst = msgpack.AppendBool(dst, c.Walked)
	return appendFeeds(dst, c.Feeds)
}

func readCursor(r *msgpack.Reader) (c Cursor) {
	r.Array(4)
	c.Last.Entity = id.EntityID{ULID: proto.ReadID(r)}
	c.Last.Event = id.EventID{ULID: proto.ReadID(r)}
	c.Walked = r.Bool()
	c.Feeds = readFeeds(r)
	return c
}

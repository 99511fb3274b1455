package core

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// feeds is where the feeds of a durable node's store stand, as far as the node has
// published them: its own, and those of other processes on the same store.
type feeds struct {
	store id.StoreID
	mu    struct {
		sync.RWMutex
		timelines map[id.NodeID]timeline
		ends      map[id.NodeID]uint64
		position  proto.Position // of ends
	}
}

// timeline is the epochs of one feed, oldest first.
type timeline []epoch

// epoch is one opening of a feed.
type epoch struct {
	id    id.EpochID
	after uint64 // the seq of the last entry before it
}

// maxEpochs bounds the epochs of a feed that are remembered. Who is in step with an
// earlier one is brought up to date row by row.
const maxEpochs = 1024

// timelineKey is where a feed's timeline is among the store's metadata.
func timelineKey(feed id.NodeID) string { return metaTimeline + feed.String() }

// open begins an epoch of the node's own feed, which ends at last, and reads or makes the
// store's id.
func (f *feeds) open(ctx context.Context, n *Node, last uint64) error {
	unlock, err := n.lock(ctx, lockStore) // of two processes that open a new store, one names it
	if err != nil {
		return err
	}
	defer unlock()
	meta, err := n.engine.Meta(ctx, metaStore, timelineKey(n.self))
	if err != nil {
		return err
	}
	var b storage.Batch
	if meta[0] == nil {
		f.store = id.StoreID{ULID: id.New(n.opts.Random)}
		b.Meta = append(b.Meta, storage.MetaEntry{Key: metaStore, Value: f.store.Bytes()})
	} else if f.store.ULID, err = id.FromBytes(meta[0]); err != nil {
		return fmt.Errorf("%w: store id: %w", storage.ErrCorrupt, err)
	}
	own, err := decodeTimeline(meta[1])
	if err != nil {
		return err
	}
	own = append(own, epoch{id.EpochID{ULID: id.New(n.opts.Random)}, last})
	own = own[max(0, len(own)-maxEpochs):]
	b.Meta = append(b.Meta, storage.MetaEntry{Key: timelineKey(n.self), Value: encodeTimeline(own)})
	if err := n.engine.Commit(ctx, &b); err != nil {
		return err
	}
	f.mu.timelines = map[id.NodeID]timeline{n.self: own}
	f.mu.ends = map[id.NodeID]uint64{n.self: last}
	f.mu.position = f.places(nil)
	return nil
}

// standing returns the position up to which everything has been published.
func (f *feeds) standing() proto.Position {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.mu.position
}

// feedEnd is the last entry of a feed, as far as something is concerned.
type feedEnd struct {
	feed id.NodeID
	seq  uint64
}

// end returns the number of a feed's last entry that has been published.
func (f *feeds) end(feed id.NodeID) uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.mu.ends[feed]
}

// know notes under which epochs a feed has been written.
func (f *feeds) know(feed id.NodeID, t timeline) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(t) > 0 {
		f.mu.timelines[feed] = t
	}
}

// with returns the position that follows when some feeds end elsewhere.
func (f *feeds) with(ends []feedEnd) proto.Position {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.places(ends)
}

// advance notes up to where feeds have been published.
func (f *feeds) advance(ends []feedEnd) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, end := range ends {
		f.mu.ends[end.feed] = end.seq
	}
	f.mu.position = f.places(nil)
}

// places makes a position of where the feeds stand, some of them elsewhere.
func (f *feeds) places(ends []feedEnd) proto.Position {
	p := make(proto.Position, 0, len(f.mu.timelines))
	for feed, t := range f.mu.timelines {
		seq := f.mu.ends[feed]
		for _, end := range ends {
			if end.feed == feed {
				seq = end.seq
			}
		}
		p = append(p, proto.Place{Epoch: t[len(t)-1].id, Seq: seq})
	}
	if len(p) > 1 {
		slices.SortFunc(p, func(a, b proto.Place) int { return bytes.Compare(a.Epoch.Bytes(), b.Epoch.Bytes()) })
	}
	return p
}

// since returns from which entry on each feed has what a position does not include, and how
// many entries that are; ok is false where it is not a position of what the feeds became.
func (f *feeds) since(p proto.Position) (from map[id.NodeID]uint64, entries uint64, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	from = make(map[id.NodeID]uint64, len(f.mu.ends))
	for _, place := range p {
		feed, end, found := f.find(place.Epoch)
		if !found && place.Seq == 0 {
			continue // a process has opened a feed, and written nothing yet
		}
		if !found || place.Seq > end {
			return nil, 0, false
		}
		from[feed] = place.Seq
	}
	for feed, end := range f.mu.ends {
		if from[feed] > end {
			return nil, 0, false
		}
		entries += end - from[feed]
		from[feed] += 0 // every feed is named, also one that began after the position
	}
	return from, entries, len(p) > 0
}

// find returns the feed that an epoch is of, and the last entry in the epoch.
func (f *feeds) find(e id.EpochID) (feed id.NodeID, end uint64, ok bool) {
	for feed, t := range f.mu.timelines {
		i := slices.IndexFunc(t, func(x epoch) bool { return x.id == e })
		switch {
		case i < 0:
		case i+1 < len(t):
			return feed, t[i+1].after, true
		default:
			return feed, f.mu.ends[feed], true
		}
	}
	return feed, 0, false
}

// continues reports whether a peer that was in step with a store at a position may go on
// from there: it is this one, and has not been set back since.
func (f *feeds) continues(store id.StoreID, p proto.Position) bool {
	if store != f.store {
		return store.IsZero()
	}
	_, _, ok := f.since(p)
	return ok || len(p) == 0
}

func encodeTimeline(t timeline) []byte {
	b := msgpack.AppendArrayLen(nil, 2*len(t))
	for _, e := range t {
		b = msgpack.AppendUint(msgpack.AppendBytes(b, e.id.Bytes()), e.after)
	}
	return b
}

func decodeTimeline(b []byte) (t timeline, err error) {
	if b == nil {
		return nil, nil
	}
	r := msgpack.NewReader(b)
	for n := r.ArrayLen(2 * maxEpochs); n > 0 && r.Err() == nil; n -= 2 {
		u, err := id.FromBytes(r.Bytes())
		if err != nil {
			r.Fail(err)
		}
		t = append(t, epoch{id.EpochID{ULID: u}, r.Uint()})
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: timeline of a feed: %w", storage.ErrCorrupt, err)
	}
	return t, nil
}

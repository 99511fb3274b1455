package kv

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Snapshot is a store as it is at one moment, for longer than one call. It belongs to one
// goroutine at a time. Its methods are those of a Store, and return as theirs do.
type Snapshot interface {
	Viewer
	Get(ctx context.Context, keys [][]byte) ([][]byte, error)
	Scan(ctx context.Context, r Range, limit int) ([]Pair, error)
	// Close releases what the snapshot holds; a second Close does nothing.
	Close()
}

// ViewOf returns the engine as of a snapshot of its store, for engines that are
// storage.Shared. Closing the view closes the snapshot.
func ViewOf(e *Engine, s Snapshot) storage.View { return &snapshotView{e, s} }

type snapshotView struct {
	engine   *Engine
	snapshot Snapshot
}

func (v *snapshotView) Close() { v.snapshot.Close() }

func (v *snapshotView) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return v.engine.records(ctx, v.snapshot, entities)
}

func (v *snapshotView) Events(ctx context.Context, ids []id.EventID) ([]*proto.Event, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return events(ctx, v.snapshot, ids)
}

func (v *snapshotView) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return entityEvents(ctx, v.snapshot, entity, after, limit)
}

func (v *snapshotView) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return v.engine.scan(ctx, v.snapshot, collection, s, after, limit, nil)
}

func (v *snapshotView) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return feedEntries(ctx, v.snapshot, feed, after, limit)
}

func (v *snapshotView) Meta(ctx context.Context, names ...string) ([][]byte, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return meta(ctx, v.snapshot, names)
}

func (v *snapshotView) Feeds(ctx context.Context) (map[id.NodeID]uint64, error) {
	if err := v.engine.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer v.engine.gate.Leave()
	return feeds(ctx, v.snapshot)
}

// Feeds returns the greatest Seq of every feed that has entries.
func Feeds(ctx context.Context, s Snapshot) (map[id.NodeID]uint64, error) { return feeds(ctx, s) }

// feeds reads the last entry of each feed, from the last feed to the first.
func feeds(ctx context.Context, from source) (map[id.NodeID]uint64, error) {
	tails := map[id.NodeID]uint64{}
	all := within([]byte{spaceFeed})
	all.Reverse = true
	for {
		last, err := from.Scan(ctx, all, 1)
		if err != nil || len(last) == 0 {
			return tails, err
		}
		key := last[0].Key
		u, err := id.FromBytes(key[1:min(len(key), 1+id.Size)])
		if err != nil || len(key) != 1+id.Size+8 {
			return nil, fmt.Errorf("%w: feed key of %d bytes", storage.ErrCorrupt, len(key))
		}
		feed := id.NodeID{ULID: u}
		tails[feed] = binary.BigEndian.Uint64(key[1+id.Size:])
		all.End = feedPrefix(feed)
	}
}

// EntryKey is the key of a feed's entry: whoever waits for it need not read the feed.
func EntryKey(feed id.NodeID, seq uint64) []byte { return feedKey(feed, seq) }

// IsEntry reports whether a key is that of a feed's entry.
func IsEntry(key []byte) bool { return len(key) > 0 && key[0] == spaceFeed }

// IsCommon reports whether a key is one that nearly every commit checks, and few write: the
// row that lists a collection's indexes (K5). A store whose checks are locks takes care that
// commits that check it do not wait for each other.
func IsCommon(key []byte) bool {
	return len(key) >= 2 && key[0] == spaceIndexes && len(key) == 2+int(key[1])
}

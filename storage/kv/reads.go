package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// source is what is read from: a store as it is, or as it was at one moment.
type source interface {
	Get(ctx context.Context, keys [][]byte) ([][]byte, error)
	Scan(ctx context.Context, r Range, limit int) ([]Pair, error)
}

// view calls read with a reader of one moment, if the source has such.
func view(ctx context.Context, from source, read func(Reader) error) error {
	if v, ok := from.(Viewer); ok {
		return v.View(ctx, read)
	}
	return read(&plainReader{ctx: ctx, store: from})
}

func (e *Engine) records(ctx context.Context, from source, entities []id.EntityID) ([]*proto.Record, error) {
	homes := make([]string, len(entities))
	for i, entity := range entities {
		homes[i] = e.homes.get(entity)
	}
	// Each round reads the rows of the entities whose collection is known and the homes
	// of the others. The first in which no home turns up is of one moment as a whole.
	for {
		values, err := e.readRound(ctx, from, entities, homes)
		if err != nil {
			return nil, err
		}
		if values != nil {
			return decodeRows(entities, homes, values)
		}
	}
}

// readRound reads rows where homes are known, and homes where they are not; when it
// learns a home it says so in homes and returns nil.
func (e *Engine) readRound(ctx context.Context, from source, entities []id.EntityID, homes []string) ([][]byte, error) {
	keys := make([][]byte, len(entities))
	for i, entity := range entities {
		if homes[i] == "" {
			keys[i] = homeKey(entity)
		} else {
			keys[i] = recordKey(homes[i], entity)
		}
	}
	values, err := from.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	learnt := false
	for i, entity := range entities {
		if homes[i] == "" && len(values[i]) > 0 {
			homes[i] = e.homes.learn(entity, values[i])
			learnt = true
		}
	}
	if learnt {
		return nil, nil
	}
	return values, nil
}

func decodeRows(entities []id.EntityID, homes []string, values [][]byte) ([]*proto.Record, error) {
	records := make([]*proto.Record, len(entities))
	for i, entity := range entities {
		if homes[i] == "" || values[i] == nil {
			continue
		}
		rec, err := decodeRow(homes[i], entity, values[i])
		if err != nil {
			return nil, err
		}
		records[i] = rec
	}
	return records, nil
}

func events(ctx context.Context, from source, ids []id.EventID) ([]*proto.Event, error) {
	keys := make([][]byte, len(ids))
	for i, ev := range ids {
		keys[i] = eventKey(ev)
	}
	values, err := from.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	events := make([]*proto.Event, len(ids))
	for i, b := range values {
		if b == nil {
			continue
		}
		ev, err := proto.DecodeEvent(b)
		if err == nil && ev.ID != ids[i] {
			err = errors.New("another event's id")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: event %s: %w", storage.ErrCorrupt, ids[i], err)
		}
		events[i] = ev
	}
	return events, nil
}

func entityEvents(ctx context.Context, from source, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	// The home row may have no event (K3), hence one more than asked for. Events are
	// never removed, so those of the rows read at one moment are of that moment too.
	limit = storage.PageSize(limit)
	pairs, err := from.Scan(ctx, afterKey(historyPrefix(entity), historyKey(entity, after)), limit+1)
	if err != nil {
		return nil, err
	}
	ids := make([]id.EventID, len(pairs))
	for i, p := range pairs {
		u, err := id.FromBytes(p.Key[1+id.Size:])
		if err != nil {
			return nil, fmt.Errorf("%w: history of %s: %w", storage.ErrCorrupt, entity, err)
		}
		ids[i] = id.EventID{ULID: u}
	}
	found, err := events(ctx, from, ids)
	if err != nil {
		return nil, err
	}
	kept := found[:0]
	for _, ev := range found {
		if ev != nil {
			kept = append(kept, ev)
		}
	}
	return kept[:min(len(kept), limit)], nil
}

func feedEntries(ctx context.Context, from source, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	pairs, err := from.Scan(ctx, afterKey(feedPrefix(feed), feedKey(feed, after)), storage.PageSize(limit))
	if err != nil {
		return nil, err
	}
	entries := make([]*proto.FeedEntry, len(pairs))
	for i, p := range pairs {
		entry, err := proto.DecodeFeedEntry(p.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: feed %s: %w", storage.ErrCorrupt, feed, err)
		}
		entries[i] = entry
	}
	return entries, nil
}

func meta(ctx context.Context, from source, names []string) ([][]byte, error) {
	keys := make([][]byte, len(names))
	for i, name := range names {
		keys[i] = metaKey(name)
	}
	return from.Get(ctx, keys)
}

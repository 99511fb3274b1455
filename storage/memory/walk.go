package memory

import (
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

var _ storage.Walker = (*engine)(nil)

// WalkRecords implements storage.Walker.
func (e *engine) WalkRecords(ctx context.Context, after id.EntityID, limit int) ([]storage.StoredRecord, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	var entities []id.EntityID
	for entity := range e.disk.mu.home {
		if entity.Compare(after.ULID) > 0 {
			entities = append(entities, entity)
		}
	}
	slices.SortFunc(entities, func(a, b id.EntityID) int { return a.Compare(b.ULID) })
	entities = entities[:min(len(entities), storage.PageSize(limit))]
	found := make([]storage.StoredRecord, len(entities))
	for i, entity := range entities {
		found[i] = storage.StoredRecord{Entity: entity, Record: e.disk.recordLocked(entity)}
	}
	return found, nil
}

// WalkEvents implements storage.Walker.
func (e *engine) WalkEvents(ctx context.Context, after storage.EventKey, limit int) ([]storage.StoredEvent, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	var keys []storage.EventKey
	for entity, history := range e.disk.mu.history {
		if entity.Compare(after.Entity.ULID) < 0 {
			continue
		}
		for _, ev := range history {
			if key := (storage.EventKey{Entity: entity, Event: ev}); key.Compare(after) > 0 {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, storage.EventKey.Compare)
	keys = keys[:min(len(keys), storage.PageSize(limit))]
	found := make([]storage.StoredEvent, len(keys))
	for i, key := range keys {
		found[i] = storage.StoredEvent{Key: key, Event: e.disk.mu.events[key.Event]}
	}
	return found, nil
}

// Feeds implements storage.Walker.
func (e *engine) Feeds(ctx context.Context) (map[id.NodeID]uint64, error) {
	if err := e.read(ctx); err != nil {
		return nil, err
	}
	defer e.disk.mu.RUnlock()
	feeds := make(map[id.NodeID]uint64, len(e.disk.mu.feeds))
	for feed, entries := range e.disk.mu.feeds {
		feeds[feed] = entries[len(entries)-1].Seq
	}
	return feeds, nil
}

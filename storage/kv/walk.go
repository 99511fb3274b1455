package kv

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

var _ storage.Walker = (*Engine)(nil)

// WalkRecords implements storage.Walker. Homes lead to the records (K1), in order of
// entities whatever their collections.
func (e *Engine) WalkRecords(ctx context.Context, after id.EntityID, limit int) ([]storage.StoredRecord, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	limit = storage.PageSize(limit)
	var found []storage.StoredRecord
	for len(found) < limit {
		entities, homes, last, err := e.walkHomes(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		page, err := e.storedRecords(ctx, entities, homes)
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
		if last.IsZero() {
			break
		}
		after = last
	}
	return found[:min(len(found), limit)], nil
}

// walkHomes returns some entities behind after that have a home, and where to go on, which
// is zero at the end.
func (e *Engine) walkHomes(ctx context.Context, after id.EntityID, limit int) (entities []id.EntityID, homes []string, last id.EntityID, err error) {
	r := within([]byte{spaceHistory})
	if !after.IsZero() {
		r.Start = prefixEnd(historyPrefix(after))
	}
	pairs, err := e.store.Scan(ctx, r, limit)
	if err != nil {
		return nil, nil, last, err
	}
	for _, p := range pairs {
		key, err := historyOf(p.Key)
		if err != nil {
			return nil, nil, last, err
		}
		if key.Entity == id.EntityID(key.Event) && len(p.Value) > 0 {
			entities, homes = append(entities, key.Entity), append(homes, string(p.Value))
		}
		last = key.Entity
	}
	if len(pairs) < limit {
		last = id.EntityID{}
	}
	return entities, homes, last, nil
}

// historyOf reads the key of a history row.
func historyOf(key []byte) (storage.EventKey, error) {
	if len(key) == 1+2*id.Size {
		entity, err := id.FromBytes(key[1 : 1+id.Size])
		event, errEvent := id.FromBytes(key[1+id.Size:])
		if err == nil && errEvent == nil {
			return storage.EventKey{Entity: id.EntityID{ULID: entity}, Event: id.EventID{ULID: event}}, nil
		}
	}
	return storage.EventKey{}, fmt.Errorf("%w: history key %x", storage.ErrCorrupt, key)
}

// storedRecords reads the rows of entities, and passes over those that have none.
func (e *Engine) storedRecords(ctx context.Context, entities []id.EntityID, homes []string) ([]storage.StoredRecord, error) {
	keys := make([][]byte, len(entities))
	for i, entity := range entities {
		keys[i] = recordKey(homes[i], entity)
	}
	rows, err := e.store.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	var found []storage.StoredRecord
	for i, row := range rows {
		if row != nil {
			rec, err := decodeRow(homes[i], entities[i], row)
			found = append(found, storage.StoredRecord{Entity: entities[i], Record: rec, Err: err})
		}
	}
	return found, nil
}

// WalkEvents implements storage.Walker.
func (e *Engine) WalkEvents(ctx context.Context, after storage.EventKey, limit int) ([]storage.StoredEvent, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	limit = storage.PageSize(limit)
	var found []storage.StoredEvent
	for len(found) < limit {
		pairs, err := e.store.Scan(ctx, afterKey([]byte{spaceHistory}, historyKey(after.Entity, after.Event)), limit)
		if err != nil {
			return nil, err
		}
		keys := make([]storage.EventKey, len(pairs))
		for i, p := range pairs {
			if keys[i], err = historyOf(p.Key); err != nil {
				return nil, err
			}
			after = keys[i]
		}
		if found, err = e.appendStoredEvents(ctx, found, keys); err != nil {
			return nil, err
		}
		if len(pairs) < limit {
			break
		}
	}
	return found[:min(len(found), limit)], nil
}

// appendStoredEvents reads events, and passes over those that are absent (K3).
func (e *Engine) appendStoredEvents(ctx context.Context, found []storage.StoredEvent, list []storage.EventKey) ([]storage.StoredEvent, error) {
	keys := make([][]byte, len(list))
	for i, key := range list {
		keys[i] = eventKey(key.Event)
	}
	rows, err := e.store.Get(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		if row == nil {
			continue
		}
		stored := storage.StoredEvent{Key: list[i]}
		if stored.Event, err = proto.DecodeEvent(row); err == nil && (stored.Event.ID != list[i].Event || stored.Event.Entity != list[i].Entity) {
			err = errors.New("it is another event")
		}
		if err != nil {
			stored.Event, stored.Err = nil, fmt.Errorf("%w: event %s: %w", storage.ErrCorrupt, list[i].Event, err)
		}
		found = append(found, stored)
	}
	return found, nil
}

// Feeds implements storage.Walker.
func (e *Engine) Feeds(ctx context.Context) (map[id.NodeID]uint64, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return feeds(ctx, e.store)
}

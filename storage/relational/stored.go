package relational

import (
	"errors"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// storedRecord reads a row of an id and a record for a storage.Walker. It fails only where the
// id is none; a record that cannot be read says so itself.
func storedRecord(entity string, data []byte) (storage.StoredRecord, error) {
	u, err := id.Parse(entity)
	if err != nil {
		return storage.StoredRecord{}, Corrupt("a row of "+entity, err)
	}
	stored := storage.StoredRecord{Entity: id.EntityID{ULID: u}}
	rec, err := proto.DecodeRecord(data)
	if err == nil && rec.Entity != stored.Entity {
		err = errors.New("it is another entity's")
	}
	if err != nil {
		stored.Err = Corrupt(entity, err)
		return stored, nil
	}
	stored.Record = rec
	return stored, nil
}

// storedEvent reads a row of an entity, an event's id and the event, as StoredRecord does.
func storedEvent(entity, event string, data []byte) (storage.StoredEvent, error) {
	u, err := id.Parse(entity)
	if err != nil {
		return storage.StoredEvent{}, Corrupt("an event of "+entity, err)
	}
	v, err := id.Parse(event)
	if err != nil {
		return storage.StoredEvent{}, Corrupt("event "+event, err)
	}
	stored := storage.StoredEvent{Key: storage.EventKey{Entity: id.EntityID{ULID: u}, Event: id.EventID{ULID: v}}}
	ev, err := proto.DecodeEvent(data)
	if err == nil && (ev.ID != stored.Key.Event || ev.Entity != stored.Key.Entity) {
		err = errors.New("it is another event")
	}
	if err != nil {
		stored.Err = Corrupt("event "+event, err)
		return stored, nil
	}
	stored.Event = ev
	return stored, nil
}

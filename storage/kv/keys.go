package kv

import (
	"encoding/binary"

	"github.com/ankurah-go/ankurah/core/id"
)

// The spaces of keys; doc.go has the layout.
const (
	spaceIndexes = 'c'
	spaceEvent   = 'e'
	spaceFeed    = 'f'
	spaceHistory = 'h'
	spaceEntry   = 'i'
	spaceMeta    = 'm'
	spaceOutbox  = 'o'
	spaceRecord  = 'r'
	spaceVersion = 'v'
)

var versionKey = []byte{spaceVersion}

func eventKey(e id.EventID) []byte {
	return e.AppendTo(append(make([]byte, 0, 1+id.Size), spaceEvent))
}

func historyKey(entity id.EntityID, e id.EventID) []byte {
	return appendHistoryKey(make([]byte, 0, 1+2*id.Size), entity, e)
}

func appendHistoryKey(dst []byte, entity id.EntityID, e id.EventID) []byte {
	return e.AppendTo(entity.AppendTo(append(dst, spaceHistory)))
}

func historyPrefix(entity id.EntityID) []byte {
	return entity.AppendTo(append(make([]byte, 0, 1+2*id.Size), spaceHistory))
}

// homeKey is the key of the row that says which collection an entity is in (K1).
func homeKey(entity id.EntityID) []byte { return historyKey(entity, id.EventID(entity)) }

func recordKey(collection string, entity id.EntityID) []byte {
	return appendRecordKey(make([]byte, 0, 2+len(collection)+id.Size), collection, entity)
}

func appendRecordKey(dst []byte, collection string, entity id.EntityID) []byte {
	dst = append(dst, spaceRecord, byte(len(collection)))
	return entity.AppendTo(append(dst, collection...))
}

// recordPrefix begins the keys of a collection. Its length comes first, so that no
// collection's prefix begins another's; a name has at most proto.MaxNameBytes.
func recordPrefix(collection string) []byte {
	key := make([]byte, 0, 2+len(collection)+id.Size)
	key = append(key, spaceRecord, byte(len(collection)))
	return append(key, collection...)
}

// recordEntity returns the entity of a record's key.
func recordEntity(key []byte) id.EntityID {
	u, _ := id.FromBytes(key[max(0, len(key)-id.Size):])
	return id.EntityID{ULID: u}
}

// catalogueKey is the key of the row that lists a collection's indexes (K5).
func catalogueKey(collection string) []byte {
	key := make([]byte, 0, 2+len(collection)+4)
	key = append(key, spaceIndexes, byte(len(collection)))
	return append(key, collection...)
}

// progressKey is the key of the row that says how far an index is built.
func progressKey(collection string, index uint32) []byte {
	return binary.BigEndian.AppendUint32(catalogueKey(collection), index)
}

// entryPrefix begins the keys of the entries of an index.
func entryPrefix(collection string, index uint32) []byte {
	key := make([]byte, 0, 2+len(collection)+4)
	key = append(key, spaceEntry, byte(len(collection)))
	return binary.BigEndian.AppendUint32(append(key, collection...), index)
}

func feedKey(feed id.NodeID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(feedPrefix(feed), seq)
}

func feedPrefix(feed id.NodeID) []byte {
	return feed.AppendTo(append(make([]byte, 0, 1+id.Size+8), spaceFeed))
}

func outboxKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{spaceOutbox}, seq)
}

func metaKey(name string) []byte { return append([]byte{spaceMeta}, name...) }

// within is the range of all keys that begin with prefix.
func within(prefix []byte) Range { return Range{Start: prefix, End: prefixEnd(prefix)} }

// afterKey is the range of the keys that begin with prefix and are greater than key.
func afterKey(prefix, key []byte) Range {
	return Range{Start: append(key[:len(key):len(key)], 0), End: prefixEnd(prefix)}
}

// prefixEnd returns the first key after all that begin with prefix, or nil where
// there is none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

package relational

import (
	"context"
	"strconv"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// WalkRecords implements storage.Walker.
func (r *Reader) WalkRecords(ctx context.Context, after id.EntityID, limit int) ([]storage.StoredRecord, error) {
	return collect(ctx, r, r.bind("SELECT id, record FROM "+r.Own("_records")+" WHERE id > $1 ORDER BY id LIMIT $2", after.String(), storage.PageSize(limit)),
		func(row Row) (stored storage.StoredRecord, err error) {
			var entity string
			var data []byte
			if err := row.Scan(&entity, &data); err != nil {
				return stored, err
			}
			return storedRecord(entity, data)
		})
}

// WalkEvents implements storage.Walker.
func (r *Reader) WalkEvents(ctx context.Context, after storage.EventKey, limit int) ([]storage.StoredEvent, error) {
	return collect(ctx, r, r.bind("SELECT entity, id, event FROM "+r.Own("_events")+" WHERE (entity, id) > ($1, $2) ORDER BY entity, id LIMIT $3",
		after.Entity.String(), after.Event.String(), storage.PageSize(limit)), func(row Row) (stored storage.StoredEvent, err error) {
		var entity, event string
		var data []byte
		if err := row.Scan(&entity, &event, &data); err != nil {
			return stored, err
		}
		return storedEvent(entity, event, data)
	})
}

// Feeds implements storage.Walker and storage.View. It goes from each feed to the next by the
// index, rather than through all entries.
func (r *Reader) Feeds(ctx context.Context) (feeds map[id.NodeID]uint64, err error) {
	own := r.Own("_feed")
	err = r.Database.Query(ctx, Statement{SQL: "WITH RECURSIVE f(feed) AS (SELECT min(feed) FROM " + own +
		" UNION ALL SELECT (SELECT min(n.feed) FROM " + own + " n WHERE n.feed > f.feed) FROM f WHERE f.feed IS NOT NULL)" +
		" SELECT f.feed, (SELECT CAST(max(l.seq) AS text) FROM " + own + " l WHERE l.feed = f.feed) FROM f WHERE f.feed IS NOT NULL"},
		func() { feeds = map[id.NodeID]uint64{} },
		func(row Row) error {
			var feed, number string
			if err := row.Scan(&feed, &number); err != nil {
				return err
			}
			node, err := id.Parse(feed)
			if err != nil {
				return Corrupt("feed "+feed, err)
			}
			seq, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				return Corrupt("feed "+feed, err)
			}
			feeds[id.NodeID{ULID: node}] = seq
			return nil
		})
	if err != nil {
		return nil, err
	}
	return feeds, nil
}

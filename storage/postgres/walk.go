package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

var _ storage.Walker = (*Engine)(nil)

// WalkRecords implements storage.Walker.
func (e *Engine) WalkRecords(ctx context.Context, after id.EntityID, limit int) (found []storage.StoredRecord, err error) {
	err = e.read(ctx, "SELECT id, record FROM "+e.own("_records")+" WHERE id > $1 ORDER BY id LIMIT $2", []any{after.String(), storage.PageSize(limit)},
		func() { found = nil }, func(rows pgx.Rows) error {
			var entity string
			var data []byte
			if err := rows.Scan(&entity, &data); err != nil {
				return err
			}
			stored, err := relational.StoredRecord(entity, data)
			found = append(found, stored)
			return err
		})
	return found, err
}

// WalkEvents implements storage.Walker.
func (e *Engine) WalkEvents(ctx context.Context, after storage.EventKey, limit int) (found []storage.StoredEvent, err error) {
	err = e.read(ctx, "SELECT entity, id, event FROM "+e.own("_events")+" WHERE (entity, id) > ($1, $2) ORDER BY entity, id LIMIT $3",
		[]any{after.Entity.String(), after.Event.String(), storage.PageSize(limit)}, func() { found = nil }, func(rows pgx.Rows) error {
			var entity, event string
			var data []byte
			if err := rows.Scan(&entity, &event, &data); err != nil {
				return err
			}
			stored, err := relational.StoredEvent(entity, event, data)
			found = append(found, stored)
			return err
		})
	return found, err
}

// Feeds implements storage.Walker.
func (e *Engine) Feeds(ctx context.Context) (feeds map[id.NodeID]uint64, err error) {
	// The last entry of each feed by the index, rather than all entries.
	err = e.read(ctx, `WITH RECURSIVE f(feed) AS (
			(SELECT feed FROM `+e.own("_feed")+` ORDER BY feed LIMIT 1)
			UNION ALL SELECT (SELECT n.feed FROM `+e.own("_feed")+` n WHERE n.feed > f.feed ORDER BY n.feed LIMIT 1) FROM f WHERE f.feed IS NOT NULL)
		SELECT f.feed, (SELECT seq::text FROM `+e.own("_feed")+` l WHERE l.feed = f.feed ORDER BY l.seq DESC LIMIT 1) FROM f WHERE f.feed IS NOT NULL`, nil,
		func() { feeds = map[id.NodeID]uint64{} }, func(rows pgx.Rows) error {
			var feed, number string
			if err := rows.Scan(&feed, &number); err != nil {
				return err
			}
			node, err := id.Parse(feed)
			if err != nil {
				return relational.Corrupt("feed "+feed, err)
			}
			seq, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				return relational.Corrupt("feed "+feed, err)
			}
			feeds[id.NodeID{ULID: node}] = seq
			return nil
		})
	if err != nil {
		return nil, err
	}
	return feeds, nil
}

package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

var _ storage.Walker = (*Engine)(nil)

// WalkRecords implements storage.Walker.
func (e *Engine) WalkRecords(ctx context.Context, after id.EntityID, limit int) (found []storage.StoredRecord, err error) {
	err = e.walk(ctx, "SELECT id, record FROM _records WHERE id > ? ORDER BY id LIMIT ?", []any{after.String(), storage.PageSize(limit)}, func(rows *sql.Rows) error {
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
	err = e.walk(ctx, "SELECT entity, id, event FROM _events WHERE (entity, id) > (?, ?) ORDER BY entity, id LIMIT ?",
		[]any{after.Entity.String(), after.Event.String(), storage.PageSize(limit)}, func(rows *sql.Rows) error {
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
func (e *Engine) Feeds(ctx context.Context) (map[id.NodeID]uint64, error) {
	feeds := map[id.NodeID]uint64{}
	err := e.walk(ctx, "SELECT feed, max(seq) FROM _feed GROUP BY feed", nil, func(rows *sql.Rows) error {
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

func (e *Engine) walk(ctx context.Context, statement string, args []any, row func(*sql.Rows) error) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	return e.query(ctx, statement, args, row)
}

package postgres

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// Engine implements storage.Engine over a PostgreSQL database.
type Engine struct {
	pool    *pgxpool.Pool
	schema  string
	options Options
	indexer indexer
	owner   exclusion

	described atomic.Pointer[description]

	mu struct {
		sync.RWMutex // held for reading by every call, so that Close waits for them
		closed       bool
	}
}

var _ storage.Engine = (*Engine)(nil)

// Open connects to the database that a URL names, in any form that PostgreSQL takes, and makes
// it ready if it is empty. It tries for as long as Options.Timeout says.
func Open(ctx context.Context, url string, options Options) (*Engine, error) {
	options.ensureDefaults()
	config, schema, err := poolConfig(url, &options)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, classify(err)
	}
	e := &Engine{pool: pool, schema: schema, options: options}
	e.indexer.init(e)
	if err := e.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	if options.Exclusive {
		if err := e.owner.hold(ctx, e); err != nil {
			pool.Close()
			return nil, classify(err)
		}
	}
	e.indexer.wake() // what another process has left
	return e, nil
}

// own returns one of the engine's own tables, ready for use in SQL.
func (e *Engine) own(table string) string { return e.schema + "." + table }

// enter begins a call; unless it fails, the caller defers e.leave.
func (e *Engine) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.RLock()
	if e.mu.closed {
		e.mu.RUnlock()
		return storage.ErrClosed
	}
	if err := e.owner.check(); err != nil {
		e.mu.RUnlock()
		return err
	}
	return nil
}

func (e *Engine) leave() { e.mu.RUnlock() }

// Close implements storage.Engine.
func (e *Engine) Close() error {
	e.indexer.stop()
	e.owner.stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.mu.closed {
		e.mu.closed = true
		e.pool.Close()
	}
	return nil
}

// read runs a statement that only reads, again where it failed for a reason that passes, and
// hands over its rows one by one; start is called before the first of each attempt.
func (e *Engine) read(ctx context.Context, sql string, args []any, start func(), row func(pgx.Rows) error) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	return e.query(ctx, sql, args, start, row)
}

func (e *Engine) query(ctx context.Context, sql string, args []any, start func(), row func(pgx.Rows) error) error {
	err := attempts(ctx, e.options.Timeout, again, func(ctx context.Context) error {
		start()
		rows, err := e.pool.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return classify(err)
}

// Records implements storage.Engine.
func (e *Engine) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	found, err := lookUp(ctx, e, "SELECT id, record FROM "+e.own("_records")+" WHERE id = ANY($1)", texts(entities), proto.DecodeRecord)
	if err != nil {
		return nil, err
	}
	records := make([]*proto.Record, len(entities))
	for i, entity := range entities {
		records[i] = found[entity.String()]
	}
	return records, nil
}

// Events implements storage.Engine.
func (e *Engine) Events(ctx context.Context, ids []id.EventID) ([]*proto.Event, error) {
	found, err := lookUp(ctx, e, "SELECT id, event FROM "+e.own("_events")+" WHERE id = ANY($1)", texts(ids), proto.DecodeEvent)
	if err != nil {
		return nil, err
	}
	events := make([]*proto.Event, len(ids))
	for i, ev := range ids {
		events[i] = found[ev.String()]
	}
	return events, nil
}

// texts returns ids as columns have them.
func texts[T interface{ String() string }](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}

// lookUp reads rows of a text and something encoded.
func lookUp[T any](ctx context.Context, e *Engine, sql string, keys []string, decode func([]byte) (T, error)) (map[string]T, error) {
	var found map[string]T
	err := e.read(ctx, sql, []any{keys}, func() { found = make(map[string]T, len(keys)) }, func(rows pgx.Rows) error {
		var key string
		var data []byte
		if err := rows.Scan(&key, &data); err != nil {
			return err
		}
		item, err := decode(data)
		if err != nil {
			return relational.Corrupt(key, err)
		}
		found[key] = item
		return nil
	})
	return found, err
}

// EntityEvents implements storage.Engine.
func (e *Engine) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	return list(ctx, e, "SELECT event FROM "+e.own("_events")+" WHERE entity = $1 AND id > $2 ORDER BY id LIMIT $3",
		[]any{entity.String(), after.String(), storage.PageSize(limit)}, proto.DecodeEvent)
}

// Feed implements storage.Engine.
func (e *Engine) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	return list(ctx, e, "SELECT entry FROM "+e.own("_feed")+" WHERE feed = $1 AND seq > $2::text::numeric ORDER BY seq LIMIT $3",
		[]any{feed.String(), strconv.FormatUint(after, 10), storage.PageSize(limit)}, proto.DecodeFeedEntry)
}

// list reads rows of something encoded.
func list[T any](ctx context.Context, e *Engine, sql string, args []any, decode func([]byte) (T, error)) ([]T, error) {
	var items []T
	err := e.read(ctx, sql, args, func() { items = nil }, func(rows pgx.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		item, err := decode(data)
		if err != nil {
			return relational.Corrupt("a row of "+e.schema, err)
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Outbox implements storage.Engine.
func (e *Engine) Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error) {
	var entries []storage.OutboxEntry
	err := e.read(ctx, "SELECT seq::text AS number, data FROM "+e.own("_outbox")+" WHERE seq > $1::text::numeric ORDER BY seq LIMIT $2",
		[]any{strconv.FormatUint(after, 10), storage.PageSize(limit)}, func() { entries = nil }, func(rows pgx.Rows) error {
			var number string
			var entry storage.OutboxEntry
			if err := rows.Scan(&number, &entry.Data); err != nil {
				return err
			}
			seq, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				return relational.Corrupt("outbox entry "+number, err)
			}
			entry.Seq = seq
			entries = append(entries, entry)
			return nil
		})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Meta implements storage.Engine.
func (e *Engine) Meta(ctx context.Context, keys ...string) ([][]byte, error) {
	wanted := make([][]byte, len(keys))
	for i, key := range keys {
		wanted[i] = []byte(key)
	}
	var found map[string][]byte
	err := e.read(ctx, "SELECT key, value FROM "+e.own("_meta")+" WHERE key = ANY($1)", []any{wanted},
		func() { found = map[string][]byte{} }, func(rows pgx.Rows) error {
			var key, value []byte
			err := rows.Scan(&key, &value)
			found[string(key)] = value
			return err
		})
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = append(found[key][:0:0], found[key]...)
	}
	return values, nil
}

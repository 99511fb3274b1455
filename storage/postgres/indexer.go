package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// indexer makes and removes indexes, concurrently with reads and writes, in one goroutine of its
// own, which runs while there is something to do. Of several processes on a schema one at a
// time does it; an advisory lock, which its connection holds, says which.
type indexer struct {
	engine *Engine
	life   context.Context
	end    context.CancelFunc
	done   sync.WaitGroup

	mu struct {
		sync.Mutex
		stopped bool
		running bool
		wanted  []suggestion
		asked   map[string]time.Time // when a suggestion was last looked at, by its key
		idle    chan struct{}        // closed when there is nothing to do
		failed  error                // why the last index was given up
	}
}

// suggestion is an index that a selection would have been served by.
type suggestion struct {
	collection string
	index      *plan.Index
	returned   int // rows
}

// Limits of what is remembered and done about selections.
const (
	maxWanted = 64
	maxAsked  = 4096
	// askAgain is after how long a suggestion is looked at again: there may be more rows.
	askAgain = time.Minute
	// keepUse is how exactly it is stored when an index was used last, and idleIndex how
	// long an index that nobody declared stays without being used.
	keepUse   = 24 * time.Hour
	idleIndex = 30 * 24 * time.Hour
	// wasteful is how many rows there are for each that a scan returns before an index
	// is made for its selection.
	wasteful = 4
)

func (x *indexer) init(e *Engine) {
	x.engine = e
	x.life, x.end = context.WithCancel(context.Background())
	x.mu.asked = map[string]time.Time{}
}

// stop ends the goroutine and waits for it.
func (x *indexer) stop() {
	x.mu.Lock()
	x.mu.stopped = true
	x.mu.Unlock()
	x.end()
	x.done.Wait()
}

func indexKey(collection, columns string) string { return collection + "\x00" + columns }

// consider looks at a selection of which a page was read: whether there should be an index for
// it, or, where there is one, that it is used.
func (x *indexer) consider(d *description, collection string, s *ankql.Selection, returned int) {
	if x.engine.options.AutoIndexes < 0 {
		return
	}
	for _, ix := range plan.Suggest(s, plan.Found{}) {
		x.suggest(d, suggestion{collection, ix, returned})
	}
}

func (x *indexer) suggest(d *description, s suggestion) {
	key, pause := indexKey(s.collection, s.index.Name), askAgain
	if d.indexes[key] {
		pause = keepUse
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if last, ok := x.mu.asked[key]; ok && time.Since(last) < pause || len(x.mu.wanted) >= maxWanted {
		return
	}
	if len(x.mu.asked) >= maxAsked {
		clear(x.mu.asked)
	}
	x.mu.asked[key] = time.Now()
	x.mu.wanted = append(x.mu.wanted, s)
	x.wakeLocked()
}

// wake has the goroutine look for what there is to do.
func (x *indexer) wake() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wakeLocked()
}

func (x *indexer) wakeLocked() {
	if x.mu.stopped || x.mu.running {
		return
	}
	x.mu.running, x.mu.idle, x.mu.failed = true, make(chan struct{}), nil
	x.done.Go(x.run)
}

func (x *indexer) run() {
	for {
		err := x.work(x.life)
		x.mu.Lock()
		if err != nil {
			x.mu.failed = fmt.Errorf("postgres: indexes: %w", classify(err))
			x.mu.wanted = nil
		}
		if len(x.mu.wanted) == 0 || x.mu.stopped {
			x.mu.running = false
			close(x.mu.idle)
			x.mu.Unlock()
			return
		}
		x.mu.Unlock()
	}
}

// take returns the suggestions that wait.
func (x *indexer) take() []suggestion {
	x.mu.Lock()
	defer x.mu.Unlock()
	wanted := x.mu.wanted
	x.mu.wanted = nil
	return wanted
}

// work adds the indexes that were suggested, and makes and removes until nothing is left, or
// leaves that to the process that is at it.
func (x *indexer) work(ctx context.Context) error {
	conn, err := x.engine.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	for _, s := range x.take() {
		if err := x.add(ctx, s); err != nil {
			return err
		}
	}
	lock := "ankurah-indexes:" + x.engine.schema
	var mine bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", lock).Scan(&mine); err != nil || !mine {
		return err
	}
	defer func() {
		// A connection that still had the lock would keep it while it waits in the pool.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended($1, 0))", lock); err != nil {
			conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	for {
		job, err := x.next(ctx, conn)
		if err != nil || job == nil {
			return err
		}
		if err := x.do(ctx, conn, job); err != nil {
			return err
		}
	}
}

// add stores that an index is wanted for a selection, if it is worth it and there is room, or
// that it was used.
func (x *indexer) add(ctx context.Context, s suggestion) error {
	e := x.engine
	tag, err := e.pool.Exec(ctx, "UPDATE "+e.own("_indexes")+" SET used = now() WHERE collection = $1 AND columns = $2", s.collection, s.index.Name)
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	t := e.described.Load().tables[s.collection]
	if t == nil {
		return nil
	}
	enough := max(e.options.AutoIndexRows, wasteful*(s.returned+1))
	var rows int
	if err := e.pool.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM "+e.table(t)+" LIMIT $1) AS t", enough).Scan(&rows); err != nil || rows < enough {
		return err
	}
	return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if err := e.lock(ctx, tx); err != nil {
			return err
		}
		var automatic int
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+e.own("_indexes")+" WHERE collection = $1 AND NOT declared", s.collection).Scan(&automatic); err != nil {
			return err
		}
		if automatic >= e.options.AutoIndexes {
			return nil // those that nobody uses go after a while
		}
		return e.insertIndex(ctx, tx, s.collection, s.index, false)
	})
}

// insertIndex stores that an index is wanted.
func (e *Engine) insertIndex(ctx context.Context, tx pgx.Tx, collection string, ix *plan.Index, declared bool) error {
	h := fnv.New64a()
	h.Write([]byte(indexKey(collection, ix.Name)))
	definition, err := json.Marshal(ix.Columns)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+e.own("_indexes")+" (collection, columns, name, definition, declared, expects_one) VALUES ($1, $2, $3, $4::text, $5, $6)"+
		" ON CONFLICT (collection, columns) DO UPDATE SET declared = EXCLUDED.declared, expects_one = EXCLUDED.expects_one, state = CASE _indexes.state WHEN $7 THEN $8 ELSE _indexes.state END",
		collection, ix.Name, fmt.Sprintf("_i%016x", h.Sum64()), string(definition), declared, ix.Unique, storage.IndexDropping, storage.IndexBuilding)
	return err
}

// job is an index that is to be made or removed.
type job struct {
	collection, columns, name string
	state                     storage.IndexState
	table                     *relational.Table
	list, properties          []string
}

// next returns what to do first; nil if there is nothing. An index over what the table does
// not have yet waits until it has.
func (x *indexer) next(ctx context.Context, conn *pgxpool.Conn) (*job, error) {
	e := x.engine
	if _, err := conn.Exec(ctx, "UPDATE "+e.own("_indexes")+" SET state = $1 WHERE NOT declared AND used < $2 AND state <> $1",
		storage.IndexDropping, time.Now().Add(-idleIndex)); err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT collection, columns, name, state, definition FROM "+e.own("_indexes")+" WHERE state <> $1 ORDER BY declared DESC, used", storage.IndexReady)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	d := e.described.Load()
	for rows.Next() {
		var j job
		var definition string
		if err := rows.Scan(&j.collection, &j.columns, &j.name, &j.state, &definition); err != nil {
			return nil, err
		}
		if j.state == storage.IndexDropping {
			return &j, nil
		}
		var columns []plan.Column
		if err := json.Unmarshal([]byte(definition), &columns); err != nil {
			return nil, relational.Corrupt("the definition of index "+j.name, err)
		}
		if j.table = d.tables[j.collection]; j.table == nil {
			continue
		}
		var ok bool
		if j.list, j.properties, ok = j.table.Index(columns); ok {
			return &j, nil
		}
	}
	return nil, rows.Err()
}

// do makes or removes an index. What was left of an earlier attempt goes first. The time that
// other statements are allowed is not enough for a large table.
func (x *indexer) do(ctx context.Context, conn *pgxpool.Conn, j *job) error {
	e := x.engine
	statements := []string{"SET statement_timeout = 0", "DROP INDEX CONCURRENTLY IF EXISTS " + e.own(j.name)}
	if j.state == storage.IndexBuilding {
		statements = append(statements,
			"CREATE INDEX CONCURRENTLY "+j.name+" ON "+e.table(j.table)+" ("+strings.Join(j.list, ", ")+")",
			"ANALYZE "+e.table(j.table))
	}
	statements = append(statements, "RESET statement_timeout")
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			conn.Conn().Close(context.WithoutCancel(ctx)) // with its settings
			return err
		}
	}
	err := pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if err := e.lock(ctx, tx); err != nil {
			return err
		}
		var err error
		if j.state == storage.IndexDropping {
			_, err = tx.Exec(ctx, "DELETE FROM "+e.own("_indexes")+" WHERE collection = $1 AND columns = $2 AND state = $3", j.collection, j.columns, storage.IndexDropping)
		} else {
			_, err = tx.Exec(ctx, "UPDATE "+e.own("_indexes")+" SET state = $3, properties = $4, used = now() WHERE collection = $1 AND columns = $2 AND state = $5",
				j.collection, j.columns, storage.IndexReady, j.properties, storage.IndexBuilding)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE "+e.own("_ankurah")+" SET description = description + 1")
		return err
	})
	if err != nil {
		return err
	}
	return e.reload(ctx)
}

var _ storage.Indexer = (*Engine)(nil)

// Declare implements storage.Indexer.
func (e *Engine) Declare(ctx context.Context, collection string, indexes []schema.Index) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	declared := map[string]*plan.Index{}
	for i := range indexes {
		columns := make([]plan.Column, len(indexes[i].Columns))
		for k, c := range indexes[i].Columns {
			columns[k] = plan.Column{Path: ankql.Path(c.Path), Order: value.KeyOrder{Desc: c.Desc, NullsFirst: c.Desc}}
		}
		ix := plan.NewIndex(columns)
		ix.Unique = indexes[i].Unique
		declared[ix.Name] = ix
	}
	err := attempts(ctx, e.options.Timeout, again, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
			if err := e.lock(ctx, tx); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "UPDATE "+e.own("_indexes")+" SET declared = FALSE WHERE collection = $1", collection); err != nil {
				return err
			}
			for _, ix := range declared {
				if err := e.insertIndex(ctx, tx, collection, ix, true); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return classify(err)
	}
	e.indexer.wake()
	return nil
}

// Indexes implements storage.Indexer.
func (e *Engine) Indexes(ctx context.Context, collection string) ([]storage.IndexStatus, error) {
	var list []storage.IndexStatus
	err := e.read(ctx, "SELECT columns, expects_one, declared, state FROM "+e.own("_indexes")+" WHERE collection = $1 ORDER BY columns", []any{collection},
		func() { list = nil }, func(rows pgx.Rows) error {
			var ix storage.IndexStatus
			err := rows.Scan(&ix.Columns, &ix.Unique, &ix.Declared, &ix.State)
			list = append(list, ix)
			return err
		})
	return list, err
}

// Settle implements storage.Indexer. It does not wait for what another process makes, nor for
// indexes over properties that no entity has a value of.
func (e *Engine) Settle(ctx context.Context) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	x := &e.indexer
	x.mu.Lock()
	running, idle := x.mu.running, x.mu.idle
	x.mu.Unlock()
	if running {
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if errors.Is(x.mu.failed, context.Canceled) {
		return nil
	}
	return x.mu.failed
}

package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// view is a transaction that only reads, all of one snapshot.
type view struct {
	relational.Reading
	conn      *pgxpool.Conn
	described relational.Described
	ended     sync.Once
}

// View implements storage.Shared.
func (e *Engine) View(ctx context.Context) (storage.View, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	v := &view{}
	reader := &relational.Reader{Layout: e.reader.Layout, Database: moment{v}, Described: &v.described, Moment: true}
	v.Reading = reader
	err := e.attempts(ctx, again, func(ctx context.Context) error { return v.open(ctx, e) })
	if err != nil {
		return nil, err
	}
	return v, nil
}

// open begins the transaction and has its snapshot taken, in one round trip, and looks whether
// the engine's description is that of the moment.
func (v *view) open(ctx context.Context, e *Engine) error {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	var version int64
	var batch pgx.Batch
	batch.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	batch.Queue("SELECT description FROM " + e.own("_ankurah")).QueryRow(func(row pgx.Row) error { return row.Scan(&version) })
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		conn.Release() // which closes a connection that is in a transaction
		return err
	}
	d := e.described.Load()
	if d.Version != version {
		if d, err = e.reader.Describe(ctx, unguarded{conn}); err != nil {
			conn.Release()
			return err
		}
		e.described.Remember(d)
	}
	v.conn = conn
	v.described.Store(d)
	return nil
}

// moment is what a view reads.
type moment struct{ view *view }

// Query implements relational.Database. There is one attempt: the moment is gone.
func (m moment) Query(ctx context.Context, q relational.Statement, begin func(), row func(relational.Row) error) error {
	err := query(ctx, m.view.conn, q, begin, row)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return classify(err)
}

// Close implements storage.View.
func (v *view) Close() {
	v.ended.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), endTime)
		defer cancel()
		if _, err := v.conn.Exec(ctx, "ROLLBACK"); err != nil {
			discard(v.conn.Conn())
		}
		v.conn.Release()
	})
}

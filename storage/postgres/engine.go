package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// Engine implements storage.Engine over a PostgreSQL database.
type Engine struct {
	relational.Reading
	storage.Indexer

	pool       *pgxpool.Pool
	options    Options
	reader     relational.Reader
	indexer    *relational.Indexer
	described  relational.Described
	membership membership
	locks      locks

	gate storage.Gate
}

var (
	_ storage.Engine    = (*Engine)(nil)
	_ storage.Shared    = (*Engine)(nil)
	_ storage.Counter   = (*Engine)(nil)
	_ storage.Walker    = (*Engine)(nil)
	_ storage.Indexer   = (*Engine)(nil)
	_ storage.Explainer = (*Engine)(nil)
)

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
	e := &Engine{pool: pool, options: options}
	e.reader = relational.Reader{
		Layout:   relational.Layout{Dialect: relational.Postgres, Schema: schema},
		Database: database{e}, Described: &e.described,
	}
	e.Reading = &e.reader
	e.indexer = relational.NewIndexer(&e.reader, altering{e}, options.Indexes)
	e.Indexer = e.indexer
	e.membership.init(e)
	e.locks.init(e)
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// begin makes a new engine ready, or closes it.
func (e *Engine) begin(ctx context.Context) error {
	err := e.prepare(ctx)
	if err == nil && e.options.Exclusive {
		err = e.membership.enter(ctx)
	}
	if err != nil {
		e.Close()
		return err
	}
	e.indexer.Wake() // what another process has left
	return nil
}

// own returns one of the engine's own tables, ready for use in SQL.
func (e *Engine) own(table string) string { return e.reader.Own(table) }

// Close implements storage.Engine.
func (e *Engine) Close() error {
	e.indexer.Stop()
	e.membership.stop()
	e.locks.close()
	return e.gate.Close(func() error {
		e.pool.Close()
		return nil
	})
}

// database is what the engine reads: each statement on a connection of the pool.
type database struct{ engine *Engine }

// Query implements relational.Database. What failed for a reason that passes is tried again.
func (d database) Query(ctx context.Context, q relational.Statement, begin func(), row func(relational.Row) error) error {
	e := d.engine
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	defer e.gate.Leave()
	return e.attempts(ctx, again, func(ctx context.Context) error { return query(ctx, e.pool, q, begin, row) })
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// query makes one attempt to read.
func query(ctx context.Context, db querier, q relational.Statement, begin func(), row func(relational.Row) error) error {
	begin()
	args := q.Args
	if q.Once {
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	rows, err := db.Query(ctx, q.SQL, args...)
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
}

// attempts calls a function until it succeeds, fails for good, or the time is up. worth says
// whether an error is worth another attempt. What it returns is an error of package storage.
func (e *Engine) attempts(ctx context.Context, worth func(error) bool, call func(context.Context) error) error {
	err := attempts(ctx, e.options.Timeout, worth, call)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return classify(err)
}

package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ankurah-go/ankurah/storage/relational"
)

// Names of advisory locks, followed by the schema; they are of one database.
const (
	lockDescription = "ankurah:"         // changes the description, to the end of the transaction
	lockIndexes     = "ankurah-indexes:" // makes and removes indexes
)

// advisory is the key of an advisory lock in SQL, whose name is the argument.
const advisory = "(hashtextextended($1, 0))"

// transaction is one that changes the description.
type transaction struct{ pgx.Tx }

// Query implements relational.Database.
func (tx transaction) Query(ctx context.Context, q relational.Statement, begin func(), row func(relational.Row) error) error {
	return query(ctx, tx.Tx, q, begin, row)
}

// Exec implements relational.Transaction.
func (tx transaction) Exec(ctx context.Context, q relational.Statement) (int64, error) {
	tag, err := tx.Tx.Exec(ctx, q.SQL, q.Args...)
	return tag.RowsAffected(), err
}

// altering has the description changed, by one process at a time.
type altering struct{ engine *Engine }

// Alter implements relational.Alterer.
func (a altering) Alter(ctx context.Context, change func(context.Context, relational.Transaction) error) error {
	if err := a.engine.gate.Enter(ctx); err != nil {
		return err
	}
	defer a.engine.gate.Leave()
	return a.engine.alter(ctx, change)
}

func (e *Engine) alter(ctx context.Context, change func(context.Context, relational.Transaction) error) error {
	return e.attempts(ctx, again, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock"+advisory, lockDescription+e.reader.Schema); err != nil {
				return err
			}
			return change(ctx, transaction{tx})
		})
	})
}

// grow adds tables and columns, unless somebody else has meanwhile.
func (e *Engine) grow(ctx context.Context, additions []relational.Addition) error {
	err := e.alter(ctx, func(ctx context.Context, tx relational.Transaction) error {
		// Readers that take long would have everybody who comes after wait.
		if _, err := tx.Exec(ctx, relational.Statement{SQL: "SET LOCAL lock_timeout = '2s'"}); err != nil {
			return err
		}
		d, err := e.reader.Describe(ctx, tx)
		if err != nil {
			return err
		}
		_, statements := e.reader.Grow(d, additions)
		for _, q := range statements {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.indexer.Wake() // an index may have waited for a column
	return e.reload(ctx)
}

// reload reads the description again.
func (e *Engine) reload(ctx context.Context) error {
	return e.attempts(ctx, again, func(ctx context.Context) error {
		d, err := e.reader.Describe(ctx, unguarded{e.pool})
		if err == nil {
			e.described.Remember(d)
		}
		return err
	})
}

// unguarded is a pool inside of a call that has begun, or makes several attempts itself.
type unguarded struct{ querier }

// Query implements relational.Database.
func (u unguarded) Query(ctx context.Context, q relational.Statement, begin func(), row func(relational.Row) error) error {
	return query(ctx, u.querier, q, begin, row)
}

// Alone implements relational.Alterer. The connection that makes the indexes holds the lock.
func (a altering) Alone(ctx context.Context, work func(context.Context, relational.Builder) error) (called bool, err error) {
	e := a.engine
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return false, classify(err)
	}
	defer conn.Release()
	var mine bool
	name := lockIndexes + e.reader.Schema
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock"+advisory, name).Scan(&mine); err != nil || !mine {
		return false, classify(err)
	}
	defer func() {
		// A connection that still had the lock would keep it while it waits in the pool.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock"+advisory, name); err != nil {
			discard(conn.Conn())
		}
	}()
	return true, classify(work(ctx, builder{conn, e.reader.Schema}))
}

// builder makes and removes indexes while commits and reads go on.
type builder struct {
	conn   *pgxpool.Conn
	schema string
}

// Build implements relational.Builder. What was left of an earlier attempt goes first: an index
// whose making was interrupted is there, invalid, and costs commits.
func (b builder) Build(ctx context.Context, name, table string, entries []string) error {
	return b.exec(ctx, b.drop(name), "CREATE INDEX CONCURRENTLY "+name+" ON "+table+" ("+strings.Join(entries, ", ")+")", "ANALYZE "+table)
}

// Drop implements relational.Builder.
func (b builder) Drop(ctx context.Context, name string) error { return b.exec(ctx, b.drop(name)) }

func (b builder) drop(name string) string {
	return "DROP INDEX CONCURRENTLY IF EXISTS " + b.schema + "." + name
}

// exec runs statements outside of transactions. The time that others are allowed is not enough
// for a large table.
func (b builder) exec(ctx context.Context, statements ...string) error {
	statements = append([]string{"SET statement_timeout = 0"}, append(statements, "RESET statement_timeout")...)
	for _, sql := range statements {
		if _, err := b.conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			discard(b.conn.Conn()) // with its settings
			return err
		}
	}
	return nil
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// connection is the writer's connection, in its turn, or a transaction on it.
type connection struct{ conn session }

// session is a connection or a transaction.
type session interface {
	querier
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Query implements relational.Database.
func (c connection) Query(ctx context.Context, q relational.Statement, begin func(), row func(relational.Row) error) error {
	return query(ctx, c.conn, q, begin, row)
}

// Exec implements relational.Transaction.
func (c connection) Exec(ctx context.Context, q relational.Statement) (int64, error) {
	result, err := c.conn.ExecContext(ctx, q.SQL, q.Args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// altering has an Indexer change what commits write to. SQLite has one writer at a time in all
// processes.
type altering struct{ engine *Engine }

// Alter implements relational.Alterer.
func (a altering) Alter(ctx context.Context, change func(context.Context, relational.Transaction) error) error {
	if err := a.engine.gate.Enter(ctx); err != nil {
		return err
	}
	defer a.engine.gate.Leave()
	w := &a.engine.writer
	w.turn.Lock()
	defer w.turn.Unlock()
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, err)
	}
	if err := change(ctx, connection{tx}); err != nil {
		return failed(ctx, errors.Join(err, tx.Rollback()))
	}
	return failed(ctx, tx.Commit())
}

// Alone implements relational.Alterer. Processes do not wait for each other: who finds that what
// an index was to become is not what it is to become any more does nothing.
func (a altering) Alone(ctx context.Context, work func(context.Context, relational.Builder) error) (called bool, err error) {
	return true, work(ctx, builder(a))
}

// builder makes and removes indexes. Nobody else writes meanwhile.
type builder altering

// Build implements relational.Builder.
func (b builder) Build(ctx context.Context, name, table string, entries []string) error {
	return b.change(ctx, name, storage.IndexBuilding,
		"DROP INDEX IF EXISTS "+name, "CREATE INDEX "+name+" ON "+table+" ("+strings.Join(entries, ", ")+")", "PRAGMA analysis_limit = 1000", "ANALYZE "+table)
}

// Drop implements relational.Builder.
func (b builder) Drop(ctx context.Context, name string) error {
	return b.change(ctx, name, storage.IndexDropping, "DROP INDEX IF EXISTS "+name)
}

// change runs statements, unless the index is in another state by now.
func (b builder) change(ctx context.Context, name string, state storage.IndexState, statements ...string) error {
	return altering(b).Alter(ctx, func(ctx context.Context, tx relational.Transaction) error {
		current := false
		asked := relational.Statement{SQL: "SELECT state = ? FROM _indexes WHERE name = ?", Args: []any{string(state), name}}
		err := tx.Query(ctx, asked, func() {}, func(row relational.Row) error { return row.Scan(&current) })
		if err != nil || !current {
			return err
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, relational.Statement{SQL: sql}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Explain implements storage.Explainer: it says what SQLite's planner does. Rows are those that
// were read.
func (e *Engine) Explain(ctx context.Context, collection string, s *ankql.Selection, limit int) (*storage.Explanation, error) {
	return e.reader.Explain(ctx, collection, s, limit, func(ctx context.Context, q relational.Statement) (steps []relational.Step, err error) {
		q.SQL = "EXPLAIN QUERY PLAN " + q.SQL
		err = e.reader.Database.Query(ctx, q, func() {}, func(row relational.Row) error {
			var ignored int
			var detail string
			if err := row.Scan(&ignored, &ignored, &ignored, &detail); err != nil {
				return err
			}
			steps = append(steps, step(detail))
			return nil
		})
		return steps, err
	})
}

// step reads a line of EXPLAIN QUERY PLAN.
func step(detail string) relational.Step {
	s := relational.Step{Text: strings.ToLower(detail), Sorts: strings.Contains(detail, "USE TEMP B-TREE")}
	if _, rest, ok := strings.Cut(detail, " INDEX "); ok {
		s.Index, _, _ = strings.Cut(rest, " ")
	}
	return s
}

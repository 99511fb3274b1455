package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"modernc.org/sqlite"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// writer is the one connection that writes. Batches that came while it was busy go into its
// next transaction together, each inside a savepoint of its own.
type writer struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt

	turn  sync.Mutex // held by whoever writes, with conn and statements
	queue struct {
		sync.Mutex
		waiting []*request
	}
}

// request is a batch that waits to be written; done is set in the writer's turn.
type request struct {
	batch *storage.Batch
	done  bool
	err   error
}

// maxGroup is how many batches one transaction takes, so that the first does not wait long.
const maxGroup = 256

// in is a list of arguments.
func in(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")" }

// maxStatements is how many prepared statements are kept.
const maxStatements = 256

// Commit implements storage.Engine. Once it has begun, it ends with a definite answer, whatever
// becomes of ctx.
func (e *Engine) Commit(ctx context.Context, b *storage.Batch) error {
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	defer e.gate.Leave()
	r := &request{batch: b}
	w := &e.writer
	w.queue.Lock()
	w.queue.waiting = append(w.queue.waiting, r)
	w.queue.Unlock()

	w.turn.Lock()
	defer w.turn.Unlock()
	for !r.done {
		e.writeGroup(context.WithoutCancel(ctx), w.take())
	}
	return r.err
}

// take returns the requests that wait, as many as go into one transaction.
func (w *writer) take() []*request {
	w.queue.Lock()
	defer w.queue.Unlock()
	n := min(len(w.queue.waiting), maxGroup)
	group := w.queue.waiting[:n:n]
	w.queue.waiting = w.queue.waiting[n:]
	return group
}

// writeGroup writes some batches in one transaction.
func (e *Engine) writeGroup(ctx context.Context, group []*request) {
	d, err := e.tryGroup(ctx, group)
	if err != nil {
		// Nothing of it is stored, neither what went well.
		e.writer.conn.ExecContext(ctx, "ROLLBACK")
	} else {
		e.described.Remember(d)
	}
	for _, r := range group {
		if r.done = true; err != nil {
			r.err = failed(ctx, err)
		}
	}
}

// tryGroup leaves the transaction open where it fails. A batch that is refused is told so, and
// the others go on.
func (e *Engine) tryGroup(ctx context.Context, group []*request) (*relational.Description, error) {
	w := &e.writer
	if err := w.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	d := e.described.Load()
	var version int64
	if err := w.row(ctx, "SELECT description FROM _ankurah", nil, &version); err != nil {
		return nil, err
	}
	if version != d.Version {
		var err error
		if d, err = e.reader.Describe(ctx, connection{w.conn}); err != nil {
			return nil, err
		}
	}
	for _, r := range group {
		if err := w.exec(ctx, "SAVEPOINT batch"); err != nil {
			return nil, err
		}
		next, err := e.write(ctx, d, r.batch)
		if err == nil {
			d = next
		} else if r.err = failed(ctx, err); w.exec(ctx, "ROLLBACK TO batch") != nil {
			return nil, err // it was so bad that SQLite has rolled back everything
		}
		if err := w.exec(ctx, "RELEASE batch"); err != nil {
			return nil, err
		}
	}
	return d, w.exec(ctx, "COMMIT")
}

// prepared returns a statement, prepared once.
func (w *writer) prepared(ctx context.Context, statement string) (*sql.Stmt, error) {
	if s := w.statements[statement]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	if len(w.statements) >= maxStatements || w.statements == nil {
		if err := w.forget(); err != nil {
			return nil, err
		}
	}
	w.statements[statement] = s
	return s, nil
}

// forget closes the prepared statements.
func (w *writer) forget() error {
	var errs []error
	for _, s := range w.statements {
		errs = append(errs, s.Close())
	}
	w.statements = map[string]*sql.Stmt{}
	return errors.Join(errs...)
}

func (w *writer) close() error { return errors.Join(w.forget(), w.conn.Close()) }

func (w *writer) exec(ctx context.Context, statement string, args ...any) error {
	_, err := w.change(ctx, statement, args...)
	return err
}

// change runs a statement and returns how many rows it has changed.
func (w *writer) change(ctx context.Context, statement string, args ...any) (int64, error) {
	s, err := w.prepared(ctx, statement)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (w *writer) row(ctx context.Context, statement string, args []any, into ...any) error {
	s, err := w.prepared(ctx, statement)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}

// write writes one batch, and returns the description of the tables afterwards.
func (e *Engine) write(ctx context.Context, d *relational.Description, b *storage.Batch) (*relational.Description, error) {
	w := &e.writer
	if missing := d.Missing(b.Records); len(missing) > 0 {
		var statements []relational.Statement
		d, statements = e.reader.Grow(d, missing)
		for _, q := range statements {
			if _, err := w.conn.ExecContext(ctx, q.SQL, q.Args...); err != nil {
				return nil, err
			}
		}
	}
	for i := range b.Records {
		if err := w.putRecord(ctx, d, &b.Records[i]); err != nil {
			return nil, err
		}
	}
	for _, entity := range b.Evict {
		if err := w.evict(ctx, d, entity); err != nil {
			return nil, err
		}
	}
	for _, ev := range b.Events {
		if err := w.exec(ctx, "INSERT INTO _events VALUES (?, ?, ?) ON CONFLICT DO NOTHING", ev.ID.String(), ev.Entity.String(), proto.AppendEvent(make([]byte, 0, ev.EncodedSize()), ev)); err != nil {
			return nil, err
		}
	}
	for _, entry := range b.Outbox {
		if err := w.set(ctx, "_outbox", "seq", "data", relational.SQLite.Sequence(entry.Seq), entry.Data); err != nil {
			return nil, err
		}
	}
	for _, entry := range b.Meta {
		if err := w.set(ctx, "_meta", "key", "value", []byte(entry.Key), entry.Value); err != nil {
			return nil, err
		}
	}
	for _, entry := range b.Feed {
		err := w.exec(ctx, "INSERT INTO _feed VALUES (?, ?, ?)", b.FeedID.String(), relational.SQLite.Sequence(entry.Seq), proto.AppendFeedEntry(nil, entry))
		if err != nil {
			return nil, taken(err, "feed %s already has entry %d", b.FeedID, entry.Seq)
		}
	}
	return d, nil
}

// Extended result codes of what is there already.
const (
	codeConstraintPrimaryKey = 1555
	codeConstraintUnique     = 2067
)

// taken makes a conflict of the error that a row is there already.
func taken(err error, format string, args ...any) error {
	var own *sqlite.Error
	if errors.As(err, &own) && (own.Code() == codeConstraintPrimaryKey || own.Code() == codeConstraintUnique) {
		return fmt.Errorf("%w: %s", storage.ErrConflict, fmt.Sprintf(format, args...))
	}
	return err
}

// set writes a row of two columns, or removes it where value is nil.
func (w *writer) set(ctx context.Context, table, key, column string, k any, value []byte) error {
	if value == nil {
		return w.exec(ctx, "DELETE FROM "+table+" WHERE "+key+" = ?", k)
	}
	return w.exec(ctx, "INSERT INTO "+table+" VALUES (?, ?) ON CONFLICT DO UPDATE SET "+column+" = excluded."+column, k, value)
}

func (w *writer) putRecord(ctx context.Context, d *relational.Description, write *storage.RecordWrite) error {
	rec := write.Record
	entity, head, data := rec.Entity.String(), relational.HeadText(rec.State.Head), proto.AppendRecord(nil, rec)
	if len(write.Expect) == 0 {
		if err := w.exec(ctx, "INSERT INTO _records VALUES (?, ?, ?, ?)", entity, rec.Collection, head, data); err != nil {
			return taken(err, "entity %s", entity)
		}
	} else if n, err := w.change(ctx, "UPDATE _records SET head = ?, record = ? WHERE id = ? AND head = ?", head, data, entity, relational.HeadText(write.Expect)); err != nil {
		return err
	} else if n == 0 {
		return fmt.Errorf("%w: entity %s", storage.ErrConflict, entity)
	}
	return w.putRow(ctx, d, rec)
}

// putRow writes the row of the collection's own table.
func (w *writer) putRow(ctx context.Context, d *relational.Description, rec *proto.Record) error {
	t := d.Tables[rec.Collection]
	if rec.State.Deleted() {
		return w.exec(ctx, "DELETE FROM "+relational.Quote(t.Name)+` WHERE "id" = ?`, rec.Entity.String())
	}
	args, odd := relational.SQLite.Row(t, rec)
	names, sets := `"id", "_odd"`, `"_odd" = excluded."_odd"`
	for _, c := range t.Columns {
		name := relational.Quote(c.Name)
		names += ", " + name
		sets += ", " + name + " = excluded." + name
	}
	return w.exec(ctx, "INSERT INTO "+relational.Quote(t.Name)+" ("+names+") VALUES "+in(len(t.Columns)+2)+` ON CONFLICT ("id") DO UPDATE SET `+sets,
		append([]any{rec.Entity.String(), odd}, args...)...)
}

func (w *writer) evict(ctx context.Context, d *relational.Description, entity id.EntityID) error {
	var collection string
	err := w.row(ctx, "DELETE FROM _records WHERE id = ? RETURNING collection", []any{entity.String()}, &collection)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.exec(ctx, "DELETE FROM "+relational.Quote(d.Tables[collection].Name)+` WHERE "id" = ?`, entity.String())
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// Options are an engine's settings; the zero value has the defaults.
type Options struct {
	// Readers is how many connections read at a time at most; default 4.
	Readers int
	// Busy is how long to wait for another process that has the file; default 10 s.
	Busy time.Duration
	// Exclusive refuses a file that another engine has opened so; beside it is then a file
	// whose name ends in -lock. One node at a time may write to a feed.
	Exclusive bool
	// Cache is how many bytes of the file each connection remembers; default 16 MiB.
	Cache int
}

func (o *Options) ensureDefaults() {
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.Busy <= 0 {
		o.Busy = 10 * time.Second
	}
	if o.Cache <= 0 {
		o.Cache = 16 << 20
	}
}

// Engine implements storage.Engine over a SQLite file.
type Engine struct {
	readers *sql.DB
	db      *sql.DB // of one connection, that of the writer
	owner   *sql.DB // of one connection that has a lock, or nil
	writer  writer

	described atomic.Pointer[description]

	mu struct {
		sync.RWMutex // held for reading by every call, so that Close waits for them
		closed       bool
	}
}

var _ storage.Engine = (*Engine)(nil)

// Open opens a file, which it makes if there is none.
func Open(ctx context.Context, path string, options Options) (*Engine, error) {
	options.ensureDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	e := &Engine{}
	if options.Exclusive {
		if e.owner, err = lock(ctx, path); err != nil {
			return nil, err
		}
	}
	if e.db, err = connect(path, &options, "synchronous(FULL)"); err != nil {
		return nil, err
	}
	e.db.SetMaxOpenConns(1)
	e.db.SetMaxIdleConns(1)
	if e.writer.conn, err = e.db.Conn(ctx); err == nil {
		err = e.prepare(ctx)
	}
	if err == nil {
		e.readers, err = connect(path, &options, "query_only(1)")
	}
	if err != nil {
		e.db.Close()
		e.unlock()
		return nil, failed(ctx, err)
	}
	e.readers.SetMaxOpenConns(options.Readers)
	e.readers.SetMaxIdleConns(options.Readers)
	return e, nil
}

// ErrLocked is what Open returns, with Options.Exclusive, for a file that another engine has
// opened so.
var ErrLocked = errors.New("sqlite: the file is in use by another server")

// lock takes a lock that lies beside the file, so that others can still read the file itself.
// It is a database of its own, in which a transaction does not end.
func lock(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path + "-lock"}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		db.Close()
		var own *sqlite.Error
		if errors.As(err, &own) && own.Code()&primaryOfCode == codeBusy {
			return nil, fmt.Errorf("%w: %s", ErrLocked, path)
		}
		return nil, failed(ctx, err)
	}
	return db, nil
}

func (e *Engine) unlock() error {
	if e.owner == nil {
		return nil
	}
	return e.owner.Close()
}

func connect(path string, o *Options, pragma string) (*sql.DB, error) {
	settings := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", o.Busy.Milliseconds()), "journal_mode(WAL)", fmt.Sprintf("cache_size(-%d)", o.Cache>>10), "foreign_keys(1)", pragma,
	}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: settings.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return db, nil
}

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
	return nil
}

func (e *Engine) leave() { e.mu.RUnlock() }

// Close implements storage.Engine.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.closed {
		return nil
	}
	e.mu.closed = true
	return errors.Join(e.readers.Close(), e.writer.close(), e.db.Close(), e.unlock())
}

// query runs a statement that only reads and hands over its rows one by one.
func (e *Engine) query(ctx context.Context, statement string, args []any, row func(*sql.Rows) error) error {
	rows, err := e.readers.QueryContext(ctx, statement, args...)
	if err != nil {
		return failed(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return failed(ctx, err)
		}
	}
	return failed(ctx, rows.Err())
}

// maxLookUp is how many keys one statement looks up: SQLite has at most 32,766 arguments.
// Their rows are of one moment, whatever their number, since further ones go into lists.
const maxLookUp = 32_000

// in is a list of arguments.
func in(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?,", n), ",") + ")" }

// lookUp reads rows of a text and something encoded. Beyond what a statement takes as
// arguments, ids are written out: they are letters and digits.
func lookUp[T any, K fmt.Stringer](ctx context.Context, e *Engine, statement string, keys []K, decode func([]byte) (T, error)) (map[string]T, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	found := make(map[string]T, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	args := make([]any, 0, min(len(keys), maxLookUp))
	var written strings.Builder
	for i, k := range keys {
		if i < maxLookUp {
			args = append(args, k.String())
		} else {
			written.WriteString(",'" + k.String() + "'")
		}
	}
	list := strings.TrimSuffix(in(len(args)), ")") + written.String() + ")"
	err := e.query(ctx, statement+" IN "+list, args, func(rows *sql.Rows) error {
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

// Records implements storage.Engine.
func (e *Engine) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	found, err := lookUp(ctx, e, "SELECT id, record FROM _records WHERE id", entities, proto.DecodeRecord)
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
	found, err := lookUp(ctx, e, "SELECT id, event FROM _events WHERE id", ids, proto.DecodeEvent)
	if err != nil {
		return nil, err
	}
	events := make([]*proto.Event, len(ids))
	for i, ev := range ids {
		events[i] = found[ev.String()]
	}
	return events, nil
}

// EntityEvents implements storage.Engine.
func (e *Engine) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	return list(ctx, e, "SELECT event FROM _events WHERE entity = ? AND id > ? ORDER BY id LIMIT ?",
		[]any{entity.String(), after.String(), storage.PageSize(limit)}, proto.DecodeEvent)
}

// Feed implements storage.Engine.
func (e *Engine) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	return list(ctx, e, "SELECT entry FROM _feed WHERE feed = ? AND seq > ? ORDER BY seq LIMIT ?",
		[]any{feed.String(), sequence(after), storage.PageSize(limit)}, proto.DecodeFeedEntry)
}

// list reads rows of something encoded.
func list[T any](ctx context.Context, e *Engine, statement string, args []any, decode func([]byte) (T, error)) ([]T, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	var items []T
	err := e.query(ctx, statement, args, func(rows *sql.Rows) error {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		item, err := decode(data)
		if err != nil {
			return relational.Corrupt("a row", err)
		}
		items = append(items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// sequence writes a number of 64 bits such that texts are in the numbers' order: SQLite's
// integers have a sign.
func sequence(n uint64) string { return fmt.Sprintf("%020d", n) }

// Outbox implements storage.Engine.
func (e *Engine) Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	var entries []storage.OutboxEntry
	err := e.query(ctx, "SELECT seq, data FROM _outbox WHERE seq > ? ORDER BY seq LIMIT ?", []any{sequence(after), storage.PageSize(limit)}, func(rows *sql.Rows) error {
		var number string
		var data []byte
		if err := rows.Scan(&number, &data); err != nil {
			return err
		}
		var seq uint64
		if _, err := fmt.Sscanf(number, "%020d", &seq); err != nil {
			return relational.Corrupt("outbox entry "+number, err)
		}
		entries = append(entries, storage.OutboxEntry{Seq: seq, Data: there(data)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// there makes an empty slice of nil: what is stored is there.
func there(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Meta implements storage.Engine.
func (e *Engine) Meta(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	if len(keys) == 0 {
		return [][]byte{}, nil
	}
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = []byte(key)
	}
	found := map[string][]byte{}
	err := e.query(ctx, "SELECT key, value FROM _meta WHERE key IN "+in(len(keys)), args, func(rows *sql.Rows) error {
		var key, value []byte
		err := rows.Scan(&key, &value)
		found[string(key)] = there(value)
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

// What is wrong with a file that Open refuses.
var (
	// ErrForeign: the file is another program's.
	ErrForeign = errors.New("sqlite: not a file of Ankurah's")
	// ErrNewer: a newer version of Ankurah has written it.
	ErrNewer = errors.New("sqlite: the data was written by a newer version of Ankurah")
)

// Primary result codes of SQLite.
const (
	codeBusy      = 5
	codeLocked    = 6
	codeIO        = 10
	codeCorrupt   = 11
	codeFull      = 13
	codeCantOpen  = 14
	codeNotADB    = 26
	primaryOfCode = 0xff
)

// failed wraps an error of SQLite in those of package storage; where ctx has ended that is
// the reason.
func failed(ctx context.Context, err error) error {
	var own *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &own):
		switch own.Code() & primaryOfCode {
		case codeFull:
			return fmt.Errorf("%w: %w", storage.ErrFull, err)
		case codeCorrupt:
			return fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
		case codeNotADB:
			return fmt.Errorf("%w: %w", ErrForeign, err)
		case codeBusy, codeLocked, codeIO, codeCantOpen:
			return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		}
	}
	return fmt.Errorf("sqlite: %w", err)
}

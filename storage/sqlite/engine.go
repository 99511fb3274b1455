package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"modernc.org/sqlite"

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
	// Indexes say when an index is made for a selection.
	Indexes relational.IndexOptions
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
	relational.Reading
	storage.Indexer

	reader  relational.Reader
	indexer *relational.Indexer
	readers *sql.DB
	db      *sql.DB // of one connection, that of the writer
	owner   *sql.DB // of one connection that has a lock, or nil
	writer  writer

	described relational.Described

	gate storage.Gate
}

var (
	_ storage.Engine    = (*Engine)(nil)
	_ storage.Counter   = (*Engine)(nil)
	_ storage.Indexer   = (*Engine)(nil)
	_ storage.Explainer = (*Engine)(nil)
)

// Open opens a file, which it makes if there is none.
func Open(ctx context.Context, path string, options Options) (*Engine, error) {
	options.ensureDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	e := &Engine{}
	e.reader = relational.Reader{Layout: relational.Layout{Dialect: relational.SQLite}, Database: pool{e}, Described: &e.described}
	e.Reading = &e.reader
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
	e.indexer = relational.NewIndexer(&e.reader, altering{e}, options.Indexes)
	e.Indexer = e.indexer
	e.indexer.Wake() // what another process has left
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

// Close implements storage.Engine.
func (e *Engine) Close() error {
	e.indexer.Stop()
	return e.gate.Close(func() error {
		return errors.Join(e.readers.Close(), e.writer.close(), e.db.Close(), e.unlock())
	})
}

// pool reads a file by a pool of connections.
type pool struct{ engine *Engine }

// Query implements relational.Database.
func (p pool) Query(ctx context.Context, q relational.Statement, begin func(), row func(relational.Row) error) error {
	if err := p.engine.gate.Enter(ctx); err != nil {
		return err
	}
	defer p.engine.gate.Leave()
	return query(ctx, p.engine.readers, q, begin, row)
}

// querier is a pool, or a connection.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query runs a statement that only reads and hands over its rows one by one.
func query(ctx context.Context, db querier, q relational.Statement, begin func(), row func(relational.Row) error) error {
	begin()
	rows, err := db.QueryContext(ctx, q.SQL, q.Args...)
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

package relational

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Database runs statements that only read.
type Database interface {
	// Query hands over the rows of a statement one by one. Where it makes several attempts, it
	// calls begin before the first row of each. Its errors are those of package storage.
	Query(ctx context.Context, q Statement, begin func(), row func(Row) error) error
}

// Row is a row of an answer.
type Row interface {
	Scan(into ...any) error
}

// Reader is what of an engine only reads: of a database, or of a moment of it.
type Reader struct {
	Layout
	Database Database
	// Described is the description that scans go by, and read again where it is out of date.
	Described *Described
	// Moment says that the database does not change, so that its description, once read, is
	// right, however old it may be.
	Moment bool
	// Scanned, if not nil, is told of each page that was read.
	Scanned func(d *Description, collection string, s *ankql.Selection, returned int)
}

// Reading is what a Reader does for an engine.
type Reading interface {
	storage.Reader
	storage.Counter
	storage.Walker
	Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error)
}

var _ Reading = (*Reader)(nil)

// Reload reads the description again.
func (r *Reader) Reload(ctx context.Context) error {
	d, err := r.Describe(ctx, r.Database)
	if err != nil {
		return err
	}
	if r.Moment {
		r.Described.Store(d)
	} else {
		r.Described.Remember(d)
	}
	return nil
}

// collect reads rows.
func collect[T any](ctx context.Context, r *Reader, q Statement, read func(Row) (T, error)) ([]T, error) {
	var items []T
	err := r.Database.Query(ctx, q, func() { items = nil }, func(row Row) error {
		item, err := read(row)
		items = append(items, item)
		return err
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// encoded reads a row of something encoded.
func encoded[T any](decode func([]byte) (T, error)) func(Row) (T, error) {
	return func(row Row) (item T, err error) {
		var data []byte
		if err := row.Scan(&data); err != nil {
			return item, err
		}
		if item, err = decode(data); err != nil {
			err = Corrupt("a row", err)
		}
		return item, err
	}
}

// lookUp reads what is encoded under each of some ids, in their order, and the zero value where
// there is none.
func lookUp[T any, K fmt.Stringer](ctx context.Context, r *Reader, column, table string, keys []K, decode func([]byte) (T, error)) ([]T, error) {
	s := &statement{dialect: r.Dialect}
	sql := "SELECT id, " + column + " FROM " + r.Own(table) + " WHERE id" + s.among(Texts(keys))
	var found map[string]T
	err := r.Database.Query(ctx, Statement{SQL: sql, Args: s.args}, func() { found = make(map[string]T, len(keys)) }, func(row Row) error {
		var key string
		var data []byte
		if err := row.Scan(&key, &data); err != nil {
			return err
		}
		item, err := decode(data)
		if err != nil {
			return Corrupt(key, err)
		}
		found[key] = item
		return nil
	})
	if err != nil {
		return nil, err
	}
	items := make([]T, len(keys))
	for i, key := range keys {
		items[i] = found[key.String()]
	}
	return items, nil
}

// maxArguments is how many arguments a statement of SQLite has at most, or a few less.
const maxArguments = 32_000

// among is the comparison with a list of ids. Beyond what SQLite takes as arguments they are
// written out, so that it remains one statement, of one moment: they are letters and digits.
func (s *statement) among(ids []string) string {
	if s.dialect == Postgres {
		return " = ANY(" + s.placeholder(ids) + "::text[])"
	}
	var list strings.Builder
	for i, id := range ids {
		if list.WriteByte(','); i < maxArguments {
			list.WriteString(s.placeholder(id))
		} else {
			list.WriteString("'" + id + "'")
		}
	}
	return " IN (" + strings.TrimPrefix(list.String(), ",") + ")"
}

// Records implements storage.Reader.
func (r *Reader) Records(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	return lookUp(ctx, r, "record", "_records", entities, proto.DecodeRecord)
}

// Events implements storage.Reader.
func (r *Reader) Events(ctx context.Context, events []id.EventID) ([]*proto.Event, error) {
	return lookUp(ctx, r, "event", "_events", events, proto.DecodeEvent)
}

// EntityEvents implements storage.Reader.
func (r *Reader) EntityEvents(ctx context.Context, entity id.EntityID, after id.EventID, limit int) ([]*proto.Event, error) {
	return collect(ctx, r, r.bind("SELECT event FROM "+r.Own("_events")+" WHERE entity = $1 AND id > $2 ORDER BY id LIMIT $3",
		entity.String(), after.String(), storage.PageSize(limit)), encoded(proto.DecodeEvent))
}

// Feed implements storage.Reader.
func (r *Reader) Feed(ctx context.Context, feed id.NodeID, after uint64, limit int) ([]*proto.FeedEntry, error) {
	return collect(ctx, r, r.bind("SELECT entry FROM "+r.Own("_feed")+" WHERE feed = $1 AND seq > "+r.Dialect.sequence("$2")+" ORDER BY seq LIMIT $3",
		feed.String(), r.Dialect.Sequence(after), storage.PageSize(limit)), encoded(proto.DecodeFeedEntry))
}

// Outbox implements storage.Engine.
func (r *Reader) Outbox(ctx context.Context, after uint64, limit int) ([]storage.OutboxEntry, error) {
	return collect(ctx, r, r.bind("SELECT CAST(seq AS text) AS number, data FROM "+r.Own("_outbox")+" WHERE seq > "+r.Dialect.sequence("$1")+" ORDER BY seq LIMIT $2",
		r.Dialect.Sequence(after), storage.PageSize(limit)), func(row Row) (entry storage.OutboxEntry, err error) {
		var number string
		if err := row.Scan(&number, &entry.Data); err != nil {
			return entry, err
		}
		entry.Data = there(entry.Data)
		if entry.Seq, err = strconv.ParseUint(number, 10, 64); err != nil {
			err = Corrupt("outbox entry "+number, err)
		}
		return entry, err
	})
}

// there makes an empty slice of nil: what is stored is there.
func there(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Meta implements storage.Reader.
func (r *Reader) Meta(ctx context.Context, keys ...string) ([][]byte, error) {
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = []byte(key)
	}
	s := &statement{dialect: r.Dialect}
	sql := "SELECT key, value FROM " + r.Own("_meta") + " WHERE key" + s.oneOf(args, Bytes, false)
	var found map[string][]byte
	err := r.Database.Query(ctx, Statement{SQL: sql, Args: s.args}, func() { found = map[string][]byte{} }, func(row Row) error {
		var key, value []byte
		err := row.Scan(&key, &value)
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

// Scan implements storage.Reader.
func (r *Reader) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	page, _, err := r.page(ctx, collection, s, after, storage.PageSize(limit))
	return page, err
}

// page reads a page of a scan; read is how many rows came for it.
func (r *Reader) page(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (page *storage.Page, read int, err error) {
	var pager *Pager
	d, err := r.asDescribed(ctx, collection, func(t *Table) (Statement, answer) {
		scan := r.Layout.Scan(t, s, after, limit)
		return scan.Statement, answer{
			begin: func() { pager, read = NewPager(scan, s, after, limit), 0 },
			record: func(part Part, rec *proto.Record) {
				pager.Add(part, rec)
				read++
			},
		}
	})
	if err != nil {
		return nil, 0, err
	}
	if pager == nil {
		return &storage.Page{}, 0, nil
	}
	page = pager.Page()
	if r.Scanned != nil {
		r.Scanned(d, collection, s, len(page.Records))
	}
	return page, read, nil
}

// Count implements storage.Counter. Rows that match are counted by the database, as many at a
// time as the limit says, where it knows of all rows whether they do; else they are read.
func (r *Reader) Count(ctx context.Context, collection string, where ankql.Expr, after []byte, limit int) (*storage.CountPage, error) {
	limit = max(limit, 1)
	selection := &ankql.Selection{Where: where, Limit: ankql.NoLimit}
	var tally *Tally
	d, err := r.asDescribed(ctx, collection, func(t *Table) (Statement, answer) {
		count := r.Layout.Count(t, where, after, limit)
		if tally = nil; count == nil {
			return Statement{}, answer{}
		}
		return count.Statement, answer{
			begin:   func() { tally = NewTally(count, selection) },
			record:  func(_ Part, rec *proto.Record) { tally.Add(rec) },
			counted: func(n int64, last []byte) error { return tally.Counted(n, last) },
		}
	})
	switch {
	case err != nil:
		return nil, err
	case tally != nil:
		return tally.Page(), nil
	case d.Tables[collection] == nil:
		return &storage.CountPage{}, nil
	}
	page, _, err := r.page(ctx, collection, selection, after, storage.PageSize(limit))
	if err != nil {
		return nil, err
	}
	return &storage.CountPage{Count: int64(len(page.Records)), More: page.More, Next: page.Next}, nil
}

// answer is what takes in the rows of a scan or of a count.
type answer struct {
	begin   func()
	record  func(Part, *proto.Record)
	counted func(n int64, last []byte) error
}

// asDescribed makes a statement over a collection's table and has its rows taken in, as often
// as it takes for the description to be true meanwhile, and returns that. Where there is
// no table, or no statement, nothing is taken in.
func (r *Reader) asDescribed(ctx context.Context, collection string, make func(*Table) (Statement, answer)) (*Description, error) {
	for {
		d := r.Described.Load()
		var q Statement
		var a answer
		if t := d.Tables[collection]; t != nil {
			q, a = make(t)
		}
		if q.SQL == "" {
			q.SQL = "SELECT 0, description, NULL FROM " + r.Own("_ankurah")
		}
		current, err := r.take(ctx, d, collection, q, a)
		if err != nil || current {
			return d, err
		}
		if err := r.Reload(ctx); err != nil {
			return nil, err
		}
	}
}

// take runs a statement of a Scan or a Count; current says whether the description is true.
func (r *Reader) take(ctx context.Context, d *Description, collection string, q Statement, a answer) (current bool, err error) {
	begin := func() {
		if a.begin != nil {
			a.begin()
		}
	}
	err = r.Database.Query(ctx, q, begin, func(row Row) error {
		var part Part
		var number *int64
		var data []byte
		if err := row.Scan(&part, &number, &data); err != nil {
			return err
		}
		switch {
		case part == Version:
			current = *number == d.Version
			return nil
		case number != nil:
			return a.counted(*number, data)
		}
		rec, err := proto.DecodeRecord(data)
		if err != nil {
			return Corrupt("a record of "+collection, err)
		}
		a.record(part, rec)
		return nil
	})
	return current, err
}

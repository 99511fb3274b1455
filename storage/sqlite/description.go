package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/ankurah-go/ankurah/storage/relational"
)

// Version is the layout that this program reads and writes, kept as the file's user version.
const Version = 1

// applicationID is the file's application id, "Anku" in ASCII.
const applicationID = 0x416e6b75

// description is what this process takes the tables to be: nothing in it is changed.
type description struct {
	version int64
	tables  map[string]*relational.Table // by collection
}

const ownTables = `
CREATE TABLE _ankurah (description INTEGER NOT NULL);
INSERT INTO _ankurah VALUES (1);
CREATE TABLE _tables (collection TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE _columns (collection TEXT NOT NULL REFERENCES _tables, property TEXT NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, place INTEGER NOT NULL,
	PRIMARY KEY (collection, property)) WITHOUT ROWID;
CREATE TABLE _records (id TEXT PRIMARY KEY, collection TEXT NOT NULL, head TEXT NOT NULL, record BLOB NOT NULL);
CREATE TABLE _events (id TEXT PRIMARY KEY, entity TEXT NOT NULL, event BLOB NOT NULL);
CREATE INDEX _events_of_entity ON _events (entity, id);
CREATE TABLE _feed (feed TEXT, seq TEXT, entry BLOB NOT NULL, PRIMARY KEY (feed, seq)) WITHOUT ROWID;
CREATE TABLE _outbox (seq TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE _meta (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
`

// prepare makes an empty file ready, and refuses one that is not for this program.
func (e *Engine) prepare(ctx context.Context) error {
	tx, err := e.writer.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var application, layout, tables int
	err = tx.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").
		Scan(&application, &layout, &tables)
	switch {
	case err != nil:
		return err
	case application == 0 && layout == 0 && tables == 0:
		if _, err := tx.ExecContext(ctx, ownTables+fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, Version)); err != nil {
			return err
		}
	case application != applicationID:
		return fmt.Errorf("%w: it has %d tables of something else", ErrForeign, tables)
	case layout > Version:
		return fmt.Errorf("%w: its layout is version %d, and this program reads up to %d", ErrNewer, layout, Version)
	}
	d, err := describe(ctx, tx)
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	e.described.Store(d)
	return nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// describe reads the description, in one statement.
func describe(ctx context.Context, q querier) (*description, error) {
	rows, err := q.QueryContext(ctx, `SELECT a.description, t.collection, t.name, c.property, c.name, c.type
		FROM _ankurah a LEFT JOIN _tables t LEFT JOIN _columns c ON c.collection = t.collection ORDER BY t.collection, c.place`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	d := &description{tables: map[string]*relational.Table{}}
	names, columns := map[string]string{}, map[string][]relational.Column{}
	for rows.Next() {
		var collection, table, property, column sql.NullString
		var kind sql.NullInt16
		if err := rows.Scan(&d.version, &collection, &table, &property, &column, &kind); err != nil {
			return nil, err
		}
		if !collection.Valid {
			continue
		}
		names[collection.String] = table.String
		if property.Valid {
			columns[collection.String] = append(columns[collection.String], relational.Column{Property: property.String, Name: column.String, Type: relational.Type(kind.Int16)})
		}
	}
	for c, name := range names {
		d.tables[c] = relational.NewTable(c, name, columns[c])
	}
	return d, rows.Err()
}

// maxColumns is how many columns a table has at most: SQLite's limit is 2,000. A row with more
// properties is odd.
const maxColumns = 1000

// grow adds to the tables, in the transaction at hand, what they lack for a record, and
// returns the description with it.
func (d *description) grow(ctx context.Context, conn *sql.Conn, collection string, missing []relational.Column) (*description, error) {
	t := d.tables[collection]
	exec := func(statement string, args ...any) error {
		_, err := conn.ExecContext(ctx, statement, args...)
		return err
	}
	var statements []string
	if t == nil {
		taken := map[string]bool{}
		for _, other := range d.tables {
			taken[strings.ToLower(other.Name)] = true
		}
		t = relational.NewTable(collection, relational.Name(collection, func(n string) bool { return taken[n] }), nil)
		name := relational.Quote(t.Name)
		statements = append(statements, "CREATE TABLE "+name+` ("id" TEXT PRIMARY KEY, "_odd" BOOLEAN NOT NULL)`,
			"CREATE INDEX "+relational.Quote("_odd_"+t.Name)+" ON "+name+` ("id") WHERE "_odd"`)
		if err := exec("INSERT INTO _tables VALUES (?, ?)", collection, t.Name); err != nil {
			return nil, err
		}
	}
	taken := map[string]bool{"id": true, "_odd": true}
	for _, c := range t.Columns {
		taken[strings.ToLower(c.Name)] = true
	}
	columns := append([]relational.Column(nil), t.Columns...)
	for _, c := range missing {
		if len(columns) >= maxColumns {
			break
		}
		c.Name = relational.Name(c.Property, func(n string) bool { return taken[n] })
		taken[strings.ToLower(c.Name)] = true
		statements = append(statements, "ALTER TABLE "+relational.Quote(t.Name)+" ADD COLUMN "+relational.Quote(c.Name)+" "+relational.SQLite.ColumnType(c.Type))
		if err := exec("INSERT INTO _columns VALUES (?, ?, ?, ?, ?)", collection, c.Property, c.Name, int(c.Type), len(columns)); err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	for _, statement := range append(statements, "UPDATE _ankurah SET description = description + 1") {
		if err := exec(statement); err != nil {
			return nil, err
		}
	}
	next := &description{version: d.version + 1, tables: map[string]*relational.Table{}}
	for c, other := range d.tables {
		next.tables[c] = other
	}
	next.tables[collection] = relational.NewTable(collection, t.Name, columns)
	return next, nil
}

// reload reads the description again.
func (e *Engine) reload(ctx context.Context) error {
	d, err := describe(ctx, e.readers)
	if err == nil {
		e.remember(d)
	}
	return failed(ctx, err)
}

// remember keeps a description unless there is a later one.
func (e *Engine) remember(d *description) {
	for {
		known := e.described.Load()
		if known.version >= d.version || e.described.CompareAndSwap(known, d) {
			return
		}
	}
}

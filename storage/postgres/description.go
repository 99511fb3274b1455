package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/storage/relational"
)

// Version is the layout that this program reads and writes.
const Version = 1

// minServer is the oldest server that is good for it, as server_version_num.
const minServer = 150000

// description is what this process takes the tables to be: nothing in it is changed.
type description struct {
	version int64
	tables  map[string]*relational.Table // by collection
	indexes map[string]bool              // those that there are, by indexKey
}

// lock makes those who change the description take turns, until the transaction ends.
func (e *Engine) lock(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "ankurah:"+e.schema)
	return err
}

// prepare makes an empty database ready, and refuses one that is not for this program.
func (e *Engine) prepare(ctx context.Context) error {
	err := attempts(ctx, e.options.Timeout, again, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
			if err := e.lock(ctx, tx); err != nil {
				return err
			}
			return e.prepareLocked(ctx, tx)
		})
	})
	switch {
	case err == nil:
		return e.reload(ctx)
	case errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return classify(err)
}

func (e *Engine) prepareLocked(ctx context.Context, tx pgx.Tx) error {
	var encoding string
	var server int
	err := tx.QueryRow(ctx, "SELECT current_setting('server_encoding'), current_setting('server_version_num')::int").Scan(&encoding, &server)
	switch {
	case err != nil:
		return err
	case server < minServer:
		return fmt.Errorf("%w: the server is PostgreSQL %d, and %d or later is needed", ErrForeign, server/10000, minServer/10000)
	case encoding != "UTF8":
		return fmt.Errorf("%w: its encoding is %s; create it WITH ENCODING 'UTF8' TEMPLATE template0", ErrForeign, encoding)
	}
	var relations int
	var ours bool
	err = tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE c.relname = '_ankurah') > 0
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`, e.schema).Scan(&relations, &ours)
	switch {
	case err != nil:
		return err
	case relations == 0:
		return e.create(ctx, tx)
	case !ours:
		return fmt.Errorf("%w: its schema %s holds tables of something else; name another with ?schema=", ErrForeign, e.schema)
	}
	var layout int
	if err := tx.QueryRow(ctx, "SELECT layout FROM "+e.own("_ankurah")).Scan(&layout); err != nil {
		return err
	}
	if layout > Version {
		return fmt.Errorf("%w: its layout is version %d, and this program reads up to %d", ErrNewer, layout, Version)
	}
	return nil
}

// create makes the engine's own tables.
func (e *Engine) create(ctx context.Context, tx pgx.Tx) error {
	statements := strings.NewReplacer("%s", e.schema, "text[]", "text[]", "text", `text COLLATE "C"`).Replace(`
CREATE SCHEMA IF NOT EXISTS %s;
CREATE TABLE %s._ankurah (layout int NOT NULL, description bigint NOT NULL);
CREATE TABLE %s._tables (collection text PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE %s._columns (collection text NOT NULL REFERENCES %s._tables, property text NOT NULL, name text NOT NULL, type smallint NOT NULL,
	place int NOT NULL, PRIMARY KEY (collection, property), UNIQUE (collection, name));
CREATE TABLE %s._indexes (collection text NOT NULL, columns text NOT NULL, name text NOT NULL UNIQUE, definition text NOT NULL, declared boolean NOT NULL, expects_one boolean NOT NULL,
	properties text[] NOT NULL DEFAULT '{}', state text NOT NULL DEFAULT 'building', used timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (collection, columns));
CREATE TABLE %s._records (id text PRIMARY KEY, collection text NOT NULL, head text NOT NULL, record bytea NOT NULL);
CREATE TABLE %s._events (id text PRIMARY KEY, entity text NOT NULL, event bytea NOT NULL);
CREATE INDEX _events_of_entity ON %s._events (entity, id);
CREATE TABLE %s._feed (feed text, seq numeric(20), entry bytea NOT NULL, PRIMARY KEY (feed, seq));
CREATE TABLE %s._outbox (seq numeric(20) PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE %s._meta (key bytea PRIMARY KEY, value bytea NOT NULL);
`) + strings.ReplaceAll(`
CREATE FUNCTION %s._demand(met boolean, code text, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF met IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = what; END IF;
END $$;
COMMENT ON SCHEMA %s IS 'Written by Ankurah. Read the tables as you like; what is changed here by others is not seen, and is overwritten.';
`, "%s", e.schema)
	if _, err := tx.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+e.own("_ankurah")+" VALUES ($1, 1)", Version)
	return err
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// describe reads the description, in one statement.
func (e *Engine) describe(ctx context.Context, q querier) (*description, error) {
	rows, err := q.Query(ctx, `SELECT a.description, t.collection, t.name, c.property, c.name, c.type,
			EXISTS (SELECT FROM `+e.own("_indexes")+` i WHERE i.collection = c.collection AND c.property = ANY(i.properties) AND i.state = 'ready')
		FROM `+e.own("_ankurah")+` a LEFT JOIN `+e.own("_tables")+` t ON TRUE LEFT JOIN `+e.own("_columns")+` c ON c.collection = t.collection
		ORDER BY t.collection, c.place`)
	if err != nil {
		return nil, err
	}
	d := &description{tables: map[string]*relational.Table{}, indexes: map[string]bool{}}
	names, columns := map[string]string{}, map[string][]relational.Column{}
	var collection, table, property, column *string
	var kind *int16
	var indexed bool
	_, err = pgx.ForEachRow(rows, []any{&d.version, &collection, &table, &property, &column, &kind, &indexed}, func() error {
		if collection == nil {
			return nil
		}
		names[*collection] = *table
		if property != nil {
			columns[*collection] = append(columns[*collection], relational.Column{Property: *property, Name: *column, Type: relational.Type(*kind), Indexed: indexed})
		}
		return nil
	})
	for c, name := range names {
		d.tables[c] = relational.NewTable(c, name, columns[c])
	}
	if err != nil {
		return nil, err
	}
	// Which indexes there are decides nothing that a scan answers.
	rows, err = q.Query(ctx, "SELECT collection, columns FROM "+e.own("_indexes"))
	if err != nil {
		return nil, err
	}
	var of, over string
	_, err = pgx.ForEachRow(rows, []any{&of, &over}, func() error {
		d.indexes[indexKey(of, over)] = true
		return nil
	})
	return d, err
}

// reload reads the description again.
func (e *Engine) reload(ctx context.Context) error {
	err := attempts(ctx, e.options.Timeout, again, func(ctx context.Context) error {
		d, err := e.describe(ctx, e.pool)
		if err == nil {
			e.remember(d)
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return classify(err)
}

// remember keeps a description unless there is a later one.
func (e *Engine) remember(d *description) {
	for {
		known := e.described.Load()
		if known != nil && known.version >= d.version || e.described.CompareAndSwap(known, d) {
			return
		}
	}
}

// addition is what a collection's table lacks.
type addition struct {
	collection string
	columns    []relational.Column
}

// grow adds tables and columns, unless somebody else has meanwhile.
func (e *Engine) grow(ctx context.Context, additions []addition) error {
	err := attempts(ctx, e.options.Timeout, again, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
			if err := e.lock(ctx, tx); err != nil {
				return err
			}
			// Readers that take long would have everybody who comes after wait.
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
				return err
			}
			d, err := e.describe(ctx, tx)
			if err != nil {
				return err
			}
			for _, a := range additions {
				if err := e.growTable(ctx, tx, d, a); err != nil {
					return err
				}
			}
			_, err = tx.Exec(ctx, "UPDATE "+e.own("_ankurah")+" SET description = description + 1")
			return err
		})
	})
	if err != nil {
		return classify(err)
	}
	e.indexer.wake() // an index may have waited for a column
	return e.reload(ctx)
}

func (e *Engine) growTable(ctx context.Context, tx pgx.Tx, d *description, a addition) error {
	t := d.tables[a.collection]
	if t == nil {
		names := map[string]bool{}
		for _, other := range d.tables {
			names[strings.ToLower(other.Name)] = true
		}
		t = relational.NewTable(a.collection, relational.Name(a.collection, func(n string) bool { return names[n] }), nil)
		name := e.table(t)
		if _, err := tx.Exec(ctx, "CREATE TABLE "+name+` ("id" text COLLATE "C" PRIMARY KEY, "_odd" boolean NOT NULL)`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "CREATE INDEX ON "+name+` ("id") WHERE "_odd"`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+e.own("_tables")+" VALUES ($1, $2)", a.collection, t.Name); err != nil {
			return err
		}
	}
	names := map[string]bool{"id": true, "_odd": true}
	for _, c := range t.Columns {
		names[strings.ToLower(c.Name)] = true
	}
	place := len(t.Columns)
	for _, c := range a.columns {
		if _, known := t.Column(c.Property); known || place >= maxColumns {
			continue
		}
		c.Name = relational.Name(c.Property, func(n string) bool { return names[n] })
		names[strings.ToLower(c.Name)] = true
		if _, err := tx.Exec(ctx, "ALTER TABLE "+e.table(t)+" ADD COLUMN "+relational.Quote(c.Name)+" "+relational.Postgres.ColumnType(c.Type)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+e.own("_columns")+" VALUES ($1, $2, $3, $4, $5)", a.collection, c.Property, c.Name, int16(c.Type), place); err != nil {
			return err
		}
		place++
	}
	d.tables[a.collection] = t
	return nil
}

// maxColumns is how many columns a table has at most: PostgreSQL's limit is 1,600, and less
// for wide types. A row with more properties is odd.
const maxColumns = 1000

// table returns a collection's table, ready for use in SQL.
func (e *Engine) table(t *relational.Table) string { return e.schema + "." + relational.Quote(t.Name) }

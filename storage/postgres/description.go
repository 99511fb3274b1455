package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/storage/relational"
)

// Version is the layout that this program reads and writes.
const Version = 1

// minServer is the oldest server that is good for it, as server_version_num.
const minServer = 150000

// prepare makes an empty database ready, and refuses one that is not for this program.
func (e *Engine) prepare(ctx context.Context) error {
	err := e.alter(ctx, func(ctx context.Context, tx relational.Transaction) error {
		return e.prepareLocked(ctx, tx.(transaction))
	})
	if err != nil {
		return err
	}
	return e.reload(ctx)
}

func (e *Engine) prepareLocked(ctx context.Context, tx transaction) error {
	var encoding string
	var server int
	err := tx.Tx.QueryRow(ctx, "SELECT current_setting('server_encoding'), current_setting('server_version_num')::int").Scan(&encoding, &server)
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
	err = tx.Tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE c.relname = '_ankurah') > 0
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`, e.reader.Schema).Scan(&relations, &ours)
	switch {
	case err != nil:
		return err
	case relations == 0:
		return e.create(ctx, tx)
	case !ours:
		return fmt.Errorf("%w: its schema %s holds tables of something else; name another with ?schema=", ErrForeign, e.reader.Schema)
	}
	var layout int
	if err := tx.Tx.QueryRow(ctx, "SELECT layout FROM "+e.own("_ankurah")).Scan(&layout); err != nil {
		return err
	}
	if layout > Version {
		return fmt.Errorf("%w: its layout is version %d, and this program reads up to %d", ErrNewer, layout, Version)
	}
	return nil
}

// create makes the engine's own tables.
func (e *Engine) create(ctx context.Context, tx transaction) error {
	statements := strings.NewReplacer("%s", e.reader.Schema, "text", `text COLLATE "C"`).Replace(`
CREATE SCHEMA IF NOT EXISTS %s;
CREATE TABLE %s._ankurah (layout int NOT NULL, description bigint NOT NULL);
CREATE TABLE %s._tables (collection text PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE %s._columns (collection text NOT NULL REFERENCES %s._tables, property text NOT NULL, name text NOT NULL, type smallint NOT NULL,
	place int NOT NULL, PRIMARY KEY (collection, property), UNIQUE (collection, name));
CREATE TABLE %s._indexes (collection text NOT NULL, columns text NOT NULL, name text NOT NULL UNIQUE, definition text NOT NULL, declared boolean NOT NULL, expects_one boolean NOT NULL,
	state text NOT NULL, used bigint NOT NULL, PRIMARY KEY (collection, columns));
CREATE TABLE %s._records (id text PRIMARY KEY, collection text NOT NULL, head text NOT NULL, record bytea NOT NULL);
CREATE TABLE %s._events (id text PRIMARY KEY, entity text NOT NULL, event bytea NOT NULL);
CREATE INDEX _events_of_entity ON %s._events (entity, id);
CREATE TABLE %s._feed (feed text, seq numeric(20), entry bytea NOT NULL, PRIMARY KEY (feed, seq));
CREATE TABLE %s._leases (name text PRIMARY KEY, generation bigint NOT NULL);
CREATE TABLE %s._outbox (seq numeric(20) PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE %s._meta (key bytea PRIMARY KEY, value bytea NOT NULL);
`) + strings.ReplaceAll(`
CREATE FUNCTION %s._demand(met boolean, code text, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF met IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = what; END IF;
END $$;
CREATE FUNCTION %s._fence(whose text, since bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(hashtextextended('ankurah-fence:%s:' || whose, 0));
	PERFORM %s._demand((SELECT generation FROM %s._leases WHERE name = whose) = since, 'AN003', 'another process has the lease');
END $$;
COMMENT ON SCHEMA %s IS 'Written by Ankurah. Read the tables as you like; what is changed here by others is not seen, and is overwritten.';
`, "%s", e.reader.Schema)
	if _, err := tx.Tx.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	_, err := tx.Tx.Exec(ctx, "INSERT INTO "+e.own("_ankurah")+" VALUES ($1, 1)", Version)
	return err
}

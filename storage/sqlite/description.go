package sqlite

import (
	"context"
	"fmt"
)

// Version is the layout that this program reads and writes, kept as the file's user version.
const Version = 1

// applicationID is the file's application id, "Anku" in ASCII.
const applicationID = 0x416e6b75

const ownTables = `
CREATE TABLE _ankurah (description INTEGER NOT NULL);
INSERT INTO _ankurah VALUES (1);
CREATE TABLE _tables (collection TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE _columns (collection TEXT NOT NULL REFERENCES _tables, property TEXT NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, place INTEGER NOT NULL,
	PRIMARY KEY (collection, property)) WITHOUT ROWID;
CREATE TABLE _indexes (collection TEXT NOT NULL, columns TEXT NOT NULL, name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL, declared BOOLEAN NOT NULL,
	expects_one BOOLEAN NOT NULL, state TEXT NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (collection, columns)) WITHOUT ROWID;
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
	d, err := e.reader.Describe(ctx, connection{tx})
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	e.described.Store(d)
	return nil
}

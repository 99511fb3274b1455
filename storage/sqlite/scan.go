package sqlite

import (
	"context"
	"database/sql"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
)

// Scan implements storage.Engine.
func (e *Engine) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	for {
		page, current, err := e.scan(ctx, e.described.Load(), collection, s, after, storage.PageSize(limit))
		if err != nil || current {
			return page, err
		}
		if err := e.reload(ctx); err != nil {
			return nil, err
		}
	}
}

var layout = relational.Layout{Dialect: relational.SQLite, Records: "_records", Version: "SELECT description FROM _ankurah"}

// scan reads a page as a description has it; current says whether it is still true.
func (e *Engine) scan(ctx context.Context, d *description, collection string, s *ankql.Selection, after []byte, limit int) (page *storage.Page, current bool, err error) {
	t := d.tables[collection]
	if t == nil {
		err := e.query(ctx, layout.Version, nil, func(rows *sql.Rows) error {
			var version int64
			err := rows.Scan(&version)
			current = version == d.version
			return err
		})
		return &storage.Page{}, current, err
	}
	scan := layout.Scan(t, relational.Quote(t.Name), s, after, limit)
	pager := relational.NewPager(scan, s, after, limit)
	err = e.query(ctx, scan.SQL, scan.Args, func(rows *sql.Rows) error {
		var part relational.Part
		var version sql.NullInt64
		var data []byte
		if err := rows.Scan(&part, &version, &data); err != nil {
			return err
		}
		if part == relational.Version {
			current = version.Int64 == d.version
			return nil
		}
		rec, err := proto.DecodeRecord(data)
		if err != nil {
			return relational.Corrupt("a record of "+collection, err)
		}
		pager.Add(part, rec)
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return pager.Page(), current, nil
}

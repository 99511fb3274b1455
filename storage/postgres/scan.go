package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

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
	page, _, err := e.scanAsDescribed(ctx, collection, s, after, storage.PageSize(limit))
	return page, err
}

// scanAsDescribed reads a page, as often as it takes for the description to be true meanwhile.
// rows is how many came from the server for it.
func (e *Engine) scanAsDescribed(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (page *storage.Page, rows int, err error) {
	for {
		d := e.described.Load()
		page, rows, current, err := e.scan(ctx, d, collection, s, after, limit)
		if err != nil {
			return nil, 0, err
		}
		if current {
			return page, rows, nil
		}
		if err := e.reload(ctx); err != nil {
			return nil, 0, err
		}
	}
}

func (e *Engine) layout() relational.Layout {
	return relational.Layout{Dialect: relational.Postgres, Records: e.own("_records"), Version: "SELECT description FROM " + e.own("_ankurah")}
}

// scan reads a page as a description has it; current says whether it is still true.
func (e *Engine) scan(ctx context.Context, d *description, collection string, s *ankql.Selection, after []byte, limit int) (page *storage.Page, read int, current bool, err error) {
	t := d.tables[collection]
	if t == nil {
		current, err := e.isCurrent(ctx, d)
		return &storage.Page{}, 0, current, err
	}
	scan := e.layout().Scan(t, e.table(t), s, after, limit)
	var pager *relational.Pager
	start := func() { pager, read = relational.NewPager(scan, s, after, limit), 0 }
	// Planned each time for the values at hand: a plan for any values would not know whether
	// few rows match, or all.
	err = e.query(ctx, scan.SQL, append([]any{pgx.QueryExecModeExec}, scan.Args...), start, func(rows pgx.Rows) error {
		var part relational.Part
		var version *int64
		var data []byte
		if err := rows.Scan(&part, &version, &data); err != nil {
			return err
		}
		if part == relational.Version {
			current = *version == d.version
			return nil
		}
		rec, err := proto.DecodeRecord(data)
		if err != nil {
			return relational.Corrupt("a record of "+collection, err)
		}
		pager.Add(part, rec)
		read++
		return nil
	})
	if err != nil {
		return nil, 0, false, err
	}
	page = pager.Page()
	e.indexer.consider(d, collection, s, len(page.Records))
	return page, read, current, nil
}

// isCurrent says whether a description is still true.
func (e *Engine) isCurrent(ctx context.Context, d *description) (current bool, err error) {
	err = e.query(ctx, "SELECT description FROM "+e.own("_ankurah"), nil, func() {}, func(rows pgx.Rows) error {
		var version int64
		err := rows.Scan(&version)
		current = version == d.version
		return err
	})
	return current, err
}

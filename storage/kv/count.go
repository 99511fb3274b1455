package kv

import (
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Count implements storage.Counter. Rows are looked at where they lie, in order of their
// ids whatever way leads to them, and none is decoded.
func (e *Engine) Count(ctx context.Context, collection string, where ankql.Expr, after []byte, limit int) (*storage.CountPage, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	sc := scan{ctx: ctx, collection: collection, selection: &ankql.Selection{Where: where, Limit: ankql.NoLimit},
		after: after, limit: max(limit, 1), budget: max(limit, 1), maxBytes: e.options.ScanBytes}
	var page *storage.CountPage
	read := func(r Reader) error {
		a, _, err := e.access(r, &sc)
		if err == nil {
			page, err = sc.count(a)
		}
		return err
	}
	if err := view(ctx, e.store, read); err != nil {
		return nil, err
	}
	return page, nil
}

// count counts the matching rows of a page.
func (sc *scan) count(a *access) (*storage.CountPage, error) {
	page := &storage.CountPage{}
	full := false
	visit := func(entity id.EntityID, row []byte) bool {
		if full = sc.spent(); full || !sc.look(entity, row) {
			return false
		}
		if sc.key = entity.AppendTo(sc.key[:0]); !sc.behind() {
			return true
		}
		sc.pass(row)
		if sc.matches() {
			page.Count++
		}
		sc.err = sc.row.err()
		return sc.err == nil
	}
	var err error
	if page.Next, err = sc.through(a, visit, &full); err != nil {
		return nil, err
	}
	page.More = page.Next != nil
	return page, nil
}

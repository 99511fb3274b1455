package kv

import (
	"bytes"
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
)

// Scan implements storage.Engine.
func (e *Engine) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	sc := scan{ctx: ctx, collection: collection, selection: s, after: after, limit: storage.PageSize(limit), budget: e.options.ScanRows}
	a := chooseAccess(collection, s, after)
	if a.inOrder {
		return sc.first(e.store, &a)
	}
	return sc.least(e.store, &a)
}

// scan is one Scan in progress. Rows are looked at where they lie, one at a time.
type scan struct {
	ctx        context.Context
	collection string
	selection  *ankql.Selection
	after      []byte
	limit      int
	budget     int // rows examined at most, where the scan can stop and go on

	row      rowView // the row that is looked at
	key      []byte  // its sort key
	examined int
	err      error
}

// cancelEvery is after how many rows a scan looks whether it is still wanted.
const cancelEvery = 1024

// look turns sc.row and sc.key to a row; it returns false when the scan has failed.
func (sc *scan) look(key, row []byte) bool {
	if sc.examined++; sc.examined%cancelEvery == 0 {
		if sc.err = sc.ctx.Err(); sc.err != nil {
			return false
		}
	}
	entity := recordEntity(key)
	if sc.err = sc.row.reset(entity, row); sc.err != nil {
		return false
	}
	return true
}

// matches holds the row against the selection, whatever way led to it.
func (sc *scan) matches() bool {
	return !sc.row.state.Deleted() && sc.selection.Matches(&sc.row)
}

// first collects matching rows that come in the selection's order, until the page is
// full or enough rows were examined.
func (sc *scan) first(store Store, a *access) (*storage.Page, error) {
	page := &storage.Page{}
	full := false
	visit := func(key, row []byte) bool {
		if full = len(page.Records) == sc.limit || sc.examined == sc.budget; full {
			return false
		}
		if !sc.look(key, row) {
			return false
		}
		sc.key = sc.selection.AppendSortKey(sc.key[:0], &sc.row, sc.row.entity)
		if sc.matches() {
			rec, err := decodeRow(sc.collection, sc.row.entity, row)
			if sc.err = err; err != nil {
				return false
			}
			page.Records = append(page.Records, rec)
		}
		sc.err = sc.row.err()
		return sc.err == nil
	}
	more, err := a.visit(sc.ctx, store, sc.readAhead(), visit)
	if err == nil {
		err = sc.err
	}
	if err != nil {
		return nil, err
	}
	if page.More = full || more; page.More {
		page.Next = sc.key
	}
	return page, nil
}

// readAhead is how many rows a store that cannot visit is asked for at once: enough
// for the page when every row matches, and then some.
func (sc *scan) readAhead() int {
	if sc.selection.Where == ankql.True {
		return min(sc.limit+1, sc.budget)
	}
	return min(max(4*sc.limit, 256), sc.budget)
}

// least collects, of all matching rows behind the page's beginning, those that the
// selection's order puts first.
func (sc *scan) least(store Store, a *access) (*storage.Page, error) {
	w := window{limit: sc.limit}
	visit := func(key, row []byte) bool {
		if !sc.look(key, row) {
			return false
		}
		if sc.matches() {
			sc.key = sc.selection.AppendSortKey(sc.key[:0], &sc.row, sc.row.entity)
			if sc.after == nil || bytes.Compare(sc.key, sc.after) > 0 {
				w.offer(sc.key, sc.row.entity, row)
			}
		}
		sc.err = sc.row.err()
		return sc.err == nil
	}
	_, err := a.visit(sc.ctx, store, 0, visit)
	if err == nil {
		err = sc.err
	}
	if err != nil {
		return nil, err
	}
	return w.page(sc.collection)
}

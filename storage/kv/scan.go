package kv

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// Scan implements storage.Engine.
func (e *Engine) Scan(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer e.gate.Leave()
	return e.scan(ctx, e.store, collection, s, after, limit, nil)
}

// scan answers a Scan and reports on it, unless report is nil.
func (e *Engine) scan(ctx context.Context, from source, collection string, s *ankql.Selection, after []byte, limit int, report func(*scan, *access)) (*storage.Page, error) {
	sc := scan{ctx: ctx, collection: collection, selection: s, after: after, limit: storage.PageSize(limit),
		budget: e.options.ScanRows, maxBytes: e.options.ScanBytes}
	var page *storage.Page
	var known *catalogue
	read := func(r Reader) error {
		a, c, err := e.access(r, &sc)
		if err != nil {
			return err
		}
		known = c
		if a.inOrder() {
			page, err = sc.first(a)
		} else {
			page, err = sc.least(a)
		}
		if err == nil && report != nil {
			report(&sc, a)
		}
		return err
	}
	if err := view(ctx, from, read); err != nil {
		return nil, err
	}
	if known != nil {
		e.suggest(known, &sc, len(page.Records))
	}
	return page, nil
}

// access decides how a selection is read. What is read of the catalogue is of the same
// moment as everything else (K5).
func (e *Engine) access(r Reader, sc *scan) (*access, *catalogue, error) {
	a := &access{reader: r, collection: sc.collection, after: sc.after, expect: sc.readAhead()}
	plain, isPlain := r.(*plainReader)
	if isPlain {
		a.plan = plan.Choose(sc.selection, nil, plan.Statistics{Want: sc.limit}).Hull(sc.selection)
		if _, ok := a.plan.After(sc.after); !a.inOrder() || sc.after != nil && !ok {
			a.expect = 0 // the first row of the page may be the last one read
		}
		a.plain = plain
		return a, nil, nil
	}
	values, err := r.Get([][]byte{catalogueKey(sc.collection)})
	if err != nil {
		return nil, nil, err
	}
	c, err := e.learn(sc.collection, values[0])
	if err != nil {
		return nil, nil, err
	}
	indexes := c.usable
	if e.options.Planner == Never {
		indexes = nil
	}
	count := counter{reader: r, catalogue: c}
	a.plan = plan.Choose(sc.selection, indexes, plan.Statistics{
		Rows: e.usage.rows(sc.collection), Want: sc.limit, Count: count.count, Walk: e.options.Planner == Always,
	})
	if count.err != nil {
		return nil, nil, count.err
	}
	if a.plan.Residual == ankql.True {
		a.expect = min(sc.limit+1, sc.budget)
	}
	walks := a.plan.Parts
	if a.plan.Method == plan.Walk {
		walks = []*plan.Plan{a.plan}
	}
	for _, walk := range walks {
		a.index = c.of(walk)
		a.parts = append(a.parts, part{walk, a.index})
		if e.usage.note(sc.collection, a.index.number) {
			e.indexer.want(sc.collection)
		}
	}
	return a, c, nil
}

// counter counts the entries in ranges of an index, up to a bound: a small part of what
// it takes to read as many rows.
type counter struct {
	reader    Reader
	catalogue *catalogue
	err       error
}

const maxCount = 512

func (n *counter) count(ix *plan.Index, ranges []plan.Range) (entries int, all bool) {
	prefix := n.catalogue.of(&plan.Plan{Index: ix}).prefix
	for _, r := range ranges {
		err := n.reader.Visit(within(prefix).clipped(prefix, r), maxCount-entries, func(_, _ []byte) bool {
			entries++
			return entries < maxCount
		})
		if err != nil {
			n.err = err
			return 0, true
		}
		if entries >= maxCount {
			return entries, false
		}
	}
	return entries, true
}

// scan is one Scan in progress. Rows are looked at where they lie, one at a time.
type scan struct {
	ctx        context.Context
	collection string
	selection  *ankql.Selection
	after      []byte
	limit      int
	budget     int // rows examined at most, where the scan can stop and go on
	maxBytes   int // of these, likewise

	row      rowView // the row that is looked at
	key      []byte  // its sort key
	examined int
	matching int // of these
	passed   int // of those examined: which are behind the page's beginning
	bytes    int // of those passed
	unasked  int // bytes examined since it was last asked whether the scan is still wanted
	err      error
}

// A scan asks whether it is still wanted after so many rows, or bytes of them: a selection may
// take milliseconds for a large one.
const (
	cancelEvery      = 1024
	cancelEveryBytes = 256 << 10
)

// pass counts a row that is behind the page's beginning.
func (sc *scan) pass(row []byte) {
	sc.passed++
	sc.bytes += len(row)
}

// spent reports whether the page has examined what it may.
func (sc *scan) spent() bool { return sc.passed >= sc.budget || sc.bytes >= sc.maxBytes }

// look turns sc.row to a row; it returns false when the scan has failed.
func (sc *scan) look(entity id.EntityID, row []byte) bool {
	sc.unasked += len(row)
	if sc.examined++; sc.examined%cancelEvery == 0 || sc.unasked >= cancelEveryBytes {
		sc.unasked = 0
		if sc.err = sc.ctx.Err(); sc.err != nil {
			return false
		}
	}
	sc.err = sc.row.reset(entity, row)
	return sc.err == nil
}

// matches holds the row against the selection, whatever way led to it.
func (sc *scan) matches() bool {
	if sc.row.state.Deleted() || !sc.selection.Matches(&sc.row) {
		return false
	}
	sc.matching++
	return true
}

// behind reports whether the row, whose key is in sc.key, follows the page's beginning.
func (sc *scan) behind() bool { return sc.after == nil || bytes.Compare(sc.key, sc.after) > 0 }

// first collects matching rows that come in the selection's order, until the page is
// full or enough rows were examined.
func (sc *scan) first(a *access) (*storage.Page, error) {
	page := &storage.Page{}
	full, taken := false, 0
	visit := func(entity id.EntityID, row []byte) bool {
		if full = len(page.Records) == sc.limit || sc.spent() || taken >= storage.MaxPageBytes; full {
			return false
		}
		if !sc.look(entity, row) {
			return false
		}
		sc.key = a.plan.AppendPlace(sc.key[:0], &sc.row, entity)
		if !sc.behind() {
			return true
		}
		sc.pass(row)
		if sc.matches() {
			rec, err := decodeRow(sc.collection, entity, row)
			if sc.err = err; err != nil {
				return false
			}
			page.Records = append(page.Records, rec)
			taken += len(sc.key) + len(row)
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

// through visits the rows of a until there are no more, or the page is full, and returns
// where the next page goes on; nil if there is none.
func (sc *scan) through(a *access, visit func(id.EntityID, []byte) bool, full *bool) (next []byte, err error) {
	if err = a.rows(visit); err == nil {
		err = sc.err
	}
	switch {
	case err != nil:
		return nil, err
	case !*full && !a.left():
		return nil, nil
	case sc.key == nil:
		return nil, fmt.Errorf("%w: entries of %s without rows", storage.ErrCorrupt, sc.collection)
	}
	return sc.key, nil
}

// readAhead is how many rows are read at once: enough for the page when every row
// matches, and then some.
func (sc *scan) readAhead() int {
	if sc.selection.Where == ankql.True {
		return min(sc.limit+1, sc.budget)
	}
	return min(max(4*sc.limit, 256), sc.budget)
}

// least collects, of all matching rows behind the page's beginning, those that the
// selection's order puts first.
func (sc *scan) least(a *access) (*storage.Page, error) {
	w := window{limit: sc.limit}
	visit := func(entity id.EntityID, row []byte) bool {
		if !sc.look(entity, row) {
			return false
		}
		if sc.matches() {
			sc.key = sc.selection.AppendSortKey(sc.key[:0], &sc.row, entity)
			if sc.behind() {
				w.offer(sc.key, entity, row)
			}
		}
		sc.err = sc.row.err()
		return sc.err == nil
	}
	err := a.rows(visit)
	if err == nil {
		err = sc.err
	}
	if err != nil {
		return nil, err
	}
	return w.page(sc.collection)
}

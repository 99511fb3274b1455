package core

import (
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// passage is what became of a row while the page was read that it may be on: as it was, and
// as it is; nil where it does not count.
type passage struct{ before, after *proto.Record }

// surviving keeps a defect of the policy agent, which judges rows, to the reading.
func surviving(read func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = recovered("judging a row", cause)
		}
	}()
	return read()
}

// readPages reads the rows of this node, page by page, in a goroutine of its own. Each
// page is read as of a moment that the loop began, and entered by the loop together with
// what was published since. Rows behind it are of no concern until their page is read.
func (t *tabulation) readPages(ctx context.Context, generation int) error {
	if d := t.node.durable; d != nil {
		ctx = d.inTurns(ctx)
	}
	rows := *t.rows
	rows.sizes = &pager{}
	var snap *snapshot
	begin := func() {
		t.meanwhile = make(map[id.EntityID]*passage)
		snap = t.node.open.begin(t.node.limits.SnapshotRecords)
	}
	err := t.node.loop.call(ctx, func() {
		if t.present(generation) {
			begin()
		}
	})
	for err == nil && snap != nil {
		page, failed := t.page(&rows, snap.at(ctx, t.node))
		t.node.open.end(snap)
		snap = nil
		if failed != nil {
			return failed
		}
		err = t.node.loop.call(ctx, func() {
			if !t.present(generation) {
				return
			}
			if failed = t.enter(page); failed != nil {
				return
			}
			t.measure()
			if t.edge = page.edge; t.edge != nil {
				begin()
				return
			}
			t.filling, t.meanwhile = false, nil
			t.filled()
		})
		if failed != nil {
			return failed
		}
	}
	if snap != nil {
		t.node.open.end(snap)
	}
	return err
}

// tablePage is a part of the rows, in the order of their ids.
type tablePage struct {
	rows  []*proto.Record
	count int64  // of rows that nobody looked at
	edge  []byte // the id of the last; nil if there are no more
}

// page reads some rows behind the edge, in a goroutine of its own.
func (t *tabulation) page(reading *reading, at *moment) (*tablePage, error) {
	if page, err := t.count(at); page != nil || err != nil {
		return page, err
	}
	from := reading.resolver(at)
	rows, more, err := reading.present(at, from, t.edge, reading.sizes.next(-1))
	if err == nil {
		err = at.err
	}
	if err != nil {
		return nil, err
	}
	page := &tablePage{}
	if more {
		page.edge = rows[len(rows)-1].Entity.AppendTo(nil)
	}
	changed := at.changed()
	if at.past.overfull() {
		return nil, at.past.tooOld()
	}
	if len(changed) > 0 {
		rows = reading.replaced(rows, changed, from, t.edge)
		rows = slices.DeleteFunc(rows, func(r *proto.Record) bool { return behind(r.Entity, page.edge) })
	}
	page.rows = rows
	return page, at.err
}

// countAtOnce is about how many rows are counted in one call, where nobody has to look at
// them.
const countAtOnce = 1 << 16

// count counts rows behind the edge without reading them, where nothing else is asked. It
// returns nil where that cannot be: the engine counts what is there now, which is what was
// there at the moment only if none of the rows has changed.
func (t *tabulation) count(at *moment) (*tablePage, error) {
	engine, ok := t.node.engine.(storage.Counter)
	if !ok || !aggregate.CountsOnly(t.of) || t.rows.unkept() || !t.rows.seesAll() {
		return nil, nil
	}
	var counted *storage.CountPage
	err := t.node.inTurn(at.ctx, func() (err error) {
		counted, err = engine.Count(at.ctx, t.collection, t.of.Where, t.edge, countAtOnce)
		return err
	})
	if err != nil {
		return nil, err
	}
	for e := range at.changed() {
		if (t.edge == nil || behind(e, t.edge)) && !behind(e, counted.Next) {
			return nil, nil
		}
	}
	return &tablePage{count: counted.Count, edge: counted.Next}, nil
}

// enter takes in a page as of the moment it was read at, and what happened to its rows
// since.
func (t *tabulation) enter(p *tablePage) error {
	t.table.AddCount(p.count)
	for _, row := range p.rows {
		if err := t.table.Add(row, row.Entity); err != nil {
			return err
		}
	}
	for e, pass := range t.meanwhile {
		if !behind(e, p.edge) {
			if err := t.pass(e, pass); err != nil {
				return err
			}
		}
	}
	return nil
}

// behind reports whether an entity comes behind an edge; nothing comes behind none.
func behind(e id.EntityID, edge []byte) bool {
	return edge != nil && string(e.AppendTo(nil)) > string(edge)
}

func (t *tabulation) pass(e id.EntityID, p *passage) error {
	if p.before != nil {
		if err := t.table.Remove(p.before, e); err != nil {
			return err
		}
	}
	if p.after != nil {
		return t.table.Add(p.after, e)
	}
	return nil
}

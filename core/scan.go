package core

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// scan returns up to limit rows (a negative one is none) of those that sort after the given
// key, in order, and whether there may be more.
func (r *reading) scan(at *moment, after []byte, limit int) (rows []*proto.Record, more bool, err error) {
	from := r.resolver(at)
	changed := at.changed()
	for again := at.counted(); ; again() {
		spare := len(changed)
		wide := limit
		if limit >= 0 {
			wide += spare
		}
		rows, more, err = r.present(at, from, after, wide)
		if err == nil {
			err = at.err
		}
		if err != nil {
			return nil, false, err
		}
		changed = at.changed()
		if at.past.overfull() {
			return nil, false, at.past.tooOld()
		}
		if limit < 0 || len(changed) <= spare {
			break
		} // else more has changed meanwhile than there is room for
	}
	if len(changed) > 0 {
		rows = r.replaced(rows, changed, from, after)
	}
	if limit >= 0 && len(rows) > limit {
		return rows[:limit], true, at.err
	}
	return rows, more, at.err
}

// changed returns the records of the moment that are not those of the present.
func (m *moment) changed() map[id.EntityID]*proto.Record {
	if m.past == nil {
		return m.own
	}
	m.past.mu.Lock()
	defer m.past.mu.Unlock()
	if len(m.past.old) == 0 {
		return m.own
	}
	list := make(map[id.EntityID]*proto.Record, len(m.past.old)+len(m.own))
	for e, r := range m.past.old {
		list[e] = r
	}
	for e, r := range m.own {
		list[e] = r
	}
	return list
}

// replaced returns the rows with those of changed entities as they were at the moment.
func (r *reading) replaced(rows []*proto.Record, changed map[id.EntityID]*proto.Record, from ankql.Resolver, after []byte) []*proto.Record {
	kept := make([]keyedRow, 0, len(rows))
	put := func(row *proto.Record) {
		key := r.sel.AppendSortKeyWith(nil, row, row.Entity, from)
		if bytes.Compare(key, after) > 0 {
			kept = append(kept, keyedRow{key, row})
		}
	}
	for _, row := range rows {
		if _, other := changed[row.Entity]; !other {
			put(row)
		}
	}
	for _, row := range changed {
		if row = visible(row); row != nil && row.Collection == r.collection && r.matches(row, from) {
			put(row)
		}
	}
	sortKeyed(kept)
	return rowsOf(kept)
}

// keyedRow is a record with its sort key.
type keyedRow struct {
	key []byte
	row *proto.Record
}

func sortKeyed(list []keyedRow) {
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i].key, list[j].key) < 0 })
}

func rowsOf(list []keyedRow) []*proto.Record {
	rows := make([]*proto.Record, len(list))
	for i := range list {
		rows[i] = list[i].row
	}
	return rows
}

// present is scan over what the node shows now. What it follows is found by from, though,
// and is as it was at the moment.
func (r *reading) present(at *moment, from ankql.Resolver, after []byte, limit int) ([]*proto.Record, bool, error) {
	where, err := r.local(at)
	if err != nil {
		return nil, false, err
	}
	s := &ankql.Selection{Where: where, Limit: ankql.NoLimit}
	if limit >= 0 && !slices.ContainsFunc(r.sel.Order, unkeptOrder) {
		s.Order = r.sel.Order
		return r.inOrder(at, from, s, after, limit)
	}
	return r.sorted(at, from, s, after, limit)
}

// unkeptOrder reports whether no engine can order by a key.
func unkeptOrder(o ankql.Order) bool { return o.FollowsReferences() || o.Path[0] == schema.Sync }

// inOrder reads rows in an order that the engine knows, until there are enough.
func (r *reading) inOrder(at *moment, from ankql.Resolver, s *ankql.Selection, after []byte, limit int) (rows []*proto.Record, more bool, err error) {
	sizes := r.sizes
	if sizes == nil {
		sizes = &pager{}
	}
	for len(rows) < limit {
		page, err := r.node.page(at.ctx, at.from, r.collection, s, after, sizes.next(limit-len(rows)))
		if err != nil {
			return nil, false, err
		}
		sizes.read(page.Records)
		matching := r.matching(at, from, page.Records)
		if err := at.keep(matching); err != nil {
			return nil, false, err
		}
		rows = append(rows, matching...)
		if len(rows) > limit {
			return rows[:limit], true, nil
		}
		if !page.More {
			return rows, false, nil
		}
		after = page.Next
	}
	return rows, true, nil
}

// sorted reads all rows, by entity id, which every engine does at the cost of the answer,
// and keeps the first ones of the order.
func (r *reading) sorted(at *moment, from ankql.Resolver, s *ankql.Selection, after []byte, limit int) ([]*proto.Record, bool, error) {
	var list []keyedRow
	more := false
	var next []byte
	var sizes pager
	for {
		page, err := r.node.page(at.ctx, at.from, r.collection, s, next, sizes.next(-1))
		if err != nil {
			return nil, false, err
		}
		sizes.read(page.Records)
		matching := r.matching(at, from, page.Records)
		if err := at.keep(matching); err != nil {
			return nil, false, err
		}
		for _, row := range matching {
			key := r.sel.AppendSortKeyWith(nil, row, row.Entity, from)
			if bytes.Compare(key, after) > 0 {
				list = append(list, keyedRow{key, row})
			}
		}
		if limit >= 0 && len(list) > limit+storage.MaxPage {
			sortKeyed(list)
			at.leave(list[limit:])
			clear(list[limit:])
			list, more = list[:limit], true
		}
		if !page.More {
			break
		}
		next = page.Next
	}
	sortKeyed(list)
	if limit >= 0 && len(list) > limit {
		list, more = list[:limit], true
	}
	return rowsOf(list), more, nil
}

// pages calls visit with all rows, some at a time, in order of entity ids.
func (r *reading) pages(at *moment, visit func(rows []*proto.Record)) error {
	return r.eachPage(at, func(rows []*proto.Record) error { visit(rows); return nil })
}

// each calls f with every row, in order of entity ids.
func (r *reading) each(at *moment, f func(*proto.Record) error) error {
	return r.eachPage(at, func(rows []*proto.Record) error {
		for _, row := range rows {
			if err := f(row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *reading) eachPage(at *moment, visit func(rows []*proto.Record) error) error {
	unordered := *r
	unordered.sel = &ankql.Selection{Where: r.sel.Where, Limit: ankql.NoLimit}
	var after []byte
	unordered.sizes = &pager{}
	for {
		rows, more, err := unordered.scan(at, after, unordered.sizes.next(-1))
		if err != nil {
			return err
		}
		if err := visit(rows); err != nil {
			return err
		}
		if !more || len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].Entity.AppendTo(nil)
	}
}

// matching returns the rows of a page that the selection is true of and the principal sees.
func (r *reading) matching(at *moment, from ankql.Resolver, page []*proto.Record) []*proto.Record {
	if r.follows() {
		at.follow(page, r.trails)
	}
	kept := page[:0]
	for _, row := range page {
		if (!r.unkept() || r.sel.MatchesWith(row, from)) && r.permits(row) {
			kept = append(kept, row)
		}
	}
	return kept
}

// maxTargets is up to how many referenced entities are looked for first.
const maxTargets = 256

// local returns what the engine can say of the selection: the part that follows no
// references, and where few entities can stand behind one, which these are; and the part that
// does not ask for the rows' Sync, and where few are of a state, which these are.
func (r *reading) local(at *moment) (ankql.Expr, error) {
	if !r.unkept() {
		return r.sel.Where, nil
	}
	if where, known := at.local[r]; known {
		return where, nil
	}
	where, err := r.narrow(at)
	if err == nil {
		if at.local == nil {
			at.local = make(map[*reading]ankql.Expr)
		}
		at.local[r] = where
	}
	return where, err
}

func (r *reading) narrow(at *moment) (ankql.Expr, error) {
	where := ankql.AnySync(ankql.Local(r.sel.Where))
	if r.ownOnly() {
		if own, few := r.node.overlay.inState(maxTargets, proto.Pending, proto.Refused); few {
			return ankql.And(where, ankql.Naming(schema.ID, own)), nil
		}
	}
	if ids, _ := (&ankql.Selection{Where: where}).Entities(); ids != nil {
		return where, nil
	}
	var seen []string
	for _, t := range r.trails {
		if slices.Contains(seen, t.path[0]) {
			continue
		}
		seen = append(seen, t.path[0])
		targets, known, err := r.targets(at, t.path[0])
		if err != nil {
			return nil, err
		}
		if known {
			where = ankql.And(where, ankql.Naming(t.path[0], targets))
		}
	}
	return where, nil
}

// ownOnly reports whether the selection is true only of rows that are not synced, all of which
// this node knows.
func (r *reading) ownOnly() bool {
	return r.restated && ankql.WhereSync(r.sel.Where, schema.Synced) == ankql.False
}

// targets returns the entities that a row's reference can name if the row matches, where
// something is asked of them and they are few.
func (r *reading) targets(at *moment, reference string) (list []id.EntityID, known bool, err error) {
	collection, where := ankql.Behind(r.sel.Where, reference)
	if where == nil {
		return nil, false, nil
	}
	collection, _ = unmarked(collection)
	behind := r.node.reading(r.principal, collection, &ankql.Selection{Where: where, Limit: ankql.NoLimit})
	behind.unjudged = true
	rows, _, err := behind.scan(at, nil, maxTargets+1)
	if err != nil || len(rows) > maxTargets {
		return nil, false, err
	}
	for _, row := range rows {
		list = append(list, row.Entity)
	}
	return list, true, nil
}

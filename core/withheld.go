package core

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// Where references are followed, what the durable node tells of one entity can make others
// match here that no selection of this node's has kept in step. The durable node names each
// row that comes into a selection. One that it does not name is as it was some time ago, and
// would show less of a transaction than the rows beside it; so it is withheld from a live
// result until it has been asked for. A window would fill its place from storage; so there it is
// shown, and the window is not live until then (see verify). What this node does by itself shows at once.

// enters notes a row that comes because of something that it refers to.
func (r *result) enters(c *reactor.Change) {
	if _, held := r.set.Get(c.Entity); !held && c.Derived() && c.After.BaseRev > 0 && c.After.Base == nil {
		r.entered = append(r.entered, c.After)
	}
}

// withhold takes the rows out of the set again that came with a transaction and are not to be
// shown yet, and returns them.
func (r *result) withhold(t *reactor.Transaction) (rows []*proto.Record) {
	if len(r.entered) == 0 || !r.inStep() || r.upstreams[0].sel.Limit >= 0 {
		return nil
	}
	for _, row := range r.entered {
		if t.Named == nil && r.withheld[row.Entity] == 0 || t.Named[row.Entity] {
			continue
		}
		if _, matches := r.set.Get(row.Entity); matches {
			r.set.Remove(row.Entity, row.Rev)
			rows = append(rows, row)
		}
	}
	return rows
}

// inquire asks for rows that were withheld, and for what they refer to; then they are shown if
// they still match.
func (r *result) inquire(t *reactor.Transaction, rows []*proto.Record) {
	if r.withheld == nil {
		r.withheld = make(map[id.EntityID]int)
	}
	list := &wanted{}
	for _, row := range rows {
		r.withheld[row.Entity]++
		list.add(row.Collection, row.Entity)
	}
	r.doubted(t, rows, list)
	generation := r.generation
	r.node.replica.peer.askForAll(list.byCollection, func() { r.admit(rows, generation) })
}

// admit shows rows that were withheld, as they are by now; without a connection that is as they
// were.
func (r *result) admit(rows []*proto.Record, generation int) {
	entities := make([]id.EntityID, len(rows))
	for i, row := range rows {
		entities[i] = row.Entity
		if r.withheld[row.Entity]--; r.withheld[row.Entity] <= 0 {
			delete(r.withheld, row.Entity)
		}
	}
	if generation != r.generation || r.filling {
		return // it has been read again, or is
	}
	defer r.survive()
	r.node.shown.load(entities)
	r.set.Begin()
	for _, e := range entities {
		_, held := r.set.Get(e)
		if now := visible(r.node.shown.record(e)); now != nil && !held {
			r.apply(r.set, &reactor.Change{Collection: now.Collection, Entity: e, Rev: now.Rev, Before: now, After: now, Stored: now})
		}
	}
	r.end(nil)
}

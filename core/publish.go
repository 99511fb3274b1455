package core

import (
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// What is here runs on the loop.

// publish tells the reactor of a transaction. A watcher that panics is reported and does
// not harm the others' transactions.
func (n *Node) publish(t *reactor.Transaction) {
	n.publishAll([]*reactor.Transaction{t}, func(int) {})
}

// publishAll tells the reactor of transactions that were stored together, one after the
// other, and calls done after each. Storage has all of them already: while one is told of,
// what later ones change is shown as it was before them.
func (n *Node) publishAll(list []*reactor.Transaction, done func(i int)) {
	var later hidden
	if len(list) > 1 && n.reactor.Follows() {
		later.hide(list)
	}
	for i, t := range list {
		if len(t.Changes) > 0 {
			later.show(t)
			n.stepOn(later.records)
			n.tell(t)
		}
		done(i)
	}
	n.stepOn(nil)
}

// stepOn makes the loop forget what it knows of the moment before: now it shows what the
// node holds, except for these records.
func (n *Node) stepOn(except map[id.EntityID]*proto.Record) {
	n.shown = n.present(context.WithoutCancel(n.run.ctx))
	if n.view != nil {
		n.shown.from = n.view
	}
	if len(except) > 0 {
		n.shown.past = &snapshot{old: except}
	}
}

func (n *Node) tell(t *reactor.Transaction) {
	defer func() {
		if cause := recover(); cause != nil {
			n.opts.Listener.failed("publish", recovered("a watcher", cause))
		}
	}()
	n.world = nil
	if n.reactor.Follows() {
		n.world = newWorld(n.shown, t)
		t.World = n.world
	}
	n.aggregates.published(t)
	n.reactor.Publish(t)
}

// hidden is what transactions that are stored and not yet published change, as it was
// before them.
type hidden struct {
	records map[id.EntityID]*proto.Record
	left    map[id.EntityID]int // how many of the transactions change the entity
}

func (h *hidden) hide(list []*reactor.Transaction) {
	h.records, h.left = make(map[id.EntityID]*proto.Record), make(map[id.EntityID]int)
	for _, t := range list {
		for i := range t.Changes {
			c := &t.Changes[i]
			if h.left[c.Entity]++; h.left[c.Entity] == 1 {
				h.records[c.Entity] = c.Before
			}
		}
	}
}

func (h *hidden) show(t *reactor.Transaction) {
	if h.records == nil {
		return
	}
	for i := range t.Changes {
		c := &t.Changes[i]
		if h.left[c.Entity]--; h.left[c.Entity] > 0 {
			h.records[c.Entity] = c.Stored
		} else {
			delete(h.records, c.Entity)
		}
	}
}

// world implements reactor.World for one transaction.
type world struct {
	after   *moment
	before  earlier
	changes map[id.EntityID]*reactor.Change
}

func newWorld(shown *moment, t *reactor.Transaction) *world {
	w := &world{after: shown, before: earlier{after: shown, records: make(map[id.EntityID]*proto.Record, len(t.Changes))},
		changes: make(map[id.EntityID]*reactor.Change, len(t.Changes))}
	for i := range t.Changes {
		c := &t.Changes[i]
		w.before.records[c.Entity], w.changes[c.Entity] = c.Before, c
	}
	return w
}

func (w *world) Before() ankql.Resolver { return &w.before }
func (w *world) After() ankql.Resolver  { return w.after }
func (w *world) Err() error             { return w.after.err }

func (w *world) Ahead(rows []*proto.Record, paths [][]string) {
	trails := make([]trail, len(paths))
	for i, path := range paths {
		trails[i].path = path
	}
	w.after.follow(rows, trails)
}

func (w *world) Referring(collection, property string, e id.EntityID, visit func(rows []*proto.Record)) error {
	n := w.after.node
	for _, c := range n.collectionsOf(collection) {
		if model, ok := n.catalog.get(c); ok {
			if _, has := model.Property(property); !has {
				continue
			}
		}
		holders := n.reading(nobody, c, &ankql.Selection{Where: ankql.Naming(property, []id.EntityID{e}), Limit: ankql.NoLimit})
		holders.unjudged = true
		if err := holders.pages(w.after, visit); err != nil {
			w.after.fail(err)
			return err
		}
	}
	return nil
}

// earlier finds entities as they were before a transaction.
type earlier struct {
	after   *moment
	records map[id.EntityID]*proto.Record
}

// Resolve implements ankql.Resolver.
func (r *earlier) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	if before, ok := r.records[e]; ok {
		return found(before, collection)
	}
	return r.after.Resolve(collection, e)
}

package core

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// A selection that follows references is true of a row because of other entities, its
// support: those that the row refers to on the selection's trails. Whoever keeps the rows
// keeps their support too.

// referred is one entity of a row's support.
type referred struct {
	entity id.EntityID
	holder id.EntityID   // that refers to it
	target string        // the collection that the model says; may be ""
	record *proto.Record // deleted or not; nil where there is none
	hidden bool          // there is one, and the principal does not see it
}

// supporting calls visit with the support of a row, as it is at a moment for somebody's
// eyes; nil eyes see everything. What several trails lead to is named once for each.
func (r *reading) supporting(row *proto.Record, at records, sees *eyes, visit func(referred)) {
	for i := range r.support {
		t := &r.support[i]
		holder := row
		for step, property := range t.path {
			e, ok := holder.Field(property).AsID()
			if !ok {
				break
			}
			x := referred{entity: e, holder: holder.Entity, target: t.targets[step], record: at.record(e)}
			if x.record != nil && x.target != "" && x.record.Collection != x.target {
				break // it is something else, and counts as missing
			}
			x.hidden = x.record != nil && sees != nil && !sees.see(x.record)
			visit(x)
			if holder = visible(x.record); holder == nil || x.hidden {
				break
			}
		}
	}
}

// records finds records, deleted ones included.
type records interface {
	record(e id.EntityID) *proto.Record
}

// record implements records. Of an entity that was deleted before the transaction it knows
// nothing.
func (r *earlier) record(e id.EntityID) *proto.Record {
	if before, ok := r.records[e]; ok {
		return before
	}
	return r.after.record(e)
}

// supportOf returns the trails of what a selection's own fields read, without those of the
// agent's predicates.
func supportOf(r *reading) (trails []trail) {
	var reach []reactor.Reach
	for _, f := range r.sel.Fields() {
		if !f.FollowsReferences() {
			continue
		}
		if _, trusted := unmarked(f.Targets[0]); !trusted {
			reach = appendReach(reach, f, nil)
		}
	}
	for _, x := range reach {
		t := trail{path: x.Path, targets: x.Targets}
		covered := func(o trail) bool {
			return len(o.path) >= len(t.path) && slices.Equal(o.path[:len(t.path)], t.path) && slices.Equal(o.targets[:len(t.path)], t.targets)
		}
		if slices.ContainsFunc(trails, covered) {
			continue
		}
		trails = append(slices.DeleteFunc(trails, func(o trail) bool {
			return len(o.path) < len(t.path) && slices.Equal(t.path[:len(o.path)], o.path) && slices.Equal(t.targets[:len(o.path)], o.targets)
		}), t)
	}
	return trails
}

// What follows is how an ephemeral node holds support. It runs on the loop.

// wanted is entities to ask the durable node for, each once.
type wanted struct {
	byCollection map[string][]id.EntityID
	seen         map[id.EntityID]bool
}

func (w *wanted) empty() bool { return len(w.seen) == 0 }

func (w *wanted) add(collection string, e id.EntityID) {
	if w.seen == nil {
		w.byCollection, w.seen = make(map[string][]id.EntityID), make(map[id.EntityID]bool)
	}
	w.byCollection[collection] = append(w.byCollection[collection], e)
	w.seen[e] = true
}

// referred calls visit with the support of rows of a result, as it is shown.
func (r *replica) referred(res *result, rows []*proto.Record, visit func(row *proto.Record, x referred)) {
	reading := res.extent.reading
	if len(reading.support) == 0 {
		return
	}
	r.node.shown.follow(rows, reading.support)
	for _, row := range rows {
		reading.supporting(row, r.node.shown, nil, func(x referred) { visit(row, x) })
	}
}

// doubted adds what rows refer to that may be known here otherwise than to the durable node.
// That one tells of the support of the rows that it takes to be in the result. A row that it
// does not is here by what is known here: what it refers to is asked for when it comes, and
// when it or something on the way refers elsewhere.
func (r *result) doubted(t *reactor.Transaction, added []*proto.Record, list *wanted) {
	came := make(map[id.EntityID]bool, len(t.Changes))
	own := make(map[id.EntityID]bool, len(t.Changes))
	relinked := make(map[id.EntityID]bool)
	for i := range t.Changes {
		c := &t.Changes[i]
		own[c.Entity] = true
		if r.extent.reading.relinks(c) {
			relinked[c.Entity] = true
		}
	}
	rows := slices.Clone(added)
	for _, row := range added {
		came[row.Entity] = true
	}
	if len(relinked) > 0 {
		for _, e := range r.touched {
			if row, holds := r.set.Get(e); holds && !came[e] {
				rows = append(rows, row)
			}
		}
	}
	replica := r.node.replica
	replica.referred(r, rows, func(row *proto.Record, x referred) {
		if (came[row.Entity] || relinked[x.holder]) && !own[x.entity] && !t.Named[x.entity] {
			replica.want(list, x)
		}
	})
}

// relinks reports whether a change makes an entity refer to others on the selection's trails.
func (r *reading) relinks(c *reactor.Change) bool {
	if c.Before == nil || c.After == nil {
		return c.Before != c.After
	}
	for i := range r.support {
		for _, property := range r.support[i].path {
			if c.Before.Field(property) != c.After.Field(property) {
				return true
			}
		}
	}
	return false
}

// want adds an entity of a row's support. Where nobody says of which collection it is, it is
// asked for in all of them.
func (r *replica) want(list *wanted, x referred) {
	switch {
	case list.seen[x.entity] || x.record != nil && x.record.BaseRev == 0:
	case x.record != nil:
		list.add(x.record.Collection, x.entity)
	default:
		for _, collection := range r.node.collectionsOf(x.target) {
			if _, known := r.node.catalog.get(collection); known {
				list.add(collection, x.entity)
			}
		}
	}
}

// What follows is how a session sends support.

// eyes returns what the session's peer sees of a moment; nil if that is everything.
func (sub *subscription) eyes(at *moment) *eyes {
	if !sub.reading.restricted() {
		return nil
	}
	return sub.session.node.eyes(sub.session.principal, at)
}

// supportWriter adds the support of rows to an answer: each entity once, in frames of its
// own before the answer's end.
type supportWriter struct {
	sub   *subscription
	out   *rowWriter // of the answer
	at    *moment
	sees  *eyes
	known heldRows
	sent  map[id.EntityID]bool
	parts map[string]*rowWriter // by collection
}

func (sub *subscription) supportWriter(out *rowWriter, at *moment, known heldRows) *supportWriter {
	return &supportWriter{sub: sub, out: out, at: at, sees: sub.eyes(at), known: known,
		sent: make(map[id.EntityID]bool), parts: make(map[string]*rowWriter)}
}

// row adds what a row refers to.
func (w *supportWriter) row(r *proto.Record) (err error) {
	if len(w.sub.reading.support) == 0 {
		return nil
	}
	w.sent[r.Entity] = true
	w.sub.reading.supporting(r, w.at, w.sees, func(x referred) {
		if err != nil || x.record == nil || w.sent[x.entity] {
			return
		}
		w.sent[x.entity] = true
		_, known := w.known[x.entity]
		switch {
		case !x.hidden:
			err = w.part(x.record.Collection).row(x.record, w.known)
		case known:
			err = w.part(x.record.Collection).gone(x.entity)
		}
	})
	if err == nil {
		err = w.at.err
	}
	return err
}

func (w *supportWriter) part(collection string) *rowWriter {
	p := w.parts[collection]
	if p == nil {
		p = w.sub.writer(w.out.ctx)
		p.collection = collection
		w.parts[collection] = p
	}
	return p
}

// flush sends what is still to be sent.
func (w *supportWriter) flush() error {
	for _, p := range w.parts {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// tell notes, on the loop, a change of a row that the selection is or was true of; held says
// that the peer holds the row, and its support, as they were before.
func (sub *subscription) tell(c *reactor.Change, held bool) {
	f := &sub.session.feed
	switch {
	case !c.Derived(), !held:
		f.add(sub, c, held)
	case !sub.readableBy(c.After, sub.session.node.shown):
		f.add(sub, c, held) // the row did not change; that it may be seen did
	}
	if len(sub.reading.support) > 0 {
		sub.tellSupport(c, held)
	}
}

// tellSupport notes what the peer has to know of what a changed row refers to.
func (sub *subscription) tellSupport(c *reactor.Change, held bool) {
	f := &sub.session.feed
	w := sub.session.node.world
	had, told := make(map[id.EntityID]bool), make(map[id.EntityID]bool)
	if held && c.Before != nil {
		sub.reading.supporting(c.Before, &w.before, sub.eyesBefore(), func(x referred) {
			told[x.entity] = true
			if x.record != nil && !x.hidden {
				had[x.entity] = true
			}
		})
	}
	if c.After != nil {
		sub.reading.supporting(c.After, w.after, sub.eyes(w.after), func(x referred) {
			own := w.changes[x.entity]
			switch {
			case x.record == nil || x.hidden:
				if had[x.entity] || !told[x.entity] {
					sub.hide(x)
				}
			case own != nil:
				f.addReferred(sub, own, had[x.entity])
			case !had[x.entity]:
				f.state(x.record)
			}
			delete(had, x.entity)
		})
	}
	for e := range had {
		if own := w.changes[e]; own != nil {
			f.addReferred(sub, own, true)
		}
	}
}

func (sub *subscription) eyesBefore() *eyes {
	if !sub.reading.restricted() {
		return nil
	}
	return sub.session.node.eyes(sub.session.principal, &sub.session.node.world.before)
}

// addReferred notes a change of an entity that a row refers to.
func (f *sessionFeed) addReferred(sub *subscription, c *reactor.Change, held bool) {
	hidden := c.Stored == nil
	seen := c.Before != nil
	if sees := sub.eyes(sub.session.node.shown); sees != nil {
		hidden = hidden || !sees.see(c.Stored)
		seen = seen && sub.eyesBefore().see(c.Before)
	}
	f.note(c, held, hidden, seen)
}

// state notes that the peer may not hold an entity.
func (f *sessionFeed) state(r *proto.Record) {
	if f.changes[r.Entity] == nil {
		f.put(&pendingRow{change: &reactor.Change{Collection: r.Collection, Entity: r.Entity, Rev: r.Rev, After: r, Stored: r}, whole: true})
	}
}

// hide notes that there is nothing that the peer may see behind a reference: it may hold
// something that it saw once. Whether there is something it cannot tell. Of what this node has
// not heard of, and others may have, nothing is noted: what the peer holds of it stays.
func (sub *subscription) hide(x referred) {
	if x.record == nil && !sub.session.node.replication.isAlone() {
		return
	}
	if f := &sub.session.feed; f.changes[x.entity] == nil && x.target != "" {
		f.put(&pendingRow{change: &reactor.Change{Collection: x.target, Entity: x.entity}, hidden: true})
	}
}

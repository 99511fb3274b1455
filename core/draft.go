package core

import (
	"context"
	"math"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// draft is a storage batch in the making.
type draft struct {
	*replica
	batch   storage.Batch
	records map[id.EntityID]*drafted
	order   []id.EntityID
	current *reactor.Transaction
	hold    bool // the step publishes its changes itself, later
	held    []reactor.Change
	gap     bool // an update of this draft did not fit what is held: rows will be asked for
	undo    []func()

	answered map[id.EntityID]uint64 // at the end of a standstill, the revisions that answers in it tell of

	states    map[id.EntityID]proto.SyncState // of before, where the draft changed them
	refusals  bool                            // other entities are refused than before
	refusedTx map[id.TransactionID]*pendingTx // dropped by this draft
	counted   bool                            // other transactions are pending than before
	edits     int                             // counts changes, to see whether a failed step made any
	uncovered bool                            // it brought what may be of after the position
}

// drafted is one record of a draft.
type drafted struct {
	stored, now *proto.Record

	in *reactor.Transaction // the last one that changed it
	at int                  // where that has the change
}

// show lays the draft over storage for every reader, and leaves what was there before
// with the open transactions.
func (d *draft) show() {
	records := make(map[id.EntityID]overlaid, len(d.order))
	old := make([]preserved, 0, len(d.order))
	for _, e := range d.order {
		rec := d.records[e]
		if rec.now == rec.stored {
			continue
		}
		old = append(old, preserved{e, rec.stored})
		x := overlaid{record: rec.now}
		if rec.now != nil {
			x.collection = rec.now.Collection
		} else {
			x.collection = rec.stored.Collection
		}
		records[e] = x
	}
	d.node.open.changing(old)
	before, after := d.restated()
	d.states = before
	for e := range before {
		d.refusals = d.refusals || before[e] == proto.Refused || after[e] == proto.Refused
	}
	d.node.overlay.show(records, after)
	d.node.open.changed()
}

// takeBack shows again what was there before a draft that could not be stored. The
// records get new revisions, since a greater one counts as later.
func (d *draft) takeBack() {
	tx := &reactor.Transaction{}
	d.unsure = make(map[id.EntityID]*proto.Record)
	var shown []preserved
	for _, e := range d.order {
		rec := d.records[e]
		if rec.now == rec.stored {
			continue
		}
		shown = append(shown, preserved{e, rec.now})
		tx.Changes = append(tx.Changes, d.showAgain(e, rec.now, rec.stored))
		d.unsure[e] = tx.Changes[len(tx.Changes)-1].Stored
	}
	d.node.open.changing(shown)
	d.node.overlay.show(nil, d.states)
	d.node.open.changed()
	d.node.publish(tx)
}

// run stages one step.
func (d *draft) run(ctx context.Context, s *step) (*reactor.Transaction, error) {
	d.current = &reactor.Transaction{}
	if err := s.stage(ctx, d); err != nil {
		return nil, err
	}
	return d.current, nil
}

// record returns the newest reading of an entity, drafted ones included.
func (d *draft) record(ctx context.Context, e id.EntityID) (*drafted, error) {
	if rec, ok := d.records[e]; ok {
		return rec, nil
	}
	stored, ok := d.cache[e]
	if !ok {
		records, err := d.node.stored(ctx, []id.EntityID{e})
		if err != nil {
			return nil, err
		}
		stored = records[0]
	}
	return d.found(e, stored), nil
}

// found notes what storage holds of an entity, nil for nothing.
func (d *draft) found(e id.EntityID, stored *proto.Record) *drafted {
	rec := &drafted{stored: stored, now: stored}
	d.records[e] = rec
	d.order = append(d.order, e)
	return rec
}

// put replaces an entity's record, nil to evict it, and adds the change to the step's
// transaction.
func (d *draft) put(rec *drafted, collection string, e id.EntityID, next *proto.Record) {
	d.edits++
	before := rec.now
	rec.now = next
	if next != nil {
		next.Sync = d.outbox.state(e)
	}
	change := reactor.Change{Collection: collection, Entity: e, Before: visible(before), After: visible(next), Stored: next}
	if next != nil {
		change.Rev = next.Rev
	} else if before != nil {
		change.Rev = max(before.Rev, d.floor)
	}
	drafted := rec.in == d.current
	if drafted {
		change.Before = d.current.Changes[rec.at].Before
	}
	switch {
	case d.hold:
		d.held = append(d.held, change)
	case drafted:
		d.current.Changes[rec.at] = change
	default:
		d.tell(rec, change)
	}
}

// tell adds a change to the step's transaction. The last one of an entity is what further
// changes of the step are joined to.
func (d *draft) tell(rec *drafted, change reactor.Change) {
	rec.in, rec.at = d.current, len(d.current.Changes)
	d.current.Changes = append(d.current.Changes, change)
}

func (d *draft) meta(key string, value []byte) {
	d.edits++
	d.batch.Meta = append(d.batch.Meta, storage.MetaEntry{Key: key, Value: value})
}

// base returns the confirmed part of a record; an entity that no durable node has
// confirmed has an empty one.
func base(r *proto.Record) *proto.State {
	switch {
	case r == nil:
		return unconfirmed
	case r.Base != nil:
		return r.Base
	}
	return r.State
}

// settle puts a record together from its base and the pending events on the entity.
func (d *draft) settle(rec *drafted, collection string, e id.EntityID, confirmed *proto.State, rev uint64) error {
	next := &proto.Record{Collection: collection, Entity: e, BaseRev: rev, State: confirmed, Rev: d.floor + 1}
	if rec.now != nil {
		next.Rev = max(rec.now.Rev, d.floor) + 1
	}
	for _, p := range d.outbox.byEntity[e] {
		for _, event := range p.on(e) {
			if event.Entity != e || next.State.Head.Contains(event.ID) || event.IsCreation() != (len(next.State.Head) == 0) {
				continue // the base includes it, or lost the entity
			}
			state, err := entity.Apply(next.State, event)
			if err != nil {
				return about(e, err)
			}
			next.State, next.Base = state, confirmed
		}
	}
	if len(next.State.Head) == 0 {
		next = nil // neither confirmed nor pending any more
	}
	if rev > 0 && (rec.now == nil || rev != rec.now.BaseRev) {
		d.uncover()
	}
	d.put(rec, collection, e, next)
	return nil
}

// confirm takes a row as the durable node has it.
func (d *draft) confirm(ctx context.Context, collection string, row *proto.Row) error {
	rec, err := d.record(ctx, row.Entity)
	if err != nil {
		return err
	}
	rev := d.revision(row.Rev)
	if d.baseRev(rec.now) >= rev {
		return nil
	}
	d.arrived(row.Entity, rev)
	confirmed, rev := d.reconcile(rec.now, row.State, rev)
	return d.settle(rec, collection, row.Entity, confirmed, rev)
}

// forget drops a row that this node may no longer see. Pending changes to it stay in the
// outbox, where the durable node will answer them.
func (d *draft) forget(ctx context.Context, collection string, e id.EntityID) error {
	rec, err := d.record(ctx, e)
	if err != nil || rec.now == nil || rec.now.Collection != collection {
		return err
	}
	d.arrived(e, math.MaxUint64)
	if rec.now.BaseRev == 0 && len(d.outbox.byEntity[e]) > 0 {
		return nil // it is this node's own, on its way
	}
	d.uncover()
	d.put(rec, collection, e, nil)
	return nil
}

// resettle makes an entity's record anew after its pending events changed.
func (d *draft) resettle(ctx context.Context, e id.EntityID) error {
	rec, err := d.record(ctx, e)
	if err != nil {
		return err
	}
	collection := ""
	if rec.now != nil {
		collection = rec.now.Collection
	} else if list := d.outbox.byEntity[e]; len(list) > 0 {
		collection = list[0].collectionOf(e)
	}
	if collection == "" {
		return nil
	}
	var rev uint64
	if rec.now != nil {
		rev = rec.now.BaseRev
	}
	return d.settle(rec, collection, e, base(rec.now), rev)
}

// showPending makes the status show how many transactions are pending, once the draft is
// stored: at the time when commits return, so that a page hears of both at once.
func (d *draft) showPending() { d.counted = true }

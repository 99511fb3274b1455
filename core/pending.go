package core

import (
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// commit stores an own transaction with its outbox entry, and shows it.
func (r *replica) commit(ctx context.Context, tx *Tx, events []*proto.Event) (*Receipt, error) {
	receipt := newReceipt(r.node, tx.id)
	err := r.await(ctx, &step{stage: func(ctx context.Context, d *draft) error {
		if !tx.replaces.IsZero() && !d.outbox.rejects(tx.replaces) {
			return noRejection(tx.replaces)
		}
		if len(events) > 0 {
			if err := d.commit(ctx, &pendingTx{tx: tx.id, events: events}, tx.order, receipt); err != nil {
				return err
			}
		}
		if tx.replaces.IsZero() {
			return nil
		}
		return d.dropRejections(ctx, func(r *Rejection) bool { return r.Transaction == tx.replaces })
	}})
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return settledReceipt(r.node, tx.id), nil
	}
	return receipt, nil
}

func (d *draft) commit(ctx context.Context, p *pendingTx, forks []*fork, receipt *Receipt) error {
	if err := d.outbox.hasRoom(&d.node.limits); err != nil {
		return err
	}
	d.expect(len(forks))
	records, err := d.forked(ctx, forks)
	if err != nil {
		return err
	}
	overtaken, err := d.overtaken(forks, records)
	if err != nil {
		return err
	}
	if err := d.ground(ctx, p, overtaken); err != nil {
		return err
	}
	d.edits++
	d.voided.remove(p.events)
	d.outbox.add(p, receipt)
	d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq, Data: encodePending(p)})
	for i, f := range forks {
		if !f.changed() {
			continue
		}
		if overtaken[f.now.Entity] {
			err = d.resettle(ctx, f.now.Entity)
		} else {
			d.adopt(records[i], f)
		}
		if err != nil {
			return err
		}
	}
	d.showPending()
	d.current.ID = p.tx
	return nil
}

// ground makes those events of a new transaction again that are on top of what became void while
// it was open: no durable node would ever have all that they are on top of.
func (d *draft) ground(ctx context.Context, p *pendingTx, overtaken map[id.EntityID]bool) error {
	for i, event := range p.events {
		lost := d.voided.among(event.Parents)
		if len(lost) == 0 || !overtaken[event.Entity] {
			continue
		}
		again, err := d.mintAgain(ctx, p, event, lost)
		if err != nil {
			return about(event.Entity, err)
		}
		p.events = slices.Clone(p.events)
		p.events[i] = again
	}
	return nil
}

// expect makes room for n more entities.
func (d *draft) expect(n int) {
	if len(d.records) == 0 {
		d.records = make(map[id.EntityID]*drafted, n)
	}
	d.order = slices.Grow(d.order, n)
	d.current.Changes = slices.Grow(d.current.Changes, n)
}

// forked returns the newest readings of the entities that a transaction has forked. Those
// that it creates are new, so storage is asked for the others only, and for all at once.
func (d *draft) forked(ctx context.Context, forks []*fork) ([]*drafted, error) {
	records := make([]*drafted, len(forks))
	var unread []id.EntityID
	for i, f := range forks {
		e := f.now.Entity
		rec, ok := d.records[e]
		if !ok && f.creation != nil {
			rec, ok = d.found(e, nil), true
		}
		if !ok {
			if stored, cached := d.cache[e]; cached {
				rec, ok = d.found(e, stored), true
			}
		}
		if !ok {
			unread = append(unread, e)
		}
		records[i] = rec
	}
	for page := range slices.Chunk(unread, storage.MaxPage) {
		stored, err := d.node.stored(ctx, page)
		if err != nil {
			return nil, err
		}
		for i, e := range page {
			d.found(e, stored[i])
		}
	}
	for i, f := range forks {
		if records[i] == nil {
			records[i] = d.records[f.now.Entity]
		}
	}
	return records, nil
}

// overtaken returns the entities that have changed since they were forked, and checks, before
// anything is changed, that the transaction can be applied all the same.
func (d *draft) overtaken(forks []*fork, records []*drafted) (map[id.EntityID]bool, error) {
	var list map[id.EntityID]bool
	for i, f := range forks {
		now := records[i].now
		if !f.changed() || now == nil && f.creation != nil || now != nil && f.creation == nil && now.State.Head.Equal(f.base.State.Head) {
			continue
		}
		var state *proto.State
		if now != nil {
			state = now.State
		}
		for _, event := range f.appendEvents(nil) {
			next, err := entity.Apply(state, event)
			if err != nil {
				return nil, about(event.Entity, err)
			}
			state = next
		}
		if list == nil {
			list = make(map[id.EntityID]bool)
		}
		list[f.now.Entity] = true
	}
	return list, nil
}

// adopt takes over what a transaction has made of an entity that has not changed since it
// was forked: it is what settling the entity would come to.
func (d *draft) adopt(rec *drafted, f *fork) {
	next := &proto.Record{Collection: f.collection, Entity: f.now.Entity, Rev: d.floor + 1, State: f.now.State, Base: unconfirmed}
	if before := rec.now; before != nil {
		next.Rev = max(before.Rev, d.floor) + 1
		next.BaseRev, next.Base = before.BaseRev, base(before)
	}
	d.put(rec, f.collection, f.now.Entity, next)
}

// unconfirmed is the base of an entity whose creation is pending.
var unconfirmed = &proto.State{}

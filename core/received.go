package core

import (
	"context"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// heldBack returns what to publish of changes that were held back: from the states that
// were shown meanwhile to what the entities are now. An entity that was changed by others
// in between is named once for each state that was shown.
func heldBack(held []reactor.Change, now func(id.EntityID) (*proto.Record, error)) ([]reactor.Change, error) {
	unseen := make(map[id.EntityID]*proto.Record, len(held)) // the states that were not shown
	out := make([]reactor.Change, 0, len(held))
	for _, c := range held {
		before, again := unseen[c.Entity]
		unseen[c.Entity] = c.After
		if again && before == c.Before {
			continue
		}
		record, err := now(c.Entity)
		if err != nil {
			return nil, err
		}
		if c.Stored, c.After = record, visible(record); record != nil {
			c.Rev = max(c.Rev, record.Rev)
		}
		out = append(out, c)
	}
	return out, nil
}

// asBrought returns what to publish of changes that were held back where it cannot be read what
// the entities are now. What has been shown of them since has greater revisions, and stays.
func asBrought(held []reactor.Change) []reactor.Change {
	last := make(map[id.EntityID]*proto.Record, len(held))
	for _, c := range held {
		last[c.Entity] = c.Stored
	}
	changes, _ := heldBack(held, func(e id.EntityID) (*proto.Record, error) { return last[e], nil })
	return changes
}

// buffered appends a change to those that wait for a first scan. What waits is bounded by
// the entities that change meanwhile, not by how often they do.
func buffered(list []reactor.Change, c *reactor.Change) []reactor.Change {
	list = append(list, *c)
	if n := len(list); n >= 1024 && n&(n-1) == 0 {
		list = coalesce(list)
	}
	return list
}

// coalesce joins the changes of each entity into one.
func coalesce(changes []reactor.Change) []reactor.Change {
	at := make(map[id.EntityID]int, len(changes))
	out := changes[:0:0]
	for _, c := range changes {
		if i, ok := at[c.Entity]; ok {
			c.Before = out[i].Before
			out[i] = c
			continue
		}
		at[c.Entity] = len(out)
		out = append(out, c)
	}
	return out
}

// rows takes part of an answer. What it brings is stored at once, and published when the
// answer is complete, so that nobody sees half of it. It returns the rows that must be asked for.
func (d *draft) rows(ctx context.Context, up *upstream, m *proto.Rows) (missing map[string][]id.EntityID, err error) {
	d.hold, d.held = true, nil
	defer func() { d.hold = false }()
	for i := range m.Rows {
		if err := d.confirm(ctx, m.Collection, &m.Rows[i]); err != nil {
			return nil, err
		}
	}
	for _, e := range m.Gone {
		if err := d.forget(ctx, m.Collection, e); err != nil {
			return nil, err
		}
	}
	for i := range m.Equal {
		same, err := d.equal(ctx, &m.Equal[i])
		if err != nil {
			return nil, err
		}
		if !same {
			if missing == nil {
				missing = make(map[string][]id.EntityID)
			}
			missing[m.Collection] = append(missing[m.Collection], m.Equal[i].Entity)
			d.gap = true
		}
	}
	for _, e := range m.Absent {
		if err := d.absent(ctx, m.Collection, e); err != nil {
			return nil, err
		}
	}
	if up == nil {
		d.speak()
		return missing, d.publishHeld(ctx, d.held)
	}
	held := up.held
	d.undo = append(d.undo, func() { up.held = held })
	d.edits++
	up.list(m)
	up.held = append(held, d.held...)
	if !m.Done {
		return missing, nil
	}
	defer func() { up.held = nil }()
	d.speak(up.listed, up.support)
	return missing, d.publishHeld(ctx, up.held)
}

// speak notes that the step's transaction is the durable node's word, and what that names.
func (d *draft) speak(named ...map[id.EntityID]struct{}) {
	if !d.node.reactor.Follows() {
		return
	}
	if d.current.Named == nil {
		d.current.Named = make(map[id.EntityID]bool)
	}
	for _, set := range named {
		for e := range set {
			d.current.Named[e] = true
		}
	}
}

func (d *draft) publishHeld(ctx context.Context, held []reactor.Change) error {
	changes, err := heldBack(held, func(e id.EntityID) (*proto.Record, error) {
		rec, err := d.record(ctx, e)
		if err != nil {
			return nil, err
		}
		return rec.now, nil
	})
	for _, c := range changes {
		d.tell(d.records[c.Entity], c)
	}
	d.current.Loose = true // they could be read before
	return err
}

// update takes a transaction of the durable node's feed.
func (d *draft) update(ctx context.Context, m *proto.Update) (missing map[string][]id.EntityID, err error) {
	own := d.outbox.byTx[m.Transaction]
	d.current.ID = m.Transaction
	d.speak()
	for i := range m.Changes {
		c := &m.Changes[i]
		if d.current.Named != nil {
			d.current.Named[c.Entity] = true
		}
		ok, err := d.rowChange(ctx, c, own)
		if err != nil {
			return nil, err
		}
		if !ok && d.answered[c.Entity] < c.Rev {
			if missing == nil {
				missing = make(map[string][]id.EntityID)
			}
			missing[c.Collection] = append(missing[c.Collection], c.Entity)
			d.gap = true
		}
	}
	d.advance(m.Position)
	return missing, nil
}

// rowChange takes one row's change; ok is false when the row must be asked for.
func (d *draft) rowChange(ctx context.Context, c *proto.RowChange, own *pendingTx) (ok bool, err error) {
	if c.Kind == proto.RowGone {
		return true, d.forget(ctx, c.Collection, c.Entity)
	}
	rec, err := d.record(ctx, c.Entity)
	if err != nil {
		return false, err
	}
	rev, to := d.baseRev(rec.now), d.revision(c.Rev)
	if rev >= to {
		return true, nil
	}
	reached := to
	var next *proto.State
	switch {
	case c.Kind == proto.RowState:
		next, to = d.reconcile(rec.now, &proto.State{Head: c.Head, Properties: c.Properties}, to)
	case d.follows(rec, rev, to):
		next = entity.WithPatch(base(rec.now), c.Head, c.Properties)
	default:
		return false, nil
	}
	if own != nil {
		d.outbox.included(own, c.Entity)
	}
	d.arrived(c.Entity, reached)
	return true, d.settle(rec, c.Collection, c.Entity, next, to)
}

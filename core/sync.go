package core

import (
	"context"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// How far each row of an ephemeral node is in step. It follows from the outbox and the
// rejections, so it is not stored with the records: a draft stamps those that it writes, and
// what comes from the engine is stamped by the states that are shown (overlay).

// state returns how far what is shown of an entity is in step.
func (o *outbox) state(e id.EntityID) proto.SyncState {
	switch {
	case o.unacked[e] > 0:
		return proto.Pending
	case o.refused[e] > 0:
		return proto.Refused
	}
	return proto.Synced
}

// unconfirmed is the state of what a transaction that is open on the node has changed.
func (n *Node) unconfirmed() proto.SyncState {
	if n.opts.Durable {
		return proto.Synced
	}
	return proto.Pending
}

// states returns the states of all entities that are not synced.
func (o *outbox) states() map[id.EntityID]proto.SyncState {
	states := make(map[id.EntityID]proto.SyncState, len(o.unacked)+len(o.refused))
	for e := range o.refused {
		states[e] = proto.Refused
	}
	for e := range o.unacked {
		states[e] = proto.Pending
	}
	return states
}

// tally counts entities in or out.
func tally(counts *map[id.EntityID]int, entities []id.EntityID, by int) {
	if *counts == nil {
		*counts = make(map[id.EntityID]int, len(entities))
	}
	for _, e := range entities {
		if n := (*counts)[e] + by; n == 0 {
			delete(*counts, e)
		} else {
			(*counts)[e] = n
		}
	}
}

// restate has entities whose state may have changed shown in it.
func (d *draft) restate(ctx context.Context, entities []id.EntityID) error {
	for _, e := range entities {
		rec, err := d.record(ctx, e)
		if err != nil {
			return err
		}
		if rec.now == nil || rec.now.Sync == d.outbox.state(e) {
			continue
		}
		next := *rec.now
		next.Rev = max(next.Rev, d.floor) + 1
		d.put(rec, next.Collection, e, &next)
	}
	return nil
}

// restated returns the states of the entities that the draft has changed: before it, and
// after.
func (d *draft) restated() (before, after map[id.EntityID]proto.SyncState) {
	before, after = make(map[id.EntityID]proto.SyncState), make(map[id.EntityID]proto.SyncState)
	for _, e := range d.order {
		was, is := d.node.overlay.state(e), d.outbox.state(e)
		if was != is {
			before[e], after[e] = was, is
		}
	}
	return before, after
}

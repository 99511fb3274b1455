package core

import (
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// voided is the events of this node that no durable node will ever have: they were refused, by a
// durable node or by storage, or others were made in their place. A transaction that was open at that time may have been made
// on top of them, and is to be made on top of something else when it commits. The latest are
// kept, at least voidedKept.
type voided struct {
	latest, earlier map[id.EventID]bool
}

const voidedKept = 1 << 15

func (v *voided) add(e id.EventID) {
	if len(v.latest) >= voidedKept {
		v.earlier, v.latest = v.latest, nil
	}
	if v.latest == nil {
		v.latest = make(map[id.EventID]bool)
	}
	v.latest[e] = true
}

// remove says that events are to be sent after all.
func (v *voided) remove(events []*proto.Event) {
	for _, e := range events {
		delete(v.latest, e.ID)
		delete(v.earlier, e.ID)
	}
}

// reread takes in that storage holds other transactions than memory did.
func (v *voided) reread(memory, stored *outbox) {
	for _, p := range memory.pending {
		var there []*proto.Event
		if q := stored.byTx[p.tx]; q != nil {
			there = q.events
		}
		for _, e := range p.events {
			if !slices.ContainsFunc(there, func(x *proto.Event) bool { return x.ID == e.ID }) {
				v.add(e.ID)
			}
		}
	}
	for _, p := range stored.pending {
		v.remove(p.events)
	}
}

// among returns those of a head's events that are void, nil for none.
func (v *voided) among(head proto.Clock) (list map[id.EventID]bool) {
	for _, e := range head {
		if v.latest[e] || v.earlier[e] {
			if list == nil {
				list = make(map[id.EventID]bool)
			}
			list[e] = true
		}
	}
	return list
}

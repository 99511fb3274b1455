package verify

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// entities verifies records and events, entity by entity.
func (c *check) entities(ctx context.Context) error {
	walk := storage.NewWalk(c.walker, storage.EventKey{})
	c.sum = true
	var life *life // of the entity at hand
	for n := uint64(1); ; n++ {
		record, event, err := walk.Next(ctx)
		if err != nil {
			return err
		}
		var of id.EntityID
		switch {
		case record != nil:
			of = record.Entity
		case event != nil:
			of = event.Key.Entity
		}
		if life != nil && life.entity != of {
			life.end(c)
			life = nil
		}
		if record == nil && event == nil {
			return nil
		}
		if life == nil {
			life = newLife(of)
		}
		if record != nil {
			life.record(c, record)
		} else {
			life.event(c, event)
		}
		c.progress(n)
	}
}

// life is what is known of one entity while its rows come by.
type life struct {
	entity     id.EntityID
	stored     *proto.Record
	unreadable bool // the record or an event is, or an event could not be applied
	recorded   bool // there is a record, readable or not
	collection string
	state      *proto.State
	seen       map[id.EventID]bool
}

func newLife(of id.EntityID) *life { return &life{entity: of, seen: map[id.EventID]bool{}} }

func (l *life) record(c *check, r *storage.StoredRecord) {
	c.report.Entities++
	l.recorded = true
	if r.Err != nil {
		l.unreadable = true
		c.sum = false
		c.found(Unreadable, l.entity, "its record: %v", r.Err)
		return
	}
	l.stored = r.Record
	l.collection = r.Record.Collection
	c.revisions += r.Record.Rev
	if r.Record.State.Deleted() {
		c.report.Deleted++
	} else {
		c.report.Collections[r.Record.Collection]++
	}
	if r.Record.Base != nil {
		c.found(Unconfirmed, l.entity, "its record holds changes that no durable node has confirmed")
	}
}

func (l *life) event(c *check, e *storage.StoredEvent) {
	c.report.Events++
	if e.Err != nil {
		l.unreadable = true
		l.seen[e.Key.Event] = true
		c.found(Unreadable, l.entity, "event %s: %v", e.Key.Event, e.Err)
		return
	}
	ev := e.Event
	if l.collection == "" {
		l.collection = ev.Collection
	} else if ev.Collection != l.collection {
		c.found(WrongCollection, l.entity, "event %s is of collection %q, the entity of %q", ev.ID, ev.Collection, l.collection)
	}
	whole := true
	for _, parent := range ev.Parents {
		if !l.seen[parent] {
			whole = false
			c.found(MissingParent, l.entity, "event %s was made on top of %s, which is not there", ev.ID, parent)
		}
	}
	l.seen[ev.ID] = true
	if !whole || l.unreadable {
		l.unreadable = true // what follows cannot be recomputed
		return
	}
	state, err := entity.Apply(l.state, ev)
	if err != nil {
		l.unreadable = true
		c.found(NotApplicable, l.entity, "event %s: %v", ev.ID, err)
		return
	}
	l.state = state
}

// end compares what the events led to with the record.
func (l *life) end(c *check) {
	switch {
	case !l.recorded:
		c.found(NoRecord, l.entity, "%d events of collection %q, and no record", len(l.seen), l.collection)
	case len(l.seen) == 0:
		c.found(NoEvents, l.entity, "a record of collection %q, and no events", l.collection)
	case l.unreadable || l.stored == nil:
	case !l.state.Head.Equal(l.stored.State.Head):
		c.found(WrongHead, l.entity, "its head is %v, and its events lead to %v", l.stored.State.Head, l.state.Head)
	default:
		if detail := difference(l.stored.State, l.state); detail != "" {
			c.found(WrongState, l.entity, "%s", detail)
		}
	}
}

// difference says how a stored state differs from the recomputed one, "" if it does not.
func difference(stored, right *proto.State) string {
	for i := range right.Properties {
		want := &right.Properties[i]
		j, found := stored.Find(want.Name)
		if !found {
			return fmt.Sprintf("property %q is missing, and should be %s", want.Name, want.Value)
		}
		have := &stored.Properties[j]
		switch {
		case have.Kind != want.Kind:
			return fmt.Sprintf("property %q has kind %d, and should have %d", want.Name, have.Kind, want.Kind)
		case have.Value != want.Value:
			return fmt.Sprintf("property %q is %s, and should be %s", want.Name, have.Value, want.Value)
		case !bytes.Equal(have.Data, want.Data):
			return fmt.Sprintf("property %q has the value that it should have, but not what merging it takes: %x, not %x", want.Name, have.Data, want.Data)
		}
	}
	for i := range stored.Properties {
		if name := stored.Properties[i].Name; !slices.ContainsFunc(right.Properties, func(p proto.PropertyState) bool { return p.Name == name }) {
			return fmt.Sprintf("property %q is there, and no event has written it", name)
		}
	}
	return ""
}

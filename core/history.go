package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core/causal"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Revision is one event of an entity's history: who did what, when, and on top of what.
type Revision struct {
	Event   id.EventID
	Time    time.Time // by the clock of the node that made it, corrected
	Author  id.NodeID
	User    string      // the principal; "" when anonymous
	Parents proto.Clock // what it was made on top of; none for the creation
	// Changes are the properties that it wrote, by name; proto.Deleted is among them where
	// it deleted the entity or restored it.
	Changes []PropertyChange
	// Pending says that no durable node has it yet.
	Pending bool
}

// PropertyChange is a property before and after something.
type PropertyChange struct {
	Property      string
	Before, After value.Value
}

// History is one page of an entity's history, the latest event first.
type History struct {
	Revisions []Revision
	// Next is the Before of the following page; the zero id if there is none.
	Next id.EventID
}

// HistoryOptions choose a page of a history.
type HistoryOptions struct {
	Before id.EventID // only events with lesser ids; zero for all
	Limit  int        // at most so many; default and maximum MaxRevisions
}

// MaxRevisions bounds one page of a history.
const MaxRevisions = 500

// Moment is a point in an entity's history: after the events of a clock and all that they
// were made on top of, or, where that is empty, as of a time, by the clocks of the authors.
type Moment struct {
	Events proto.Clock
	Time   time.Time
}

// History returns what happened to an entity, deleted or not, the latest first: from this
// node where it is durable, else from the durable node, and then with what waits to be sent
// before it. Events after which the principal may not read the entity are left out, and so is
// what the others replaced of a state that it may not read. It fails
// with ErrNotFound for an entity that the principal may not read now, and with ErrOffline
// where no durable node is connected.
func (c *Context) History(ctx context.Context, collection string, e id.EntityID, o HistoryOptions) (_ *History, err error) {
	defer wrap(&err, "history")
	if o.Limit <= 0 || o.Limit > MaxRevisions {
		o.Limit = MaxRevisions
	}
	if err := c.node.checkCollection(collection); err != nil {
		return nil, err
	}
	if c.node.replica != nil {
		return c.node.replica.history(ctx, collection, e, o)
	}
	events, err := c.events(ctx, collection, e)
	if err != nil {
		return nil, err
	}
	var page *History
	err = c.node.inTurn(ctx, func() (err error) {
		page, err = c.revisions(collection, events, o)
		return err
	})
	return page, err
}

// AsOf returns an entity as it was at a moment. It fails with ErrNotFound if it did not exist
// then, was deleted, or may not be read as it was; and like History.
func (c *Context) AsOf(ctx context.Context, collection string, e id.EntityID, m Moment) (_ *View, err error) {
	defer wrap(&err, "as of")
	if err := c.node.checkCollection(collection); err != nil {
		return nil, err
	}
	var state *proto.State
	if c.node.replica != nil {
		state, err = c.node.replica.asOf(ctx, collection, e, m)
	} else {
		state, err = c.asOf(ctx, collection, e, m)
	}
	if err != nil {
		return nil, err
	}
	record := &proto.Record{Collection: collection, Entity: e, State: state}
	if visible(record) == nil {
		return nil, ErrNotFound
	}
	return newView(record), nil
}

// Difference returns the properties whose values differ between two moments, by name; a
// moment at which the entity did not exist or was deleted has no values.
func (c *Context) Difference(ctx context.Context, collection string, e id.EntityID, from, to Moment) ([]PropertyChange, error) {
	var states [2]*proto.State
	for i, m := range []Moment{from, to} {
		view, err := c.AsOf(ctx, collection, e, m)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		states[i] = &proto.State{}
		if view != nil {
			states[i] = view.State()
		}
	}
	return propertyChanges(states[0], states[1]), nil
}

// propertyChanges compares two states by the values of their properties.
func propertyChanges(before, after *proto.State) (changes []PropertyChange) {
	names := make([]string, 0, len(before.Properties)+len(after.Properties))
	for _, s := range []*proto.State{before, after} {
		for i := range s.Properties {
			names = append(names, s.Properties[i].Name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if was, is := before.Field(name), after.Field(name); was != is {
			changes = append(changes, PropertyChange{name, was, is})
		}
	}
	return changes
}

// events reads an entity's history from a durable node's storage, in ascending order.
func (c *Context) events(ctx context.Context, collection string, e id.EntityID) ([]*proto.Event, error) {
	record, err := c.node.record(ctx, e)
	if err != nil {
		return nil, err
	}
	if record == nil || record.Collection != collection || c.readable(record) != nil {
		return nil, ErrNotFound
	}
	var events []*proto.Event
	var sizes pager
	size := 0
	for after := (id.EventID{}); ; after = events[len(events)-1].ID {
		var page []*proto.Event
		wanted := sizes.next(-1)
		err := c.node.inTurn(ctx, func() (err error) {
			page, err = c.node.engine.EntityEvents(ctx, e, after, wanted)
			return err
		})
		if err != nil {
			return nil, err
		}
		events = append(events, page...)
		bytes := 0
		for _, event := range page {
			bytes += event.EncodedSize()
		}
		size += bytes
		if c.node.keep != nil {
			if err := c.node.keep(ctx, len(page)*pendingSize+bytes); err != nil {
				return nil, err
			}
		}
		switch {
		case size > c.node.limits.HistoryBytes:
			return nil, fmt.Errorf("%w: a history of more than %d bytes", ErrLimit, c.node.limits.HistoryBytes)
		case len(events) > c.node.limits.HistoryEvents:
			return nil, fmt.Errorf("%w: a history of more than %d events", ErrLimit, c.node.limits.HistoryEvents)
		case len(page) < wanted:
			return events, nil
		}
		sizes.learn(len(page), bytes)
	}
}

// revisions makes a page of events, which are all of an entity's.
func (c *Context) revisions(collection string, events []*proto.Event, o HistoryOptions) (*History, error) {
	if !o.Before.IsZero() {
		n, _ := slices.BinarySearchFunc(events, o.Before, func(e *proto.Event, b id.EventID) int { return e.ID.Compare(b.ULID) })
		events = events[:n]
	}
	first := max(0, len(events)-o.Limit)
	page := &History{Revisions: make([]Revision, 0, len(events)-first)}
	at := 0
	err := entity.Replay(events, func(s entity.Step) bool {
		if at++; at > first && c.readableAs(collection, s.Event.Entity, s.After) {
			if s.Before != nil && !c.readableAs(collection, s.Event.Entity, s.Before) {
				s.Before = nil // nor what was there when the principal could not read it
			}
			page.Revisions = append(page.Revisions, revision(s))
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(page.Revisions)
	if first > 0 {
		page.Next = events[first].ID
	}
	return page, nil
}

// readableAs reports whether the principal could read the entity in a state of its past.
func (c *Context) readableAs(collection string, e id.EntityID, s *proto.State) bool {
	return policy.IsPermissive(c.node.policy) || c.readable(&proto.Record{Collection: collection, Entity: e, State: s}) == nil
}

func revision(s entity.Step) Revision {
	r := Revision{Event: s.Event.ID, Time: s.Event.ID.Stamp().Time(), Author: s.Event.Author, User: s.Event.User,
		Parents: s.Event.Parents, Changes: make([]PropertyChange, len(s.Event.Operations))}
	for i := range s.Event.Operations {
		name := s.Event.Operations[i].Property
		r.Changes[i] = PropertyChange{Property: name, After: s.After.Field(name)}
		if s.Before != nil {
			r.Changes[i].Before = s.Before.Field(name)
		}
	}
	return r
}

// asOf returns the state of an entity at a moment.
func (c *Context) asOf(ctx context.Context, collection string, e id.EntityID, m Moment) (*proto.State, error) {
	all, err := c.events(ctx, collection, e)
	if err != nil {
		return nil, err
	}
	var state *proto.State
	err = c.node.inTurn(ctx, func() error {
		past, err := m.past(ctx, all)
		if err == nil {
			state, err = entity.StateOf(past)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if state == nil || !c.readableAs(collection, e, state) {
		return nil, ErrNotFound
	}
	return state, nil
}

// past returns those of an entity's events that are in the moment's past.
func (m Moment) past(ctx context.Context, all []*proto.Event) ([]*proto.Event, error) {
	if len(m.Events) == 0 {
		n, _ := slices.BinarySearchFunc(all, m.Time, func(e *proto.Event, t time.Time) int {
			if e.ID.Stamp().Time().After(t) {
				return 1
			}
			return -1
		})
		return all[:n], nil
	}
	known := make(eventsByID, len(all))
	for _, e := range all {
		known[e.ID] = e
	}
	for _, e := range m.Events {
		if known[e] == nil {
			return nil, fmt.Errorf("%w: event %s is not in the entity's history", ErrNotFound, e)
		}
	}
	ids, err := causal.Between(ctx, known, nil, m.Events, len(all))
	if err != nil {
		return nil, err
	}
	past := make([]*proto.Event, len(ids))
	for i, e := range ids {
		past[i] = known[e]
	}
	return past, nil
}

// eventsByID is a history in memory.
type eventsByID map[id.EventID]*proto.Event

// Parents implements causal.Getter.
func (l eventsByID) Parents(_ context.Context, events []id.EventID) ([]causal.Parents, error) {
	out := make([]causal.Parents, len(events))
	for i, e := range events {
		if known := l[e]; known != nil {
			out[i] = causal.Parents{Known: true, Clock: known.Parents}
		}
	}
	return out, nil
}

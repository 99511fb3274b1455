package entity

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Step is one event of a history with the states around it.
type Step struct {
	Event *proto.Event
	// Before is what the event was made on top of, and so what its author saw; nil for a
	// creation. Concurrent events do not see each other.
	Before *proto.State
	// After is Before with the event.
	After *proto.State
}

// Replay goes through all events of one entity up to some point, in ascending order of ids,
// which has parents before children, and calls visit with each until it returns false. It
// keeps the states that events still to come are made on top of, and no others.
func Replay(events []*proto.Event, visit func(Step) bool) error {
	children := make(map[id.EventID]int, len(events))
	for _, e := range events {
		for _, p := range e.Parents {
			children[p]++
		}
	}
	after := make(map[id.EventID]*proto.State)
	for _, e := range events {
		step := Step{Event: e}
		for _, p := range e.Parents {
			state := after[p]
			if state == nil {
				return fmt.Errorf("%w: %s, a parent of %s, is not before it in the history", ErrNoEntity, p, e.ID)
			}
			if children[p]--; children[p] == 0 {
				delete(after, p)
			}
			if step.Before == nil {
				step.Before = state
				continue
			}
			var err error
			if step.Before, err = Merge(step.Before, state); err != nil {
				return err
			}
		}
		var err error
		if step.After, err = Apply(step.Before, e); err != nil {
			return err
		}
		if children[e.ID] > 0 {
			after[e.ID] = step.After
		}
		if !visit(step) {
			return nil
		}
	}
	return nil
}

// StateOf returns the state of an entity that has had exactly the given events, in ascending
// order of ids and with all of their parents among them; nil if there are none.
func StateOf(events []*proto.Event) (*proto.State, error) {
	var state *proto.State
	for _, e := range events {
		var err error
		if state, err = Apply(state, e); err != nil {
			return nil, err
		}
	}
	return state, nil
}

package causal

import (
	"context"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Between returns the events in the history of to that are not in that of from, parents
// first, looking at up to limit events: what whoever is at from lacks to be at to. With an
// empty from it is the whole history.
func Between(ctx context.Context, g Getter, from, to proto.Clock, limit int) ([]id.EventID, error) {
	w := newWalk(g, limit)
	for _, e := range to {
		w.reach(e, left)
	}
	for _, e := range from {
		w.reach(e, right|covered)
	}
	var found []id.EventID
	for w.open > 0 {
		n, err := w.next()
		if err != nil {
			return nil, err
		}
		if err := w.expand(ctx, n, n.sides); err != nil {
			return nil, err
		}
		if n.sides&covered == 0 {
			found = append(found, n.id)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// Greatest returns those of the given events that none of the others descends from: the
// head of an entity that holds all of them. It looks at up to limit events, and at none that
// is not greater than the least of those given.
func Greatest(ctx context.Context, g Getter, events []id.EventID, limit int) (proto.Clock, error) {
	all := proto.NewClock(events...)
	if len(all) < 2 {
		return all, nil
	}
	w := newWalk(g, limit)
	for _, e := range all {
		w.reach(e, left)
	}
	var heads []id.EventID
	for {
		n, err := w.next()
		if err != nil {
			return nil, err
		}
		if n.sides == left {
			heads = append(heads, n.id)
		}
		if n.id.Compare(all[0].ULID) <= 0 {
			return proto.NewClock(heads...), nil
		}
		if err := w.expand(ctx, n, covered); err != nil {
			return nil, err
		}
	}
}

// Sort puts events in an order in which every event comes after its parents, the same one
// wherever it is done: ascending ids, by the monotone rule.
func Sort(events []*proto.Event) {
	sort.Slice(events, func(i, j int) bool { return events[i].ID.Compare(events[j].ID.ULID) < 0 })
}

// Absent returns the parents that are neither among the events themselves nor known: what
// has to be fetched before they can be applied.
func Absent(events []*proto.Event, known func(id.EventID) bool) proto.Clock {
	here := make(map[id.EventID]struct{}, len(events))
	for _, e := range events {
		here[e.ID] = struct{}{}
	}
	var absent []id.EventID
	for _, e := range events {
		for _, p := range e.Parents {
			if _, ok := here[p]; !ok && !known(p) {
				absent = append(absent, p)
			}
		}
	}
	return proto.NewClock(absent...)
}

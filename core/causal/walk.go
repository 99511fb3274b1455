package causal

import (
	"container/heap"
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// ErrLimit: the answer needs more events than the caller allowed.
var ErrLimit = errors.New("causal: the histories are too far apart")

// ErrMonotone: the Getter named a parent whose id is not less than its child's.
var ErrMonotone = errors.New("causal: an event's id is not greater than its parent's")

// MissingError names events that the answer depends on and that the Getter does not have.
type MissingError struct{ Events proto.Clock }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("causal: %d events are missing, the first is %s", len(e.Events), e.Events[0])
}

// Parents are the parents of an event. A creation has none; the zero Parents are those of an
// event that nobody has.
type Parents struct {
	Known bool
	Clock proto.Clock
}

// Getter brings the parents of events, in their order. All events are of one entity: a
// Getter that finds one of another entity returns an error. It may be asked for events that
// the answer turns out not to need.
type Getter interface {
	Parents(ctx context.Context, events []id.EventID) ([]Parents, error)
}

// ahead is how many events a walk asks for at once.
const ahead = 32

// side says from where an event was reached.
type side uint8

const (
	left side = 1 << iota
	right
	covered // below an event that was reached from both sides, or below another candidate
	both    = left | right
)

// walk goes back through a history in descending order of ids.
type walk struct {
	getter Getter
	limit  int // of events to walk over
	walked int
	queue  queue
	nodes  map[id.EventID]*node
	open   int          // events waiting that are not covered
	lost   []id.EventID // covered events that nobody has: what lies below them is covered too, unseen
}

type node struct {
	id      id.EventID
	sides   side
	fetched bool
	parents Parents
}

func newWalk(g Getter, limit int) *walk {
	return &walk{getter: g, limit: limit, nodes: make(map[id.EventID]*node)}
}

// reach notes that an event is in the history of a side.
func (w *walk) reach(e id.EventID, s side) {
	n := w.nodes[e]
	if n == nil {
		n = &node{id: e}
		w.nodes[e] = n
		heap.Push(&w.queue, n)
		w.open++
	}
	if s&covered != 0 && n.sides&covered == 0 {
		w.open--
	}
	n.sides |= s
}

// next takes the greatest event that waits; there is one while open is not zero. It fails at
// one that may lie below an event which nobody has (C3).
func (w *walk) next() (*node, error) {
	n := heap.Pop(&w.queue).(*node)
	if n.sides&covered != 0 {
		return n, nil
	}
	w.open--
	if len(w.lost) > 0 {
		return nil, &MissingError{proto.NewClock(w.lost...)}
	}
	return n, nil
}

// expand reaches the parents of an event, which next has returned, from the given sides.
// An event that nobody has is an error, unless its parents are covered: then it is one as
// soon as next meets something that may lie below it.
func (w *walk) expand(ctx context.Context, n *node, s side) error {
	if err := w.fetch(ctx, n); err != nil {
		return err
	}
	switch {
	case n.parents.Known:
	case s&covered != 0:
		w.lost = append(w.lost, n.id)
		return nil
	default:
		return &MissingError{proto.NewClock(n.id)}
	}
	for _, p := range n.parents.Clock {
		if p.Compare(n.id.ULID) >= 0 {
			return fmt.Errorf("%w: %s and its parent %s", ErrMonotone, n.id, p)
		}
		w.reach(p, s)
	}
	return nil
}

// fetch asks for the parents of an event, and of some that wait and will be next.
func (w *walk) fetch(ctx context.Context, n *node) error {
	if w.walked++; w.walked > w.limit {
		return fmt.Errorf("%w: more than %d events", ErrLimit, w.limit)
	}
	if n.fetched {
		return nil
	}
	batch := []*node{n}
	for _, m := range w.queue { // the first ones of a heap are among the greatest
		if len(batch) == ahead {
			break
		}
		if !m.fetched && m.sides&covered == 0 {
			batch = append(batch, m)
		}
	}
	ids := make([]id.EventID, len(batch))
	for i, m := range batch {
		ids[i] = m.id
	}
	parents, err := w.getter.Parents(ctx, ids)
	if err != nil {
		return err
	}
	for i, m := range batch {
		m.fetched, m.parents = true, parents[i]
	}
	return nil
}

// queue is a heap of events, the greatest id first.
type queue []*node

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].id.Compare(q[j].id.ULID) > 0 }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*node)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	n := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return n
}

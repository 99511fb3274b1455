package core

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// standstill is what has come from the durable node since an update turned out not to fit
// what this node holds of a row. The row has been asked for; nothing of the update, or of
// what came after it, is shown or stored before the row is here, and then all of it is, as
// one change: so nobody sees a transaction on some of its rows only. It ends with the
// connection, at the latest when a request has not been answered in time, or when more has
// come than there is room for; the next connection resumes from before it. It belongs to the
// loop.
type standstill struct {
	peer  *peer
	queue []*incoming
	bytes int
	asked map[uint64]struct{} // requests that have not been answered
}

// incoming is a frame of the durable node, and what it does to the replica.
type incoming struct {
	frame proto.Frame
	step  *step
}

// errStandstill: more has come than a node keeps until the row is here that it waits for.
var errStandstill = fmt.Errorf("%w: too much has come while a row was asked for", ErrLimit)

// take stages what has come, or keeps it until the rows are here that it takes. It returns
// what has been staged.
func (q *standstill) take(ctx context.Context, d *draft, x *incoming) (staged []*incoming, err error) {
	if len(q.queue) == 0 {
		fits, err := d.fits(ctx, x.frame)
		if err != nil {
			return nil, err
		}
		if fits {
			return []*incoming{x}, x.step.stage(ctx, d)
		}
	}
	q.queue = append(q.queue, x)
	if q.bytes += x.size(); q.bytes > q.peer.node.limits.BacklogBytes {
		return nil, errStandstill
	}
	if m, ok := x.frame.(*proto.Rows); ok && m.Done {
		delete(q.asked, m.Sub)
	}
	if len(q.asked) > 0 {
		return nil, nil
	}
	missing, err := q.missing(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		q.ask(missing)
		return nil, nil
	}
	return q.end(ctx, d)
}

// end stages everything, as one change.
func (q *standstill) end(ctx context.Context, d *draft) (staged []*incoming, err error) {
	staged = q.queue
	q.queue, q.bytes = nil, 0
	var absent map[int][]id.EntityID
	d.answered, absent = q.answered(staged)
	defer func() { d.answered = nil }()
	for i, x := range staged {
		if err := x.step.stage(ctx, d); err != nil {
			return staged, err
		}
		for _, e := range absent[i] {
			delete(d.answered, e)
		}
	}
	d.current.Changes = joined(d.current.Changes)
	d.current.ID, d.current.Loose = id.TransactionID{}, true
	return staged, nil
}

// joined returns changes with each of an entity leading to what the last one leads to; where
// several lead from one state, one does.
func joined(changes []reactor.Change) []reactor.Change {
	type state struct {
		entity id.EntityID
		record *proto.Record
	}
	last, from := make(map[id.EntityID]*reactor.Change, len(changes)), make(map[state]bool, len(changes))
	for i := range changes {
		last[changes[i].Entity] = &changes[i]
	}
	out := make([]reactor.Change, 0, len(changes))
	for i := range changes {
		c := *last[changes[i].Entity]
		c.Before = changes[i].Before
		if s := (state{c.Entity, c.Before}); !from[s] {
			from[s] = true
			out = append(out, c)
		}
	}
	return out
}

// answered returns the revisions that answers tell of: up to these an update that does not fit is
// made up for. What is not there has the greatest, up to the last frame that says so: absent has
// those entities by the frame.
func (q *standstill) answered(frames []*incoming) (revs map[id.EntityID]uint64, absent map[int][]id.EntityID) {
	revs, absent = make(map[id.EntityID]uint64), make(map[int][]id.EntityID)
	last := make(map[id.EntityID]int)
	for i, x := range frames {
		if m, ok := x.frame.(*proto.Rows); ok {
			q.peer.named(m, func(e id.EntityID, rev uint64) { revs[e], last[e] = max(revs[e], rev), i })
		}
	}
	for e, rev := range revs {
		if rev == 0 {
			revs[e] = math.MaxUint64
			absent[last[e]] = append(absent[last[e]], e)
		}
	}
	return revs, absent
}

// ask asks for rows, in requests of their own: one that belongs to a subscription or a caller
// would end too early.
func (q *standstill) ask(missing map[id.EntityID]string) {
	byCollection := make(map[string][]id.EntityID)
	for e, collection := range missing {
		byCollection[collection] = append(byCollection[collection], e)
	}
	if q.asked == nil {
		q.asked = make(map[uint64]struct{})
	}
	for collection, entities := range byCollection {
		for len(entities) > 0 {
			page := entities[:min(len(entities), askAtOnce)]
			entities = entities[len(page):]
			q.asked[q.peer.get(collection, page, func(err error) {
				if err != nil {
					q.peer.lose(fmt.Errorf("rows that were asked for: %w", err))
				}
			})] = struct{}{}
		}
	}
}

// missing returns the rows, with their collections, that it would take to stage everything
// that has come.
func (q *standstill) missing(ctx context.Context, d *draft) (map[id.EntityID]string, error) {
	missing, revs := make(map[id.EntityID]string), make(map[id.EntityID]uint64)
	reach := func(e id.EntityID, rev uint64) {
		delete(missing, e)
		revs[e] = rev
	}
	at := func(e id.EntityID) (uint64, error) {
		if rev, ok := revs[e]; ok {
			return rev, nil
		}
		rec, err := d.record(ctx, e)
		if err != nil {
			return 0, err
		}
		return d.baseRev(rec.now), nil
	}
	for _, x := range q.queue {
		switch m := x.frame.(type) {
		case *proto.Rows:
			q.peer.named(m, func(e id.EntityID, rev uint64) { reach(e, max(revs[e], d.revision(rev))) })
		case *proto.Ack:
			for _, row := range m.Rows {
				rev, err := at(row.Entity)
				if err != nil {
					return nil, err
				}
				if to := d.revision(row.Rev); rev+1 == to {
					revs[row.Entity] = to
				}
			}
		case *proto.Update:
			for i := range m.Changes {
				c := &m.Changes[i]
				rev, err := at(c.Entity)
				if err != nil {
					return nil, err
				}
				switch to := d.revision(c.Rev); {
				case c.Kind == proto.RowGone:
					reach(c.Entity, 0)
				case c.Kind == proto.RowState || rev > 0 && rev+1 == to:
					reach(c.Entity, max(rev, to))
				case rev < to:
					missing[c.Entity] = c.Collection
				}
			}
		}
	}
	return missing, nil
}

// named calls f with what an answer says of rows: their revisions, or none of those that are
// not there.
func (p *peer) named(m *proto.Rows, f func(e id.EntityID, rev uint64)) {
	if r, ok := p.requests[m.Sub]; ok && m.Done {
		for e := range r.entities {
			if !slices.Contains(m.Same, e) { // of which updates have told
				f(e, 0)
			}
		}
	}
	for _, list := range [][]id.EntityID{m.Gone, m.Absent} {
		for _, e := range list {
			f(e, 0)
		}
	}
	for i := range m.Equal {
		f(m.Equal[i].Entity, m.Equal[i].Rev)
	}
	for i := range m.Rows {
		f(m.Rows[i].Entity, m.Rows[i].Rev)
	}
}

// fits reports whether a frame can be taken as it is: it is no update, or one of rows that
// this node holds as they were before.
func (d *draft) fits(ctx context.Context, f proto.Frame) (bool, error) {
	m, ok := f.(*proto.Update)
	if !ok {
		return true, nil
	}
	for i := range m.Changes {
		c := &m.Changes[i]
		if c.Kind != proto.RowPatch {
			continue
		}
		rec, err := d.record(ctx, c.Entity)
		if err != nil {
			return false, err
		}
		if rev, to := d.baseRev(rec.now), d.revision(c.Rev); rev < to && !d.follows(rec, rev, to) {
			return false, nil
		}
	}
	return true, nil
}

// follows reports whether a change that leads to one revision applies to what is held, which
// is of another.
func (d *draft) follows(rec *drafted, rev, to uint64) bool { return rec.now != nil && rev+1 == to }

// size is about how many bytes a frame takes while it waits.
func (x *incoming) size() int {
	const least = 256
	n := least
	switch m := x.frame.(type) {
	case *proto.Rows:
		n += (len(m.Same) + len(m.Gone) + len(m.Absent) + 2*len(m.Equal)) * id.Size
		for i := range m.Rows {
			n += m.Rows[i].State.Size()
		}
	case *proto.Update:
		for i := range m.Changes {
			n += (&proto.State{Head: m.Changes[i].Head, Properties: m.Changes[i].Properties}).Size()
		}
	}
	return n
}

package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/proto"
)

// upstream is one subscription.
type upstream struct {
	key        string
	collection string
	sel        *ankql.Selection
	users      map[*result]resultset.Side
	follows    bool // the selection follows references

	number   uint64                   // on the present connection; 0 while not subscribed
	answered bool                     // the answer is complete on the present connection
	asked    map[id.EntityID]struct{} // the rows that it did not name and that were asked for
	err      error                    // the durable node refuses it
	backoff  backoff                  // of asking again where it cannot answer
	held     []reactor.Change         // by the answer so far, to be published with its end
	complete bool                     // the answer lists every row
	unheld   bool                     // and was not held against the rows of a result that was being read
	listed   map[id.EntityID]struct{} // the rows that it lists
	support  map[id.EntityID]struct{} // what it says of entities that the rows refer to
}

// attach makes one side of a result follow the durable node; it has been answered locally.
func (r *replica) attach(res *result, of side) *upstream {
	key := res.extent.reading.collection + "\n" + of.sel.Key()
	up := r.upstreams.byKey[key]
	if up == nil {
		up = &upstream{key: key, collection: res.extent.reading.collection, sel: of.sel, follows: of.sel.FollowsReferences(), users: make(map[*result]resultset.Side), backoff: backoff{limits: &r.node.limits}}
		r.upstreams.byKey[key] = up
	}
	up.users[res] = of.side
	if up.err == nil && !up.answered && up.number == 0 && r.peer != nil {
		r.subscribe(up)
	}
	return up
}

// detach ends it; the last result to leave ends the subscription.
func (r *replica) detach(res *result, up *upstream) {
	delete(up.users, res)
	if len(up.users) > 0 {
		return
	}
	delete(r.upstreams.byKey, up.key)
	if up.number != 0 && r.peer != nil {
		delete(r.peer.subs, up.number)
		r.peer.out.must(&proto.Unsubscribe{Sub: up.number})
		if up.answered {
			r.upstreams.close(up)
		}
		r.release(up)
	}
}

// release publishes what an unfinished answer has brought so far.
func (r *replica) release(up *upstream) {
	held := up.held
	up.held, up.listed, up.support, up.complete = nil, nil, nil, false
	if len(held) == 0 {
		return
	}
	changes, err := heldBack(held, func(e id.EntityID) (*proto.Record, error) { return r.node.record(r.node.run.ctx, e) })
	if err != nil {
		r.node.opts.Listener.failed("release", err)
		changes = asBrought(held)
	}
	r.node.publish(&reactor.Transaction{Changes: changes, Named: make(map[id.EntityID]bool), Loose: true})
}

// subscribe asks the durable node for a selection's rows.
func (r *replica) subscribe(up *upstream) {
	if up.err = sendable(up.sel); up.err != nil {
		return // a window's position made it too long
	}
	text, params := up.sel.Text()
	m := &proto.Subscribe{Sub: r.peer.number(), Collection: up.collection, Text: text, Params: params}
	if i := r.upstreams.find(up.hashed()); i >= 0 && up.resumes() {
		m.After = r.upstreams.cursors[i].at
	}
	if len(m.After) == 0 {
		m.Known = r.known(up)
	}
	up.number, up.answered, up.asked, up.complete, up.unheld = m.Sub, false, nil, false, false
	up.listed, up.support = make(map[id.EntityID]struct{}), nil
	r.peer.subs[m.Sub] = up
	r.peer.out.must(m)
}

// resumes reports whether the selection is in step by a position of the feed: of a window, and
// of what follows references, a position does not tell what to send.
func (up *upstream) resumes() bool { return up.sel.Limit < 0 && !up.follows }

// known returns the rows of a selection that its queries hold.
func (r *replica) known(up *upstream) (known []proto.KnownRow) {
	know := func(row *proto.Record) {
		if row != nil && row.BaseRev > 0 && len(known) < r.node.limits.Known {
			k := proto.KnownRow{Entity: row.Entity, Rev: r.theirs(row)}
			if k.Rev == 0 {
				k.Head = base(row).Head.Fingerprint()
			}
			known = append(known, k)
		}
	}
	for res, side := range up.users {
		rows := up.rows(res, side)
		for _, row := range rows {
			know(row)
		}
		r.referred(res, rows, func(_ *proto.Record, x referred) { know(x.record) })
		break // all results of one upstream hold much the same
	}
	return known
}

// rows returns the rows that a result holds and the upstream is about.
func (up *upstream) rows(res *result, side resultset.Side) []*proto.Record {
	if !res.extent.reading.restated {
		return res.set.Held(side)
	}
	rows := slices.Concat(res.set.Held(resultset.Before), res.set.Held(resultset.After))
	return slices.DeleteFunc(rows, func(row *proto.Record) bool { return !up.sel.MatchesWith(row, res.node.shown) })
}

// tell has the results look at how the upstream is doing.
func (up *upstream) tell() {
	for res := range up.users {
		res.followed()
	}
}

// list notes what a complete answer names.
func (up *upstream) list(m *proto.Rows) {
	list := &up.listed
	switch {
	case m.Complete:
		up.complete = true
	case up.follows:
		list = &up.support
	default:
		return
	}
	if *list == nil {
		*list = make(map[id.EntityID]struct{})
	}
	for i := range m.Rows {
		(*list)[m.Rows[i].Entity] = struct{}{}
	}
	for _, e := range m.Same {
		(*list)[e] = struct{}{}
	}
	for i := range m.Equal {
		(*list)[m.Equal[i].Entity] = struct{}{}
	}
}

// answered ends an answer, on the loop, once it is stored and published. Rows that match
// here and were not named are asked for, since the durable node knows them otherwise;
// then the queries are live.
func (r *replica) answered(up *upstream) {
	stale := r.stale(up)
	if stale.empty() {
		up.listed, up.support, up.asked, up.complete = nil, nil, nil, false
		r.live(up)
		return
	}
	p, number := r.peer, up.number
	p.askAll(stale.byCollection, func(err error) {
		switch {
		case err != nil:
			p.lose(fmt.Errorf("rows that were asked for: %w", err))
		case up.number == number:
			if up.asked == nil {
				up.asked = make(map[id.EntityID]struct{}, len(stale.seen))
			}
			for e := range stale.seen {
				up.asked[e] = struct{}{}
			}
			r.answered(up) // storage may have filled the window with others
		}
	})
}

func (r *replica) live(up *upstream) {
	up.answered, up.err = true, nil
	up.backoff.reset()
	if up.resumes() && !up.unheld { // else rows may be here that are to go
		r.upstreams.open(up)
		r.peer.confirm()
	}
	up.tell()
}

// stale returns the rows that the results hold although a complete answer does not name
// them, with what they refer to; and what rows refer to that it does name, where this node
// holds something that the answer does not speak of. Of a window only rows before the
// answer's last say anything, and nothing where it has moved on since. Rows that match by what
// this node did, and that acknowledged transactions wait for, no answer need speak of.
func (r *replica) stale(up *upstream) *wanted {
	list := &wanted{}
	in := func(set map[id.EntityID]struct{}, e id.EntityID) bool { _, found := set[e]; return found }
	r.outbox.awaited(func(e id.EntityID) {
		for res := range up.users {
			if row, held := res.set.Get(e); held && !list.seen[e] && !in(up.asked, e) {
				list.add(row.Collection, e)
			}
		}
	})
	if !up.complete {
		return list
	}
	for res, side := range up.users {
		res.strayed = res.strayed || res.filling // what is being read has rows of its own
		if res.strayed {
			up.unheld = true
			continue
		}
		rows := up.rows(res, side)
		if up.sel.Limit >= 0 && len(up.listed) >= up.sel.Limit {
			rows = rows[:throughListed(rows, up.listed)]
		}
		for _, row := range rows {
			if row.BaseRev > 0 && !in(up.listed, row.Entity) && !in(up.asked, row.Entity) && !list.seen[row.Entity] {
				list.add(row.Collection, row.Entity)
			}
		}
		if up.follows {
			rows = r.unheld(res, slices.Clip(rows), up.listed)
		}
		r.referred(res, rows, func(row *proto.Record, x referred) {
			spoken := in(up.listed, row.Entity) && (x.record == nil || in(up.support, x.entity) || in(up.listed, x.entity))
			if !spoken && !in(up.asked, x.entity) {
				r.want(list, x)
			}
		})
	}
	return list
}

// unheld appends, to the rows that a result holds, those that are listed and that it does not
// take to match: perhaps by something old behind a reference.
func (r *replica) unheld(res *result, rows []*proto.Record, listed map[id.EntityID]struct{}) []*proto.Record {
	var missing []id.EntityID
	for e := range listed {
		if _, held := res.set.Get(e); !held {
			missing = append(missing, e)
		}
	}
	r.node.shown.load(missing)
	for _, e := range missing {
		if row := visible(r.node.shown.record(e)); row != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

// throughListed returns how many rows there are up to the last one that is listed.
func throughListed(rows []*proto.Record, listed map[id.EntityID]struct{}) int {
	for i, r := range slices.Backward(rows) {
		if _, ok := listed[r.Entity]; ok {
			return i + 1
		}
	}
	return 0
}

// refused takes the durable node's word that it does not serve a subscription. Where that
// is not about the subscription, it asks again after a pause.
func (r *replica) refused(up *upstream, err error) {
	up.err, up.answered = err, false
	r.upstreams.drop(up)
	up.tell()
	if !temporary(KindOf(err)) {
		return
	}
	p, number := r.peer, up.number
	r.node.later(up.backoff.next(), func() {
		if r.peer == p && up.number == number && r.upstreams.byKey[up.key] == up {
			delete(p.subs, number)
			r.subscribe(up)
		}
	})
}

// fetch answers a one-time selection: through a live query that is closed when it is
// live, or local while there is no connection to wait for.
func (r *replica) fetch(ctx context.Context, c *Context, collection string, s *ankql.Selection) ([]*View, error) {
	q, err := c.Query(collection, s)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	settled := make(chan struct{}, 1)
	check := func() {
		switch q.Status() {
		case QueryLive, QueryError:
			signal(settled)
		case QueryLocal:
			if r.node.Status().Connection == Offline {
				signal(settled)
			}
		}
	}
	defer r.node.OnStatus(func(Status) { check() })()
	defer q.Subscribe(func(*ChangeSet) { check() })()
	select {
	case <-settled:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.node.run.ctx.Done():
		return nil, ErrClosed
	}
	if err := q.Err(); err != nil {
		return nil, err
	}
	return q.Rows(), nil
}

package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/internal/sha256"
	"github.com/ankurah-go/ankurah/proto"
)

// upstreams is what an ephemeral node subscribes to at its durable node: one subscription
// for all live queries that need the same rows. It belongs to the loop.
type upstreams struct {
	replica *replica
	byKey   map[string]*upstream
	cursors []cursor // of selections, least recently used first
	dirty   bool     // cursors differ from what is stored
}

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
	listed   map[id.EntityID]struct{} // the rows that it lists
	support  map[id.EntityID]struct{} // what it says of entities that the rows refer to
}

func (u *upstreams) init(r *replica) {
	u.replica = r
	u.byKey = make(map[string]*upstream)
}

// load reads the cursors. Selections that were open when the node stopped are in step
// with the position that was stored last.
func (u *upstreams) load(stored []byte, position proto.Position) (err error) {
	u.cursors, err = decodeCursors(stored, u.replica.node.limits.Cursors)
	u.freeze(position)
	return err
}

// freeze notes that what was open is in step up to a position and no further.
func (u *upstreams) freeze(position proto.Position) {
	for i := range u.cursors {
		if len(u.cursors[i].at) == 0 {
			u.cursors[i].at = position
			u.dirty = true
		}
	}
	// Before the first position there is nothing to resume from.
	u.cursors = slices.DeleteFunc(u.cursors, func(c cursor) bool { return len(c.at) == 0 })
}

// forget drops all cursors.
func (u *upstreams) forget() { u.cursors, u.dirty = nil, true }

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

// hashed returns the cursor key of an upstream.
func (up *upstream) hashed() string {
	sum := sha256.Sum256([]byte(up.key))
	return string(sum[:16])
}

func (u *upstreams) find(key string) int {
	return slices.IndexFunc(u.cursors, func(c cursor) bool { return c.key == key })
}

// open notes that a selection is in step with the connection's position from now on. It
// is stored with the next position.
func (u *upstreams) open(up *upstream) { u.set(up.hashed(), nil) }

// drop forgets how far a selection was in step.
func (u *upstreams) drop(up *upstream) {
	if i := u.find(up.hashed()); i >= 0 && len(u.cursors[i].at) == 0 {
		u.cursors = slices.Delete(u.cursors, i, i+1)
		u.dirty = true
	}
}

// close notes up to where a selection was in step.
func (u *upstreams) close(up *upstream) {
	switch i := u.find(up.hashed()); {
	case i < 0:
	case len(u.replica.position) > 0:
		u.set(up.hashed(), u.replica.position)
	default: // there is nothing to resume from
		u.cursors = slices.Delete(u.cursors, i, i+1)
		u.dirty = true
	}
}

func (u *upstreams) set(key string, at proto.Position) {
	if i := u.find(key); i >= 0 {
		u.cursors = slices.Delete(u.cursors, i, i+1)
	} else if len(u.cursors) >= u.replica.node.limits.Cursors {
		u.cursors = slices.Delete(u.cursors, 0, 1)
	}
	u.cursors = append(u.cursors, cursor{key, at})
	u.dirty = true
}

// disconnected freezes what was in step.
func (u *upstreams) disconnected() {
	u.freeze(u.replica.position)
	for _, up := range u.byKey {
		u.replica.release(up)
		up.number, up.answered, up.err = 0, false, nil
	}
	for _, up := range values(u.byKey) {
		up.tell()
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
	r.node.publish(&reactor.Transaction{Changes: changes, Loose: true})
}

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
	up.number, up.answered, up.asked, up.complete = m.Sub, false, nil, false
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

// rows takes part of an answer. What it brings is stored at once, and published when the
// answer is complete, so that nobody sees half of it.
func (d *draft) rows(ctx context.Context, up *upstream, m *proto.Rows) error {
	d.hold, d.held = true, nil
	defer func() { d.hold = false }()
	for i := range m.Rows {
		if err := d.confirm(ctx, m.Collection, &m.Rows[i]); err != nil {
			return err
		}
	}
	for _, e := range m.Gone {
		if err := d.forget(ctx, m.Collection, e); err != nil {
			return err
		}
	}
	for i := range m.Equal {
		if err := d.equal(ctx, &m.Equal[i]); err != nil {
			return err
		}
	}
	for _, e := range m.Absent {
		if err := d.absent(ctx, m.Collection, e); err != nil {
			return err
		}
	}
	if up == nil {
		return d.publishHeld(ctx, d.held)
	}
	held := up.held
	d.undo = append(d.undo, func() { up.held = held })
	d.edits++
	up.list(m)
	up.held = append(held, d.held...)
	if !m.Done {
		return nil
	}
	defer func() { up.held = nil }()
	return d.publishHeld(ctx, up.held)
}

func (d *draft) publishHeld(ctx context.Context, held []reactor.Change) error {
	changes, err := heldBack(held, func(e id.EntityID) (*proto.Record, error) {
		rec, err := d.record(ctx, e)
		if err != nil {
			return nil, err
		}
		return rec.now, nil
	})
	d.current.Changes = append(d.current.Changes, changes...)
	d.current.Loose = true // they could be read before
	return err
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

// advance notes the position up to which the open selections are in step. While rows are being asked for because an update did not fit, they are not.
func (d *draft) advance(to proto.Position) {
	if d.gap || d.peer.gaps > 0 {
		return
	}
	if len(to) == 0 {
		to = d.position
	} else {
		d.ahead.now = false
	}
	if d.upstreams.dirty || !to.Equal(d.position) {
		d.position = to
		d.savePosition()
	}
}

// savePosition stores the position and the cursors. One that says "open" follows the
// stored position.
func (d *draft) savePosition() {
	d.meta(metaPosition, encodePosition(d.position))
	if d.upstreams.dirty {
		d.upstreams.dirty = false
		d.meta(metaCursors, encodeCursors(d.upstreams.cursors))
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
	if up.resumes() {
		r.upstreams.open(up)
		r.peer.confirm()
	}
	up.tell()
}

// stale returns the rows that the results hold although a complete answer does not name
// them, with what they refer to; and what rows refer to that it does name, where this node
// holds something that the answer does not speak of. Of a window only rows before the
// answer's last say anything, and nothing where it has moved on since.
func (r *replica) stale(up *upstream) *wanted {
	list := &wanted{}
	if !up.complete {
		return list
	}
	in := func(set map[id.EntityID]struct{}, e id.EntityID) bool { _, found := set[e]; return found }
	for res, side := range up.users {
		if res.strayed {
			continue
		}
		rows := up.rows(res, side)
		if up.sel.Limit >= 0 && len(up.listed) >= up.sel.Limit {
			rows = rows[:throughListed(rows, up.listed)]
		}
		for _, row := range rows {
			if row.BaseRev > 0 && !in(up.listed, row.Entity) && !in(up.asked, row.Entity) {
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

// update takes a transaction of the durable node's feed.
func (d *draft) update(ctx context.Context, m *proto.Update) (missing map[string][]id.EntityID, err error) {
	own := d.outbox.byTx[m.Transaction]
	d.current.ID = m.Transaction
	if d.node.reactor.Follows() && d.current.Named == nil {
		d.current.Named = make(map[id.EntityID]bool, len(m.Changes))
	}
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

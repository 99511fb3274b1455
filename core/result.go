package core

import (
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/proto"
)

// results is what a node keeps true for its live queries. It belongs to the loop.
type results struct {
	node   *Node
	shared map[string]*result // by extent.key; those that cannot be shared are not in it
}

func (s *results) init(n *Node) { s.node, s.shared = n, make(map[string]*result) }

// join gives a query the result of an extent: the one that there is, whose rows it shows at
// once, or a new one.
func (s *results) join(q *LiveQuery, x *extent) {
	r := s.shared[x.key]
	if x.key == "" || r == nil {
		r = &result{node: s.node, extent: x, shown: &shown{}, backoff: backoff{limits: &s.node.limits}}
		s.enter(r)
		defer r.start()
	}
	q.result = r
	r.queries = append(r.queries, q)
	switch {
	case r.answered:
		q.adopt(r, r.told(resultset.Diff(q.present().rows, r.shown.rows), ChangeInitial))
	case r.status == QueryError:
		q.answer(r.err)
		q.setStatus(r.status, r.err)
	}
}

func (s *results) enter(r *result) {
	if r.extent.key != "" {
		s.shared[r.extent.key] = r
	}
}

func (s *results) remove(r *result) {
	if s.shared[r.extent.key] == r {
		delete(s.shared, r.extent.key)
	}
}

// result is the rows of an extent, kept true for all live queries that ask for the same. It
// lives as long as one of them does. It belongs to the loop.
type result struct {
	node    *Node
	extent  *extent
	queries []*LiveQuery // in the order in which they came
	shown   *shown
	status  QueryStatus
	err     error

	set        *resultset.Set // nil before the first answer
	answered   bool           // there was one
	watch      *reactor.Watch
	generation int // of scans
	filling    bool
	buffer     []reactor.Change    // published while a first scan is under way
	began      bool                // the set is inside a transaction
	touched    []id.EntityID       // in that transaction, where references are followed
	entered    []*proto.Record     // in that transaction, by what they refer to
	withheld   map[id.EntityID]int // rows that are asked for before they are shown, by how often
	backoff    backoff             // of reading again after storage failed

	upstreams []*upstream // of an ephemeral node: what it takes to be in step
	strayed   bool        // the window has moved since they were opened
	doubts    int         // requests for rows of which their answers tell nothing
}

// leave takes a query away; the last one ends the result.
func (r *result) leave(q *LiveQuery) {
	q.result = nil
	r.queries = slices.DeleteFunc(r.queries, func(x *LiveQuery) bool { return x == q })
	if len(r.queries) > 0 {
		return
	}
	r.node.results.remove(r)
	r.stopWatching()
	r.generation++
	r.buffer = nil
	r.detach()
}

func (r *result) stopWatching() {
	if r.watch != nil {
		r.watch.Stop()
		r.watch = nil
	}
}

// start watches, then scans (law L9): what is published meanwhile is buffered.
func (r *result) start() {
	x := r.extent
	r.watch = x.reading.watch(r)
	r.filling, r.buffer = true, nil
	generation := r.generation
	r.node.run.start(func(ctx context.Context) {
		set := x.newSet()
		err := x.reading.first(ctx, func(at *moment) error { return x.fill(at, set) })
		r.node.loop.post(func() {
			if generation == r.generation {
				r.filled(set, err)
			}
		})
	})
}

// filled takes a first scan's result.
func (r *result) filled(set *resultset.Set, err error) {
	if err == nil {
		for _, c := range r.extent.reading.caughtUp(r.buffer) {
			r.apply(set, &c)
		}
		r.buffer = nil
		err = r.extent.fill(r.node.shown, set)
	}
	if err != nil {
		for _, q := range r.queries {
			q.answer(err)
		}
		r.setStatus(QueryError, err)
		r.again(err)
		return
	}
	r.filling, r.answered, r.set = false, true, set
	r.backoff.reset()
	r.status, r.err = QueryLive, nil
	if !r.node.opts.Durable {
		r.status = QueryLocal
	}
	r.show()
	for _, q := range slices.Clone(r.queries) {
		q.adopt(r, r.told(resultset.Diff(q.present().rows, r.shown.rows), ChangeInitial))
	}
	r.attach()
}

// show takes the rows of the set for those that are shown from now on.
func (r *result) show() {
	r.shown = &shown{rows: r.set.Rows()}
	r.shown.window = r.extent.state(r.shown.rows)
}

// told returns changes as subscribers hear of them; added is how rows that came are called.
func (r *result) told(changes []resultset.Change, added ChangeKind) []Change {
	list := make([]Change, 0, len(changes))
	for _, c := range changes {
		kind := ChangeUpdated
		if c.Same && !c.Restated && c.From == c.To {
			continue // nobody sees a difference: only its head is another
		}
		switch c.Kind {
		case resultset.Added:
			kind = added
		case resultset.Removed:
			kind = ChangeRemoved
		}
		list = append(list, Change{kind, c.Entity, newView(c.Row), c.From, c.To, c.Same})
	}
	return list
}

// again reads everything anew after a pause, since reading failed. Until then what is
// published is not looked at.
func (r *result) again(cause error) {
	r.node.opts.Listener.failed("live query", cause)
	r.stopWatching()
	r.filling, r.began, r.buffer = true, false, nil
	r.generation++
	generation := r.generation
	r.node.later(r.backoff.next(), func() {
		if generation == r.generation {
			r.start()
		}
	})
}

// Touch implements reactor.Watcher.
func (r *result) Touch(_ *reactor.Watch, c *reactor.Change, _, _ bool) {
	defer r.survive()
	if r.filling {
		r.buffer = buffered(r.buffer, c)
		return
	}
	if !r.began {
		r.set.Begin()
		r.began, r.touched, r.entered = true, nil, nil
	}
	if r.extent.reading.follows() {
		r.touched = append(r.touched, c.Entity)
		r.enters(c)
	}
	if held, ok := r.set.Get(c.Entity); ok {
		c = asHeld(c, held)
	}
	r.apply(r.set, c)
}

// asHeld returns the change of a row that is held. Where the row itself did not change it was
// read of storage, and may be of a lesser revision: showing a row again that storage has not taken
// gives it a new one.
func asHeld(c *reactor.Change, held *proto.Record) *reactor.Change {
	if !c.Derived() || held.Rev <= c.Rev || !held.State.Head.Equal(c.After.State.Head) {
		return c
	}
	again := *c
	again.Rev, again.Before, again.After, again.Stored = held.Rev, held, held, held
	return &again
}

func (r *result) apply(set *resultset.Set, c *reactor.Change) {
	from := r.extent.reading.now()
	if c.After != nil && r.extent.reading.matches(c.After, from) {
		set.Follow(from)
		set.Put(c.After)
	} else {
		set.Remove(c.Entity, c.Rev)
	}
}

// Lost implements reactor.Follower: storage failed while a transaction was published.
func (r *result) Lost(_ *reactor.Watch, err error) {
	r.setStatus(QueryError, err)
	r.again(err)
}

// survive keeps a defect of the policy agent, which judges rows, to this result.
func (r *result) survive() {
	if cause := recover(); cause != nil {
		err := recovered("judging a row", cause)
		r.setStatus(QueryError, err)
		r.again(err)
	}
}

// Settle implements reactor.Watcher.
func (r *result) Settle(t *reactor.Transaction) {
	if r.filling || !r.began {
		return
	}
	defer r.survive()
	r.began = false
	withheld := r.withhold(t)
	if r.end(t) && len(withheld) > 0 {
		r.inquire(t, withheld)
	}
}

// end fills the set and shows what it has become since it began, by a transaction if t is not
// nil. It is false if the result is to be read again.
func (r *result) end(t *reactor.Transaction) bool {
	failed := r.extent.fill(r.node.shown, r.set)
	changes := r.set.End()
	if failed != nil {
		r.emit(QueryError, failed, changes, ChangeAdded)
		r.again(failed)
		return false
	}
	status := r.status
	if t != nil && r.verify(t, changes) && status == QueryLive {
		status = QueryLocal
	}
	if len(changes) > 0 || !sameState(r.extent.state(r.set.Rows()), r.shown.window) {
		r.emit(status, r.err, changes, ChangeAdded)
	}
	return true
}

// movesTo reports whether the result can become that of another extent in place: it is one
// query's only, and shows another window of the same rows.
func (r *result) movesTo(x *extent) bool {
	return len(r.queries) == 1 && !r.filling && x.window != nil && r.node.results.shared[x.key] == nil &&
		x.reading.sel.Key() == r.extent.reading.sel.Key()
}

// move moves the window.
func (r *result) move(x *extent) {
	r.node.results.remove(r)
	r.extent = x
	r.node.results.enter(r)
	r.set.Begin()
	r.set.Move(x.place)
	err := x.fill(r.node.shown, r.set)
	changes := r.set.End()
	q := r.queries[0]
	if err != nil {
		q.answer(err)
		r.emit(QueryError, err, changes, ChangeInitial)
		r.again(err)
		return
	}
	status := QueryLive
	if !r.node.opts.Durable {
		status = QueryLocal
	}
	r.emit(status, nil, changes, ChangeInitial)
	q.answer(nil)
	r.attach()
}

// verify asks the durable node for rows that came into a live window from storage and not
// with the transaction: the durable node tells of the rows of its own window only, and
// what left that may have changed since. Where references are followed it is so without a
// window too (see doubted). It reports whether the result is not live before they are here.
func (r *result) verify(t *reactor.Transaction, changes []resultset.Change) (doubt bool) {
	follows := r.extent.reading.follows()
	if !r.inStep() || r.upstreams[0].sel.Limit < 0 && !follows {
		return false
	}
	told := make(map[id.EntityID]bool, len(t.Changes))
	for i := range t.Changes {
		told[t.Changes[i].Entity] = true
	}
	list := &wanted{}
	var added []*proto.Record
	for _, c := range changes {
		if c.Kind != resultset.Added {
			continue
		}
		added = append(added, c.Row)
		if !told[c.Entity] && !t.Named[c.Entity] && c.Row.BaseRev > 0 {
			list.add(c.Row.Collection, c.Entity)
		}
	}
	doubt = follows && t.Named != nil && !list.empty()
	if follows {
		r.doubted(t, added, list)
	}
	if doubt {
		r.await(list)
	} else {
		r.node.replica.peer.askFor(list.byCollection)
	}
	return doubt
}

func sameState(a, b *WindowState) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// setStatus tells of a status that comes without changes.
func (r *result) setStatus(status QueryStatus, err error) {
	r.status, r.err = status, err
	for _, q := range slices.Clone(r.queries) {
		q.setStatus(status, err)
	}
}

// emit tells the queries; added is how rows that came are called.
func (r *result) emit(status QueryStatus, err error, changes []resultset.Change, added ChangeKind) {
	before, told := r.shown.window, r.told(changes, added)
	silent := len(told) == 0 && status == r.status && err == r.err
	r.status, r.err = status, err
	r.show()
	silent = silent && sameState(before, r.shown.window)
	for _, q := range slices.Clone(r.queries) {
		if silent {
			q.refresh(r.shown)
		} else {
			q.emit(status, err, r.shown, told)
		}
	}
}

// How the result follows the durable node, on an ephemeral node.

// attach makes the rows follow the durable node; they have been answered locally. While an
// answer is on its way, a window that moves on does not ask anew for each step.
func (r *result) attach() {
	replica := r.node.replica
	if replica == nil {
		return
	}
	strayed := r.strayed
	if r.strayed = r.asking(); r.strayed {
		return
	}
	before := r.upstreams
	r.upstreams = nil
	for _, side := range r.extent.sides() {
		up := replica.attach(r, side)
		r.upstreams = append(r.upstreams, up)
		if strayed && up.answered && slices.Contains(before, up) {
			r.doubt(side.side) // nobody held the answer against the rows, which had moved on
		}
	}
	for _, up := range before {
		if !slices.Contains(r.upstreams, up) {
			replica.detach(r, up)
		}
	}
	r.followed()
}

// doubt asks for the rows held on a side, and for what they refer to, whatever is known of them.
// Until they are here, the result is not live.
func (r *result) doubt(side resultset.Side) {
	replica, list := r.node.replica, &wanted{}
	rows := r.set.Held(side)
	for _, row := range rows {
		if row.BaseRev > 0 {
			list.add(row.Collection, row.Entity)
		}
	}
	replica.referred(r, rows, func(_ *proto.Record, x referred) { replica.want(list, x) })
	if list.empty() || replica.peer == nil {
		return
	}
	r.await(list)
}

// await asks for entities without which the result is not live.
func (r *result) await(list *wanted) {
	r.doubts++
	r.node.replica.peer.askForAll(list.byCollection, func() {
		if r.doubts--; r.doubts == 0 && len(r.queries) > 0 {
			r.followed()
		}
	})
}

// reattach has the results that ask for the rows' Sync follow the rows that are refused now.
func (s *results) reattach() {
	for _, r := range s.shared {
		if r.extent.reading.restated && r.answered {
			r.attach()
		}
	}
}

func (r *result) detach() {
	for _, up := range r.upstreams {
		r.node.replica.detach(r, up)
	}
	r.upstreams = nil
}

// asking reports whether an answer is on its way.
func (r *result) asking() bool {
	return r.node.replica.peer != nil && slices.ContainsFunc(r.upstreams, func(up *upstream) bool {
		return up.number != 0 && !up.answered && up.err == nil
	})
}

// inStep reports whether the durable node keeps all of the rows in step.
func (r *result) inStep() bool {
	return len(r.upstreams) > 0 && !r.strayed && !slices.ContainsFunc(r.upstreams, func(up *upstream) bool { return !up.answered })
}

// followed takes in that something has changed about the upstreams.
func (r *result) followed() {
	if r.filling {
		return // it is read again, and then this is looked at
	}
	if r.strayed && !r.asking() {
		r.attach()
		return
	}
	status, err := QueryLocal, error(nil)
	if r.inStep() && r.doubts == 0 {
		status = QueryLive
	}
	for _, up := range r.upstreams {
		if up.err != nil {
			status, err = QueryError, up.err
		}
	}
	if status != r.status || err != r.err {
		r.setStatus(status, err)
	}
}

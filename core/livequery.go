package core

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/proto"
)

// QueryStatus is how far a live query's rows can be trusted.
type QueryStatus uint8

// The statuses of a live query.
const (
	QueryLoading QueryStatus = iota // nothing has been read yet
	QueryLocal                      // answered from this node's data
	QueryLive                       // the durable node has confirmed it, and keeps it in step
	QueryError                      // it cannot be answered; Err says why. Rows are the last known.
)

var queryStatusNames = [...]string{"loading", "local", "live", "error"}

// String returns the status's name, as TypeScript has it.
func (s QueryStatus) String() string { return queryStatusNames[s] }

// ChangeKind is what happened to a row's membership in a result.
type ChangeKind uint8

// The kinds of changes.
const (
	ChangeInitial ChangeKind = iota // there when the query, or its new selection, was first answered
	ChangeAdded
	ChangeUpdated
	ChangeRemoved
)

var changeKindNames = [...]string{"initial", "added", "updated", "removed"}

// String returns the kind's name.
func (k ChangeKind) String() string { return changeKindNames[k] }

// Change is one step from the rows before to the rows after: take away the row at From,
// unless that is negative; then put View at To, unless that is negative.
type Change struct {
	Kind     ChangeKind
	Entity   id.EntityID
	View     *View // nil when removed
	From, To int
	Same     bool // updated, and every property reads as before: it was acknowledged, say
}

// ChangeSet is what one transaction, or a change of the selection or the status, did to
// a live query.
type ChangeSet struct {
	Version uint64 // counts the query's change sets
	Status  QueryStatus
	Err     error
	Changes []Change
}

// LiveQuery is a selection that stays true: its rows change as entities do.
type LiveQuery struct {
	node       *Node
	principal  policy.Principal
	collection string

	mu struct {
		sync.Mutex
		sel     *reading
		set     *resultset.Set // changed on the loop only
		shown   []*proto.Record
		fresh   bool // shown is what set has
		status  QueryStatus
		err     error
		version uint64
		next    int
		subs    map[int]*subscriber
		closed  bool
	}

	// The rest belongs to the loop.
	watch      *reactor.Watch
	generation int // of the selection
	filling    bool
	buffer     []reactor.Change // published while the first scan is under way
	upstream   *upstream
	began      bool // the set is inside a transaction
	waiters    []chan error
	backoff    backoff // of reading again after storage failed
}

// subscriber is a callback. Its mutex lets the first call, with the rows so far, end
// before the next begins.
type subscriber struct {
	mu   sync.Mutex
	call func(*ChangeSet)
}

// Query opens a live query. It returns at once; the rows follow. An invalid selection is
// an error here, of KindSelection with the position.
func (c *Context) Query(collection string, s *ankql.Selection) (_ *LiveQuery, err error) {
	defer wrap(&err, "query")
	checked, err := c.node.prepare(c.principal, collection, s)
	if err != nil {
		return nil, err
	}
	q := &LiveQuery{node: c.node, principal: c.principal, collection: collection, backoff: backoff{limits: &c.node.limits}}
	q.mu.sel = c.node.reading(c.principal, collection, checked)
	q.mu.set = resultset.New(checked)
	q.mu.subs = make(map[int]*subscriber)
	if !c.node.loop.post(q.start) {
		return nil, ErrClosed
	}
	return q, nil
}

// Rows returns the rows in order.
func (q *LiveQuery) Rows() []*View {
	q.mu.Lock()
	defer q.mu.Unlock()
	return views(q.rowsLocked())
}

func (q *LiveQuery) rowsLocked() []*proto.Record {
	if !q.mu.fresh {
		q.mu.shown, q.mu.fresh = q.mu.set.Rows(), true
	}
	return q.mu.shown
}

// Selection returns the selection in force, checked and narrowed.
func (q *LiveQuery) Selection() *ankql.Selection {
	return q.reading().sel
}

func (q *LiveQuery) reading() *reading {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.sel
}

// Status returns how far the rows can be trusted.
func (q *LiveQuery) Status() QueryStatus {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.status
}

// Err returns why the status is QueryError, else nil.
func (q *LiveQuery) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.err
}

// Subscribe calls f, before it returns, with the rows so far as initial changes, and then
// with every change set, in order, until stop; a call in progress is not waited for. f
// runs on the node's loop: it must return soon, and must not call what waits for the node
// (Commit, SetSelection). It may call stop and Close.
func (q *LiveQuery) Subscribe(f func(*ChangeSet)) (stop func()) {
	s := &subscriber{call: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	q.mu.Lock()
	key := q.mu.next
	q.mu.next++
	q.mu.subs[key] = s
	first := &ChangeSet{Version: q.mu.version, Status: q.mu.status, Err: q.mu.err}
	for i, r := range q.rowsLocked() {
		first.Changes = append(first.Changes, Change{ChangeInitial, r.Entity, newView(r), -1, i, false})
	}
	q.mu.Unlock()
	f(first)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.mu.subs, key)
	}
}

// SetSelection changes the selection in place, and returns when the rows are those of the
// new one (or of one set later still). What left is removed, what came is initial, what
// stays is not named. An invalid selection is an error and leaves the old one in force.
func (q *LiveQuery) SetSelection(ctx context.Context, s *ankql.Selection) (err error) {
	defer wrap(&err, "set selection")
	checked, err := q.node.prepare(q.principal, q.collection, s)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	sel := q.node.reading(q.principal, q.collection, checked)
	if !q.node.loop.post(func() { q.reselect(sel, done) }) {
		return ErrClosed
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-q.node.run.ctx.Done():
		return ErrClosed
	}
}

// Close ends the query and releases what it holds here and on the durable node. It does
// not wait for a callback in progress; no other is called any more.
func (q *LiveQuery) Close() {
	q.mu.Lock()
	q.mu.closed = true
	clear(q.mu.subs)
	q.mu.Unlock()
	q.node.loop.release(q.release)
}

func (q *LiveQuery) closedNow() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.closed
}

// What follows runs on the loop.

func (q *LiveQuery) release() {
	if q.watch != nil {
		q.watch.Stop()
		q.watch = nil
	}
	q.detach()
	q.generation++
	q.buffer = nil
	q.answerWaiters(ErrClosed)
}

func (q *LiveQuery) detach() {
	if q.upstream != nil {
		q.node.replica.detach(q)
	}
}

func (q *LiveQuery) answerWaiters(err error) {
	for _, w := range q.waiters {
		w <- err
	}
	q.waiters = nil
}

// start watches, then scans (law L9): what is published meanwhile is buffered.
func (q *LiveQuery) start() {
	if q.closedNow() {
		return
	}
	sel := q.reading()
	q.watch = sel.watch(q)
	q.filling = true
	q.buffer = nil
	generation := q.generation
	q.node.run.start(func(ctx context.Context) {
		set := resultset.New(sel.sel)
		err := sel.first(ctx, func(at *moment) error { return q.fill(at, set) })
		q.node.loop.post(func() { q.filled(generation, set, err) })
	})
}

// fill scans what the set needs. Only the loop changes a set that is shown; mu keeps its
// readers off meanwhile.
func (q *LiveQuery) fill(at *moment, set *resultset.Set) error {
	q.mu.Lock()
	after, want := set.Need()
	sel := q.mu.sel
	q.mu.Unlock()
	if want == 0 {
		return nil
	}
	rows, more, err := sel.scan(at, after, want)
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	set.Follow(sel.resolver(at))
	set.Fill(rows, more)
	return at.err
}

// filled takes the first scan's result.
func (q *LiveQuery) filled(generation int, set *resultset.Set, err error) {
	if generation != q.generation || q.closedNow() {
		return
	}
	if err == nil {
		for _, c := range q.reading().caughtUp(q.buffer) {
			q.apply(set, &c)
		}
		q.buffer = nil
		err = q.refill(set)
	}
	if err != nil {
		q.answerWaiters(err)
		q.setStatus(QueryError, err)
		q.again(err)
		return
	}
	q.filling = false
	q.backoff.reset()
	q.mu.Lock()
	before := q.rowsLocked()
	q.mu.set = set
	changes := resultset.Diff(before, set.Rows())
	q.mu.Unlock()
	status := QueryLive
	if !q.node.opts.Durable {
		status = QueryLocal
	}
	q.emit(status, nil, changes, ChangeInitial)
	q.answerWaiters(nil)
	if q.node.replica != nil {
		q.node.replica.attach(q)
	}
}

// again reads everything anew after a pause, since reading failed. Until then what is
// published is not looked at.
func (q *LiveQuery) again(cause error) {
	q.node.opts.Listener.failed("live query", cause)
	if q.watch != nil {
		q.watch.Stop()
	}
	q.filling, q.began, q.buffer = true, false, nil
	q.generation++
	generation := q.generation
	q.node.later(q.backoff.next(), func() {
		if generation == q.generation {
			q.start()
		}
	})
}

func (q *LiveQuery) reselect(sel *reading, done chan error) {
	if q.closedNow() {
		done <- ErrClosed
		return
	}
	q.waiters = append(q.waiters, done)
	q.generation++
	if q.watch != nil {
		q.watch.Stop()
	}
	q.detach()
	q.mu.Lock()
	q.rowsLocked() // keep what is shown until the new rows are there
	q.mu.sel = sel
	q.mu.Unlock()
	q.start()
}

// Touch implements reactor.Watcher.
func (q *LiveQuery) Touch(_ *reactor.Watch, c *reactor.Change, _, _ bool) {
	defer q.survive()
	if q.filling {
		q.buffer = buffered(q.buffer, c)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.began {
		q.rowsLocked() // what readers see until the transaction is over
		q.mu.set.Begin()
		q.began = true
	}
	q.applyLocked(q.mu.set, c)
}

func (q *LiveQuery) apply(set *resultset.Set, c *reactor.Change) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.applyLocked(set, c)
}

func (q *LiveQuery) applyLocked(set *resultset.Set, c *reactor.Change) {
	from := q.mu.sel.now()
	if c.After != nil && q.mu.sel.matches(c.After, from) {
		set.Follow(from)
		set.Put(c.After)
	} else {
		set.Remove(c.Entity, c.Rev)
	}
}

// survive keeps a defect of the policy agent, which judges rows, to this query.
func (q *LiveQuery) survive() {
	if cause := recover(); cause != nil {
		err := recovered("judging a row", cause)
		q.setStatus(QueryError, err)
		q.again(err)
	}
}

// refill brings a window back to its size.
func (q *LiveQuery) refill(set *resultset.Set) error {
	for {
		q.mu.Lock()
		_, want := set.Need()
		q.mu.Unlock()
		if want == 0 {
			return nil
		}
		if err := q.fill(q.node.shown, set); err != nil {
			return err
		}
	}
}

// Settle implements reactor.Watcher.
func (q *LiveQuery) Settle(t *reactor.Transaction) {
	if q.filling || !q.began {
		return
	}
	defer q.survive()
	q.began = false
	failed := q.refill(q.mu.set)
	q.mu.Lock()
	changes := q.mu.set.End()
	status, err := q.mu.status, q.mu.err
	q.mu.Unlock()
	if failed != nil {
		q.emit(QueryError, failed, changes, ChangeAdded)
		q.again(failed)
		return
	}
	if len(changes) > 0 {
		q.emit(status, err, changes, ChangeAdded)
		q.verify(t, changes)
	}
}

// verify asks the durable node for rows that came into a live window from storage and not
// with the transaction: the durable node tells of the rows of its own window only, and
// what left that may have changed since.
func (q *LiveQuery) verify(t *reactor.Transaction, changes []resultset.Change) {
	up := q.upstream
	if up == nil || !up.answered || up.sel.Limit < 0 {
		return
	}
	var list []id.EntityID
	for _, c := range changes {
		told := slices.ContainsFunc(t.Changes, func(x reactor.Change) bool { return x.Entity == c.Entity })
		if c.Kind == resultset.Added && !told && c.Row.BaseRev > 0 {
			list = append(list, c.Entity)
		}
	}
	if len(list) > 0 {
		q.node.replica.peer.askFor(map[string][]id.EntityID{q.collection: list})
	}
}

// setStatus tells of a status that comes without changes.
func (q *LiveQuery) setStatus(status QueryStatus, err error) {
	q.mu.Lock()
	same := q.mu.status == status && q.mu.err == err
	q.mu.Unlock()
	if !same {
		q.emit(status, err, nil, ChangeAdded)
	}
}

// emit tells the subscribers; added is how rows that came are called.
func (q *LiveQuery) emit(status QueryStatus, err error, changes []resultset.Change, added ChangeKind) {
	q.mu.Lock()
	q.mu.status, q.mu.err = status, err
	q.mu.version++
	if len(changes) > 0 {
		// Together with the list of subscribers: whoever subscribes gets either the rows
		// before and these changes, or the rows after.
		q.mu.fresh = false
	}
	set := &ChangeSet{Version: q.mu.version, Status: status, Err: err, Changes: make([]Change, len(changes))}
	subs := slices.Collect(maps.Keys(q.mu.subs))
	q.mu.Unlock()
	sort.Ints(subs)
	for i, c := range changes {
		kind := ChangeUpdated
		switch c.Kind {
		case resultset.Added:
			kind = added
		case resultset.Removed:
			kind = ChangeRemoved
		}
		set.Changes[i] = Change{kind, c.Entity, newView(c.Row), c.From, c.To, c.Same}
	}
	for _, key := range subs {
		q.tell(key, set)
	}
}

// tell calls one subscriber, unless it has been stopped; one that panics does not keep the
// others from hearing.
func (q *LiveQuery) tell(key int, set *ChangeSet) {
	q.mu.Lock()
	s, ok := q.mu.subs[key]
	q.mu.Unlock()
	if !ok {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			q.node.opts.Listener.failed("live query", recovered("a subscriber", cause))
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call(set)
}

package core

import (
	"context"
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/resultset"
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
	ChangeInitial ChangeKind = iota // there when the query, or its new selection or window, was first answered
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

// ChangeSet is what one transaction, or a change of the selection, the window or the
// status, did to a live query. Its receivers share it, and do not change it.
type ChangeSet struct {
	Version uint64 // counts the query's change sets
	Status  QueryStatus
	Err     error
	Changes []Change
	Window  *WindowState // as it is now; nil of a query without a window
}

// LiveQuery is a selection that stays true: its rows change as entities do. Live queries of
// one node that ask for the same share the work.
type LiveQuery struct {
	node       *Node
	principal  policy.Principal
	collection string

	turning sync.Mutex // what is asked for reaches the loop in the order of mu
	mu      struct {
		sync.Mutex
		sel     *ankql.Selection // asked for last
		window  *Window          // likewise; nil for none
		shown   *shown
		status  QueryStatus
		err     error
		version uint64
		subs    []*subscriber // replaced, not changed
		closed  bool
	}

	// The rest belongs to the loop.
	result  *result
	turn    int                // counts selections and windows
	resolve context.CancelFunc // ends looking up an anchor
	waiters []chan error       // for rows of what was asked for last
}

// subscriber is a callback. Its mutex lets the first call, with the rows so far, end
// before the next begins.
type subscriber struct {
	mu      sync.Mutex
	call    func(*ChangeSet)
	stopped bool // guarded by the query's mu
}

// Query opens a live query. It returns at once; the rows follow. An invalid selection is
// an error here, of KindSelection with the position.
func (c *Context) Query(collection string, s *ankql.Selection) (*LiveQuery, error) {
	return c.open(collection, s, nil)
}

// QueryWindow is Query for a window of the selection's rows, which has no LIMIT of its own.
// An anchor that is looked up (AtEntity, AtIndex) is so once; if that fails, the query's
// status says so.
func (c *Context) QueryWindow(collection string, s *ankql.Selection, w Window) (*LiveQuery, error) {
	return c.open(collection, s, &w)
}

func (c *Context) open(collection string, s *ankql.Selection, w *Window) (_ *LiveQuery, err error) {
	defer wrap(&err, "query")
	q := &LiveQuery{node: c.node, principal: c.principal, collection: collection}
	q.mu.shown = &shown{}
	if _, err := q.turnTo(s, w); err != nil {
		return nil, err
	}
	return q, nil
}

// Rows returns the rows in order, in a fresh slice.
func (q *LiveQuery) Rows() []*View { return slices.Clone(q.present().views()) }

// Len returns how many rows there are.
func (q *LiveQuery) Len() int { return q.present().rows.Len() }

func (q *LiveQuery) present() *shown {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.shown
}

// State returns where the rows stand in their order; nil without a window.
func (q *LiveQuery) State() *WindowState { return q.present().window }

// Selection returns the selection that was asked for last, checked and narrowed.
func (q *LiveQuery) Selection() *ankql.Selection {
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
// (Commit, SetSelection, Move). It may call stop and Close.
func (q *LiveQuery) Subscribe(f func(*ChangeSet)) (stop func()) {
	s := &subscriber{call: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	q.mu.Lock()
	q.mu.subs = append(slices.Clip(q.mu.subs), s)
	now := q.mu.shown
	first := &ChangeSet{Version: q.mu.version, Status: q.mu.status, Err: q.mu.err, Window: now.window}
	q.mu.Unlock()
	first.Changes = make([]Change, 0, now.rows.Len())
	for i, v := range now.views() {
		first.Changes = append(first.Changes, Change{Kind: ChangeInitial, Entity: v.ID(), View: v, From: -1, To: i})
	}
	f(first)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		s.stopped = true
		q.mu.subs = slices.DeleteFunc(slices.Clone(q.mu.subs), func(x *subscriber) bool { return x == s })
	}
}

// SetSelection changes the selection in place, without a window, and returns when the rows
// are those of the new one (or of what was asked for later still). What left is removed,
// what came is initial, what stays is not named. An invalid selection is an error and
// leaves the old one in force.
func (q *LiveQuery) SetSelection(ctx context.Context, s *ankql.Selection) (err error) {
	defer wrap(&err, "set selection")
	done, err := q.turnTo(s, nil)
	if err != nil {
		return err
	}
	return q.wait(ctx, done)
}

// Move moves and resizes the window in place, or gives the query one, and returns when the
// rows are those of the new one (or of what was asked for later still). Rows that are shown
// before and after stay, and are not read again where nobody else asks for the same window:
// following what is in view costs what comes into view.
func (q *LiveQuery) Move(ctx context.Context, w Window) (err error) {
	defer wrap(&err, "move")
	done, err := q.turnTo(nil, &w)
	if err != nil {
		return err
	}
	return q.wait(ctx, done)
}

// Turn changes the selection and the window in place, as SetSelection and Move do, and does
// not wait: done tells when the rows are there, and why they are not. A nil selection keeps
// the one that there is; without a window all of its rows are shown. What was asked for
// last counts. Turn must not be called on the node's loop.
func (q *LiveQuery) Turn(s *ankql.Selection, w *Window) (done <-chan error, err error) {
	defer wrap(&err, "turn")
	return q.turnTo(s, w)
}

func (q *LiveQuery) wait(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-q.node.run.ctx.Done():
		return ErrClosed
	}
}

// turnTo checks what is asked for, and has the loop see to it.
func (q *LiveQuery) turnTo(s *ankql.Selection, w *Window) (<-chan error, error) {
	q.turning.Lock()
	defer q.turning.Unlock()
	checked := q.Selection()
	if s != nil {
		var err error
		if checked, err = q.node.prepare(q.principal, q.collection, s); err != nil {
			return nil, err
		}
	}
	x, err := q.node.extent(q.principal, q.collection, checked, w)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	q.mu.sel, q.mu.window = checked, w
	q.mu.Unlock()
	done := make(chan error, 1)
	if !q.node.loop.post(func() { q.turnOn(x, done) }) {
		return nil, ErrClosed
	}
	return done, nil
}

// Close ends the query and releases what it holds here and on the durable node. It does
// not wait for a callback in progress; no other is called any more.
func (q *LiveQuery) Close() {
	q.mu.Lock()
	q.mu.closed = true
	for _, s := range q.mu.subs {
		s.stopped = true
	}
	q.mu.subs = nil
	q.mu.Unlock()
	q.node.loop.releases.add(q.release)
}

func (q *LiveQuery) closedNow() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.closed
}

// What follows runs on the loop.

func (q *LiveQuery) release() {
	q.turn++
	if q.resolve != nil {
		q.resolve()
	}
	if q.result != nil {
		q.result.leave(q)
	}
	q.answer(ErrClosed)
}

// answer tells those who wait for the rows.
func (q *LiveQuery) answer(err error) {
	for _, w := range q.waiters {
		w <- err
	}
	q.waiters = nil
}

// turnOn goes over to other rows. Until they are there the present ones are shown, as
// they are now.
func (q *LiveQuery) turnOn(x *extent, done chan error) {
	if q.closedNow() {
		done <- ErrClosed
		return
	}
	q.waiters = append(q.waiters, done)
	q.turn++
	if q.resolve != nil {
		q.resolve()
		q.resolve = nil
	}
	if x.resolved() {
		q.enter(x)
		return
	}
	turn := q.turn
	ctx, cancel := context.WithCancel(q.node.run.ctx)
	q.resolve = cancel
	q.node.run.start(func(context.Context) {
		defer cancel()
		err := x.resolve(ctx)
		q.node.loop.post(func() {
			switch {
			case turn != q.turn || q.closedNow():
			case err != nil:
				q.refused(err)
			default:
				q.enter(x)
			}
		})
	})
}

// refused says that an anchor was not found. A query that shows something goes on with it.
func (q *LiveQuery) refused(err error) {
	q.answer(err)
	if q.result == nil {
		q.emit(QueryError, err, nil, nil)
	}
}

// enter goes over to a result.
func (q *LiveQuery) enter(x *extent) {
	old := q.result
	switch {
	case old != nil && x.key != "" && old.extent.key == x.key:
		if old.answered {
			q.answer(nil)
		}
	case old != nil && old.movesTo(x):
		old.move(x)
	default:
		q.result = nil
		if old != nil {
			old.leave(q)
		}
		q.node.results.join(q, x)
	}
}

// adopt shows what another result has, and tells what leads there from what was shown.
func (q *LiveQuery) adopt(r *result, changes []Change) {
	q.emit(r.status, r.err, r.shown, changes)
	q.answer(nil)
}

// setStatus tells of a status that comes without changes.
func (q *LiveQuery) setStatus(status QueryStatus, err error) {
	q.mu.Lock()
	same := q.mu.status == status && q.mu.err == err
	q.mu.Unlock()
	if !same {
		q.emit(status, err, nil, nil)
	}
}

// refresh takes over rows in which nobody sees a difference.
func (q *LiveQuery) refresh(rows *shown) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.shown = rows
}

// emit tells the subscribers; rows that do not change are nil.
func (q *LiveQuery) emit(status QueryStatus, err error, rows *shown, changes []Change) {
	q.mu.Lock()
	q.mu.status, q.mu.err = status, err
	q.mu.version++
	if rows != nil {
		// Together with the list of subscribers: whoever subscribes gets either the rows
		// before and these changes, or the rows after.
		q.mu.shown = rows
	}
	subs := q.mu.subs
	set := &ChangeSet{Version: q.mu.version, Status: status, Err: err, Changes: changes, Window: q.mu.shown.window}
	q.mu.Unlock()
	for _, s := range subs {
		q.tell(s, set)
	}
}

// tell calls one subscriber, unless it has been stopped; one that panics does not keep the
// others from hearing.
func (q *LiveQuery) tell(s *subscriber, set *ChangeSet) {
	q.mu.Lock()
	stopped := s.stopped
	q.mu.Unlock()
	if stopped {
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

// shown is the rows that a result shows at one time, for all that look at them.
type shown struct {
	rows   resultset.Rows
	window *WindowState // nil without a window

	once sync.Once
	list []*View
}

// views returns the rows as views, which are made once.
func (s *shown) views() []*View {
	s.once.Do(func() {
		all := make([]View, s.rows.Len())
		s.list = make([]*View, len(all))
		for i, r := range s.rows.All() {
			all[i] = View{r}
			s.list[i] = &all[i]
		}
	})
	return s.list
}

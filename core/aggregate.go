package core

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
)

// AggregateGroup is one group of an aggregate: what its rows agree in, and what is known of
// them. It is not changed.
type AggregateGroup = aggregate.Group

// AggregateChange is what one transaction, or a change of the status, did to a live
// aggregate.
type AggregateChange struct {
	Version uint64 // counts the changes of the aggregate
	Status  QueryStatus
	Err     error
	Reset   bool              // Changed is all groups, in order
	Changed []*AggregateGroup // groups that are new or have other values
	Removed []*AggregateGroup // groups without rows, as they were shown last
}

// LiveAggregate is an aggregation that stays true: its groups change as entities do. On a
// durable node it is read once and then follows the changes, at a cost that does not depend
// on how many rows there are. An ephemeral node asks the durable node, and adds its own
// changes that this does not have yet; rows are not transferred for it. Until there is an
// answer the groups are those of the rows that are known here (status local); when the
// connection ends they stay (local).
//
// What the node's own changes do to COUNT, SUM and AVG is exact, unless somebody else
// changes the same entity before the durable node has answered. MIN and MAX show at once what
// is added, and keep an extreme that is taken away until the durable node says what is
// next; COUNT DISTINCT waits for the durable node.
//
// Equal aggregates on one node share one, as far as their principals see the same.
type LiveAggregate struct {
	of   *ankql.Aggregation
	from *tabulation
	once sync.Once

	mu struct {
		sync.Mutex
		next   int
		subs   map[int]*aggregateSubscriber
		closed bool
	}
}

// aggregateSubscriber is a callback. Its mutex lets the first call, with the groups so far,
// end before the next begins.
type aggregateSubscriber struct {
	mu   sync.Mutex
	call func(*AggregateChange)
	told uint64 // the version that the first call showed
}

// QueryAggregate opens a live aggregate. It returns at once; the groups follow. An invalid
// aggregation is an error here, of KindSelection.
func (c *Context) QueryAggregate(collection string, a *ankql.Aggregation) (_ *LiveAggregate, err error) {
	defer wrap(&err, "aggregate")
	checked, err := c.node.prepareAggregation(c.principal, collection, a)
	if err != nil {
		return nil, err
	}
	q := &LiveAggregate{of: checked}
	q.mu.subs = make(map[int]*aggregateSubscriber)
	q.from, err = c.node.aggregates.acquire(c.node, c.principal, collection, checked, q)
	if err != nil {
		return nil, err
	}
	return q, nil
}

// Aggregate returns the groups of an aggregation as they are now: on an ephemeral node that is
// connected, as the durable node has them, with this node's own changes; on one that is not,
// as far as they are known here. Groups are in the order of what they agree in.
func (c *Context) Aggregate(ctx context.Context, collection string, a *ankql.Aggregation) (_ []*AggregateGroup, err error) {
	defer wrap(&err, "aggregate")
	q, err := c.QueryAggregate(collection, a)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	if err := c.node.settled(ctx, q.Status, func(check func()) (stop func()) {
		return q.Subscribe(func(*AggregateChange) { check() })
	}); err != nil {
		return nil, err
	}
	return q.Groups(), q.Err()
}

// settled waits until what has a status is answered for good: live, refused, or local
// while there is no connection to wait for. Watch has check called whenever that may be so.
func (n *Node) settled(ctx context.Context, status func() QueryStatus, watch func(check func()) (stop func())) error {
	done := make(chan struct{}, 1)
	check := func() {
		switch s := status(); {
		case s == QueryLive || s == QueryError, s == QueryLocal && n.Status().Connection == Offline:
			signal(done)
		}
	}
	defer n.OnStatus(func(Status) { check() })()
	defer watch(check)()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.run.ctx.Done():
		return ErrClosed
	}
}

// prepareAggregation checks an aggregation and narrows it to what the principal may see.
func (n *Node) prepareAggregation(p policy.Principal, collection string, a *ankql.Aggregation) (*ankql.Aggregation, error) {
	narrowed, err := n.prepare(p, collection, a.Selection())
	if err != nil {
		return nil, err
	}
	model, _ := n.catalog.get(collection)
	checked, err := a.Check(model, n)
	if err != nil {
		return nil, err
	}
	checked.Where = narrowed.Where
	if rows := checked.Selection(); rows.AsksSync() && ankql.WhereSync(rows.Where, schema.Synced) != ankql.False {
		return nil, &ankql.Error{Pos: -1, Expected: "an aggregate of what is not synced, or one that does not ask for " + schema.Sync, Got: rows.Where.String(),
			Hint: "rows that are synced are counted by the durable node, which does not know what is pending here"}
	}
	return checked, nil
}

// Aggregation returns what is asked, checked and narrowed.
func (q *LiveAggregate) Aggregation() *ankql.Aggregation { return q.of }

// Groups returns the groups in the order of what they agree in.
func (q *LiveAggregate) Groups() []*AggregateGroup {
	groups, _ := q.from.groups()
	return groups
}

// Status returns how far the groups can be trusted.
func (q *LiveAggregate) Status() QueryStatus {
	q.from.mu.Lock()
	defer q.from.mu.Unlock()
	return q.from.mu.version.status
}

// Err returns why the status is QueryError, else nil.
func (q *LiveAggregate) Err() error {
	q.from.mu.Lock()
	defer q.from.mu.Unlock()
	return q.from.mu.version.err
}

// Now returns the groups with the version that they are of and its status, as the first
// change that a subscriber is given.
func (q *LiveAggregate) Now() *AggregateChange {
	groups, v := q.from.groups()
	return &AggregateChange{Version: v.number, Status: v.status, Err: v.err, Reset: true, Changed: groups}
}

// Subscribe calls f, before it returns, with the groups so far as a reset, and then with
// every change, in order, until stop; a call in progress is not waited for. f runs on the
// node's loop: it must return soon, and must not call what waits for the node (Commit). It
// may call stop and Close.
func (q *LiveAggregate) Subscribe(f func(*AggregateChange)) (stop func()) {
	s := &aggregateSubscriber{call: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	q.mu.Lock()
	key := q.mu.next
	q.mu.next++
	if !q.mu.closed {
		q.mu.subs[key] = s
	}
	first := q.Now()
	q.mu.Unlock()
	s.told = first.Version
	f(first)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.mu.subs, key)
	}
}

// Close ends the aggregate and releases what it holds here and on the durable node. It does
// not wait for a callback in progress; no other is called any more.
func (q *LiveAggregate) Close() {
	q.mu.Lock()
	q.mu.closed = true
	clear(q.mu.subs)
	q.mu.Unlock()
	q.once.Do(func() { q.from.release(q) })
}

// changed implements observer.
func (q *LiveAggregate) changed(c *AggregateChange) {
	q.mu.Lock()
	keys := make([]int, 0, len(q.mu.subs))
	for key := range q.mu.subs {
		keys = append(keys, key)
	}
	q.mu.Unlock()
	slices.Sort(keys)
	for _, key := range keys {
		q.tell(key, c)
	}
}

// tell calls one subscriber, unless it has been stopped or has been told already; one that
// panics does not keep the others from hearing.
func (q *LiveAggregate) tell(key int, c *AggregateChange) {
	q.mu.Lock()
	s, ok := q.mu.subs[key]
	q.mu.Unlock()
	if !ok {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			q.from.node.opts.Listener.failed("live aggregate", recovered("a subscriber", cause))
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Version > s.told {
		s.call(c)
	}
}

func byGroup(a, b *AggregateGroup) int { return strings.Compare(a.ID, b.ID) }

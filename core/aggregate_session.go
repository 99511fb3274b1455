package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// aggregateSub is an aggregate that a session keeps its peer in step with. What is to be sent
// is not queued but noted: when its turn comes, the peer is sent the newest groups. So a
// slow peer costs no more than the names of the groups that changed.
type aggregateSub struct {
	session *session
	number  uint64
	tab     *tabulation
	joined  bool // tab has it among its followers; guarded by session.subsMu
	cost    int  // of its selection, once that is read; likewise

	mu struct { // taken while tab.mu is held
		sync.Mutex
		queued   bool // its turn will come
		reset    bool // all groups are to be sent
		changed  map[string]struct{}
		included map[id.TransactionID]struct{} // the peer's, that the groups include
	}
}

// ownCommits is a session's peer's transactions, until the answer to each has been sent.
type ownCommits struct {
	mu   sync.Mutex
	list map[id.TransactionID]*ownCommit
}

type ownCommit struct {
	decided  chan struct{} // closed when it is
	accepted bool
}

func (o *ownCommits) begin(tx id.TransactionID) *ownCommit {
	c := &ownCommit{decided: make(chan struct{})}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.list == nil {
		o.list = make(map[id.TransactionID]*ownCommit)
	}
	o.list[tx] = c
	return c
}

// decide notes an outcome. One that is accepted stays until its answer has been sent.
func (o *ownCommits) decide(tx id.TransactionID, c *ownCommit, accepted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.accepted = accepted
	close(c.decided)
	if !accepted && o.list[tx] == c {
		delete(o.list, tx)
	}
}

func (o *ownCommits) answered(tx id.TransactionID, c *ownCommit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.list[tx] == c {
		delete(o.list, tx)
	}
}

// has reports whether a transaction is the peer's, and its answer has not been sent.
func (o *ownCommits) has(tx id.TransactionID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.list[tx] != nil
}

// undecided returns what waits until each of the transactions offered so far is decided.
func (o *ownCommits) undecided() (wait func(context.Context) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := values(o.list)
	return func(ctx context.Context) error {
		for _, c := range list {
			select {
			case <-c.decided:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
}

// accepted returns the transactions that are published and whose answer has not been sent.
func (o *ownCommits) accepted() map[id.TransactionID]struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make(map[id.TransactionID]struct{})
	for tx, c := range o.list {
		if c.accepted {
			list[tx] = struct{}{}
		}
	}
	return list
}

// aggregate starts to answer an Aggregate: after the transactions that were offered before
// have been decided, so that the peer can tell which of them the answer includes.
func (s *session) aggregate(m *proto.Aggregate) error {
	a := &aggregateSub{session: s, number: m.Sub}
	a.mu.reset, a.mu.changed = true, make(map[string]struct{})
	switch err := s.enterAggregate(a); {
	case errors.Is(err, errDuplicate): // the same frame again
		return nil
	case err != nil:
		s.reply(m.Sub, err)
		return nil
	}
	decided := s.own.undecided()
	return s.scanning(func(ctx context.Context) {
		if err := s.openAggregate(ctx, a, m, decided); err != nil && ctx.Err() == nil {
			a.refuse(err)
		}
	})
}

func (s *session) openAggregate(ctx context.Context, a *aggregateSub, m *proto.Aggregate, decided func(context.Context) error) error {
	if err := decided(ctx); err != nil {
		return err
	}
	of, err := aggregationOf(m)
	if err != nil {
		return err
	}
	if of, err = s.node.prepareAggregation(s.principal, m.Collection, of); err != nil {
		return err
	}
	if err := s.budget(a, of); err != nil {
		return err
	}
	var fresh bool
	var refused error
	// On the loop, so that no transaction is being published.
	err = s.node.loop.call(context.WithoutCancel(ctx), func() {
		a.mu.included = s.own.accepted()
		_, fresh = s.node.aggregates.find(s.node, s.principal, m.Collection, of, func(t *tabulation) {
			a.tab = t
			if refused = t.holding.join(s.payer); refused != nil {
				return
			}
			t.mu.followers = append(t.mu.followers, a)
			if t.mu.version.status == QueryLive {
				a.queue()
			}
		})
		if fresh && refused == nil {
			a.tab.start()
		}
	})
	if err = cmp.Or(err, refused); err != nil {
		if a.tab != nil {
			a.tab.leave(func() {}) // perhaps it is there for nobody
		}
		return err
	}
	s.subsMu.Lock()
	a.joined = s.aggregates[a.number] == a
	s.subsMu.Unlock()
	if !a.joined {
		a.leave() // unsubscribed meanwhile
	}
	return nil
}

// aggregationOf reads what is asked for.
func aggregationOf(m *proto.Aggregate) (*ankql.Aggregation, error) {
	params := make([]any, len(m.Params))
	for i, v := range m.Params {
		params[i] = v
	}
	s, err := ankql.Parse(m.Text, params...)
	if err != nil {
		return nil, err
	}
	of := &ankql.Aggregation{Where: s.Where, GroupBy: make([]ankql.Path, len(m.GroupBy)), Columns: make([]ankql.Aggregate, len(m.Columns))}
	for i, path := range m.GroupBy {
		of.GroupBy[i] = path
	}
	for i, c := range m.Columns {
		function := ankql.Function(min(c.Function, 255))
		of.Columns[i] = ankql.Aggregate{Name: fmt.Sprint(i), Function: function, Path: c.Path, Distinct: c.Distinct}
	}
	return of, nil
}

// budget takes what an aggregate costs.
func (s *session) budget(a *aggregateSub, of *ankql.Aggregation) error {
	sel := of.Selection()
	if err := s.affordable(sel); err != nil {
		return err
	}
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	if s.aggregates[a.number] != a {
		return nil // unsubscribed meanwhile
	}
	cost := sel.Cost() + len(of.Columns)
	err := s.budgetLocked(cost)
	if err == nil {
		a.cost = cost
	}
	return err
}

func (s *session) enterAggregate(a *aggregateSub) error {
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	if s.run.ctx.Err() != nil {
		return ErrClosed
	}
	if s.entering[a.number] != nil || s.subs[a.number] != nil || s.aggregates[a.number] != nil {
		return errDuplicate
	}
	if err := s.roomLocked(); err != nil {
		return err
	}
	if s.aggregates == nil {
		s.aggregates = make(map[uint64]*aggregateSub)
	}
	s.aggregates[a.number] = a
	return nil
}

// roomLocked refuses a subscription too many.
func (s *session) roomLocked() error {
	if len(s.subs)+len(s.aggregates) >= s.node.limits.Subscriptions {
		return fmt.Errorf("%w: more than %d subscriptions on one connection", ErrLimit, s.node.limits.Subscriptions)
	}
	return nil
}

// budgetLocked takes what a subscription costs, where it is not too much beside the others.
func (s *session) budgetLocked(cost int) error {
	if most := s.node.limits.SubscriptionCost; s.cost+cost > most {
		return fmt.Errorf("%w: the selections of one connection take more than %d comparisons altogether", ErrLimit, most)
	}
	s.cost += cost
	return nil
}

// affordable refuses a selection that takes too much to hold one entity against.
func (s *session) affordable(sel *ankql.Selection) error {
	if cost, most := sel.Cost(), s.node.limits.SelectionCost; cost > most {
		return fmt.Errorf("%w: the selection takes %d comparisons for each entity, more than %d; a long list is one parameter of IN", ErrLimit, cost, most)
	}
	return nil
}

// dropAggregate ends an aggregate that the peer does not want any more.
func (s *session) dropAggregate(number uint64) {
	s.subsMu.Lock()
	a := s.aggregates[number]
	delete(s.aggregates, number)
	if a != nil {
		s.cost -= a.cost
	}
	joined := a != nil && a.joined
	s.subsMu.Unlock()
	if joined {
		a.leave()
	}
}

func (a *aggregateSub) leave() {
	a.tab.leave(func() {
		a.tab.mu.followers = slices.DeleteFunc(a.tab.mu.followers, func(x follower) bool { return x == follower(a) })
		a.tab.holding.leave(a.session.payer)
	})
}

// payer implements follower.
func (a *aggregateSub) payer() string { return a.session.payer }

// refuse tells the peer that the aggregate failed, and ends it.
func (a *aggregateSub) refuse(err error) {
	a.session.dropAggregate(a.number)
	a.session.reply(a.number, err)
}

// mark notes groups that changed, or that there are all of them for the first time. It is
// called with the lock of the tabulation held, in which the groups change.
func (a *aggregateSub) mark(names []string, tx *reactor.Transaction) {
	a.mu.Lock()
	for _, name := range names {
		a.mu.changed[name] = struct{}{}
	}
	if tx != nil && a.session.own.has(tx.ID) {
		a.mu.included[tx.ID] = struct{}{}
	}
	a.mu.Unlock()
	a.queue()
}

// queue takes a place among what is to be sent.
func (a *aggregateSub) queue() {
	a.mu.Lock()
	queued := a.mu.queued
	a.mu.queued = true
	a.mu.Unlock()
	if !queued {
		a.session.out.later(func() iter.Seq[[]byte] { return slices.Values(a.frames()) })
	}
}

// frames returns what the peer does not have, as its turn has come.
func (a *aggregateSub) frames() (frames [][]byte) {
	m, groups := a.collect()
	if m == nil {
		return nil
	}
	items, bytes := 0, 0
	for _, g := range groups {
		m.Groups = append(m.Groups, g)
		items++
		bytes += groupSize(&g)
		if items >= answerItems || bytes >= answerBytes {
			frames = append(frames, proto.AppendFrame(nil, m))
			m, items, bytes = &proto.Groups{Sub: m.Sub}, 0, 0
		}
	}
	m.Done = true
	return append(frames, proto.AppendFrame(nil, m))
}

func (a *aggregateSub) collect() (*proto.Groups, []proto.Group) {
	t := a.tab
	t.mu.Lock()
	defer t.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.queued = false
	if t.mu.version.status != QueryLive {
		return nil, nil
	}
	m := &proto.Groups{Sub: a.number, Reset: a.mu.reset}
	var groups []proto.Group
	if a.mu.reset {
		groups = make([]proto.Group, 0, len(t.mu.shown))
		for _, g := range t.mu.shown {
			groups = append(groups, wireGroup(g))
		}
	} else {
		for name := range a.mu.changed {
			if g := t.mu.shown[name]; g != nil {
				groups = append(groups, wireGroup(g))
			} else {
				groups = append(groups, proto.Group{Key: aggregate.KeyOf(name)})
			}
		}
	}
	for tx := range a.mu.included {
		if a.session.own.has(tx) {
			m.Included = append(m.Included, tx)
		} else {
			delete(a.mu.included, tx) // its answer has been sent
		}
	}
	a.mu.reset = false
	clear(a.mu.changed)
	return m, groups
}

func wireGroup(g *aggregate.Group) proto.Group {
	return proto.Group{Key: g.Key, Rows: uint64(g.Rows), Parts: g.Parts}
}

func groupSize(g *proto.Group) int {
	size := 16
	for _, v := range g.Key {
		size += v.Size()
	}
	for _, v := range g.Parts {
		size += v.Size()
	}
	return size
}

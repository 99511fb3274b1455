package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// follower keeps a peer in step with a tabulation.
type follower interface {
	// mark notes groups that changed, with the lock of the tabulation held.
	mark(names []string, tx *reactor.Transaction)
	// refuse ends it, because the tabulation failed.
	refuse(err error)
	// payer is for whom it is kept, and pays says whether it can pay for time of the loop.
	payer() string
	pays(d time.Duration) bool
}

// tabulation is one aggregation, kept true for whoever observes it.
type tabulation struct {
	node       *Node
	collection string
	of         *ankql.Aggregation // checked and narrowed
	rows       *reading
	key        string // in tabulations; "" if it is not to be shared

	mu struct {
		sync.Mutex
		shown     map[string]*aggregate.Group
		sorted    []*aggregate.Group // shown, in order; nil if that is to be made
		version   tabulated
		observers []observer
		followers []follower // of peers
		ended     bool
	}

	// The rest belongs to the loop.
	watch      *reactor.Watch
	generation int // of the first reading
	table      *aggregate.Table
	filling    bool
	touched    []touchedRow // by the transaction under way
	meanwhile  map[id.EntityID]*passage
	edge       []byte // a durable node's table holds the rows up to here
	backoff    backoff
	holding    keeping // what the table takes; nil on an ephemeral node

	held   map[id.EntityID]*proto.Record // an ephemeral node's: the rows in the table
	buffer []reactor.Change              // published while they are read
	afar   *distant                      // what the durable node says; nil on that itself
}

// tabulated is which version of the groups is shown.
type tabulated struct {
	number uint64
	status QueryStatus
	err    error
}

// observer hears of changes, on the loop.
type observer interface{ changed(*AggregateChange) }

// touchedRow is a row that the reactor told of.
type touchedRow struct {
	change        *reactor.Change
	before, after bool
}

// release ends an observation. The last to leave closes the tabulation.
func (t *tabulation) release(o observer) {
	t.leave(func() { t.mu.observers = slices.DeleteFunc(t.mu.observers, func(x observer) bool { return x == o }) })
}

func (t *tabulation) leave(drop func()) {
	s := &t.node.aggregates
	s.mu.Lock()
	defer s.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	drop()
	if len(t.mu.observers)+len(t.mu.followers) > 0 || t.mu.ended {
		return
	}
	t.mu.ended = true
	s.forgetLocked(t)
	t.node.loop.releases.add(t.stop)
}

// groups returns the groups in order.
func (t *tabulation) groups() ([]*aggregate.Group, tabulated) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.sorted == nil {
		list := slices.Collect(maps.Values(t.mu.shown))
		sort.Slice(list, func(i, j int) bool { return byGroup(list[i], list[j]) < 0 })
		t.mu.sorted = list
	}
	return t.mu.sorted, t.mu.version
}

func (t *tabulation) endedNow() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.ended
}

// What follows runs on the loop, except where it says otherwise.

func (t *tabulation) stop() {
	t.unwatch()
	if t.afar != nil {
		t.afar.close()
	}
}

// unwatch ends a reading, and what follows one: what is still to come of it is of no concern.
func (t *tabulation) unwatch() {
	t.generation++
	if t.watch != nil {
		t.watch.Stop()
		t.watch = nil
	}
	t.table, t.held, t.buffer, t.meanwhile, t.touched = nil, nil, nil, nil, nil
	if t.holding != nil {
		t.holding.become(0, true)
	}
}

// start watches, then reads the rows (law L9).
func (t *tabulation) start() {
	if t.endedNow() {
		return
	}
	t.unwatch()
	t.table = aggregate.New(t.of, aggregate.Limits{Groups: t.node.limits.Groups, Values: t.node.limits.DistinctValues})
	t.filling, t.edge, t.meanwhile = true, nil, make(map[id.EntityID]*passage)
	t.watch = t.rows.watch(t)
	generation := t.generation
	read := t.readPages
	if t.afar != nil {
		t.afar.open()
		t.held = make(map[id.EntityID]*proto.Record)
		read = t.readHere
	}
	t.node.run.start(func(ctx context.Context) {
		if err := surviving(func() error { return read(ctx, generation) }); err != nil {
			t.node.loop.post(func() { t.fail(generation, err) })
		}
	})
}

// present reports whether a reading is the present one.
func (t *tabulation) present(generation int) bool { return generation == t.generation && !t.endedNow() }

// SettlesFirst has the reactor tell of the end of a transaction before it tells those who
// show rows: a peer that is told of a row has been told what the row counts for.
func (t *tabulation) SettlesFirst() {}

// Touch implements reactor.Watcher.
func (t *tabulation) Touch(_ *reactor.Watch, c *reactor.Change, before, after bool) {
	t.touched = append(t.touched, touchedRow{c, before, after})
}

// Settle implements reactor.Watcher.
func (t *tabulation) Settle(tx *reactor.Transaction) {
	touched := t.touched
	t.touched = nil
	if t.table == nil {
		return
	}
	defer t.survive()
	for i := range touched {
		if err := t.take(&touched[i]); err != nil {
			t.fail(t.generation, err)
			return
		}
	}
	if !t.filling {
		t.publish(tx)
	}
	t.measure()
}

// measure counts what the table takes, and refuses those for whom that is too much.
func (t *tabulation) measure() {
	if t.holding == nil || t.table == nil {
		return
	}
	over := t.holding.become(t.table.Bytes(), !t.filling)
	if over == nil {
		return
	}
	t.mu.Lock()
	followers := slices.Clone(t.mu.followers)
	t.mu.Unlock()
	for _, f := range followers {
		if err := over[f.payer()]; err != nil {
			f.refuse(err)
		}
	}
}

// Lost implements reactor.Follower.
func (t *tabulation) Lost(_ *reactor.Watch, err error) { t.fail(t.generation, err) }

// take takes in one row's change.
func (t *tabulation) take(x *touchedRow) error {
	if t.held != nil {
		return t.takeHere(x.change)
	}
	p := passage{}
	if x.before && t.rows.permits(x.change.Before) {
		p.before = x.change.Before
	}
	if x.after && t.rows.permits(x.change.After) {
		p.after = x.change.After
	}
	e := x.change.Entity
	if !t.filling {
		return t.pass(e, &p)
	}
	if earlier := t.meanwhile[e]; earlier != nil {
		earlier.after = p.after
	} else {
		t.meanwhile[e] = &p
	}
	return nil
}

// survive keeps a defect of the policy agent, which judges rows, to this tabulation.
func (t *tabulation) survive() {
	if cause := recover(); cause != nil {
		t.fail(t.generation, recovered("judging a row", cause))
	}
}

// readHere reads the rows that an ephemeral node knows, in a goroutine of its own. There are
// no more of them than there is room for, so which of them are counted is kept: what storage
// holds may be ahead of what has been published.
func (t *tabulation) readHere(ctx context.Context, generation int) error {
	return t.rows.first(ctx, func(at *moment) error {
		rows, _, err := t.rows.scan(at, nil, -1)
		if err != nil {
			return err
		}
		return t.node.loop.call(ctx, func() {
			if !t.present(generation) || t.table == nil {
				return
			}
			if err := t.enterHere(rows); err != nil {
				t.fail(generation, err)
				return
			}
			t.filled()
		})
	})
}

func (t *tabulation) enterHere(rows []*proto.Record) error {
	for _, row := range rows {
		if err := t.put(row); err != nil {
			return err
		}
	}
	t.filling = false
	for _, c := range t.rows.caughtUp(t.buffer) {
		if err := t.takeHere(&c); err != nil {
			return err
		}
	}
	t.buffer = nil
	return nil
}

func (t *tabulation) put(row *proto.Record) error {
	t.held[row.Entity] = row
	return t.table.Add(row, row.Entity)
}

// takeHere makes a row count as it is now.
func (t *tabulation) takeHere(c *reactor.Change) error {
	if t.filling {
		t.buffer = buffered(t.buffer, c)
		return nil
	}
	if old := t.held[c.Entity]; old != nil {
		c = asHeld(c, old)
		if old.Rev > c.Rev {
			return nil
		}
		delete(t.held, c.Entity)
		if err := t.table.Remove(old, c.Entity); err != nil {
			return err
		}
	}
	if c.After != nil && t.rows.matches(c.After, t.rows.now()) {
		return t.put(c.After)
	}
	return nil
}

// filled shows the first reading's outcome.
func (t *tabulation) filled() {
	t.backoff.reset()
	if t.afar != nil && t.afar.known() {
		return // the durable node has answered meanwhile
	}
	groups, err := t.current()
	if err != nil {
		t.fail(t.generation, err)
		return
	}
	t.replace(groups)
	v := tabulated{status: QueryLive}
	if t.afar != nil {
		v = t.afar.local()
	}
	t.show(groups, v, nil)
}

// replace adds to groups the ones shown so far that are no more.
func (t *tabulation) replace(groups map[string]*aggregate.Group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.mu.shown {
		if _, ok := groups[name]; !ok {
			groups[name] = nil
		}
	}
}

// publish shows what a transaction changed.
func (t *tabulation) publish(tx *reactor.Transaction) {
	groups, err := t.current()
	if err != nil {
		t.fail(t.generation, err)
		return
	}
	t.show(groups, t.versionNow(), tx)
}

func (t *tabulation) versionNow() tabulated {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.version
}

// current returns the groups that the table has changed, nil for those that are no more, and
// looks up the extremes that it is short of.
func (t *tabulation) current() (map[string]*aggregate.Group, error) {
	for short := t.table.Short(); len(short) > 0; short = t.table.Short() {
		for i := range short {
			if err := t.refill(&short[i]); err != nil {
				return nil, err
			}
		}
	}
	groups := make(map[string]*aggregate.Group)
	for _, name := range t.table.Changed() {
		groups[name] = t.table.Group(name, t.afar == nil)
	}
	return groups, nil
}

// refill reads the rows from which a group's extreme is known again.
func (t *tabulation) refill(s *aggregate.Short) error {
	within := *t.rows
	within.sel = t.of.Within(s.Key, s.Column)
	rows, more, err := within.scan(t.node.shown, nil, s.Want)
	if err != nil {
		return err
	}
	list := make([]aggregate.Row, len(rows))
	for i, r := range rows {
		list[i] = aggregate.Row{Entity: r.Entity, Fields: r}
	}
	t.table.Fill(*s, list, more)
	return nil
}

// show makes groups what is shown, and tells who observes. A group that is nil is taken
// away.
func (t *tabulation) show(groups map[string]*aggregate.Group, v tabulated, tx *reactor.Transaction) {
	t.mu.Lock()
	c := &AggregateChange{Status: v.status, Err: v.err}
	var moved []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		before, after := t.mu.shown[name], groups[name]
		if before == nil && after == nil || before.Same(after) {
			continue
		}
		moved = append(moved, name)
		switch {
		case after == nil:
			delete(t.mu.shown, name)
			c.Removed = append(c.Removed, before)
			continue
		case before == nil || !slices.Equal(before.Values, after.Values):
			c.Changed = append(c.Changed, after)
		}
		t.mu.shown[name] = after
	}
	if len(moved) > 0 {
		t.mu.sorted = nil
	}
	was := t.mu.version
	for _, f := range t.mu.followers {
		if len(moved) > 0 || was.status != v.status {
			f.mark(moved, tx)
		}
	}
	if len(c.Changed)+len(c.Removed) == 0 && was.status == v.status && was.err == v.err {
		t.mu.Unlock()
		return
	}
	v.number = was.number + 1
	t.mu.version, c.Version = v, v.number
	observers := slices.Clone(t.mu.observers)
	t.mu.Unlock()
	for _, o := range observers {
		o.changed(c)
	}
}

// fail shows an error; the groups stay. What the error may have been a passing trouble of is
// read anew after a pause.
func (t *tabulation) fail(generation int, err error) {
	if !t.present(generation) {
		return
	}
	lasting := errors.Is(err, aggregate.ErrGroups) || errors.Is(err, aggregate.ErrValues)
	if lasting {
		err = fmt.Errorf("%w: %w", ErrLimit, err)
		t.node.aggregates.forget(t)
	} else {
		t.node.opts.Listener.failed("live aggregate", err)
	}
	t.unwatch()
	t.mu.Lock()
	followers := t.mu.followers
	t.mu.followers = nil
	t.mu.Unlock()
	for _, f := range followers {
		f.refuse(err)
	}
	t.show(nil, tabulated{status: QueryError, err: err}, nil)
	if lasting {
		return
	}
	generation = t.generation
	t.node.later(t.backoff.next(), func() {
		if t.present(generation) {
			t.start()
		}
	})
}

package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/aggregate"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// distant is an ephemeral node's part of a tabulation: the groups as the durable node has
// them, and what is different here because of transactions that these do not include. It
// belongs to the loop.
//
// Groups come before the rows and the acknowledgement of the same transaction, so what is
// different ends in the moment in which the groups include it: with the groups, if these
// name the transaction, else with the acknowledgement.
type distant struct {
	tab     *tabulation
	replica *replica
	opened  bool
	number  uint64 // on the present connection; 0 while not asked
	current bool   // groups are of the present connection
	err     error  // the durable node refuses it
	backoff backoff

	groups   map[string]*aggregate.Group // nil before the first answer
	incoming map[string]*aggregate.Group // of the answer under way; nil for groups that are no more
	having   []*pendingTx                // own transactions that it includes
	reset    bool                        // that is all groups

	included   []*pendingTx // own transactions that groups includes, in order
	difference *aggregate.Table
	differing  map[id.EntityID]*differing // the entities with pending changes
}

// differing is an entity with pending changes.
type differing struct {
	base  *proto.State  // as the durable node has confirmed it
	there *proto.Record // as the groups have it; nil if it is not there
	here  *proto.Record // as it is shown
	own   []*pendingTx  // that touch it; those that base includes as well, until the groups do

	deducted, added *proto.Record // what of these counts, in difference
}

func newDistant(t *tabulation) *distant {
	return &distant{tab: t, replica: t.node.replica, backoff: backoff{limits: &t.node.limits}}
}

// known reports whether the durable node has answered once.
func (d *distant) known() bool { return d.groups != nil }

// local is what is shown of what is known here only.
func (d *distant) local() tabulated {
	if d.err != nil {
		return tabulated{status: QueryError, err: d.err}
	}
	return tabulated{status: QueryLocal}
}

// open begins to follow the durable node.
func (d *distant) open() {
	if d.opened {
		return
	}
	d.opened = true
	s := &d.tab.node.aggregates
	if s.distant == nil {
		s.distant = make(map[string][]*distant)
	}
	s.distant[d.tab.collection] = append(s.distant[d.tab.collection], d)
	if d.replica.peer != nil {
		d.ask()
	}
}

func (d *distant) close() {
	if !d.opened {
		return
	}
	d.opened = false
	s := &d.tab.node.aggregates
	list := slices.DeleteFunc(slices.Clone(s.distant[d.tab.collection]), func(x *distant) bool { return x == d })
	if s.distant[d.tab.collection] = list; len(list) == 0 {
		delete(s.distant, d.tab.collection)
	}
	if p := d.replica.peer; p != nil && d.number != 0 {
		delete(p.aggregates, d.number)
		p.out.must(&proto.Unsubscribe{Sub: d.number})
	}
}

// each calls f with everything that follows the durable node.
func (s *tabulations) each(f func(*distant)) {
	for _, collection := range slices.Sorted(maps.Keys(s.distant)) {
		for _, d := range s.distant[collection] {
			f(d)
		}
	}
}

// ask asks the connected durable node.
func (d *distant) ask() {
	p := d.replica.peer
	of := d.tab.of
	m := &proto.Aggregate{Sub: p.number(), Collection: d.tab.collection, GroupBy: make([][]string, len(of.GroupBy)), Columns: make([]proto.AggregateColumn, len(of.Columns))}
	m.Text, m.Params = of.Selection().Text()
	for i, path := range of.GroupBy {
		m.GroupBy[i] = path
	}
	for i := range of.Columns {
		c := &of.Columns[i]
		m.Columns[i] = proto.AggregateColumn{Function: uint64(c.Function), Path: c.Path, Distinct: c.Distinct}
	}
	d.number, d.current, d.err, d.incoming = m.Sub, false, nil, nil
	p.aggregates[m.Sub] = d
	p.out.must(m)
}

// disconnected keeps what the durable node has said so far.
func (d *distant) disconnected() {
	d.number, d.current, d.incoming, d.err = 0, false, nil, nil
	if v := d.tab.versionNow(); v.status != QueryLoading {
		d.tab.show(nil, tabulated{status: QueryLocal}, nil)
	}
}

// refused takes the durable node's word that it does not answer. Where that is not about
// the aggregate, it is asked again after a pause.
func (d *distant) refused(err error) {
	d.err = err
	d.tab.show(nil, d.local(), nil)
	if !temporary(KindOf(err)) {
		return
	}
	p, number := d.replica.peer, d.number
	d.tab.node.later(d.backoff.next(), func() {
		if d.replica.peer == p && d.number == number && d.opened {
			delete(p.aggregates, number)
			d.ask()
		}
	})
}

// handleGroups hands groups to the loop, which shows them in their turn among the rows.
func (p *peer) handleGroups(m *proto.Groups) error {
	var d *distant
	var groups []*aggregate.Group
	var own []*pendingTx
	return p.hand(m, &step{
		stage: func(_ context.Context, x *draft) (err error) {
			if d = p.aggregates[m.Sub]; d == nil {
				return nil
			}
			groups, err = groupsOf(d.tab.of, m.Groups)
			own = x.outbox.having(m.Included)
			return err
		},
		show: func() {
			if d != nil && p.aggregates[m.Sub] == d {
				d.take(m, groups, own)
			}
		},
		done: p.orFail(func() {}),
	})
}

func groupsOf(of *ankql.Aggregation, list []proto.Group) ([]*aggregate.Group, error) {
	groups := make([]*aggregate.Group, len(list))
	for i := range list {
		g := &list[i]
		if len(g.Parts) == 0 {
			groups[i] = &aggregate.Group{ID: aggregate.NameOf(g.Key)}
			continue
		}
		var err error
		if groups[i], err = aggregate.FromParts(of, g.Key, int64(g.Rows), g.Parts); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// take takes in part of an answer, and with the last part shows it.
func (d *distant) take(m *proto.Groups, groups []*aggregate.Group, own []*pendingTx) {
	if d.incoming == nil {
		d.incoming, d.reset, d.having = make(map[string]*aggregate.Group), m.Reset, nil
	}
	d.having = append(d.having, own...)
	for _, g := range groups {
		if g.Parts == nil {
			d.incoming[g.ID] = nil
		} else {
			d.incoming[g.ID] = g
		}
	}
	if !m.Done {
		return
	}
	incoming, own := d.incoming, d.having
	d.incoming, d.having = nil, nil
	if !d.reset && !d.known() {
		return // it failed
	}
	if d.reset {
		d.begin(incoming, own)
		return
	}
	if d.advance(own); !d.known() {
		return // it failed
	}
	names := make(map[string]*aggregate.Group)
	for name, g := range incoming {
		names[name] = nil
		if g == nil {
			delete(d.groups, name)
		} else {
			d.groups[name] = g
		}
	}
	d.show(names, tabulated{status: QueryLive})
}

// begin takes all groups anew.
func (d *distant) begin(groups map[string]*aggregate.Group, own []*pendingTx) {
	first := d.groups == nil
	d.groups, d.included, d.current = groups, own, true
	d.backoff.reset()
	d.tab.unwatch()
	limits := d.tab.node.limits
	d.difference = aggregate.NewDifference(d.tab.of, aggregate.Limits{Groups: limits.Groups, Values: limits.DistinctValues})
	before := d.differing
	d.differing = make(map[id.EntityID]*differing)
	for e, x := range before {
		y := &differing{base: x.base, here: x.here}
		for _, p := range x.own {
			if d.replica.outbox.byTx[p.tx] == p {
				y.own = append(y.own, p)
			}
		}
		d.differing[e] = y
		d.catchUp(e, y)
	}
	if first && d.known() {
		if err := d.findDiffering(); err != nil {
			d.fail(err)
		}
	}
	if !d.known() {
		return // it failed
	}
	names := make(map[string]*aggregate.Group, len(groups))
	for name := range groups {
		names[name] = nil
	}
	d.tab.replace(names)
	d.show(names, tabulated{status: QueryLive})
}

// findDiffering looks up the entities with pending changes.
func (d *distant) findDiffering() error {
	var list []id.EntityID
	for e, pending := range d.replica.outbox.byEntity {
		if pending[0].collectionOf(e) == d.tab.collection {
			list = append(list, e)
		}
	}
	records, err := d.tab.node.records(d.tab.node.run.ctx, d.tab.node.engine, list)
	if err != nil {
		return err
	}
	for i, e := range list {
		d.follow(e, records[i])
	}
	return nil
}

// advance notes own transactions that the groups include from now on.
func (d *distant) advance(own []*pendingTx) {
	d.included = slices.DeleteFunc(d.included, d.past)
	for _, p := range own {
		if slices.Contains(d.included, p) {
			continue
		}
		d.included = append(d.included, p)
		for _, e := range p.entities() {
			if x := d.differing[e]; x != nil {
				d.catchUp(e, x)
			}
		}
	}
	slices.SortFunc(d.included, func(a, b *pendingTx) int { return cmp.Compare(a.seq, b.seq) })
}

// past reports whether a transaction that the groups include is included in all that is
// shown as well. The outbox alone does not tell: what it has finished with may still wait to
// be published.
func (d *distant) past(p *pendingTx) bool {
	if d.replica.outbox.byTx[p.tx] == p {
		return false
	}
	return !slices.ContainsFunc(p.entities(), func(e id.EntityID) bool { return d.differing[e] != nil })
}

// published takes in a transaction before anybody else hears of it.
func (s *tabulations) published(t *reactor.Transaction) {
	if len(s.distant) == 0 {
		return
	}
	var concerned []*distant
	for i := range t.Changes {
		c := &t.Changes[i]
		for _, d := range s.distant[c.Collection] {
			if !d.known() {
				continue
			}
			d.follow(c.Entity, c.Stored)
			if !slices.Contains(concerned, d) {
				concerned = append(concerned, d)
			}
		}
	}
	for _, d := range concerned {
		if d.known() {
			d.show(nil, d.tab.versionNow())
		}
	}
}

// follow notes how an entity is shown now.
func (d *distant) follow(e id.EntityID, here *proto.Record) {
	if !d.known() {
		return
	}
	x := d.differing[e]
	if x == nil {
		if here == nil || here.Base == nil {
			return
		}
		x = &differing{base: here.Base}
		d.differing[e] = x
	}
	x.here = here
	for _, p := range d.replica.outbox.byEntity[e] {
		if !slices.Contains(x.own, p) {
			x.own = append(x.own, p)
		}
	}
	d.catchUp(e, x)
}

// catchUp works out how the groups have an entity, and forgets it when that is how it is
// shown. Rows of an answer may bring a transaction before the groups include it: until then
// the groups have the entity as it was. Those of an earlier connection do not include what is
// acknowledged on this one, so then nothing ends being different.
func (d *distant) catchUp(e id.EntityID, x *differing) {
	x.own = slices.DeleteFunc(x.own, func(p *pendingTx) bool { return p.told })
	early := slices.ContainsFunc(x.own, func(p *pendingTx) bool { return !slices.Contains(d.included, p) && x.confirms(p, e) })
	switch {
	case early || !d.current:
	case x.here == nil || x.here.Base == nil:
		delete(d.differing, e)
		d.count(e, x, nil, nil)
		return
	default:
		x.base = x.here.Base
	}
	d.place(e, x)
}

// confirms reports whether the entity as the durable node has confirmed it has a transaction's
// last event on it.
func (x *differing) confirms(p *pendingTx, e id.EntityID) bool {
	if x.here == nil || x.here.Base == nil {
		return true
	}
	for _, event := range slices.Backward(p.on(e)) {
		if event.Entity == e {
			return x.here.Base.Head.Contains(event.ID)
		}
	}
	return false
}

// settled ends what waited for a transaction: one that was acknowledged and that the groups do
// not name, because they did not change with it, or one that was refused, where nothing of it
// was shown any more, because the durable node has taken the row out of sight meanwhile.
func (d *distant) settled(p *pendingTx) {
	if !d.known() || !d.current {
		return
	}
	for _, e := range p.entities() {
		if x := d.differing[e]; x != nil && slices.Contains(x.own, p) {
			d.catchUp(e, x)
		}
	}
	if d.known() {
		d.show(nil, d.tab.versionNow())
	}
}

// place works out how the groups have an entity: as it was confirmed, with the transactions
// that they include. An event that the base includes as well does nothing a second time.
func (d *distant) place(e id.EntityID, x *differing) {
	state := x.base
	for _, p := range d.included {
		for _, event := range p.on(e) {
			if event.Entity != e || state.Head.Contains(event.ID) || event.IsCreation() != (len(state.Head) == 0) {
				continue
			}
			next, err := entity.Apply(state, event)
			if err != nil {
				d.fail(err)
				return
			}
			state = next
		}
	}
	x.there = nil
	if len(state.Head) > 0 {
		x.there = &proto.Record{Collection: d.tab.collection, Entity: e, State: state}
	}
	d.count(e, x, x.there, x.here)
}

// count makes an entity count as it is there and as it is here.
func (d *distant) count(e id.EntityID, x *differing, there, here *proto.Record) {
	there, here = d.counted(there), d.counted(here)
	t := d.difference
	var err error
	note := func(problem error) {
		if err == nil {
			err = problem
		}
	}
	if x.deducted != nil {
		note(t.Restore(x.deducted, e))
	}
	if x.added != nil {
		note(t.Remove(x.added, e))
	}
	if there != nil {
		note(t.Deduct(there, e))
	}
	if here != nil {
		note(t.Add(here, e))
	}
	x.deducted, x.added = there, here
	if err != nil {
		d.fail(err)
	}
}

// counted returns a record if the aggregation counts it.
func (d *distant) counted(r *proto.Record) *proto.Record {
	if r = visible(r); r == nil || !d.tab.rows.matches(r, d.tab.rows.now()) {
		return nil
	}
	return r
}

// show shows the groups whose names are given, and those that differ otherwise than before.
func (d *distant) show(names map[string]*aggregate.Group, v tabulated) {
	if names == nil {
		names = make(map[string]*aggregate.Group)
	}
	d.refill()
	for _, name := range d.difference.Changed() {
		names[name] = nil
	}
	for name := range names {
		names[name] = aggregate.Combine(d.groups[name], d.difference, name)
	}
	d.tab.show(names, v, nil)
}

// refill finds the extremes among what was added here.
func (d *distant) refill() {
	for _, s := range d.difference.Short() {
		within := *d.tab.rows
		within.sel = d.tab.of.Within(s.Key, s.Column)
		var list []keyedRow
		for e, x := range d.differing {
			if x.added != nil && within.matches(x.added, within.now()) {
				list = append(list, keyedRow{within.sel.AppendSortKey(nil, x.added, e), x.added})
			}
		}
		sortKeyed(list)
		rows := make([]aggregate.Row, min(len(list), s.Want))
		for i := range rows {
			rows[i] = aggregate.Row{Entity: list[i].row.Entity, Fields: list[i].row}
		}
		d.difference.Fill(s, rows, len(list) > s.Want)
	}
}

// fail ends what cannot be told any more. Where more differs here than there is room for, that
// stays so; anything else ends the connection, and the next one's answer begins anew.
func (d *distant) fail(err error) {
	lasting := errors.Is(err, aggregate.ErrGroups) || errors.Is(err, aggregate.ErrValues)
	if lasting {
		err = fmt.Errorf("%w: %w", ErrLimit, err)
		d.tab.node.aggregates.forget(d.tab)
	} else {
		d.tab.node.opts.Listener.failed("live aggregate", err)
	}
	p := d.replica.peer
	if lasting {
		d.close()
	}
	d.groups, d.differing, d.incoming = nil, nil, nil
	d.tab.show(nil, tabulated{status: QueryError, err: err}, nil)
	if p != nil && !lasting {
		p.lose(err)
	}
}

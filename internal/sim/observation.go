package sim

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
)

// memories is what was done and seen on a machine.
type memories struct {
	mu   sync.Mutex
	own  map[id.EntityID]marks // committed here
	seen map[id.EntityID]marks // shown here
	lost bool                  // storage has failed: what is shown may be what it holds after all

	read map[id.EntityID]marks // shown to readers at the present moment, and not by live results
	at   time.Time             // that moment
}

func (m *memories) init() {
	m.own, m.seen, m.read = make(map[id.EntityID]marks), make(map[id.EntityID]marks), make(map[id.EntityID]marks)
}

// wrote notes a transaction that was committed here.
func (m *memories) wrote(t *transaction) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range t.entities {
		set := m.own[e]
		set = slices.Clone(set)
		set.add(t.mark)
		m.own[e] = set
	}
}

// failed notes that storage failed: an ephemeral node may take back what it has shown.
func (m *memories) failed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = true
}

func (m *memories) unsure() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// crash forgets what a node of the kind need not remember after a crash.
func (m *memories) crash(durable bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !durable {
		clear(m.seen)
		clear(m.read)
	}
}

// recollection is what was done and seen on a machine by some moment.
type recollection struct {
	own, seen map[id.EntityID]marks
	read      bool // it is a reader's
}

// recollect returns what live results must show that tell of a change now. Several changes
// that came together are told of one after the other, each as the rows were then, while who
// reads finds all of them already: of what was read at this very moment live results may not
// have told yet. Telling takes no simulated time, so they have of all that was read before.
func (m *memories) recollect() recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passLocked()
	return recollection{own: maps.Clone(m.own), seen: maps.Clone(m.seen)}
}

// reading returns what reads that begin now must show.
func (m *memories) reading() recollection {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passLocked()
	since := recollection{maps.Clone(m.own), maps.Clone(m.seen), true}
	add(since.seen, m.read)
	return since
}

// passLocked lets time pass.
func (m *memories) passLocked() {
	if now := time.Now(); !now.Equal(m.at) {
		add(m.seen, m.read)
		clear(m.read)
		m.at = now
	}
}

// rememberLocked notes what an entity has shown.
func (m *memories) rememberLocked(e id.EntityID, set marks, read bool) {
	m.passLocked()
	if read {
		add(m.read, map[id.EntityID]marks{e: set})
	} else {
		add(m.seen, map[id.EntityID]marks{e: set})
	}
}

// add adds marks to those of each entity; sets that others hold stay as they are.
func add(to, more map[id.EntityID]marks) {
	for e, set := range more {
		all := slices.Clone(to[e])
		all.union(set)
		to[e] = all
	}
}

// observe holds rows that somebody on a machine sees together against I1, I2 and I3. What is
// not in step with a durable node may be of different moments, except for the node's own
// transactions; so may be a row that the node has changed, until it has been asked for anew.
func (m *Machine) observe(life int, where string, rows []*core.View, since recollection, inStep bool) error {
	l := m.world.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	m.memory.mu.Lock()
	defer m.memory.mu.Unlock()
	if !m.in(life) { // nobody is there to see it
		return nil
	}
	if err := m.atomicLocked(where, rows, inStep); err != nil {
		return err
	}
	for _, row := range rows {
		e := row.ID()
		set, ok := l.includedLocked(row.State().Head)
		if !ok {
			continue
		}
		if missing := l.missingLocked(row, since.own[e].without(set, l.doubted, l.open)); !missing.empty() {
			return fmt.Errorf("I2: %s, %s: %s does not show the node's own transactions %v\n%s", m.name, where, e, missing.list(), l.explainLocked(row, missing))
		}
		if missing := l.missingLocked(row, since.seen[e].without(set, l.doubted, l.open)); !missing.empty() && (m.durable || !m.memory.lost) {
			return fmt.Errorf("I3: %s, %s: %s does not show transactions %v any more\n%s", m.name, where, e, missing.list(), l.explainLocked(row, missing))
		}
		m.memory.rememberLocked(e, set, since.read)
	}
	return nil
}

// atomicLocked holds rows that are shown at one moment against I1. An entity may be among them
// several times.
func (m *Machine) atomicLocked(where string, rows []*core.View, inStep bool) error {
	l := m.world.ledger
	included, shown := make([]marks, len(rows)), make(map[id.EntityID][]int, len(rows))
	for i, row := range rows {
		if set, ok := l.includedLocked(row.State().Head); ok {
			included[i] = set
			shown[row.ID()] = append(shown[row.ID()], i)
		}
	}
	for i, row := range rows {
		for _, mark := range included[i].list() {
			own := l.list[mark].origin == m
			if !inStep && !own || l.doubted.has(mark) {
				continue
			}
			for _, other := range l.list[mark].entities {
				for _, k := range shown[other] {
					beside := rows[k]
					if !included[k].has(mark) && (m.durable || !l.unsettledLocked(m.memory.own[other]) && !beside.Pending() || own) && !l.hiddenLocked(beside, mark) {
						return fmt.Errorf("I1: %s, %s: transaction %d is shown on %s and not on %s\n%s", m.name, where, mark, row.ID(), other, l.explainLocked(beside, one(mark)))
					}
				}
			}
		}
	}
	return nil
}

// screen is the live results that an application on a machine shows, during one life.
type screen struct {
	machine    *Machine
	life       int
	panes      []*pane
	aggregates []*summary
	mu         sync.Mutex // guards panes while they are opened, and closed
	closed     bool
	told       atomic.Uint64 // how often one of them has been told of a change
	glancing   atomic.Bool
}

// glance holds everything that is live on a client's screen against I1 together, once all of
// it has been told of what has just changed.
func (s *screen) glance() {
	if s.machine.durable || s.machine.wanders() || !s.glancing.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(1, func() {
		s.glancing.Store(false)
		node, _ := s.machine.running()
		if node == nil {
			return
		}
		told := s.told.Load()
		if _, err := node.Rejections(s.machine.world.ctx); err != nil { // the loop is not in the middle of telling
			return
		}
		if err := s.whole(); s.told.Load() == told {
			s.machine.world.check(err)
		} // else there is another glance to come
	})
}

// whole holds what all live results show against I1. Where storage has failed, results are read
// again one by one.
func (s *screen) whole() error {
	m := s.machine
	s.mu.Lock()
	panes, closed := slices.Clone(s.panes), s.closed
	s.mu.Unlock()
	if closed {
		return nil
	}
	var rows []*core.View
	for _, p := range panes {
		p.mu.Lock()
		if p.q.Status() == core.QueryLive {
			rows = append(rows, p.rows...)
		}
		p.mu.Unlock()
	}
	l := m.world.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	m.memory.mu.Lock()
	defer m.memory.mu.Unlock()
	if !m.in(s.life) || m.memory.lost {
		return nil
	}
	return m.atomicLocked("the whole screen", rows, true)
}

// pane is a live query, and what its change sets add up to.
type pane struct {
	screen *screen
	selection
	window *core.Window
	q      *core.LiveQuery

	mu   sync.Mutex
	rows []*core.View
}

// look opens some live results on a node.
func (m *Machine) look(node *core.Node, life int) error {
	w := m.world
	rnd := w.random(m.name+" looks", uint64(life))
	s := &screen{machine: m, life: life}
	m.screen = s
	first := rnd.IntN(len(w.selections))
	for i, sel := range w.selections {
		if i != first && rnd.IntN(2) == 0 {
			continue
		}
		var window *core.Window
		if sel.sel.Limit == ankql.NoLimit && rnd.IntN(3) == 0 {
			window = &core.Window{Before: rnd.IntN(6), After: rnd.IntN(6)}
			if rnd.IntN(2) == 0 {
				window.Anchor = core.AtEnd
			}
		}
		if err := s.open(node, sel, window); err != nil {
			return err
		}
	}
	for _, a := range w.aggregations {
		if rnd.IntN(2) == 0 {
			continue
		}
		if err := s.summarize(node, a); err != nil {
			return err
		}
	}
	return nil
}

func (s *screen) open(node *core.Node, of selection, window *core.Window) (err error) {
	p := &pane{screen: s, selection: of, window: window}
	c := node.Context(s.machine.principal())
	if window != nil {
		p.q, err = c.QueryWindow(of.collection, of.sel, *window)
	} else {
		p.q, err = c.Query(of.collection, of.sel)
	}
	if core.KindOf(err) == core.KindClosed {
		return nil // it died again
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.machine.name, of.sel, err)
	}
	s.mu.Lock()
	s.panes = append(s.panes, p)
	s.mu.Unlock()
	p.q.Subscribe(p.follow)
	return nil
}

// String describes the pane.
func (p *pane) String() string {
	text := p.sel.String()
	if p.window != nil {
		text += fmt.Sprintf(" window %d, %d", p.window.Before, p.window.After)
	}
	return text
}

// follow applies a change set, as who receives it does; it runs on the node's loop.
func (p *pane) follow(set *core.ChangeSet) {
	m := p.screen.machine
	if !m.in(p.screen.life) {
		return
	}
	p.screen.told.Add(1)
	defer p.screen.glance()
	p.mu.Lock()
	defer p.mu.Unlock()
	m.world.trace.detail(func() string {
		text := fmt.Sprintf("  %s shows %s %s:", m.name, p, set.Status)
		for _, x := range set.Changes {
			text += fmt.Sprintf(" %s %s", x.Kind, x.Entity)
			if x.View != nil {
				text += fmt.Sprint(" ", x.View.State().Head)
			}
		}
		return text
	})
	rows := slices.Clone(p.rows)
	for _, x := range set.Changes {
		if x.From >= 0 {
			if x.From >= len(rows) || rows[x.From].ID() != x.Entity {
				m.world.check(fmt.Errorf("I4: %s, %s: change %v takes away another row", m.name, p, x))
				return
			}
			rows = slices.Delete(rows, x.From, x.From+1)
		}
		if x.To >= 0 {
			if x.To > len(rows) {
				m.world.check(fmt.Errorf("I4: %s, %s: change %v leaves a gap", m.name, p, x))
				return
			}
			rows = slices.Insert(rows, x.To, x.View)
		}
	}
	p.rows = rows
	if limit := p.limit(); limit >= 0 && len(rows) > limit {
		m.world.check(fmt.Errorf("I4: %s, %s: %d rows", m.name, p, len(rows)))
	}
	if len(set.Changes) > 0 {
		m.world.check(m.observe(p.screen.life, p.String(), rows, m.memory.recollect(), set.Status == core.QueryLive && !m.wanders()))
	}
}

// limit is how many rows the pane shows at most, -1 for any.
func (p *pane) limit() int {
	switch {
	case p.window != nil:
		return p.window.Before + p.window.After
	case p.sel.Limit != ankql.NoLimit:
		return p.sel.Limit
	}
	return -1
}

// summary is a live aggregate, and what its changes add up to.
type summary struct {
	screen *screen
	of     aggregation
	q      *core.LiveAggregate

	mu     sync.Mutex
	groups map[string]*core.AggregateGroup
}

func (s *screen) summarize(node *core.Node, a aggregation) error {
	q, err := node.Context(s.machine.principal()).QueryAggregate(a.collection, a.of)
	if core.KindOf(err) == core.KindClosed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.machine.name, a.of, err)
	}
	x := &summary{screen: s, of: a, q: q, groups: make(map[string]*core.AggregateGroup)}
	s.aggregates = append(s.aggregates, x)
	q.Subscribe(x.follow)
	return nil
}

func (x *summary) follow(c *core.AggregateChange) {
	m := x.screen.machine
	if !m.in(x.screen.life) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if c.Reset {
		clear(x.groups)
	}
	for _, g := range c.Removed {
		if x.groups[g.ID] == nil {
			m.world.check(fmt.Errorf("I4: %s, %s: a group that was not there is removed", m.name, x.of.of))
		}
		delete(x.groups, g.ID)
	}
	for _, g := range c.Changed {
		x.groups[g.ID] = g
	}
}

// close closes everything that is shown.
func (s *screen) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, p := range s.panes {
		p.q.Close()
	}
	for _, x := range s.aggregates {
		x.q.Close()
	}
}

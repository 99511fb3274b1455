package sim

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// patience is how long a healed system may take to come to rest: a creation waits for its date,
// which may be an hour ahead of a durable node whose own clock was ahead by more.
const patience = 6 * time.Hour

// calm is how long nothing must move for that. A connection that a last step has cut without
// telling the client looks like a quiet one until two pings have not been answered: calm is
// longer, with room to connect again.
var calm = 4 * core.DefaultLimits().Ping

// settle waits until nothing moves, and checks what must hold then.
func (w *World) settle(ctx context.Context) error {
	var still time.Duration
	for range int(patience / time.Second) {
		time.Sleep(time.Second)
		if still += time.Second; w.restless() != nil {
			still = 0
		}
		if err := w.failure(); err != nil {
			return err
		}
		if still == calm {
			return w.checkAll(ctx)
		}
	}
	return w.restless()
}

// restless says what still moves (I5).
func (w *World) restless() error {
	if err := w.apart(); err != nil {
		return err
	}
	for _, c := range w.clients {
		node, _ := c.running()
		if node == nil {
			return fmt.Errorf("I5: %s is down", c.name)
		}
		if st := node.Status(); st.Connection != core.Live || st.Pending != 0 {
			return fmt.Errorf("I5: %s: %v, %d pending, %v", c.name, st.Connection, st.Pending, st.LastError)
		}
		for _, p := range c.screen.panes {
			if p.q.Status() != core.QueryLive {
				return fmt.Errorf("I5: %s, %s: %s, %v", c.name, p, p.q.Status(), p.q.Err())
			}
		}
		for _, x := range c.screen.aggregates {
			if x.q.Status() != core.QueryLive {
				return fmt.Errorf("I5: %s, %s: %s, %v", c.name, x.of.of, x.q.Status(), x.q.Err())
			}
		}
	}
	return nil
}

func (w *World) checkAll(ctx context.Context) error {
	var stores []*store
	for _, d := range w.durables {
		s, err := w.read(ctx, d)
		if err != nil {
			return err
		}
		stores = append(stores, s)
	}
	for _, s := range stores {
		if err := s.whole(w); err != nil {
			return err
		}
		if err := s.same(stores[0]); err != nil {
			return err
		}
		if err := s.merged(); err != nil {
			return err
		}
	}
	if err := w.refusals(ctx, stores[0]); err != nil {
		return err
	}
	for _, c := range w.clients {
		if err := c.shows(ctx); err != nil {
			return err
		}
	}
	if err := w.recomputed(ctx, stores[0]); err != nil {
		return err
	}
	return w.released()
}

// store is what a durable node has stored.
type store struct {
	machine *Machine
	events  map[id.EntityID][]*proto.Event
	records map[id.EntityID]*proto.Record
}

func (w *World) read(ctx context.Context, d *Machine) (*store, error) {
	s := &store{d, make(map[id.EntityID][]*proto.Event), make(map[id.EntityID]*proto.Record)}
	node, _ := d.running()
	if node == nil {
		return nil, fmt.Errorf("I5: %s is down", d.name)
	}
	w.ledger.mu.Lock()
	entities := make(map[id.EntityID]bool)
	for _, e := range w.ledger.events {
		entities[e.entity] = true
	}
	w.ledger.mu.Unlock()
	for e := range entities {
		events, err := d.engine.EntityEvents(ctx, e, id.EventID{}, 0)
		if err != nil {
			return nil, err
		}
		records, err := d.engine.Records(ctx, []id.EntityID{e})
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			s.events[e] = events
		}
		if records[0] != nil {
			s.records[e] = records[0]
		}
	}
	return s, nil
}

// whole checks I6, I7, and I8 as far as storage goes.
func (s *store) whole(w *World) error {
	there := make(map[int]map[id.EntityID]int) // by mark
	for e, events := range s.events {
		for _, event := range events {
			if mark := markOf(event); mark > 0 {
				if there[mark] == nil {
					there[mark] = make(map[id.EntityID]int)
				}
				there[mark][e]++
			}
		}
	}
	for _, t := range w.ledger.all() {
		on := there[t.mark]
		for e, times := range on {
			if times != 1 {
				return fmt.Errorf("I7: %s has transaction %d of %s %d times on %s", s.machine.name, t.mark, t.origin.name, times, e)
			}
		}
		switch {
		case len(on) != 0 && len(on) != len(t.entities):
			return fmt.Errorf("I7: %s has transaction %d of %s on %d entities of %d", s.machine.name, t.mark, t.origin.name, len(on), len(t.entities))
		case len(on) == 0 && w.ledger.lost.has(t.mark) && t.acked:
		case len(on) == 0 && len(t.entities) > 0 && t.acked:
			return fmt.Errorf("I6: %s does not have transaction %d of %s, which was acknowledged", s.machine.name, t.mark, t.origin.name)
		case len(on) == 0 && len(t.entities) > 0 && t.committed && !t.refused && !t.dismissed && !s.machine.rejected(w, t):
			return fmt.Errorf("I6: %s does not have transaction %d of %s, which was committed and not refused", s.machine.name, t.mark, t.origin.name)
		case len(on) > 0 && t.refused && !t.dismissed:
			return fmt.Errorf("I8: %s has transaction %d of %s, which was refused", s.machine.name, t.mark, t.origin.name)
		}
	}
	return nil
}

// rejected reports whether the author's node lists a transaction as refused; a crash may have
// kept it from telling.
func (m *Machine) rejected(w *World, t *transaction) bool {
	node, _ := t.origin.running()
	list, err := node.Rejections(w.ctx)
	return err == nil && slices.ContainsFunc(list, func(r core.Rejection) bool { return w.ledger.find(r.Transaction) == t })
}

// same checks I9 between two durable nodes.
func (s *store) same(o *store) error {
	for e, events := range s.events {
		if !slices.EqualFunc(events, o.events[e], func(a, b *proto.Event) bool { return a.ID == b.ID }) {
			return fmt.Errorf("I9: %s has %d events of %s, %s has %d", s.machine.name, len(events), e, o.machine.name, len(o.events[e]))
		}
		if a, b := s.records[e], o.records[e]; a == nil || b == nil || !a.State.Head.Equal(b.State.Head) {
			return fmt.Errorf("I9: %s and %s have different heads of %s", s.machine.name, o.machine.name, e)
		} else if !slices.EqualFunc(a.State.Properties, b.State.Properties, sameProperty) {
			return fmt.Errorf("I9: %s and %s have different states of %s", s.machine.name, o.machine.name, e)
		}
	}
	if len(s.events) != len(o.events) {
		return fmt.Errorf("I9: %s has %d entities, %s has %d", s.machine.name, len(s.events), o.machine.name, len(o.events))
	}
	return nil
}

func sameProperty(a, b proto.PropertyState) bool {
	return a.Name == b.Name && a.Kind == b.Kind && a.Value == b.Value && bytes.Equal(a.Data, b.Data)
}

// merged checks I9 against the obvious merge: of each property, the write of the greatest
// event.
func (s *store) merged() error {
	for e, events := range s.events {
		rec := s.records[e]
		if rec == nil {
			return fmt.Errorf("I9: %s has events of %s, and no record", s.machine.name, e)
		}
		want := make(map[string]value.Value)
		parents := make(map[id.EventID]bool)
		for _, event := range events { // ascending
			for _, op := range event.Operations {
				kind, ok := entity.KindByCode(op.Kind)
				if !ok {
					return fmt.Errorf("I9: kind %d", op.Kind)
				}
				v, _, err := kind.Written(op)
				if err != nil {
					return err
				}
				want[op.Property] = v
			}
			for _, p := range event.Parents {
				parents[p] = true
			}
		}
		for name, v := range want {
			if got := rec.State.Field(name); got != v {
				return fmt.Errorf("I9: %s: %s.%s is %v, by its events %v", s.machine.name, e, name, got, v)
			}
		}
		var head proto.Clock
		for _, event := range events {
			if !parents[event.ID] {
				head = append(head, event.ID)
			}
		}
		if !rec.State.Head.Equal(head) {
			return fmt.Errorf("I9: %s: the head of %s is %v, by its events %v", s.machine.name, e, rec.State.Head, head)
		}
	}
	return nil
}

// refusals checks I8 as far as authors go.
func (w *World) refusals(ctx context.Context, s *store) error {
	for _, c := range w.clients {
		list, err := c.node.Rejections(ctx)
		if err != nil {
			return err
		}
		listed := make(map[*transaction]int)
		for _, r := range list {
			if t := w.ledger.find(r.Transaction); t != nil {
				listed[t]++
			}
		}
		for _, t := range w.ledger.all() {
			told, want := t.told[t.ids[len(t.ids)-1]], 0
			if told.Err != nil {
				want = 1
			}
			if t.origin == c && !t.dismissed && listed[t] != want && (want == 1 || t.acked) {
				return fmt.Errorf("I8: %s lists transaction %d %d times, refused: %v", c.name, t.mark, listed[t], t.refused)
			}
		}
	}
	return nil
}

// shows checks I10 on a client.
func (m *Machine) shows(ctx context.Context) error {
	server := m.server.node.Context(m.principal())
	for _, p := range m.screen.panes {
		want, err := server.Fetch(ctx, p.collection, p.sel)
		if err != nil {
			return err
		}
		if p.window != nil {
			if p.window.Anchor == core.AtEnd {
				want = want[max(0, len(want)-p.window.Before):]
			} else {
				want = want[:min(len(want), p.window.After)]
			}
		}
		p.mu.Lock()
		followed := p.rows
		p.mu.Unlock()
		rows := p.q.Rows()
		if err := same(rows, want); err != nil {
			return fmt.Errorf("I10: %s, %s: %w", m.name, p, err)
		}
		if err := same(followed, rows); err != nil {
			return fmt.Errorf("I10: %s, %s: by its change sets: %w", m.name, p, err)
		}
		for i := range rows { // change sets do not tell of a head alone
			if !rows[i].State().Head.Equal(want[i].State().Head) {
				return fmt.Errorf("I10: %s, %s: row %s: head %v, want %v", m.name, p, rows[i].ID(), rows[i].State().Head, want[i].State().Head)
			}
		}
	}
	for _, x := range m.screen.aggregates {
		want, err := server.Aggregate(ctx, x.of.collection, x.of.of)
		if err != nil {
			return err
		}
		x.mu.Lock()
		followed := slices.SortedFunc(maps.Values(x.groups), func(a, b *core.AggregateGroup) int { return compareText(a.ID, b.ID) })
		x.mu.Unlock()
		for _, got := range [][]*core.AggregateGroup{x.q.Groups(), followed} {
			if !slices.EqualFunc(got, want, func(a, b *core.AggregateGroup) bool { return a.ID == b.ID && slices.Equal(a.Values, b.Values) }) {
				return fmt.Errorf("I10: %s, %s: %v, want %v", m.name, x.of.of, groups(got), groups(want))
			}
		}
	}
	return nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func groups(list []*core.AggregateGroup) (text []string) {
	for _, g := range list {
		text = append(text, fmt.Sprintf("%v: %v", g.Key, g.Values))
	}
	return text
}

// same compares a live result with what it should be.
func same(got, want []*core.View) error {
	for k := range max(len(got), len(want)) {
		switch {
		case k >= len(got):
			return fmt.Errorf("%d rows, want %d: %s is missing", len(got), len(want), want[k].ID())
		case k >= len(want) || got[k].ID() != want[k].ID():
			return fmt.Errorf("row %d of %d is %s, want %d rows", k, len(got), got[k].ID(), len(want))
		case got[k].Pending():
			return fmt.Errorf("row %s is still pending", got[k].ID())
		}
		for i := range want[k].State().Properties {
			name := want[k].State().Properties[i].Name
			if a, b := got[k].Field(name), want[k].Field(name); a != b {
				return fmt.Errorf("row %s: %s is %v, want %v", got[k].ID(), name, a, b)
			}
		}
	}
	return nil
}

// recomputed holds what a durable node answers against an evaluation that is obviously right.
func (w *World) recomputed(ctx context.Context, s *store) error {
	world := ankqltest.NewWorld(w.gen.World.Models)
	for e, rec := range s.records {
		model := world.Models[rec.Collection]
		if model == nil {
			continue
		}
		row := &ankqltest.Row{Collection: rec.Collection, ID: e, Values: make(map[string]value.Value), Deleted: rec.State.Deleted()}
		for i := range model.Properties {
			if v := rec.Field(model.Properties[i].Name); !v.IsNull() {
				row.Values[model.Properties[i].Name] = v
			}
		}
		world.Put(row)
	}
	c := s.machine.node.Context(policy.Principal{})
	for _, sel := range w.selections {
		got, err := c.Fetch(ctx, sel.collection, sel.sel)
		if err != nil {
			return err
		}
		checked, err := sel.sel.CheckWith(world.Models[sel.collection], world.Models)
		if err != nil {
			return err
		}
		want := world.Fetch(sel.collection, checked)
		if !slices.EqualFunc(got, want, func(v *core.View, r *ankqltest.Row) bool { return v.ID() == r.ID }) {
			return fmt.Errorf("I10: %s answers %s with %d rows, want %d", s.machine.name, sel.sel, len(got), len(want))
		}
	}
	for _, a := range w.aggregations {
		got, err := c.Aggregate(ctx, a.collection, a.of)
		if err != nil {
			return err
		}
		want := world.Aggregate(a.collection, a.of)
		if !slices.EqualFunc(got, want, func(g *core.AggregateGroup, o *ankqltest.Group) bool { return slices.Equal(g.Values, o.Values) }) {
			return fmt.Errorf("I10: %s answers %s with %v", s.machine.name, a.of, groups(got))
		}
	}
	return nil
}

// released checks I11.
func (w *World) released() error {
	for _, c := range w.clients {
		c.screen.close()
	}
	time.Sleep(time.Minute)
	connections := make(map[*Machine]int)
	for _, m := range w.machines {
		if n := m.node.Watches(); n != 0 {
			return fmt.Errorf("I11: %s watches %d predicates that nobody looks at", m.name, n)
		}
		if m.server != nil {
			connections[m.server]++
		}
		for _, peer := range m.peers {
			connections[peer]++
		}
	}
	for _, d := range w.durables {
		if got := d.node.Peers(); got != connections[d] {
			return fmt.Errorf("I11: %s serves %d connections, want %d", d.name, got, connections[d])
		}
	}
	return nil
}

package core

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
)

// The catalog of a durable node is what its entities say. Two nodes that register the same
// model before they hear of each other make two entities for it; what these say together
// is the same on every node that holds both: of a collection or property the first entity,
// in order of ids, is the one that is written to, and the others add to it.

// catalogued is the models that catalog entities describe.
type catalogued struct {
	models   map[string]*schema.Model
	entities map[string]id.EntityID // of models and of "model.property", to be written to
	problems []error                // what does not fit, and is passed over

	owners  map[id.EntityID]*schema.Model
	written map[string]writers // by "model.property"
}

// writers are the events by which the later word of several entities is told.
type writers struct{ standard, target []byte }

func newCatalogued() *catalogued {
	return &catalogued{models: make(map[string]*schema.Model), entities: make(map[string]id.EntityID),
		owners: make(map[id.EntityID]*schema.Model), written: make(map[string]writers)}
}

// model takes the entity of a model; models come in order of ids, before properties.
func (c *catalogued) model(r *proto.Record) {
	name, _ := r.Field("collection").AsString()
	if name == "" {
		c.problem(r, "it names no collection")
		return
	}
	m := c.models[name]
	if m == nil {
		m = &schema.Model{Collection: name}
		c.models[name], c.entities[name] = m, r.Entity
	}
	c.owners[r.Entity] = m
	if merged, _ := schema.MergeIndexes(m.Indexes, indexesOf(r.Field("indexes"))); len(merged) <= schema.MaxIndexes {
		m.Indexes = merged
	}
}

// property takes the entity of a property.
func (c *catalogued) property(r *proto.Record) {
	owner, _ := r.Field("model").AsID()
	m, ok := c.owners[owner]
	if !ok {
		c.problem(r, "it has no model")
		return
	}
	p, w := propertyOf(r), writers{writerOf(r, "default"), writerOf(r, "target")}
	name := m.Collection + "." + p.Name
	if err := (&schema.Model{Collection: m.Collection, Properties: []schema.Property{p}}).Validate(); err != nil {
		c.problems = append(c.problems, fmt.Errorf("catalog entity %s: %w", r.Entity, err))
		return
	}
	q, again := m.Property(p.Name)
	switch {
	case !again && len(m.Properties) >= schema.MaxProperties:
		c.problem(r, "its model has too many properties")
	case !again:
		m.Properties = append(m.Properties, p)
		c.entities[name], c.written[name] = r.Entity, w
	case q.Type != p.Type || q.MergeKind() != p.MergeKind():
		c.problems = append(c.problems, fmt.Errorf("%w: %s was registered as %s (%s) and as %s (%s) before the nodes heard of each other; it is the former",
			schema.ErrConflict, name, q.Type, q.MergeKind(), p.Type, p.MergeKind()))
	default:
		c.written[name] = absorb(q, &p, c.written[name], w)
	}
}

func (c *catalogued) problem(r *proto.Record, text string) {
	c.problems = append(c.problems, fmt.Errorf("%w: catalog entity %s: %s", schema.ErrInvalid, r.Entity, text))
}

// absorb adds to q, a property of a model, what another entity says of it: it is optional
// and has a value of its enum where one of them says so, and for the rest the later word
// counts.
func absorb(q, p *schema.Property, of, other writers) writers {
	for _, e := range p.Enum {
		if !slices.Contains(q.Enum, e) && len(q.Enum) < schema.MaxEnum {
			q.Enum = append(slices.Clip(q.Enum), e)
		}
	}
	q.Optional = q.Optional || p.Optional
	if !p.Default.IsNull() && (q.Default.IsNull() || bytes.Compare(other.standard, of.standard) > 0) {
		q.Default, of.standard = p.Default, other.standard
	}
	if p.Target != "" && (q.Target == "" || bytes.Compare(other.target, of.target) > 0) {
		q.Target, of.target = p.Target, other.target
	}
	return of
}

// writerOf returns the id of the event that wrote a property last.
func writerOf(r *proto.Record, name string) []byte {
	if i, ok := r.State.Find(name); ok {
		return r.State.Properties[i].Data
	}
	return nil
}

// loadCatalog reads the models of a durable node from their entities, and returns those
// that are not what they were.
func (n *Node) loadCatalog(ctx context.Context) (changed []*schema.Model, err error) {
	c := newCatalogued()
	for _, of := range []struct {
		collection string
		take       func(*proto.Record)
	}{{collectionModel, c.model}, {collectionProperty, c.property}} {
		err := n.scanAll(ctx, of.collection, ankqlAll, func(r *proto.Record) error { of.take(r); return nil })
		if err != nil {
			return nil, err
		}
	}
	for _, problem := range c.problems {
		n.catalog.report(problem, &n.opts.Listener)
	}
	for name, m := range c.models {
		if old, ok := n.catalog.get(name); !ok || !sameModel(old, m) {
			changed = append(changed, m)
			n.catalog.put(m)
		}
	}
	for name, e := range c.entities {
		n.catalog.putEntity(name, e)
	}
	return changed, nil
}

// report tells the listener of a problem of the catalog, once.
func (c *catalog) report(problem error, l *Listener) {
	c.mu.Lock()
	again := c.mu.reported[problem.Error()]
	if c.mu.reported == nil {
		c.mu.reported = make(map[string]bool)
	}
	c.mu.reported[problem.Error()] = true
	c.mu.Unlock()
	if !again {
		l.failed("catalog", problem)
	}
}

func sameModel(a, b *schema.Model) bool {
	if len(a.Properties) != len(b.Properties) || indexesValue(a.Indexes) != indexesValue(b.Indexes) {
		return false
	}
	for i := range a.Properties {
		q, ok := b.Property(a.Properties[i].Name)
		if !ok || !sameProperty(&a.Properties[i], q) {
			return false
		}
	}
	return true
}

// recatalog takes in what other durable nodes have written to the catalog, and tells peers.
// Where their word was the later one and says less than what was known here, that is added
// again.
func (s *sequencer) recatalog(ctx context.Context) {
	n := s.node
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	known := n.catalog.all()
	changed, err := n.loadCatalog(ctx)
	if err == nil {
		s.peers.broadcast(changed)
		var again []*schema.Model
		for _, old := range known {
			m, _ := n.catalog.get(old.Collection)
			if more := restored(m, old); more != nil {
				again = append(again, more)
			}
		}
		if len(again) > 0 {
			err = s.addAgain(ctx, again)
		}
	}
	if err != nil {
		n.catalog.unsure = true
		if ctx.Err() == nil {
			n.opts.Listener.failed("catalog", err)
		}
	}
}

func (s *sequencer) addAgain(ctx context.Context, models []*schema.Model) error {
	unlock, err := s.node.lock(ctx, lockCatalog)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = s.registerLocked(ctx, models)
	return err
}

// restored returns m with what old has beyond it and one entity's last writer may have left
// out: values of an enum, that a property is optional, indexes. It is nil if there is nothing.
func restored(m, old *schema.Model) *schema.Model {
	more := &schema.Model{Collection: m.Collection, Properties: slices.Clone(m.Properties), Indexes: slices.Clip(m.Indexes)}
	lost := false
	for i := range old.Indexes {
		if !m.HasIndex(&old.Indexes[i]) && len(more.Indexes) < schema.MaxIndexes {
			more.Indexes, lost = append(more.Indexes, old.Indexes[i]), true
		}
	}
	for i := range more.Properties {
		p := &more.Properties[i]
		q, ok := old.Property(p.Name)
		if !ok || q.Type != p.Type || q.MergeKind() != p.MergeKind() {
			continue
		}
		before := *p
		absorb(p, &schema.Property{Enum: q.Enum, Optional: q.Optional}, writers{}, writers{})
		lost = lost || !sameProperty(p, &before)
	}
	if !lost {
		return nil
	}
	return more
}

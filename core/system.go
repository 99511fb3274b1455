package core

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// The collections of the system itself. They hold ordinary entities, which only the
// durable node writes.
const (
	collectionSystem   = schema.ReservedPrefix + "system"
	collectionModel    = schema.ReservedPrefix + "model"
	collectionProperty = schema.ReservedPrefix + "property"
)

// catalog is the models that the node knows.
type catalog struct {
	registering sync.Mutex // one registration at a time
	unsure      bool       // durable, guarded by registering: storage may hold more than is known here
	mu          struct {
		sync.RWMutex
		models   map[string]*schema.Model
		entities map[string]id.EntityID   // durable: of models and of "model.property"
		seen     map[string]*schema.Model // registered by this program last
		reported map[string]bool          // problems, by their texts
	}
	known func(m *schema.Model) // told of every model that is put; nil for nobody
}

func (c *catalog) get(collection string) (*schema.Model, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m, ok := c.mu.models[collection]
	return m, ok
}

func (c *catalog) put(m *schema.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.models == nil {
		c.mu.models = make(map[string]*schema.Model)
		c.mu.entities = make(map[string]id.EntityID)
		c.mu.seen = make(map[string]*schema.Model)
	}
	c.mu.models[m.Collection] = m
	if c.known != nil {
		c.known(m)
	}
}

func (c *catalog) entity(name string) (id.EntityID, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.mu.entities[name]
	return e, ok
}

func (c *catalog) putEntity(name string, e id.EntityID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.entities[name] = e
}

// unseen returns the models that have not been registered by the same pointer before, so
// that registering at every use costs next to nothing. Models are not changed once they
// have been given to a node.
func (c *catalog) unseen(models []*schema.Model) (list []*schema.Model) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, m := range models {
		if c.mu.seen[m.Collection] != m {
			list = append(list, m)
		}
	}
	return list
}

func (c *catalog) saw(models []*schema.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range models {
		if _, ok := c.mu.models[m.Collection]; ok {
			c.mu.seen[m.Collection] = m
		}
	}
}

// all returns the models in order of their collections.
func (c *catalog) all() []*schema.Model { return c.with(nil) }

// with is all, with some models in place of those known for their collections.
func (c *catalog) with(others map[string]*schema.Model) []*schema.Model {
	c.mu.RLock()
	list := values(others)
	for name, m := range c.mu.models {
		if others[name] == nil {
			list = append(list, m)
		}
	}
	c.mu.RUnlock()
	sort.Slice(list, func(i, j int) bool { return list[i].Collection < list[j].Collection })
	return list
}

// CreateSystem makes the node the first of a new system. A node can do this once:
// afterwards, also over the same data, it returns ErrSystemExists.
func (n *Node) CreateSystem(ctx context.Context) (err error) {
	defer wrap(&err, "create system")
	if !n.opts.Durable {
		return ErrDurableOnly
	}
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	unlock, err := n.lock(ctx, lockCatalog)
	if err != nil {
		return err
	}
	defer unlock()
	if exists, err := n.hasSystem(ctx); err != nil {
		return err
	} else if exists {
		return ErrSystemExists
	}
	tx := n.systemTx()
	defer tx.Rollback()
	root, err := tx.create(ctx, collectionSystem, []proto.Field{{Name: "format", Value: value.Int(proto.Version)}})
	if err != nil {
		return err
	}
	tx.meta = append(tx.meta, storage.MetaEntry{Key: metaSystem, Value: root.Bytes()})
	if _, err := tx.Commit(context.WithoutCancel(ctx)); err != nil {
		n.catalog.unsure = true
		return err
	}
	n.found(root)
	return nil
}

// hasSystem reports whether there is a system. Where another process may have created it, or
// the outcome of an attempt is unknown, storage is asked.
func (n *Node) hasSystem(ctx context.Context) (bool, error) {
	if _, ok := n.system.get(); ok || !n.catalog.unsure && n.others == nil {
		return ok, nil
	}
	meta, err := n.engine.Meta(ctx, metaSystem)
	if err != nil || meta[0] == nil {
		return false, err
	}
	root, err := id.FromBytes(meta[0])
	if err == nil {
		n.found(id.EntityID{ULID: root})
	}
	return err == nil, err
}

func (n *Node) found(root id.EntityID) {
	n.system.join(root)
	n.status.update(func(s *Status) { s.Ready = true })
}

// Register makes models known, and keeps them: they are not changed afterwards. On a durable node they enter the catalog, whole or not at
// all, and reach every connected node. On an ephemeral node they are known at once, and
// told to the durable node now or when it is next connected; if that refuses them, the
// status shows it and their transactions are refused.
func (n *Node) Register(ctx context.Context, models ...*schema.Model) (err error) {
	defer wrap(&err, "register")
	models = n.catalog.unseen(models)
	if len(models) == 0 {
		return nil
	}
	if err := n.register(ctx, models); err != nil {
		return err
	}
	n.catalog.saw(models)
	return nil
}

// register is Register for models that come from anywhere.
func (n *Node) register(ctx context.Context, models []*schema.Model) error {
	for _, m := range models {
		if err := m.Validate(); err != nil {
			return err
		}
	}
	if !n.opts.Durable {
		return n.replica.register(ctx, models)
	}
	return n.durable.register(ctx, models)
}

// grows reports whether models add to those that are known, or contradict them.
func (c *catalog) grows(models []*schema.Model) bool {
	return slices.ContainsFunc(models, func(m *schema.Model) bool {
		old, ok := c.get(m.Collection)
		if !ok {
			return true
		}
		_, grown, err := schema.Merge(old, m)
		return grown || err != nil
	})
}

// register implements durability.
func (s *sequencer) register(ctx context.Context, models []*schema.Model) error {
	grown, err := s.enter(ctx, models)
	if err == nil && len(grown) > 0 {
		s.peers.broadcast(grown)
	}
	return err
}

// enter writes what models add to the catalog in one transaction, and returns
// the models that grew.
func (s *sequencer) enter(ctx context.Context, models []*schema.Model) ([]*schema.Model, error) {
	n := s.node
	if _, ok := n.system.get(); !ok {
		return nil, ErrNotReady
	}
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	if n.others != nil && !n.catalog.grows(models) {
		return nil, nil
	}
	unlock, err := n.lock(ctx, lockCatalog)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return s.registerLocked(ctx, models)
}

func (s *sequencer) registerLocked(ctx context.Context, models []*schema.Model) ([]*schema.Model, error) {
	n := s.node
	if n.catalog.unsure || n.others != nil {
		if _, err := n.loadCatalog(ctx); err != nil {
			return nil, err
		}
		n.catalog.unsure = false
	}
	tx := n.systemTx()
	defer tx.Rollback()
	pending := make(map[string]*schema.Model)
	entities := make(map[string]id.EntityID)
	for _, m := range models {
		old := pending[m.Collection]
		if old == nil {
			old, _ = n.catalog.get(m.Collection)
		}
		merged, grown := m, true
		if old != nil {
			var err error
			if merged, grown, err = schema.Merge(old, m); err != nil {
				return nil, err
			}
		}
		if !grown {
			continue
		}
		if err := n.writeModel(ctx, tx, old, merged, entities); err != nil {
			return nil, err
		}
		pending[m.Collection] = merged
	}
	if len(pending) == 0 {
		return nil, nil
	}
	if len(pending)+len(n.catalog.all()) > proto.MaxModels {
		return nil, fmt.Errorf("%w: more than %d models", ErrLimit, proto.MaxModels)
	}
	if _, err := tx.Commit(context.WithoutCancel(ctx)); err != nil {
		n.catalog.unsure = true
		return nil, err
	}
	list := make([]*schema.Model, 0, len(pending))
	for _, m := range pending {
		n.catalog.put(m)
		list = append(list, m)
	}
	for name, e := range entities {
		n.catalog.putEntity(name, e)
	}
	return list, nil
}

// writeModel adds to tx what makes the catalog's entities say m instead of old.
func (n *Node) writeModel(ctx context.Context, tx *Tx, old, m *schema.Model, entities map[string]id.EntityID) error {
	find := func(name string) (id.EntityID, bool) {
		if e, ok := entities[name]; ok {
			return e, true
		}
		return n.catalog.entity(name)
	}
	model, ok := find(m.Collection)
	switch indexes := (proto.Field{Name: "indexes", Value: indexesValue(m.Indexes)}); {
	case !ok:
		var err error
		if model, err = tx.create(ctx, collectionModel, []proto.Field{{Name: "collection", Value: value.String(m.Collection)}, indexes}); err != nil {
			return err
		}
		entities[m.Collection] = model
	case old == nil || indexesValue(old.Indexes) != indexes.Value:
		if err := tx.set(ctx, collectionModel, model, []proto.Field{indexes}); err != nil {
			return err
		}
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		if old != nil {
			if q, ok := old.Property(p.Name); ok && sameProperty(p, q) {
				continue
			}
		}
		name := m.Collection + "." + p.Name
		fields := append(propertyFields(p), proto.Field{Name: "model", Value: value.ID(model)})
		if e, ok := find(name); ok {
			if err := tx.set(ctx, collectionProperty, e, fields); err != nil {
				return err
			}
			continue
		}
		e, err := tx.create(ctx, collectionProperty, fields)
		if err != nil {
			return err
		}
		entities[name] = e
	}
	return nil
}

func sameProperty(p, q *schema.Property) bool {
	return p.Type == q.Type && p.MergeKind() == q.MergeKind() && p.Optional == q.Optional &&
		p.Default == q.Default && p.Target == q.Target && slices.Equal(p.Enum, q.Enum)
}

// propertyFields writes a property as the fields of a catalog entity.
func propertyFields(p *schema.Property) []proto.Field {
	enum := make([]any, len(p.Enum))
	for i, e := range p.Enum {
		enum[i] = e
	}
	list, _ := value.JSON(enum) // texts are JSON
	return []proto.Field{
		{Name: "name", Value: value.String(p.Name)},
		{Name: "type", Value: value.String(string(p.Type))},
		{Name: "kind", Value: value.String(string(p.MergeKind()))},
		{Name: "optional", Value: value.Bool(p.Optional)},
		{Name: "default", Value: p.Default},
		{Name: "target", Value: value.String(p.Target)},
		{Name: "enum", Value: list},
	}
}

// propertyOf reads a catalog entity back.
func propertyOf(r *proto.Record) schema.Property {
	text := func(name string) string { s, _ := r.Field(name).AsString(); return s }
	p := schema.Property{Name: text("name"), Type: schema.Type(text("type")), Kind: schema.Kind(text("kind")),
		Default: r.Field("default"), Target: text("target")}
	p.Optional, _ = r.Field("optional").AsBool()
	list, _ := r.Field("enum").Tree().([]any)
	for _, item := range list {
		if s, ok := item.(string); ok {
			p.Enum = append(p.Enum, s)
		}
	}
	return p
}

// ankqlAll selects everything, in order of entity ids.
var ankqlAll = &ankql.Selection{Where: ankql.True, Limit: ankql.NoLimit}

// scanAll calls f with every record of a collection that the selection's predicate
// matches, in order of entity ids, page by page.
func (n *Node) scanAll(ctx context.Context, collection string, s *ankql.Selection, f func(*proto.Record) error) error {
	unordered := &ankql.Selection{Where: s.Where, Limit: ankql.NoLimit}
	var after []byte
	var sizes pager
	for {
		page, err := n.page(ctx, n.engine, collection, unordered, after, sizes.next(-1))
		if err != nil {
			return err
		}
		sizes.read(page.Records)
		for _, r := range page.Records {
			if err := f(r); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		after = page.Next
	}
}

// encodeModels and decodeModels are how an ephemeral node remembers its models.
func encodeModels(models []*schema.Model) []byte { return proto.AppendModels(nil, models) }

func decodeModels(b []byte) ([]*schema.Model, error) {
	r := msgpack.NewReader(b)
	models := proto.ReadModels(&r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: models: %w", storage.ErrCorrupt, err)
	}
	return models, nil
}

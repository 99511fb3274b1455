package core

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Create adds an entity with the given fields, which are converted to the model's types;
// fields left out take their defaults. A property that is neither optional nor given is
// an error of KindSchema. The id is final.
func (t *Tx) Create(ctx context.Context, collection string, fields []proto.Field) (e id.EntityID, err error) {
	names, row := make([]string, len(fields)), make([]value.Value, len(fields))
	for i := range fields {
		names[i], row[i] = fields[i].Name, fields[i].Value
	}
	made, err := t.CreateAll(ctx, collection, names, [][]value.Value{row})
	if err != nil {
		return e, err
	}
	return made[0], nil
}

// CreateAll adds an entity for each row, which has the values of the named properties;
// otherwise it is Create, and of many entities the fast way. Where a row is refused, those
// before it stay.
func (t *Tx) CreateAll(ctx context.Context, collection string, names []string, rows [][]value.Value) (made []id.EntityID, err error) {
	defer wrap(&err, "create")
	if err := t.node.checkCollection(collection); err != nil {
		return nil, err
	}
	model, _ := t.node.catalog.get(collection)
	c, err := newCreator(t, model, names)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if len(row) != len(names) {
			return nil, fmt.Errorf("%w: a row of %d values for %d properties", schema.ErrValue, len(row), len(names))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return c.create(rows)
}

// create is Create without a model, for the node's own collections; its callers own the
// transaction.
func (t *Tx) create(_ context.Context, collection string, fields []proto.Field) (e id.EntityID, err error) {
	c := &creator{tx: t, collection: collection, user: t.user()}
	row := make([]value.Value, len(fields))
	for i, f := range fields {
		c.columns = append(c.columns, column{name: f.Name, kind: defaultKind, from: i})
		row[i] = f.Value
	}
	c.sort()
	made, err := c.create([][]value.Value{row})
	if err != nil {
		return e, err
	}
	return made[0], nil
}

var defaultKind, _ = entity.KindOf(schema.KindLWW)

// creator makes the entities of one collection out of rows. What is the same for all rows
// is worked out once.
type creator struct {
	tx         *Tx
	collection string
	user       string
	columns    []column // ascending by name, one each

	values []value.Value // of the row that is being made, one for each operation
	data   []byte        // of its operations
}

// column is one property of the rows.
type column struct {
	name     string
	property *schema.Property // nil in a collection without a model
	kind     property.Kind
	from     int // where a row has the value; missing: nowhere, it is the default
}

const missing = -1

func newCreator(t *Tx, m *schema.Model, names []string) (*creator, error) {
	c := &creator{tx: t, collection: m.Collection, user: t.user()}
	for i, name := range names {
		p, ok := m.Property(name)
		if !ok {
			return nil, fmt.Errorf("%w: %s has no property %q", schema.ErrValue, m.Collection, name)
		}
		c.add(p, i)
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		if slices.Contains(names, p.Name) {
			continue
		}
		switch {
		case !p.Default.IsNull():
			c.add(p, missing)
		case !p.Optional:
			return nil, fmt.Errorf("%w: %s.%s is required", schema.ErrValue, m.Collection, p.Name)
		}
	}
	c.sort()
	return c, nil
}

func (c *creator) add(p *schema.Property, from int) {
	kind, _ := entity.KindOf(p.MergeKind())
	c.columns = append(c.columns, column{name: p.Name, property: p, kind: kind, from: from})
}

// sort puts the columns in the order of their names; of a name that is given twice the
// later one counts.
func (c *creator) sort() {
	sort.SliceStable(c.columns, func(i, j int) bool { return c.columns[i].name < c.columns[j].name })
	kept := c.columns[:0]
	for i, col := range c.columns {
		if i+1 == len(c.columns) || c.columns[i+1].name != col.name {
			kept = append(kept, col)
		}
	}
	c.columns = kept
}

// value returns what a row has in a column, converted to the property's type. ok is false
// where that need not be written, since a property that was never set reads as null too.
func (c *creator) value(col *column, row []value.Value) (v value.Value, ok bool, err error) {
	p := col.property
	switch {
	case p == nil:
		return row[col.from], true, nil
	case col.from == missing:
		return p.Default, true, nil
	}
	v = row[col.from]
	if v.IsNull() && p.Optional && p.Default.IsNull() {
		return v, false, nil
	}
	if v, err = p.Coerce(v); err == nil {
		err = p.Check(v)
	}
	if err != nil {
		return v, false, fmt.Errorf("%s: %w", c.collection, err)
	}
	return v, true, nil
}

// create adds an entity for each row to the transaction.
func (c *creator) create(rows [][]value.Value) ([]id.EntityID, error) {
	t := c.tx
	if t.done {
		return nil, ErrTxDone
	}
	nonces := make([]byte, proto.NonceSize*len(rows))
	if _, err := io.ReadFull(random(t.node.opts.Random), nonces); err != nil {
		return nil, err
	}
	t.order = slices.Grow(t.order, len(rows))
	made := make([]id.EntityID, len(rows))
	forks := make([]fork, len(rows))
	stamps := t.node.clock.Take(len(rows))
	for i, row := range rows {
		f := &forks[i]
		event, err := c.event(row, [proto.NonceSize]byte(nonces[i*proto.NonceSize:]))
		if err != nil {
			return nil, err
		}
		if err := event.Mint(stamps.Next()); err != nil {
			return nil, err
		}
		state, err := entity.Create(event, c.values)
		if err != nil {
			return nil, err
		}
		f.collection, f.creation = c.collection, event
		f.now = &proto.Record{Collection: c.collection, Entity: event.Entity, State: state, Sync: t.node.unconfirmed()}
		f.base = f.now
		t.add(f)
		made[i] = event.Entity
	}
	return made, nil
}

// event returns the event that creates an entity out of a row, not minted yet; c.values are
// then the values that its operations write.
func (c *creator) event(row []value.Value, nonce [proto.NonceSize]byte) (*proto.Event, error) {
	c.values, c.data = c.values[:0], c.data[:0]
	ops := make([]proto.Operation, 0, len(c.columns))
	for i := range c.columns {
		col := &c.columns[i]
		v, ok, err := c.value(col, row)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		start := len(c.data)
		c.data = col.kind.AppendSet(c.data, v)
		c.values = append(c.values, v)
		ops = append(ops, proto.Operation{Property: col.name, Kind: col.kind.Code(), Data: c.data[start:]})
	}
	return &proto.Event{Collection: c.collection, Author: c.tx.node.self, User: c.user, Nonce: nonce, Operations: ops}, nil
}

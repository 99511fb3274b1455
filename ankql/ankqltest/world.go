package ankqltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Row is one entity. Rows are not changed; what changes an entity makes another row.
type Row struct {
	Collection string
	ID         id.EntityID
	Values     map[string]value.Value // a property that was never set is not in it
	Deleted    bool
}

// Field implements ankql.Fields.
func (r *Row) Field(name string) value.Value {
	if name == schema.ID {
		return value.ID(r.ID)
	}
	return r.Values[name]
}

// String returns the row for a failure: its properties in alphabetical order.
func (r *Row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Collection, r.ID)
	if r.Deleted {
		b.WriteString(" deleted")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		fmt.Fprintf(&b, " %s=%s", name, r.Values[name])
	}
	return b.String()
}

// World is all that exists: models, and rows in the order of their creation, the deleted
// ones too. It implements ankql.Resolver.
type World struct {
	Models Schema
	Rows   []*Row

	index map[id.EntityID]int // of Rows
}

// NewWorld returns a world without rows.
func NewWorld(models Schema) *World { return &World{Models: models, index: map[id.EntityID]int{}} }

// Clone returns a world with the same rows, to go back to where a transaction is refused.
func (w *World) Clone() *World {
	return &World{Models: maps.Clone(w.Models), Rows: slices.Clone(w.Rows), index: maps.Clone(w.index)}
}

// Put adds a row, or replaces the one with its id.
func (w *World) Put(r *Row) {
	if i, ok := w.index[r.ID]; ok {
		w.Rows[i] = r
		return
	}
	w.index[r.ID] = len(w.Rows)
	w.Rows = append(w.Rows, r)
}

// Row returns the row with an id, deleted or not; nil if there is none.
func (w *World) Row(e id.EntityID) *Row {
	if i, ok := w.index[e]; ok {
		return w.Rows[i]
	}
	return nil
}

// Resolve implements ankql.Resolver. What is deleted is not found.
func (w *World) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	if r := w.target(collection, e); r != nil {
		return r, true
	}
	return nil, false
}

func (w *World) target(collection string, e id.EntityID) *Row {
	r := w.Row(e)
	if r == nil || r.Deleted || collection != "" && r.Collection != collection {
		return nil
	}
	return r
}

// Live returns the rows of a collection that are not deleted.
func (w *World) Live(collection string) []*Row {
	return slices.DeleteFunc(slices.Clone(w.Rows), func(r *Row) bool { return r.Deleted || r.Collection != collection })
}

// Fill adds n random rows to a collection, with the next free of the ids that [ID] returns.
func (g *Gen) Fill(collection string, n int) {
	for range n {
		g.World.Put(g.Row(collection, ID(len(g.World.Rows))))
	}
}

// Row returns a random row with the given id, which is not in the world yet.
func (g *Gen) Row(collection string, e id.EntityID) *Row {
	return &Row{Collection: collection, ID: e, Values: g.values(g.World.Models[collection])}
}

// values makes those of a new row: each property that has to be there, and most others.
func (g *Gen) values(m *schema.Model) map[string]value.Value {
	values := make(map[string]value.Value, len(m.Properties))
	for i := range m.Properties {
		if p := &m.Properties[i]; !p.Optional || !g.chance(5) {
			values[p.Name] = g.Value(p)
		}
	}
	return values
}

// OpKind is what an operation does.
type OpKind uint8

// The kinds of operations.
const (
	Create OpKind = iota
	Edit
	Delete
	Restore
)

// String returns the kind's name.
func (k OpKind) String() string { return [...]string{"create", "edit", "delete", "restore"}[k] }

// Op is one step of a transaction.
type Op struct {
	Kind       OpKind
	Collection string
	Entity     id.EntityID            // zero for Create: whoever carries it out has the id
	Set        map[string]value.Value // for Create and Edit; NULL clears
}

// String returns the operation for a failure.
func (op Op) String() string {
	r := Row{Collection: op.Collection, ID: op.Entity, Values: op.Set}
	return op.Kind.String() + " " + r.String()
}

// Op returns a random operation that the world allows: creations, deletions and restorations
// until a collection is full (Full), and then edits for the most part. Transactions are made one
// operation at a time, each of which is carried out by [World.Do] before the next is made.
func (g *Gen) Op() Op {
	collection := Pick(g, g.World.Models.Collections()...)
	if all := slices.DeleteFunc(slices.Clone(g.World.Rows), func(r *Row) bool { return r.Collection != collection }); len(all) > 0 {
		r := all[g.IntN(len(all))]
		op := Op{Collection: collection, Entity: r.ID}
		full := g.Full
		if full == 0 {
			full = 12
		}
		create := g.chance(2)
		if len(all) > full {
			create = g.chance(8)
		}
		switch {
		case r.Deleted && g.chance(2):
			op.Kind = Restore
			return op
		case create || r.Deleted:
		case g.chance(5):
			op.Kind = Delete
			return op
		default:
			op.Kind, op.Set = Edit, g.edit(g.World.Models[collection])
			return op
		}
	}
	return Op{Kind: Create, Collection: collection, Set: g.values(g.World.Models[collection])}
}

// Sweep returns operations on most rows of a collection: all are deleted, all deleted ones are
// restored, or one property of all is set to one value. It empties windows and what they
// hold in store, and fills them.
func (g *Gen) Sweep() []Op {
	collection := Pick(g, g.World.Models.Collections()...)
	m := g.World.Models[collection]
	p := &m.Properties[g.IntN(len(m.Properties))]
	kind, set := Pick(g, Edit, Edit, Delete, Restore), map[string]value.Value{p.Name: g.Value(p)}
	var ops []Op
	for _, r := range g.World.Rows {
		if r.Collection != collection || r.Deleted != (kind == Restore) || g.chance(6) {
			continue
		}
		op := Op{Kind: kind, Collection: collection, Entity: r.ID}
		if kind == Edit {
			op.Set = set
		}
		ops = append(ops, op)
	}
	return ops
}

// edit makes new values for one or some properties.
func (g *Gen) edit(m *schema.Model) map[string]value.Value {
	set := map[string]value.Value{}
	for range 1 + g.IntN(3) {
		p := &m.Properties[g.IntN(len(m.Properties))]
		set[p.Name] = g.Value(p)
	}
	return set
}

// Do carries out an operation; created is the id of the row that it creates.
func (w *World) Do(op Op, created id.EntityID) {
	if op.Kind == Create {
		w.Put(&Row{Collection: op.Collection, ID: created, Values: op.Set})
		return
	}
	before := w.Row(op.Entity)
	after := *before
	switch op.Kind {
	case Delete, Restore:
		after.Deleted = op.Kind == Delete
	default:
		after.Values = make(map[string]value.Value, len(before.Values)+len(op.Set))
		maps.Copy(after.Values, before.Values)
		maps.Copy(after.Values, op.Set)
	}
	w.Put(&after)
}

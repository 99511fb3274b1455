package ankurah

import (
	"context"
	"reflect"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// View is an immutable, typed reading of an entity.
type View[T any] struct {
	// Value is the entity's properties.
	Value T
	view  *core.View
}

// ID returns the entity's id.
func (v View[T]) ID() EntityID { return v.view.ID() }

// Ref returns a reference to the entity.
func (v View[T]) Ref() Ref[T] { return Ref[T]{v.view.ID()} }

// Sync returns how far the view is in step with the durable node: synced, pending or refused.
func (v View[T]) Sync() SyncState { return v.view.Sync() }

// Pending reports whether the view shows changes that no durable node has acknowledged.
func (v View[T]) Pending() bool { return v.view.Pending() }

// read makes a typed view.
func read[T any](m *mapping, v *core.View) (View[T], error) {
	typed := View[T]{view: v}
	err := m.decode(reflect.ValueOf(&typed.Value).Elem(), v.Field)
	return typed, err
}

func readAll[T any](m *mapping, list []*core.View) ([]View[T], error) {
	out := make([]View[T], len(list))
	for i, v := range list {
		typed, err := read[T](m, v)
		if err != nil {
			return nil, err
		}
		out[i] = typed
	}
	return out, nil
}

// use returns T's mapping, after making its model known to the node.
func use[T any](ctx context.Context, n *Node) (*mapping, error) {
	m, err := mappingOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, &Error{Op: "model", Kind: core.KindSchema, Err: err}
	}
	return m, n.Register(ctx, m.model)
}

// Register makes the model of T known to a node ahead of its first use, so that a model
// that cannot be is found at start.
func Register[T any](ctx context.Context, n *Node) error {
	_, err := use[T](ctx, n)
	return err
}

// Create adds an entity to a transaction and returns a reference to it, which is final.
func Create[T any](tx *Tx, model *T) (Ref[T], error) {
	ctx := context.Background()
	m, err := use[T](ctx, tx.Node())
	if err != nil {
		return Ref[T]{}, err
	}
	fields, err := m.encode(reflect.ValueOf(model).Elem())
	if err != nil {
		return Ref[T]{}, &Error{Op: "create", Kind: core.KindOf(err), Err: err}
	}
	e, err := tx.Create(ctx, m.model.Collection, fields)
	return Ref[T]{e}, err
}

// Update changes an entity inside a transaction: change is given the entity as the
// transaction sees it, and the properties that it leaves different are set. An error of
// change is returned, and then nothing is set.
func Update[T any](ctx context.Context, tx *Tx, e EntityID, change func(*T) error) error {
	m, err := use[T](ctx, tx.Node())
	if err != nil {
		return err
	}
	view, err := tx.Get(ctx, m.model.Collection, e)
	if err != nil {
		return err
	}
	typed, err := read[T](m, view)
	if err != nil {
		return err
	}
	if err := change(&typed.Value); err != nil {
		return err
	}
	fields, err := m.encode(reflect.ValueOf(&typed.Value).Elem())
	if err != nil {
		return err
	}
	changed := fields[:0]
	for _, f := range fields {
		if view.Field(f.Name) != f.Value {
			changed = append(changed, f)
		}
	}
	return tx.Set(ctx, m.model.Collection, e, changed)
}

// Delete marks an entity as deleted inside a transaction.
func Delete[T any](ctx context.Context, tx *Tx, e EntityID) error {
	m, err := use[T](ctx, tx.Node())
	if err != nil {
		return err
	}
	return tx.Delete(ctx, m.model.Collection, e)
}

// Restore brings a deleted entity back inside a transaction.
func Restore[T any](ctx context.Context, tx *Tx, e EntityID) error {
	m, err := use[T](ctx, tx.Node())
	if err != nil {
		return err
	}
	return tx.Restore(ctx, m.model.Collection, e)
}

// Set changes single properties by name, without reading the entity first into a struct.
func Set[T any](ctx context.Context, tx *Tx, e EntityID, fields ...proto.Field) error {
	m, err := use[T](ctx, tx.Node())
	if err != nil {
		return err
	}
	return tx.Set(ctx, m.model.Collection, e, fields)
}

// Get returns an entity: from this node's data or, where that lacks it, from a durable
// node.
func Get[T any](ctx context.Context, c *Context, e EntityID) (View[T], error) {
	m, err := use[T](ctx, c.Node())
	if err != nil {
		return View[T]{}, err
	}
	v, err := c.Get(ctx, m.model.Collection, e)
	if err != nil {
		return View[T]{}, err
	}
	return read[T](m, v)
}

// Fetch returns the entities of a selection as they are now. See core.Context.Fetch for
// what an ephemeral node answers from.
func Fetch[T any](ctx context.Context, c *Context, text string, params ...any) ([]View[T], error) {
	m, err := use[T](ctx, c.Node())
	if err != nil {
		return nil, err
	}
	s, err := ankql.Parse(text, params...)
	if err != nil {
		return nil, &Error{Op: "fetch", Kind: core.KindSelection, Err: err}
	}
	list, err := c.Fetch(ctx, m.model.Collection, s)
	if err != nil {
		return nil, err
	}
	return readAll[T](m, list)
}

// Explanation says how a selection is read from a node's own storage.
type Explanation = storage.Explanation

// Explain reads a selection as Fetch would from the node's own data, and says how: by which
// index, how many rows were read, how many returned. See core.Context.Explain.
func Explain[T any](ctx context.Context, c *Context, text string, params ...any) (*Explanation, error) {
	m, err := use[T](ctx, c.Node())
	if err != nil {
		return nil, err
	}
	s, err := ankql.Parse(text, params...)
	if err != nil {
		return nil, &Error{Op: "explain", Kind: core.KindSelection, Err: err}
	}
	return c.Explain(ctx, m.model.Collection, s)
}

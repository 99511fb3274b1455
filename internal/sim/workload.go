package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// markProperty is what tells transactions apart.
const markProperty = "mark"

// refusedTitle is what the policy refuses.
const refusedTitle = "refuse"

// Model and Folder are what the simulated applications keep.
var (
	Model = &schema.Model{Collection: "note", Properties: []schema.Property{
		{Name: "title", Type: schema.TypeString},
		{Name: markProperty, Type: schema.TypeInt, Optional: true},
		{Name: "rank", Type: schema.TypeInt, Optional: true},
		{Name: "tag", Type: schema.TypeString, Optional: true},
		{Name: "meta", Type: schema.TypeJSON, Optional: true},
		{Name: "next", Type: schema.TypeRef, Target: "note", Optional: true},
		{Name: "folder", Type: schema.TypeRef, Target: "folder", Optional: true},
	}}
	Folder = &schema.Model{Collection: "folder", Properties: []schema.Property{
		{Name: "title", Type: schema.TypeString},
		{Name: markProperty, Type: schema.TypeInt, Optional: true},
		{Name: "rank", Type: schema.TypeInt, Optional: true},
	}}
)

// transact commits a random transaction on a machine.
func (w *World) transact(ctx context.Context, rnd *rand.Rand, m *Machine) error {
	node, life := m.running()
	if node == nil {
		return nil
	}
	tx := node.Context(m.principal()).Begin()
	defer tx.Rollback()
	t := w.ledger.begin(m, tx.ID())
	for range 1 + rnd.IntN(4) {
		if err := w.change(ctx, rnd, tx, t); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	receipt, err := tx.Commit(ctx)
	w.trace.add("%s commits %d: %s", m.name, t.mark, core.KindOf(err))
	switch core.KindOf(err) {
	case core.KindNone:
	case core.KindDenied, core.KindNotFound, core.KindMissingParents, core.KindClockDrift:
		w.ledger.refuse(t) // here, at once, or made on top of something that was
		return nil
	case core.KindStorage, core.KindQuota, core.KindClosed, core.KindConflict:
		return nil // whether it happened may be unknown
	default:
		return fmt.Errorf("%s: commit: %w", m.name, err)
	}
	m.memory.wrote(t)
	if m.in(life) {
		if err := w.readBack(ctx, m, node, life, t); err != nil {
			return err
		}
	}
	w.ledger.commit(t)
	w.waiting.Go(func() { w.await(m, life, t, receipt) })
	return nil
}

// readBack holds what a transaction that begins now reads against I2.
func (w *World) readBack(ctx context.Context, m *Machine, node *core.Node, life int, t *transaction) error {
	since := m.memory.reading()
	tx := node.Context(m.principal()).Begin()
	defer tx.Rollback()
	for _, collection := range []string{Model.Collection, Folder.Collection} {
		rows, err := tx.Fetch(ctx, collection, everything)
		if err != nil {
			return nil // the disk
		}
		if err := m.observe(life, "after a commit", rows, since, m.durable); err != nil {
			return err
		}
		for _, e := range t.creates {
			if e.collection == collection && !slices.ContainsFunc(rows, func(v *core.View) bool { return v.ID() == e.EntityID }) && !w.ledger.doubts(t) {
				return fmt.Errorf("I2: %s: what transaction %d created is not there when its commit has returned", m.name, t.mark)
			}
		}
	}
	return nil
}

var everything = &ankql.Selection{Where: ankql.True, Limit: ankql.NoLimit}

// await waits for the end of a transaction's way.
func (w *World) await(m *Machine, life int, t *transaction, r *core.Receipt) {
	err := r.Synced(w.ctx)
	switch {
	case !m.in(life): // nobody is there to hear of it
	case err == nil:
		w.ledger.ack(t)
	case core.KindOf(err) == core.KindClosed || errors.Is(err, context.Canceled):
	default:
		w.trace.add("%s hears that %d was refused: %s", m.name, t.mark, core.KindOf(err))
	}
}

// change makes one change of a transaction: to one entity, which it has not touched before.
func (w *World) change(ctx context.Context, rnd *rand.Rand, tx *core.Tx, t *transaction) error {
	title := fmt.Sprintf("t%d", rnd.IntN(1000))
	if rnd.IntN(40) == 0 {
		title = refusedTitle
	}
	known := w.ledger.known()
	if len(known) < 5 || rnd.IntN(5) == 0 {
		return w.create(ctx, rnd, tx, t, title)
	}
	e := known[rnd.IntN(len(known))]
	if slices.Contains(t.entities, e.EntityID) {
		return nil
	}
	fields := []proto.Field{{Name: markProperty, Value: value.Int(int64(t.mark))}}
	set := func(more ...proto.Field) error { return tx.Set(ctx, e.collection, e.EntityID, append(fields, more...)) }
	var err error
	switch rnd.IntN(8) {
	case 0:
		if err = set(); err == nil {
			err = tx.Delete(ctx, e.collection, e.EntityID)
		}
	case 1:
		if err = tx.Restore(ctx, e.collection, e.EntityID); err == nil {
			err = set()
		}
	case 2:
		err = set(proto.Field{Name: "title", Value: value.String(title)})
	case 3, 4:
		if e.collection == Folder.Collection {
			return nil
		}
		err = set(w.field(rnd, known))
	default:
		err = set(proto.Field{Name: "rank", Value: value.Int(rnd.Int64N(100))})
	}
	switch core.KindOf(err) {
	case core.KindNotFound, core.KindOffline, core.KindDeadline, core.KindStorage, core.KindClosed, core.KindNotReady, core.KindDenied:
		return nil // it is not here, or gone
	case core.KindNone:
		w.ledger.touch(t, e, false)
	}
	return err
}

func (w *World) create(ctx context.Context, rnd *rand.Rand, tx *core.Tx, t *transaction, title string) error {
	collection := Model.Collection
	if rnd.IntN(4) == 0 {
		collection = Folder.Collection
	}
	e, err := tx.Create(ctx, collection, []proto.Field{{Name: "title", Value: value.String(title)},
		{Name: "rank", Value: value.Int(rnd.Int64N(100))}, {Name: markProperty, Value: value.Int(int64(t.mark))}})
	switch core.KindOf(err) {
	case core.KindNone:
		w.ledger.touch(t, item{collection, e}, true)
	case core.KindClosed, core.KindStorage:
		return nil
	}
	return err
}

// field returns a random field of a note.
func (w *World) field(rnd *rand.Rand, known []item) proto.Field {
	switch rnd.IntN(4) {
	case 0:
		return proto.Field{Name: "tag", Value: value.String(string("abc"[rnd.IntN(3)]))}
	case 1:
		v, _ := value.JSON(map[string]any{"a": rnd.Int64N(3), "b": []any{"x", rnd.Int64N(10)}})
		return proto.Field{Name: "meta", Value: v}
	}
	target := known[rnd.IntN(len(known))]
	if target.collection == Folder.Collection {
		return proto.Field{Name: "folder", Value: value.ID(target.EntityID)}
	}
	return proto.Field{Name: "next", Value: value.ID(target.EntityID)}
}

// fetch reads on a machine by one of the selections, once.
func (w *World) fetch(ctx context.Context, rnd *rand.Rand, m *Machine) error {
	node, life := m.running()
	if node == nil {
		return nil
	}
	since := m.memory.reading()
	connected := node.Status().Connection == core.Live
	s := w.selections[rnd.IntN(len(w.selections))]
	rows, err := node.Context(m.principal()).Fetch(ctx, s.collection, s.sel)
	if err != nil || !m.in(life) {
		return nil // there is no connection, or no disk
	}
	return m.observe(life, "fetch "+s.sel.String(), rows, since, connected && node.Status().Connection == core.Live && !m.wanders())
}

// history reads an entity's history on a machine: the latest first, nothing twice.
func (w *World) history(ctx context.Context, rnd *rand.Rand, m *Machine) error {
	node, _ := m.running()
	known := w.ledger.known()
	if node == nil || len(known) == 0 {
		return nil
	}
	e := known[rnd.IntN(len(known))]
	h, err := node.Context(m.principal()).History(ctx, e.collection, e.EntityID, core.HistoryOptions{})
	if err != nil {
		return nil // it may not be read, or there is no connection
	}
	for i := 1; i < len(h.Revisions); i++ {
		if m.durable && h.Revisions[i-1].Event.Compare(h.Revisions[i].Event.ULID) <= 0 {
			return fmt.Errorf("%s: the history of %s is out of order", m.name, e.EntityID)
		}
	}
	return nil
}

// reconsider tries a refused transaction again, or dismisses it.
func (w *World) reconsider(ctx context.Context, rnd *rand.Rand, m *Machine) error {
	node, life := m.running()
	if node == nil {
		return nil
	}
	list, err := node.Rejections(ctx)
	if err != nil || len(list) == 0 {
		return nil
	}
	tx := list[rnd.IntN(len(list))].Transaction
	t := w.ledger.find(tx)
	if rnd.IntN(4) == 0 {
		w.ledger.dismiss(t) // or perhaps not, if the disk fails
		_ = node.DismissRejection(ctx, tx)
		return nil
	}
	receipt, err := node.RetryRejection(ctx, tx)
	switch core.KindOf(err) {
	case core.KindNone:
	case core.KindStorage, core.KindQuota, core.KindClosed:
		w.ledger.dismiss(t) // under an id that nobody has learnt, or not
		return nil
	default:
		return nil // what it was about is gone
	}
	w.trace.add("%s tries %d again", m.name, t.mark)
	w.ledger.retry(t, receipt.Transaction())
	w.waiting.Go(func() { w.await(m, life, t, receipt) })
	return nil
}

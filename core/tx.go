package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Tx is a transaction: changes to any number of entities that are accepted, stored and
// shown together or not at all. Its reads see the node as it was at Begin, plus its own
// writes. Concurrent transactions do not block each other: what both changed merges.
type Tx struct {
	node      *Node
	principal policy.Principal
	system    bool // of the node itself: may write protected collections
	id        id.TransactionID
	meta      []storage.MetaEntry // stored in the same batch
	replaces  id.TransactionID    // a refused one, zero for none

	mu       sync.Mutex
	done     bool
	snapshot *snapshot
	order    []*fork // as first touched
	forks    map[id.EntityID]*fork
	indexed  int // how many of order are in forks, which find fills
}

// fork is an entity inside a transaction.
type fork struct {
	collection string
	base       *proto.Record // what the transaction's edit is made on top of
	creation   *proto.Event  // if the transaction creates it
	edit       *proto.Event  // of everything set since, minted anew by every set
	now        *proto.Record // what the transaction reads
}

func newTx(n *Node, p policy.Principal) *Tx {
	return &Tx{
		node: n, principal: p, id: id.TransactionID{ULID: id.New(n.opts.Random)},
		snapshot: n.open.begin(n.limits.SnapshotRecords),
	}
}

// systemTx returns a transaction of the node itself.
func (n *Node) systemTx() *Tx {
	t := newTx(n, policy.Principal{})
	t.system = true
	return t
}

// Node returns the node that the transaction belongs to.
func (t *Tx) Node() *Node { return t.node }

// ID returns the transaction's id, by which its receipt and its refusal name it.
func (t *Tx) ID() id.TransactionID { return t.id }

// coerce converts fields to the types of their properties.
func coerce(m *schema.Model, fields []proto.Field) ([]proto.Field, error) {
	out := make([]proto.Field, 0, len(fields))
	for _, f := range fields {
		p, ok := m.Property(f.Name)
		if !ok {
			return nil, fmt.Errorf("%w: %s has no property %q", schema.ErrValue, m.Collection, f.Name)
		}
		v, err := p.Coerce(f.Value)
		if err == nil {
			err = p.Check(v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Collection, err)
		}
		out = append(out, proto.Field{Name: f.Name, Value: v})
	}
	return out, nil
}

func (t *Tx) user() string {
	if t.principal.Name == "" && t.node.replica != nil {
		return t.node.replica.user()
	}
	return t.principal.Name
}

func (t *Tx) add(f *fork) { t.order = append(t.order, f) }

// find returns the fork of an entity, or nil.
func (t *Tx) find(e id.EntityID) *fork {
	if t.forks == nil {
		t.forks = make(map[id.EntityID]*fork, len(t.order))
	}
	for ; t.indexed < len(t.order); t.indexed++ {
		f := t.order[t.indexed]
		t.forks[f.now.Entity] = f
	}
	return t.forks[e]
}

// operations returns one operation for each field, and those of earlier that no field
// replaces, ascending by property.
func operations(n *Node, collection string, s *proto.State, earlier []proto.Operation, fields []proto.Field) []proto.Operation {
	ops := slices.Clone(earlier)
	for _, f := range fields {
		kind, _ := entity.KindOf(n.kindOf(collection, f.Name))
		before := proto.PropertyState{Name: f.Name}
		if i, ok := s.Find(f.Name); ok {
			before = s.Properties[i]
		}
		op := kind.Set(f.Name, before, f.Value)
		i, found := slices.BinarySearchFunc(ops, f.Name, func(o proto.Operation, name string) int {
			return strings.Compare(o.Property, name)
		})
		if found {
			ops[i] = op
		} else {
			ops = slices.Insert(ops, i, op)
		}
	}
	return ops
}

// kindOf returns the declared kind of a property; system properties have none.
func (n *Node) kindOf(collection, property string) schema.Kind {
	if m, ok := n.catalog.get(collection); ok {
		if p, ok := m.Property(property); ok {
			return p.MergeKind()
		}
	}
	return schema.KindLWW
}

// Set changes properties of an entity. Several calls for one entity become one event. An
// entity that does not exist, or is deleted, is ErrNotFound.
func (t *Tx) Set(ctx context.Context, collection string, e id.EntityID, fields []proto.Field) (err error) {
	defer wrap(&err, "set")
	if err := t.node.checkCollection(collection); err != nil {
		return err
	}
	model, _ := t.node.catalog.get(collection)
	if fields, err = coerce(model, fields); err != nil {
		return about(e, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set(ctx, collection, e, fields)
}

func (t *Tx) set(ctx context.Context, collection string, e id.EntityID, fields []proto.Field) error {
	f, err := t.fork(ctx, collection, e)
	if err != nil {
		return err
	}
	if f.now.State.Deleted() {
		return about(e, ErrNotFound)
	}
	return t.change(f, fields)
}

// Delete marks an entity as deleted: it leaves every result, its history remains.
func (t *Tx) Delete(ctx context.Context, collection string, e id.EntityID) (err error) {
	defer wrap(&err, "delete")
	return t.mark(ctx, collection, e, true)
}

// Restore brings a deleted entity back.
func (t *Tx) Restore(ctx context.Context, collection string, e id.EntityID) (err error) {
	defer wrap(&err, "restore")
	return t.mark(ctx, collection, e, false)
}

func (t *Tx) mark(ctx context.Context, collection string, e id.EntityID, deleted bool) error {
	if err := t.node.checkCollection(collection); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := t.fork(ctx, collection, e)
	if err != nil {
		return err
	}
	if f.now.State.Deleted() == deleted {
		if deleted {
			return about(e, ErrNotFound)
		}
		return nil
	}
	return t.change(f, []proto.Field{{Name: proto.Deleted, Value: value.Bool(deleted)}})
}

// fork returns the transaction's copy of an entity.
func (t *Tx) fork(ctx context.Context, collection string, e id.EntityID) (*fork, error) {
	if t.done {
		return nil, ErrTxDone
	}
	if f := t.find(e); f != nil {
		if f.collection != collection {
			return nil, about(e, ErrNotFound)
		}
		return f, nil
	}
	r, err := t.load(ctx, collection, e)
	if err != nil {
		return nil, err
	}
	f := &fork{collection: collection, base: r, now: r}
	t.add(f)
	return f, nil
}

// load returns an entity as it was when the transaction began.
func (t *Tx) load(ctx context.Context, collection string, e id.EntityID) (*proto.Record, error) {
	r, err := t.snapshot.record(ctx, t.node, e)
	if err != nil {
		return nil, err
	}
	if r == nil && t.node.replica != nil {
		if r, err = t.node.replica.get(ctx, collection, e); err != nil {
			return nil, about(e, err)
		}
	}
	if r == nil || r.Collection != collection {
		return nil, about(e, ErrNotFound)
	}
	return r, nil
}

// change makes the fork's edit anew with the given fields added.
func (t *Tx) change(f *fork, fields []proto.Field) error {
	if len(fields) == 0 {
		return nil
	}
	event := &proto.Event{Collection: f.collection, Entity: f.base.Entity, Parents: f.base.State.Head,
		Author: t.node.self, User: t.user()}
	var earlier []proto.Operation
	if f.edit != nil {
		earlier = f.edit.Operations
	}
	event.Operations = operations(t.node, f.collection, f.base.State, earlier, fields)
	if err := event.Mint(t.node.clock.Next(event.Parents.Stamp())); err != nil {
		return err
	}
	state, err := entity.Apply(f.base.State, event)
	if err != nil {
		return err
	}
	f.edit = event
	f.now = &proto.Record{Collection: f.collection, Entity: f.base.Entity, Rev: f.base.Rev, State: state, Base: f.base.Base, Sync: t.node.unconfirmed()}
	return nil
}

// Get returns an entity as the transaction sees it.
func (t *Tx) Get(ctx context.Context, collection string, e id.EntityID) (_ *View, err error) {
	defer wrap(&err, "get")
	if err := t.node.checkCollection(collection); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return nil, ErrTxDone
	}
	r := (*proto.Record)(nil)
	if f := t.find(e); f != nil && f.collection == collection {
		r = f.now
	} else if r, err = t.load(ctx, collection, e); err != nil {
		return nil, err
	}
	if err := (&Context{t.node, t.principal}).shows(t.moment(ctx), collection, r); err != nil {
		return nil, about(e, err)
	}
	return newView(r), nil
}

// Fetch returns the entities of a selection as the transaction sees them. It reads this
// node's data only.
func (t *Tx) Fetch(ctx context.Context, collection string, s *ankql.Selection) (_ []*View, err error) {
	defer wrap(&err, "fetch")
	checked, err := t.node.prepare(t.principal, collection, s)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return nil, ErrTxDone
	}
	rows, _, err := t.node.reading(t.principal, collection, checked).scan(t.moment(ctx), nil, checked.Limit)
	return views(rows), err
}

// moment is the node's data as the transaction sees it.
func (t *Tx) moment(ctx context.Context) *moment {
	at := t.snapshot.at(ctx, t.node)
	if len(t.order) > 0 {
		at.own = make(map[id.EntityID]*proto.Record, len(t.order))
		for _, f := range t.order {
			at.own[f.now.Entity] = f.now
		}
	}
	return at
}

// Rollback gives the transaction up. After Commit it does nothing.
func (t *Tx) Rollback() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finish()
}

func (t *Tx) finish() {
	if !t.done {
		t.done = true
		t.node.open.end(t.snapshot)
	}
}

// Commit makes the transaction's changes safe on this node and shows them; when it
// returns, every live result of the node shows them already. A transaction without
// changes commits without effect. Where ctx ends first, the commit may still happen, as
// a whole. A second Commit is ErrTxDone.
func (t *Tx) Commit(ctx context.Context) (_ *Receipt, err error) {
	defer wrap(&err, "commit")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return nil, ErrTxDone
	}
	events := t.events()
	t.finish()
	if len(events) == 0 && len(t.meta) == 0 && t.replaces.IsZero() {
		return settledReceipt(t.node, t.id), nil
	}
	if err := t.node.checkSize(events); err != nil {
		return nil, err
	}
	if t.node.replica != nil {
		return t.node.replica.commit(ctx, t, events)
	}
	if !t.replaces.IsZero() {
		return nil, noRejection(t.replaces)
	}
	sub := &submission{tx: t.id, events: events, principal: t.principal, system: t.system, meta: t.meta}
	if err := t.node.durable.commit(ctx, sub); err != nil {
		return nil, err
	}
	return settledReceipt(t.node, t.id), nil
}

func (t *Tx) events() []*proto.Event {
	events := make([]*proto.Event, 0, len(t.order))
	for _, f := range t.order {
		events = f.appendEvents(events)
	}
	return events
}

// changed reports whether the transaction does anything to the entity.
func (f *fork) changed() bool { return f.creation != nil || f.edit != nil }

func (f *fork) appendEvents(dst []*proto.Event) []*proto.Event {
	if f.creation != nil {
		dst = append(dst, f.creation)
	}
	if f.edit != nil {
		dst = append(dst, f.edit)
	}
	return dst
}

// checkSize holds a transaction against the limits of every peer.
func (n *Node) checkSize(events []*proto.Event) error {
	if len(events) > n.limits.TxEvents {
		return fmt.Errorf("%w: %d events in one transaction, more than %d", ErrLimit, len(events), n.limits.TxEvents)
	}
	total := 0
	for _, e := range events {
		size := e.EncodedSize()
		if size > proto.MaxEventBytes {
			return about(e.Entity, fmt.Errorf("%w: a change of %d bytes, more than %d", ErrTooLarge, size, proto.MaxEventBytes))
		}
		total += size
	}
	if total > n.limits.TxBytes {
		return fmt.Errorf("%w: a transaction of %d bytes, more than %d", ErrTooLarge, total, n.limits.TxBytes)
	}
	return nil
}

// Receipt is what Commit returns: the transaction is safe on this node.
type Receipt struct {
	tx     id.TransactionID
	closed <-chan struct{} // the node was closed
	done   chan struct{}
	err    error // set before done is closed
}

func newReceipt(n *Node, tx id.TransactionID) *Receipt {
	return &Receipt{tx: tx, closed: n.run.ctx.Done(), done: make(chan struct{})}
}

func settledReceipt(n *Node, tx id.TransactionID) *Receipt {
	r := newReceipt(n, tx)
	close(r.done)
	return r
}

func (r *Receipt) settle(err error) {
	r.err = err
	close(r.done)
}

// Transaction returns the transaction's id.
func (r *Receipt) Transaction() id.TransactionID { return r.tx }

// Synced blocks until a durable node has the transaction, and returns nil; or until it is
// refused, and says why; or until ctx ends or the node is closed (the transaction then
// stays in the outbox). Being offline is no error: it waits.
func (r *Receipt) Synced(ctx context.Context) (err error) {
	defer wrap(&err, "sync")
	select {
	case <-r.done:
		return r.err
	default:
	}
	select {
	case <-r.done:
		return r.err
	case <-r.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

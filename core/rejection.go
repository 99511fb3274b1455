package core

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Rejection is an own transaction that a durable node refused. It is kept, with what it
// would have done, until it is dismissed, tried again, or replaced by another (Tx.Replaces).
type Rejection struct {
	Transaction id.TransactionID
	Kind        Kind
	Message     string
	Time        time.Time

	events []*proto.Event // none where they took too much room
}

// RejectedChange is what a refused transaction would have done to one entity.
type RejectedChange struct {
	Collection string
	Entity     id.EntityID
	Creation   bool
	Fields     []proto.Field // what it would have written; proto.Deleted to delete or restore
}

// Changes returns what the transaction would have done, in order. It is empty where that
// took more room than Limits.RejectionBytes.
func (r *Rejection) Changes() []RejectedChange {
	changes := make([]RejectedChange, 0, len(r.events))
	for _, e := range r.events {
		change := RejectedChange{Collection: e.Collection, Entity: e.Entity, Creation: e.IsCreation()}
		for _, op := range e.Operations {
			if kind, ok := entity.KindByCode(op.Kind); ok {
				if v, whole, err := kind.Written(op); err == nil && whole {
					change.Fields = append(change.Fields, proto.Field{Name: op.Property, Value: v})
				}
			}
		}
		changes = append(changes, change)
	}
	return changes
}

// Rejections returns the refused transactions that have not been dismissed, oldest first,
// also those of earlier runs.
func (n *Node) Rejections(ctx context.Context) (list []Rejection, err error) {
	defer wrap(&err, "rejections")
	if n.replica == nil {
		return nil, nil
	}
	var kept []Rejection // read only where the loop is done with it
	if err := n.loop.call(ctx, func() { kept = slices.Clone(n.replica.outbox.rejections) }); err != nil {
		return nil, err
	}
	return kept, nil
}

// DismissRejection forgets a refused transaction.
func (n *Node) DismissRejection(ctx context.Context, tx id.TransactionID) (err error) {
	defer wrap(&err, "dismiss rejection")
	if n.replica == nil {
		return nil
	}
	return n.replica.await(ctx, &step{stage: func(ctx context.Context, d *draft) error {
		return d.dropRejections(ctx, func(r *Rejection) bool { return r.Transaction == tx })
	}})
}

// DismissRejections forgets all refused transactions.
func (n *Node) DismissRejections(ctx context.Context) (err error) {
	defer wrap(&err, "dismiss rejections")
	if n.replica == nil {
		return nil
	}
	return n.replica.await(ctx, &step{stage: func(ctx context.Context, d *draft) error {
		return d.dropRejections(ctx, func(*Rejection) bool { return true })
	}})
}

// Replaces makes the transaction one that is made in the place of a refused one, whose
// changes (Rejection.Changes) it does over in another way: Commit forgets the refusal in the
// same step, and fails with ErrNotFound, doing nothing, if that is not there any more.
func (t *Tx) Replaces(refused id.TransactionID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replaces = refused
}

// RetryRejection makes a refused transaction again, under a new id, and forgets the refusal:
// entities that it would have created keep their ids, so that what depends on them can be
// tried again after it; edits are made on top of what the entities are now. It fails with
// ErrNotFound for an unknown transaction or an entity that is not here any more, and with
// ErrTooLarge where the changes were not kept; the refusal then stays.
func (n *Node) RetryRejection(ctx context.Context, tx id.TransactionID) (_ *Receipt, err error) {
	defer wrap(&err, "retry rejection")
	if n.replica == nil {
		return nil, ErrNotFound
	}
	p := &pendingTx{tx: id.TransactionID{ULID: id.New(n.opts.Random)}}
	receipt := newReceipt(n, p.tx)
	err = n.replica.await(ctx, &step{stage: func(ctx context.Context, d *draft) error {
		return d.retry(ctx, tx, p, receipt)
	}})
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// What follows runs on the loop.

// reject takes a refused transaction out of the outbox and keeps it here.
func (o *outbox) reject(p *pendingTx, cause error, now time.Time) {
	o.remove(p)
	o.rejections = append(o.rejections, Rejection{Transaction: p.tx, Kind: KindOf(cause), Message: cause.Error(), Time: now, events: p.events})
	tally(&o.refused, p.entities(), 1)
}

// trimRejections stores the rejections, of which not more are kept than there is room for.
func (d *draft) trimRejections(ctx context.Context) error {
	limits := &d.node.limits
	var dropped []id.EntityID
	list := slices.Clone(d.outbox.rejections)
	forget := func(events []*proto.Event) {
		entities := entitiesOf(events)
		tally(&d.outbox.refused, entities, -1)
		dropped = append(dropped, entities...)
	}
	for len(list) > limits.Rejections {
		forget(list[0].events)
		list = list[1:]
	}
	room := limits.RejectionBytes
	for i := range slices.Backward(list) { // the latest first
		r := &list[i]
		for _, e := range r.events {
			room -= e.EncodedSize()
		}
		if room < 0 {
			forget(r.events)
			r.events = nil
		}
	}
	d.outbox.rejections = list
	d.meta(metaRejections, encodeRejections(list))
	return d.restate(ctx, dropped)
}

// dropRejections forgets refused transactions.
func (d *draft) dropRejections(ctx context.Context, forget func(*Rejection) bool) error {
	var kept []Rejection
	var dropped []id.EntityID
	for i := range d.outbox.rejections {
		if r := &d.outbox.rejections[i]; forget(r) {
			dropped = append(dropped, entitiesOf(r.events)...)
		} else {
			kept = append(kept, *r)
		}
	}
	d.outbox.rejections = kept
	tally(&d.outbox.refused, dropped, -1)
	d.meta(metaRejections, encodeRejections(kept))
	return d.restate(ctx, dropped)
}

// rejects reports whether a transaction is among the refused ones.
func (o *outbox) rejects(tx id.TransactionID) bool {
	return slices.ContainsFunc(o.rejections, func(r Rejection) bool { return r.Transaction == tx })
}

func noRejection(tx id.TransactionID) error {
	return fmt.Errorf("%w: no refused transaction %s", ErrNotFound, tx)
}

// rejection returns a refused transaction that can be made again.
func (d *draft) rejection(tx id.TransactionID) (*Rejection, error) {
	i := slices.IndexFunc(d.outbox.rejections, func(r Rejection) bool { return r.Transaction == tx })
	switch {
	case i < 0:
		return nil, noRejection(tx)
	case len(d.outbox.rejections[i].events) == 0:
		return nil, fmt.Errorf("%w: the changes of transaction %s were not kept", ErrTooLarge, tx)
	}
	return &d.outbox.rejections[i], nil
}

// retry puts a refused transaction into the outbox again as p.
func (d *draft) retry(ctx context.Context, tx id.TransactionID, p *pendingTx, receipt *Receipt) error {
	refused, err := d.rejection(tx)
	if err != nil {
		return err
	}
	if err := d.outbox.hasRoom(&d.node.limits); err != nil {
		return err
	}
	if p.events, err = d.makeAgain(ctx, refused.events); err != nil {
		return err
	}
	d.voided.remove(p.events)
	d.outbox.add(p, receipt)
	if err := d.dropRejections(ctx, func(r *Rejection) bool { return r == refused }); err != nil {
		return err
	}
	d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq, Data: encodePending(p)})
	for _, e := range p.entities() {
		if err := d.resettle(ctx, e); err != nil {
			return err
		}
	}
	d.showPending()
	d.current.ID = p.tx
	return nil
}

// makeAgain returns events that do what the given ones do, on top of what the entities are
// now. Creations are the same events, since no durable node has them. Nothing is changed.
func (d *draft) makeAgain(ctx context.Context, events []*proto.Event) ([]*proto.Event, error) {
	states := make(map[id.EntityID]*proto.State)
	again := make([]*proto.Event, len(events))
	for i, old := range events {
		state, ok := states[old.Entity]
		if !ok {
			rec, err := d.record(ctx, old.Entity)
			if err != nil {
				return nil, err
			}
			if rec.now != nil {
				state = rec.now.State
			}
		}
		again[i] = old
		if !old.IsCreation() {
			if state == nil {
				return nil, about(old.Entity, ErrNotFound)
			}
			event := &proto.Event{Collection: old.Collection, Entity: old.Entity, Parents: state.Head, Author: old.Author, User: old.User, Operations: old.Operations}
			if err := event.Mint(d.node.clock.Next(state.Head.Stamp())); err != nil {
				return nil, about(old.Entity, err)
			}
			again[i] = event
		}
		next, err := entity.Apply(state, again[i])
		if err != nil {
			return nil, about(old.Entity, err)
		}
		states[old.Entity] = next
	}
	return again, nil
}

func encodeRejections(list []Rejection) []byte {
	b := msgpack.AppendArrayLen(nil, len(list))
	for _, r := range list {
		b = msgpack.AppendArrayLen(b, 5)
		b = msgpack.AppendBytes(b, r.Transaction.Bytes())
		b = msgpack.AppendUint(b, uint64(r.Kind))
		b = msgpack.AppendString(b, r.Message)
		b = msgpack.AppendInt(b, r.Time.UnixMicro())
		b = msgpack.AppendArrayLen(b, len(r.events))
		for _, e := range r.events {
			b = msgpack.AppendBytes(b, proto.AppendEvent(nil, e))
		}
	}
	return b
}

// decodeRejections reads what encodeRejections wrote, and what it wrote before it kept the
// changes.
func decodeRejections(b []byte, max int) (list []Rejection, err error) {
	if b == nil {
		return nil, nil
	}
	r := msgpack.NewReader(b)
	for n := r.ArrayLen(max); n > 0 && r.Err() == nil; n-- {
		fields := r.ArrayLen(5)
		var x Rejection
		u, err := id.FromBytes(r.Bytes())
		if err != nil {
			r.Fail(err)
		}
		x.Transaction = id.TransactionID{ULID: u}
		x.Kind = kindFromWire(r.Uint())
		x.Message = r.String()
		x.Time = unixMicro(r.Int())
		if fields == 5 {
			x.events = readEvents(&r)
		}
		list = append(list, x)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: rejections: %w", storage.ErrCorrupt, err)
	}
	return list, nil
}

func readEvents(r *msgpack.Reader) (events []*proto.Event) {
	for n := r.ArrayLen(proto.MaxTxEvents); n > 0 && r.Err() == nil; n-- {
		e, err := proto.DecodeEvent(r.Bytes())
		if err != nil {
			r.Fail(err)
			return nil
		}
		events = append(events, e)
	}
	return events
}

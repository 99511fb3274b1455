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
// would have done, until it is dismissed or tried again.
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
	return n.replica.await(ctx, &step{stage: func(_ context.Context, d *draft) error {
		d.dropRejection(tx)
		return nil
	}})
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
func (o *outbox) reject(p *pendingTx, cause error, n *Node) {
	o.remove(p)
	o.rejections = append(o.rejections, Rejection{Transaction: p.tx, Kind: KindOf(cause), Message: cause.Error(), Time: n.clock.Now(), events: p.events})
	if extra := len(o.rejections) - n.limits.Rejections; extra > 0 {
		o.rejections = slices.Delete(o.rejections, 0, extra)
	}
	room := n.limits.RejectionBytes
	for i := len(o.rejections) - 1; i >= 0; i-- { // the latest first
		r := &o.rejections[i]
		size := 0
		for _, e := range r.events {
			size += e.EncodedSize()
		}
		if room -= size; room < 0 {
			r.events = nil
		}
	}
}

func (d *draft) dropRejection(tx id.TransactionID) {
	list := slices.DeleteFunc(slices.Clone(d.outbox.rejections), func(r Rejection) bool { return r.Transaction == tx })
	d.outbox.rejections = list
	d.meta(metaRejections, encodeRejections(list))
}

// retry puts a refused transaction into the outbox again as p.
func (d *draft) retry(ctx context.Context, tx id.TransactionID, p *pendingTx, receipt *Receipt) error {
	i := slices.IndexFunc(d.outbox.rejections, func(r Rejection) bool { return r.Transaction == tx })
	switch {
	case i < 0:
		return fmt.Errorf("%w: no refused transaction %s", ErrNotFound, tx)
	case len(d.outbox.rejections[i].events) == 0:
		return fmt.Errorf("%w: the changes of transaction %s were not kept", ErrTooLarge, tx)
	case len(d.outbox.pending) >= d.node.limits.Pending:
		return fmt.Errorf("%w: %d transactions wait for a durable node", ErrLimit, d.node.limits.Pending)
	}
	var err error
	if p.events, err = d.makeAgain(ctx, d.outbox.rejections[i].events); err != nil {
		return err
	}
	d.dropRejection(tx)
	d.outbox.add(p, receipt)
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

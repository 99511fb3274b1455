package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// An ephemeral node belongs to one user at a time: the one whom the durable node welcomed last.
// When it welcomes another, what the node holds of entities is forgotten, for it was what the
// earlier user may see; the new one is sent anew what that one may. What the earlier user has
// committed and the durable node has not acknowledged, and what it has refused, is put away,
// neither shown nor sent, until that user is back.

// away is what a user who is not here has left.
type away struct {
	user       string
	pending    []*pendingTx
	rejections []Rejection
}

// changeUser forgets what the node holds for one user, and takes up what another has left.
func (d *draft) changeUser(ctx context.Context, from, to string) error {
	list, err := d.node.away(ctx)
	if err != nil {
		return err
	}
	left, err := d.putAway(ctx, from)
	if err != nil {
		return err
	}
	if err := d.forgetRows(ctx); err != nil {
		return err
	}
	if len(left.pending)+len(left.rejections) > 0 {
		list = append(list, left)
	}
	for i := range list {
		if list[i].user == to {
			back := list[i]
			list = slices.Delete(list, i, i+1)
			if err := d.takeUp(ctx, back); err != nil {
				return err
			}
			break
		}
	}
	d.meta(metaAway, encodeAway(list))
	d.showPending()
	return nil
}

// putAway empties the outbox and the rejections.
func (d *draft) putAway(ctx context.Context, user string) (away, error) {
	left := away{user: user, rejections: d.outbox.rejections}
	var touched []id.EntityID
	for _, p := range slices.Clone(d.outbox.pending) {
		if !p.acked {
			left.pending = append(left.pending, p)
		}
		d.outbox.remove(p)
		d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq})
		touched = append(touched, p.entities()...)
	}
	if err := d.dropRejections(ctx, func(*Rejection) bool { return true }); err != nil {
		return left, err
	}
	return left, d.restate(ctx, touched)
}

// takeUp is the opposite, over what is known of no entity.
func (d *draft) takeUp(ctx context.Context, back away) error {
	for _, r := range back.rejections {
		d.outbox.rejections = append(d.outbox.rejections, r)
		entities := entitiesOf(r.events)
		tally(&d.outbox.refused, entities, 1)
		if err := d.restate(ctx, entities); err != nil {
			return err
		}
	}
	if err := d.trimRejections(ctx); err != nil {
		return err
	}
	for _, left := range back.pending {
		p := &pendingTx{tx: left.tx, attempt: left.attempt, events: left.events}
		d.outbox.add(p, nil)
		d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq, Data: encodePending(p)})
	}
	for _, p := range d.outbox.pending {
		for _, e := range p.entities() {
			if err := d.resettle(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetRows drops what the node holds of entities.
func (d *draft) forgetRows(ctx context.Context) error {
	forget := func(e id.EntityID) error {
		rec, err := d.record(ctx, e)
		if err == nil && rec.now != nil {
			d.put(rec, rec.now.Collection, e, nil)
		}
		return err
	}
	for _, m := range d.node.catalog.all() {
		err := d.node.scanAll(ctx, m.Collection, ankqlAll, func(r *proto.Record) error { return forget(r.Entity) })
		if err != nil {
			return err
		}
	}
	for _, e := range slices.Clone(d.order) { // of this draft, and not shown yet
		if err := forget(e); err != nil {
			return err
		}
	}
	d.position = nil
	d.upstreams.forget()
	d.savePosition()
	return nil
}

// away reads what other users have left.
func (n *Node) away(ctx context.Context) ([]away, error) {
	meta, err := n.engine.Meta(ctx, metaAway)
	if err != nil {
		return nil, err
	}
	return decodeAway(meta[0], n.limits.Rejections)
}

// encodeAway writes [[user, [transaction…], rejections]…], transactions as outbox entries; nil
// for nobody.
func encodeAway(list []away) []byte {
	if len(list) == 0 {
		return nil
	}
	b := msgpack.AppendArrayLen(nil, len(list))
	for _, x := range list {
		b = msgpack.AppendString(msgpack.AppendArrayLen(b, 3), x.user)
		b = msgpack.AppendArrayLen(b, len(x.pending))
		for _, p := range x.pending {
			b = msgpack.AppendBytes(b, encodePending(p))
		}
		b = msgpack.AppendBytes(b, encodeRejections(x.rejections))
	}
	return b
}

func decodeAway(b []byte, rejections int) (list []away, err error) {
	if b == nil {
		return nil, nil
	}
	r := msgpack.NewReader(b)
	for n := r.ArrayLen(len(b)); n > 0 && r.Err() == nil; n-- {
		r.Array(3)
		x := away{user: r.String()}
		for n := r.ArrayLen(len(b)); n > 0 && r.Err() == nil; n-- {
			p, err := decodePending(storage.OutboxEntry{Data: r.Bytes()})
			if err != nil {
				return nil, err
			}
			x.pending = append(x.pending, p)
		}
		if x.rejections, err = decodeRejections(r.Bytes(), rejections); err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: what other users left: %w", storage.ErrCorrupt, err)
	}
	return list, nil
}

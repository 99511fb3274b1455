package core

import (
	"context"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// A device whose clock is ahead dates what it does offline too late. When it connects it
// learns by how much, and what it has done would be refused as from the future, for the date
// alone. So edits are dated again, which is what they would have been. A creation's date is
// part of the identity that the app has been given, and stays: it waits, with all that is on
// top of it, until its time has come, if that is not far off.

// How often a transaction is dated again, and how far ahead one may be that waits.
const (
	redatedMost = 3
	earlyMost   = time.Hour
)

// handleEarly takes the refusal of a transaction because of its date.
func (p *peer) handleEarly(m *proto.Nack) error {
	refusal := p.refusal(m)
	var redated, waits bool
	return p.hand(m, &step{
		stage: func(ctx context.Context, d *draft) (err error) {
			if redated, waits, err = d.early(ctx, m); redated || waits || err != nil {
				return err
			}
			return refusal.stage(ctx, d)
		},
		done: func(err error) {
			switch {
			case err == nil && waits:
				p.node.replica.postpone(p, m.Transaction)
			case err == nil && redated:
			default:
				refusal.done(err)
			}
		},
	})
}

// early dates a refused transaction again, or says that it is to wait; with neither it is
// refused for good.
func (d *draft) early(ctx context.Context, m *proto.Nack) (redated, waits bool, err error) {
	p := d.outbox.byTx[m.Transaction]
	if p == nil || p.attempt != m.Attempt {
		return true, false, nil // of an attempt that is history
	}
	var latest time.Time
	creates := false
	for _, e := range p.events {
		creates = creates || e.IsCreation() || d.outbox.awaitsCreation(p)
		if at := e.ID.Stamp().Time(); at.After(latest) {
			latest = at
		}
	}
	switch {
	case creates:
		p.early = latest.Sub(d.node.clock.Now()) <= earlyMost
		return false, p.early, nil
	case p.redated >= redatedMost:
		return false, false, nil
	}
	return true, false, d.redate(ctx, p)
}

// redate makes the edits of a transaction again, with the date that it is now, and what is on
// top of them.
func (d *draft) redate(ctx context.Context, p *pendingTx) error {
	lost := make(map[id.EventID]bool, len(p.events))
	events := make([]*proto.Event, len(p.events))
	for i, event := range p.events {
		again, err := d.mintAgain(ctx, p, event, lost)
		if err != nil {
			return err
		}
		events[i], lost[event.ID] = again, true
	}
	d.edits++
	p.events, p.byEntity = events, nil
	p.attempt++
	p.redated++
	p.sent = false
	d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq, Data: encodePending(p)})
	for _, e := range p.entities() {
		if err := d.resettle(ctx, e); err != nil {
			return err
		}
	}
	return d.remake(ctx, lost)
}

// awaitsCreation reports whether a transaction is on top of a creation that waits for its
// time.
func (o *outbox) awaitsCreation(p *pendingTx) bool {
	for _, e := range p.entities() {
		for _, q := range o.byEntity[e] {
			if q == p {
				break
			}
			if q.early && q.creates(e) {
				return true
			}
		}
	}
	return false
}

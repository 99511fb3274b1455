package core

import (
	"context"
	"math"
	"slices"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// An ephemeral node may come to a durable node with another store than the one that it knows,
// of the same system, or to a store that was set back. What it holds stays; but the base
// revisions of its rows say nothing there. So each such move begins an origin, whose number
// is part of every base revision: revisions of earlier origins are lesser than all of the
// present one, and belong to rows that are told by their heads.
//
// Where the other store replicates, it may lack what this node has seen acknowledged, until
// that has come to it. Then nothing is taken back meanwhile: what comes is merged into the
// base, and as long as the base is ahead of it, the revision stays one of an earlier origin,
// so that no patch fits and the whole row is asked for whenever it changes. A store that
// never replicated will never have more than it has: there what comes replaces the base.

// originShift leaves room for so many bits of a durable node's revision.
const originShift = 40

// A position that belongs to the store says so of what is held as of it, and of nothing later:
// answers and acknowledgements bring rows before the position is known that includes them. It is
// asked for at once; a connection that ends before that begins an origin as well, since the store
// may be set back, meanwhile, to between the two.

// coverage is whether what is held may be of after the position; and what is stored of that.
type coverage struct{ now, stored bool }

// uncover notes that the durable node has told of something without the position.
func (d *draft) uncover() { d.ahead.now, d.uncovered = true, true }

// saveAhead stores what has become of the coverage.
func (d *draft) saveAhead() {
	switch {
	case d.ahead.now && !d.ahead.stored:
		d.meta(metaAhead, encodeUint(1))
	case !d.ahead.now && d.ahead.stored:
		d.meta(metaAhead, nil)
	}
}

// revision returns the base revision for one of the connected durable node's.
func (r *replica) revision(rev uint64) uint64 { return r.origin<<originShift | rev }

// baseRev returns the base revision of a row, nil for none: the stored one, or what the
// connected durable node has said for a row with an equal head.
func (r *replica) baseRev(rec *proto.Record) uint64 {
	if rec == nil {
		return 0
	}
	if rec.BaseRev>>originShift != r.origin {
		if rev, ok := r.matched[rec.Entity]; ok {
			return rev
		}
	}
	return rec.BaseRev
}

// theirs returns the connected durable node's revision of a row's base, 0 if it is not known.
func (r *replica) theirs(rec *proto.Record) uint64 {
	if rev := r.baseRev(rec); rev>>originShift == r.origin {
		return rev & (1<<originShift - 1)
	}
	return 0
}

// isOld reports whether a row was confirmed by another store than the connected one, and not
// by that as well.
func (r *replica) isOld(rec *proto.Record) bool {
	rev := r.baseRev(rec)
	return rev > 0 && rev>>originShift != r.origin
}

// move begins an origin: the durable node has another store than the one so far.
func (d *draft) move() {
	d.origin++
	d.position, d.ahead.now = nil, false
	d.upstreams.forget()
	d.savePosition()
	d.meta(metaOrigin, encodeUint(d.origin))
	for _, p := range d.outbox.pending {
		for e := range p.awaits {
			p.awaits[e] = math.MaxUint64 // it is sent again, and acknowledged with another one
		}
	}
}

// reconcile returns what a row's base becomes by a state that the durable node has sent with
// the given base revision, and the base revision of that.
func (d *draft) reconcile(now *proto.Record, state *proto.State, rev uint64) (*proto.State, uint64) {
	if !d.isOld(now) || d.alone {
		return state, rev
	}
	merged, err := entity.Merge(base(now), state)
	if err != nil || len(entity.Patch(state, merged)) == 0 {
		return state, rev // it has all that this node has
	}
	if n := len(merged.Head); n > aheadHead {
		merged.Head = merged.Head[n-aheadHead:]
	}
	return merged, now.BaseRev
}

// aheadHead bounds the head of a base that is ahead. It may name events that others in it are
// on top of, since there is no history here to tell; to be on top of both is to be on top of
// the later one.
const aheadHead = 16

// equal takes the durable node's word that it has a row with the head by which that was
// named. Nothing is stored: the next connection names it again. It is false for a row that has
// become another one since it was named, by an answer that was older: it must be asked for.
func (d *draft) equal(ctx context.Context, k *proto.KnownRow) (same bool, err error) {
	rec, err := d.record(ctx, k.Entity)
	if err != nil || !d.isOld(rec.now) {
		return true, err
	}
	if base(rec.now).Head.Fingerprint() != k.Head {
		return false, nil
	}
	if d.matched == nil {
		d.matched = make(map[id.EntityID]uint64)
	}
	d.matched[k.Entity] = d.revision(k.Rev)
	d.arrived(k.Entity, d.revision(k.Rev))
	return true, nil
}

// absent takes the durable node's word that it has never heard of a row: another one may
// have, and then it will.
func (d *draft) absent(ctx context.Context, collection string, e id.EntityID) error {
	rec, err := d.record(ctx, e)
	if err != nil || d.isOld(rec.now) && !d.alone {
		return err
	}
	return d.forget(ctx, collection, e)
}

// postpone sends a transaction again after a pause: the durable node lacks, for now, what it
// is on top of.
func (r *replica) postpone(p *peer, tx id.TransactionID) {
	own := r.outbox.byTx[tx]
	if own == nil {
		return
	}
	own.backoff.limits = &r.node.limits
	r.node.later(own.backoff.next(), func() {
		if r.peer == p && r.outbox.byTx[tx] == own {
			own.sent = false
			r.pump()
		}
	})
}

// handleLacking takes the refusal of a transaction because the durable node lacks what it is
// on top of and will not come by it: its store was set back. What it has of the entities is
// asked for, and the transaction is made again on top of that, once; where that cannot be or
// does not help, it is refused.
func (p *peer) handleLacking(m *proto.Nack) error {
	refusal := p.refusal(m)
	var wanted map[string][]id.EntityID
	waits := false
	return p.hand(m, &step{
		stage: func(ctx context.Context, d *draft) error {
			if own := d.outbox.byTx[m.Transaction]; own != nil && own.attempt == m.Attempt && d.outbox.awaitsCreation(own) {
				waits = true
				return nil
			}
			if wanted = d.lacking(m); len(wanted) > 0 {
				return nil
			}
			return refusal.stage(ctx, d)
		},
		done: func(err error) {
			if err == nil && waits {
				p.node.replica.postpone(p, m.Transaction)
				return
			}
			if err != nil || len(wanted) == 0 {
				refusal.done(err)
				return
			}
			p.askAll(wanted, func(err error) {
				if err != nil {
					return // the connection has ended; the next one sends it again
				}
				p.run.start(func(context.Context) { _ = p.hand(m, p.remaking(m)) })
			})
		},
	})
}

// remaking returns the step that makes a transaction again, or takes its refusal.
func (p *peer) remaking(m *proto.Nack) *step {
	s := p.refusal(m)
	refuse := s.stage
	s.stage = func(ctx context.Context, d *draft) error {
		if remade, err := d.remakeOn(ctx, m); remade || err != nil {
			return err
		}
		return refuse(ctx, d)
	}
	return s
}

// lacking returns the entities to ask for before a transaction is made again; none if it was
// already.
func (d *draft) lacking(m *proto.Nack) (wanted map[string][]id.EntityID) {
	p := d.outbox.byTx[m.Transaction]
	if p == nil || p.attempt != m.Attempt || p.remade {
		return nil
	}
	p.remade, p.remaking = true, true
	wanted = make(map[string][]id.EntityID)
	for _, e := range p.entities() {
		if !p.creates(e) {
			wanted[p.collectionOf(e)] = append(wanted[p.collectionOf(e)], e)
		}
	}
	return wanted
}

// creates reports whether the transaction creates an entity.
func (p *pendingTx) creates(e id.EntityID) bool {
	return slices.ContainsFunc(p.on(e), func(event *proto.Event) bool { return event.Entity == e && event.IsCreation() })
}

// remakeOn makes a transaction again on top of what the durable node has, and what is pending
// on top of that; remade is false where that has not got one of the entities, or all that the
// transaction is on top of. Others are left alone even where they are on top of the same: the
// durable node may know it, since it need not be in a head, and may have accepted them.
func (d *draft) remakeOn(ctx context.Context, m *proto.Nack) (remade bool, err error) {
	p := d.outbox.byTx[m.Transaction]
	if p != nil {
		p.remaking = false
	}
	if p == nil || p.attempt != m.Attempt {
		return true, nil // it was made again meanwhile, and sent: the durable node may have that
	}
	own, unmade := make(map[id.EventID]bool), make(map[id.EventID]bool)
	for _, q := range d.outbox.pending {
		for _, event := range q.events {
			own[event.ID] = true
			unmade[event.ID] = q.remaking
		}
	}
	if p.onTop(unmade) { // it will be with what it is on top of, or refused with it, or is right as it is
		d.postpone(d.peer, p.tx)
		return true, nil
	}
	lost := make(map[id.EventID]bool)
	for _, event := range p.events {
		rec, err := d.record(ctx, event.Entity)
		if err != nil {
			return false, err
		}
		head := base(rec.now).Head
		if len(head) == 0 && !p.creates(event.Entity) {
			return false, nil
		}
		for _, parent := range event.Parents {
			if !own[parent] && !head.Contains(parent) {
				lost[parent] = true
			}
		}
	}
	if len(lost) == 0 {
		return false, nil
	}
	d.edits++
	replaced, err := d.replace(ctx, p, lost)
	if err != nil {
		return false, err
	}
	clear(lost)
	for _, event := range replaced {
		lost[event.ID] = true
		if err := d.resettle(ctx, event.Entity); err != nil {
			return false, err
		}
	}
	return true, d.remake(ctx, lost)
}

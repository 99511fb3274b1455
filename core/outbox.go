package core

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// outbox is an ephemeral node's own transactions that no durable node has acknowledged,
// in order, and those that one has refused. It mirrors what storage holds.
type outbox struct {
	pending    []*pendingTx
	byTx       map[id.TransactionID]*pendingTx
	byEntity   map[id.EntityID][]*pendingTx // in order; without those that the base includes
	receipts   map[id.TransactionID]*Receipt
	next       uint64
	acked      int // of pending, those that a durable node has
	rejections []Rejection

	unacked map[id.EntityID]int // how many of pending that no durable node has touch it
	refused map[id.EntityID]int // how many of rejections
}

// pendingTx is one transaction of the outbox.
type pendingTx struct {
	seq     uint64
	tx      id.TransactionID
	attempt uint64 // how often its events were made again
	events  []*proto.Event
	touched []id.EntityID // in order of first touch; see entities

	byEntity map[id.EntityID][]*proto.Event // made when it is needed, by on
	sent     bool                           // on the present connection
	remade   bool                           // because the durable node lacks what it was on top of
	remaking bool                           // soon, when the rows are here that it takes
	backoff  backoff                        // where that lacks it for the time being
	early    bool                           // it waits until its date has come
	redated  int                            // how often it was dated again
	former   map[id.EventID]proto.Clock     // the parents of events that were made again

	acked  bool                   // a durable node has it
	told   bool                   // and that has been published, or it was refused
	awaits map[id.EntityID]uint64 // acked, but not part of the base before it has this revision
}

func (o *outbox) init() {
	o.byTx = make(map[id.TransactionID]*pendingTx)
	o.byEntity = make(map[id.EntityID][]*pendingTx)
	o.unacked = make(map[id.EntityID]int)
	if o.receipts == nil {
		o.receipts = make(map[id.TransactionID]*Receipt)
	}
	o.next = 1
}

// load reads the stored entries.
func (o *outbox) load(ctx context.Context, n *Node) error {
	o.init()
	var after uint64
	for {
		entries, err := n.engine.Outbox(ctx, after, storage.MaxPage)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		for _, entry := range entries {
			p, err := decodePending(entry)
			if err != nil {
				return err
			}
			o.insert(p)
			after = entry.Seq
		}
	}
	n.status.update(func(s *Status) { s.Pending = o.unacknowledged() })
	return nil
}

// unacknowledged returns how many transactions no durable node is known to have.
func (o *outbox) unacknowledged() int { return len(o.pending) - o.acked }

// hasRoom refuses one more transaction where too many wait.
func (o *outbox) hasRoom(limits *Limits) error {
	if len(o.pending) >= limits.Pending {
		return fmt.Errorf("%w: %d transactions wait for a durable node", ErrLimit, limits.Pending)
	}
	return nil
}

// add appends a new transaction.
func (o *outbox) add(p *pendingTx, receipt *Receipt) {
	p.seq = o.next
	o.insert(p)
	if receipt != nil {
		o.receipts[p.tx] = receipt
	}
}

func (o *outbox) insert(p *pendingTx) {
	o.next = max(o.next, p.seq+1)
	o.pending = append(o.pending, p)
	o.byTx[p.tx] = p
	entities := p.entities()
	tally(&o.unacked, entities, 1)
	if len(o.byEntity) == 0 {
		o.byEntity = make(map[id.EntityID][]*pendingTx, len(entities))
	}
	alone := make([]*pendingTx, len(entities)) // the lists of entities that no other one touches
	for i, e := range entities {
		list, ok := o.byEntity[e]
		if !ok {
			list = alone[i : i : i+1]
		}
		o.byEntity[e] = append(list, p)
	}
}

// remove takes a transaction out.
func (o *outbox) remove(p *pendingTx) {
	if i := slices.Index(o.pending, p); i >= 0 {
		o.pending = slices.Delete(o.pending, i, i+1)
		if p.acked {
			o.acked--
		} else {
			tally(&o.unacked, p.entities(), -1)
		}
	}
	delete(o.byTx, p.tx)
	for _, e := range p.entities() {
		o.included(p, e)
	}
}

// having returns the transactions that an answer of the durable node includes: those that
// it names, and those that were acknowledged before and wait for a row, of which it has
// nothing more to say.
func (o *outbox) having(named []id.TransactionID) (list []*pendingTx) {
	for _, p := range o.pending {
		if p.acked || slices.Contains(named, p.tx) {
			list = append(list, p)
		}
	}
	return list
}

// included says that an entity's base includes a transaction's events on it.
func (o *outbox) included(p *pendingTx, e id.EntityID) {
	list := slices.DeleteFunc(o.byEntity[e], func(q *pendingTx) bool { return q == p })
	if len(list) == 0 {
		delete(o.byEntity, e)
	} else {
		o.byEntity[e] = list
	}
}

func (o *outbox) isIncluded(p *pendingTx, e id.EntityID) bool {
	return !slices.Contains(o.byEntity[e], p)
}

// entities returns the entities that a transaction touches, in order of first touch.
func (p *pendingTx) entities() []id.EntityID {
	if p.touched == nil {
		p.touched = entitiesOf(p.events)
	}
	return p.touched
}

// entitiesOf returns the entities that events touch, in order of first touch.
func entitiesOf(events []*proto.Event) []id.EntityID {
	list := make([]id.EntityID, 0, len(events))
	seen := make(map[id.EntityID]struct{}, len(events))
	for _, e := range events {
		if _, again := seen[e.Entity]; again {
			continue
		}
		seen[e.Entity] = struct{}{}
		list = append(list, e.Entity)
	}
	return list
}

// on returns the events among which are those on an entity: of a small transaction all, of a
// large one just these.
func (p *pendingTx) on(e id.EntityID) []*proto.Event {
	if len(p.events) <= 8 {
		return p.events
	}
	if p.byEntity == nil {
		p.byEntity = make(map[id.EntityID][]*proto.Event, len(p.events))
		for _, event := range p.events {
			p.byEntity[event.Entity] = append(p.byEntity[event.Entity], event)
		}
	}
	return p.byEntity[e]
}

func (p *pendingTx) collectionOf(e id.EntityID) string {
	for _, event := range p.on(e) {
		if event.Entity == e {
			return event.Collection
		}
	}
	return ""
}

// ack takes the durable node's word that it has a transaction: its events move into the
// bases. Where the durable node has more of an entity than this node knows of, the events
// stay pending until the row has been asked for (missing) and has come; if the connection
// ends first, the transaction is sent, and acknowledged, once more.
func (d *draft) ack(ctx context.Context, m *proto.Ack) (missing map[string][]id.EntityID, err error) {
	p, ok := d.outbox.byTx[m.Transaction]
	if !ok || p.attempt != m.Attempt {
		return nil, nil
	}
	d.edits++
	if !p.acked {
		p.acked = true
		d.outbox.acked++
		tally(&d.outbox.unacked, p.entities(), -1)
	}
	p.awaits = make(map[id.EntityID]uint64)
	missing = make(map[string][]id.EntityID)
	for _, row := range m.Rows {
		if d.outbox.isIncluded(p, row.Entity) {
			continue
		}
		inStep, err := d.include(ctx, p, row)
		if err != nil {
			return nil, err
		}
		if !inStep {
			p.awaits[row.Entity] = d.revision(row.Rev)
			missing[p.collectionOf(row.Entity)] = append(missing[p.collectionOf(row.Entity)], row.Entity)
		}
	}
	d.finish(p)
	if err := d.restate(ctx, p.entities()); err != nil {
		return nil, err
	}
	d.showPending()
	d.current.ID = p.tx
	return missing, nil
}

// include merges an acknowledged transaction's events on one entity into its base, if
// that is what the durable node made them on. One that it made earlier is part of the base
// already, if that is what the durable node has.
func (d *draft) include(ctx context.Context, p *pendingTx, row proto.AckRow) (inStep bool, err error) {
	rec, err := d.record(ctx, row.Entity)
	if err != nil {
		return false, err
	}
	if rec.now == nil {
		d.outbox.included(p, row.Entity)
		return true, nil // evicted meanwhile
	}
	confirmed, rev := base(rec.now), d.baseRev(rec.now)
	if to := d.revision(row.Rev); to > rev {
		if !row.Before.Equal(confirmed.Head) {
			return false, nil
		}
		if !row.Known {
			if confirmed, err = p.apply(confirmed, row.Entity); err != nil {
				return false, err
			}
		}
		rev = to
	}
	d.outbox.included(p, row.Entity)
	return true, d.settle(rec, rec.now.Collection, row.Entity, confirmed, rev)
}

// awaited calls visit with the entities whose rows acknowledged transactions wait for.
func (o *outbox) awaited(visit func(e id.EntityID)) {
	if o.acked == 0 {
		return
	}
	for _, p := range o.pending {
		if len(p.awaits) == 0 {
			continue
		}
		for _, e := range p.entities() {
			if _, awaited := p.awaits[e]; awaited {
				visit(e)
			}
		}
	}
}

// arrived notes that an entity's base is about to be what the durable node had at rev, and
// ends the acknowledged transactions that waited for that.
func (d *draft) arrived(e id.EntityID, rev uint64) {
	for _, p := range slices.Clone(d.outbox.byEntity[e]) {
		if awaited, ok := p.awaits[e]; ok && rev >= awaited {
			delete(p.awaits, e)
			d.outbox.included(p, e)
			d.finish(p)
		}
	}
}

// finish takes a transaction out of the outbox once it is acknowledged and part of all
// its bases.
func (d *draft) finish(p *pendingTx) {
	if !p.acked || len(p.awaits) > 0 {
		return
	}
	d.edits++
	d.outbox.remove(p)
	d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq})
}

// apply merges the transaction's events on one entity into a state.
func (p *pendingTx) apply(s *proto.State, e id.EntityID) (*proto.State, error) {
	for _, event := range p.on(e) {
		if event.Entity != e || s.Head.Contains(event.ID) || event.IsCreation() && len(s.Head) > 0 {
			continue
		}
		next, err := entity.Apply(s, event)
		if err != nil {
			return nil, err
		}
		s = next
	}
	return s, nil
}

// nack takes a refusal: the transaction is dropped, what depends on it as well, and what
// merely came later on the same entities is made again on the new heads. Each of the
// refused is kept as a rejection. It returns what there is to tell once this is stored, and
// the rows to ask for then: the refused changes may have hidden them when the durable node
// answered a subscription, so that nobody noticed that they are not in step.
func (d *draft) nack(ctx context.Context, m *proto.Nack) (refused []Settled, doubtful map[string][]id.EntityID, err error) {
	p, ok := d.outbox.byTx[m.Transaction]
	if !ok || p.attempt != m.Attempt {
		return nil, nil, nil
	}
	d.edits++
	cause := &Error{Op: "sync", Kind: kindFromWire(m.Kind), Entity: m.Entity, Err: errors.New(m.Message)}
	refused = d.refuse(p, cause, nil)
	affected := make(map[id.EntityID]bool)
	lost := make(map[id.EventID]bool)
	for _, r := range refused {
		for _, event := range d.refusedTx[r.Transaction].events {
			affected[event.Entity] = true
			lost[event.ID] = true
		}
	}
	doubtful = make(map[string][]id.EntityID)
	for e := range affected {
		if err := d.resettle(ctx, e); err != nil {
			return nil, nil, err
		}
		if now := d.records[e].now; now != nil && now.BaseRev > 0 {
			doubtful[now.Collection] = append(doubtful[now.Collection], e)
		}
	}
	if err := d.remake(ctx, lost); err != nil {
		return nil, nil, err
	}
	if err := d.trimRejections(ctx); err != nil {
		return nil, nil, err
	}
	d.showPending()
	return refused, doubtful, nil
}

// refuse drops a transaction and, recursively, those that edit an entity which it
// creates.
func (d *draft) refuse(p *pendingTx, cause error, refused []Settled) []Settled {
	if d.refusedTx == nil {
		d.refusedTx = make(map[id.TransactionID]*pendingTx)
	}
	d.refusedTx[p.tx] = p
	p.told = true
	refused = append(refused, Settled{p.tx, cause})
	d.outbox.reject(p, cause, d.node.clock.Now())
	d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq})
	for _, event := range p.events {
		d.voided.add(event.ID)
		if !event.IsCreation() {
			continue
		}
		for _, later := range slices.Clone(d.outbox.byEntity[event.Entity]) {
			if d.refusedTx[later.tx] == later {
				continue // by way of another entity already
			}
			dependent := &Error{Op: "sync", Kind: KindDependsOnRefused, Entity: event.Entity,
				Err: fmt.Errorf("%w: the creation was refused: %w", ErrDependent, cause)}
			refused = d.refuse(later, dependent, refused)
		}
	}
	return refused
}

// remake mints again the events that were made on top of lost ones, and in turn those on
// top of these, keeping what they do.
func (d *draft) remake(ctx context.Context, lost map[id.EventID]bool) error {
	affected := make(map[id.EntityID]bool)
	for _, p := range d.outbox.pending {
		if !p.onTop(lost) {
			continue
		}
		replaced, err := d.replace(ctx, p, lost)
		if err != nil {
			return err
		}
		for _, event := range replaced {
			lost[event.ID] = true
			affected[event.Entity] = true
		}
	}
	for e := range affected {
		if err := d.resettle(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// replace mints again those events of a transaction that are on top of lost ones, to be sent
// anew, and returns what they were before.
func (d *draft) replace(ctx context.Context, p *pendingTx, lost map[id.EventID]bool) (replaced []*proto.Event, err error) {
	events := make([]*proto.Event, len(p.events))
	for i, event := range p.events {
		events[i] = event
		if !event.IsCreation() && anyIn(event.Parents, lost) {
			if events[i], err = d.mintAgain(ctx, p, event, lost); err != nil {
				return nil, err
			}
			replaced = append(replaced, event)
		}
	}
	p.events, p.byEntity = events, nil
	p.attempt++
	p.sent = false
	d.batch.Outbox = append(d.batch.Outbox, storage.OutboxEntry{Seq: p.seq, Data: encodePending(p)})
	return replaced, nil
}

func (p *pendingTx) onTop(lost map[id.EventID]bool) bool {
	return slices.ContainsFunc(p.events, func(e *proto.Event) bool { return anyIn(e.Parents, lost) })
}

func anyIn(c proto.Clock, set map[id.EventID]bool) bool {
	return slices.ContainsFunc(c, func(e id.EventID) bool { return set[e] })
}

// mintAgain makes an event on top of what its entity is without the lost events: the base
// and the pending transactions before p. Of a row that this node may not see any more it has no
// base: there the event is made on top of what the lost ones were.
func (d *draft) mintAgain(ctx context.Context, p *pendingTx, old *proto.Event, lost map[id.EventID]bool) (*proto.Event, error) {
	rec, err := d.record(ctx, old.Entity)
	if err != nil {
		return nil, err
	}
	head := base(rec.now).Head
	for _, q := range d.outbox.byEntity[old.Entity] {
		if q == p {
			break
		}
		for _, event := range q.on(old.Entity) {
			if event.Entity == old.Entity && !head.Contains(event.ID) {
				head = head.Advance(event.Parents, event.ID)
			}
		}
	}
	if len(head) == 0 { // the row is not here any more
		if head = d.underneath(old.Parents, lost); len(head) == 0 {
			return old, nil
		}
	}
	again := &proto.Event{Collection: old.Collection, Entity: old.Entity, Parents: head, Author: old.Author, User: old.User, Operations: old.Operations}
	if err := again.Mint(d.node.clock.Next(head.Stamp())); err != nil {
		return nil, err
	}
	if p.former == nil {
		p.former = make(map[id.EventID]proto.Clock)
	}
	p.former[old.ID] = old.Parents
	d.voided.add(old.ID)
	return again, nil
}

// underneath returns a head with what this node's own lost events were made on top of in
// place of these.
func (d *draft) underneath(head proto.Clock, lost map[id.EventID]bool) proto.Clock {
	var list []id.EventID
	for _, x := range head {
		if lost[x] {
			list = append(list, d.underneath(d.parentsOf(x), lost)...)
		} else {
			list = append(list, x)
		}
	}
	return proto.NewClock(list...)
}

// parentsOf returns the parents of an event that a pending transaction had, or one that this
// draft refuses has; nil if there is none.
func (d *draft) parentsOf(x id.EventID) proto.Clock {
	for _, p := range d.outbox.pending {
		if parents, ok := p.former[x]; ok {
			return parents
		}
	}
	for _, p := range d.refusedTx {
		for _, event := range p.events {
			if event.ID == x {
				return event.Parents
			}
		}
	}
	return nil
}

// pump sends the transactions that have not been sent, in order, a bounded number ahead of
// their answers.
func (r *replica) pump() {
	if r.peer == nil {
		return
	}
	for i, p := range r.outbox.pending {
		if i >= sendAhead {
			return
		}
		if !p.sent {
			p.sent = true
			r.peer.out.must(&proto.Commit{Transaction: p.tx, Attempt: p.attempt, Events: p.events})
		}
	}
}

// sendAhead is how many transactions may be on their way unanswered.
const sendAhead = 64

// settled tells who waits for a transaction.
func (r *replica) settled(s Settled) {
	if receipt, ok := r.outbox.receipts[s.Transaction]; ok {
		delete(r.outbox.receipts, s.Transaction)
		receipt.settle(s.Err)
	}
	r.node.status.settle(s)
}

package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// replica is the data of an ephemeral node. Of each entity it keeps the base, which the
// durable node has confirmed, and merges the node's own pending events over it. All of
// it belongs to the loop goroutine, work; others hand it steps.
type replica struct {
	node  *Node
	steps chan *step

	outbox    outbox
	cache     map[id.EntityID]*proto.Record
	upstreams upstreams
	attendant *attendant     // who of this node is in which room
	peer      *peer          // the connected durable node; nil when offline
	source    id.StoreID     // the store that base revisions are of
	view      uint64         // what the principal may see, by the last welcome
	position  proto.Position // how far in step with it, as far as stored
	origin    uint64         // how often that was another store than before
	ahead     coverage       // whether what is held may be of after position
	alone     bool           // what the connected durable node lacks is nowhere else

	matched map[id.EntityID]uint64 // base revisions on the present connection of rows of earlier origins

	// unsure holds, after a batch failed, the entities concerned as they are shown now:
	// storage may have done it all the same. Until it has been asked (reload), no step
	// is run. It is nil while memory is what storage holds.
	unsure map[id.EntityID]*proto.Record
	floor  uint64 // of revisions: greater than any that was taken back

	mu struct {
		sync.Mutex
		user string
	}
}

// step is one change to the replica's data. Several that wait together are stored in one
// batch.
type step struct {
	// stage works out the change on the draft. An error refuses this step alone, and
	// must come before anything was changed.
	stage func(ctx context.Context, d *draft) error
	// show is called when the change is published, in its turn among those of the batch. It
	// runs on the loop and may be nil.
	show func()
	// done is called when the change is stored and published, or why it was not. It runs
	// on the loop, may be nil, and must not block.
	done func(err error)
}

// draft is a storage batch in the making.
type draft struct {
	*replica
	batch   storage.Batch
	records map[id.EntityID]*drafted
	order   []id.EntityID
	current *reactor.Transaction
	hold    bool // the step publishes its changes itself, later
	held    []reactor.Change
	gap     bool // an update of this draft did not fit what is held: rows will be asked for
	undo    []func()

	answered map[id.EntityID]uint64 // at the end of a standstill, the revisions that answers in it tell of

	states    map[id.EntityID]proto.SyncState // of before, where the draft changed them
	refusals  bool                            // other entities are refused than before
	refusedTx map[id.TransactionID]*pendingTx // dropped by this draft
	counted   bool                            // other transactions are pending than before
	edits     int                             // counts changes, to see whether a failed step made any
	uncovered bool                            // it brought what may be of after the position
}

// drafted is one record of a draft.
type drafted struct {
	stored, now *proto.Record

	in *reactor.Transaction // the last one that changed it
	at int                  // where that has the change
}

func openReplica(ctx context.Context, n *Node) (*replica, error) {
	r := &replica{node: n, steps: make(chan *step, 256), cache: make(map[id.EntityID]*proto.Record)}
	r.upstreams.init(r)
	r.attendant = newAttendant(n)
	return r, r.load(ctx)
}

// load reads what the node remembers besides its records.
func (r *replica) load(ctx context.Context) error {
	n := r.node
	meta, err := n.engine.Meta(ctx, metaModels, metaOffset, metaUser, metaSource, metaView)
	if err != nil {
		return err
	}
	if meta[0] != nil {
		models, err := decodeModels(meta[0])
		if err != nil {
			return err
		}
		for _, m := range models {
			n.catalog.put(m)
		}
	}
	n.clock.SetOffset(time.Duration(int64(decodeUint(meta[1]))) * time.Microsecond)
	r.mu.user = string(meta[2])
	if u, err := id.FromBytes(meta[3]); err == nil {
		r.source = id.StoreID{ULID: u}
	}
	r.view = decodeUint(meta[4])
	if err := r.loadProgress(ctx, &r.outbox); err != nil {
		return err
	}
	if err := r.outbox.load(ctx, n); err != nil {
		return err
	}
	n.overlay.restate(r.outbox.states())
	return nil
}

// loadProgress reads how far the node is in step with its durable node, and what that has
// refused.
func (r *replica) loadProgress(ctx context.Context, o *outbox) error {
	meta, err := r.node.engine.Meta(ctx, metaPosition, metaCursors, metaRejections, metaOrigin, metaAhead)
	if err != nil {
		return err
	}
	if o.rejections, err = decodeRejections(meta[2], r.node.limits.Rejections); err != nil {
		return err
	}
	for i := range o.rejections {
		tally(&o.refused, entitiesOf(o.rejections[i].events), 1)
	}
	r.position, r.origin = decodePosition(meta[0]), decodeUint(meta[3])
	r.ahead = coverage{now: meta[4] != nil, stored: meta[4] != nil}
	return r.upstreams.load(meta[1], r.position)
}

// user returns the principal's name, as the durable node last gave it.
func (r *replica) user() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.user
}

// work is the loop: it stores and publishes steps, those that wait together in one batch,
// and runs tasks, until ctx ends.
func (r *replica) work(ctx context.Context) {
	for {
		select {
		case s := <-r.steps:
			r.runSteps(ctx, r.gather(s))
		case task := <-r.node.loop.tasks:
			task()
		case <-r.node.loop.wake:
			r.node.loop.runReleases()
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what else is waiting.
func (r *replica) gather(first *step) []*step {
	list := []*step{first}
	for len(list) < r.node.limits.GroupCommit {
		select {
		case s := <-r.steps:
			list = append(list, s)
		default:
			return list
		}
	}
	return list
}

// hand gives a step to the loop; it blocks while the queue is full.
func (r *replica) hand(ctx context.Context, s *step) error {
	select {
	case r.steps <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.node.run.ctx.Done():
		return ErrClosed
	}
}

// await hands a step over and waits until it is done.
func (r *replica) await(ctx context.Context, s *step) error {
	outcome := make(chan error, 1)
	waiting := &step{stage: s.stage, show: s.show, done: func(err error) {
		s.finish(err)
		outcome <- err
	}}
	if err := r.hand(ctx, waiting); err != nil {
		return err
	}
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.node.run.ctx.Done():
		return ErrClosed
	}
}

// runSteps stores a group of steps and publishes them one by one.
func (r *replica) runSteps(ctx context.Context, steps []*step) {
	ctx = context.WithoutCancel(ctx) // what was taken is finished, also when closing
	if err := r.reload(ctx); err != nil {
		for _, s := range steps {
			s.finish(err)
		}
		return
	}
	d := &draft{replica: r, records: make(map[id.EntityID]*drafted)}
	accepted := make([]*step, 0, len(steps))
	transactions := make([]*reactor.Transaction, 0, len(steps))
	for i, s := range steps {
		edits := d.edits
		tx, err := d.run(ctx, s)
		switch {
		case err == nil:
			accepted, transactions = append(accepted, s), append(transactions, tx)
		case d.edits == edits:
			s.finish(err)
		default: // it failed half way; the others are run without it
			r.fail(ctx, d, err)
			s.finish(err)
			for _, other := range slices.Concat(accepted, steps[i+1:]) {
				r.runSteps(ctx, []*step{other})
			}
			return
		}
	}
	d.show()
	r.node.publishAll(transactions, func(i int) {
		if show := accepted[i].show; show != nil {
			show()
		}
	})
	err := r.store(ctx, d)
	if err != nil {
		d.takeBack()
		r.fail(ctx, d, err)
	}
	r.node.overlay.clear()
	if d.counted && err == nil {
		count := r.outbox.unacknowledged()
		r.node.status.update(func(s *Status) { s.Pending = count })
	}
	for _, s := range accepted {
		s.finish(err)
	}
	if err == nil && d.refusals {
		r.node.results.reattach()
	}
	if err == nil && d.uncovered && r.ahead.now && r.peer != nil {
		r.peer.confirm()
	}
	r.pump()
}

// fail brings memory back to what is stored after a draft came to nothing.
func (r *replica) fail(ctx context.Context, d *draft, err error) {
	r.node.opts.Listener.failed("store", err)
	for _, undo := range slices.Backward(d.undo) {
		undo()
	}
	if r.unsure == nil {
		r.unsure = make(map[id.EntityID]*proto.Record)
	}
	if r.peer != nil {
		r.peer.lose(err) // the resume brings what was lost
	}
	if err := r.reload(ctx); err != nil {
		r.node.opts.Listener.failed("read back", err)
	}
}

// show lays the draft over storage for every reader, and leaves what was there before
// with the open transactions.
func (d *draft) show() {
	records := make(map[id.EntityID]overlaid, len(d.order))
	old := make([]preserved, 0, len(d.order))
	for _, e := range d.order {
		rec := d.records[e]
		if rec.now == rec.stored {
			continue
		}
		old = append(old, preserved{e, rec.stored})
		x := overlaid{record: rec.now}
		if rec.now != nil {
			x.collection = rec.now.Collection
		} else {
			x.collection = rec.stored.Collection
		}
		records[e] = x
	}
	d.node.open.changing(old)
	before, after := d.restated()
	d.states = before
	for e := range before {
		d.refusals = d.refusals || before[e] == proto.Refused || after[e] == proto.Refused
	}
	d.node.overlay.show(records, after)
	d.node.open.changed()
}

// takeBack shows again what was there before a draft that could not be stored. The
// records get new revisions, since a greater one counts as later.
func (d *draft) takeBack() {
	tx := &reactor.Transaction{}
	d.unsure = make(map[id.EntityID]*proto.Record)
	var shown []preserved
	for _, e := range d.order {
		rec := d.records[e]
		if rec.now == rec.stored {
			continue
		}
		shown = append(shown, preserved{e, rec.now})
		tx.Changes = append(tx.Changes, d.showAgain(e, rec.now, rec.stored))
		d.unsure[e] = tx.Changes[len(tx.Changes)-1].Stored
	}
	d.node.open.changing(shown)
	d.node.overlay.show(nil, d.states)
	d.node.open.changed()
	d.node.publish(tx)
}

// showAgain returns the change from what is shown of an entity to what is stored.
func (r *replica) showAgain(e id.EntityID, shown, stored *proto.Record) reactor.Change {
	change := reactor.Change{Entity: e, Before: visible(shown)}
	if shown != nil {
		change.Collection = shown.Collection
		r.floor = max(r.floor, shown.Rev)
	}
	r.floor++
	change.Rev = r.floor
	if stored != nil {
		again := *stored
		r.floor = max(r.floor, stored.Rev+1)
		again.Rev = r.floor
		change.Collection, change.Rev = again.Collection, again.Rev
		change.Stored, change.After = &again, visible(&again)
	}
	return change
}

// reload reads, after a batch failed, what storage holds, and shows it where that is not
// what was shown.
func (r *replica) reload(ctx context.Context) error {
	if r.unsure == nil {
		return nil
	}
	entities := slices.Collect(maps.Keys(r.unsure))
	fresh := outbox{receipts: r.outbox.receipts}
	if err := fresh.load(ctx, r.node); err != nil {
		return err
	}
	if err := r.loadProgress(ctx, &fresh); err != nil {
		return err
	}
	for tx := range fresh.receipts {
		if fresh.byTx[tx] == nil {
			delete(fresh.receipts, tx) // its commit was answered with the error
		}
	}
	states := fresh.states()
	shown := r.node.overlay.restate(states)
	records, err := r.node.stored(ctx, entities)
	if err != nil {
		r.node.overlay.restate(shown)
		return err
	}
	r.outbox = fresh
	clear(r.cache)
	tx := &reactor.Transaction{}
	for i, e := range entities {
		if shown := r.unsure[e]; !sameReading(shown, records[i]) {
			tx.Changes = append(tx.Changes, r.showAgain(e, shown, records[i]))
		}
	}
	r.unsure = nil
	r.node.publish(tx)
	return nil
}

func sameReading(a, b *proto.Record) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.BaseRev == b.BaseRev && a.Sync == b.Sync && a.State.Head.Equal(b.State.Head) && (a.Base == nil) == (b.Base == nil)
}

func (s *step) finish(err error) {
	if s.done != nil {
		s.done(err)
	}
}

// run stages one step.
func (d *draft) run(ctx context.Context, s *step) (*reactor.Transaction, error) {
	d.current = &reactor.Transaction{}
	if err := s.stage(ctx, d); err != nil {
		return nil, err
	}
	return d.current, nil
}

// store commits the draft's batch.
func (r *replica) store(ctx context.Context, d *draft) error {
	d.batch.Records = slices.Grow(d.batch.Records, len(d.order))
	for _, e := range d.order {
		rec := d.records[e]
		switch {
		case rec.now == rec.stored:
		case rec.now == nil:
			d.batch.Evict = append(d.batch.Evict, e)
		default:
			write := storage.RecordWrite{Record: rec.now}
			if rec.stored != nil {
				write.Expect = rec.stored.State.Head
			}
			d.batch.Records = append(d.batch.Records, write)
		}
	}
	d.saveAhead()
	b := &d.batch
	if len(b.Records)+len(b.Evict)+len(b.Outbox)+len(b.Meta) == 0 {
		return nil
	}
	if err := r.node.engine.Commit(ctx, b); err != nil && !r.landed(ctx, b, err) {
		return err
	}
	r.ahead.stored = r.ahead.now
	for _, e := range d.order {
		r.remember(e, d.records[e].now)
	}
	return nil
}

// remember keeps a record in the cache.
func (r *replica) remember(e id.EntityID, rec *proto.Record) {
	if rec == nil {
		delete(r.cache, e)
		return
	}
	if len(r.cache) >= r.node.limits.CachedRecords {
		for victim := range r.cache {
			delete(r.cache, victim)
			break
		}
	}
	r.cache[e] = rec
}

// landed reports whether a batch is stored although Commit failed: an outcome that was
// unknown can be read back. A batch is there wholly or not at all, so one item tells.
func (r *replica) landed(ctx context.Context, b *storage.Batch, err error) bool {
	if !errors.Is(err, storage.ErrUnavailable) {
		return false
	}
	switch {
	case len(b.Records) > 0:
		want := b.Records[0].Record
		stored, err := r.node.stored(ctx, []id.EntityID{want.Entity})
		return err == nil && stored[0] != nil && stored[0].Rev == want.Rev && sameReading(stored[0], want)
	case len(b.Outbox) > 0:
		want := b.Outbox[0]
		stored, err := r.node.engine.Outbox(ctx, want.Seq-1, 1)
		there := err == nil && len(stored) > 0 && stored[0].Seq == want.Seq
		return err == nil && there == (want.Data != nil) && (!there || bytes.Equal(stored[0].Data, want.Data))
	}
	return false // evictions and metadata are staged again by whoever needs them
}

// record returns the newest reading of an entity, drafted ones included.
func (d *draft) record(ctx context.Context, e id.EntityID) (*drafted, error) {
	if rec, ok := d.records[e]; ok {
		return rec, nil
	}
	stored, ok := d.cache[e]
	if !ok {
		records, err := d.node.stored(ctx, []id.EntityID{e})
		if err != nil {
			return nil, err
		}
		stored = records[0]
	}
	return d.found(e, stored), nil
}

// found notes what storage holds of an entity, nil for nothing.
func (d *draft) found(e id.EntityID, stored *proto.Record) *drafted {
	rec := &drafted{stored: stored, now: stored}
	d.records[e] = rec
	d.order = append(d.order, e)
	return rec
}

// put replaces an entity's record, nil to evict it, and adds the change to the step's
// transaction.
func (d *draft) put(rec *drafted, collection string, e id.EntityID, next *proto.Record) {
	d.edits++
	before := rec.now
	rec.now = next
	if next != nil {
		next.Sync = d.outbox.state(e)
	}
	change := reactor.Change{Collection: collection, Entity: e, Before: visible(before), After: visible(next), Stored: next}
	if next != nil {
		change.Rev = next.Rev
	} else if before != nil {
		change.Rev = max(before.Rev, d.floor)
	}
	if d.hold {
		d.held = append(d.held, change)
		return
	}
	if rec.in == d.current {
		change.Before = d.current.Changes[rec.at].Before
		d.current.Changes[rec.at] = change
		return
	}
	rec.in, rec.at = d.current, len(d.current.Changes)
	d.current.Changes = append(d.current.Changes, change)
}

func (d *draft) meta(key string, value []byte) {
	d.edits++
	d.batch.Meta = append(d.batch.Meta, storage.MetaEntry{Key: key, Value: value})
}

// base returns the confirmed part of a record; an entity that no durable node has
// confirmed has an empty one.
func base(r *proto.Record) *proto.State {
	switch {
	case r == nil:
		return unconfirmed
	case r.Base != nil:
		return r.Base
	}
	return r.State
}

// settle puts a record together from its base and the pending events on the entity.
func (d *draft) settle(rec *drafted, collection string, e id.EntityID, confirmed *proto.State, rev uint64) error {
	next := &proto.Record{Collection: collection, Entity: e, BaseRev: rev, State: confirmed, Rev: d.floor + 1}
	if rec.now != nil {
		next.Rev = max(rec.now.Rev, d.floor) + 1
	}
	for _, p := range d.outbox.byEntity[e] {
		for _, event := range p.on(e) {
			if event.Entity != e || next.State.Head.Contains(event.ID) || event.IsCreation() != (len(next.State.Head) == 0) {
				continue // the base includes it, or lost the entity
			}
			state, err := entity.Apply(next.State, event)
			if err != nil {
				return about(e, err)
			}
			next.State, next.Base = state, confirmed
		}
	}
	if len(next.State.Head) == 0 {
		next = nil // neither confirmed nor pending any more
	}
	if rev > 0 && (rec.now == nil || rev != rec.now.BaseRev) {
		d.uncover()
	}
	d.put(rec, collection, e, next)
	return nil
}

// confirm takes a row as the durable node has it.
func (d *draft) confirm(ctx context.Context, collection string, row *proto.Row) error {
	rec, err := d.record(ctx, row.Entity)
	if err != nil {
		return err
	}
	rev := d.revision(row.Rev)
	if d.baseRev(rec.now) >= rev {
		return nil
	}
	d.arrived(row.Entity, rev)
	confirmed, rev := d.reconcile(rec.now, row.State, rev)
	return d.settle(rec, collection, row.Entity, confirmed, rev)
}

// forget drops a row that this node may no longer see. Pending changes to it stay in the
// outbox, where the durable node will answer them.
func (d *draft) forget(ctx context.Context, collection string, e id.EntityID) error {
	rec, err := d.record(ctx, e)
	if err != nil || rec.now == nil || rec.now.Collection != collection {
		return err
	}
	d.arrived(e, math.MaxUint64)
	if rec.now.BaseRev == 0 && len(d.outbox.byEntity[e]) > 0 {
		return nil // it is this node's own, on its way
	}
	d.uncover()
	d.put(rec, collection, e, nil)
	return nil
}

// resettle makes an entity's record anew after its pending events changed.
func (d *draft) resettle(ctx context.Context, e id.EntityID) error {
	rec, err := d.record(ctx, e)
	if err != nil {
		return err
	}
	collection := ""
	if rec.now != nil {
		collection = rec.now.Collection
	} else if list := d.outbox.byEntity[e]; len(list) > 0 {
		collection = list[0].collectionOf(e)
	}
	if collection == "" {
		return nil
	}
	var rev uint64
	if rec.now != nil {
		rev = rec.now.BaseRev
	}
	return d.settle(rec, collection, e, base(rec.now), rev)
}

// showPending makes the status show how many transactions are pending, once the draft is
// stored: at the time when commits return, so that a page hears of both at once.
func (d *draft) showPending() { d.counted = true }

// get asks the durable node for an entity that is not here, and keeps it.
func (r *replica) get(ctx context.Context, collection string, e id.EntityID) (*proto.Record, error) {
	err := r.request(ctx, func(done func(error)) { r.peer.ask(collection, []id.EntityID{e}, done) })
	if err != nil {
		return nil, err
	}
	return r.node.record(ctx, e)
}

// request has something asked of the durable node, on the loop, and waits until that is
// done. Without a connection it fails with ErrOffline.
func (r *replica) request(ctx context.Context, ask func(done func(error))) error {
	outcome := make(chan error, 1)
	if !r.node.loop.post(func() {
		if r.peer == nil {
			outcome <- ErrOffline
			return
		}
		ask(func(err error) { outcome <- err })
	}) {
		return ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, r.node.limits.Request)
	defer cancel()
	select {
	case err := <-outcome:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.node.run.ctx.Done():
		return ErrClosed
	}
}

// wipe forgets everything that came from a durable node of another system.
func (r *replica) wipe(ctx context.Context, d *draft) error {
	if len(d.outbox.pending) > 0 {
		return fmt.Errorf("%w, and %d transactions wait for the one that this data belongs to", ErrSystem, len(d.outbox.pending))
	}
	left, err := r.node.away(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w, and transactions of %q wait for the one that this data belongs to", ErrSystem, left[0].user)
	}
	if err != nil {
		return err
	}
	return d.forgetRows(ctx)
}

func unixMicro(us int64) time.Time { return time.UnixMicro(us) }

// errGone is why a request ended when its connection did.
var errGone = errors.New("the connection ended before the answer came")

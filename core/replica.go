package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

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
	voided    voided
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
		case <-r.node.loop.releases.wake:
			r.node.loop.releases.run()
		case <-ctx.Done():
			return
		}
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
	r.voided.reread(&r.outbox, &fresh)
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
	return r.node.run.outcome(ctx, outcome)
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

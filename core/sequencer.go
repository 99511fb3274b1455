package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// submission is a transaction on its way through the sequencer.
type submission struct {
	tx        id.TransactionID
	events    []*proto.Event
	principal policy.Principal
	system    bool                // may write protected collections
	author    id.NodeID           // the connected peer that it came from; zero for this node
	meta      []storage.MetaEntry // stored in the same batch
	overtaken int                 // how often another process was faster

	// Of a transaction that another durable node has committed:
	replicated bool
	held       func() bool // it is not to be taken now; called when it would be staged
	fresh      bool        // set before done: it was not known; otherwise meta is not stored

	parked time.Time // of a peer's: since when it waits for parents

	// done is called once, on one of the sequencer's goroutines, after the transaction
	// has been published or refused. It must not block.
	done func(rows []proto.AckRow, err error)
}

// stagedTx is a transaction that has been validated and merged in memory.
type stagedTx struct {
	sub     *submission
	events  []*proto.Event // those that are new
	entry   *proto.FeedEntry
	rows    []proto.AckRow
	changes []reactor.Change
	before  map[id.EntityID]*proto.Record // deleted ones included, for snapshots
}

// group is the transactions of one storage batch.
type group struct {
	txs    []*stagedTx
	writes map[id.EntityID]*storage.RecordWrite
	order  []id.EntityID
	bytes  int    // of the transactions' events
	looked uint64 // as of which look at other processes it was begun
	stored bool   // it turned out to be: it is to be published, and was answered with an error
}

func newGroup() *group { return &group{writes: make(map[id.EntityID]*storage.RecordWrite)} }

// maxGroupBytes is how large a group's events are that takes no more transactions: what a batch
// saves is in their number, and an engine holds all of it in memory, twice or more.
const maxGroupBytes = 4 << 20

func (g *group) add(tx *stagedTx) {
	g.txs = append(g.txs, tx)
	for _, e := range tx.events {
		g.bytes += e.EncodedSize()
	}
}

// entered reports whether the feed holds the group's transactions.
func (g *group) entered(feed []*proto.FeedEntry) bool {
	for _, tx := range g.txs {
		if tx.entry != nil {
			return len(feed) > 0 && feed[0].Seq == tx.entry.Seq && feed[0].Transaction == tx.entry.Transaction
		}
	}
	return false
}

// sequencer is the commit path of a durable node. One goroutine validates and merges
// transactions in memory, on top of what is being written (stageAll); another writes
// them in groups and publishes (commitAll). While one group syncs, the next is staged.
type sequencer struct {
	node   *Node
	queue  chan *submission
	groups chan *group      // to commitAll, without buffer: it takes one when it is free
	done   chan groupResult // from commitAll, which takes no group before its last is settled

	parking parking
	peers   sessionSet
	windows servedWindows // of peers

	storing atomic.Pointer[group] // from before it is stored until it is published

	// The rest belongs to stageAll.
	next    uint64 // the next feed number
	overlay map[id.EntityID]*proto.Record
	flying  map[id.EntityID]int // how many groups in flight hold the entity
	events  map[id.EventID]*proto.Event
	cache   recordCache
	looked  uint64 // as of which look at other processes that is
	unsure  *group // nobody knows yet whether it is stored; nothing is staged before that
}

type groupResult struct {
	group *group
	err   error
}

// openDurable reads what makes a node durable: the end of its feed, and the catalog.
func openDurable(ctx context.Context, n *Node) (durability, error) {
	n.turn, n.keep = n.takeTurn, keepForAnswer
	n.presence = newHub(n)
	s, err := openSequencer(ctx, n)
	if err != nil {
		return nil, err
	}
	if _, err := n.loadCatalog(ctx); err != nil {
		return nil, err
	}
	return s, n.replication.load(ctx, n)
}

func (s *sequencer) start() {
	s.node.run.start(s.stageAll)
	s.node.run.start(s.commitAll)
	if s.node.others != nil {
		s.node.run.start(s.node.others.work)
	}
	s.node.run.start(s.unpark)
}

// sequencer returns what makes the node durable. Only what serves peers may call it, so that who
// serves none does not link it.
func (n *Node) sequencer() *sequencer { return n.durable.(*sequencer) }

// peers returns the sessions of those whom the node serves. An ephemeral one serves nobody.
func (n *Node) peers() *sessionSet {
	if s, ok := n.durable.(*sequencer); ok {
		return &s.peers
	}
	return new(sessionSet)
}

func (s *sequencer) keeping() keeping { return s.peers.held.begin() }

func (s *sequencer) closePeers(reason string) { s.peers.closeAll(reason) }

func (s *sequencer) handOver(ctx context.Context) { s.node.hub().handOver(ctx) }

func openSequencer(ctx context.Context, n *Node) (_ *sequencer, err error) {
	if n.others, err = joinOthers(ctx, n); err != nil {
		return nil, err
	}
	s := &sequencer{
		node: n, queue: make(chan *submission, n.limits.CommitQueue), groups: make(chan *group),
		done: make(chan groupResult), overlay: make(map[id.EntityID]*proto.Record),
		flying: make(map[id.EntityID]int), events: make(map[id.EventID]*proto.Event),
		cache: newRecordCache(&n.limits),
	}
	s.peers.init(&n.limits)
	s.parking.wake = make(chan struct{}, 1)
	last, err := lastSeq(ctx, n)
	s.next = last + 1
	n.published.Store(last)
	if err == nil {
		err = n.feeds.open(ctx, n, last)
	}
	if err == nil && n.others != nil {
		err = n.others.open(ctx)
	}
	return s, err
}

// lastSeq finds the end of the feed from the hint that every batch leaves.
func lastSeq(ctx context.Context, n *Node) (uint64, error) {
	meta, err := n.engine.Meta(ctx, feedHintKey(n.self))
	if err != nil {
		return 0, err
	}
	last := decodeUint(meta[0])
	for {
		entries, err := n.engine.Feed(ctx, n.self, last, storage.MaxPage)
		if err != nil || len(entries) == 0 {
			return last, err
		}
		last = entries[len(entries)-1].Seq
	}
}

// feedHintKey is where the hint of a feed's end is among the store's metadata.
func feedHintKey(feed id.NodeID) string { return metaFeed + feed.String() }

// commit submits a transaction and waits for its outcome.
func (s *sequencer) commit(ctx context.Context, sub *submission) error {
	outcome := make(chan error, 1)
	sub.done = func(_ []proto.AckRow, err error) { outcome <- err }
	if err := s.submit(ctx, sub); err != nil {
		return err
	}
	return s.node.run.outcome(ctx, outcome)
}

// submit queues a transaction; it blocks while the queue is full.
func (s *sequencer) submit(ctx context.Context, sub *submission) error {
	return enqueue(ctx, s.node.run, s.queue, sub)
}

// stageAll validates what is queued and hands it on in groups, until ctx ends.
func (s *sequencer) stageAll(ctx context.Context) {
	current := newGroup()
	for {
		queue, groups := s.queue, s.groups
		if len(current.txs) == 0 {
			groups = nil
		}
		if len(current.txs) >= s.node.limits.GroupCommit || current.bytes >= maxGroupBytes {
			queue = nil
		}
		select {
		case sub := <-queue:
			s.accept(ctx, current, sub)
		case groups <- current:
			current = newGroup()
		case result := <-s.done:
			current = s.settle(ctx, result, current)
		case <-ctx.Done():
			return
		}
	}
}

// accept stages a transaction into the group, or refuses it.
func (s *sequencer) accept(ctx context.Context, g *group, sub *submission) {
	staged, err := (*stagedTx)(nil), s.resolve(ctx)
	if len(g.txs) == 0 {
		g.looked = s.looks()
	}
	switch {
	case err != nil:
	case sub.held != nil && sub.held():
		err = errHeld
	case sub.overtaken > maxOvertaken:
		err = fmt.Errorf("%w: other processes were faster %d times", storage.ErrUnavailable, sub.overtaken)
	}
	if err == nil {
		staged, err = s.stage(ctx, g, sub)
	}
	if err != nil {
		if l := s.node.opts.Listener.Refused; l != nil && !sub.replicated {
			l(sub.author, sub.tx, err)
		}
		sub.done(nil, err)
		return
	}
	if len(staged.events) == 0 && !staged.hasMeta() && len(g.txs) == 0 && len(s.overlay) == 0 && s.node.others == nil {
		sub.done(staged.rows, nil) // everything known, stored and published already
		return
	}
	g.add(staged)
}

// settle takes the outcome of a group. When it failed, what was staged on top of it is
// staged again from storage.
func (s *sequencer) settle(ctx context.Context, result groupResult, current *group) *group {
	if result.err == nil {
		s.landed(result.group)
		return current
	}
	var refused []*stagedTx
	switch {
	case errors.Is(result.err, storage.ErrUnavailable):
		s.unsure = result.group
	case s.overtaken(result.err):
		refused = result.group.txs
	}
	s.restart()
	again := newGroup()
	for _, tx := range slices.Concat(refused, current.txs) {
		s.accept(ctx, again, tx.sub)
	}
	return again
}

// overtaken reports whether a group was refused because another process of the store was
// faster: it is staged again, on what that has made of the entities.
func (s *sequencer) overtaken(err error) bool {
	return s.node.others != nil && errors.Is(err, storage.ErrConflict)
}

// maxOvertaken is how often a transaction is staged again.
const maxOvertaken = 100

// restart forgets what was staged: what comes next is staged on what is stored.
func (s *sequencer) restart() {
	clear(s.overlay)
	clear(s.flying)
	clear(s.events)
	s.cache.clear()
	s.next = s.node.published.Load() + 1
}

// resolve finds out whether the group that failed last is stored. If it is, it is
// published before anything is staged on top of it.
func (s *sequencer) resolve(ctx context.Context) error {
	if s.unsure == nil {
		return nil
	}
	feed, err := s.node.engine.Feed(ctx, s.node.self, s.node.published.Load(), 1)
	if err != nil {
		return err
	}
	g := s.unsure
	s.unsure = nil
	if !g.entered(feed) {
		return nil
	}
	g.stored = true
	select {
	case s.groups <- g: // commitAll has none
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.restart()
	return nil
}

// landed moves what a group stored from the overlay to the cache.
func (s *sequencer) landed(g *group) {
	for e, write := range g.writes {
		if s.flying[e]--; s.flying[e] > 0 {
			continue
		}
		delete(s.flying, e)
		delete(s.overlay, e)
		if g.looked == s.looks() {
			s.cache.put(e, write.Record)
		} else { // others may have gone on
			s.cache.drop(e)
		}
	}
	for _, tx := range g.txs {
		for _, e := range tx.events {
			delete(s.events, e.ID)
		}
	}
}

// record returns the newest reading of an entity, staged ones included.
func (s *sequencer) record(ctx context.Context, e id.EntityID) (*proto.Record, error) {
	if r, ok := s.overlay[e]; ok {
		return r, nil
	}
	s.forget()
	if r, ok := s.cache.get(e); ok {
		return r, nil
	}
	records, err := s.node.engine.Records(ctx, []id.EntityID{e})
	if err != nil {
		return nil, err
	}
	return records[0], nil
}

// stage validates a transaction and merges it in memory. It changes the group and the
// overlay only if the whole transaction is accepted.
func (s *sequencer) stage(ctx context.Context, g *group, sub *submission) (*stagedTx, error) {
	in := &ingest{sequencer: s, sub: sub, records: make(map[id.EntityID]*touched, len(sub.events))}
	if err := in.survive(ctx); err != nil {
		return nil, err
	}
	if len(in.fresh) == 0 && s.node.others != nil {
		if err := s.reread(ctx, in); err != nil {
			return nil, err
		}
	}
	tx := &stagedTx{sub: sub, events: in.fresh, rows: make([]proto.AckRow, 0, len(in.order)),
		before: make(map[id.EntityID]*proto.Record, len(in.order))}
	for _, e := range in.order {
		t := in.records[e]
		row := proto.AckRow{Entity: e, Rev: t.now.Rev, Known: len(t.events) == 0}
		if t.before != nil {
			row.Before = t.before.State.Head
		}
		tx.rows = append(tx.rows, row)
	}
	sub.fresh = len(in.fresh) > 0
	if !sub.fresh {
		return tx, nil
	}
	tx.entry = &proto.FeedEntry{Seq: s.next, Transaction: sub.tx}
	s.next++
	for _, e := range in.order {
		s.take(g, tx, e, in.records[e])
	}
	for _, event := range in.fresh {
		s.events[event.ID] = event
	}
	return tx, nil
}

// reread reads the entities of a transaction that is known anew. Those of a new one are held
// against storage when it is stored, while this one is acknowledged as they are: another process
// may have changed them, with these very events, since this one has remembered them.
func (s *sequencer) reread(ctx context.Context, in *ingest) error {
	for page := range slices.Chunk(in.order, storage.MaxPage) {
		records, err := s.node.engine.Records(ctx, page)
		if err != nil {
			return err
		}
		for i, e := range page {
			// What has been staged may have been stored since, and be behind what came then.
			staged, r := s.overlay[e], records[i]
			if r != nil && (staged == nil || r.Rev >= staged.Rev) {
				in.records[e] = &touched{before: r, now: r}
			}
		}
	}
	return nil
}

// take enters one entity of an accepted transaction into the group.
func (s *sequencer) take(g *group, tx *stagedTx, e id.EntityID, t *touched) {
	if len(t.events) == 0 {
		return // all of its events were known
	}
	change := proto.Change{Collection: t.now.Collection, Entity: e, Rev: t.now.Rev, After: t.now.State.Head, Events: t.events}
	tx.before[e] = t.before
	var before *proto.State
	if t.before != nil {
		before = t.before.State
		change.Before = before.Head
	}
	change.Undo = entity.Undo(before, t.now.State)
	tx.entry.Changes = append(tx.entry.Changes, change)
	tx.changes = append(tx.changes, reactor.Change{
		Collection: t.now.Collection, Entity: e, Rev: t.now.Rev,
		Before: visible(t.before), After: visible(t.now), Stored: t.now,
	})
	write, ok := g.writes[e]
	if !ok {
		write = &storage.RecordWrite{Expect: change.Before}
		g.writes[e] = write
		g.order = append(g.order, e)
		s.flying[e]++
	}
	write.Record = t.now
	s.overlay[e] = t.now
}

// commitAll writes groups and publishes them, and runs the loop's tasks, until ctx ends.
func (s *sequencer) commitAll(ctx context.Context) {
	for {
		select {
		case g := <-s.groups:
			select {
			case s.done <- groupResult{g, s.write(ctx, g)}:
			case <-ctx.Done():
				return
			}
		case task := <-s.node.loop.tasks:
			task()
		case <-s.node.loop.releases.wake:
			s.node.loop.releases.run()
		case <-ctx.Done():
			return
		}
	}
}

// write stores a group, publishes its transactions one by one, and tells who waits.
func (s *sequencer) write(ctx context.Context, g *group) error {
	n := s.node
	if g.stored {
		s.publish(ctx, g)
		return nil
	}
	s.storing.Store(g)
	// A group that was taken is finished even if the node is closing: it may be
	// acknowledged or not, but never half stored.
	err := s.grounded(context.WithoutCancel(ctx), g)
	if err == nil {
		n.open.changing(g.old())
		err = n.engine.Commit(context.WithoutCancel(ctx), g.batch(n.self))
	}
	if n.others == nil || err != nil { // else it goes on while it is published
		n.open.changed()
	}
	if errors.Is(err, storage.ErrUnavailable) {
		// The outcome is unknown; often it can be read back at once.
		feed, readErr := n.engine.Feed(context.WithoutCancel(ctx), n.self, n.published.Load(), 1)
		if readErr == nil && g.entered(feed) {
			err = nil
		}
	}
	if s.overtaken(err) {
		for _, tx := range g.txs {
			tx.sub.overtaken++
		}
		return err
	}
	if err != nil {
		for _, tx := range g.txs {
			tx.sub.done(nil, err)
		}
		n.opts.Listener.failed("commit", err)
		if errors.Is(err, storage.ErrFenced) {
			n.run.end(err)
		}
		return err
	}
	s.publish(ctx, g)
	s.storing.Store(nil)
	return nil
}

// shows implements durability.
func (s *sequencer) shows(rows []proto.Row) bool {
	g := s.storing.Load()
	return g != nil && slices.ContainsFunc(rows, func(r proto.Row) bool {
		write := g.writes[r.Entity]
		return write != nil && r.Rev >= write.Record.Rev
	})
}

// publish shows a stored group's transactions one by one, and tells who waits for them.
func (s *sequencer) publish(ctx context.Context, g *group) {
	n := s.node
	list := make([]*publication, len(g.txs))
	for i, tx := range g.txs {
		p := &publication{own: true, before: tx.before, tx: &reactor.Transaction{ID: tx.sub.tx, Changes: tx.changes, Loose: g.stored}}
		p.done = func() { s.published(g, tx) }
		if tx.entry != nil {
			p.ends = []feedEnd{{n.self, tx.entry.Seq}}
			p.entries = []*feedEntry{{tx.entry, n.self}}
		}
		for _, e := range tx.events {
			n.clock.Observe(e.ID.Stamp())
		}
		list[i] = p
	}
	if n.others != nil {
		n.others.publish(ctx, list)
	} else {
		n.publishEach(list)
	}
}

// published ends a transaction, after its publication: whoever reads that has been sent
// everything up to it.
func (s *sequencer) published(g *group, tx *stagedTx) {
	if tx.entry != nil {
		s.node.published.Store(tx.entry.Seq)
	}
	if !g.stored {
		tx.sub.done(tx.rows, nil)
	}
}

// old returns the records that the group replaces.
func (g *group) old() (list []preserved) {
	for _, tx := range g.txs {
		for _, c := range tx.changes {
			list = append(list, preserved{c.Entity, tx.before[c.Entity]})
		}
	}
	return list
}

func (g *group) batch(self id.NodeID) *storage.Batch {
	b := &storage.Batch{FeedID: self}
	for _, tx := range g.txs {
		b.Events = append(b.Events, tx.events...)
		if tx.hasMeta() {
			b.Meta = setMeta(b.Meta, tx.sub.meta)
		}
		if tx.entry != nil {
			b.Feed = append(b.Feed, tx.entry)
		}
	}
	for _, e := range g.order {
		b.Records = append(b.Records, *g.writes[e])
	}
	if len(b.Feed) > 0 && b.Feed[len(b.Feed)-1].Seq%feedHintEvery < uint64(len(b.Feed)) {
		b.Meta = append(b.Meta, storage.MetaEntry{Key: feedHintKey(self), Value: encodeUint(b.Feed[len(b.Feed)-1].Seq)})
	}
	b.Meta = slices.Clip(b.Meta)
	return b
}

// hasMeta reports whether the transaction's metadata is to be stored.
func (tx *stagedTx) hasMeta() bool {
	return len(tx.sub.meta) > 0 && (tx.entry != nil || !tx.sub.replicated)
}

// setMeta adds entries to a list, in place of those with the same keys.
func setMeta(list, entries []storage.MetaEntry) []storage.MetaEntry {
	for _, m := range entries {
		if i := slices.IndexFunc(list, func(x storage.MetaEntry) bool { return x.Key == m.Key }); i >= 0 {
			list[i] = m
		} else {
			list = append(list, m)
		}
	}
	return list
}

// feedHintEvery is how many feed entries there are from one hint of the feed's end to the
// next; opening reads at most about so many.
const feedHintEvery = 1024

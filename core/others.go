package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// others follows, for a durable node whose store several processes share, what the other
// processes commit. Each publication of the node's own transactions, and each wake-up,
// opens a view of the store, and publishes everything up to it in an order in which causes
// come before effects; what the loop reads meanwhile it reads from the view. So live
// queries see all transactions whole and in order, whoever committed them.
type others struct {
	node    *Node
	shared  storage.Shared
	foreign foreign
}

// joinOthers makes the node one of the processes of a shared store; nil where the engine's
// store is the node's alone.
func joinOthers(ctx context.Context, n *Node) (*others, error) {
	shared, ok := n.engine.(storage.Shared)
	if !ok {
		return nil, nil
	}
	var err error
	if n.self, err = shared.Join(ctx); err != nil {
		return nil, err
	}
	return &others{node: n, shared: shared}, nil
}

// open reads where the other processes' feeds stand.
func (o *others) open(ctx context.Context) error {
	view, err := o.shared.View(ctx)
	if err != nil {
		return err
	}
	defer view.Close()
	ends, err := view.Feeds(ctx)
	if err != nil {
		return err
	}
	delete(ends, o.node.self)
	if err := o.readTimelines(ctx, view, ends); err != nil {
		return err
	}
	for feed, end := range ends {
		o.node.feeds.advance([]feedEnd{{feed, end}})
	}
	return nil
}

// readTimelines reads under which epochs the given feeds have been written.
func (o *others) readTimelines(ctx context.Context, view storage.View, feeds map[id.NodeID]uint64) error {
	list := make([]id.NodeID, 0, len(feeds))
	keys := make([]string, 0, len(feeds))
	for feed := range feeds {
		list, keys = append(list, feed), append(keys, timelineKey(feed))
	}
	if len(list) == 0 {
		return nil
	}
	meta, err := view.Meta(ctx, keys...)
	if err != nil {
		return err
	}
	for i, feed := range list {
		t, err := decodeTimeline(meta[i])
		if err != nil {
			return err
		}
		o.node.feeds.know(feed, t)
	}
	return nil
}

// work looks at the other processes' feeds whenever it is woken, and from time to time
// without that, until ctx ends.
func (o *others) work(ctx context.Context) {
	backstop := time.NewTicker(o.node.limits.SharedPoll)
	defer backstop.Stop()
	for {
		select {
		case <-o.shared.Wake():
		case <-backstop.C:
		case <-ctx.Done():
			return
		}
		if err := o.node.abreast(ctx); err != nil && !errors.Is(err, storage.ErrUnavailable) {
			return
		}
	}
}

// abreast returns when the node has published everything that its store held when it was
// called. Where the store is the node's alone that is so but for what is being stored at the
// moment (durability.shows). Where it cannot be read for as long as a request may take, it
// fails with storage.ErrUnavailable and what was the matter.
func (n *Node) abreast(ctx context.Context) error {
	if n.others == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, n.limits.Request, errUnread)
	defer cancel()
	for {
		var failed error
		if err := n.loop.call(ctx, func() { failed = n.others.publish(ctx, nil) }); err != nil {
			return cause(ctx, err)
		}
		if failed == nil {
			return nil
		}
		select {
		case <-time.After(n.limits.SharedPoll):
		case <-ctx.Done():
			return cause(ctx, failed)
		}
	}
}

// errUnread: nobody knows what the other processes have committed.
var errUnread = fmt.Errorf("%w: what other processes of the store have committed could not be read", storage.ErrUnavailable)

// cause returns why something ended early: what ended the context, and the failure before.
func cause(ctx context.Context, failed error) error {
	if why := context.Cause(ctx); errors.Is(why, errUnread) {
		return fmt.Errorf("%w: %w", why, failed)
	} else if why != nil {
		return why
	}
	return failed
}

// orient is abreast, and learns under which epochs the other processes write, also those that
// have not written anything yet since they were opened.
func (n *Node) orient(ctx context.Context) error {
	if err := n.abreast(ctx); err != nil || n.others == nil {
		return err
	}
	view, err := n.others.shared.View(ctx)
	if err != nil {
		return err
	}
	defer view.Close()
	ends, err := view.Feeds(ctx)
	if err != nil {
		return err
	}
	delete(ends, n.self)
	return n.others.readTimelines(ctx, view, ends)
}

// lock keeps other processes of the store from doing what is done under the same name.
func (n *Node) lock(ctx context.Context, name string) (unlock func(), err error) {
	if n.others == nil {
		return func() {}, nil
	}
	return n.others.shared.Lock(ctx, name)
}

// Names of locks that processes of one store take.
const (
	lockCatalog = "catalog" // to register models and create the system
	lockStore   = "store"   // to name the store
)

// What follows runs on the loop.

// publish publishes what other processes have committed, together with transactions of the
// node's own that have just been stored. When the store cannot be read the latter are
// published alone; the others follow with the next look.
func (o *others) publish(ctx context.Context, own []*publication) error {
	n := o.node
	view, err := o.shared.View(ctx)
	if err != nil {
		o.alone(own, err)
		return err
	}
	defer view.Close()
	list, err := o.arrange(ctx, view, own)
	if err != nil {
		o.alone(own, err)
		return err
	}
	o.foreign.look(list)
	n.open.recalling(replaced(list))
	defer n.open.changed()
	n.view = view
	defer func() { n.view = nil; n.stepOn(nil) }()
	n.publishEach(list)
	o.schemaGrew(list)
	return nil
}

// alone publishes the node's own transactions, where the others' cannot be read.
func (o *others) alone(own []*publication, err error) {
	if o.node.run.ctx.Err() == nil {
		o.node.opts.Listener.failed("look at other processes", err)
	}
	o.node.open.changed()
	o.node.publishEach(own)
}

// publishEach publishes one transaction after the other, and advances the feeds.
func (n *Node) publishEach(list []*publication) {
	transactions := make([]*reactor.Transaction, len(list))
	for i, p := range list {
		transactions[i] = p.tx
	}
	next := func(i int) {
		if i < len(list) {
			list[i].tx.Position = n.feeds.with(list[i].ends)
			n.open.reached(len(list[i].before))
		}
	}
	next(0)
	n.publishAll(transactions, func(i int) {
		n.feeds.advance(list[i].ends)
		n.replication.published.light()
		next(i + 1)
		if list[i].done != nil {
			list[i].done()
		}
	})
}

// replaced returns the records that publications replace, one after the other.
func replaced(list []*publication) (old []preserved) {
	for _, p := range list {
		for e, before := range p.before {
			old = append(old, preserved{e, before})
		}
	}
	return old
}

// arrange returns what there is to publish up to a view, in order.
func (o *others) arrange(ctx context.Context, view storage.View, own []*publication) ([]*publication, error) {
	queues, err := o.unpublished(ctx, view)
	if err != nil || len(queues) == 0 {
		return own, err
	}
	latest, err := o.records(ctx, view, queues)
	if err != nil {
		return nil, err
	}
	var mine []*feedEntry
	owners := make(map[uint64]*publication, len(own))
	for _, p := range own {
		for _, e := range p.entries {
			mine = append(mine, e)
			owners[e.Seq] = p
		}
	}
	order := causally(append(queues, mine))
	list := make([]*publication, 0, len(order))
	for run := range runs(order, o.node.self) {
		if run[0].feed == o.node.self {
			list = append(list, owners[run[0].Seq])
			continue
		}
		for _, entries := range apart(run) {
			list = append(list, of(entries))
		}
	}
	for _, p := range own {
		if len(p.entries) == 0 { // it has changed nothing
			list = append(list, p)
		}
	}
	recall(list, latest)
	return list, nil
}

// unpublished reads what the other processes' feeds hold, as of a view, that has not been
// published.
func (o *others) unpublished(ctx context.Context, view storage.View) (queues [][]*feedEntry, err error) {
	n := o.node
	ends, err := view.Feeds(ctx)
	if err != nil {
		return nil, err
	}
	delete(ends, n.self)
	for feed, end := range ends {
		if end <= n.feeds.end(feed) {
			delete(ends, feed)
		}
	}
	if err := o.readTimelines(ctx, view, ends); err != nil {
		return nil, err
	}
	for feed := range ends {
		var queue []*feedEntry
		for after := n.feeds.end(feed); ; {
			page, err := view.Feed(ctx, feed, after, storage.MaxPage)
			if err != nil {
				return nil, err
			}
			for _, e := range page {
				queue = append(queue, &feedEntry{e, feed})
				after = e.Seq
			}
			if after >= ends[feed] || len(page) == 0 {
				break
			}
		}
		queues = append(queues, queue)
	}
	return queues, nil
}

// records reads, as of a view, the entities that entries name.
func (o *others) records(ctx context.Context, view storage.View, queues [][]*feedEntry) (map[id.EntityID]*proto.Record, error) {
	latest := make(map[id.EntityID]*proto.Record)
	var entities []id.EntityID
	for _, queue := range queues {
		for _, e := range queue {
			for i := range e.Changes {
				entity := e.Changes[i].Entity
				if _, known := latest[entity]; !known {
					latest[entity] = nil
					entities = append(entities, entity)
				}
			}
		}
	}
	for page := range slices.Chunk(entities, storage.MaxPage) {
		found, err := view.Records(ctx, page)
		if err != nil {
			return nil, err
		}
		for i, e := range page {
			latest[e] = found[i]
		}
	}
	return latest, nil
}

// schemaGrew reads the catalog anew where another process has changed it.
func (o *others) schemaGrew(list []*publication) {
	for _, p := range list {
		if p.own {
			continue
		}
		for i := range p.tx.Changes {
			if c := p.tx.Changes[i].Collection; c == collectionModel || c == collectionProperty {
				o.node.run.start(o.node.durable.recatalog)
				return
			}
		}
	}
}

package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/internal/entropy"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Options configures a node. Engine is required; the zero value of everything else has a
// meaning.
type Options struct {
	// Engine keeps the node's data. The node owns it from Open on and closes it.
	Engine storage.Engine
	// Policy decides who may do what. Default policy.Permissive.
	Policy policy.Agent
	// Durable makes the node one that loses nothing and holds full history.
	Durable bool
	// Clock is the wall clock that events are stamped by. Default time.Now. Deadlines do not
	// go by it.
	Clock func() time.Time
	// Random is where ids and nonces come from. Default the system's.
	Random io.Reader
	// Listener hears of what is not an answer to a call.
	Listener Listener
	// Limits bounds the node's queues, caches and deadlines.
	Limits Limits
	// MaxClockDrift is how far ahead of a durable node an event may be. Default 5 min.
	MaxClockDrift time.Duration
}

// Listener hears of what happens apart from any call; a nil function is not called. The
// functions are called from many goroutines and return soon.
type Listener struct {
	// Connected and Disconnected tell of peers, on either side.
	Connected    func(peer id.NodeID, remote string)
	Disconnected func(peer id.NodeID, remote string, err error)
	// Refused tells of a transaction that this durable node refused.
	Refused func(peer id.NodeID, tx id.TransactionID, err error)
	// Failed tells of an error that no caller will see: storage in the background, a
	// callback that panicked, a peer that broke the protocol.
	Failed func(op string, err error)
}

func (l *Listener) failed(op string, err error) {
	if l.Failed != nil && err != nil {
		l.Failed(op, err)
	}
}

// Node is a participant of a system.
type Node struct {
	opts    Options
	engine  storage.Engine
	policy  policy.Agent
	limits  Limits
	self    id.NodeID
	clock   id.HLC
	run     *runner
	reactor reactor.Reactor
	catalog catalog
	indexes declarations
	system  membership
	open    snapshots // of open transactions
	overlay overlay   // shown and not stored yet
	shown   *moment   // what the loop has published; belongs to the loop
	world   *world    // around what it is publishing, where references are followed
	status  statusBoard

	aggregates tabulations
	loop       loop
	durable    durability                                         // of a durable node
	turn       func(ctx context.Context, read func() error) error // likewise: see inTurn
	keep       func(ctx context.Context, bytes int) error         // likewise: counts what an answer is made of
	replica    *replica                                           // of an ephemeral node
	presence   attending                                          // who is in which room
	results    results                                            // of live queries

	published   atomic.Uint64 // durable: seq of the own feed's last published transaction
	feeds       feeds         // durable
	others      *others       // durable, of a store that other processes share; else nil
	view        storage.View  // of that store, while the loop publishes; belongs to the loop
	replication replication   // durable
	closeOnce   sync.Once
	closeErr    error
}

// Keys of the engine's metadata.
const (
	metaNode       = "node"       // this node's id
	metaSystem     = "system"     // the system's root
	metaFeed       = "feed/"      // durable, and the feed's id: hint of its end
	metaStore      = "store"      // durable: the store's id
	metaTimeline   = "timeline/"  // durable, and the feed's id: the feed's epochs
	metaModels     = "models"     // ephemeral: models, as in a Catalog frame
	metaOffset     = "offset"     // ephemeral: clock offset in microseconds
	metaSource     = "source"     // ephemeral: the store that BaseRevs and positions are of
	metaPosition   = "position"   // ephemeral: how far in step with it
	metaOrigin     = "origin"     // ephemeral: how often it met another store
	metaAhead      = "ahead"      // ephemeral: there is something of after the position
	metaCursors    = "cursors"    // ephemeral: positions of selections
	metaRejections = "rejections" // ephemeral: refused transactions
	metaUser       = "user"       // ephemeral: the principal's name
	metaAway       = "away"       // ephemeral: what users have left who are not here
	metaView       = "view"       // ephemeral: what the principal may see (proto.Welcome)
)

// durability is what a durable node does beyond an ephemeral one. Only Open gives a node
// one, so that a program which opens by OpenEphemeral alone, as the browser's does, does
// not link it.
type durability interface {
	// commit submits a transaction and waits for its outcome.
	commit(ctx context.Context, sub *submission) error
	// submit queues a transaction; it blocks while the queue is full.
	submit(ctx context.Context, sub *submission) error
	// register enters models into the catalog, and tells peers.
	register(ctx context.Context, models []*schema.Model) error
	// inTurns returns a context under which what is read for many takes turns with the rest.
	inTurns(ctx context.Context) context.Context
	// recatalog takes in what others have written to the catalog, and tells peers.
	recatalog(ctx context.Context)
	// keeping returns what counts what something takes in memory that is kept for peers.
	keeping() keeping
	// closePeers ends the connections of the peers that are served.
	closePeers(reason string)
	// start starts the goroutines, the loop among them.
	start()
	// admit decides about a peer that says it is durable.
	admit(p policy.Principal, m *proto.Hello) error
	// park keeps a peer's transaction whose parents other durable nodes may have, and says
	// so; else it may find another error for it.
	park(session context.Context, sub *submission, err *error) bool
	// handOver leaves the members of rooms that are here to other durable nodes, until ctx ends.
	handOver(ctx context.Context)
	// link makes a link keep up an exchange.
	link(l *Link)
	// shows reports whether rows that were read from storage show a transaction of this
	// process that is stored and has not been published.
	shows(rows []proto.Row) bool
}

// Open starts a node over what the engine holds, and makes a new identity if it holds
// nothing. It reads; it does not wait for any peer.
func Open(ctx context.Context, opts Options) (*Node, error) { return open(ctx, opts, openDurable) }

// OpenEphemeral is Open for nodes that are not durable. A program that opens none by Open
// is smaller by the durable node's part.
func OpenEphemeral(ctx context.Context, opts Options) (*Node, error) {
	opts.Durable = false
	return open(ctx, opts, nil)
}

func open(ctx context.Context, opts Options, durable func(context.Context, *Node) (durability, error)) (_ *Node, err error) {
	defer wrap(&err, "open")
	if opts.Engine == nil {
		return nil, errors.New("no storage engine given")
	}
	if opts.Policy == nil {
		opts.Policy = policy.Permissive()
	}
	if opts.MaxClockDrift <= 0 {
		opts.MaxClockDrift = 5 * time.Minute
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	opts.Limits.ensureDefaults()
	n := &Node{opts: opts, engine: opts.Engine, policy: opts.Policy, limits: opts.Limits}
	n.clock.Wall = opts.Clock
	n.run = newRunner(context.Background())
	n.loop.init(n.run, opts.Limits.CommitQueue)
	n.stepOn(nil)
	n.system.init()
	n.results.init(n)
	n.indexes.init(n.engine, &n.opts.Listener)
	n.catalog.known = n.indexes.tell
	n.status.init(opts.Durable, &n.opts.Listener)
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	if opts.Durable {
		if n.durable, err = durable(ctx, n); err != nil {
			return nil, err
		}
		n.durable.start()
		n.run.start(n.indexes.work)
		return n, nil
	}
	if n.replica, err = openReplica(ctx, n); err != nil {
		return nil, err
	}
	n.presence = n.replica.attendant
	n.run.start(n.replica.work)
	n.run.start(n.indexes.work)
	return n, nil
}

// load reads identity and system.
func (n *Node) load(ctx context.Context) error {
	meta, err := n.engine.Meta(ctx, metaNode, metaSystem, MetaRestoring)
	if err != nil {
		return err
	}
	if meta[2] != nil {
		return ErrRestoring
	}
	if meta[0] == nil {
		n.self = id.NodeID{ULID: id.New(n.opts.Random)}
		batch := &storage.Batch{Meta: []storage.MetaEntry{{Key: metaNode, Value: n.self.Bytes()}}}
		if err := n.engine.Commit(ctx, batch); err != nil {
			return err
		}
	} else if n.self.ULID, err = id.FromBytes(meta[0]); err != nil {
		return fmt.Errorf("%w: node id: %w", storage.ErrCorrupt, err)
	}
	if meta[1] != nil {
		root, err := id.FromBytes(meta[1])
		if err != nil {
			return fmt.Errorf("%w: system id: %w", storage.ErrCorrupt, err)
		}
		n.system.join(id.EntityID{ULID: root})
		n.status.update(func(s *Status) { s.Ready = true })
	}
	return nil
}

// ID returns the node's identity, which it keeps as long as its data.
func (n *Node) ID() id.NodeID { return n.self }

// Durable reports whether the node attests that it loses nothing.
func (n *Node) Durable() bool { return n.opts.Durable }

// System returns the root of the system that the node belongs to, if any.
func (n *Node) System() (root id.EntityID, ok bool) { return n.system.get() }

// WaitReady blocks until the node belongs to a system, the node is closed or ctx ends.
func (n *Node) WaitReady(ctx context.Context) (err error) {
	defer wrap(&err, "wait until ready")
	if _, ok := n.system.get(); ok {
		return nil
	}
	select {
	case <-n.system.ready:
		return nil
	case <-n.run.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Model returns the model of a collection, if it is known here.
func (n *Node) Model(collection string) (*schema.Model, bool) { return n.catalog.get(collection) }

// Now returns the node's corrected clock.
func (n *Node) Now() time.Time { return n.clock.Now() }

// Watches returns how many predicates are being watched, for leak tests and metrics.
func (n *Node) Watches() int { return n.reactor.Count() }

// Published returns, on a durable node, the number in its own feed of the last transaction
// that its live queries show.
func (n *Node) Published() uint64 { return n.published.Load() }

// Context returns the node as seen by one principal.
func (n *Node) Context(p policy.Principal) *Context { return &Context{node: n, principal: p} }

// Done returns a channel that is closed when the node has ended: it was closed, or it lost its
// feed of a shared store (storage.ErrFenced), after which it must be closed and opened anew.
func (n *Node) Done() <-chan struct{} { return n.run.ctx.Done() }

// Err returns why the node has ended; nil while it has not, and ErrClosed after Close.
func (n *Node) Err() error {
	if n.run.ctx.Err() == nil {
		return nil
	}
	return context.Cause(n.run.ctx)
}

// Close ends connections, waits for what is being committed, and closes the engine.
// Commits that have not been acknowledged by then fail with KindClosed. It blocks until
// all of the node's goroutines have ended; closing twice is harmless.
func (n *Node) Close() (err error) {
	defer wrap(&err, "close")
	n.closeOnce.Do(func() {
		n.handOver()
		n.run.end(ErrClosed)
		if n.durable != nil {
			n.durable.closePeers("the node is closing")
		}
		n.run.stop(ErrClosed)
		if n.replica != nil {
			n.replica.attendant.close()
		}
		n.closeErr = n.engine.Close()
	})
	return n.closeErr
}

// random returns the source of ids and nonces.
func random(r io.Reader) io.Reader {
	if r == nil {
		return entropy.Reader
	}
	return r
}

// membership is which system the node belongs to.
type membership struct {
	ready chan struct{}
	mu    struct {
		sync.Mutex
		root id.EntityID
	}
}

func (m *membership) init() { m.ready = make(chan struct{}) }

func (m *membership) get() (id.EntityID, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.root, !m.mu.root.IsZero()
}

func (m *membership) join(root id.EntityID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.root.IsZero() {
		close(m.ready)
	}
	m.mu.root = root
}

// loop carries tasks to the node's loop goroutine, on which everything is published.
type loop struct {
	run      *runner
	tasks    chan func()
	releases errands // of what is not needed any more
}

func (l *loop) init(run *runner, size int) {
	l.run, l.tasks = run, make(chan func(), size)
	l.releases.init()
}

// post hands f to the loop; it blocks while the queue is full, and reports false when
// the node closes instead. It must not be called on the loop.
func (l *loop) post(f func()) bool {
	if l.run.ctx.Err() != nil {
		return false // rather than the chance of a select
	}
	select {
	case l.tasks <- f:
		return true
	case <-l.run.ctx.Done():
		return false
	}
}

// call runs f on the loop and waits for it.
func (l *loop) call(ctx context.Context, f func()) error {
	done := make(chan error, 1)
	if !l.post(func() { f(); done <- nil }) {
		return ErrClosed
	}
	return l.run.outcome(ctx, done)
}

// visible returns what selections see of a record: nothing if it is deleted.
func visible(r *proto.Record) *proto.Record {
	if r == nil || r.State.Deleted() {
		return nil
	}
	return r
}

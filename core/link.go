package core

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
)

// DialOptions says how a link presents itself.
type DialOptions struct {
	// Credentials are shown to the durable node's policy agent; at most 64 KB.
	Credentials []byte
}

// Link keeps an ephemeral node connected to a durable one: it dials, resumes, and dials
// again with growing, jittered pauses, until it is closed.
type Link struct {
	node   *Node
	dialer connectors.Dialer
	run    *runner
	wake   chan struct{}
	mu     struct {
		sync.Mutex
		credentials []byte
	}
}

// Dial opens a link. It returns at once; Status tells how it goes. A node has one link at
// a time: a further one waits until the first is closed.
func (n *Node) Dial(d connectors.Dialer, o DialOptions) *Link {
	l := &Link{node: n, dialer: d, run: newRunner(n.run.ctx), wake: make(chan struct{}, 1)}
	l.mu.credentials = o.Credentials
	if !n.opts.Durable {
		n.status.update(func(s *Status) {
			if s.Connection == Offline {
				s.Connection = Connecting
			}
		})
		n.run.start(func(context.Context) { l.keep(l.run.ctx) })
	}
	return l
}

// SetCredentials changes what later connections present.
func (l *Link) SetCredentials(credentials []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.credentials = credentials
}

// Retry ends a pause between attempts: the network may be back.
func (l *Link) Retry() { signal(l.wake) }

// Close disconnects and stops dialling. It does not wait.
func (l *Link) Close() { l.run.end(errStopped) }

// keep connects again and again.
func (l *Link) keep(ctx context.Context) {
	pauses := backoff{limits: &l.node.limits}
	for ctx.Err() == nil {
		began := time.Now()
		lived, err := l.connect(ctx)
		if lived && time.Since(began) >= l.node.limits.MaxBackoff {
			pauses.reset() // one that breaks at once is no better than none
		}
		if lived {
			l.forgetRetry()
		}
		if ctx.Err() != nil {
			err = nil // closed on purpose
		}
		l.down(err)
		timer := time.NewTimer(pauses.next())
		select {
		case <-timer.C:
		case <-l.wake:
		case <-ctx.Done():
			l.down(nil) // closed on purpose
		}
		timer.Stop()
	}
}

// forgetRetry drops a Retry that came while there was a connection.
func (l *Link) forgetRetry() {
	select {
	case <-l.wake:
	default:
	}
}

// down shows that there is no connection, unless another link has made one: the loop knows.
func (l *Link) down(err error) {
	l.node.loop.post(func() {
		if l.node.replica.peer != nil {
			return
		}
		l.node.status.update(func(s *Status) { s.Connection, s.LastError = Offline, err })
	})
}

// connect makes one connection and runs it to its end; lived reports whether it was
// served.
func (l *Link) connect(ctx context.Context) (lived bool, err error) {
	defer wrap(&err, "connect")
	dialCtx, cancel := context.WithTimeout(ctx, l.node.limits.Handshake)
	defer cancel()
	conn, err := l.dialer.Dial(dialCtx)
	if err != nil && dialCtx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrOffline, err)
	}
	if err != nil {
		return false, err
	}
	p := newPeer(ctx, l.node, conn)
	defer p.stop()
	welcome, err := l.handshake(dialCtx, p)
	if err != nil {
		return false, err
	}
	if err := l.adopt(ctx, p, welcome); err != nil {
		return false, err
	}
	if f := l.node.opts.Listener.Connected; f != nil {
		f(welcome.Node, conn.Remote())
	}
	err = p.serve()
	if f := l.node.opts.Listener.Disconnected; f != nil {
		f(welcome.Node, conn.Remote(), err)
	}
	return true, err
}

// handshake exchanges Hello and Welcome, and sets the clock.
func (l *Link) handshake(ctx context.Context, p *peer) (*proto.Welcome, error) {
	l.mu.Lock()
	hello := &proto.Hello{Node: l.node.self, Time: time.Now().UnixMicro(), Credentials: l.mu.credentials}
	l.mu.Unlock()
	hello.System, _ = l.node.system.get()
	sent := time.Now()
	p.out.must(hello)
	frame, err := p.conn.Receive(ctx)
	if err != nil {
		return nil, err
	}
	f, err := proto.DecodeFrame(frame)
	if err != nil {
		return nil, err
	}
	switch m := f.(type) {
	case *proto.Welcome:
		// The peer's clock showed m.Time about half a round trip ago.
		now := time.Now()
		theirs := unixMicro(m.Time).Add(now.Sub(sent) / 2)
		l.node.clock.Correct(theirs.Sub(now), clockSlack)
		return m, nil
	case *proto.Refuse:
		return nil, remoteError(m.Kind, m.Message)
	}
	return nil, fmt.Errorf("%w: %T in place of a welcome", proto.ErrFrameType, f)
}

// clockSlack is how far a node's stamps may stay ahead of its clock when that is corrected;
// less than any durable node refuses.
const clockSlack = time.Minute

// adopt makes the replica the served peer's, and sends what waits.
func (l *Link) adopt(ctx context.Context, p *peer, m *proto.Welcome) error {
	n, r := l.node, l.node.replica
	p.id = m.Node
	err := r.await(ctx, &step{stage: func(ctx context.Context, d *draft) error {
		if r.peer != nil {
			return fmt.Errorf("%w: another link is connected", ErrLimit)
		}
		if own, ok := n.system.get(); ok && own != m.System || !r.source.IsZero() && r.source != m.Node {
			if err := r.wipe(ctx, d); err != nil {
				return err
			}
		}
		d.meta(metaPeer, m.Node.Bytes())
		d.meta(metaSystem, m.System.Bytes())
		d.meta(metaOffset, encodeUint(uint64(n.clock.Offset().Microseconds())))
		d.meta(metaUser, []byte(m.User))
		return nil
	}})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.mu.user = m.User
	r.mu.Unlock()
	n.system.join(m.System)
	return n.loop.call(ctx, func() {
		r.source = m.Node
		n.status.update(func(s *Status) { s.Connection, s.Ready, s.LastError = Live, true, nil })
		r.connected(p)
	})
}

// connected, on the loop, begins to use a peer.
func (r *replica) connected(p *peer) {
	r.peer = p
	if models := r.node.catalog.all(); len(models) > 0 {
		r.tell(models)
	}
	for _, tx := range r.outbox.pending {
		tx.sent = false
	}
	r.pump()
	for _, up := range r.upstreams.byKey {
		r.subscribe(up)
	}
}

// disconnected, on the loop, ends that.
func (r *replica) disconnected(p *peer) {
	if r.peer != p {
		return
	}
	r.peer = nil
	r.upstreams.disconnected()
}

// register makes models known here and, when there is a connection, on the durable node.
func (r *replica) register(ctx context.Context, models []*schema.Model) error {
	n := r.node
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	grown := make(map[string]*schema.Model)
	for _, m := range models {
		old := grown[m.Collection]
		if old == nil {
			old, _ = n.catalog.get(m.Collection)
		}
		if old != nil {
			merged, more, err := schema.Merge(old, m)
			if err != nil {
				return err
			}
			if !more {
				continue
			}
			m = merged
		}
		grown[m.Collection] = m
	}
	if len(grown) == 0 {
		return nil
	}
	all := encodeModels(n.catalog.with(grown))
	return r.await(ctx, &step{
		stage: func(_ context.Context, d *draft) error { d.meta(metaModels, all); return nil },
		done: func(err error) {
			if err == nil {
				r.registered(grown)
			}
		},
	})
}

// registered, on the loop, makes models known that are stored.
func (r *replica) registered(models map[string]*schema.Model) {
	for _, m := range models {
		r.node.catalog.put(m)
	}
	if r.peer != nil {
		r.tell(values(models))
	}
}

// tell, on the loop, tells the durable node of models.
func (r *replica) tell(models []*schema.Model) {
	r.peer.register(models, func(err error) {
		if err != nil {
			r.node.status.update(func(s *Status) { s.LastError = err })
			r.node.opts.Listener.failed("register", err)
		}
	})
}

// peer is a connection to a durable node, from the side that dialled. subs, requests and
// everything that sends belong to the loop.
type peer struct {
	node *Node
	id   id.NodeID
	conn connectors.Conn
	out  *outlet
	run  *runner

	last     uint64 // the last number given out
	gaps     int    // requests for rows that an update did not fit
	asking   bool   // a ping asks for the feed's position
	lost     bool   // something it sent could not be stored: nothing after that is taken
	subs     map[uint64]*upstream
	requests map[uint64]*request
}

// request waits for a Reply or for complete Rows.
type request struct {
	collection string
	entities   map[id.EntityID]struct{} // asked for and not answered yet
	done       func(error)
	deadline   *time.Timer
}

// expect registers a request under a fresh number. A peer that does not answer in time
// is given up, which ends all that waits for it.
func (p *peer) expect(r *request) uint64 {
	number := p.number()
	r.deadline = time.AfterFunc(p.node.limits.Request, func() {
		p.close(fmt.Errorf("%w: a request was not answered", context.DeadlineExceeded))
	})
	p.requests[number] = r
	return number
}

// answered takes a request off the list and returns it.
func (p *peer) answered(number uint64) (*request, bool) {
	r, ok := p.requests[number]
	if ok {
		r.deadline.Stop()
		delete(p.requests, number)
	}
	return r, ok
}

func newPeer(ctx context.Context, n *Node, conn connectors.Conn) *peer {
	p := &peer{node: n, conn: conn, out: newOutlet(conn, &n.limits), run: newRunner(ctx),
		subs: make(map[uint64]*upstream), requests: make(map[uint64]*request)}
	p.run.start(func(ctx context.Context) {
		if err := p.out.write(ctx, func() {}); err != nil {
			p.run.end(err)
			p.conn.Close("cannot send")
		}
	})
	p.run.start(p.probe)
	return p
}

// lose ends the connection from the loop, and takes nothing more that it has brought.
func (p *peer) lose(cause error) {
	p.lost = true
	p.close(cause)
}

func (p *peer) close(cause error) {
	p.run.end(cause)
	p.conn.Close(KindOf(cause).String())
}

// stop ends the connection and tells the replica.
func (p *peer) stop() {
	p.conn.Close("done")
	p.run.stop(errStopped)
	done := make(chan struct{})
	if p.node.loop.post(func() { p.ended(); close(done) }) {
		select {
		case <-done:
		case <-p.node.run.ctx.Done():
		}
	}
}

// ended, on the loop, fails what waits for an answer.
func (p *peer) ended() {
	p.lost = true
	p.node.replica.disconnected(p)
	clear(p.subs) // answers that are still in the queue belong to nobody now
	for _, r := range p.requests {
		r.deadline.Stop()
		r.done(fmt.Errorf("%w: %w", ErrOffline, errGone))
	}
	clear(p.requests)
}

func (p *peer) number() uint64 {
	p.last++
	return p.last
}

// register tells the durable node of models.
func (p *peer) register(models []*schema.Model, done func(error)) {
	p.out.must(&proto.Register{Request: p.expect(&request{done: done}), Models: models})
}

// ask asks for rows by id; done is called, on the loop, when they are stored. Rows that
// the durable node does not have are forgotten.
func (p *peer) ask(collection string, entities []id.EntityID, done func(error)) {
	if len(entities) > askAtOnce {
		rest := entities[askAtOnce:]
		entities = entities[:askAtOnce]
		last := done
		done = func(err error) {
			if err != nil {
				last(err)
				return
			}
			p.ask(collection, rest, last)
		}
	}
	r := &request{collection: collection, entities: make(map[id.EntityID]struct{}, len(entities)), done: done}
	for _, e := range entities {
		r.entities[e] = struct{}{}
	}
	p.out.must(&proto.Get{Request: p.expect(r), Collection: collection, Entities: entities})
}

// askFor asks for rows that this node turned out not to be in step with. Until they are
// here, the position does not advance.
func (p *peer) askFor(missing map[string][]id.EntityID) {
	for collection, entities := range missing {
		p.gaps++
		p.ask(collection, entities, func(err error) {
			p.gaps--
			if err != nil {
				p.lose(fmt.Errorf("rows that were asked for: %w", err))
			}
		})
	}
}

// confirm asks for the feed's position, so that it is known and stored soon.
func (p *peer) confirm() {
	if !p.asking {
		p.asking = p.out.push(&proto.Ping{Time: time.Now().UnixMicro()})
	}
}

// askAtOnce bounds the ids of one Get.
const askAtOnce = 1000

// serve reads frames until the connection ends.
func (p *peer) serve() error {
	for {
		frame, err := p.receive()
		if err != nil {
			return err
		}
		f, err := proto.DecodeFrame(frame)
		if err != nil {
			return err
		}
		if m, ok := f.(*proto.Refuse); ok {
			return remoteError(m.Kind, m.Message)
		}
		if err := p.handle(f); err != nil {
			return err
		}
	}
}

// probe sends a ping at every interval: it shows the peer that this side is alive, and the
// answer shows it of the other.
func (p *peer) probe(ctx context.Context) {
	ticker := time.NewTicker(p.node.limits.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.out.push(&proto.Ping{Time: time.Now().UnixMicro()})
		case <-ctx.Done():
			return
		}
	}
}

// receive returns the next frame; a peer that is silent in spite of pings is given up.
func (p *peer) receive() ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(p.run.ctx, 2*p.node.limits.Ping,
		fmt.Errorf("%w: the peer is silent", context.DeadlineExceeded))
	defer cancel()
	frame, err := p.conn.Receive(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return frame, err
}

// handle turns a frame into a step of the replica. It blocks while the replica has enough
// to do, which is what keeps a fast durable node from flooding this one.
func (p *peer) handle(f proto.Frame) error {
	r := p.node.replica
	var refused []Settled
	s := &step{}
	switch m := f.(type) {
	case *proto.Update:
		var missing map[string][]id.EntityID
		s.stage = func(ctx context.Context, d *draft) (err error) {
			missing, err = d.update(ctx, m)
			return err
		}
		s.done = p.orFail(func() { p.askFor(missing) })
	case *proto.Rows:
		return p.handleRows(m)
	case *proto.Ack:
		var missing map[string][]id.EntityID
		s.stage = func(ctx context.Context, d *draft) (err error) {
			missing, err = d.ack(ctx, m)
			return err
		}
		s.done = p.orFail(func() {
			r.settled(Settled{Transaction: m.Transaction})
			p.askFor(missing)
		})
	case *proto.Nack:
		if temporary(kindFromWire(m.Kind)) {
			return remoteError(m.Kind, m.Message)
		}
		s.stage = func(ctx context.Context, d *draft) (err error) {
			refused, err = d.nack(ctx, m)
			return err
		}
		s.done = p.orFail(func() {
			for _, x := range refused {
				r.settled(x)
			}
		})
	case *proto.Pong:
		s.stage = func(_ context.Context, d *draft) error { d.advance(m.Seq); return nil }
		s.done = p.orFail(func() { p.asking = false })
	case *proto.Catalog:
		return p.handleCatalog(m)
	case *proto.Reply:
		return p.onLoop(func() { p.reply(m) })
	case *proto.Ping:
		return p.onLoop(func() { p.out.must(&proto.Pong{Time: m.Time}) })
	default:
		return fmt.Errorf("%w: %T is not for this side", proto.ErrFrameType, f)
	}
	return p.hand(s)
}

// hand gives a step to the replica, which passes it over when the connection has been
// given up by then.
func (p *peer) hand(s *step) error {
	stage := s.stage
	s.stage = func(ctx context.Context, d *draft) error {
		if p.lost {
			return errGone
		}
		return stage(ctx, d)
	}
	return p.node.replica.hand(p.run.ctx, s)
}

// temporary reports whether a refusal says nothing about the transaction: it stays in the
// outbox, and the connection is made anew after a pause.
func temporary(k Kind) bool {
	switch k {
	case KindStorage, KindQuota, KindClosed, KindNotReady, KindDeadline, KindInternal, KindOffline:
		return true
	}
	return false
}

func (p *peer) onLoop(f func()) error {
	if !p.node.loop.post(f) {
		return ErrClosed
	}
	return nil
}

// orFail returns a step's done that ends the connection when the step could not be
// stored: the resume brings what was lost.
func (p *peer) orFail(f func()) func(error) {
	return func(err error) {
		if err != nil {
			if !p.lost {
				p.node.opts.Listener.failed("receive", err)
			}
			p.lose(err)
			return
		}
		f()
	}
}

func (p *peer) handleRows(m *proto.Rows) error {
	r := p.node.replica
	var up *upstream
	s := &step{
		stage: func(ctx context.Context, d *draft) error {
			up = p.subs[m.Sub]
			if req, ok := p.requests[m.Sub]; ok {
				req.gone(m)
			}
			return d.rows(ctx, up, m)
		},
	}
	s.done = p.orFail(func() {
		if m.Done {
			if req, ok := p.answered(m.Sub); ok {
				req.done(nil)
			}
		}
		if up != nil && m.Done && p.subs[m.Sub] == up {
			r.answered(up)
		}
	})
	return p.hand(s)
}

// gone adds, at its end, to an answer what was asked for and is not in it.
func (r *request) gone(m *proto.Rows) {
	for i := range m.Rows {
		delete(r.entities, m.Rows[i].Entity)
	}
	for _, e := range m.Gone {
		delete(r.entities, e)
	}
	if !m.Done {
		return
	}
	for e := range r.entities {
		m.Gone = append(m.Gone, e)
	}
	if m.Collection == "" {
		m.Collection = r.collection
	}
}

func (p *peer) handleCatalog(m *proto.Catalog) error {
	n := p.node
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	for _, model := range m.Models {
		if old, ok := n.catalog.get(model.Collection); ok {
			merged, _, err := schema.Merge(old, model)
			if err != nil {
				n.status.update(func(s *Status) { s.LastError = err })
				n.opts.Listener.failed("catalog", err)
				continue
			}
			model = merged
		}
		n.catalog.put(model)
	}
	all := encodeModels(n.catalog.all())
	return p.hand(&step{
		stage: func(_ context.Context, d *draft) error { d.meta(metaModels, all); return nil },
		done:  p.orFail(func() {}),
	})
}

// reply ends a request or refuses a subscription.
func (p *peer) reply(m *proto.Reply) {
	var err error
	if m.Kind != uint64(KindNone) {
		err = remoteError(m.Kind, m.Message)
	}
	if r, ok := p.answered(m.Request); ok {
		r.done(err)
		return
	}
	if up, ok := p.subs[m.Request]; ok && err != nil {
		p.node.replica.refused(up, err)
	}
}

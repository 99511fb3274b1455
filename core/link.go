package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// DialOptions says how a link presents itself.
type DialOptions struct {
	// Credentials are shown to the durable node's policy agent; at most 64 KB.
	Credentials []byte
	// Renew, if it is not nil, is asked for the credentials before each connection, in place of
	// Credentials. A connection whose credentials expire is made anew at once. It may take as
	// long as connecting may (Limits.Handshake); its error counts as one of connecting.
	Renew func(ctx context.Context) ([]byte, error)
}

// Link keeps a node connected to a durable one: it dials, resumes, and dials again with
// growing, jittered pauses, until it is closed.
type Link struct {
	node   *Node
	dialer connectors.Dialer
	run    *runner
	wake   chan struct{}
	once   func(ctx context.Context) (lived bool, err error) // makes one connection and runs it to its end
	ended  func(err error)                                   // shows that there is none
	renew  func(ctx context.Context) ([]byte, error)         // may be nil
	mu     struct {
		sync.Mutex
		credentials []byte
	}
}

// Dial opens a link. It returns at once; Status tells how it goes. An ephemeral node has one
// link at a time: a further one waits until the first is closed. A durable node has as many
// as it likes, each to a durable node with a store of its own that it replicates with:
// Replications tells how these go.
func (n *Node) Dial(d connectors.Dialer, o DialOptions) *Link {
	l := &Link{node: n, dialer: d, run: newRunner(n.run.ctx), wake: make(chan struct{}, 1), renew: o.Renew}
	l.mu.credentials = o.Credentials
	if n.opts.Durable {
		n.durable.link(l)
	} else {
		l.once, l.ended = l.connect, l.down
		n.status.update(func(s *Status) {
			if s.Connection == Offline {
				s.Connection = Connecting
			}
		})
	}
	n.run.start(func(context.Context) { l.keep(l.run.ctx) })
	return l
}

// SetCredentials changes what later connections present, where there is no Renew.
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
		lived, err := l.once(ctx)
		if lived && (time.Since(began) >= l.node.limits.MaxBackoff || errors.Is(err, errFarewell) || KindOf(err) == KindExpired) {
			pauses.reset() // else, one that breaks at once is no better than none
		}
		if lived {
			l.forgetRetry()
		}
		if ctx.Err() != nil {
			err = nil // closed on purpose
		}
		l.ended(err)
		timer := time.NewTimer(pauses.next())
		select {
		case <-timer.C:
		case <-l.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	l.ended(nil) // closed on purpose, perhaps before the first attempt
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
	conn, err := l.dial(dialCtx)
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
	credentials, err := l.credentials(ctx)
	if err != nil {
		return nil, err
	}
	hello := &proto.Hello{Node: l.node.self, Time: l.node.opts.Clock().UnixMicro(), Credentials: credentials}
	hello.System, _ = l.node.system.get()
	if err := l.node.loop.call(ctx, func() {
		r := l.node.replica
		hello.Store, hello.Position = r.source, r.position
	}); err != nil {
		return nil, err
	}
	sent := l.node.opts.Clock()
	p.out.must(hello)
	m, err := welcomed(ctx, p.conn)
	if err != nil {
		return nil, err
	}
	// The peer's clock showed m.Time about half a round trip ago.
	now := l.node.opts.Clock()
	theirs := unixMicro(m.Time).Add(now.Sub(sent) / 2)
	l.node.clock.Correct(theirs.Sub(now), clockSlack)
	return m, nil
}

// credentials returns what the next connection presents.
func (l *Link) credentials(ctx context.Context) ([]byte, error) {
	if l.renew != nil {
		credentials, err := l.renew(ctx)
		if err != nil {
			err = fmt.Errorf("credentials: %w", err)
		}
		return credentials, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.credentials, nil
}

// dial makes a connection; without one the node is offline.
func (l *Link) dial(ctx context.Context) (connectors.Conn, error) {
	conn, err := l.dialer.Dial(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return conn, err
}

// welcomed returns what a durable node answers to a Hello, or why it does not serve this node.
func welcomed(ctx context.Context, conn connectors.Conn) (*proto.Welcome, error) {
	frame, err := conn.Receive(ctx)
	if err != nil {
		return nil, err
	}
	f, err := proto.DecodeFrame(frame)
	if err != nil {
		return nil, err
	}
	switch m := f.(type) {
	case *proto.Welcome:
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
		switch own, ok := n.system.get(); {
		case ok && own != m.System:
			if err := r.wipe(ctx, d); err != nil {
				return err
			}
		case !r.source.IsZero() && (r.source != m.Store || !m.Continues || r.ahead.now):
			d.move()
		}
		if before := r.user(); before != m.User && !r.source.IsZero() {
			if err := d.changeUser(ctx, before, m.User); err != nil {
				return err
			}
		}
		if r.view != m.View {
			d.upstreams.forget()
			d.savePosition()
			d.meta(metaView, encodeUint(m.View))
		}
		d.meta(metaSource, m.Store.Bytes())
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
	var unsure error
	err = n.loop.call(ctx, func() {
		if r.unsure != nil { // a step after this one: what waits may be what the app was told is refused
			unsure = fmt.Errorf("%w: it failed, and has not been read since", storage.ErrUnavailable)
			return
		}
		r.source, r.alone, r.view = m.Store, m.Alone, m.View
		n.status.update(func(s *Status) { s.Connection, s.Ready, s.LastError = Live, true, nil })
		r.connected(p)
	})
	return cmp.Or(err, unsure)
}

// connected, on the loop, begins to use a peer.
func (r *replica) connected(p *peer) {
	r.peer = p
	if models := r.node.catalog.all(); len(models) > 0 {
		r.tell(models)
	}
	for _, tx := range r.outbox.pending {
		tx.sent, tx.remaking = false, false
	}
	r.pump()
	for _, up := range r.upstreams.byKey {
		if r.subscribe(up); up.err != nil {
			up.tell()
		}
	}
	r.attendant.connected(p)
	// After the transactions: the answers then say which of them they include.
	r.node.aggregates.each((*distant).ask)
}

// disconnected, on the loop, ends that.
func (r *replica) disconnected(p *peer) {
	if r.peer != p {
		return
	}
	r.peer, r.matched = nil, nil
	r.upstreams.disconnected()
	r.attendant.disconnected()
	r.node.aggregates.each((*distant).disconnected)
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

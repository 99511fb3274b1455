package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// link makes a link keep up an exchange with the durable node that it dials.
func (s *sequencer) link(l *Link) {
	shown := &standing{r: Replication{Remote: l.dialer.String(), Dialled: true}}
	s.node.replication.add(shown)
	l.once = func(ctx context.Context) (bool, error) { return s.connect(ctx, l, shown) }
	l.ended = func(err error) {
		shown.update(func(r *Replication) { r.LastError = err })
		if l.run.ctx.Err() != nil {
			s.node.replication.remove(shown)
		}
	}
}

// connect makes one connection and runs it to its end; lived reports whether there was an
// exchange.
func (s *sequencer) connect(ctx context.Context, l *Link, shown *standing) (lived bool, err error) {
	defer wrap(&err, "replicate")
	dialCtx, cancel := context.WithTimeout(ctx, s.node.limits.Handshake)
	defer cancel()
	conn, err := l.dial(dialCtx)
	if err != nil {
		return false, err
	}
	run := newRunner(ctx)
	defer func() {
		conn.Close("done")
		run.stop(errStopped)
	}()
	out := newOutlet(conn, &s.node.limits, nil)
	run.start(func(ctx context.Context) {
		if err := out.write(ctx, func() {}); !errors.Is(err, errFinished) {
			run.end(err)
			conn.Close("cannot send")
		}
	})
	welcome, err := s.greet(dialCtx, l, conn, out)
	if err != nil {
		return false, err
	}
	x := newExchange(s, conn, out, run, welcome.Node, welcome.Store, shown)
	if f := s.node.opts.Listener.Connected; f != nil {
		f(welcome.Node, conn.Remote())
	}
	err = x.serve()
	if f := s.node.opts.Listener.Disconnected; f != nil {
		f(welcome.Node, conn.Remote(), err)
	}
	return true, err
}

// greet exchanges Hello and Welcome, and joins the other's system if this node has none.
func (s *sequencer) greet(ctx context.Context, l *Link, conn connectors.Conn, out *outlet) (*proto.Welcome, error) {
	n := s.node
	credentials, err := l.credentials(ctx)
	if err != nil {
		return nil, err
	}
	hello := &proto.Hello{Node: n.self, Durable: true, Time: n.opts.Clock().UnixMicro(), Credentials: credentials, Store: n.feeds.store}
	hello.System, _ = n.system.get()
	out.must(hello)
	m, err := welcomed(ctx, conn)
	if err != nil {
		return nil, err
	}
	if m.Store == n.feeds.store || m.Node == n.self {
		return nil, errSameStore
	}
	return m, s.join(ctx, m.System)
}

// join makes this node one of a system, unless it is of one already: then that must be it.
func (s *sequencer) join(ctx context.Context, root id.EntityID) error {
	n := s.node
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	unlock, err := n.lock(ctx, lockCatalog)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := n.hasSystem(ctx); err != nil {
		return err
	}
	switch own, ok := n.system.get(); {
	case ok && own != root:
		return fmt.Errorf("%w: it is of %s, this node of %s", ErrSystem, root, own)
	case ok:
		return nil
	case root.IsZero():
		return ErrNotReady
	}
	sub := &submission{system: true, meta: []storage.MetaEntry{{Key: metaSystem, Value: root.Bytes()}}}
	if err := s.commit(context.WithoutCancel(ctx), sub); err != nil {
		n.catalog.unsure = true
		return err
	}
	n.found(root)
	return nil
}

// exchange runs the exchange with a peer that has dialled this node.
func (s *sequencer) exchange(x *session) error {
	shown := &standing{}
	s.node.replication.add(shown)
	defer s.node.replication.remove(shown)
	return newExchange(s, x.conn, x.out, x.run, x.peer, x.durable.Store, shown).serve()
}

package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/internal/quota"
	"github.com/ankurah-go/ankurah/proto"
)

// session is a connection from the side that serves it, a durable node.
type session struct {
	node      *Node
	conn      connectors.Conn
	out       *outlet
	run       *runner
	peer      id.NodeID
	durable   *proto.Hello // of a durable peer, which is not served but exchanged with
	principal policy.Principal
	commits   chan struct{} // a slot for each transaction under way
	scans     chan struct{} // a slot for each answer being read
	payer     string        // who shares what with its other connections
	rates     []*bucket     // of the connection and of its payer

	subsMu     sync.Mutex
	subs       map[uint64]*subscription
	entering   map[uint64]*proto.Subscribe // those that are not among subs yet
	cost       int                         // of the selections of subs and aggregates
	aggregates map[uint64]*aggregateSub
	own        ownCommits

	reading     context.Context // ends when nothing more is to be taken from the peer
	stopReading context.CancelCauseFunc
	gone        chan struct{} // closed when the session has ended

	catalogBehind atomic.Bool // models were not sent; all of them follow then
	feed          sessionFeed // belongs to the loop

	rooms   attendances
	telling telling
}

// sessionScans is how many answers of one session are read at once.
const sessionScans = 4

// sessionSet is the sessions of a node.
type sessionSet struct {
	rates rates
	bytes *quota.Quota[string]   // of events that have not been decided, by payer
	turns *quota.Quota[*session] // of reading pages of answers
	queue atomic.Int64           // bytes that wait to be sent
	held  holdings
	mu    sync.Mutex
	open  map[*session]struct{}

	draining bool // no further ones
}

// add refuses a session where the node drains.
func (s *sessionSet) add(x *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return errFarewell
	}
	if s.open == nil {
		s.open = make(map[*session]struct{})
	}
	s.open[x] = struct{}{}
	return nil
}

func (s *sessionSet) remove(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, x)
}

func (s *sessionSet) list() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.open))
	for x := range s.open {
		list = append(list, x)
	}
	return list
}

// broadcast sends models to all peers. One whose queue is full gets all models later.
func (s *sessionSet) broadcast(models []*schema.Model) {
	for _, x := range s.list() {
		if x.durable == nil && !x.out.push(&proto.Catalog{Models: models}) {
			x.catalogBehind.Store(true)
			x.sent() // perhaps it has drained meanwhile
		}
	}
}

func (s *sessionSet) closeAll(reason string) {
	for _, x := range s.list() {
		x.conn.Close(reason)
	}
}

// Held returns how many bytes this durable node keeps in memory for the live results of its
// peers, about (Limits.HeldTotal).
func (n *Node) Held() int64 { return n.peers().held.used() }

// Peers returns how many connections this durable node serves.
func (n *Node) Peers() int { return len(n.peers().list()) }

// Serve runs a connection that somebody opened to this node, until it ends, and closes
// it. Its error says why it ended: nil when the peer closed it in good order. A panic
// while serving ends this connection only.
func (n *Node) Serve(ctx context.Context, conn connectors.Conn) (err error) {
	defer wrap(&err, "serve")
	release, ok := n.run.hold()
	if !ok {
		conn.Close("the node is closed")
		return ErrClosed
	}
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.run.ctx, func() { cancel(ErrClosed) })()
	s := &session{node: n, conn: conn, out: newOutlet(conn, &n.limits, &n.peers().queue), run: newRunner(ctx),
		commits: make(chan struct{}, n.limits.Unacknowledged), scans: make(chan struct{}, sessionScans),
		subs: make(map[uint64]*subscription), rooms: make(attendances), gone: make(chan struct{})}
	s.reading, s.stopReading = context.WithCancelCause(s.run.ctx)
	s.telling.init(s.out, &n.limits)
	defer s.end()
	defer func() {
		if cause := recover(); cause != nil {
			err = recovered("the connection", cause)
		}
	}()
	s.run.start(func(ctx context.Context) {
		if err := s.out.write(ctx, s.sent); !errors.Is(err, errFinished) {
			s.run.end(err)
			conn.Close("cannot send")
		}
	})
	if err := s.handshake(ctx); err != nil {
		s.refuse(err)
		return err
	}
	s.payer = payer(s.principal, conn.Remote(), s.peer)
	buckets, leave := n.peers().rates.join(s.payer, &n.limits)
	defer leave()
	s.rates = buckets
	if err := n.peers().add(s); err != nil {
		s.refuse(err)
		return err
	}
	defer s.expire()()
	// After that, so that no model is registered between the two and not sent.
	serve := func() error { return n.sequencer().exchange(s) }
	if s.durable == nil {
		s.out.must(&proto.Catalog{Models: n.catalog.all()})
		serve = s.serve
	}
	if f := n.opts.Listener.Connected; f != nil {
		f(s.peer, conn.Remote())
	}
	err = serve()
	if f := n.opts.Listener.Disconnected; f != nil {
		f(s.peer, conn.Remote(), err)
	}
	if errors.Is(err, connectors.ErrClosed) {
		return nil
	}
	return err
}

// end releases everything that the session holds.
func (s *session) end() {
	defer close(s.gone)
	s.stopReading(errStopped)
	s.node.peers().remove(s)
	s.conn.Close("done")
	s.run.stop(errStopped)
	s.leaveRooms()
	s.subsMu.Lock()
	subs, aggregates := values(s.subs), values(s.aggregates)
	clear(s.subs)
	s.subsMu.Unlock()
	for _, a := range aggregates {
		s.dropAggregate(a.number)
	}
	for _, sub := range subs {
		sub.stop()
	}
	if len(subs) > 0 { // so that nothing is left when Serve returns
		_ = s.node.loop.call(context.Background(), s.node.loop.releases.run)
	}
	s.telling.backlog.drop()
}

// refuse tells the peer, before the connection is closed, why it is not served.
func (s *session) refuse(err error) {
	sayGoodbye(s.out, s.conn, refusal(err))
}

// refusal says why a peer is not served.
func refusal(err error) *proto.Refuse {
	message := err.Error()
	if KindOf(err) == KindInternal {
		message = "internal error"
	}
	return &proto.Refuse{Kind: uint64(KindOf(err)), Message: message}
}

// sayGoodbye sends a last frame and closes the connection.
func sayGoodbye(out *outlet, conn connectors.Conn, m *proto.Refuse) {
	out.finish(m)
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-out.ended:
	case <-timer.C: // the peer does not read, and is going away either way
	}
	_ = conn.Close(m.Message)
}

// handshake answers the peer's Hello.
func (s *session) handshake(ctx context.Context) error {
	n := s.node
	ctx, cancel := context.WithTimeoutCause(ctx, n.limits.Handshake, fmt.Errorf("%w: no hello came", context.DeadlineExceeded))
	defer cancel()
	frame, err := s.conn.Receive(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	f, err := proto.DecodeFrame(frame)
	if err != nil {
		return err
	}
	hello, ok := f.(*proto.Hello)
	if !ok {
		return fmt.Errorf("%w: %T before a hello", proto.ErrFrameType, f)
	}
	root, ready := n.system.get()
	switch {
	case !n.opts.Durable:
		return fmt.Errorf("%w: this node does not serve others", ErrDurableOnly)
	case !ready:
		return ErrNotReady
	case hello.Node.IsZero() || hello.Node == n.self:
		return fmt.Errorf("%w: a peer needs an id of its own", proto.ErrStructure)
	}
	if s.principal, err = n.policy.Authenticate(ctx, hello.Credentials); err != nil {
		return err
	}
	if at := policy.Expires(n.policy, s.principal); !at.IsZero() && !at.After(n.opts.Clock()) {
		return ErrExpired
	}
	s.peer = hello.Node
	if hello.Durable {
		if err := n.durable.admit(s.principal, hello); err != nil {
			return err
		}
		s.durable = hello
	}
	continues := n.feeds.continues(hello.Store, hello.Position)
	if !continues {
		// It may have been in step with what another process has committed just now.
		if err := n.orient(ctx); err != nil {
			return err
		}
		continues = n.feeds.continues(hello.Store, hello.Position)
	}
	s.out.must(&proto.Welcome{Node: n.self, System: root, Time: n.clock.Now().UnixMicro(), User: s.principal.Name,
		Store: n.feeds.store, Continues: continues, Alone: n.replication.isAlone(), View: n.sight(s.principal)})
	return nil
}

// serve reads frames until the connection ends. While the peer does not take what is
// sent, nothing more is read of it, so that its requests cannot fill the queue. A peer that
// is silent, or takes nothing, for three times the ping interval is given up.
func (s *session) serve() error {
	for {
		frame, err := s.receive()
		if errors.Is(err, errFarewell) || errors.Is(err, ErrExpired) {
			s.farewell(err)
			return nil
		}
		if errors.Is(err, errSlow) {
			s.refuse(err)
		}
		if err != nil {
			return err
		}
		f, err := proto.DecodeFrame(frame)
		if err == nil {
			if err = s.throttle(s.reading, costOf(f)); err == nil {
				err = s.handle(f)
			}
		}
		if errors.Is(err, errFarewell) || errors.Is(err, ErrExpired) {
			s.farewell(err)
			return nil
		}
		if err != nil {
			s.refuse(err)
			return err
		}
	}
}

func (s *session) receive() ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(s.reading, 3*s.node.limits.Ping, fmt.Errorf("%w: the peer is silent", context.DeadlineExceeded))
	defer cancel()
	err := s.out.hasRoom(ctx)
	var frame []byte
	if err == nil {
		frame, err = s.conn.Receive(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return frame, err
}

// handle answers a frame. An error ends the connection: it is for what no honest peer
// sends; everything else is answered.
func (s *session) handle(f proto.Frame) error {
	switch m := f.(type) {
	case *proto.Commit:
		return s.commit(m)
	case *proto.Subscribe:
		return s.subscribe(m)
	case *proto.Aggregate:
		return s.aggregate(m)
	case *proto.Unsubscribe:
		s.unsubscribe(m.Sub)
		s.dropAggregate(m.Sub)
	case *proto.Attend:
		return s.attend(m)
	case *proto.Get:
		return s.scanning(func(ctx context.Context) { s.get(ctx, m) })
	case *proto.History:
		return s.scanning(func(ctx context.Context) { s.history(ctx, m) })
	case *proto.AsOf:
		return s.scanning(func(ctx context.Context) { s.asOf(ctx, m) })
	case *proto.Locate:
		decided := s.own.undecided() // the peer counts its own transactions in
		return s.scanning(func(ctx context.Context) {
			err := decided(ctx)
			if err == nil {
				err = s.locate(ctx, m)
			}
			if err != nil && ctx.Err() == nil {
				s.reply(m.Request, err)
			}
		})
	case *proto.Register:
		// Here and not beside: what follows may be about these models.
		s.reply(m.Request, s.node.register(s.run.ctx, m.Models))
	case *proto.Ping:
		return s.pong(m)
	case *proto.Pong:
	default:
		return fmt.Errorf("%w: %T is not for this side", proto.ErrFrameType, f)
	}
	return nil
}

// scanning runs f in a goroutine of the session's, a few at a time.
func (s *session) scanning(f func(ctx context.Context)) error {
	select {
	case s.scans <- struct{}{}:
	case <-s.run.ctx.Done():
		return context.Cause(s.run.ctx)
	}
	s.run.start(func(ctx context.Context) {
		defer func() {
			<-s.scans
			if cause := recover(); cause != nil {
				s.node.opts.Listener.failed("session", recovered("a request", cause))
				s.conn.Close("internal error")
			}
		}()
		kept := s.node.peers().held.begin(s.payer)
		defer kept.leave(s.payer)
		f(withTurns(ctx, s, kept))
	})
	return nil
}

func (s *session) reply(request uint64, err error) {
	m := &proto.Reply{Request: request}
	if err != nil {
		m.Kind, m.Message = uint64(KindOf(err)), publicMessage(err)
	}
	s.out.must(m)
}

// publicMessage is what a peer may read of an error: nothing of the insides.
func publicMessage(err error) string {
	switch KindOf(err) {
	case KindInternal, KindStorage:
		return "the durable node has a problem; see its log"
	}
	text := err.Error()
	if len(text) > 2000 {
		text = text[:2000] + "…"
	}
	return text
}

// commit hands a transaction to the sequencer, and answers when it has been decided. It
// blocks while too many of the peer's are under way, or too much of all peers'.
func (s *session) commit(m *proto.Commit) error {
	release, err := s.admit(m)
	if err != nil {
		return err
	}
	own := s.own.begin(m.Transaction)
	sub := &submission{tx: m.Transaction, events: m.Events, principal: s.principal, author: s.peer}
	sub.done = func(rows []proto.AckRow, err error) {
		if s.node.durable.park(s.reading, sub, &err) {
			return
		}
		defer release() // after the answer, so that a farewell comes behind it
		s.own.decide(m.Transaction, own, err == nil)
		if err == nil {
			ack := proto.AppendFrame(nil, &proto.Ack{Transaction: m.Transaction, Attempt: m.Attempt, Rows: rows})
			s.out.later(func() iter.Seq[[]byte] {
				s.own.answered(m.Transaction, own)
				return slices.Values(append([][]byte{ack}, s.hidden(m.Events)...))
			})
			return
		}
		nack := &proto.Nack{Transaction: m.Transaction, Attempt: m.Attempt, Kind: uint64(KindOf(err)), Message: publicMessage(err)}
		var known *Error
		if errors.As(err, &known) {
			nack.Entity = known.Entity
			nack.Message = publicMessage(fmt.Errorf("%w", known.Err))
			if k := KindOf(err); k == KindInternal || k == KindStorage {
				nack.Message = publicMessage(err)
			}
		}
		s.out.must(nack)
	}
	if err = s.node.durable.submit(s.run.ctx, sub); err != nil {
		release()
	}
	return err
}

// get answers with the rows that the peer may see; the others do not exist for it.
func (s *session) get(ctx context.Context, m *proto.Get) {
	if err := s.sendRows(ctx, m); err != nil && ctx.Err() == nil {
		s.reply(m.Request, err)
	}
}

func (s *session) sendRows(ctx context.Context, m *proto.Get) error {
	if err := s.node.checkCollection(m.Collection); err != nil {
		return err
	}
	if len(m.Entities) > askAtOnce {
		return fmt.Errorf("%w: %d rows asked for at once, more than %d", ErrLimit, len(m.Entities), askAtOnce)
	}
	defer s.telling.answering()()
	view := &Context{s.node, s.principal}
	records, err := s.node.engine.Records(ctx, m.Entities)
	if err != nil {
		return err
	}
	out := &rowWriter{session: s, ctx: ctx, number: m.Request, collection: m.Collection, complete: true}
	alone := s.node.replication.isAlone()
	for i, r := range records {
		switch {
		case r != nil && r.Collection == m.Collection && view.readable(r) == nil:
			err = out.row(r, nil)
		case r == nil && !alone:
			err = out.absent(m.Entities[i])
		default:
			out.lacking = append(out.lacking, m.Entities[i])
		}
		if err != nil {
			return err
		}
	}
	return out.done()
}

// pong answers a ping with the position, in order after the updates up to it.
func (s *session) pong(m *proto.Ping) error {
	if !s.node.loop.post(func() {
		s.out.must(&proto.Pong{Time: m.Time, Position: s.node.feeds.standing()})
	}) {
		return ErrClosed
	}
	return nil
}

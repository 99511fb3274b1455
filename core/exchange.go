package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/proto"
)

// exchange is a connection between two durable nodes, which is the same from both sides once
// they have greeted each other.
type exchange struct {
	node  *Node
	seq   *sequencer
	conn  connectors.Conn
	out   *outlet
	run   *runner
	peer  id.NodeID
	store id.StoreID // the peer's
	shown *standing

	// What the reader hands on. It never blocks: an honest peer waits for the answers, so
	// there is room, and one that does not is given up.
	follow  chan *proto.Follow
	entries chan *proto.Entries
	taken   chan struct{}
	lookups chan *proto.Lookup
	found   chan *proto.Found

	heard heardOf // what need not be sent back

	neighbour     *presence.Neighbour // the peer, in presence
	wakeNeighbour <-chan struct{}
}

// entriesAhead is how many Entries may be on their way without an answer.
const entriesAhead = 4

func newExchange(s *sequencer, conn connectors.Conn, out *outlet, run *runner, peer id.NodeID, store id.StoreID, shown *standing) *exchange {
	return &exchange{
		node: s.node, seq: s, conn: conn, out: out, run: run, peer: peer, store: store, shown: shown,
		follow: make(chan *proto.Follow, 1), entries: make(chan *proto.Entries, entriesAhead),
		taken: make(chan struct{}, entriesAhead), lookups: make(chan *proto.Lookup, 1), found: make(chan *proto.Found, 1),
	}
}

// serve exchanges transactions until the connection ends, and says why it did. The caller
// stops the runner, and closes the connection.
func (x *exchange) serve() error {
	if err := x.seq.begin(x.run.ctx); err != nil {
		return err
	}
	x.shown.update(func(r *Replication) {
		if r.Peer, r.Connected, r.LastError = x.peer, true, nil; r.Remote == "" {
			r.Remote = x.conn.Remote()
		}
	})
	defer x.shown.update(func(r *Replication) { r.Connected = false })
	x.node.hub().begin()
	x.neighbour, x.wakeNeighbour = x.node.hub().meet()
	defer x.neighbour.Part()
	x.start(x.spreadPresence)
	x.start(x.probe)
	x.start(x.dispatch)
	x.start(x.intake)
	x.start(x.answer)
	err := x.read()
	if x.run.ctx.Err() != nil {
		err = context.Cause(x.run.ctx)
	}
	return err
}

// start runs one part of the exchange; an error ends all of it.
func (x *exchange) start(f func(ctx context.Context) error) {
	x.run.start(func(ctx context.Context) {
		defer func() {
			if cause := recover(); cause != nil {
				x.fail(recovered("the exchange", cause))
			}
		}()
		if err := f(ctx); err != nil && ctx.Err() == nil {
			x.fail(err)
		}
	})
}

func (x *exchange) fail(err error) {
	x.run.end(err)
	x.conn.Close(publicMessage(err))
}

func (x *exchange) probe(ctx context.Context) error {
	ticker := time.NewTicker(x.node.limits.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			x.out.push(&proto.Ping{Time: time.Now().UnixMicro()})
		case <-ctx.Done():
			return nil
		}
	}
}

// read hands on what the peer sends, until the connection ends.
func (x *exchange) read() error {
	for {
		ctx, cancel := context.WithTimeoutCause(x.run.ctx, 3*x.node.limits.Ping, fmt.Errorf("%w: the peer is silent", context.DeadlineExceeded))
		frame, err := x.conn.Receive(ctx)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		cancel()
		if err != nil {
			return err
		}
		f, err := proto.DecodeFrame(frame)
		if err == nil {
			err = x.handle(f)
		}
		if err != nil {
			x.refuse(err)
			return err
		}
	}
}

func (x *exchange) handle(f proto.Frame) error {
	switch m := f.(type) {
	case *proto.Follow:
		return handOn(x.follow, m)
	case *proto.Entries:
		return handOn(x.entries, m)
	case *proto.Taken:
		return handOn(x.taken, struct{}{})
	case *proto.Lookup:
		return handOn(x.lookups, m)
	case *proto.Found:
		return handOn(x.found, m)
	case *proto.Spread:
		x.neighbour.Hear(time.Now(), m)
	case *proto.Ping:
		x.out.push(&proto.Pong{Time: m.Time})
	case *proto.Pong:
	case *proto.Refuse:
		return remoteError(m.Kind, m.Message)
	default:
		return fmt.Errorf("%w: %T is not for durable nodes", proto.ErrFrameType, f)
	}
	return nil
}

// errUnasked ends a connection on which a peer sends more than it was asked for.
var errUnasked = fmt.Errorf("%w: the peer does not wait for answers", proto.ErrFrameType)

func handOn[T any](to chan T, m T) error {
	select {
	case to <- m:
		return nil
	default:
		return errUnasked
	}
}

// refuse tells the peer what is wrong with it before the connection is closed.
func (x *exchange) refuse(err error) {
	if errors.Is(err, connectors.ErrClosed) {
		return
	}
	sayGoodbye(x.out, x.conn, &proto.Refuse{Kind: uint64(KindOf(err)), Message: publicMessage(err)})
}

// answer looks up events that the peer lacks.
func (x *exchange) answer(ctx context.Context) error {
	for {
		select {
		case m := <-x.lookups:
			found, err := x.lookup(ctx, m)
			if err != nil {
				return err
			}
			x.out.must(found)
		case <-ctx.Done():
			return nil
		}
	}
}

// lookup finds events, and then what they are on top of, down to what the peer knows.
func (x *exchange) lookup(ctx context.Context, m *proto.Lookup) (*proto.Found, error) {
	found := &proto.Found{Request: m.Request}
	seen := make(map[id.EventID]bool, len(m.Known)+len(m.Events))
	for _, e := range m.Known {
		seen[e] = true
	}
	size := 0
	for wanted := unseen(nil, m.Events, seen); len(wanted) > 0; {
		n := min(len(wanted), bodiesAhead)
		events, err := x.node.engine.Events(ctx, wanted[:n])
		if err != nil {
			return nil, err
		}
		wanted = wanted[n:]
		for _, e := range events {
			if e == nil {
				continue
			}
			if size += e.EncodedSize(); size > answerBytes && len(found.Events) > 0 {
				return found, nil
			}
			found.Events = append(found.Events, e)
			wanted = unseen(wanted, e.Parents, seen)
		}
	}
	return found, nil
}

// unseen appends the events that have not been seen, which they have been from then on.
func unseen(dst, events []id.EventID, seen map[id.EventID]bool) []id.EventID {
	for _, e := range events {
		if !seen[e] {
			seen[e] = true
			dst = append(dst, e)
		}
	}
	return dst
}

// heardOf is the transactions that a peer has sent last: it has them.
type heardOf struct {
	mu   sync.Mutex
	set  map[id.TransactionID]struct{}
	ring []id.TransactionID
	next int
}

// maxHeard bounds them; what is forgotten goes back to the peer, which takes it for known.
const maxHeard = 16_384

func (h *heardOf) add(tx id.TransactionID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == nil {
		h.set, h.ring = make(map[id.TransactionID]struct{}), make([]id.TransactionID, maxHeard)
	}
	delete(h.set, h.ring[h.next])
	h.ring[h.next], h.next = tx, (h.next+1)%maxHeard
	h.set[tx] = struct{}{}
}

func (h *heardOf) has(tx id.TransactionID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.set[tx]
	return ok
}

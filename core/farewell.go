package core

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ankurah-go/ankurah/core/policy"
)

// errFarewell is why a session ends that is asked to leave, and why a link comes back soon:
// the durable node goes away in good order, and another one may be there already.
var errFarewell = fmt.Errorf("%w: the durable node is going away, connect again", ErrClosed)

// How far the farewells of a drain are apart, so that not all peers come again at one moment,
// and how long all of them take at most.
const (
	farewellPause = 2 * time.Millisecond
	farewellMost  = 5 * time.Second
)

// Drain says goodbye to every peer that this durable node serves, so that they connect again,
// elsewhere or here when it is back: what a peer has sent is decided and answered first,
// nothing more is taken from it, and it loses nothing. New connections are refused, as not
// ready. Members of rooms are away from then on, for other durable nodes too. It returns when
// all are gone, or with the context's error how many are not. Close is still to be called.
func (n *Node) Drain(ctx context.Context) (err error) {
	defer wrap(&err, "drain")
	var clients, durable []*session
	for _, s := range n.peers().drain() {
		if s.durable != nil {
			durable = append(durable, s)
		} else {
			clients = append(clients, s)
		}
	}
	if err := n.dismiss(ctx, clients); err != nil {
		return err
	}
	n.handOver()
	return n.dismiss(ctx, durable) // which have heard of everything that the others have done
}

// handOver leaves the members of rooms that are here to other durable nodes, as far as these
// take it soon.
func (n *Node) handOver() {
	if n.durable == nil {
		return
	}
	ctx, cancel := context.WithTimeout(n.run.ctx, handOverTime)
	defer cancel()
	n.durable.handOver(ctx)
}

// handOverTime is how long a node that ends waits for others to take that.
const handOverTime = time.Second

// dismiss says goodbye to peers, in a random order, and waits until they are gone.
func (n *Node) dismiss(ctx context.Context, peers []*session) error {
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	pause := min(farewellPause, farewellMost/time.Duration(max(1, len(peers))))
	next := time.NewTicker(pause)
	defer next.Stop()
	for _, s := range peers {
		s.leave(errFarewell)
		select {
		case <-next.C:
		case <-ctx.Done():
			return left(ctx, n)
		}
	}
	for _, s := range peers {
		select {
		case <-s.gone:
		case <-ctx.Done():
			return left(ctx, n)
		}
	}
	return nil
}

func left(ctx context.Context, n *Node) error {
	return fmt.Errorf("%d peers are still served: %w", n.Peers(), ctx.Err())
}

// drain refuses sessions from now on and returns those that there are.
func (s *sessionSet) drain() []*session {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	return s.list()
}

// Reconsider has every peer of this durable node come again, as Drain does, and be served: the
// policy agent calls it when its rules have changed, or who may do what. Each is authenticated
// anew, and shown what it may see by then; what it may not see any more it forgets. Live queries
// that are open on this node itself keep to what was so when they were opened.
func (n *Node) Reconsider() {
	for _, s := range n.peers().list() {
		s.leave(errFarewell)
	}
}

// expire has the session end when its principal's credentials expire, until the function is
// called that it returns.
func (s *session) expire() (stop func()) {
	at := policy.Expires(s.node.policy, s.principal)
	if at.IsZero() {
		return func() {}
	}
	timer := time.AfterFunc(at.Sub(s.node.opts.Clock()), func() { s.leave(ErrExpired) })
	return func() { timer.Stop() }
}

// leave asks a session to end. An exchange with another durable node keeps nothing that an
// answer is owed to.
func (s *session) leave(why error) {
	s.stopReading(why)
	if s.durable != nil {
		s.run.start(func(context.Context) { s.refuse(why) })
	}
}

// farewell ends a session in good order: what the peer has sent is answered first.
func (s *session) farewell(why error) {
	for range cap(s.commits) {
		select {
		case s.commits <- struct{}{}:
		case <-s.run.ctx.Done():
			return
		}
	}
	s.refuse(why)
}

// Probe reports whether the node could serve: it belongs to a system, its storage answers,
// and its loop is not stuck.
func (n *Node) Probe(ctx context.Context) (err error) {
	defer wrap(&err, "probe")
	if _, ok := n.system.get(); !ok {
		return ErrNotReady
	}
	if _, err := n.engine.Meta(ctx, metaSystem); err != nil {
		return err
	}
	if err := n.loop.call(ctx, func() {}); err != nil {
		return errors.Join(err, errors.New("the node is busy or stuck"))
	}
	return nil
}

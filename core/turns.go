package core

import (
	"context"
	"time"

	"github.com/ankurah-go/ankurah/internal/quota"
	"github.com/ankurah-go/ankurah/proto"
)

// init makes what the sessions of a node share.
func (s *sessionSet) init(limits *Limits) {
	s.held.limits = limits
	s.bytes = quota.New[string](limits.CommitBytes, limits.UnacknowledgedBytes)
	s.turns = quota.New[*session](limits.Scans, limits.Scans)
}

// admit waits until one more transaction of the peer's may be under way, and returns what to
// call when it is not any more.
func (s *session) admit(m *proto.Commit) (release func(), err error) {
	select {
	case s.commits <- struct{}{}:
	case <-s.run.ctx.Done():
		return nil, context.Cause(s.run.ctx)
	}
	size := 0
	for _, e := range m.Events {
		size += e.EncodedSize()
	}
	if err := s.node.peers().bytes.Take(s.run.ctx, s.payer, size); err != nil {
		<-s.commits
		return nil, err
	}
	return func() {
		s.node.peers().bytes.Give(s.payer, size)
		<-s.commits
	}, nil
}

// turnsKey is the key of a context under which what is read takes turns.
type turnsKey struct{}

// asker is for whom something is read.
type asker struct {
	session *session // who pays; nil for nobody
	shared  bool     // it is for others too, who do not wait until the session has paid
	kept    *holding // counts what is kept until the answer is sent; may be nil
}

// withTurns returns a context for answering a peer: pages are read in turn with those of
// other sessions, and what they take is charged to the peer, as is what keep counts to kept.
func withTurns(ctx context.Context, s *session, kept *holding) context.Context {
	return context.WithValue(ctx, turnsKey{}, asker{session: s, kept: kept})
}

// keepForAnswer counts what is kept in memory until an answer is sent; of what is not read for
// a peer, nothing.
func keepForAnswer(ctx context.Context, bytes int) error {
	if who, ok := ctx.Value(turnsKey{}).(asker); ok && who.kept != nil {
		return who.kept.grow(bytes)
	}
	return nil
}

// withSharedTurns is withTurns for what several peers will share; s, which asked first, pays,
// if it is not nil.
func withSharedTurns(ctx context.Context, s *session) context.Context {
	return context.WithValue(ctx, turnsKey{}, asker{session: s, shared: true})
}

// inTurns implements durability.
func (s *sequencer) inTurns(ctx context.Context) context.Context { return withSharedTurns(ctx, nil) }

// unitsPer is what a unit of a peer's rate is worth in time of reading for it.
const unitsPer = 4 * time.Microsecond

// inTurn runs what reads a page; a durable node has those that are read for peers take turns.
func (n *Node) inTurn(ctx context.Context, read func() error) error {
	if n.turn == nil {
		return read()
	}
	return n.turn(ctx, read)
}

// takeTurn is inTurn of a durable node. For a peer it waits: until what the peer has asked for
// so far is paid, and then for one of the node's turns. It is held no longer than the page
// takes, so that who asks much, or reads slowly, does not keep the others waiting.
func (n *Node) takeTurn(ctx context.Context, read func() error) error {
	who, ok := ctx.Value(turnsKey{}).(asker)
	if !ok {
		return read()
	}
	if !who.shared {
		if err := who.session.throttle(ctx, 0); err != nil {
			return err
		}
	}
	if err := n.peers().turns.Take(ctx, who.session, 1); err != nil {
		return err
	}
	began := time.Now()
	defer func() {
		n.peers().turns.Give(who.session, 1)
		if who.session != nil {
			who.session.charge(int(time.Since(began) / unitsPer))
		}
	}()
	return read()
}

package core

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/proto"
)

// hub is a durable node's part in presence: the board, and the goroutine that tells what has
// changed there. It does nothing until there is somebody in a room.
type hub struct {
	node  *Node
	board *presence.Board
	begun sync.Once
	due   errands       // what is to be told
	ends  chan struct{} // closed when the node hands its members over
	mu    struct {
		sync.Mutex
		ended   bool                       // ends is closed
		spreads map[chan struct{}]struct{} // those under way: each closes its channel when it is done
	}
}

// hubPause is how long after changes were told the next ones are: of those in between the
// latest counts.
const hubPause = 20 * time.Millisecond

// tellBytes is about how much one frame tells.
const tellBytes = 64 << 10

func newHub(n *Node) *hub {
	l := &n.limits
	h := &hub{node: n, ends: make(chan struct{}), board: presence.New(id.EpochID{ULID: id.New(n.opts.Random)}, presence.Options{
		Grace: l.PresenceGrace, Lease: l.PresenceLease, Members: l.PresenceMembers, Payer: l.PresencePrincipal, Total: l.PresenceTotal,
	})}
	h.due.init()
	h.mu.spreads = make(map[chan struct{}]struct{})
	return h
}

// hub returns a durable node's hub. The node does not have it as a field of that type: what has
// would link it into programs that serve nobody.
func (n *Node) hub() *hub { return n.presence.(*hub) }

// begin has the hub work, once there is something to do.
func (h *hub) begin() {
	h.begun.Do(func() {
		h.node.run.start(h.work)
		h.node.run.start(h.mingle)
	})
}

// work tells what has changed, and ends what has come to its end, until ctx ends.
func (h *hub) work(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		h.due.run()
		next := h.board.Tick(time.Now())
		timer.Reset(hubPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(time.Until(next))
		select {
		case <-h.due.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// mayAttend asks the policy, and looks whether others could read what they would be told.
func (h *hub) mayAttend(p policy.Principal, room string, enters bool) error {
	switch {
	case room == "" || !utf8.ValidString(room):
		return errRoom
	case !enters:
		return policy.MaySee(h.node.policy, p, room)
	case len(p.Name) > proto.MaxUserBytes || !utf8.ValidString(p.Name):
		return fmt.Errorf("%w: the principal's name", proto.ErrStructure)
	}
	return policy.MayEnter(h.node.policy, p, room)
}

// seat is where a presence of a durable node is.
type seat struct {
	member *presence.Seat // nil where the room is only watched
	watch  *presence.Watch
}

func (h *hub) join(p *Presence, name string) error {
	enters := !p.id.IsZero()
	if err := h.mayAttend(p.principal, name, enters); err != nil {
		return err
	}
	h.begin()
	if enters {
		p.seat.member = h.board.Seat(name, p.id, p.principal.Name, "own "+p.principal.Name)
		if err := p.seat.member.Set(time.Now(), 0, p.state); err != nil {
			return err
		}
	}
	r := newRoom(h.node, name)
	p.room, p.entered = r, true
	r.presences[p] = struct{}{}
	p.seat.watch = h.board.Watch(name, func(w *presence.Watch) { h.due.add(func() { h.show(r, w) }) })
	return nil
}

// show shows a room of this node's what a watch has to tell.
func (h *hub) show(r *room, w *presence.Watch) {
	for {
		t := w.Take(tellBytes)
		if t.First || len(t.List) > 0 {
			r.change(func(c *RoomChange) { r.takeLocked(c, t.First, t.List) })
		}
		if !t.More {
			return
		}
	}
}

func (h *hub) tell(p *Presence) error {
	p.room.mu.Lock()
	state := p.state
	p.room.mu.Unlock()
	return p.seat.member.Set(time.Now(), 0, state)
}

func (h *hub) leave(p *Presence, how proto.Attendance) {
	p.seat.watch.Close()
	if p.seat.member != nil {
		h.vacate(p.seat.member, how)
	}
}

// vacate leaves a seat.
func (h *hub) vacate(s *presence.Seat, how proto.Attendance) {
	if how == proto.Away {
		s.Depart(time.Now())
		signal(h.due.wake) // there is another end to wait for
		return
	}
	s.Leave(time.Now())
}

package core

import (
	"context"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/proto"
)

// attendant is an ephemeral node's part in presence: it tells the durable node who of this node
// is in which room, and shares one look at each room among all who look.
type attendant struct {
	node *Node
	wake chan struct{}

	// The lock is taken before a room's, and not held while subscribers are called.
	mu      sync.Mutex
	rooms   map[string]*room
	peer    *peer // where it is told
	last    uint64
	numbers map[uint64]attendedBy // on the connection to peer
	untold  map[*Presence]struct{}
	unasked map[*room]struct{}
	ended   []*proto.Attend // what was begun on this connection and is to be ended
}

// attendedBy is what goes by a number.
type attendedBy struct {
	room     *room
	presence *Presence // nil for the room itself
}

// told is what the durable node was told of a presence, guarded by the attendant's lock.
type told struct {
	number uint64 // on the present connection; 0 for nothing
	seq    uint64 // the last one
}

func newAttendant(n *Node) *attendant {
	return &attendant{
		node: n, wake: make(chan struct{}, 1), rooms: map[string]*room{}, numbers: map[uint64]attendedBy{},
		untold: map[*Presence]struct{}{}, unasked: map[*room]struct{}{},
	}
}

func (a *attendant) join(p *Presence, name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.rooms[name]
	if r == nil {
		r = newRoom(a.node, name)
		a.rooms[name] = r
		a.unasked[r] = struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.room = r
	r.presences[p] = struct{}{}
	if !p.id.IsZero() {
		a.untold[p] = struct{}{}
	}
	signal(a.wake)
	return nil
}

func (a *attendant) tell(p *Presence) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.room.has(p) {
		a.untold[p] = struct{}{}
		signal(a.wake)
	}
	return nil
}

func (r *room) has(p *Presence) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.presences[p]
	return ok
}

func (a *attendant) leave(p *Presence, how proto.Attendance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := p.room
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.presences, p)
	delete(a.untold, p)
	if n := p.told.number; n != 0 {
		a.endLocked(&proto.Attend{Number: n, Room: r.name, Key: p.key, Seq: a.seqLocked(p), Attendance: how})
	}
	if len(r.presences) > 0 {
		return
	}
	r.restLocked()
	delete(a.rooms, r.name)
	delete(a.unasked, r)
	if r.number != 0 {
		a.endLocked(&proto.Attend{Number: r.number, Room: r.name, Attendance: proto.Gone})
	}
}

// endLocked has what goes by a number ended. There are never more of these than have been begun
// on the connection.
func (a *attendant) endLocked(m *proto.Attend) {
	delete(a.numbers, m.Number)
	a.ended = append(a.ended, m)
	signal(a.wake)
}

// seqLocked returns a seq that is greater than those before it, also where they were given out
// before the page was loaded.
func (a *attendant) seqLocked(p *Presence) uint64 {
	p.told.seq = max(p.told.seq+1, uint64(max(0, a.node.clock.Now().UnixMicro())))
	return p.told.seq
}

// connected begins to tell a durable node.
func (a *attendant) connected(p *peer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.peer, a.ended = p, nil
	clear(a.numbers)
	for _, r := range a.rooms {
		r.mu.Lock()
		r.number, r.err = 0, nil
		a.unasked[r] = struct{}{}
		for x := range r.presences {
			x.told.number, x.entered, x.err = 0, false, nil
			if !x.id.IsZero() {
				a.untold[x] = struct{}{}
			}
		}
		r.mu.Unlock()
	}
	p.run.start(func(ctx context.Context) { a.send(ctx, p) })
}

// disconnected ends that.
func (a *attendant) disconnected() {
	a.mu.Lock()
	a.peer = nil
	rooms := values(a.rooms)
	a.mu.Unlock()
	for _, r := range rooms {
		r.change(func(*RoomChange) {
			r.live = false
			r.staleLocked()
		})
	}
}

// send tells the durable node what there is to tell, until the connection ends.
func (a *attendant) send(ctx context.Context, p *peer) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		for m := a.next(p); m != nil; m = a.next(p) {
			if p.out.wait(ctx, m) != nil {
				return
			}
		}
		pause.Reset(a.node.limits.PresencePause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-a.wake:
		case <-ctx.Done():
			return
		}
	}
}

// next returns the next frame, nil if there is none. Members come before the room that they are
// in, so that it is answered with them in it.
func (a *attendant) next(p *peer) *proto.Attend {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.peer != p {
		return nil
	}
	if len(a.ended) > 0 {
		m := a.ended[0]
		a.ended = a.ended[1:]
		return m
	}
	for x := range a.untold {
		delete(a.untold, x)
		return a.attendLocked(x)
	}
	for r := range a.unasked {
		delete(a.unasked, r)
		r.number = a.numberLocked(attendedBy{room: r})
		return &proto.Attend{Number: r.number, Room: r.name}
	}
	return nil
}

// attendLocked says what there is to say of a member.
func (a *attendant) attendLocked(x *Presence) *proto.Attend {
	if x.told.number == 0 {
		x.told.number = a.numberLocked(attendedBy{x.room, x})
	}
	x.room.mu.Lock()
	defer x.room.mu.Unlock()
	return &proto.Attend{Number: x.told.number, Room: x.room.name, Key: x.key, Seq: a.seqLocked(x), State: x.state}
}

func (a *attendant) numberLocked(by attendedBy) uint64 {
	a.last++
	a.numbers[a.last] = by
	return a.last
}

// take takes in what the durable node tells.
func (a *attendant) take(p *peer, m *proto.Members) {
	a.mu.Lock()
	by, ok := a.numbers[m.Number]
	if a.peer != p || !ok {
		a.mu.Unlock()
		return
	}
	a.mu.Unlock()
	by.room.change(func(c *RoomChange) { by.takeLocked(c, m) })
}

func (by attendedBy) takeLocked(c *RoomChange, m *proto.Members) {
	var err error
	if m.Kind != 0 {
		err = remoteError(m.Kind, m.Message)
	}
	if x := by.presence; x != nil {
		x.entered, x.err = err == nil, err
		return
	}
	if by.room.err = err; err == nil {
		by.room.takeLocked(c, m.Reset, m.List)
	}
}

// close ends what waits.
func (a *attendant) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.rooms {
		r.mu.Lock()
		r.restLocked()
		r.mu.Unlock()
	}
}

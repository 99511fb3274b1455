package core

import (
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// attending is a node's part in presence: on a durable node its hub, on an ephemeral one what
// speaks to that.
type attending interface {
	// join gives a new presence its room, and has it entered.
	join(p *Presence, name string) error
	// tell makes known that the presence has another state.
	tell(p *Presence) error
	// leave ends it.
	leave(p *Presence, how proto.Attendance)
}

// room is what presences of this node see of one room.
type room struct {
	node  *Node
	name  string
	order sync.Mutex // of what subscribers are called with

	mu        sync.Mutex
	members   map[id.MemberID]*Member
	stale     map[id.MemberID]struct{} // not heard of since the connection was lost
	fade      *time.Timer              // when they are taken for gone
	presences map[*Presence]struct{}
	live      bool  // the durable node tells who is there
	err       error // why it does not

	number uint64 // under which it was asked to, guarded by the attendant's lock; 0 if it was not
}

func newRoom(n *Node, name string) *room {
	return &room{node: n, name: name, members: map[id.MemberID]*Member{}, presences: map[*Presence]struct{}{}}
}

func (p *Presence) statusLocked() (PresenceStatus, error) {
	r := p.room
	switch {
	case p.err != nil:
		return PresenceRefused, p.err
	case r.err != nil:
		return PresenceRefused, r.err
	case r.live && (p.id.IsZero() || p.entered):
		return PresenceLive, nil
	}
	return PresenceWaiting, nil
}

func (p *Presence) snapshotLocked() *RoomChange {
	c := &RoomChange{Reset: true}
	c.Status, c.Err = p.statusLocked()
	for m, member := range p.room.members {
		if m != p.id {
			c.Changed = append(c.Changed, member)
		}
	}
	return c
}

// change changes the room, and tells subscribers of it. Nobody is told of a change that is none.
func (r *room) change(f func(c *RoomChange)) {
	r.order.Lock()
	defer r.order.Unlock()
	r.mu.Lock()
	before := make(map[*Presence]PresenceStatus, len(r.presences))
	for p := range r.presences {
		before[p], _ = p.statusLocked()
	}
	all := &RoomChange{}
	f(all)
	type call struct {
		to     *presenceSubscriber
		change *RoomChange
	}
	var calls []call
	for p := range r.presences {
		c := all.without(p.id)
		c.Status, c.Err = p.statusLocked()
		if c.Status == before[p] && len(c.Changed)+len(c.Left) == 0 {
			continue
		}
		for _, s := range p.subs {
			calls = append(calls, call{s, c})
		}
	}
	r.mu.Unlock()
	for _, c := range calls {
		r.tell(c.to, c.change)
	}
}

// tell calls a subscriber; a panic of its is reported and keeps nobody else from hearing.
func (r *room) tell(s *presenceSubscriber, c *RoomChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if cause := recover(); cause != nil {
			r.node.opts.Listener.failed("presence", recovered("a callback", cause))
		}
	}()
	s.call(c)
}

// without returns the change as the presence with that id sees it.
func (c *RoomChange) without(own id.MemberID) *RoomChange {
	other := &RoomChange{}
	for _, m := range c.Changed {
		if m.ID != own {
			other.Changed = append(other.Changed, m)
		}
	}
	for _, m := range c.Left {
		if m != own {
			other.Left = append(other.Left, m)
		}
	}
	return other
}

// takeLocked takes in what the durable node tells. After a connection that was lost those who
// are not there at first may be connecting again as well: they stay for the grace.
func (r *room) takeLocked(c *RoomChange, first bool, list []proto.Present) {
	if first {
		r.live = true
		r.staleLocked()
		defer func() {
			if len(r.stale) == 0 {
				r.restLocked()
			}
		}()
	}
	for i := range list {
		p := &list[i]
		delete(r.stale, p.Member)
		if p.Gone {
			if r.members[p.Member] != nil {
				delete(r.members, p.Member)
				c.Left = append(c.Left, p.Member)
			}
			continue
		}
		if old := r.members[p.Member]; old != nil && old.is(p) {
			continue
		}
		m := &Member{ID: p.Member, User: p.User, Since: unixMicro(p.Since), State: p.State}
		r.members[p.Member] = m
		c.Changed = append(c.Changed, m)
	}
}

func (m *Member) is(p *proto.Present) bool {
	return m.User == p.User && m.Since.UnixMicro() == p.Since && string(m.State) == string(p.State)
}

// staleLocked has everybody taken for gone who is not heard of within the grace.
func (r *room) staleLocked() {
	r.restLocked()
	if len(r.members) == 0 {
		return
	}
	r.stale = make(map[id.MemberID]struct{}, len(r.members))
	for m := range r.members {
		r.stale[m] = struct{}{}
	}
	var fade *time.Timer
	fade = time.AfterFunc(r.node.limits.PresenceGrace, func() {
		r.change(func(c *RoomChange) {
			if r.fade != fade {
				return
			}
			for m := range r.stale {
				delete(r.members, m)
				c.Left = append(c.Left, m)
			}
			r.restLocked()
		})
	})
	r.fade = fade
}

// restLocked ends waiting for those who may be gone.
func (r *room) restLocked() {
	if r.fade != nil {
		r.fade.Stop()
	}
	r.fade, r.stale = nil, nil
}

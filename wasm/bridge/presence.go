package bridge

import (
	"sync"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// attendance is a page's being in a room, or looking at it. What waits to be sent is of each
// member the latest, and no more than there are.
type attendance struct {
	session *Session
	number  uint64
	live    *core.Presence
	queued  bool // its turn will come; guarded by outgoing.mu

	mu struct {
		sync.Mutex
		closed  bool
		status  frame.RoomStatus
		err     error
		reset   bool
		changed map[id.MemberID]*core.Member // nil for those that have left
	}
}

// attend enters a room, changes the state there, or leaves.
func (s *Session) attend(m *frame.Attend) {
	a := s.attendances[m.Number]
	var err error
	switch {
	case m.Attendance != proto.Here:
		s.unattend(m.Number, m.Attendance)
	case a != nil && m.Key != (proto.MemberKey{}):
		err = a.live.SetEncoded(m.State)
	case a == nil:
		err = s.enterRoom(m)
	}
	if err != nil {
		s.unattend(m.Number, proto.Gone)
		s.out.message(&frame.Members{Number: m.Number, Status: frame.RoomRefused, Err: errorOf(err, ""), Reset: true})
	}
}

func (s *Session) enterRoom(m *frame.Attend) (err error) {
	if len(s.attendances) >= s.limits().Rooms {
		return refusal(core.KindLimit, "more than %d rooms on one page", s.limits().Rooms)
	}
	a := &attendance{session: s, number: m.Number}
	if m.Key == (proto.MemberKey{}) {
		a.live, err = s.service.access.Watch(m.Room)
	} else {
		a.live, err = s.service.access.EnterAs(m.Key, m.Room, m.State)
	}
	if err != nil {
		return err
	}
	s.attendances[m.Number] = a
	a.live.Subscribe(a.take)
	return nil
}

func (s *Session) unattend(number uint64, how proto.Attendance) {
	a := s.attendances[number]
	if a == nil {
		return
	}
	delete(s.attendances, number)
	a.mu.Lock()
	a.mu.closed = true
	a.mu.Unlock()
	if how == proto.Away {
		a.live.Depart()
	} else {
		a.live.Leave()
	}
}

// take notes what the page is to be told.
func (a *attendance) take(c *core.RoomChange) {
	a.mu.Lock()
	if c.Reset || a.mu.changed == nil {
		a.mu.changed = map[id.MemberID]*core.Member{}
	}
	a.mu.reset = a.mu.reset || c.Reset
	a.mu.status, a.mu.err = frame.RoomStatus(c.Status), c.Err
	for _, m := range c.Left {
		a.mu.changed[m] = nil
	}
	for _, m := range c.Changed {
		a.mu.changed[m.ID] = m
	}
	a.mu.Unlock()
	a.session.out.room(a)
}

// room makes the page get what is different in a room.
func (o *outgoing) room(a *attendance) {
	o.mu.Lock()
	if !a.queued {
		a.queued = true
		o.addLocked(&item{room: a})
	}
	o.mu.Unlock()
	signal(o.ready)
}

// members writes what a page does not know of a room, in parts (B5).
func (w *writer) members(a *attendance) bool {
	w.session.out.mu.Lock()
	a.queued = false
	w.session.out.mu.Unlock()
	a.mu.Lock()
	closed, changed := a.mu.closed, a.mu.changed
	m := frame.Members{Number: a.number, Status: a.mu.status, Err: errorOf(a.mu.err, ""), Self: a.live.ID(), Reset: a.mu.reset}
	a.mu.changed, a.mu.reset = nil, false
	a.mu.Unlock()
	if closed {
		return true
	}
	bytes := 0
	for id, x := range changed {
		if bytes >= w.session.limits().PartBytes {
			if !w.message(&m) || !w.flush() {
				return false
			}
			m.Reset, m.Changed, m.Left, bytes = false, nil, nil, 0
		}
		if x == nil {
			m.Left = append(m.Left, id)
		} else {
			m.Changed = append(m.Changed, frame.Member{ID: id, User: x.User, Since: x.Since.UnixMicro(), State: x.State})
			bytes += len(x.State)
		}
		bytes += 40
	}
	return w.message(&m)
}

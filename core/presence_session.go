package core

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/proto"
)

// attendances are the rooms that a session watches, and the members that it has in rooms, by
// the peer's numbers. They belong to the goroutine that serves.
type attendances map[uint64]*attendedRoom

// attendedRoom is one of them: a member's seat, or a watch.
type attendedRoom struct {
	room  string
	key   proto.MemberKey
	seat  *presence.Seat
	watch *presence.Watch
}

// attend takes in what the peer says of a room. An error is for what no honest peer sends.
func (s *session) attend(m *proto.Attend) error {
	known := s.rooms[m.Number]
	switch {
	case known != nil && (known.room != m.Room || known.key != m.Key):
		return fmt.Errorf("%w: number %d stands for another room or member", proto.ErrStructure, m.Number)
	case m.Attendance != proto.Here:
		if known != nil {
			delete(s.rooms, m.Number)
			s.unattend(known, m.Attendance)
		}
		return nil
	case known != nil && known.seat == nil:
		return nil // it is watched already
	}
	if err := s.takeSeat(known, m); err != nil {
		if known != nil {
			delete(s.rooms, m.Number)
			s.unattend(known, proto.Gone)
		}
		s.out.must(&proto.Members{Number: m.Number, Kind: uint64(KindOf(err)), Message: publicMessage(err)})
	}
	return nil
}

// takeSeat lets a member in, or changes its state, or begins to watch.
func (s *session) takeSeat(known *attendedRoom, m *proto.Attend) error {
	h, n := s.node.hub(), s.node
	if err := n.checkPresence(m.State); err != nil {
		return err
	}
	if known != nil {
		return known.seat.Set(time.Now(), m.Seq, m.State)
	}
	if err := s.throttle(s.reading, attendCost); err != nil {
		return err
	}
	if len(s.rooms) >= n.limits.PresenceRooms {
		return fmt.Errorf("%w: %d rooms", ErrLimit, n.limits.PresenceRooms)
	}
	enters := m.Key != proto.MemberKey{}
	if err := h.mayAttend(s.principal, m.Room, enters); err != nil {
		return err
	}
	h.begin()
	a := &attendedRoom{room: m.Room, key: m.Key}
	if enters {
		a.seat = h.board.Seat(m.Room, m.Key.Member(), s.principal.Name, s.payer)
		if err := a.seat.Set(time.Now(), m.Seq, m.State); err != nil {
			return err
		}
		s.out.must(&proto.Members{Number: m.Number, Reset: true})
	} else {
		a.watch = h.board.Watch(m.Room, func(w *presence.Watch) { h.due.add(func() { s.tellRoom(w, m.Number) }) })
	}
	s.rooms[m.Number] = a
	return nil
}

// attendCost is what beginning and ending to attend takes, besides the frame, of the rate.
const attendCost = 20

// tellRoom queues what a watch has to tell. It is looked up when the peer takes it, so that a
// slow one gets less and not more.
func (s *session) tellRoom(w *presence.Watch, number uint64) {
	s.out.later(func() iter.Seq[[]byte] {
		t := w.Take(tellBytes)
		if t.More {
			s.node.hub().due.add(func() { s.tellRoom(w, number) })
		}
		if !t.First && len(t.List) == 0 {
			return slices.Values[[][]byte](nil)
		}
		return slices.Values([][]byte{proto.AppendFrame(nil, &proto.Members{Number: number, Reset: t.First, List: t.List})})
	})
}

// unattend ends an attendance.
func (s *session) unattend(a *attendedRoom, how proto.Attendance) {
	if a.watch != nil {
		a.watch.Close()
		return
	}
	s.node.hub().vacate(a.seat, how)
}

// leaveRooms ends all of them: the members may be back in a moment.
func (s *session) leaveRooms() {
	for _, a := range s.rooms {
		s.unattend(a, proto.Away)
	}
	clear(s.rooms)
}

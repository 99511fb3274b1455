package presence

import (
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Seat is a member's place in a room, on a connection to this node.
type Seat struct {
	board  *Board
	room   string
	member id.MemberID
	user   string
	payer  string
	taken  bool // it has been in the room
}

// Seat returns a place for a member in a room, which is empty until Set. payer is who is charged
// for it, and not empty.
func (b *Board) Seat(room string, m id.MemberID, user, payer string) *Seat {
	return &Seat{board: b, room: room, member: m, user: user, payer: payer}
}

// Set has the member enter, or changes its state, which it keeps. Where the member has come by
// another way since, nothing happens. It fails with ErrFull.
func (s *Seat) Set(now time.Time, seq uint64, state []byte) error {
	b := s.board
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.memberLocked(s.room, s.member)
	told := &proto.Attending{Room: s.room, Home: b.self, Seq: min(seq, uint64(now.Add(time.Hour).UnixMicro())),
		Present: proto.Present{Member: s.member, User: s.user, Since: now.UnixMicro(), State: state}}
	if m != nil {
		if s.taken && s.entryLocked() == nil && told.Seq <= m.best.Seq {
			return nil
		}
		told.Seq = max(told.Seq, m.best.Seq+1)
	}
	if err := b.fullLocked(s); err != nil {
		return err
	}
	if m.present() {
		told.Since = m.best.Since
	}
	s.taken = true
	b.putLocked(now, told, s.payer, nil).seat = s
	return nil
}

// entryLocked returns what the board says of the member, if it is there by this seat.
func (s *Seat) entryLocked() *entry {
	b := s.board
	if e := b.mu.homes[b.self].entries[key{b.self, s.room, s.member}]; e != nil && e.seat == s {
		return e
	}
	return nil
}

// Leave has the member leave the room at once, if it is there by this seat.
func (s *Seat) Leave(now time.Time) {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	if e := s.entryLocked(); e != nil {
		s.board.goneLocked(now, e)
	}
}

// Depart leaves the member away, if it is there by this seat: it has gone when the grace is over
// and it has not come again.
func (s *Seat) Depart(now time.Time) {
	b := s.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := s.entryLocked(); e != nil {
		e.seat, e.end = nil, &deadline{e, now.Add(b.options.Grace)}
		b.mu.away = append(b.mu.away, e.end)
	}
}

package presence

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Watch is a look at one room. What waits for Take is not what has happened but of whom there is
// something to tell, so it is never more than there are members.
type Watch struct {
	board  *Board
	room   string
	wake   func(*Watch)
	begun  bool
	closed bool
	dirty  map[id.MemberID]struct{}
}

// Watch begins to look at a room; wake is called when there is something to Take that was not
// there before, and once at the beginning.
func (b *Board) Watch(room string, wake func(*Watch)) *Watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.roomLocked(room)
	w := &Watch{board: b, room: room, wake: wake, dirty: map[id.MemberID]struct{}{}}
	for id, m := range r.members {
		if m.present() {
			w.dirty[id] = struct{}{}
		}
	}
	r.watches[w] = struct{}{}
	w.wake(w)
	return w
}

// changed notes that there is something to tell of a member.
func (r *room) changed(m id.MemberID) {
	for w := range r.watches {
		w.dirty[m] = struct{}{}
		if len(w.dirty) == 1 {
			w.wake(w)
		}
	}
}

// Told is what a watch has to tell.
type Told struct {
	First bool // it is the beginning
	More  bool // there is more to Take at once
	List  []proto.Present
}

// Take returns what is to be told, as far as it has about so many bytes. What it returns is not
// to be changed.
func (w *Watch) Take(bytes int) Told {
	b := w.board
	b.mu.Lock()
	defer b.mu.Unlock()
	t := Told{First: !w.begun}
	r := b.mu.rooms[w.room]
	if r == nil || w.closed {
		return Told{}
	}
	for id := range w.dirty {
		if t.More = bytes <= 0; t.More {
			break
		}
		delete(w.dirty, id)
		if m := r.members[id]; m.present() {
			t.List = append(t.List, m.best.Present)
			bytes -= presentBytes + len(m.best.User) + len(m.best.State)
		} else {
			t.List = append(t.List, proto.Present{Member: id, Gone: true})
			bytes -= presentBytes
		}
	}
	w.begun = true
	return t
}

// presentBytes is about what a member takes in a frame, besides its texts.
const presentBytes = 35

// Close ends the watch. Closing it twice is harmless.
func (w *Watch) Close() {
	b := w.board
	b.mu.Lock()
	defer b.mu.Unlock()
	w.closed = true
	if r := b.mu.rooms[w.room]; r != nil {
		delete(r.watches, w)
		b.leaveLocked(w.room)
	}
}

package presence

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// ErrFull: no further member is taken in.
var ErrFull = errors.New("too many members")

// Options bounds a board. All fields are required.
type Options struct {
	Grace   time.Duration // how long a member is away before it has gone
	Lease   time.Duration // how long a home is alive that nothing is heard of
	Members int           // of one room, that this board takes in itself
	Payer   int           // entries of one payer, those that have gone lately included
	Total   int           // entries in all
}

// Board is what a durable node knows of who is where.
type Board struct {
	self    id.EpochID
	options Options
	mu      struct {
		sync.Mutex
		beaten     time.Time // when the board's own home was last said to live
		homes      map[id.EpochID]*home
		count      int // entries of all homes
		rooms      map[string]*room
		payers     map[string]int
		away, gone []*deadline // in the order of their times
		neighbours map[*Neighbour]struct{}
	}
}

// key names an entry.
type key struct {
	home   id.EpochID
	room   string
	member id.MemberID
}

// entry is what a home says of a member in a room. What is told of it is replaced and not changed.
type entry struct {
	told  *proto.Attending
	seat  *Seat     // by which it is here, of the board's own home; nil while it is away
	payer string    // who is charged for it, of the board's own home
	end   *deadline // when it has gone, or is forgotten
}

func (e *entry) key() key { return key{e.told.Home, e.told.Room, e.told.Member} }

// home is a durable node that serves members.
type home struct {
	beat    uint64
	heard   time.Time  // of the beat
	closed  bool       // it was the last one (P7)
	via     *Neighbour // who told the beat
	entries map[key]*entry

	sure   bool      // all of its entries as of the beat are known (P5)
	teller teller    // while it is not, who tells them
	since  time.Time // when the teller began, or the home was forgotten

	// Who has begun to tell all of its entries, and whether that is done: from then on what is
	// told of it by the same is complete.
	tellers map[teller]telling
}

// teller is a durable node that tells what it knows, and by which neighbour it is heard.
type teller struct {
	of  id.EpochID
	via *Neighbour
}

var nobody teller

// telling is how far somebody is with telling all entries of a home.
type telling struct {
	since time.Time
	done  bool
}

// stuck reports whether the end must have been lost.
func (t telling) stuck(now time.Time) bool { return !t.done && now.Sub(t.since) >= tellPause }

// tellPause is how long telling all of a home may take.
const tellPause = 5 * time.Second

// room is the members of one room, and who watches them.
type room struct {
	members map[id.MemberID]*member
	present int // of them
	watches map[*Watch]struct{}
}

// member is what homes of which the board is sure say of one member of a room.
type member struct {
	entries []*entry
	best    *proto.Attending // what stays of it (P1)
}

func (m *member) present() bool { return m != nil && m.best != nil && !m.best.Gone }

// deadline is when something becomes of an entry, unless it has another one by then.
type deadline struct {
	entry *entry
	at    time.Time
}

// maxHomes bounds the homes of a board, those that were heard of lately included.
const maxHomes = 4096

// maxSeq is beyond what any honest member comes to: microseconds since 1970, and then some.
const maxSeq = 1 << 62

// New returns an empty board of the durable node that was opened as self.
func New(self id.EpochID, o Options) *Board {
	b := &Board{self: self, options: o}
	b.mu.homes = map[id.EpochID]*home{self: {entries: map[key]*entry{}, sure: true}}
	b.mu.rooms = map[string]*room{}
	b.mu.payers = map[string]int{}
	b.mu.neighbours = map[*Neighbour]struct{}{}
	return b
}

// Len returns how many entries there are, those that have gone lately included.
func (b *Board) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.count
}

// later reports whether a is to stay where b is known (P1).
func later(a, b *proto.Attending) bool {
	switch {
	case a.Seq != b.Seq:
		return a.Seq > b.Seq
	case a.Gone != b.Gone:
		return a.Gone
	}
	return a.Home.Compare(b.Home.ULID) > 0
}

// homeLocked returns a home, and makes it known if it is not; nil where there are too many.
func (b *Board) homeLocked(of id.EpochID, now time.Time) *home {
	h := b.mu.homes[of]
	if h == nil && len(b.mu.homes) < maxHomes {
		h = &home{since: now, entries: map[key]*entry{}, tellers: map[teller]telling{}}
		b.mu.homes[of] = h
	}
	return h
}

// roomLocked returns a room, and makes it if there is none.
func (b *Board) roomLocked(name string) *room {
	r := b.mu.rooms[name]
	if r == nil {
		r = &room{members: map[id.MemberID]*member{}, watches: map[*Watch]struct{}{}}
		b.mu.rooms[name] = r
	}
	return r
}

// leaveLocked forgets a room of whose members nothing is said and that nobody watches.
func (b *Board) leaveLocked(name string) {
	if r := b.mu.rooms[name]; r != nil && len(r.members) == 0 && len(r.watches) == 0 {
		delete(b.mu.rooms, name)
	}
}

// memberLocked returns what is known of a member, nil for nothing.
func (b *Board) memberLocked(room string, m id.MemberID) *member {
	if r := b.mu.rooms[room]; r != nil {
		return r.members[m]
	}
	return nil
}

// putLocked replaces what a home says of a member, and has everybody told but from.
func (b *Board) putLocked(now time.Time, told *proto.Attending, payer string, from *Neighbour) *entry {
	h := b.mu.homes[told.Home]
	k := key{told.Home, told.Room, told.Member}
	e := h.entries[k]
	if e == nil {
		e = &entry{}
		h.entries[k] = e
		b.mu.count++
	}
	b.chargeLocked(e, payer)
	e.told, e.end = told, nil
	if told.Gone {
		e.seat, e.end = nil, &deadline{e, now.Add(2 * b.options.Lease)}
		b.mu.gone = append(b.mu.gone, e.end)
	}
	if h.sure {
		b.countLocked(now, e)
		for n := range b.mu.neighbours {
			if n == from {
				delete(n.dirty, k)
			} else {
				n.markLocked(k)
			}
		}
	}
	return e
}

// countLocked has an entry count, of a home that the board is sure of.
func (b *Board) countLocked(now time.Time, e *entry) {
	r := b.roomLocked(e.told.Room)
	m := r.members[e.told.Member]
	if m == nil {
		m = &member{}
		r.members[e.told.Member] = m
	}
	if !slices.Contains(m.entries, e) {
		m.entries = append(m.entries, e)
	}
	b.judgeLocked(r, e.told.Member, m)
	own := b.mu.homes[b.self].entries[key{b.self, e.told.Room, e.told.Member}]
	if own != nil && !own.told.Gone && m.best != own.told {
		b.goneLocked(now, own) // it has come by another home
	}
}

// goneLocked has an entry of the board's own home gone that did not say so.
func (b *Board) goneLocked(now time.Time, e *entry) {
	told := *e.told
	told.Gone, told.State = true, nil
	b.putLocked(now, &told, e.payer, nil)
}

// judgeLocked finds out what stays of a member.
func (b *Board) judgeLocked(r *room, of id.MemberID, m *member) {
	before, was := m.best, m.present()
	m.best = nil
	for _, e := range m.entries {
		if m.best == nil || later(e.told, m.best) {
			m.best = e.told
		}
	}
	if len(m.entries) == 0 {
		delete(r.members, of)
	}
	switch is := m.present(); {
	case is && !was:
		r.present++
	case was && !is:
		r.present--
	case !is || m.best == before:
		return
	}
	r.changed(of)
}

// dropLocked forgets an entry, and tells nobody but those who watch.
func (b *Board) dropLocked(e *entry) {
	k := e.key()
	delete(b.mu.homes[k.home].entries, k)
	b.mu.count--
	b.chargeLocked(e, "")
	e.seat, e.end = nil, nil
	if m := b.memberLocked(k.room, k.member); m != nil {
		m.entries = slices.DeleteFunc(m.entries, func(x *entry) bool { return x == e })
		b.judgeLocked(b.mu.rooms[k.room], k.member, m)
		b.leaveLocked(k.room)
	}
	for n := range b.mu.neighbours {
		delete(n.dirty, k)
	}
}

// chargeLocked has another pay for an entry.
func (b *Board) chargeLocked(e *entry, payer string) {
	if e.payer != "" {
		if b.mu.payers[e.payer]--; b.mu.payers[e.payer] == 0 {
			delete(b.mu.payers, e.payer)
		}
	}
	if e.payer = payer; payer != "" {
		b.mu.payers[payer]++
	}
}

// Tick carries out what is due, and returns when it is to be called next at the latest.
func (b *Board) Tick(now time.Time) (next time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next = now.Add(b.options.Lease)
	if !b.mu.homes[b.self].closed {
		if now.Sub(b.mu.beaten) >= b.options.Lease/3 {
			b.beatLocked(now)
		}
		next = b.mu.beaten.Add(b.options.Lease / 3)
	}
	b.mu.away = due(b.mu.away, now, func(e *entry) { b.goneLocked(now, e) })
	b.mu.gone = due(b.mu.gone, now, b.dropLocked)
	for _, list := range [][]*deadline{b.mu.away, b.mu.gone} {
		if len(list) > 0 && list[0].at.Before(next) {
			next = list[0].at
		}
	}
	if at := b.expireLocked(now); at.Before(next) {
		next = at
	}
	for n := range b.mu.neighbours {
		n.wakeLocked()
	}
	return next
}

// due calls f with the entries whose deadline has come, and returns the deadlines that are left.
func due(list []*deadline, now time.Time, f func(*entry)) []*deadline {
	for len(list) > 0 && (list[0].entry.end != list[0] || !list[0].at.After(now)) {
		if d := list[0]; d.entry.end == d {
			f(d.entry)
		}
		list[0] = nil
		list = list[1:]
	}
	return list
}

// beatLocked says that the board's own home is alive.
func (b *Board) beatLocked(now time.Time) {
	b.mu.beaten = now
	h := b.mu.homes[b.self]
	h.beat, h.heard = h.beat+1, now
	b.spreadHomeLocked(b.self, nil)
}

// Close has the board's own home end: neighbours are told that its members are away, so that they
// have gone after the grace if they do not come again elsewhere. It reports whether there are any.
// It is called before the last Takes.
func (b *Board) Close(now time.Time) (members bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.mu.homes[b.self]
	if !h.closed {
		h.closed = true
		b.beatLocked(now)
	}
	for _, e := range h.entries {
		members = members || !e.told.Gone
	}
	return members
}

func (b *Board) spreadHomeLocked(of id.EpochID, from *Neighbour) {
	for n := range b.mu.neighbours {
		if n != from {
			if _, known := n.homes[of]; !known { // else perhaps with all of its entries
				n.homes[of] = false
			}
			n.wakeLocked()
		}
	}
}

// lifeLocked returns for how long a home is alive of which nothing more is heard (P3, P7).
func (b *Board) lifeLocked(h *home) time.Duration {
	if h.closed {
		return min(b.options.Grace, b.options.Lease)
	}
	return b.options.Lease
}

// expireLocked forgets the entries of homes that nothing was heard of for as long as they live,
// and the homes themselves two leases later (P5). It returns when the next is due.
func (b *Board) expireLocked(now time.Time) (next time.Time) {
	next = now.Add(b.options.Lease)
	for of, h := range b.mu.homes {
		if of == b.self {
			continue
		}
		end := h.since.Add(b.options.Lease)
		if h.sure {
			end = h.heard.Add(b.lifeLocked(h))
		}
		switch {
		case now.Before(end):
			if end.Before(next) {
				next = end
			}
			continue
		case h.sure:
			h.sure, h.since = false, end
			b.emptyLocked(h)
		case h.teller != nobody:
			b.emptyLocked(h)
		}
		if now.Sub(end) >= 2*b.options.Lease {
			delete(b.mu.homes, of)
		}
	}
	return next
}

// emptyLocked forgets the entries of a home that is not sure.
func (b *Board) emptyLocked(h *home) {
	h.teller = nobody
	clear(h.tellers)
	for _, e := range h.entries {
		b.dropLocked(e)
	}
}

// fullLocked says why a member may not enter by a seat.
func (b *Board) fullLocked(s *Seat) error {
	r, own := b.mu.rooms[s.room], b.mu.homes[b.self].entries[key{b.self, s.room, s.member}]
	switch {
	case r != nil && r.present >= b.options.Members && !r.members[s.member].present():
		return fmt.Errorf("%w in this room, %d", ErrFull, b.options.Members)
	case (own == nil || own.payer != s.payer) && b.mu.payers[s.payer] >= b.options.Payer:
		return fmt.Errorf("%w of one principal, %d", ErrFull, b.options.Payer)
	case own == nil && b.mu.count >= b.options.Total:
		return fmt.Errorf("%w on this node, %d", ErrFull, b.options.Total)
	}
	return nil
}

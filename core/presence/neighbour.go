package presence

import (
	"maps"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Neighbour is whom a board tells what it knows, and who tells it: a durable node, or the other
// processes of one store together. What waits for it is not what has happened but of whom there is
// something to tell.
type Neighbour struct {
	board *Board
	wake  func()

	dirty map[key]struct{}
	homes map[id.EpochID]bool // whether all their entries are told with it

	// What is being told: entries, and the beats that come after all of them (P4).
	begin   []id.EpochID
	telling []key
	beats   []proto.Home
	beaten  time.Time // when the beats were put together

	again bool // it is to tell everything again
	ask   map[id.EpochID]struct{}
	asked time.Time
}

// askPause is how long it is at least from one request to tell everything to the next.
const askPause = time.Second

// Meet begins to tell a neighbour everything; wake is called when there is something to Take,
// perhaps for nothing.
func (b *Board) Meet(wake func()) *Neighbour {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &Neighbour{board: b, wake: wake, dirty: map[key]struct{}{}, homes: map[id.EpochID]bool{}, ask: map[id.EpochID]struct{}{}}
	b.mu.neighbours[n] = struct{}{}
	b.againLocked(n)
	return n
}

// Part ends that. Parting twice is harmless.
func (n *Neighbour) Part() {
	b := n.board
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mu.neighbours, n)
	for _, h := range b.mu.homes {
		if h.via == n {
			h.via = nil
		}
		if h.teller.via == n {
			b.emptyLocked(h)
		}
		maps.DeleteFunc(h.tellers, func(t teller, _ telling) bool { return t.via == n })
	}
}

// Retell has the neighbour told everything again: what it was told may be lost.
func (n *Neighbour) Retell() {
	n.board.mu.Lock()
	defer n.board.mu.Unlock()
	n.board.againLocked(n)
}

// Ask has the neighbour asked to tell everything again: something may have been missed.
func (n *Neighbour) Ask() {
	n.board.mu.Lock()
	defer n.board.mu.Unlock()
	for _, h := range n.board.mu.homes {
		maps.DeleteFunc(h.tellers, func(t teller, _ telling) bool { return t.via == n })
	}
	n.again = true
	n.wakeLocked()
}

// againLocked has everything told that did not come from the neighbour itself.
func (b *Board) againLocked(n *Neighbour) {
	for of := range b.mu.homes {
		n.allOfLocked(of)
	}
	n.wakeLocked()
}

// allOfLocked has everything of a home told that did not come from the neighbour itself.
func (n *Neighbour) allOfLocked(of id.EpochID) {
	h := n.board.mu.homes[of]
	if h == nil || !h.sure || h.via == n {
		return
	}
	n.homes[of] = true
	for k := range h.entries {
		n.dirty[k] = struct{}{}
	}
	n.wakeLocked()
}

func (n *Neighbour) markLocked(k key) {
	n.dirty[k] = struct{}{}
	n.wakeLocked()
}

func (n *Neighbour) wakeLocked() {
	if len(n.dirty)+len(n.homes)+len(n.telling)+len(n.beats)+len(n.ask) > 0 || n.again {
		n.wake()
	}
}

// Take returns the next thing to tell the neighbour, of about so many bytes, or nil where there
// is none at present.
func (n *Neighbour) Take(now time.Time, bytes int) *proto.Spread {
	b := n.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(n.telling)+len(n.beats) == 0 {
		n.gatherLocked(now)
	}
	m := &proto.Spread{From: b.self, Begin: n.begin}
	n.begin = nil
	for bytes > 0 && len(n.telling) > 0 {
		k := n.telling[0]
		n.telling = n.telling[1:]
		if h := b.mu.homes[k.home]; h != nil && h.sure && h.entries[k] != nil {
			e := h.entries[k]
			m.List = append(m.List, *e.told)
			bytes -= attendingBytes + len(k.room) + len(e.told.User) + len(e.told.State)
		}
	}
	for bytes > 0 && len(n.telling) == 0 && len(n.beats) > 0 {
		h := n.beats[0]
		n.beats = n.beats[1:]
		h.Age += uint64(now.Sub(n.beaten).Milliseconds())
		m.Homes = append(m.Homes, h)
		bytes -= homeBytes
	}
	if (n.again || len(n.ask) > 0) && now.Sub(n.asked) >= askPause {
		m.Again, n.again, n.asked = n.again, false, now
		for of := range n.ask {
			m.Ask = append(m.Ask, of)
		}
		clear(n.ask)
	}
	if !m.Again && len(m.Ask)+len(m.Begin)+len(m.List)+len(m.Homes) == 0 {
		return nil
	}
	return m
}

// About what an entry and a home take in a frame, besides their texts.
const (
	attendingBytes = 70
	homeBytes      = 40
)

// gatherLocked begins to tell what there is.
func (n *Neighbour) gatherLocked(now time.Time) {
	if n.board.mu.beaten.IsZero() {
		n.board.beatLocked(now)
	}
	n.telling, n.beats, n.beaten = make([]key, 0, len(n.dirty)), nil, now
	for k := range n.dirty {
		n.telling = append(n.telling, k)
	}
	for of, all := range n.homes {
		if h := n.board.mu.homes[of]; h != nil && h.sure {
			n.beats = append(n.beats, proto.Home{ID: of, Beat: h.beat, Age: uint64(max(0, now.Sub(h.heard).Milliseconds())), All: all, Closed: h.closed})
			if all {
				n.begin = append(n.begin, of)
			}
		}
	}
	clear(n.dirty)
	clear(n.homes)
}

// Hear takes in what a neighbour tells.
func (n *Neighbour) Hear(now time.Time, m *proto.Spread) {
	b := n.board
	b.mu.Lock()
	defer b.mu.Unlock()
	from := teller{m.From, n}
	for _, of := range m.Begin {
		from.beginLocked(now, of)
	}
	for i := range m.List {
		from.entryLocked(now, &m.List[i])
	}
	for _, h := range m.Homes {
		from.beatLocked(now, h)
	}
	if m.Again {
		b.againLocked(n)
	}
	for _, of := range m.Ask {
		n.allOfLocked(of)
	}
}

// beginLocked has it tell of a home. Of one that the board is not sure of only one tells at a
// time.
func (from teller) beginLocked(now time.Time, of id.EpochID) {
	b := from.via.board
	h := b.homeLocked(of, now)
	if h == nil || of == b.self {
		return
	}
	if !h.sure && h.teller != from {
		if h.telling(now) {
			return
		}
		b.emptyLocked(h)
		h.teller, h.since = from, now
	}
	if t := h.tellers[from]; !t.done {
		h.tellers[from] = telling{since: now}
	}
}

// telling reports whether somebody tells of a home that the board is not sure of.
func (h *home) telling(now time.Time) bool { return h.teller != nobody && now.Sub(h.since) < tellPause }

func (from teller) entryLocked(now time.Time, told *proto.Attending) {
	n, b := from.via, from.via.board
	if told.Home == b.self || told.Seq > maxSeq {
		return // what it says of itself a home knows better
	}
	h := b.homeLocked(told.Home, now)
	if h == nil || !h.sure && h.teller != from {
		return
	}
	k := key{told.Home, told.Room, told.Member}
	e := h.entries[k]
	switch {
	case e == nil && b.mu.count >= b.options.Total:
	case e == nil || later(told, e.told):
		b.putLocked(now, told, "", n)
	case !later(e.told, told):
		delete(n.dirty, k) // it knows
	}
}

func (from teller) beatLocked(now time.Time, m proto.Home) {
	n, b := from.via, from.via.board
	age := time.Duration(min(m.Age, uint64(b.options.Lease.Milliseconds()))) * time.Millisecond
	if m.ID == b.self || age >= b.options.Lease {
		return
	}
	h := b.homeLocked(m.ID, now)
	if h == nil {
		return
	}
	t, begun := h.tellers[from]
	complete := t.done || begun && m.All
	switch {
	case m.Beat <= h.beat && complete && !h.sure:
		b.emptyLocked(h) // it is behind
		return
	case m.Beat <= h.beat:
		if complete {
			h.tellers[from] = telling{done: true}
		}
		return
	case !complete:
		// It has news, and what it has told before is not known.
		if (!begun || t.stuck(now)) && (h.sure || !h.telling(now)) {
			n.ask[m.ID] = struct{}{}
			n.wakeLocked()
		}
		return
	}
	h.tellers[from] = telling{done: true}
	h.beat, h.heard, h.closed, h.via, h.teller = m.Beat, now.Add(-age), m.Closed, n, nobody
	if h.sure {
		b.spreadHomeLocked(m.ID, n)
		return
	}
	h.sure = true
	for _, e := range h.entries {
		b.countLocked(now, e)
	}
	for other := range b.mu.neighbours {
		if other != n {
			other.allOfLocked(m.ID)
		}
	}
}

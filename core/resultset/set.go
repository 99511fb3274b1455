package resultset

import (
	"bytes"
	"sort"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// NoLimit is the size of a window's side that has none.
const NoLimit = ankql.NoLimit

// Slack is how many rows beyond its end a side of the given size holds. Size and slack
// together are a limit too.
func Slack(limit int) int { return min(max(16, limit/4), ankql.MaxLimit-limit) }

// Place is a place in an order. The zero Place is the start, before all rows.
type Place struct {
	key []byte
	end bool
}

// Start and End are the places before and behind all rows.
var (
	Start = Place{}
	End   = Place{end: true}
)

// At returns the place of a sort key: before the row that has it, if there is one.
func At(key []byte) Place { return Place{key: key} }

// isStart reports whether no row comes before the place.
func (p Place) isStart() bool { return p.key == nil && !p.end }

// before reports whether the place comes before the row of a key, or at it.
func (p Place) before(key []byte) bool { return !p.end && bytes.Compare(p.key, key) <= 0 }

// Window is a part of the rows: up to Before of them before the anchor, and up to After from
// it on; NoLimit takes all.
type Window struct {
	Anchor        Place
	Before, After int
}

// Whole is the window of a selection that has no other: the first rows up to its limit.
func Whole(sel *ankql.Selection) Window { return Window{After: sel.Limit} }

// Set is the ordered rows of a selection, or a window of them.
type Set struct {
	sel    *ankql.Selection
	window Window
	follow ankql.Resolver
	rows   sequence
	held   map[id.EntityID]*entry
	edges  [2]edge // by Side
	room   []byte  // for the key of a row that is looked at

	now     *Rows // the visible rows; nil when something has changed since
	began   bool
	before  Rows                   // the visible rows at Begin
	touched map[id.EntityID]*entry // since Begin: what was held then, or nil
}

// edge is how far the rows held reach on one side: all rows up to the key are held, or up
// to the anchor if there is no key, and all there are if it is not beyond.
type edge struct {
	beyond bool
	key    []byte
}

// Side is one of the two sides of a window.
type Side uint8

// The sides.
const (
	After  Side = iota // from the anchor on
	Before             // before it, last row first
)

// New returns the set of a selection's rows, up to its limit. It is empty, with rows to
// come: fill it before use.
func New(sel *ankql.Selection) *Set { return NewWindow(sel, Whole(sel)) }

// NewWindow is New for a window, in place of the selection's limit.
func NewWindow(sel *ankql.Selection, w Window) *Set {
	s := &Set{sel: sel, window: w}
	s.forget()
	return s
}

// forget begins anew at the anchor.
func (s *Set) forget() {
	for _, e := range s.held {
		s.touch(e.row.Entity, e)
	}
	s.held = make(map[id.EntityID]*entry)
	s.rows.reset(nil)
	s.edges = [2]edge{After: {beyond: !s.window.Anchor.end}, Before: {beyond: !s.window.Anchor.isStart()}}
}

// Follow gives the set what finds the entities that its order refers to, for the rows that
// are put from now on; rows that are held keep their places. Without it, what lies behind a
// reference sorts as NULL.
func (s *Set) Follow(r ankql.Resolver) { s.follow = r }

// Window returns the window.
func (s *Set) Window() Window { return s.window }

// Rows returns the visible rows.
func (s *Set) Rows() Rows {
	if s.now == nil {
		shot := s.rows.snapshot()
		r := Rows{shot: shot}
		anchor := s.anchor(shot.rank)
		r.low, r.high = 0, shot.size
		if s.window.Before >= 0 {
			r.low = max(0, anchor-s.window.Before)
		}
		if s.window.After >= 0 && s.window.After < shot.size-anchor {
			r.high = anchor + s.window.After
		}
		r.State = State{anchor - r.low, r.low > 0 || s.edges[Before].beyond, r.high < shot.size || s.edges[After].beyond}
		s.now = &r
	}
	return *s.now
}

// anchor returns how many of the rows held come before the anchor.
func (s *Set) anchor(rank func([]byte) int) int {
	switch {
	case s.window.Anchor.end:
		return s.rows.size
	case s.window.Anchor.isStart():
		return 0
	}
	return rank(s.window.Anchor.key)
}

// Get returns the held row of an entity, visible or not.
func (s *Set) Get(e id.EntityID) (*proto.Record, bool) {
	held, ok := s.held[e]
	if !ok {
		return nil, false
	}
	return held.row, true
}

// Held returns the rows held on one side, those behind the window's end included, from the
// anchor outwards, in a fresh slice.
func (s *Set) Held(side Side) []*proto.Record {
	anchor := s.anchor(s.rows.rank)
	var rows []*proto.Record
	for _, c := range s.rows.chunks {
		for _, e := range c.entries {
			rows = append(rows, e.row)
		}
	}
	if side == After {
		return rows[anchor:]
	}
	rows = rows[:anchor]
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows
}

// Bytes returns the sum of what the rows held take, as size says, and of their keys.
func (s *Set) Bytes(size func(*proto.Record) int) (bytes int) {
	for _, e := range s.held {
		bytes += len(e.key) + size(e.row)
	}
	return bytes
}

// Begin starts a run of changes that End reports.
func (s *Set) Begin() {
	s.before = s.Rows()
	s.touched = make(map[id.EntityID]*entry)
	s.began = true
}

// touch notes what was held of an entity when the run began.
func (s *Set) touch(e id.EntityID, held *entry) {
	s.now = nil
	if !s.began {
		return
	}
	if _, again := s.touched[e]; !again {
		s.touched[e] = held
	}
}

// Put says that a row matches the selection, as it now is. A row that is held changes its
// place where its order follows references and these lead elsewhere now.
func (s *Set) Put(row *proto.Record) {
	old := s.held[row.Entity]
	if old != nil && old.row.Rev > row.Rev {
		return
	}
	key := s.passingKey(row)
	if old != nil {
		if old.row.Rev == row.Rev && bytes.Equal(old.key, key) {
			return
		}
		s.take(old)
	}
	if !s.reaches(key) {
		return // there may be others between; if the window needs it, a fill will bring it
	}
	e := &entry{bytes.Clone(key), row}
	s.touch(row.Entity, nil)
	s.rows.insert(e)
	s.held[row.Entity] = e
}

func (s *Set) key(row *proto.Record) []byte { return bytes.Clone(s.passingKey(row)) }

// passingKey is key in memory that the next key is put in.
func (s *Set) passingKey(row *proto.Record) []byte {
	s.room = s.sel.AppendSortKeyWith(s.room[:0], row, row.Entity, s.follow)
	return s.room
}

// reaches reports whether the rows held are all that there are up to a key.
func (s *Set) reaches(key []byte) bool {
	after, before := s.edges[After], s.edges[Before]
	switch {
	case after.beyond && after.key == nil && s.window.Anchor.before(key):
		return false
	case before.beyond && before.key == nil && !s.window.Anchor.before(key):
		return false
	case after.beyond && after.key != nil && bytes.Compare(key, after.key) > 0:
		return false
	case before.beyond && before.key != nil && bytes.Compare(key, before.key) < 0:
		return false
	}
	return true
}

// Remove says that an entity, as of revision rev, does not match.
func (s *Set) Remove(e id.EntityID, rev uint64) {
	if old := s.held[e]; old != nil && old.row.Rev <= rev {
		s.take(old)
	}
}

// take removes a held row.
func (s *Set) take(held *entry) {
	s.touch(held.row.Entity, held)
	s.rows.remove(held.key)
	delete(s.held, held.row.Entity)
}

// Move moves and resizes the window. Rows that are held stay held if the anchor is among
// them; else the set begins anew.
func (s *Set) Move(w Window) {
	s.now = nil
	stays := s.spans(w.Anchor)
	s.window = w
	if !stays {
		s.forget()
	}
}

// spans reports whether all rows around a place are held, as far as they are held at all.
func (s *Set) spans(p Place) bool {
	after, before := s.edges[After], s.edges[Before]
	if after.beyond && (after.key == nil || p.end || bytes.Compare(p.key, after.key) > 0) {
		return false
	}
	return !before.beyond || before.key != nil && !p.isStart() && (p.end || bytes.Compare(p.key, before.key) >= 0)
}

// trim drops what the window need not hold.
func (s *Set) trim() {
	anchor := s.anchor(s.rows.rank)
	if n := s.window.After; n >= 0 {
		if keep := n + Slack(n); s.rows.size-anchor > keep {
			s.cut(After, s.rows.size-anchor-keep)
		}
	}
	if n := s.window.Before; n >= 0 {
		if keep := n + Slack(n); anchor > keep {
			s.cut(Before, anchor-keep)
		}
	}
}

// cut drops the n outermost rows of a side.
func (s *Set) cut(side Side, n int) {
	for range n {
		e := s.rows.last
		if side == Before {
			e = s.rows.first
		}
		s.take(e())
	}
	s.edges[side] = edge{beyond: true, key: s.outermost(side)}
}

// outermost returns the key of the outermost row held on a side.
func (s *Set) outermost(side Side) []byte {
	switch {
	case s.rows.size == 0:
		return nil
	case side == After:
		return s.rows.last().key
	}
	return s.rows.first().key
}

// Need is rows that a set wants: those next to the given key on its side.
type Need struct {
	Side Side
	// From is the sort key to go on after, nil for the anchor; on the side Before it is one
	// of the reversed selection (ankql.Selection.Reversed). From the anchor on, the side
	// After wants the row at it too.
	From []byte
	N    int // how many; NoLimit for all
}

// Need returns what a set wants; ok is false if it is whole.
func (s *Set) Need() (n Need, ok bool) {
	if s.window.Before == 0 && s.window.After == 0 {
		return n, false // nothing is shown, and nobody asks for what is beside it
	}
	anchor := s.anchor(s.rows.rank)
	for side, held := range [2]int{After: s.rows.size - anchor, Before: anchor} {
		size := s.window.After
		if Side(side) == Before {
			size = s.window.Before
		}
		edge := s.edges[side]
		// One row more than is shown, to know whether there is one.
		if !edge.beyond || size >= 0 && held > size {
			continue
		}
		n = Need{Side: Side(side), From: edge.key, N: NoLimit}
		if size >= 0 {
			n.N = size + Slack(size) - held
		}
		if n.Side == Before && n.From != nil {
			n.From = s.sel.ReverseKey(nil, n.From)
		}
		return n, true
	}
	return n, false
}

// Fill takes the rows that were asked for, in the order of their side; where all were, in any
// order. more says whether there are further rows behind them.
func (s *Set) Fill(n Need, rows []*proto.Record, more bool) {
	s.now = nil
	reached := edge{beyond: more && len(rows) > 0}
	if reached.beyond {
		reached.key = s.key(rows[len(rows)-1])
	}
	s.edges[n.Side] = reached
	if len(s.held) == 0 && !s.began {
		s.fill(rows)
	} else {
		for _, row := range rows {
			s.Put(row)
		}
	}
	if !s.began {
		s.trim()
	}
}

// fill is Fill of an empty set.
func (s *Set) fill(rows []*proto.Record) {
	list := make([]*entry, 0, len(rows))
	s.held = make(map[id.EntityID]*entry, len(rows))
	sorted := true
	for _, row := range rows {
		e := &entry{s.key(row), row}
		sorted = sorted && (len(list) == 0 || bytes.Compare(list[len(list)-1].key, e.key) < 0)
		list = append(list, e)
		s.held[row.Entity] = e
	}
	if !sorted {
		sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i].key, list[j].key) < 0 })
	}
	s.rows.reset(list)
}

// End returns what changed in the visible rows since Begin.
func (s *Set) End() []Change {
	s.trim()
	changes := s.changes(s.before, s.Rows())
	s.began, s.touched, s.before = false, nil, Rows{}
	return changes
}

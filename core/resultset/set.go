package resultset

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Slack is how many rows behind its end a window of the given limit holds. Limit and slack
// together are a limit too.
func Slack(limit int) int { return min(max(16, limit/4), ankql.MaxLimit-limit) }

// Set is the ordered rows of a selection.
type Set struct {
	sel    *ankql.Selection
	follow ankql.Resolver
	rows   []entry
	held   map[id.EntityID]entry
	beyond bool // rows may exist in storage behind the last one held

	before  []*proto.Record // a window's visible rows at Begin
	changed map[id.EntityID]bool
	moved   map[id.EntityID]bool // of those that changed, the ones whose place alone did
	log     []Change             // of a set without a limit
}

type entry struct {
	key []byte
	row *proto.Record
}

// New returns the set of a selection's rows, empty, with rows to come: fill it before
// use.
func New(sel *ankql.Selection) *Set {
	return &Set{sel: sel, held: make(map[id.EntityID]entry), changed: make(map[id.EntityID]bool), beyond: true}
}

// Follow gives the set what finds the entities that its order refers to, for the rows that
// are put from now on; rows that are held keep their places. Without it, what lies behind a
// reference sorts as NULL.
func (s *Set) Follow(r ankql.Resolver) { s.follow = r }

// Kind says what happened to a row's membership.
type Kind uint8

// What can happen.
const (
	Added Kind = iota
	Updated
	Removed
)

// Change is one step from the visible rows before to those after: take the row at From
// away, unless From is negative; then put Row at To, unless To is negative.
type Change struct {
	Kind     Kind
	Entity   id.EntityID
	Row      *proto.Record // nil when Removed
	From, To int
	Same     bool // Updated, and every property reads as before: only head or standing changed
}

func (s *Set) limited() bool { return s.sel.Limit >= 0 }

func (s *Set) capacity() int { return s.sel.Limit + Slack(s.sel.Limit) }

// visible returns how many of the rows held are shown.
func (s *Set) visible() int {
	if s.limited() {
		return min(s.sel.Limit, len(s.rows))
	}
	return len(s.rows)
}

// Rows returns the visible rows in order, in a fresh slice.
func (s *Set) Rows() []*proto.Record {
	rows := make([]*proto.Record, s.visible())
	for i := range rows {
		rows[i] = s.rows[i].row
	}
	return rows
}

// Len returns how many rows are visible.
func (s *Set) Len() int { return s.visible() }

// Get returns the held row of an entity, visible or not.
func (s *Set) Get(e id.EntityID) (*proto.Record, bool) {
	held, ok := s.held[e]
	return held.row, ok
}

// Begin starts a run of changes that End reports.
func (s *Set) Begin() {
	clear(s.changed)
	clear(s.moved)
	s.log = nil
	s.before = nil
	if s.limited() {
		s.before = s.Rows()
	}
}

// Put says that a row matches the selection, as it now is. A row that is held changes its
// place where its order follows references and these lead elsewhere now.
func (s *Set) Put(row *proto.Record) {
	old, ok := s.held[row.Entity]
	if ok && old.row.Rev > row.Rev {
		return
	}
	key := s.sel.AppendSortKeyWith(nil, row, row.Entity, s.follow)
	if ok && old.row.Rev == row.Rev && bytes.Equal(old.key, key) {
		return
	}
	from := -1
	if ok {
		from = s.take(old)
		if old.row.Rev == row.Rev {
			s.move(row.Entity)
		}
	}
	to := s.search(key)
	if s.limited() && s.beyond && to == len(s.rows) {
		// Behind the last row held there may be others before this one; if the window
		// needs it, a fill will bring it.
		s.note(Change{Removed, row.Entity, nil, from, -1, false})
		return
	}
	s.rows = slices.Insert(s.rows, to, entry{key, row})
	s.held[row.Entity] = entry{key, row}
	if ok {
		s.note(Change{Updated, row.Entity, row, from, to, reads(old.row, row)})
	} else {
		s.note(Change{Added, row.Entity, row, -1, to, false})
	}
	s.trim()
}

// Remove says that an entity, as of revision rev, does not match.
func (s *Set) Remove(e id.EntityID, rev uint64) {
	old, ok := s.held[e]
	if !ok || old.row.Rev > rev {
		return
	}
	s.note(Change{Removed, e, nil, s.take(old), -1, false})
}

// move notes, for a window, that a row stands elsewhere although it did not change.
func (s *Set) move(e id.EntityID) {
	if s.moved == nil {
		s.moved = make(map[id.EntityID]bool)
	}
	s.moved[e] = true
}

// take removes a held row and returns where it was.
func (s *Set) take(held entry) int {
	i := s.search(held.key)
	s.rows = slices.Delete(s.rows, i, i+1)
	delete(s.held, held.row.Entity)
	return i
}

// search returns where key is or would be.
func (s *Set) search(key []byte) int {
	return sort.Search(len(s.rows), func(i int) bool { return bytes.Compare(s.rows[i].key, key) >= 0 })
}

// trim drops what a window need not hold.
func (s *Set) trim() {
	if !s.limited() || len(s.rows) <= s.capacity() {
		return
	}
	for _, e := range s.rows[s.capacity():] {
		delete(s.held, e.row.Entity)
	}
	clear(s.rows[s.capacity():])
	s.rows = s.rows[:s.capacity()]
	s.beyond = true
}

func (s *Set) note(c Change) {
	if s.limited() {
		s.changed[c.Entity] = true
		return
	}
	if c.From >= 0 || c.To >= 0 {
		s.log = append(s.log, c)
	}
}

// reads reports whether two records of an entity have the same properties with the same
// values.
func reads(a, b *proto.Record) bool {
	return slices.EqualFunc(a.State.Properties, b.State.Properties, func(p, q proto.PropertyState) bool {
		return p.Name == q.Name && p.Value == q.Value
	})
}

// Need returns how many rows, of those that match and sort after the given key (nil is
// the beginning), the set wants; zero if it is whole.
func (s *Set) Need() (after []byte, n int) {
	if !s.beyond || s.limited() && len(s.rows) >= s.sel.Limit {
		return nil, 0
	}
	if len(s.rows) > 0 {
		after = s.rows[len(s.rows)-1].key
	}
	if !s.limited() {
		return after, -1
	}
	return after, s.capacity() - len(s.rows)
}

// Fill takes rows that Need asked for; more says whether storage has further rows
// behind them.
func (s *Set) Fill(rows []*proto.Record, more bool) {
	s.beyond = false
	for _, row := range rows {
		s.Put(row)
	}
	s.beyond = s.beyond || more
}

// End returns what changed in the visible rows since Begin.
func (s *Set) End() []Change {
	if !s.limited() {
		return s.log
	}
	return s.diff(s.before)
}

// diff compares the visible rows before with those now. Rows that neither changed nor moved
// keep their relative order, so only rows that came, left or changed are named.
func (s *Set) diff(before []*proto.Record) []Change {
	now := s.rows[:s.visible()]
	if len(s.changed) == 0 && len(before) == len(now) {
		return nil
	}
	shown := make(map[id.EntityID]bool, len(now))
	for i := range now {
		shown[now[i].row.Entity] = true
	}
	var changes []Change
	current := make([]id.EntityID, len(before))
	old := make(map[id.EntityID]*proto.Record, len(before))
	for i, row := range before {
		current[i] = row.Entity
		old[row.Entity] = row
	}
	for i := len(current) - 1; i >= 0; i-- {
		if !shown[current[i]] {
			changes = append(changes, Change{Removed, current[i], nil, i, -1, false})
			current = slices.Delete(current, i, i+1)
		}
	}
	last := -1 // where the row placed last stands in current
	for i := range now {
		row := now[i].row
		switch was, known := old[row.Entity]; {
		case !known:
			last++
			current = slices.Insert(current, last, row.Entity)
			changes = append(changes, Change{Added, row.Entity, row, -1, last, false})
		case was != row || s.moved[row.Entity]:
			from := slices.Index(current, row.Entity)
			current = slices.Delete(current, from, from+1)
			if from <= last {
				last--
			}
			last++
			current = slices.Insert(current, last, row.Entity)
			changes = append(changes, Change{Updated, row.Entity, row, from, last, reads(was, row)})
		default:
			last++
			for current[last] != row.Entity {
				last++
			}
		}
	}
	return changes
}

// Diff returns changes that lead from one list of rows to another, for lists that do not
// come from one set: rows of one entity are the same row, and a row that keeps its place
// among the others is not named.
func Diff(before, after []*proto.Record) []Change {
	wanted := make(map[id.EntityID]bool, len(after))
	for _, row := range after {
		wanted[row.Entity] = true
	}
	var changes []Change
	old := make(map[id.EntityID]*proto.Record, len(before))
	current := make([]id.EntityID, 0, len(before))
	for i := len(before) - 1; i >= 0; i-- {
		old[before[i].Entity] = before[i]
		if !wanted[before[i].Entity] {
			changes = append(changes, Change{Removed, before[i].Entity, nil, i, -1, false})
		}
	}
	for _, row := range before {
		if wanted[row.Entity] {
			current = append(current, row.Entity)
		}
	}
	for to, row := range after {
		was, known := old[row.Entity]
		switch {
		case !known:
			current = slices.Insert(current, to, row.Entity)
			changes = append(changes, Change{Added, row.Entity, row, -1, to, false})
		case current[to] == row.Entity:
			if was.Rev != row.Rev {
				changes = append(changes, Change{Updated, row.Entity, row, to, to, reads(was, row)})
			}
		default:
			from := to + slices.Index(current[to:], row.Entity)
			current = slices.Delete(current, from, from+1)
			current = slices.Insert(current, to, row.Entity)
			changes = append(changes, Change{Updated, row.Entity, row, from, to, reads(was, row)})
		}
	}
	return changes
}

// Held returns the rows held in order, those behind a window's end included, in a fresh
// slice.
func (s *Set) Held() []*proto.Record {
	rows := make([]*proto.Record, len(s.rows))
	for i := range s.rows {
		rows[i] = s.rows[i].row
	}
	return rows
}

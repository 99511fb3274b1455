package resultset

import (
	"cmp"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

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
	Same     bool // Updated, and every property reads as before
	Restated bool // Same, and yet the row's Sync is another
}

// step is a row that is not just where it was: its positions among the rows before and after,
// negative where it is not among them.
type step struct {
	entity   id.EntityID
	from, to int
	row      *proto.Record // after
	same     bool
	other    bool // same, of another Sync
	reread   bool // of the Rev before: there is nothing to tell unless it moves
}

// changes returns what leads from the visible rows before to those after, both of this set,
// from what was touched in between. All other rows keep their order, so beside these only
// rows at the ends can have come into view or left it.
func (s *Set) changes(before, after Rows) []Change {
	var steps []step
	stays := make(map[id.EntityID]bool) // touched in vain
	for e, old := range s.touched {
		now := s.held[e]
		if unchanged(old, now) {
			stays[e] = true
			continue
		}
		st := step{entity: e, from: before.position(old), to: after.position(now)}
		if st.to >= 0 {
			st.row = now.row
			st.reread = st.from >= 0 && old.row.Rev == now.row.Rev
			if st.from >= 0 {
				st.compare(old.row)
			}
		}
		if st.from >= 0 || st.to >= 0 {
			steps = append(steps, st)
		}
	}
	touched := func(e *entry) bool {
		_, touched := s.touched[e.row.Entity]
		return touched && !stays[e.row.Entity]
	}
	before.outside(after, touched, func(i int, e *entry) {
		steps = append(steps, step{entity: e.row.Entity, from: i, to: -1})
	})
	after.outside(before, touched, func(i int, e *entry) {
		steps = append(steps, step{entity: e.row.Entity, from: -1, to: i, row: e.row})
	})
	return arrange(steps)
}

func unchanged(old, now *entry) bool {
	if old == nil || now == nil {
		return old == now
	}
	return old.row.Rev == now.row.Rev && string(old.key) == string(now.key)
}

// position returns where an entry is visible, or -1.
func (r Rows) position(e *entry) int {
	if e == nil {
		return -1
	}
	if p := r.shot.rank(e.key); r.shows(p) {
		return p - r.low
	}
	return -1
}

// outside calls f for the rows, from both ends inwards, that other holds and does not show;
// rows to skip are passed over.
func (r Rows) outside(other Rows, skip func(*entry) bool, f func(int, *entry)) {
	i := r.low
	for ; i < r.high; i++ {
		e := r.shot.at(i)
		if skip(e) {
			continue
		}
		if other.shot.rank(e.key) >= other.low {
			break
		}
		f(i-r.low, e)
	}
	for j := r.high - 1; j >= i; j-- {
		e := r.shot.at(j)
		if skip(e) {
			continue
		}
		if other.shot.rank(e.key) < other.high {
			break
		}
		f(j-r.low, e)
	}
}

// reads reports whether two records of an entity have the same properties with the same
// values.
func reads(a, b *proto.Record) bool {
	return slices.EqualFunc(a.State.Properties, b.State.Properties, func(p, q proto.PropertyState) bool {
		return p.Name == q.Name && p.Value == q.Value
	})
}

// slot is a place that a row of a step stands in before it is carried out, or after.
type slot struct {
	gap  int  // how many of the rows that stay come before it
	old  bool // before; in a gap the new ones come first
	rank int  // among the slots of its kind
}

func (a slot) compare(b slot) int {
	switch {
	case a.gap != b.gap:
		return cmp.Compare(a.gap, b.gap)
	case a.old != b.old:
		if b.old {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.rank, b.rank)
}

// arrange turns steps into changes with the positions at the time of each: first what leaves,
// from the last on, then what comes, moves or changes, from the first on. All slots, old and new, have
// one order among the rows that stay; so the position of a slot is the number of the latter
// before it and of the slots before it that are taken just then.
func arrange(steps []step) []Change {
	if len(steps) == 0 {
		return nil
	}
	changes := make([]Change, 0, len(steps))
	if st := &steps[0]; len(steps) == 1 {
		if st.reread && st.from == st.to {
			return nil
		}
		return append(changes, st.change(st.from, st.to))
	}
	order := make([]*step, len(steps))
	for i := range steps {
		order[i] = &steps[i]
	}
	slices.SortFunc(order, func(a, b *step) int { return cmp.Compare(a.from, b.from) })
	slots := make([]slot, 0, 2*len(steps))
	for _, st := range order {
		if st.from >= 0 {
			slots = append(slots, slot{st.from - len(slots), true, len(slots)})
		}
	}
	olds := len(slots)
	leaving := slices.Clone(order[len(order)-olds:]) // those with a position before, in its order
	slices.SortFunc(order, func(a, b *step) int { return cmp.Compare(a.to, b.to) })
	for _, st := range order {
		if st.to >= 0 {
			n := len(slots) - olds
			slots = append(slots, slot{st.to - n, false, n})
		}
	}
	arriving := order[len(order)-(len(slots)-olds):]
	t := newTally(slots)
	oldSlot := make(map[id.EntityID]int, olds)
	for i, st := range leaving {
		oldSlot[st.entity] = i
		t.add(i, 1)
	}
	for i, st := range slices.Backward(leaving) {
		if st.to < 0 {
			t.add(i, -1)
			changes = append(changes, st.change(t.position(i), -1))
		}
	}
	for i, st := range arriving {
		from := -1
		if st.from >= 0 {
			old := oldSlot[st.entity]
			t.add(old, -1)
			from = t.position(old)
		}
		to := t.position(olds + i)
		t.add(olds+i, 1)
		if !st.reread || from != to {
			changes = append(changes, st.change(from, to))
		}
	}
	return changes
}

// compare notes what has changed since the row was old.
func (st *step) compare(old *proto.Record) {
	st.same = reads(old, st.row)
	st.other = st.same && old.Sync != st.row.Sync
}

func (st *step) change(from, to int) Change {
	c := Change{Kind: Updated, Entity: st.entity, Row: st.row, From: from, To: to, Same: st.same, Restated: st.other}
	switch {
	case st.to < 0:
		c.Kind = Removed
	case st.from < 0:
		c.Kind = Added
	}
	return c
}

// tally counts the taken slots before each, in the order of all.
type tally struct {
	slots []slot
	place []int // of each slot in the order
	sums  []int // a Fenwick tree over the order
}

func newTally(slots []slot) *tally {
	t := &tally{slots, make([]int, len(slots)), make([]int, len(slots)+1)}
	order := make([]int, len(slots))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return slots[a].compare(slots[b]) })
	for place, i := range order {
		t.place[i] = place
	}
	return t
}

func (t *tally) add(slot, n int) {
	for i := t.place[slot] + 1; i < len(t.sums); i += i & -i {
		t.sums[i] += n
	}
}

// position returns where the row of a slot stands: n rows before it.
func (t *tally) position(slot int) (n int) {
	for i := t.place[slot]; i > 0; i -= i & -i {
		n += t.sums[i]
	}
	return n + t.slots[slot].gap
}

// Diff returns changes that lead from one list of rows to another, for lists that need not
// come from one set. It takes O(n log n); a row is named only if it came, left, changed
// (by Rev), or is not among the most rows that can keep their order.
func Diff(before, after Rows) []Change {
	if before.Len() == 0 {
		changes := make([]Change, 0, after.Len())
		for i, row := range after.All() {
			changes = append(changes, Change{Kind: Added, Entity: row.Entity, Row: row, From: -1, To: i})
		}
		return changes
	}
	was := make(map[id.EntityID]int, before.Len())
	old := make([]*proto.Record, 0, before.Len())
	for i, row := range before.All() {
		was[row.Entity] = i
		old = append(old, row)
	}
	var steps []step
	var common []step // in the order after
	for i, row := range after.All() {
		from, known := was[row.Entity]
		if !known {
			steps = append(steps, step{entity: row.Entity, from: -1, to: i, row: row})
			continue
		}
		delete(was, row.Entity)
		st := step{entity: row.Entity, from: from, to: i, row: row}
		st.compare(old[from])
		common = append(common, st)
	}
	for e, from := range was {
		steps = append(steps, step{entity: e, from: from, to: -1})
	}
	keep := ascending(common)
	for i, st := range common {
		if !keep[i] || old[st.from].Rev != st.row.Rev {
			steps = append(steps, st)
		}
	}
	return arrange(steps)
}

// ascending marks the steps of a longest run whose positions before ascend: they are those
// that need not move.
func ascending(steps []step) []bool {
	ends := make([]int, 0, len(steps)) // the last step of a best run of each length
	previous := make([]int, len(steps))
	for i, st := range steps {
		n, _ := slices.BinarySearchFunc(ends, st.from, func(end, from int) int { return cmp.Compare(steps[end].from, from) })
		previous[i] = -1
		if n > 0 {
			previous[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	keep := make([]bool, len(steps))
	if len(ends) == 0 {
		return keep
	}
	for i := ends[len(ends)-1]; i >= 0; i = previous[i] {
		keep[i] = true
	}
	return keep
}

package resultset

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// world is a table of rows that a set is held against: incremental equals recomputed.
type world struct {
	sel    *ankql.Selection
	window Window
	rows   map[id.EntityID]*proto.Record
}

// null is the year of a row without one.
const null = -1

func entity(n int) id.EntityID {
	return id.EntityID{ULID: id.Make(id.Stamp(n), [8]byte{byte(n)})}
}

func row(n int, rev uint64, year int64) *proto.Record {
	v := value.Int(year)
	if year == null {
		v = value.Null
	}
	return &proto.Record{Collection: "album", Entity: entity(n), Rev: rev, State: &proto.State{
		Properties: []proto.PropertyState{{Name: "year", Kind: 1, Value: v}},
	}}
}

// sorted returns the rows that match, in the order of their keys under s.
func (w *world) sorted(s *ankql.Selection) []*proto.Record {
	var rows []*proto.Record
	for _, r := range w.rows {
		if w.sel.Matches(r) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *proto.Record) int { return bytes.Compare(keyOf(s, a), keyOf(s, b)) })
	return rows
}

func keyOf(s *ankql.Selection, r *proto.Record) []byte { return s.AppendSortKey(nil, r, r.Entity) }

// fill gives a set what it needs, as a node would; it returns how many rows that took.
func (w *world) fill(s *Set) (scanned int) {
	for {
		n, ok := s.Need()
		if !ok {
			return scanned
		}
		sel, beyond := w.sel, func(r *proto.Record) bool { return w.window.Anchor.before(keyOf(w.sel, r)) }
		if n.Side == Before {
			sel, beyond = w.sel.Reversed(), func(r *proto.Record) bool { return !w.window.Anchor.before(keyOf(w.sel, r)) }
		}
		if n.From != nil {
			beyond = func(r *proto.Record) bool { return bytes.Compare(keyOf(sel, r), n.From) > 0 }
		}
		rows := slices.DeleteFunc(w.sorted(sel), func(r *proto.Record) bool { return !beyond(r) })
		more := n.N >= 0 && len(rows) > n.N
		if more {
			rows = rows[:n.N]
		}
		scanned += len(rows)
		s.Fill(n, rows, more)
	}
}

// want returns the visible rows, recomputed.
func (w *world) want() ([]*proto.Record, State) {
	all := w.sorted(w.sel)
	anchor := 0
	for anchor < len(all) && !w.window.Anchor.before(keyOf(w.sel, all[anchor])) {
		anchor++
	}
	low, high := 0, len(all)
	if w.window.Before >= 0 {
		low = max(0, anchor-w.window.Before)
	}
	if w.window.After >= 0 && len(all)-anchor > w.window.After {
		high = anchor + w.window.After
	}
	return all[low:high], State{anchor - low, low > 0, high < len(all)}
}

func list(r Rows) []*proto.Record {
	var rows []*proto.Record
	for i, row := range r.All() {
		if r.At(i) != row {
			panic("At and All differ")
		}
		rows = append(rows, row)
	}
	if len(rows) != r.Len() {
		panic("Len and All differ")
	}
	return rows
}

// replay applies changes as a receiver would.
func replay(rows []*proto.Record, changes []Change) []*proto.Record {
	rows = slices.Clone(rows)
	for _, c := range changes {
		if c.From >= 0 {
			if rows[c.From].Entity != c.Entity {
				panic(fmt.Sprintf("change %+v takes away %s", c, rows[c.From].Entity))
			}
			rows = slices.Delete(rows, c.From, c.From+1)
		}
		if c.To >= 0 {
			rows = slices.Insert(rows, c.To, c.Row)
		}
	}
	return rows
}

// sameRows compares what is read, since a row may have been read from storage again.
func sameRows(a, b []*proto.Record) bool {
	return slices.EqualFunc(a, b, func(a, b *proto.Record) bool { return a.Entity == b.Entity && a.Rev == b.Rev })
}

var (
	windowed = []string{"", "ORDER BY year", "ORDER BY year DESC", "year > 3 ORDER BY year NULLS FIRST", "year < 9 OR year IS NULL ORDER BY year DESC NULLS LAST", "ORDER BY id DESC", "ORDER BY year, id DESC"}
	limited  = []string{"year > 3", "year > 3 ORDER BY year", "ORDER BY year DESC LIMIT 3", "year < 8 ORDER BY year LIMIT 7",
		"LIMIT 5", "ORDER BY year LIMIT 0", "year != 4 ORDER BY year DESC LIMIT 30", "ORDER BY year LIMIT 1073741824"}
)

// random returns a random window over the world.
func (w *world) random(rnd *rand.Rand) Window {
	sizes := []int{0, 1, 2, 3, 5, 8, 20, 40, NoLimit}
	win := Window{Before: sizes[rnd.IntN(len(sizes))], After: sizes[rnd.IntN(len(sizes))]}
	switch rnd.IntN(5) {
	case 0:
	case 1:
		win.Anchor = End
	default: // of a row, perhaps none that matches
		win.Anchor = At(keyOf(w.sel, row(rnd.IntN(120), 0, rnd.Int64N(13)-1)))
	}
	return win
}

// TestIncrementalEqualsRecomputed holds R1, R2, R3, R5 and that nobody is told in vain, under
// random transactions, moves and sizes.
func TestIncrementalEqualsRecomputed(t *testing.T) {
	for seed := range uint64(250) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		texts := limited
		moving := rnd.IntN(4) > 0
		if moving {
			texts = windowed
		}
		text := texts[rnd.IntN(len(texts))]
		sel, err := ankql.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		w := &world{sel: sel, window: Whole(sel), rows: map[id.EntityID]*proto.Record{}}
		rev := uint64(1)
		for n := range 120 {
			if rnd.IntN(2) == 0 {
				r := row(n, rev, rnd.Int64N(13)-1)
				w.rows[r.Entity] = r
			}
		}
		if moving {
			w.window = w.random(rnd)
		}
		s := NewWindow(sel, w.window)
		w.fill(s)
		shown := list(s.Rows())
		for step := range 40 {
			s.Begin()
			for range rnd.IntN(7) {
				rev++
				r := row(rnd.IntN(120), rev, rnd.Int64N(13)-1)
				if rnd.IntN(4) == 0 {
					delete(w.rows, r.Entity)
					s.Remove(r.Entity, rev)
					continue
				}
				w.rows[r.Entity] = r
				if sel.Matches(r) {
					s.Put(r)
				} else {
					s.Remove(r.Entity, rev)
				}
			}
			if moving && rnd.IntN(3) == 0 {
				w.window = w.random(rnd)
				s.Move(w.window)
			}
			w.fill(s)
			changes := s.End()
			kept := shown
			shown = replay(shown, changes)
			got := list(s.Rows())
			want, state := w.want()
			if !sameRows(got, want) || !slices.EqualFunc(shown, got, func(a, b *proto.Record) bool { return a.Entity == b.Entity && a.Rev == b.Rev }) {
				t.Fatalf("seed %d %q step %d window %v: %d rows, %d by changes, want %d", seed, text, step, w.window, len(got), len(shown), len(want))
			}
			if w.window.Before != 0 || w.window.After != 0 {
				if s.Rows().State != state {
					t.Fatalf("seed %d %q step %d window %v: state %+v, want %+v", seed, text, step, w.window, s.Rows().State, state)
				}
			}
			checkMinimal(t, kept, changes)
		}
	}
}

// checkMinimal: one transaction names an entity at most once, and none that only stayed.
func checkMinimal(t *testing.T, before []*proto.Record, changes []Change) {
	t.Helper()
	seen := map[id.EntityID]bool{}
	was := map[id.EntityID]uint64{}
	for _, r := range before {
		was[r.Entity] = r.Rev
	}
	for _, c := range changes {
		if seen[c.Entity] {
			t.Fatalf("%s is named twice", c.Entity)
		}
		seen[c.Entity] = true
		if c.Kind == Updated && was[c.Entity] == c.Row.Rev {
			t.Fatalf("%s is named and did not change", c.Entity)
		}
	}
}

// A sequence of many chunks stays what a sorted list is, and its snapshots stay as they were.
func TestSequence(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	var s sequence
	var want [][]byte
	type shot struct {
		taken *snapshot
		want  [][]byte
	}
	var shots []shot
	for n := range 12_000 {
		key := []byte{byte(rnd.IntN(60)), byte(rnd.IntN(200))}
		i, found := slices.BinarySearchFunc(want, key, bytes.Compare)
		if got := s.rank(key); got != i {
			t.Fatalf("step %d: rank %d, want %d", n, got, i)
		}
		switch {
		case !found:
			s.insert(&entry{key: key})
			want = slices.Insert(want, i, key)
		case n > 6000 || rnd.IntN(3) == 0: // shrink in the end
			s.remove(key)
			want = slices.Delete(want, i, i+1)
		}
		if n%500 == 0 {
			shots = append(shots, shot{s.snapshot(), slices.Clone(want)})
		}
	}
	for i, shot := range shots {
		if shot.taken.size != len(shot.want) {
			t.Fatalf("snapshot %d has %d entries, want %d", i, shot.taken.size, len(shot.want))
		}
		n := 0
		shot.taken.from(0, shot.taken.size, func(e *entry) bool {
			if !bytes.Equal(e.key, shot.want[n]) || shot.taken.at(n) != e || shot.taken.rank(e.key) != n {
				t.Fatalf("snapshot %d differs at %d", i, n)
			}
			n++
			return true
		})
	}
	for _, c := range s.chunks {
		if len(c.entries) == 0 || len(c.entries) > maxChunk {
			t.Fatalf("a chunk of %d", len(c.entries))
		}
	}
}

// TestOlderRowChangesNothing holds R4.
func TestOlderRowChangesNothing(t *testing.T) {
	sel, _ := ankql.Parse("ORDER BY year")
	s := New(sel)
	n, _ := s.Need()
	s.Fill(n, []*proto.Record{row(1, 5, 2000)}, false)
	s.Begin()
	s.Put(row(1, 4, 1999))
	s.Remove(entity(1), 4)
	if changes := s.End(); len(changes) != 0 {
		t.Fatalf("changes %v", changes)
	}
}

// A walk through a long list by moves costs what it shows, not what it has come past; going
// back and forth over rows that are held costs nothing.
func TestMovesScanWhatTheyShow(t *testing.T) {
	sel, _ := ankql.Parse("ORDER BY year")
	w := &world{sel: sel, rows: map[id.EntityID]*proto.Record{}}
	for n := range 2000 {
		r := row(n, 1, int64(n))
		w.rows[r.Entity] = r
	}
	w.window = Window{Before: 20, After: 40}
	s := NewWindow(sel, w.window)
	w.fill(s)
	scanned := 0
	for range 60 {
		rows := s.Rows()
		s.Begin()
		w.window.Anchor = At(keyOf(sel, rows.At(rows.Anchor+15)))
		s.Move(w.window)
		scanned += w.fill(s)
		if changes := s.End(); len(changes) > 40 {
			t.Fatalf("a step of 15 rows makes %d changes", len(changes))
		}
	}
	if s.Rows().At(20).Field("year") != value.Int(900) {
		t.Fatalf("at %v after 60 steps", s.Rows().At(20).Field("year"))
	}
	if most := 60 * 15 * 2; scanned > most {
		t.Errorf("60 steps of 15 rows scanned %d, more than %d", scanned, most)
	}
	w.window.Anchor = At(keyOf(sel, row(895, 1, 895)))
	s.Begin()
	s.Move(w.window)
	if scanned := w.fill(s); scanned != 0 {
		t.Errorf("a step back over rows that are held scanned %d", scanned)
	}
	if changes := s.End(); len(changes) != 10 {
		t.Errorf("a step of 5 rows back makes %d changes", len(changes))
	}
	w.window.Anchor = At(keyOf(sel, row(1900, 1, 1900)))
	s.Begin()
	s.Move(w.window)
	if scanned := w.fill(s); scanned > 20+40+2*Slack(40) {
		t.Errorf("a jump scanned %d rows", scanned)
	}
	if s.End(); s.Rows().Len() != 60 {
		t.Errorf("%d rows after a jump", s.Rows().Len())
	}
}

func rowsOf(sel *ankql.Selection, rows []*proto.Record) Rows {
	s := New(sel)
	n, _ := s.Need()
	s.Fill(n, rows, false)
	return s.Rows()
}

// Diff leads from any list to any other, and names no more rows than have to move.
func TestDiff(t *testing.T) {
	up, _ := ankql.Parse("ORDER BY year")
	down, _ := ankql.Parse("ORDER BY year DESC")
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		var before, after []*proto.Record
		for n := range 1 + rnd.IntN(30) {
			r := row(n, 1, rnd.Int64N(40))
			if rnd.IntN(4) > 0 {
				before = append(before, r)
			}
			if rnd.IntN(6) == 0 {
				r = row(n, 2, rnd.Int64N(40))
			}
			if rnd.IntN(4) > 0 {
				after = append(after, r)
			}
		}
		to := up
		if rnd.IntN(4) == 0 {
			to = down
		}
		a, b := rowsOf(up, before), rowsOf(to, after)
		changes := Diff(a, b)
		if got := replay(list(a), changes); !sameRows(got, list(b)) {
			t.Fatalf("seed %d: %v does not lead there", seed, changes)
		}
	}
	// One row that goes from the front to the end is one change, not one of all others.
	var first, second []*proto.Record
	for n := range 100 {
		first = append(first, row(n, 1, int64(n)))
		second = append(second, row(n, 1, int64(n)))
	}
	second[0] = row(0, 2, 1000)
	if changes := Diff(rowsOf(up, first), rowsOf(up, second)); len(changes) != 1 || changes[0].From != 0 || changes[0].To != 99 {
		t.Errorf("%d changes: %+v", len(changes), changes[0])
	}
}

// large returns a set of n rows, of which as many have each year as fit.
func large(b testing.TB, n int) (*Set, *ankql.Selection) {
	sel, err := ankql.Parse("ORDER BY year")
	if err != nil {
		b.Fatal(err)
	}
	rows := make([]*proto.Record, n)
	for i := range rows {
		rows[i] = row(i, 1, int64(i))
		rows[i].Entity = id.EntityID{ULID: id.Make(id.Stamp(i), [8]byte{byte(i), byte(i >> 8), byte(i >> 16)})}
	}
	s := New(sel)
	need, _ := s.Need()
	s.Fill(need, rows, false)
	return s, sel
}

// TestWorkFollowsTheChange holds R6: what a change of one row copies does not grow with the
// rows held, but for the list of chunks.
func TestWorkFollowsTheChange(t *testing.T) {
	work := func(n int) float64 {
		s, _ := large(t, n)
		rev := uint64(1)
		return testing.AllocsPerRun(50, func() {
			rev++
			r := *s.held[s.rows.first().row.Entity].row
			r.Rev = rev
			s.Begin()
			s.Put(&r)
			if len(s.End()) != 1 {
				t.Fatal("not one change")
			}
		})
	}
	if few, many := work(1000), work(50_000); many > few+2 {
		t.Errorf("%v allocations among 1,000 rows, %v among 50,000", few, many)
	}
}

func BenchmarkChange(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		for _, size := range []int{1, 1000} {
			if size > n {
				continue
			}
			b.Run(fmt.Sprintf("rows=%d/changed=%d", n, size), func(b *testing.B) {
				s, _ := large(b, n)
				rnd := rand.New(rand.NewPCG(1, 1))
				all := list(s.Rows())
				rev := uint64(1)
				b.ReportAllocs()
				for b.Loop() {
					s.Begin()
					for range size {
						rev++
						old := all[rnd.IntN(len(all))]
						r := &proto.Record{Collection: "album", Entity: old.Entity, Rev: rev, State: &proto.State{
							Properties: []proto.PropertyState{{Name: "year", Kind: 1, Value: value.Int(rnd.Int64N(int64(n)))}},
						}}
						s.Put(r)
					}
					s.End()
				}
			})
		}
	}
}

func BenchmarkFill(b *testing.B) {
	s, sel := large(b, 100_000)
	rows := list(s.Rows())
	b.ReportAllocs()
	for b.Loop() {
		s := New(sel)
		n, _ := s.Need()
		s.Fill(n, rows, false)
	}
}

func BenchmarkDiff(b *testing.B) {
	s, _ := large(b, 100_000)
	before := s.Rows()
	rnd := rand.New(rand.NewPCG(1, 1))
	for i, r := range list(before) {
		if i%100 == 0 {
			c := *r
			c.Rev++
			c.State = row(0, 0, rnd.Int64N(100_000)).State
			s.Put(&c)
		}
	}
	after := s.Rows()
	b.ReportAllocs()
	for b.Loop() {
		Diff(before, after)
	}
}

// BenchmarkRefill takes a row out of a full window again and again, so that it is filled from
// behind.
func BenchmarkRefill(b *testing.B) {
	for _, limit := range []int{50, 1000} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			s, sel := large(b, 100_000)
			all := list(s.Rows())
			w := NewWindow(sel, Window{After: limit})
			fill := func() {
				for n, ok := w.Need(); ok; n, ok = w.Need() {
					at := 0
					if n.From != nil {
						at = int(math.Min(float64(s.rows.rank(n.From)+1), float64(len(all))))
					}
					w.Fill(n, all[at:min(at+n.N, len(all))], at+n.N < len(all))
				}
			}
			fill()
			b.ReportAllocs()
			for b.Loop() {
				if w.Rows().Len() < limit {
					b.StopTimer()
					w = NewWindow(sel, Window{After: limit})
					fill()
					b.StartTimer()
				}
				w.Begin()
				w.Remove(w.Rows().At(0).Entity, 1)
				fill()
				w.End()
			}
		})
	}
}

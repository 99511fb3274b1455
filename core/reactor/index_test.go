package reactor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/storage/plan"
)

// heard is a touch as a watcher hears it.
type heard struct {
	watch, change int
	before, after bool
}

type recorder struct {
	number int
	log    *[]heard
	tx     **Transaction
}

func (r *recorder) Touch(_ *Watch, c *Change, before, after bool) {
	for i := range (*r.tx).Changes {
		if c == &(*r.tx).Changes[i] {
			*r.log = append(*r.log, heard{r.number, i, before, after})
		}
	}
}
func (r *recorder) Settle(*Transaction) {}

// bruteForce is what watchers hear if every predicate is evaluated for every change.
func bruteForce(watches map[int]*Watch, t *Transaction) (want []heard) {
	for i := range t.Changes {
		c := &t.Changes[i]
		for number, w := range watches {
			before := c.Before != nil && w.where.Matches(c.Before)
			after := c.After != nil && w.where.Matches(c.After)
			if before || after {
				want = append(want, heard{number, i, before, after})
			}
		}
	}
	slices.SortFunc(want, func(a, b heard) int {
		if a.change != b.change {
			return a.change - b.change
		}
		return a.watch - b.watch
	})
	return want
}

// R1, and that nothing else is told, while watches come and go.
func TestIndexEqualsBruteForce(t *testing.T) {
	candidates, evaluated := 0, 0
	for seed := range uint64(300) {
		w := newWorld(seed)
		var r Reactor
		var log []heard
		var tx *Transaction
		watches := map[int]*Watch{}
		for step := range 60 {
			switch w.IntN(5) {
			case 0, 1:
				watches[step] = r.Watch("album", w.selection(t), &recorder{step, &log, &tx})
			case 2:
				for n, watch := range watches { // any of them
					watch.Stop()
					delete(watches, n)
					break
				}
			default:
				tx = &Transaction{}
				for range 1 + w.IntN(3) {
					tx.Changes = append(tx.Changes, w.change())
				}
				log = nil
				r.Publish(tx)
				if want := bruteForce(watches, tx); !slices.Equal(log, want) {
					t.Fatalf("seed %d, step %d: %v is told, want %v", seed, step, log, want)
				}
				if ix := r.mu.plain["album"]; ix != nil {
					c := &tx.Changes[0]
					found := r.search.candidates(ix, c.Before, c.After, nil)
					candidates += len(found)
					evaluated += len(watches)
				}
			}
		}
		for _, watch := range watches {
			watch.Stop()
		}
		if r.Count() != 0 || len(r.mu.plain) != 0 {
			t.Fatalf("seed %d: %d watches are left", seed, r.Count())
		}
	}
	if candidates*4 > evaluated*3 {
		t.Errorf("of %d watches %d are candidates: the index finds little", evaluated, candidates)
	}
}

// When all watches are gone nothing is left of them.
func TestIndexForgets(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(seed)
		ix := newIndex()
		var watches []*Watch
		for n := range 40 {
			watch := &Watch{where: w.selection(t), seq: uint64(n + 1)}
			ix.add(watch)
			watches = append(watches, watch)
		}
		w.Shuffle(len(watches), func(i, j int) { watches[i], watches[j] = watches[j], watches[i] })
		for i, watch := range watches {
			ix.remove(watch)
			for path, sh := range ix.shelves {
				for _, b := range sh.points {
					if len(b) == 0 || slices.Contains(b, watch) || !slices.IsSortedFunc(b, bySeq) {
						t.Fatalf("seed %d: %s has the bucket %v", seed, path, b)
					}
				}
				sh.ranges.check(t)
			}
			if ix.size != len(watches)-i-1 {
				t.Fatalf("seed %d: %d watches are left", seed, ix.size)
			}
		}
		if len(ix.shelves) != 0 || len(ix.always) != 0 {
			t.Fatalf("seed %d: left are %v and %v", seed, ix.shelves, ix.always)
		}
	}
}

// Of a thousand watches of one shape, a change finds those that it can concern and few
// others.
func TestCandidatesAreFew(t *testing.T) {
	const watches = 1000
	for _, tc := range []struct {
		text   string
		params func(n int) []any
		most   int
	}{
		{"year = ?", func(n int) []any { return []any{n} }, 1},
		{"id = ?", func(n int) []any { return []any{entity(n)} }, 1},
		{"meta.n = ?", func(n int) []any { return []any{n} }, 1},
		{"year = ? OR year = ?", func(n int) []any { return []any{n, n + 1} }, 2},
		{"year = ? OR name = ?", func(n int) []any { return []any{n, fmt.Sprint(n)} }, 2},
		{"year IN (?, ?)", func(n int) []any { return []any{n, n + 1} }, 2},
		{"year BETWEEN ? AND ?", func(n int) []any { return []any{n, n + 2} }, 3},
		{"year > ? AND year < ?", func(n int) []any { return []any{n - 2, n + 2} }, 3},
		{"name LIKE ?", func(n int) []any { return []any{fmt.Sprintf("%04d%%", n)} }, 1},
		{"name = ? AND year IS NULL", func(n int) []any { return []any{fmt.Sprint(n)} }, 1},
		// What all have in common does not find them: what tells them apart does.
		{"live = TRUE AND name = ?", func(n int) []any { return []any{fmt.Sprint(n)} }, 2},
		{"year > 0 AND name = ?", func(n int) []any { return []any{fmt.Sprint(n)} }, 2},
		{"NOT (live = FALSE OR name != ?)", func(n int) []any { return []any{fmt.Sprint(n)} }, 2},
	} {
		ix := newIndex()
		for n := range watches {
			ix.add(&Watch{where: selection(t, tc.text, tc.params(n)...), seq: uint64(n + 1)})
		}
		var s search
		meta := newWorld(1).JSON()
		found := s.candidates(ix, nil, record(500, "year", 500, "name", "0500", "live", trueValue, "meta", meta), nil)
		byName := s.candidates(ix, nil, record(1001, "name", "500", "live", trueValue), nil)
		if max(len(found), len(byName)) > tc.most+1 { // one that came first lies in a place that the others left
			t.Errorf("%s: %d and %d candidates, want at most %d", tc.text, len(found), len(byName), tc.most)
		}
		if len(ix.always) > 0 {
			t.Errorf("%s: %d are held against every change", tc.text, len(ix.always))
		}
	}
}

func (t *intervals) check(tb testing.TB) {
	tb.Helper()
	n := 0
	var walk func(x *interval)
	walk = func(x *interval) {
		if x == nil {
			return
		}
		n++
		greatest := x.High
		for _, child := range []*interval{x.left, x.right} {
			if child == nil {
				continue
			}
			if child.priority > x.priority {
				tb.Fatal("a child has priority over its parent")
			}
			if compareHigh(child.greatest, greatest) > 0 {
				greatest = child.greatest
			}
		}
		if compareHigh(greatest, x.greatest) != 0 {
			tb.Fatalf("the greatest upper bound is %x, not %x", greatest, x.greatest)
		}
		if x.left != nil && x.left.compare(x) >= 0 || x.right != nil && x.right.compare(x) <= 0 {
			tb.Fatal("intervals are out of order")
		}
		walk(x.left)
		walk(x.right)
	}
	walk(t.root)
	if n != t.count {
		tb.Fatalf("%d intervals are counted, and %d there", t.count, n)
	}
}

func TestIntervalsEqualBruteForce(t *testing.T) {
	type entry struct {
		plan.Range
		watch *Watch
	}
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var tree intervals
		var all []entry
		bound := func() []byte {
			b := make([]byte, 1+rng.IntN(2))
			for i := range b {
				b[i] = byte(rng.IntN(12))
			}
			return b
		}
		for step := range 300 {
			if rng.IntN(3) > 0 || len(all) == 0 {
				e := entry{plan.Range{Low: bound(), High: append(bound(), 0xff)}, &Watch{seq: uint64(step)}}
				if rng.IntN(5) == 0 {
					e.High = nil
				}
				if rng.IntN(5) == 0 && len(all) > 0 {
					e.watch = all[rng.IntN(len(all))].watch // another range of the same watch
				}
				if slices.ContainsFunc(all, func(x entry) bool {
					return x.watch == e.watch && string(x.Low) == string(e.Low) && compareHigh(x.High, e.High) == 0
				}) {
					continue
				}
				all = append(all, e)
				tree.insert(e.Range, e.watch)
				if rng.IntN(10) == 0 {
					tree.insert(e.Range, e.watch) // once is enough
				}
			} else {
				i := rng.IntN(len(all))
				tree.remove(all[i].Range, all[i].watch)
				all = slices.Delete(all, i, i+1)
				tree.remove(plan.Range{Low: []byte{77}}, &Watch{})
			}
			tree.check(t)
			key := bound()
			want := map[*Watch]int{}
			for _, e := range all {
				if e.Contains(key) {
					want[e.watch]++
				}
			}
			tree.containing(key, func(w *Watch) { want[w]-- })
			for w, n := range want {
				if n != 0 {
					t.Fatalf("seed %d: watch %d is found %d times too few", seed, w.seq, n)
				}
			}
		}
	}
}

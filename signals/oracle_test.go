package signals_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/signals"
)

// network is a random graph of cells and derived values, with the plain functions that
// say what each value has to be.
type network struct {
	cells   []*signals.Cell[int]
	derived []*signals.Derived[int]
	oracle  []func() int // of the cells, then of the derived values
}

func newNetwork(r *rand.Rand, cells, derived int) *network {
	n := &network{}
	for range cells {
		c := signals.NewCell(r.IntN(5))
		n.cells = append(n.cells, c)
		n.oracle = append(n.oracle, c.Get)
	}
	for range derived {
		n.addDerived(r)
	}
	return n
}

// addDerived adds a value over earlier ones: a condition chooses what it reads, so that
// its dependencies change, and a small modulus makes equal values frequent.
func (n *network) addDerived(r *rand.Rand) {
	pick := func() (func(*signals.Tracker) int, func() int) {
		i := r.IntN(len(n.oracle))
		if i < len(n.cells) {
			return n.cells[i].Track, n.oracle[i]
		}
		return n.derived[i-len(n.cells)].Track, n.oracle[i]
	}
	condition, conditionNow := pick()
	a, aNow := pick()
	b, bNow := pick()
	modulus := 2 + r.IntN(5)
	compute := func(t *signals.Tracker) int {
		if condition(t)%2 == 0 {
			return (a(t) + 1) % modulus
		}
		return (a(t)*3 + b(t)) % modulus
	}
	if r.IntN(2) == 0 {
		n.derived = append(n.derived, signals.NewDistinct(compute))
	} else {
		n.derived = append(n.derived, signals.NewDerived(compute))
	}
	n.oracle = append(n.oracle, func() int {
		if conditionNow()%2 == 0 {
			return (aNow() + 1) % modulus
		}
		return (aNow()*3 + bNow()) % modulus
	})
}

// watcher is an effect over a few derived values, and what it saw last.
type watcher struct {
	of   []int
	seen []int
	runs int
	stop func()
}

func (n *network) watch(r *rand.Rand) *watcher {
	w := &watcher{}
	for range 1 + r.IntN(3) {
		w.of = append(w.of, r.IntN(len(n.derived)))
	}
	w.stop = signals.Effect(func(t *signals.Tracker) {
		w.runs++
		w.seen = w.seen[:0]
		for _, i := range w.of {
			w.seen = append(w.seen, n.derived[i].Track(t))
		}
	})
	return w
}

// After every step of a random history, every value and everything that an effect has
// seen is what plain functions compute from the cells, and no effect ran twice.
func TestRandomHistoriesAgreeWithPlainFunctions(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := newNetwork(r, 1+r.IntN(5), 1+r.IntN(12))
		var watchers []*watcher
		for step := range 60 {
			for _, w := range watchers {
				w.runs = 0
			}
			switch r.IntN(6) {
			case 0:
				watchers = append(watchers, n.watch(r))
				watchers[len(watchers)-1].runs = 0
			case 1:
				if len(watchers) > 0 {
					i := r.IntN(len(watchers))
					watchers[i].stop()
					watchers = slices.Delete(watchers, i, i+1)
				}
			case 2:
				signals.Batch(func() {
					for range 1 + r.IntN(4) {
						n.cells[r.IntN(len(n.cells))].Set(r.IntN(5))
					}
				})
			default:
				n.cells[r.IntN(len(n.cells))].Set(r.IntN(5))
			}
			if err := n.verify(r, watchers); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
		for _, w := range watchers {
			w.stop()
		}
	}
}

func (n *network) verify(r *rand.Rand, watchers []*watcher) error {
	for _, w := range watchers {
		if w.runs > 1 {
			return fmt.Errorf("an effect ran %d times in one step", w.runs)
		}
		for k, i := range w.of {
			if want := n.oracle[len(n.cells)+i](); w.seen[k] != want {
				return fmt.Errorf("an effect saw %d for value %d, which is %d", w.seen[k], i, want)
			}
		}
	}
	for i, d := range n.derived {
		if r.IntN(2) == 0 {
			continue // values that nobody asks for must not go stale either
		}
		if got, want := d.Get(), n.oracle[len(n.cells)+i](); got != want {
			return fmt.Errorf("value %d is %d, want %d", i, got, want)
		}
	}
	return nil
}

// Many goroutines write, read and observe at once; what they read is never half-changed,
// and when they have ended everything agrees.
func TestConcurrentUse(t *testing.T) {
	a, b := signals.NewCell(0), signals.NewCell(0)
	left := signals.NewDerived(func(t *signals.Tracker) int { return a.Track(t) + b.Track(t) })
	right := signals.NewDistinct(func(t *signals.Tracker) int { return a.Track(t) - b.Track(t) })
	both := signals.NewDerived(func(t *signals.Tracker) [2]int { return [2]int{left.Track(t), right.Track(t)} })
	consistent := func(v [2]int) bool { return (v[0]+v[1])%2 == 0 } // left+right is 2a

	var workers sync.WaitGroup
	for g := range 4 {
		workers.Go(func() {
			for i := range 300 {
				switch (g + i) % 4 {
				case 0:
					a.Update(func(v int) int { return v + 1 })
				case 1:
					signals.Batch(func() { a.Set(i); b.Set(i) })
				case 2:
					if v := both.Get(); !consistent(v) {
						t.Errorf("read half-changed: %v", v)
					}
				case 3:
					stop := signals.Effect(func(tr *signals.Tracker) {
						if v := both.Track(tr); !consistent(v) {
							t.Errorf("seen half-changed: %v", v)
						}
					})
					b.Set(i)
					stop()
				}
			}
		})
	}
	var last [2]int
	stop := signals.Effect(func(tr *signals.Tracker) { last = both.Track(tr) })
	workers.Wait()
	b.Update(func(v int) int { return v }) // nothing else runs effects now
	stop()
	if want := [2]int{a.Get() + b.Get(), a.Get() - b.Get()}; last != want || both.Get() != want {
		t.Errorf("at rest the effect has seen %v and a reader sees %v, want %v", last, both.Get(), want)
	}
}

func BenchmarkSetWithOneSubscriber(b *testing.B) {
	cell := signals.NewCell(0)
	double := signals.NewDerived(func(t *signals.Tracker) int { return 2 * cell.Track(t) })
	defer signals.Subscribe(double, func(int) {})()
	b.ReportAllocs()
	for i := range b.N {
		cell.Set(i)
	}
}

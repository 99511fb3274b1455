package signals_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/signals"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// heard collects what a subscription is told.
type heard[T any] struct {
	sync.Mutex
	values []T
}

func (h *heard[T]) hear(value T) {
	h.Lock()
	defer h.Unlock()
	h.values = append(h.values, value)
}

func (h *heard[T]) want(t *testing.T, values ...T) {
	t.Helper()
	h.Lock()
	defer h.Unlock()
	if len(values) != len(h.values) || len(values) > 0 && !reflect.DeepEqual(h.values, values) {
		t.Errorf("heard %v, want %v", h.values, values)
	}
}

func TestSubscriberIsCalledOncePerSetAndSeesTheNewValue(t *testing.T) {
	cell := signals.NewCell(1)
	var h heard[int]
	stop := signals.Subscribe(cell, func(value int) {
		h.hear(value)
		h.hear(cell.Get())
	})
	defer stop()
	h.want(t)
	cell.Set(2)
	h.want(t, 2, 2)
	cell.Set(2) // the same value is told too
	h.want(t, 2, 2, 2, 2)
	cell.Update(func(v int) int { return v + 1 })
	h.want(t, 2, 2, 2, 2, 3, 3)
}

func TestStoppedSubscriberIsNotCalledTheOtherIs(t *testing.T) {
	var cell signals.Cell[string]
	var a, b heard[string]
	stopA := signals.Subscribe(&cell, a.hear)
	stopB := signals.Subscribe(&cell, b.hear)
	cell.Set("both")
	stopA()
	stopA()
	cell.Set("b only")
	stopB()
	cell.Set("nobody")
	a.want(t, "both")
	b.want(t, "both", "b only")
}

func TestWait(t *testing.T) {
	cell := signals.NewCell(1)
	over := func(n int) func(int) bool { return func(v int) bool { return v > n } }

	if got, err := signals.Wait(t.Context(), cell, over(0)); got != 1 || err != nil {
		t.Errorf("already true: %d, %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := signals.Wait(ended, cell, over(0)); got != 1 || err != nil {
		t.Errorf("already true, with a context that has ended: %d, %v", got, err)
	}
	if _, err := signals.Wait(ended, cell, over(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("never true: %v, want the context's error", err)
	}

	result := make(chan int)
	derived := signals.NewDistinct(func(t *signals.Tracker) int { return cell.Track(t) * 10 })
	go func() {
		got, _ := signals.Wait(context.Background(), derived, over(25))
		result <- got
	}()
	for v := 2; ; v++ { // the waiter may come late, and then sees a later value
		cell.Set(v)
		select {
		case got := <-result:
			if got <= 25 {
				t.Errorf("returned %d", got)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}

func TestMapKeepsNothing(t *testing.T) {
	cell := signals.NewCell(2)
	calls := 0
	text := signals.Map(cell, func(v int) string { calls++; return strconv.Itoa(v) })
	for want := range 3 {
		if got := text.Get(); got != "2" || calls != want+1 {
			t.Errorf("%q after %d calls, want one call for each reading", got, calls)
		}
	}
	var h heard[string]
	defer signals.Subscribe(text, h.hear)()
	cell.Set(3)
	h.want(t, "3")
}

func TestDerivedComputesOnceUntilItsSourcesChange(t *testing.T) {
	for _, observed := range []bool{false, true} {
		t.Run(fmt.Sprintf("observed=%v", observed), func(t *testing.T) {
			cell, other := signals.NewCell(1), signals.NewCell(0)
			calls := 0
			double := signals.NewDerived(func(t *signals.Tracker) int { calls++; return 2 * cell.Track(t) })
			if calls != 0 {
				t.Error("computed before somebody asked")
			}
			if observed {
				defer signals.Subscribe(double, func(int) {})()
			}
			for range 3 {
				if got := double.Get(); got != 2 || calls != 1 {
					t.Errorf("%d after %d computations", got, calls)
				}
			}
			other.Set(1)
			if double.Get(); calls != 1 {
				t.Error("computed again for a cell that it does not read")
			}
			cell.Set(2)
			if got := double.Get(); got != 4 || calls != 2 {
				t.Errorf("%d after %d computations", got, calls)
			}
		})
	}
}

func TestDependenciesAreThoseOfTheLastRun(t *testing.T) {
	useA, a, b := signals.NewCell(true), signals.NewCell("a"), signals.NewCell("b")
	runs := 0
	var o *signals.Observer
	draw := func(t *signals.Tracker) {
		runs++
		if useA.Track(t) {
			a.Track(t)
			a.Track(t)
		} else {
			b.Track(t)
		}
	}
	o = signals.NewObserver(func() { o.Run(draw) })
	defer o.Close()
	o.Run(draw)
	steps := []struct {
		name string
		do   func()
		runs int
	}{
		{"b is not read yet", func() { b.Set("b2") }, 1},
		{"a is", func() { a.Set("a2") }, 2},
		{"the branch turns", func() { useA.Set(false) }, 3},
		{"a is not read any more", func() { a.Set("a3") }, 3},
		{"b is", func() { b.Set("b3") }, 4},
	}
	for _, s := range steps {
		s.do()
		if runs != s.runs || o.Watched() != 2 {
			t.Errorf("%s: %d runs, want %d; %d values watched, want 2", s.name, runs, s.runs, o.Watched())
		}
	}
	o.Close()
	b.Set("b4")
	if runs != 4 || o.Watched() != 0 {
		t.Errorf("after Close: %d runs, %d values watched", runs, o.Watched())
	}
}

func TestReadingWithoutTrackingMakesNoDependency(t *testing.T) {
	tracked, peeked := signals.NewCell(1), signals.NewCell(10)
	sum := signals.NewDerived(func(t *signals.Tracker) int { return tracked.Track(t) + peeked.Get() })
	var h heard[int]
	defer signals.Subscribe(sum, h.hear)()
	peeked.Set(20)
	h.want(t)
	tracked.Set(2)
	h.want(t, 22)
}

func TestNestedObserversEachWatchWhatTheyRead(t *testing.T) {
	cells := []*signals.Cell[int]{signals.NewCell(0), signals.NewCell(0), signals.NewCell(0)}
	var told [3]int
	observers := make([]*signals.Observer, 3)
	for i := range observers {
		observers[i] = signals.NewObserver(func() { told[i]++ })
		defer observers[i].Close()
	}
	late := signals.NewCell(0)
	observers[0].Run(func(outer *signals.Tracker) {
		cells[0].Track(outer)
		observers[1].Run(func(middle *signals.Tracker) {
			cells[1].Track(middle)
			observers[2].Run(func(inner *signals.Tracker) { cells[2].Track(inner) })
		})
		late.Track(outer) // after the inner ones have finished
	})
	for i, cell := range cells {
		told = [3]int{}
		cell.Set(1)
		var want [3]int
		want[i] = 1
		if told != want {
			t.Errorf("cell %d: told %v, want %v", i, told, want)
		}
	}
	observers[1].Close() // from the middle
	told = [3]int{}
	for _, cell := range append(cells, late) {
		cell.Set(2)
	}
	if want := [3]int{2, 0, 1}; told != want {
		t.Errorf("after the middle one is closed: told %v, want %v", told, want)
	}
}

func TestObserverThatPanicsWatchesWhatItHasRead(t *testing.T) {
	cell := signals.NewCell(0)
	told := 0
	o := signals.NewObserver(func() { told++ })
	defer o.Close()
	if cause := panics(func() { o.Run(func(t *signals.Tracker) { cell.Track(t); panic("drawing") }) }); cause != "drawing" {
		t.Errorf("Run panicked with %v", cause)
	}
	cell.Set(1)
	if told != 1 || o.Watched() != 1 {
		t.Errorf("told %d times, %d watched", told, o.Watched())
	}
	o.Run(func(t *signals.Tracker) {}) // the observer is as usable as before
	if o.Watched() != 0 {
		t.Errorf("%d watched after a run that reads nothing", o.Watched())
	}
}

func TestObserverIsToldOfEveryChangeUntilItRunsAgain(t *testing.T) {
	cell := signals.NewCell(0)
	told := 0
	o := signals.NewObserver(func() { told++ })
	defer o.Close()
	o.Run(func(t *signals.Tracker) { cell.Track(t) })
	cell.Set(1)
	cell.Set(2)
	if told != 2 {
		t.Errorf("told %d times of two changes", told)
	}
}

func TestBatchRunsEffectsOnceAndAfterAllWrites(t *testing.T) {
	a, b := signals.NewCell(1), signals.NewCell(2)
	sum := signals.NewDistinct(func(t *signals.Tracker) int { return a.Track(t) + b.Track(t) })
	var h heard[int]
	defer signals.Subscribe(sum, h.hear)()
	signals.Batch(func() {
		a.Set(10)
		signals.Batch(func() { b.Set(20) })
		h.want(t)
		if sum.Get() != 30 {
			t.Error("values read within the batch are not those written so far")
		}
	})
	h.want(t, 30)
	signals.Batch(func() { a.Set(20); b.Set(10) }) // the sum is as before
	h.want(t, 30)
	if cause := panics(func() { signals.Batch(func() { a.Set(0); panic("inside") }) }); cause != "inside" {
		t.Errorf("the batch panicked with %v", cause)
	}
	h.want(t, 30, 10)
}

func TestDiamondIsSeenWhole(t *testing.T) {
	root := signals.NewCell(1)
	left := signals.NewDerived(func(t *signals.Tracker) int { return root.Track(t) + 1 })
	right := signals.NewDerived(func(t *signals.Tracker) int { return root.Track(t) * 10 })
	runs := 0
	stop := signals.Effect(func(tr *signals.Tracker) {
		runs++
		r, l, rt := root.Track(tr), left.Track(tr), right.Track(tr)
		if l != r+1 || rt != r*10 {
			t.Errorf("seen half-changed: %d, %d, %d", r, l, rt)
		}
	})
	defer stop()
	for i := range 5 {
		root.Set(i)
	}
	if runs != 6 {
		t.Errorf("%d runs, want one at first and one for each write", runs)
	}
}

func TestDistinctStopsAChangeThatChangesNothing(t *testing.T) {
	cell := signals.NewCell(1)
	odd := signals.NewDistinct(func(t *signals.Tracker) bool { return cell.Track(t)%2 == 1 })
	calls := 0
	text := signals.NewDerived(func(t *signals.Tracker) string { calls++; return strconv.FormatBool(odd.Track(t)) })
	var h heard[string]
	defer signals.Subscribe(text, h.hear)()
	cell.Set(3)
	cell.Set(5)
	if calls != 1 {
		t.Errorf("%d computations behind a value that stays", calls)
	}
	cell.Set(6)
	h.want(t, "false")
}

func TestPanicInADerivedValueReachesTheReaderAndIsTriedAgain(t *testing.T) {
	for _, observed := range []bool{false, true} {
		cell := signals.NewCell(0)
		inverse := signals.NewDerived(func(t *signals.Tracker) int { return 10 / cell.Track(t) })
		var h heard[any]
		if observed {
			defer signals.Effect(func(t *signals.Tracker) {
				h.hear(panics(func() { inverse.Track(t) }) != nil)
				cell.Track(t)
			})()
		}
		for range 2 {
			if panics(func() { inverse.Get() }) == nil {
				t.Error("a division by zero went unnoticed")
			}
		}
		cell.Set(5)
		if got := inverse.Get(); got != 2 {
			t.Errorf("after its source was mended: %d", got)
		}
		cell.Set(0)
		if panics(func() { inverse.Get() }) == nil {
			t.Error("the old value is shown for a computation that fails")
		}
		if observed {
			h.want(t, true, false, true)
		}
	}
}

func TestPanicOfAnEffectReachesTheWriterAfterTheOthersHaveRun(t *testing.T) {
	cell := signals.NewCell(0)
	defer signals.Subscribe(cell, func(int) { panic("effect") })()
	var h heard[int]
	defer signals.Subscribe(cell, h.hear)()
	for i := range 2 {
		if cause := panics(func() { cell.Set(i) }); cause != "effect" {
			t.Errorf("Set panicked with %v", cause)
		}
	}
	h.want(t, 0, 1)
}

func TestEffectThatPanicsAtOnceIsNotRunAgain(t *testing.T) {
	cell := signals.NewCell(0)
	runs := 0
	panics(func() { signals.Effect(func(t *signals.Tracker) { runs++; cell.Track(t); panic("at once") }) })
	cell.Set(1)
	if runs != 1 {
		t.Errorf("%d runs of an effect that nobody can stop", runs)
	}
}

func TestEffectsMayWriteAndComeToRest(t *testing.T) {
	celsius, fahrenheit := signals.NewCell(0), signals.NewCell(0)
	defer signals.Effect(func(t *signals.Tracker) { fahrenheit.Set(celsius.Track(t)*9/5 + 32) })()
	var h heard[int]
	defer signals.Subscribe(fahrenheit, h.hear)()
	celsius.Set(100)
	h.want(t, 212)

	counter := signals.NewCell(0)
	defer signals.Effect(func(t *signals.Tracker) {
		if v := counter.Track(t); v < 10 {
			counter.Set(v + 1)
		}
	})()
	if got := counter.Get(); got != 10 {
		t.Errorf("the effect rests at %d, want 10", got)
	}
}

func TestEffectThatNeverRestsPanicsInsteadOfHanging(t *testing.T) {
	cell := signals.NewCell(0)
	cause := panics(func() {
		defer signals.Effect(func(t *signals.Tracker) { cell.Set(cell.Track(t) + 1) })()
	})
	if text, _ := cause.(string); !strings.Contains(text, "keep writing what they read") {
		t.Errorf("panicked with %v", cause)
	}
}

func TestCyclePanicsInsteadOfHanging(t *testing.T) {
	var a, b *signals.Derived[int]
	a = signals.NewDerived(func(t *signals.Tracker) int { return b.Track(t) })
	b = signals.NewDerived(func(t *signals.Tracker) int { return a.Track(t) })
	if text, _ := panics(func() { a.Get() }).(string); !strings.Contains(text, "depends on itself") {
		t.Errorf("panicked with %q", text)
	}
}

func TestStopWithinTheEffect(t *testing.T) {
	cell := signals.NewCell(0)
	runs := 0
	var stop func()
	stop = signals.Effect(func(t *signals.Tracker) {
		runs++
		if cell.Track(t) == 1 {
			stop()
		}
	})
	cell.Set(1)
	cell.Set(2)
	if runs != 2 {
		t.Errorf("%d runs, want none after it stopped itself", runs)
	}
}

// panics returns what f panics with.
func panics(f func()) (cause any) {
	defer func() { cause = recover() }()
	f()
	return nil
}

func Example() {
	year := signals.NewCell(1999)
	era := signals.NewDistinct(func(t *signals.Tracker) string {
		if year.Track(t) < 2000 {
			return "the nineties"
		}
		return "the noughties"
	})
	stop := signals.Effect(func(t *signals.Tracker) { fmt.Println("It is", era.Track(t)) })
	defer stop()

	year.Set(1998) // the era is the same
	signals.Batch(func() {
		year.Set(2000)
		year.Set(2001)
	})
	// Output:
	// It is the nineties
	// It is the noughties
}

package id

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The monotone rule: a stamp is greater than what it comes after and than all before it,
// whatever the wall clock and its correction do in between.
func TestNextIsGreaterThanEverythingBefore(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			var c HLC
			var greatest Stamp
			for range 300 {
				after := Stamp(0)
				switch rng.IntN(6) {
				case 0:
					time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Millisecond))))
				case 1: // the clock is set, forward or back by up to a day
					c.SetOffset(time.Duration(rng.Int64N(int64(48*time.Hour))) - 24*time.Hour)
				case 2: // another node runs ahead
					greatest = max(greatest, greatest+Stamp(rng.Uint64N(1<<20)))
					c.Observe(greatest)
				case 3:
					after = greatest + Stamp(rng.Uint64N(1<<20))
				case 4:
					after = Stamp(rng.Uint64N(uint64(greatest) + 1))
				}
				s := c.Next(after)
				if s <= greatest || s <= after {
					t.Fatalf("seed %d: %x after %x, when %x was known", seed, s, after, greatest)
				}
				greatest = s
			}
		})
	}
}

// Within one millisecond the counter grows; beyond 16 bits it runs into the next.
func TestCounterOverflowRunsIntoTheNextMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c HLC
		first := c.Next(0)
		if first != StampAt(time.Now()) {
			t.Fatalf("the first stamp is %x, want %x", first, StampAt(time.Now()))
		}
		last := first
		for range 1 << 16 {
			next := c.Next(0)
			if next != last+1 {
				t.Fatalf("%x follows %x", next, last)
			}
			last = next
		}
		if want := first.Time().Add(time.Millisecond); !last.Time().Equal(want) {
			t.Errorf("65,536 stamps later it is %v, want %v", last.Time(), want)
		}
		time.Sleep(time.Second)
		if got := c.Next(0); got != StampAt(time.Now()) {
			t.Errorf("a second later: %x, want the wall clock's %x", got, StampAt(time.Now()))
		}
	})
}

func TestClockGoingBackDoesNotHoldStampsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c HLC
		c.SetOffset(time.Hour)
		ahead := c.Next(0)
		c.SetOffset(0)
		if got := c.Next(0); got != ahead+1 {
			t.Errorf("after the clock went back by an hour: %x follows %x", got, ahead)
		}
		time.Sleep(2 * time.Hour)
		if got := c.Next(0); got != StampAt(time.Now()) {
			t.Errorf("once the wall clock has caught up: %x, want %x", got, StampAt(time.Now()))
		}
	})
}

// A clock that was far ahead does not stay so once it is corrected, and one that was a
// little ahead does not go back.
func TestCorrectEndsALargeLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lead := range []time.Duration{time.Second, time.Hour} {
			var c HLC
			c.SetOffset(lead)
			ahead := c.Next(0)
			c.Correct(0, time.Minute)
			if c.Offset() != 0 {
				t.Errorf("offset %v", c.Offset())
			}
			next := c.Next(0)
			if lead < time.Minute && next != ahead+1 {
				t.Errorf("%v ahead: %x follows %x", lead, next, ahead)
			}
			if lead > time.Minute && next.Time().After(time.Now()) {
				t.Errorf("%v ahead: still %v", lead, time.Until(next.Time()))
			}
			if got := c.Next(ahead); got <= ahead {
				t.Errorf("%x comes after %x", got, ahead)
			}
		}
	})
}

func TestOffsetCorrectsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c HLC
		for _, d := range []time.Duration{0, time.Minute, -time.Minute} {
			c.SetOffset(d)
			if c.Offset() != d || !c.Now().Equal(time.Now().Add(d)) {
				t.Errorf("offset %v: Offset %v, Now %v at %v", d, c.Offset(), c.Now(), time.Now())
			}
		}
	})
}

func TestObserveMakesLaterStampsGreater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c HLC
		seen := StampAt(time.Now().Add(time.Minute))
		c.Observe(seen)
		c.Observe(1) // what is old changes nothing
		if got := c.Next(0); got != seen+1 {
			t.Errorf("%x follows %x", got, seen)
		}
	})
}

// A stamp without a successor, from whoever made it up, does not send the clock back to
// zero.
func TestTheLastStampIsTheEnd(t *testing.T) {
	var c HLC
	if got := c.Next(MaxStamp - 1); got != MaxStamp {
		t.Fatalf("%x follows the last stamp but one", got)
	}
	for range 3 {
		if got := c.Next(0); got != MaxStamp {
			t.Fatalf("%x follows the last stamp", got)
		}
	}
}

func TestStampsOfOneClockAreUniqueAcrossGoroutines(t *testing.T) {
	const writers, each = 8, 500
	var c HLC
	var wg sync.WaitGroup
	stamps := make([][]Stamp, writers)
	for i := range stamps {
		wg.Go(func() {
			for n := range each {
				if n%50 == i {
					c.SetOffset(time.Duration(i-n) * time.Second)
				}
				var after Stamp
				if k := len(stamps[i]); k > 0 {
					after = stamps[i][k-1]
				}
				stamps[i] = append(stamps[i], c.Next(after))
			}
		})
	}
	wg.Wait()
	var all []Stamp
	for _, s := range stamps {
		if !slices.IsSorted(s) {
			t.Error("one goroutine's stamps go back")
		}
		all = append(all, s...)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != writers*each {
		t.Error("a stamp was given twice")
	}
}

// Stamps that are taken together are as good as stamps taken one by one.
func TestTakenStampsAscendAndAreNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c HLC
		var last Stamp
		for n := range 70 {
			taken := c.Take(n)
			for range n {
				s := taken.Next()
				if s <= last {
					t.Fatalf("%x was taken after %x", s, last)
				}
				last = s
			}
			if n%10 == 0 {
				time.Sleep(time.Millisecond)
			}
			if n == 0 {
				continue
			}
			if next := c.Next(0); next <= last {
				t.Fatalf("%x is given out after %x was taken", next, last)
			} else {
				last = next
			}
		}
		c.Observe(MaxStamp - 2)
		taken := c.Take(9)
		for want := MaxStamp - 1; want < MaxStamp; want++ {
			if got := taken.Next(); got != want {
				t.Errorf("%x near the end, want %x", got, want)
			}
		}
		if got := taken.Next(); got != MaxStamp {
			t.Errorf("%x at the end", got)
		}
	})
}

package id

import (
	"sync"
	"time"
)

// HLC is a hybrid logical clock: it follows the wall clock, corrected by an offset
// learnt from a durable node, and never repeats or goes back (but see Correct).
//
// Source: Kulkarni et al., "Logical Physical Clocks", 2014; here the logical part
// is the low 16 bits of the stamp, and when it overflows the stamp simply runs
// into the next millisecond. The last stamp there is, [MaxStamp], has no successor; who
// is given it mints an event that the monotone rule refuses, and no clock starts again
// from zero.
type HLC struct {
	// Wall is the wall clock; nil is time.Now. It is set before the first use.
	Wall func() time.Time

	mu struct {
		sync.Mutex
		last   Stamp
		offset time.Duration
	}
}

// Next returns a stamp greater than after and than every stamp returned before; only
// MaxStamp follows itself.
func (c *HLC) Next(after Stamp) Stamp {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.last = max(c.nowLocked(), c.mu.last.next(), after.next())
	return c.mu.last
}

// Take returns n stamps at once, for events without parents: one look at the wall clock
// serves them all.
func (c *HLC) Take(n int) Stamps {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := max(c.nowLocked(), c.mu.last.next())
	c.mu.last = first + min(Stamp(max(n-1, 0)), MaxStamp-first)
	return Stamps{first}
}

// Stamps is a row of stamps that a clock gave out.
type Stamps struct{ next Stamp }

// Next returns the next of them. There are as many as were taken.
func (s *Stamps) Next() Stamp {
	next := s.next
	s.next = next.next()
	return next
}

// Now returns the corrected wall clock.
func (c *HLC) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall().Add(c.mu.offset)
}

func (c *HLC) wall() time.Time {
	if c.Wall != nil {
		return c.Wall()
	}
	return time.Now()
}

func (c *HLC) nowLocked() Stamp { return StampAt(c.wall().Add(c.mu.offset)) }

// Offset returns the correction in force.
func (c *HLC) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.offset
}

// SetOffset makes the clock run that far ahead of the wall clock (or behind it, if
// negative). Stamps stay strictly increasing across the change.
func (c *HLC) SetOffset(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.offset = d
}

// Correct is SetOffset for an offset that a durable node has told. Where stamps were given
// out that are further ahead of the corrected clock than slack, it starts again from that:
// a node whose clock was wrong would go on to stamp events that nobody accepts. What an
// event comes after is still given to Next, so no event is stamped before its parents.
func (c *HLC) Correct(d, slack time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.offset = d
	if c.mu.last > StampAt(c.wall().Add(d+slack)) {
		c.mu.last = c.nowLocked()
	}
}

// Observe makes later stamps greater than s. A durable node calls it with what it
// accepted (which is bounded by its drift limit), so that it sorts after it.
func (c *HLC) Observe(s Stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.last = max(c.mu.last, s)
}

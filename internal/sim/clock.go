package sim

import (
	"sync"
	"time"
)

// Clock is a machine's wall clock: that of the simulation, wrong by an offset.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

// Set makes the clock wrong by an offset; 0 sets it right.
func (c *Clock) Set(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = offset
}

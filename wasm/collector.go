package main

// Go's garbage collector is made to run beside the program. Here there is one thread, so a
// page waits for it; and by default it runs whenever a small heap has doubled, which a bulk
// insert does every few milliseconds. So it runs less often while the heap is small, and as
// usual once memory begins to count.
const (
	headroom   = 32 << 20 // bytes that may become garbage before a collection
	mostGrowth = 400      // percent that the heap may grow in any case
	usual      = 100      // Go's own default
)

// percentFor returns by how much a heap of so many live bytes may grow.
func percentFor(live uint64) int {
	if live == 0 {
		return mostGrowth
	}
	return int(min(max(headroom*100/live, usual), mostGrowth))
}

// liveOf returns how much was alive at the last collection, after which the heap may grow
// by percent until the next one.
func liveOf(next uint64, percent int) uint64 { return next * 100 / uint64(100+percent) }

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Go's garbage collector is made to run beside the program. Here there is one thread, so a
// page waits for it; and by default it runs whenever a small heap has doubled, which a bulk
// insert does every few milliseconds. So it runs less often while the heap is small, and as
// usual once memory begins to count.
const (
	headroom   = 32 << 20 // bytes that may become garbage before a collection
	mostGrowth = 400      // percent that the heap may grow in any case
	usual      = 100      // Go's own default
)

// tuneCollector sets the pace, now and after each collection.
func tuneCollector() {
	debug.SetGCPercent(mostGrowth)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	runtime.SetFinalizer(&sentinel{live: live, percent: mostGrowth}, (*sentinel).collected)
}

// sentinel is unreachable, so that each collection finds it.
type sentinel struct {
	live    []metrics.Sample
	percent int
}

func (s *sentinel) collected() {
	metrics.Read(s.live)
	if s.live[0].Value.Kind() == metrics.KindUint64 {
		if percent := percentFor(s.live[0].Value.Uint64()); percent != s.percent {
			s.percent = percent
			debug.SetGCPercent(percent)
		}
	}
	runtime.SetFinalizer(s, (*sentinel).collected)
}

// percentFor returns by how much a heap of so many live bytes may grow.
func percentFor(live uint64) int {
	if live == 0 {
		return mostGrowth
	}
	return int(min(max(headroom*100/live, usual), mostGrowth))
}

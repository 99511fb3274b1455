//go:build js && wasm

package main

import (
	"runtime"
	"runtime/debug"
)

// tuneCollector sets the pace, now and after each collection.
func tuneCollector() {
	debug.SetGCPercent(mostGrowth)
	runtime.SetFinalizer(&sentinel{percent: mostGrowth}, (*sentinel).collected)
}

// sentinel is unreachable, so that each collection finds it.
type sentinel struct{ percent int }

func (s *sentinel) collected() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if percent := percentFor(liveOf(m.NextGC, s.percent)); percent != s.percent {
		s.percent = percent
		debug.SetGCPercent(percent)
	}
	runtime.SetFinalizer(s, (*sentinel).collected)
}

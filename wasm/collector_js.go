//go:build js && wasm

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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

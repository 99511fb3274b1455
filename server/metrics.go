package main

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	samples "runtime/metrics"
	"sync/atomic"
	"time"
)

// metrics are the server's counters.
type metrics struct {
	started     time.Time
	connections atomic.Int64 // accepted since the start
	turnedAway  atomic.Int64
	refused     atomic.Int64 // transactions
	failed      atomic.Int64 // errors that no client saw
}

// serveMetrics answers in the text format of Prometheus.
func (s *server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	gauge := func(name, help string, value any) { writeMetric(w, "gauge", name, help, value) }
	counter := func(name, help string, value any) { writeMetric(w, "counter", name, help, value) }

	gauge("ankurah_connections", "Open connections.", s.endpoint.Connections())
	gauge("ankurah_held_bytes", "Bytes kept in memory for the live results of peers.", s.node.Held())
	counter("ankurah_connections_total", "Connections accepted since the start.", s.metrics.connections.Load())
	counter("ankurah_connections_refused_total", "Connections refused since the start.", s.metrics.turnedAway.Load())
	counter("ankurah_transactions_refused_total", "Transactions refused since the start.", s.metrics.refused.Load())
	counter("ankurah_failures_total", "Errors that no client was told.", s.metrics.failed.Load())
	gauge("ankurah_feed_position", "Position of the last transaction in the change feed.", s.node.Published())
	gauge("ankurah_watched_predicates", "Predicates of open queries.", s.node.Watches())
	s.writeReplications(w)
	gauge("ankurah_uptime_seconds", "Seconds since the start.", int64(time.Since(s.metrics.started).Seconds()))
	gauge("go_goroutines", "Goroutines.", runtime.NumGoroutine())
	gauge("go_memstats_heap_alloc_bytes", "Bytes of live heap objects.", memory.HeapAlloc)
	gauge("go_gc_heap_live_bytes", "Bytes of heap objects that the last garbage collection found in use.", liveHeap())
	gauge("go_memstats_sys_bytes", "Bytes obtained from the system.", memory.Sys)
}

// liveHeap returns what was in use when garbage was collected last.
func liveHeap() uint64 {
	sample := []samples.Sample{{Name: "/gc/heap/live:bytes"}}
	samples.Read(sample)
	return sample[0].Value.Uint64()
}

func writeMetric(w io.Writer, kind, name, help string, value any) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", name, help, name, kind, name, value)
}

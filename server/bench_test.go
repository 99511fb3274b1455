package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// BenchmarkIdleConnections reports what an idle connection costs in the server's memory,
// by the resident size of a server process before and after.
func BenchmarkIdleConnections(b *testing.B) {
	const connections = 500
	for b.Loop() {
		p := spawn(b, "--addr=127.0.0.1:0", "--storage=memory:")
		url := p.url(b)
		dial(b, url) // what the first one costs belongs to the server
		before := resident(b, p.Process.Pid)
		for range connections {
			dial(b, url)
		}
		b.ReportMetric(float64(resident(b, p.Process.Pid)-before)/connections/1024, "KB/connection")
	}
}

// resident returns the resident bytes of a process.
func resident(b *testing.B, pid int) int {
	b.Helper()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Skip("needs /proc: ", err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}

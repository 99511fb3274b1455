package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/proto"
)

// BenchmarkIdleConnections reports what a connection that has said hello and nothing since
// costs in the server's memory, by the resident size of a server process before and after. The
// clients are sockets: what they would cost themselves is another matter.
func BenchmarkIdleConnections(b *testing.B) {
	for _, connections := range []int{500, 9000} { // with their other ends, what 20,000 descriptors allow
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			for b.Loop() {
				benchmarkIdle(b, connections)
			}
		})
	}
}

func benchmarkIdle(b *testing.B, connections int) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	p := spawn(b, "--addr=127.0.0.1:0", "--storage=memory:", "--max-per-address=20000", "--limit=ping=10m")
	a := &attacker{t: b, ctx: ctx, address: p.url(b)[len("ws://"):]}
	idle := func() {
		conn, in, err := a.upgraded()
		if err != nil {
			b.Fatal(err)
		}
		hello := proto.AppendFrame(nil, &proto.Hello{Node: id.NodeID{ULID: id.New(nil)}, Time: time.Now().UnixMicro()})
		if _, err = conn.Write(frame(0x82, uint64(len(hello)), hello)); err == nil {
			_, err = in.ReadByte() // it was answered
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for range 10 { // what the first ones cost belongs to the server
		idle()
	}
	before := resident(b, p.Process.Pid)
	for range connections {
		idle()
	}
	b.ReportMetric(float64(resident(b, p.Process.Pid)-before)/float64(connections)/1024, "KB/connection")
	p.Process.Kill()
	p.Wait()
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

// BenchmarkCommits: transactions a second that are on the server's disk, from clients that each
// wait for one before they make the next, over WebSockets.
func BenchmarkCommits(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", clients), func(b *testing.B) {
			p := spawn(b, "--addr=127.0.0.1:0", "--data="+b.TempDir())
			url := p.url(b)
			nodes := make([]*ankurah.Node, clients)
			for i := range nodes {
				nodes[i] = dial(b, url)
			}
			each := (b.N + clients - 1) / clients
			b.ResetTimer()
			var all sync.WaitGroup
			for _, node := range nodes {
				all.Go(func() {
					for i := range each {
						if _, err := create(b.Context(), node, strconv.Itoa(i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(each*clients)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// betweenServers measures how long something takes from one client to another, over WebSockets:
// both at a server that keeps nothing on disk, or at two that share a store, which has been at rest
// before, or has not.
func betweenServers(b *testing.B, measure func(b *testing.B, from, to *ankurah.Node, rest time.Duration)) {
	for _, on := range []struct {
		name    string
		servers int
		start   func(b testing.TB) []string
	}{
		{"memory", 1, func(testing.TB) []string { return []string{"--storage=memory:"} }},
		{"postgres", 2, func(b testing.TB) []string { return onPostgres(b, "").args }},
		{"tikv", 2, func(b testing.TB) []string { return onTiKV(b).args }},
		{"tikv-nats", 2, func(b testing.TB) []string { return onTiKVWithNATS(b).args }},
	} {
		for name, rest := range map[string]time.Duration{"busy": 0, "rested": 200 * time.Millisecond} {
			b.Run(on.name+"/"+name, func(b *testing.B) {
				args := append([]string{"--addr=127.0.0.1:0"}, on.start(b)...)
				var urls []string
				for range on.servers {
					urls = append(urls, spawn(b, args...).url(b))
				}
				measure(b, dial(b, urls[0]), dial(b, urls[len(urls)-1]), rest)
			})
		}
	}
}

// reportTimes reports the median and the 99th percentile.
func reportTimes(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}

// BenchmarkCommitToSubscriber: from a commit at one client to the callback of a live query at
// another.
func BenchmarkCommitToSubscriber(b *testing.B) { betweenServers(b, benchmarkCommitToSubscriber) }

func benchmarkCommitToSubscriber(b *testing.B, writer, reader *ankurah.Node, rest time.Duration) {
	if _, err := create(b.Context(), writer, "first"); err != nil {
		b.Fatal(err)
	}
	query, err := ankurah.Query[model.Album](reader.Context(ankurah.Anonymous), "")
	if err != nil {
		b.Fatal(err)
	}
	defer query.Close()
	seen := make(chan struct{}, 16)
	defer query.Subscribe(func(c ankurah.Changes[model.Album]) {
		for range c.Changes {
			seen <- struct{}{}
		}
	})()
	<-seen
	var took []time.Duration
	for b.Loop() {
		time.Sleep(rest)
		begun := time.Now()
		tx := writer.Context(ankurah.Anonymous).Begin()
		if _, err := ankurah.Create(tx, &model.Album{Name: "x"}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		<-seen
		took = append(took, time.Since(begun))
	}
	reportTimes(b, took)
}

// BenchmarkNewcomerIsSeen: from entering a room at one client until another one there is told.
func BenchmarkNewcomerIsSeen(b *testing.B) {
	betweenServers(b, func(b *testing.B, from, to *ankurah.Node, rest time.Duration) {
		watch, err := to.Context(ankurah.Anonymous).Watch("lobby")
		if err != nil {
			b.Fatal(err)
		}
		defer watch.Leave()
		came, left := make(chan struct{}, 16), make(chan struct{}, 16)
		watch.Subscribe(func(c *core.RoomChange) {
			for range c.Changed {
				came <- struct{}{}
			}
			for range c.Left {
				left <- struct{}{}
			}
		})
		var took []time.Duration
		for b.Loop() {
			time.Sleep(rest)
			begun := time.Now()
			p, err := from.Context(ankurah.Anonymous).Enter("lobby", nil)
			if err != nil {
				b.Fatal(err)
			}
			<-came
			took = append(took, time.Since(begun))
			p.Leave()
			<-left
		}
		reportTimes(b, took)
	})
}

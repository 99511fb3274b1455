//go:build !js

package core_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// BenchmarkResume: a client that holds rows and has missed changes to some of them connects
// again, until its query is live and shows them. What it costs follows the changes that were
// missed, not the rows that are held.
func BenchmarkResume(b *testing.B) {
	for _, held := range []int{1000, 10_000} {
		for _, missed := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("held=%d/missed=%d", held, missed), func(b *testing.B) { benchmarkResume(b, held, missed) })
		}
	}
}

func benchmarkResume(b *testing.B, held, missed int) {
	server := benchNode(b, memory.New(), true)
	var albums []id.EntityID
	for len(albums) < held {
		tx := anonymous(server).Begin()
		for range min(1000, held-len(albums)) {
			e, err := tx.Create(b.Context(), "album", fields("a", 0))
			if err != nil {
				b.Fatal(err)
			}
			albums = append(albums, e)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	client := benchNode(b, memory.New(), false)
	dial := func() *core.Link { return client.Dial(local.NewDialer(server, local.Options{}), core.DialOptions{}) }
	link := dial()
	q, err := anonymous(client).Query("album", selection(b, ""))
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	var mu sync.Mutex
	newest := make(map[int64]int) // rows by their year
	status := core.QueryLoading
	changed := make(chan struct{}, 1)
	years := make(map[id.EntityID]int64)
	defer q.Subscribe(func(c *core.ChangeSet) {
		mu.Lock()
		defer mu.Unlock()
		status = c.Status
		for _, x := range c.Changes {
			if old, ok := years[x.Entity]; ok {
				newest[old]--
			}
			year, _ := x.View.Field("year").AsInt()
			years[x.Entity] = year
			newest[year]++
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	until := func(year int64, count int) {
		for {
			mu.Lock()
			done := status == core.QueryLive && newest[year] >= count
			mu.Unlock()
			if done {
				return
			}
			<-changed
		}
	}
	until(0, held)
	year := int64(0)
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		link.Close()
		await(b, "the client is offline", func() bool { return client.Status().Connection == core.Offline })
		year++
		for _, e := range albums[:missed] {
			tx := anonymous(server).Begin()
			if err := tx.Set(b.Context(), "album", e, []proto.Field{{Name: "year", Value: value.Int(year)}}); err != nil {
				b.Fatal(err)
			}
			if _, err := tx.Commit(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		began := time.Now()
		link = dial()
		until(year, missed)
		took = append(took, time.Since(began))
	}
	// Beside the mean, in which one collection of garbage outweighs a hundred resumes.
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/median")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(missed), "µs/change")
}

// BenchmarkFanOut: one change to a row that many peers subscribe to, until the last of them
// has it; and what a subscribed connection costs in memory, both ends of its pipe and the
// goroutine that reads it included.
func BenchmarkFanOut(b *testing.B) {
	for _, peers := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("peers=%d", peers), func(b *testing.B) { benchmarkFanOut(b, peers) })
	}
}

func benchmarkFanOut(b *testing.B, peers int) {
	server := benchNode(b, memory.New(), true)
	tx := anonymous(server).Begin()
	e, err := tx.Create(b.Context(), "album", fields("a", 0))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := tx.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var served, updates sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	subscribed := make(chan struct{}, peers)
	for range peers {
		client, far := local.Pipe(local.Options{})
		served.Go(func() { _ = server.Serve(ctx, far) })
		served.Go(func() { subscribeByHand(ctx, client, subscribed, &updates) })
	}
	for range peers {
		<-subscribed
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for i := 0; b.Loop(); i++ {
		updates.Add(peers)
		tx := anonymous(server).Begin()
		if err := tx.Set(b.Context(), "album", e, []proto.Field{{Name: "year", Value: value.Int(int64(i))}}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		updates.Wait()
	}
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(peers)/1024, "KB/peer")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(peers), "µs/peer")
	cancel()
	served.Wait()
}

// subscribeByHand is the least client: it subscribes to all albums and counts updates.
func subscribeByHand(ctx context.Context, conn connectors.Conn, subscribed chan<- struct{}, updates *sync.WaitGroup) {
	send := func(f proto.Frame) { _ = conn.Send(ctx, proto.AppendFrame(nil, f)) }
	send(&proto.Hello{Node: id.NodeID{ULID: id.New(nil)}})
	send(&proto.Subscribe{Sub: 1, Collection: "album"})
	for {
		b, err := conn.Receive(ctx)
		if err != nil {
			return
		}
		switch f, _ := proto.DecodeFrame(b); m := f.(type) {
		case *proto.Rows:
			if m.Done {
				subscribed <- struct{}{}
			}
		case *proto.Update:
			updates.Done()
		}
	}
}

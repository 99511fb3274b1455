//go:build !js

package core_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
)

// replicaOf opens a durable node with a store of its own that is to join n's system.
func replicaOf(b *testing.B, engine storage.Engine) *core.Node {
	b.Helper()
	n, err := core.Open(b.Context(), core.Options{Engine: engine, Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// inStep waits until a replica has taken everything.
func inStep(b *testing.B, from, to *core.Node) {
	await(b, "in step", func() bool { return to.Published() >= from.Published() })
}

// BenchmarkCatchUp: a durable node that lacks 10,000 transactions comes to have them, over
// engines that write to memory and to a disk, in transactions of one event each.
func BenchmarkCatchUp(b *testing.B) {
	const transactions = 10_000
	for name, open := range map[string]func(b *testing.B) storage.Engine{
		"memory": func(b *testing.B) storage.Engine { return memory.New() },
		"pebble": func(b *testing.B) storage.Engine {
			e, err := sledcompat.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			return e
		},
	} {
		b.Run(name, func(b *testing.B) {
			source := benchNode(b, open(b), true)
			for i := range transactions {
				tx := anonymous(source).Begin()
				if _, err := tx.Create(b.Context(), "album", fields("a", int64(i))); err != nil {
					b.Fatal(err)
				}
				if _, err := tx.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				b.StopTimer()
				n := replicaOf(b, open(b))
				b.StartTimer()
				local.Connect(source, n)
				inStep(b, source, n)
				b.StopTimer()
				n.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/transactions, "µs/tx")
		})
	}
}

// BenchmarkReplicate: a commit on one durable node until another one has it, one after the
// other.
func BenchmarkReplicate(b *testing.B) {
	source, n := benchNode(b, memory.New(), true), replicaOf(b, memory.New())
	defer n.Close()
	local.Connect(source, n)
	inStep(b, source, n)
	for b.Loop() {
		tx := anonymous(source).Begin()
		if _, err := tx.Create(b.Context(), "album", fields("a", 1)); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		inStep(b, source, n)
	}
}

// BenchmarkBridge: a node that lacks n events of one entity catches up with them.
func BenchmarkBridge(b *testing.B) {
	for _, events := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			source := benchNode(b, memory.New(), true)
			tx := anonymous(source).Begin()
			e, err := tx.Create(b.Context(), "album", fields("a", 0))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tx.Commit(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i := range events {
				if err := renumber(b, source, e, i); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				b.StopTimer()
				n := replicaOf(b, memory.New())
				b.StartTimer()
				local.Connect(source, n)
				inStep(b, source, n)
				b.StopTimer()
				n.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(events), "µs/event")
		})
	}
}

func renumber(b *testing.B, n *core.Node, e id.EntityID, year int) error {
	tx := anonymous(n).Begin()
	if err := tx.Set(b.Context(), "album", e, with("year", year)); err != nil {
		return err
	}
	_, err := tx.Commit(b.Context())
	return err
}

// BenchmarkMove: a client that holds rows comes to another durable node that has the same.
func BenchmarkMove(b *testing.B) {
	for _, held := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			source, other := benchNode(b, memory.New(), true), replicaOf(b, memory.New())
			defer other.Close()
			tx := anonymous(source).Begin()
			for range held {
				if _, err := tx.Create(b.Context(), "album", fields("a", 0)); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := tx.Commit(b.Context()); err != nil {
				b.Fatal(err)
			}
			local.Connect(source, other)
			inStep(b, source, other)
			client := benchNode(b, memory.New(), false)
			q, err := anonymous(client).Query("album", selection(b, ""))
			if err != nil {
				b.Fatal(err)
			}
			defer q.Close()
			var received atomic.Int64
			dial := func(to *core.Node) *core.Link {
				return client.Dial(&dialer{dial: func(ctx context.Context) (connectors.Conn, error) {
					conn, err := local.NewDialer(to, local.Options{}).Dial(ctx)
					return &counting{Conn: conn, bytes: &received}, err
				}}, core.DialOptions{})
			}
			link := dial(source)
			await(b, "live", func() bool { return q.Status() == core.QueryLive && len(q.Rows()) == held })
			received.Store(0)
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				link.Close()
				await(b, "offline", func() bool { return client.Status().Connection == core.Offline })
				b.StartTimer()
				link = dial([]*core.Node{other, source}[i%2])
				await(b, "live", func() bool { return q.Status() == core.QueryLive })
			}
			b.ReportMetric(float64(received.Load())/float64(b.N)/float64(held), "B/row")
		})
	}
}

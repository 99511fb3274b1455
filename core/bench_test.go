//go:build !js

package core_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
)

func benchNode(b *testing.B, engine storage.Engine, isDurable bool) *core.Node {
	b.Helper()
	n, err := core.Open(b.Context(), core.Options{Engine: engine, Durable: isDurable})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	if isDurable {
		if err := n.CreateSystem(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if err := n.Register(b.Context(), album); err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkCommitMemory: a single-property transaction on a durable node in memory, one
// writer. Budget 10 µs.
func BenchmarkCommitMemory(b *testing.B) {
	n := benchNode(b, memory.New(), true)
	c := anonymous(n)
	tx := c.Begin()
	e, _ := tx.Create(b.Context(), "album", fields("a", 1))
	if _, err := tx.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		tx := c.Begin()
		if err := tx.Set(b.Context(), "album", e, []proto.Field{{Name: "year", Value: value.Int(int64(i))}}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitFsync: creations on the embedded engine, fsync on, with 1 and 64 writers.
func BenchmarkCommitFsync(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			engine, err := sledcompat.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			n := benchNode(b, engine, true)
			c := anonymous(n)
			var count atomic.Int64
			b.SetParallelism((writers + 1) / 2)
			if writers == 1 {
				for b.Loop() {
					commitOne(b, c, count.Add(1))
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						commitOne(b, c, count.Add(1))
					}
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

func commitOne(b *testing.B, c *core.Context, i int64) {
	tx := c.Begin()
	if _, err := tx.Create(b.Context(), "album", fields("name", i)); err != nil {
		b.Error(err)
		return
	}
	if _, err := tx.Commit(b.Context()); err != nil {
		b.Error(err)
	}
}

// BenchmarkOpenSubscription: an ephemeral node subscribes to n entities that it does not
// hold. Budget 4 µs an entity.
func BenchmarkOpenSubscription(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("entities=%d", n), func(b *testing.B) {
			server := benchNode(b, memory.New(), true)
			for i := 0; i < n; i += 1000 {
				tx := anonymous(server).Begin()
				for j := range 1000 {
					if _, err := tx.Create(b.Context(), "album", fields("album", int64(i+j))); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := tx.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			all, _ := ankql.Parse("")
			for b.Loop() {
				client := benchNode(b, memory.New(), false)
				link := local.Connect(server, client)
				q, err := client.Context(policy.Principal{}).Query("album", all)
				if err != nil {
					b.Fatal(err)
				}
				live := make(chan struct{}, 1)
				q.Subscribe(func(c *core.ChangeSet) {
					if c.Status == core.QueryLive {
						live <- struct{}{}
					}
				})
				<-live
				if got := len(q.Rows()); got != n {
					b.Fatalf("%d rows", got)
				}
				link.Close()
				client.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entity")
		})
	}
}

// BenchmarkCommitToCallback: commit on the server to callback at a subscriber, in process.
// Budget 30 µs.
func BenchmarkCommitToCallback(b *testing.B) {
	server := benchNode(b, memory.New(), true)
	client := benchNode(b, memory.New(), false)
	local.Connect(server, client)
	tx := anonymous(server).Begin()
	e, _ := tx.Create(b.Context(), "album", fields("a", 1))
	if _, err := tx.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	all, _ := ankql.Parse("")
	q, err := anonymous(client).Query("album", all)
	if err != nil {
		b.Fatal(err)
	}
	live, changed := make(chan struct{}, 1), make(chan struct{}, 16)
	q.Subscribe(func(c *core.ChangeSet) {
		if c.Status != core.QueryLive {
			return
		}
		select {
		case live <- struct{}{}:
		default:
		}
		if len(c.Changes) > 0 && c.Changes[0].Kind == core.ChangeUpdated {
			changed <- struct{}{}
		}
	})
	<-live
	for i := 0; b.Loop(); i++ {
		tx := anonymous(server).Begin()
		if err := tx.Set(b.Context(), "album", e, []proto.Field{{Name: "year", Value: value.Int(int64(i + 10))}}); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		<-changed
	}
}

//go:build !js

package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
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

// longPlaying is what clients of the browser harness store: seven properties, 230 bytes.
var longPlaying = &schema.Model{Collection: "lp", Properties: []schema.Property{
	{Name: "key", Type: schema.TypeString}, {Name: "name", Type: schema.TypeString}, {Name: "artist", Type: schema.TypeString},
	{Name: "year", Type: schema.TypeInt}, {Name: "genre", Type: schema.TypeString}, {Name: "rating", Type: schema.TypeFloat},
	{Name: "notes", Type: schema.TypeString},
}}

func longPlayingFields(i int) []proto.Field {
	return []proto.Field{
		{Name: "key", Value: value.String(fmt.Sprintf("a%06d", i))}, {Name: "name", Value: value.String(fmt.Sprintf("amber canyon %06d", i))},
		{Name: "artist", Value: value.String("velvet harbor")}, {Name: "year", Value: value.Int(int64(1950 + i%75))},
		{Name: "genre", Value: value.String("electronic")}, {Name: "rating", Value: value.Float(float64(i%50000) / 10000)},
		{Name: "notes", Value: value.String(strings.Repeat("meadow ", 15)[:100])},
	}
}

// nowhere is a store that takes everything and has nothing.
type nowhere struct{ kv.Store }

func (nowhere) Get(_ context.Context, keys [][]byte) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}
func (nowhere) Scan(context.Context, kv.Range, int) ([]kv.Pair, error) { return nil, nil }
func (nowhere) Commit(context.Context, *kv.Writes) error               { return nil }
func (nowhere) Close() error                                           { return nil }

// joinedOffline returns an ephemeral node that belongs to a system and has no connection.
func joinedOffline(b *testing.B, engine storage.Engine) *core.Node {
	b.Helper()
	server := benchNode(b, memory.New(), true)
	n := benchNode(b, engine, false)
	link := local.Connect(server, n)
	if err := n.WaitReady(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := n.Register(b.Context(), longPlaying); err != nil {
		b.Fatal(err)
	}
	link.Close()
	return n
}

// BenchmarkCreateOffline: one transaction of 10,000 creations on an ephemeral node, without
// what storage takes. The browser's budget, 80 ms with storage and all messages, asks for
// some 2 µs a row natively.
func BenchmarkCreateOffline(b *testing.B) {
	const rows, message = 10_000, 1000
	var names []string
	list := make([][]value.Value, rows)
	for i := range list {
		names = names[:0]
		for _, f := range longPlayingFields(i) {
			names, list[i] = append(names, f.Name), append(list[i], f.Value)
		}
	}
	engine, err := kv.Open(b.Context(), nowhere{}, kv.Options{})
	if err != nil {
		b.Fatal(err)
	}
	n := joinedOffline(b, engine)
	b.ReportAllocs()
	for b.Loop() {
		tx := anonymous(n).Begin()
		for part := range slices.Chunk(list, message) {
			if _, err := tx.CreateAll(b.Context(), "lp", names, part); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

// BenchmarkTransaction1000: one transaction that changes 1,000 of 10,000 rows, as the
// browser harness has it: under 100 live results with order and limit, all of which change
// entirely, on an ephemeral node without a connection.
func BenchmarkTransaction1000(b *testing.B) {
	const rows, changed = 10_000, 1000
	n := joinedOffline(b, memory.New())
	genre := func(i int) string { return fmt.Sprintf("genre %02d", i%20) }
	tx := anonymous(n).Begin()
	entities := make([]id.EntityID, rows)
	for i := range entities {
		fields := longPlayingFields(i)
		fields[4].Value = value.String(genre(i))
		e, err := tx.Create(b.Context(), "lp", fields)
		if err != nil {
			b.Fatal(err)
		}
		entities[i] = e
	}
	if _, err := tx.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	var told atomic.Int64
	for i := range 100 {
		s, err := ankql.Parse("genre = ? AND year > ? ORDER BY rating DESC LIMIT 20", genre(i), 1930+i/20*15)
		if err != nil {
			b.Fatal(err)
		}
		q, err := anonymous(n).Query("lp", s)
		if err != nil {
			b.Fatal(err)
		}
		ready := make(chan struct{})
		var once sync.Once
		q.Subscribe(func(c *core.ChangeSet) {
			told.Add(int64(len(c.Changes)))
			if c.Status != core.QueryLoading {
				once.Do(func() { close(ready) })
			}
		})
		<-ready
	}
	b.ReportAllocs()
	rating := 10.0
	for b.Loop() {
		told.Store(0)
		tx := anonymous(n).Begin()
		for i := range changed {
			rating++
			change := []proto.Field{{Name: "rating", Value: value.Float(rating)}}
			if err := tx.Set(b.Context(), "lp", entities[(i*7)%rows], change); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		if told.Load() == 0 {
			b.Fatal("no result changed")
		}
	}
}

//go:build !js

package core_test

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// benchAlbums opens a durable node with n albums, one for each year.
func benchAlbums(b *testing.B, n int) (*core.Node, []id.EntityID) {
	b.Helper()
	node := benchNode(b, memory.New(), true)
	var ids []id.EntityID
	for len(ids) < n {
		tx := anonymous(node).Begin()
		for range min(n-len(ids), 5000) {
			e, err := tx.Create(b.Context(), "album", fields(fmt.Sprint(len(ids)), int64(len(ids))))
			if err != nil {
				b.Fatal(err)
			}
			ids = append(ids, e)
		}
		if _, err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return node, ids
}

func benchQuery(b *testing.B, n *core.Node, text string) *core.LiveQuery {
	b.Helper()
	q, err := anonymous(n).Query("album", selection(b, text))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(q.Close)
	await(b, "the query is answered", func() bool { return q.Status() == core.QueryLive })
	return q
}

// setYears sets the year of some albums in one transaction.
func setYears(b *testing.B, n *core.Node, ids []id.EntityID, year int64) {
	tx := anonymous(n).Begin()
	for _, e := range ids {
		if err := tx.Set(b.Context(), "album", e, []proto.Field{{Name: "year", Value: value.Int(year)}}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := tx.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEqualQueries is one change under equal queries, each with a subscriber.
func BenchmarkEqualQueries(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("queries=%d", n), func(b *testing.B) {
			node, ids := benchAlbums(b, 1000)
			told := 0
			for range n {
				benchQuery(b, node, "year > 10 ORDER BY year").Subscribe(func(*core.ChangeSet) { told++ })
			}
			if node.Watches() != 1 {
				b.Fatalf("%d watches", node.Watches())
			}
			i := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				i++
				setYears(b, node, ids[500:501], 2000+i%2)
			}
		})
	}
}

// BenchmarkLargeResult is a transaction, with its commit in memory, under one sorted live
// result.
func BenchmarkLargeResult(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		for _, size := range []int{1, 1000} {
			b.Run(fmt.Sprintf("rows=%d/changed=%d", n, size), func(b *testing.B) {
				node, ids := benchAlbums(b, n)
				benchQuery(b, node, "ORDER BY year").Subscribe(func(*core.ChangeSet) {})
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					i += size
					setYears(b, node, ids[i%(n-size+1):][:size], int64(i*7919%n))
				}
			})
		}
	}
}

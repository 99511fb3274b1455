package bridge_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/wasm/bridge"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// BenchmarkBulkCreate is one transaction of many rows, from the page's messages to the
// commit's answer.
func BenchmarkBulkCreate(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000} {
		for _, live := range []bool{false, true} {
			b.Run(fmt.Sprintf("rows=%d/live=%t", n, live), func(b *testing.B) {
				p := newWorld(b, nil, bridge.Limits{}).join()
				if live {
					p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY name"})
				}
				rows := make([][]value.Value, n)
				for i := range rows {
					rows[i] = albumRow(fmt.Sprintf("%05d %s", i, strings.Repeat("x", 100)), int64(i))
				}
				b.ReportAllocs()
				tx := uint64(0)
				for b.Loop() {
					tx++
					p.commitAlbums(tx, rows...)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/row")
			})
		}
	}
}

// BenchmarkCommitOne is a transaction that edits one row, seen by a live query.
func BenchmarkCommitOne(b *testing.B) {
	p := newWorld(b, nil, bridge.Limits{}).join()
	p.send(&frame.Subscribe{Query: 1, Collection: "album", Text: "ORDER BY name LIMIT 50"})
	ids := p.commitAlbums(1, albumRow("x", 1))
	b.ReportAllocs()
	tx := uint64(1)
	for b.Loop() {
		tx++
		p.ask(&frame.Edit{Tx: tx, Collection: "album", Entity: ids[0], Columns: []string{"year"}, Values: []value.Value{value.Int(int64(tx))}},
			&frame.Commit{Request: p.next(), Tx: tx})
	}
}

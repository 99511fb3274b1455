package storagetest

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

var benchRows = flag.Int("rows", 100_000, "how many albums Benchmark reads among")

// Benchmark measures what an engine does for a node: durable commits of one edit each, by 1 and
// by 64 writers; reads of single records; and selections over many albums (-rows), those that an
// index serves after it was built. What each took the first time, before that, it logs.
func Benchmark(b *testing.B, open func(b testing.TB) storage.Engine) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint("Commit/writers=", writers), func(b *testing.B) { benchmarkCommit(b, openFor(b, open), writers) })
	}
	e := openFor(b, open)
	begun := time.Now()
	ids := fill(b, e, *benchRows)
	b.Logf("%d albums were stored at %.0f a second", len(ids), float64(len(ids))/time.Since(begun).Seconds())
	b.Run("Record", func(b *testing.B) {
		w := NewWorld(3)
		for b.Loop() {
			if recs, err := e.Records(b.Context(), []id.EntityID{pick(w, ids)}); err != nil || recs[0] == nil {
				b.Fatal(recs, err)
			}
		}
	})
	for _, text := range []string{"ORDER BY name", "year = 1999 ORDER BY name", "name LIKE 'album 00%'", "meta.genre = 'g7'", "score > 0.5 ORDER BY score DESC, name", "name LIKE '%ff00%'"} {
		s := selection(b, text)
		scan := func() {
			if _, err := e.Scan(b.Context(), Albums, s, nil, 50); err != nil {
				b.Fatal(err)
			}
		}
		begun := time.Now()
		scan()
		b.Logf("%s took %v the first time", text, time.Since(begun))
		if indexer, ok := e.(storage.Indexer); ok {
			if err := indexer.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("Scan/"+text, func(b *testing.B) {
			for b.Loop() {
				scan()
			}
		})
	}
}

func benchmarkCommit(b *testing.B, e storage.Engine, writers int) {
	var left atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range writers {
		w := NewWorld(uint64(i))
		_, rec := create(b, e, w, named("start"))
		wg.Go(func() {
			<-begin
			for n := uint64(1); left.Add(-1) >= 0; n++ {
				ev, edited := w.Edit(rec, proto.Field{Name: "year", Value: value.Int(int64(n))})
				err := e.Commit(b.Context(), &storage.Batch{
					Events:  []*proto.Event{ev},
					Records: []storage.RecordWrite{{Record: edited, Expect: rec.State.Head}},
					FeedID:  w.Node, Feed: []*proto.FeedEntry{{Seq: n, Transaction: w.Transaction()}},
				})
				if err != nil {
					b.Error(err)
					return
				}
				rec = edited
			}
		})
	}
	left.Store(int64(b.N))
	b.ResetTimer()
	close(begin)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// fill commits n albums, and returns their ids.
func fill(b *testing.B, e storage.Engine, n int) []id.EntityID {
	b.Helper()
	w := NewWorld(1)
	var ids []id.EntityID
	for len(ids) < n {
		batch := storage.Batch{}
		for range min(5000, n-len(ids)) {
			ev, rec := w.Create(Albums,
				named(fmt.Sprintf("album %08x", w.Rand.Uint32())),
				proto.Field{Name: "year", Value: value.Int(1950 + w.Rand.Int64N(75))},
				proto.Field{Name: "score", Value: value.Float(w.Rand.Float64())},
				proto.Field{Name: "meta", Value: json(map[string]any{"genre": fmt.Sprint("g", w.Rand.IntN(1000))})})
			batch.Events = append(batch.Events, ev)
			batch.Records = append(batch.Records, storage.RecordWrite{Record: rec})
			ids = append(ids, rec.Entity)
		}
		commit(b, e, batch)
	}
	return ids
}

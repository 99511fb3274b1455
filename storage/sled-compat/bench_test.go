package sledcompat

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// Commits with fsync, each a transaction that edits one property of one entity.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			e := open(b, b.TempDir())
			defer e.Close()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ReportAllocs()
			for i := range writers {
				w := storagetest.NewWorld(uint64(i))
				wg.Go(func() {
					if err := commitEdits(b, e, w, &left); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// Single changes of a tree with fsync: what is left of a commit without the engine.
func BenchmarkInsert(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) {
			tree := openTree(b, b.TempDir(), "t")
			defer tree.db.Close()
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			value := make([]byte, 230)
			for range writers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := tree.Insert(fmt.Appendf(nil, "%016x", uint64(n)*0x9e3779b97f4a7c15), value); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

func commitEdits(b *testing.B, e storage.Engine, w *storagetest.World, left *atomic.Int64) error {
	ev, rec := w.Create(storagetest.Albums, w.AlbumFields()...)
	expect := proto.Clock(nil)
	for n := uint64(1); left.Add(-1) >= 0; n++ {
		err := e.Commit(b.Context(), &storage.Batch{
			Events:  []*proto.Event{ev},
			Records: []storage.RecordWrite{{Record: rec, Expect: expect}},
			FeedID:  w.Node, Feed: []*proto.FeedEntry{{Seq: n, Transaction: w.Transaction()}},
		})
		if err != nil {
			return err
		}
		expect = rec.State.Head
		ev, rec = w.Edit(rec, proto.Field{Name: "year", Value: value.Int(int64(n))})
	}
	return nil
}

// filled returns an engine with n albums, and their ids.
func filled(b *testing.B, n int) (storage.Engine, []id.EntityID) {
	b.Helper()
	e := open(b, b.TempDir())
	b.Cleanup(func() { e.Close() })
	w := storagetest.NewWorld(1)
	var ids []id.EntityID
	for len(ids) < n {
		batch := &storage.Batch{}
		for range min(5000, n-len(ids)) {
			ev, rec := w.Create(storagetest.Albums,
				proto.Field{Name: "name", Value: value.String(fmt.Sprintf("album %08x", w.Rand.Uint32()))},
				proto.Field{Name: "year", Value: value.Int(1950 + w.Rand.Int64N(75))},
				proto.Field{Name: "score", Value: value.Float(w.Rand.Float64())})
			batch.Events = append(batch.Events, ev)
			batch.Records = append(batch.Records, storage.RecordWrite{Record: rec})
			ids = append(ids, rec.Entity)
		}
		if err := e.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return e, ids
}

func BenchmarkScan(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		e, ids := filled(b, n)
		for _, text := range []string{"true", "year > 1985 ORDER BY name", "name = 'none'", "id = ?"} {
			var params []any
			if text == "id = ?" {
				params = []any{ids[n/2]}
			}
			s, err := ankql.Parse(text, params...)
			if err == nil {
				s, err = s.Check(storagetest.AlbumModel)
			}
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("rows=%d/%s", n, text), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Scan(b.Context(), storagetest.Albums, s, nil, 50); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	e, ids := filled(b, 100_000)
	rng := storagetest.NewWorld(2).Rand
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			b.ReportAllocs()
			asked := make([]id.EntityID, n)
			for b.Loop() {
				for i := range asked {
					asked[i] = ids[rng.IntN(len(ids))]
				}
				if _, err := e.Records(b.Context(), asked); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Selections that return few rows of many, without an index and with one. The files are
// in memory: it is the engine that is measured.
func BenchmarkSelections(b *testing.B) {
	storagetest.BenchmarkSelections(b, []int{10_000, 100_000, 1_000_000}, openForSelections)
}

// A commit by how many indexes it has to keep up.
func BenchmarkUpkeep(b *testing.B) { storagetest.BenchmarkUpkeep(b, openForSelections) }

func openForSelections(b testing.TB) storage.Engine {
	return open(b, b.TempDir(), WithFS(vfs.NewMem()), WithKV(kv.Options{AutoIndexes: -1}))
}

// What storagetest measures of every engine.
func BenchmarkEngine(b *testing.B) {
	storagetest.Benchmark(b, func(b testing.TB) storage.Engine { return open(b, b.TempDir()) })
}

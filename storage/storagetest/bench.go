package storagetest

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// benchmarked are selections over what Fill makes, each with the index that serves it. Their
// answers are of the same size however large the collection is.
var benchmarked = []struct {
	name, text string
	params     func(n int) []any
	index      schema.Index
}{
	{"equal", "name = ?", func(n int) []any { return []any{benchName(n / 20)} }, benchIndex("name")},
	{"order", "year > ? ORDER BY name LIMIT 50", func(int) []any { return []any{1985} }, benchIndex("name")},
	{"range", "score >= ? AND score < ?", func(n int) []any { return []any{float64(n / 2), float64(n/2 + 50)} }, benchIndex("score")},
	{"in", "name IN ?", func(n int) []any {
		return []any{[]string{benchName(0), benchName(n / 40), benchName(n / 20), benchName(n / 15), benchName(n/10 - 1)}}
	}, benchIndex("name")},
	{"reverse", "ORDER BY score DESC LIMIT 50", func(int) []any { return nil }, benchIndex("score")},
}

func benchName(i int) string { return fmt.Sprintf("album %08x", uint32(i)*0x9e3779b9) }

func benchIndex(column string) schema.Index {
	return schema.Index{Columns: []schema.IndexColumn{{Path: []string{column}}}}
}

// Fill commits n albums in batches: ten of each name, seventy-five years, and as many scores
// as albums, in no order.
func Fill(t testing.TB, e storage.Engine, n int) []*proto.Record {
	t.Helper()
	w := NewWorld(1)
	names, scores := w.Rand.Perm(n), w.Rand.Perm(n)
	recs := make([]*proto.Record, 0, n)
	for len(recs) < n {
		b := storage.Batch{}
		for range min(5000, n-len(recs)) {
			i := len(recs)
			_, rec := w.Create(Albums,
				proto.Field{Name: "name", Value: value.String(benchName(names[i] / 10))},
				proto.Field{Name: "year", Value: value.Int(1950 + w.Rand.Int64N(75))},
				proto.Field{Name: "score", Value: value.Float(float64(scores[i]))})
			b.Records = append(b.Records, storage.RecordWrite{Record: rec})
			recs = append(recs, rec)
		}
		commit(t, e, b)
	}
	return recs
}

// BenchmarkSelections measures selections over collections of the given sizes, without
// indexes and, where the engine keeps any, with the one that serves each. An engine that
// makes indexes by itself is told not to by who opens it. Beside the time it reports how
// many rows are read.
func BenchmarkSelections(b *testing.B, sizes []int, open func(t testing.TB) storage.Engine) {
	for _, n := range sizes {
		e := open(b)
		Fill(b, e, n)
		measure := func(kind string) {
			for _, c := range benchmarked {
				s := selection(b, c.text, c.params(n)...)
				limit := s.Limit
				if limit < 0 {
					limit = 100
				}
				b.Run(fmt.Sprintf("rows=%d/%s/%s", n, c.name, kind), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						found := 0
						for page := (&storage.Page{More: true}); page.More && found < limit; found += len(page.Records) {
							var err error
							if page, err = e.Scan(b.Context(), Albums, s, page.Next, limit-found); err != nil {
								b.Fatal(err)
							}
						}
						if found < 10 {
							b.Fatalf("%d rows", found)
						}
					}
					if x, err := storage.Explain(b.Context(), e, Albums, s, limit); err == nil {
						b.ReportMetric(float64(x.Rows), "rows/op")
					}
				})
			}
		}
		measure("scan")
		if indexer, ok := e.(storage.Indexer); ok {
			var indexes []schema.Index
			for _, c := range benchmarked {
				indexes = append(indexes, c.index)
			}
			if err := indexer.Declare(b.Context(), Albums, indexes); err != nil {
				b.Fatal(err)
			}
			if err := indexer.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
			measure("index")
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpkeep measures a commit of one edit that changes every indexed property, by
// how many indexes there are.
func BenchmarkUpkeep(b *testing.B, open func(t testing.TB) storage.Engine) {
	all := []schema.Index{benchIndex("name"), benchIndex("year"), benchIndex("score"), {Columns: []schema.IndexColumn{{Path: []string{"year"}}, {Path: []string{"name"}, Desc: true}}}}
	for _, count := range []int{0, 1, 4} {
		e := open(b)
		indexer, ok := e.(storage.Indexer)
		if !ok && count > 0 {
			break
		}
		recs := Fill(b, e, 5000)
		if count > 0 {
			if err := indexer.Declare(b.Context(), Albums, all[:count]); err != nil {
				b.Fatal(err)
			}
			if err := indexer.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		w := NewWorld(2)
		b.Run(fmt.Sprint("indexes=", count), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				rec := recs[i%len(recs)]
				ev, next := w.Edit(rec, proto.Field{Name: "name", Value: value.String(benchName(i))},
					proto.Field{Name: "year", Value: value.Int(int64(i))}, proto.Field{Name: "score", Value: value.Float(float64(i))})
				recs[i%len(recs)] = next
				commit(b, e, storage.Batch{Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: next, Expect: rec.State.Head}}})
			}
		})
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

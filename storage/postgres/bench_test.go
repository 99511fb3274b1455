package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func BenchmarkEngine(b *testing.B) {
	server := pgtest.New(b, pgtest.Durable...)
	storagetest.Benchmark(b, func(b testing.TB) storage.Engine { return open(b, server.Database(b)) })
}

func BenchmarkSelections(b *testing.B) {
	server := pgtest.New(b, pgtest.Durable...)
	storagetest.BenchmarkSelections(b, []int{100_000, 1_000_000}, func(b testing.TB) storage.Engine {
		e, err := Open(b.Context(), server.Database(b), Options{Indexes: relational.IndexOptions{AutoIndexes: -1}})
		if err != nil {
			b.Fatal(err)
		}
		return e
	})
}

// How long it takes until another process has what one commits.
func BenchmarkTail(b *testing.B) {
	server := pgtest.New(b, pgtest.Durable...)
	storagetest.BenchmarkTail(b, func(b testing.TB) func(testing.TB) storage.Engine {
		url := server.Database(b)
		return func(b testing.TB) storage.Engine { return open(b, url) }
	})
}

// What a commit costs beyond its statements: in turn, by the engine, and the same ones made
// beforehand and sent by hand.
func BenchmarkCommitAgainstStatements(b *testing.B) {
	e := open(b, pgtest.New(b, pgtest.Durable...).Database(b))
	defer e.Close()
	feed, w := join(b, e), storagetest.NewWorld(1)
	_, rec := w.Create(storagetest.Albums, proto.Field{Name: "year", Value: value.Int(0)})
	commit(b, e, &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
	conn, err := e.pool.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	var seq uint64
	next := func() *storage.Batch {
		ev, edited := w.Edit(rec, proto.Field{Name: "year", Value: value.Int(int64(seq))})
		seq++
		batch := &storage.Batch{
			Events:  []*proto.Event{ev},
			Records: []storage.RecordWrite{{Record: edited, Expect: rec.State.Head}},
			FeedID:  feed, Feed: []*proto.FeedEntry{{Seq: seq, Transaction: w.Transaction()}},
		}
		rec = edited
		return batch
	}
	var engine, byHand time.Duration
	var statements pgx.Batch
	for b.Loop() {
		batch := next()
		begun := time.Now()
		commit(b, e, batch)
		engine += time.Since(begun)
		statements = e.writes(e.described.Load(), next()).batch
		begun = time.Now()
		if err := conn.SendBatch(b.Context(), &statements).Close(); err != nil {
			b.Fatal(err)
		}
		byHand += time.Since(begun)
	}
	b.ReportMetric(float64(engine.Microseconds())/float64(b.N), "µs/commit")
	b.ReportMetric(float64(byHand.Microseconds())/float64(b.N), "µs/by-hand")
	b.ReportMetric(float64(engine)/float64(byHand), "ratio")
}

package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func BenchmarkEngine(b *testing.B) {
	server := pgtest.New(b, pgtest.Durable...)
	storagetest.Benchmark(b, func(b testing.TB) storage.Engine { return open(b, server.Database(b)) })
}

// What a commit costs beyond its statements: the same ones, made beforehand and sent by hand.
func BenchmarkCommitByHand(b *testing.B) {
	e := open(b, pgtest.New(b, pgtest.Durable...).Database(b))
	defer e.Close()
	w := storagetest.NewWorld(1)
	_, rec := w.Create(storagetest.Albums, proto.Field{Name: "year", Value: value.Int(0)})
	commit(b, e, &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
	batches := make([]*pgx.Batch, b.N)
	for i := range batches {
		ev, edited := w.Edit(rec, proto.Field{Name: "year", Value: value.Int(int64(i))})
		batches[i] = &e.writes(e.described.Load(), &storage.Batch{
			Events:  []*proto.Event{ev},
			Records: []storage.RecordWrite{{Record: edited, Expect: rec.State.Head}},
			FeedID:  w.Node, Feed: []*proto.FeedEntry{{Seq: uint64(i + 1), Transaction: w.Transaction()}},
		}).batch
		rec = edited
	}
	conn, err := e.pool.Acquire(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	b.ResetTimer()
	for _, batch := range batches {
		if err := conn.SendBatch(b.Context(), batch).Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(batches[0].Len()), "statements")
}

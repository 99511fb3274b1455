package storagetest

import (
	"slices"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// tailPause is how long a process that tails goes without a look.
const tailPause = 500 * time.Millisecond

// BenchmarkTail measures how long it takes from the begin of a commit by one engine that shares a
// store until another, which waits for hints, has read the entry and the record that it names:
// of commits that follow each other, and of those of a store that rests between them. It reports
// the median and the 99th percentile.
func BenchmarkTail(b *testing.B, place func(b testing.TB) (open func(b testing.TB) storage.Engine)) {
	for name, rest := range map[string]time.Duration{"busy": 0, "rested": 200 * time.Millisecond} {
		b.Run(name, func(b *testing.B) { benchmarkTail(b, place(b), rest) })
	}
}

func benchmarkTail(b *testing.B, open func(b testing.TB) storage.Engine, rest time.Duration) {
	writer, reader := newMember(b, openFor(b, open)).Join(), newMember(b, openFor(b, open)).Join()
	rec := writer.create()
	var took []time.Duration
	for b.Loop() {
		time.Sleep(rest)
		_, edited := writer.world.Edit(rec, proto.Field{Name: "year", Value: value.Int(int64(rec.Rev))})
		begun, committed := time.Now(), make(chan error, 1)
		go func() { committed <- writer.write(storage.RecordWrite{Record: edited, Expect: rec.State.Head}) }()
		for reader.tail(writer.feed, rec.Entity) < edited.Rev {
			select {
			case <-reader.Wake():
			case <-time.After(tailPause):
			}
		}
		took = append(took, time.Since(begun))
		if err := <-committed; err != nil {
			b.Fatal(err)
		}
		rec = edited
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}

// tail reads what a feed has that was not read yet, and returns the revision of an entity at that
// moment.
func (m *Member) tail(feed id.NodeID, entity id.EntityID) uint64 {
	v := m.view()
	defer v.Close()
	ctx := m.t.Context()
	entries, err := v.Feed(ctx, feed, m.read, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(entries) > 0 {
		m.read = entries[len(entries)-1].Seq
	}
	recs, err := v.Records(ctx, []id.EntityID{entity})
	if err != nil {
		m.t.Fatal(err)
	}
	return recs[0].Rev
}

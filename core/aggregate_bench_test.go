//go:build !js

package core_test

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"

	"github.com/ankurah-go/ankurah/core/value"
)

// filled returns a durable node on the embedded engine with n albums: half of them of even
// years, of a hundred artists.
func filled(b *testing.B, n int) (node *core.Node, some id.EntityID) {
	b.Helper()
	engine, err := sledcompat.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	node = benchNode(b, engine, true)
	some = add(b, node, "album", "name", "first", "artist", "artist 0", "year", 1)
	for i := 1; i < n; {
		batch := &storage.Batch{}
		for range min(10_000, n-i) {
			e := id.EntityID{ULID: id.Make(id.Stamp(i)<<16, [8]byte{1})}
			batch.Records = append(batch.Records, storage.RecordWrite{Record: &proto.Record{Collection: "album", Entity: e, Rev: 1, State: &proto.State{
				Head: proto.NewClock(id.EventID(e)),
				Properties: []proto.PropertyState{
					{Name: "artist", Kind: 1, Value: value.String(fmt.Sprint("artist ", i%100)), Data: e.Bytes()},
					{Name: "name", Kind: 1, Value: value.String(fmt.Sprint("album ", i)), Data: e.Bytes()},
					{Name: "year", Kind: 1, Value: value.Int(int64(i)), Data: e.Bytes()},
				},
			}}})
			i++
		}
		if err := engine.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return node, some
}

var aggregateShapes = []struct {
	name    string
	where   string
	groupBy []string
	columns []ankql.Aggregate
}{
	{"count", "", nil, []ankql.Aggregate{n}},
	{"count-half", "artist < 'artist 5'", nil, []ankql.Aggregate{n}},
	{"by-artist", "", []string{"artist"}, []ankql.Aggregate{n, ankql.Sum("s", "year"), ankql.Max("m", "year")}},
}

// BenchmarkOpenAggregate: a live aggregate over n rows, until it is live.
func BenchmarkOpenAggregate(b *testing.B) {
	for _, rows := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			server, _ := filled(b, rows)
			for _, shape := range aggregateShapes {
				b.Run(shape.name, func(b *testing.B) {
					for b.Loop() {
						_, err := anonymous(server).Aggregate(b.Context(), "album", aggregation(b, shape.where, shape.groupBy, shape.columns...))
						if err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
				})
			}
		})
	}
}

// BenchmarkChangeUnderAggregate: a commit of one changed row with and without live aggregates
// over n rows; what it costs does not depend on n.
func BenchmarkChangeUnderAggregate(b *testing.B) {
	for _, rows := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			server, some := filled(b, rows)
			run := func(name string) {
				b.Run(name, func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						put(b, server, "album", some, "year", 1+i%7, "artist", fmt.Sprint("artist ", i%100))
					}
				})
			}
			run("none")
			for _, shape := range aggregateShapes {
				q := summarize(b, anonymous(server), "album", shape.where, shape.groupBy, shape.columns...)
				await(b, "live", func() bool { return q.Status() == core.QueryLive })
				run(shape.name)
				q.Close()
			}
		})
	}
}

// BenchmarkBadges: one change among ten thousand clients' equal counts costs one.
func BenchmarkBadges(b *testing.B) {
	for _, clients := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			server, some := filled(b, 1000)
			for range clients {
				q := summarize(b, anonymous(server), "album", "year > 1", nil, n)
				await(b, "live", func() bool { return q.Status() == core.QueryLive })
			}
			if got := server.Watches(); got != 1 {
				b.Fatalf("%d watches", got)
			}
			for i := 0; b.Loop(); i++ {
				put(b, server, "album", some, "name", fmt.Sprint(i)) // none of them shows it
			}
		})
	}
}

package entity

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// BenchmarkApply: merging events on catch-up, one property each. Budget 3 µs an event.
func BenchmarkApply(b *testing.B) {
	for _, shape := range []struct {
		name    string
		parents func(made []id.EventID, n int) []id.EventID
	}{
		{"linear", func(made []id.EventID, n int) []id.EventID { return made[n-1:] }},
		{"diamonds", func(made []id.EventID, n int) []id.EventID {
			switch n % 3 {
			case 1:
				return made[n-1:]
			case 2:
				return made[n-2 : n-1]
			}
			return made[n-2:]
		}},
		{"wide", func(made []id.EventID, n int) []id.EventID { // sixty concurrent ones, and one on top of all
			if n%61 == 0 {
				return made[n-60:]
			}
			return made[n-n%61:][:1]
		}},
	} {
		b.Run(shape.name, func(b *testing.B) {
			const count = 1000
			events := make([]*proto.Event, count)
			made := make([]id.EventID, 0, count)
			for n := range events {
				e := &proto.Event{Collection: "album", Operations: []proto.Operation{
					{Property: fmt.Sprintf("p%d", n%5), Kind: 1, Data: value.Append(nil, value.Int(int64(n)))}}}
				if n > 0 {
					e.Entity = events[0].Entity
					e.Parents = proto.NewClock(shape.parents(made, n)...)
				}
				if err := e.Mint(id.Stamp(1<<40 + n)); err != nil {
					b.Fatal(err)
				}
				events[n], made = e, append(made, e.ID)
			}
			b.ReportAllocs()
			for b.Loop() {
				var state *proto.State
				for _, e := range events {
					var err error
					if state, err = Apply(state, e); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/event")
		})
	}
}

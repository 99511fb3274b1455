package core

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// Whatever feeds a history of transactions was written to, merging them finds an order in
// which each feed is in its own order and no revision comes before an earlier one.
func TestFeedsMergeCausally(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			entities := make([]id.EntityID, 1+rnd.IntN(5))
			for i := range entities {
				entities[i] = id.EntityID{ULID: id.New(nil)}
			}
			revisions := make(map[id.EntityID]uint64)
			queues := make([][]*feedEntry, 1+rnd.IntN(4))
			feeds := make([]id.NodeID, len(queues))
			for q := range queues {
				feeds[q] = id.NodeID{ULID: id.New(nil)}
			}
			total := rnd.IntN(40)
			for range total {
				q := rnd.IntN(len(queues))
				e := &feedEntry{&proto.FeedEntry{Seq: uint64(len(queues[q]) + 1)}, feeds[q]}
				for _, i := range rnd.Perm(len(entities))[:1+rnd.IntN(len(entities))] {
					revisions[entities[i]]++
					e.Changes = append(e.Changes, proto.Change{Entity: entities[i], Rev: revisions[entities[i]]})
				}
				queues[q] = append(queues[q], e)
			}
			order := causally(queues)
			if len(order) != total {
				t.Fatalf("%d of %d entries", len(order), total)
			}
			clear(revisions)
			ends := make(map[id.NodeID]uint64)
			for _, e := range order {
				if ends[e.feed]++; ends[e.feed] != e.Seq {
					t.Fatalf("entry %d of a feed comes in place of %d", e.Seq, ends[e.feed])
				}
				for _, c := range e.Changes {
					if revisions[c.Entity]++; revisions[c.Entity] != c.Rev {
						t.Fatalf("revision %d comes in place of %d", c.Rev, revisions[c.Entity])
					}
				}
			}
		})
	}
}

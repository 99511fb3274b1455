package ankqltest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
)

var (
	seeds = flag.Int("ankql.seeds", 0, "how many seeds each random test of selections runs; 0 is its own number")
	first = flag.Uint64("ankql.seed", 1, "the first seed")
)

// Each runs f as a subtest for each of n seeds, each with a generator and an empty world of
// its own. The flags -ankql.seeds and -ankql.seed change how many and which. A failure
// ends the run.
func Each(t *testing.T, n int, f func(t *testing.T, g *Gen)) {
	t.Helper()
	if *seeds > 0 {
		n = *seeds
	}
	for i := range uint64(n) {
		seed := *first + i
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { f(t, New(seed)) }) {
			return
		}
	}
}

// Gen makes random things. Set its fields before the first use; the zero values of those
// after World make everything that the language and the models allow.
type Gen struct {
	*rand.Rand
	World *World

	References bool // selections follow references, as in artist.name = 'x'
	NoNUL      bool // no text has a NUL character, which PostgreSQL does not store
	Finite     bool // no float is infinite or not a number
	NoOrder    bool // selections have no ORDER BY
	NoLimit    bool // selections have no LIMIT
	Full       int  // rows of a collection from which on Op changes rather than creates; 0 is 12

	known map[placesKey][]place
}

// New returns a generator with an empty world of [Models].
func New(seed uint64) *Gen {
	return &Gen{Rand: rand.New(rand.NewPCG(seed, 0x616e6b716c)), World: NewWorld(Models())}
}

// Pick returns one of the given things.
func Pick[T any](g *Gen, from ...T) T { return from[g.IntN(len(from))] }

// chance is true once in n times.
func (g *Gen) chance(n int) bool { return g.IntN(n) == 0 }

// ID returns the id of a row of the collection, "" for any; now and then, and where there is
// no row, one that nothing has.
func (g *Gen) ID(collection string) id.EntityID {
	var ids []id.EntityID
	if !g.chance(6) {
		for _, r := range g.World.Rows {
			if collection == "" || r.Collection == collection {
				ids = append(ids, r.ID)
			}
		}
	}
	if len(ids) == 0 {
		return ID(1<<40 + g.IntN(3))
	}
	return ids[g.IntN(len(ids))]
}

// ID returns the id with a number: one that is the same in every run, and greater than those
// of lesser numbers.
func ID(n int) id.EntityID {
	return id.EntityID{ULID: id.Make(id.Stamp(n+1)<<20, [8]byte{byte(n >> 8), byte(n)})}
}

package sim

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/internal/leaktest"
)

var (
	seeds = flag.Int("sim.seeds", 2, "how many seeds of each scenario are run")
	first = flag.Uint64("sim.seed", 1, "the first seed")
	steps = flag.Int("sim.steps", 0, "so many steps of each schedule; 0 is all")
	trace = flag.Int("sim.trace", 0, "how many lines of what happened before a failure are printed")
	limit = flag.Duration("sim.for", 0, "begin no further seed after so much time")
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestSystems holds the invariants under the faults of every scenario.
func TestSystems(t *testing.T) {
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "sim.seeds" })
	for i := range Scenarios {
		s := &Scenarios[i]
		if s.Explores && !asked {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			began := time.Now()
			var elapsed time.Duration
			ran, commits, digest := 0, 0, uint64(0)
			for seed := *first; seed < *first+uint64(*seeds) && (*limit == 0 || time.Since(began) < *limit); seed++ {
				schedule := s.Schedule(seed)
				if *steps > 0 {
					schedule = schedule[:min(*steps, len(schedule))]
				}
				o := play(t, s, seed, schedule)
				if o.Err != nil {
					report(t, s, seed, schedule, o)
					return
				}
				ran, elapsed, commits, digest = ran+1, elapsed+o.Elapsed, commits+o.Commits, digest^o.Digest
			}
			t.Logf("%d seeds, %s of simulated time, %d transactions, all well; digest %016x", ran, elapsed.Round(time.Second), commits, digest)
		})
	}
}

// report prints a failure, of as few steps as halving finds, and the line that runs it again.
func report(t *testing.T, s *Scenario, seed uint64, schedule []Step, o Outcome) {
	for n := len(schedule) / 2; n > 0; n /= 2 {
		for len(schedule) > n {
			shorter := play(t, s, seed, schedule[:len(schedule)-n])
			if shorter.Err == nil {
				break
			}
			schedule, o = schedule[:len(schedule)-n], shorter
		}
	}
	fmt.Fprint(os.Stderr, o.Trace)
	t.Fatalf("%v\nSIMFAIL go test ./internal/sim -run 'TestSystems/%s$' -sim.seed=%d -sim.seeds=1 -sim.steps=%d -sim.trace=200",
		o.Err, s.Name, seed, len(schedule))
}

// play runs steps in simulated time.
func play(t *testing.T, s *Scenario, seed uint64, steps []Step) (o Outcome) {
	synctest.Test(t, func(t *testing.T) { o = Run(t.Context(), s, seed, steps, *trace) })
	return o
}

package sim

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Int("seeds", 20, "how many seeds each scenario runs")
	seed  = flag.Uint64("seed", 0, "run this seed only")
)

var scenarios = map[string]Plan{
	"reliable": {Clients: 2, Steps: 120},
	"slow":     {Clients: 3, Steps: 120, Faults: Faults{Delay: 2 * time.Second}},
	"lossy":    {Clients: 3, Steps: 150, Faults: Faults{Cut: 0.02, Duplicate: 0.05, Delay: 100 * time.Millisecond}},
	"shuffled": {Clients: 4, Steps: 150, Faults: Faults{Cut: 0.005, Duplicate: 0.1, Delay: 20 * time.Second}},
	"narrow":   {Clients: 3, Steps: 150, Send: 3, Faults: Faults{Cut: 0.01, Delay: time.Second, Queue: 1}},
	"disks":    {Clients: 3, Steps: 150, Disks: 0.03, Faults: Faults{Cut: 0.005, Delay: 100 * time.Millisecond}},
}

// TestSystemsConverge holds convergence, durability, rollback and live results under
// faults.
func TestSystemsConverge(t *testing.T) {
	for name, plan := range scenarios {
		t.Run(name, func(t *testing.T) {
			first, last := uint64(1), uint64(*seeds)
			if *seed != 0 {
				first, last = *seed, *seed
			}
			for s := first; s <= last; s++ {
				plan.Seed = s
				synctest.Test(t, func(t *testing.T) {
					if err := Run(t.Context(), plan); err != nil {
						t.Errorf("%v\nSIMFAIL %s", err, rerun(name, s))
					}
				})
				if t.Failed() {
					return
				}
			}
		})
	}
}

func rerun(scenario string, seed uint64) string {
	return fmt.Sprintf("go test ./internal/sim -run 'TestSystemsConverge/%s' -seed %d", scenario, seed)
}

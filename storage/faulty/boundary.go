package faulty

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
)

// MaxBoundaries is how many calls a scenario of EveryBoundary makes at most.
const MaxBoundaries = 10_000

// EveryBoundary runs a scenario once for every call that it makes of an engine, and for
// either side of the call, killing the engine there, and once without a kill. The
// scenario wraps each engine that it opens; calls are counted across all of them, and
// only one is killed. It goes on until its work fails or is done, opens the data again,
// which must then be what a crash may leave, and finishes the work.
func EveryBoundary(t *testing.T, scenario func(t *testing.T, wrap func(storage.Engine) *Engine)) {
	for n := 1; n <= MaxBoundaries; n++ {
		for _, after := range []bool{false, true} {
			k := killer{at: n, after: after}
			t.Run(k.String(), func(t *testing.T) { scenario(t, k.wrap) })
			if !k.fired {
				return // the scenario makes fewer calls: this was the run without a kill
			}
		}
	}
	t.Fatalf("the scenario makes more than %d calls", MaxBoundaries)
}

// killer kills an engine at one call.
type killer struct {
	at    int
	after bool
	calls int
	fired bool
}

func (k *killer) String() string {
	if k.after {
		return fmt.Sprintf("after=%d", k.at)
	}
	return fmt.Sprintf("before=%d", k.at)
}

func (k *killer) wrap(inner storage.Engine) *Engine {
	return Wrap(inner, func(Call) Fault {
		if k.calls++; k.calls != k.at {
			return Fault{}
		}
		k.fired = true
		return Fault{Kill: !k.after, KillAfter: k.after}
	})
}

//go:build !js && !race

package sim

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var digestOfRun = regexp.MustCompile(`digest [0-9a-f]{16}`)

// The same seed is the same run, to the last frame, as `make sim-exact` runs it.
func TestSameSeedIsTheSameRun(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sim.wasm")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	digest := func(scenario, seed string) string {
		t.Helper()
		run := exec.CommandContext(t.Context(), "node", "deterministic.cjs", program,
			"-test.v", "-test.run=TestSystems/"+scenario+"$", "-sim.seed="+seed, "-sim.seeds=1")
		out, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", scenario, seed, err, out)
		}
		found := digestOfRun.Find(out)
		if found == nil {
			t.Fatalf("%s %s tells no digest:\n%s", scenario, seed, out)
		}
		return string(found)
	}
	different := map[string]bool{}
	for _, run := range []struct{ scenario, seed string }{{"lossy", "4"}, {"disks", "2"}, {"replicas", "2"}} {
		first := digest(run.scenario, run.seed)
		different[first] = true
		if again := digest(run.scenario, run.seed); again != first {
			t.Errorf("%s %s: %s, then %s", run.scenario, run.seed, first, again)
		}
	}
	if len(different) < 3 {
		t.Errorf("runs that differ have the same digest: %v", different)
	}
}

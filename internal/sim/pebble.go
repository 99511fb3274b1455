//go:build !js

package sim

import (
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ankurah-go/ankurah/storage"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
)

// pebbleMedium is a file system under the engine of durable nodes that are on their own. A crash
// keeps what was synced, and of everything else as much as it likes: files that are not in their
// directory yet, and the log up to somewhere in what was written last.
type pebbleMedium struct {
	fs     *vfs.MemFS
	engine storage.Engine // the last that was opened
}

// NewPebble returns a medium for the engine sled-compat.
func NewPebble() Medium { return &pebbleMedium{fs: vfs.NewCrashableMem()} }

// Open implements Medium.
func (m *pebbleMedium) Open() (engine storage.Engine, err error) {
	if m.engine, err = sledcompat.Open("/", sledcompat.WithFS(m.fs), sledcompat.WithCache(1<<20)); err != nil {
		return nil, err
	}
	return m.engine, nil
}

// Crash implements Medium. What the dropped engine goes on to do happens to a file system that
// nobody will see.
func (m *pebbleMedium) Crash(rnd *rand.Rand) {
	after := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
	if m.engine != nil {
		m.engine.Close()
	}
	m.fs = after
}

// Copy implements Medium.
func (m *pebbleMedium) Copy() Medium {
	return &pebbleMedium{fs: m.fs.CrashClone(vfs.CrashCloneCfg{})}
}

// Pebble needs more of a platform than a browser is: the scenario is one of servers' platforms.
func init() {
	Scenarios = append(Scenarios, Scenario{Name: "pebble", Durables: 1, Clients: 3, Steps: 100, Pause: 2 * time.Second, Medium: NewPebble,
		Network: Faults{Cut: 0.002, Delay: 200 * time.Millisecond}, Disk: DiskFaults{Slow: 0.1, Delay: 100 * time.Millisecond},
		Weights: work.with(map[Kind]int{Restart: 2, Crash: 6, Fuse: 12})})
}

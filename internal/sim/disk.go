package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
)

// DiskFaults is what goes wrong with storage by itself, at every operation.
type DiskFaults struct {
	Fails float64       // the probability that an operation fails
	Slow  float64       // the probability that a commit takes time
	Delay time.Duration // how long at most
}

// Medium is what keeps a machine's data when the machine is off.
type Medium interface {
	// Open returns an engine over what the medium holds.
	Open() (storage.Engine, error)
	// Crash is called after an engine was dropped without being closed, with randomness to
	// decide what became of what had not been synced.
	Crash(rnd *rand.Rand)
	// Copy returns the medium as it is.
	Copy() Medium
}

// Disk is a machine's storage. It fails when the schedule says so.
type Disk struct {
	machine *Machine
	rnd     *rand.Rand

	mu     sync.Mutex
	medium Medium
	copies []Medium // of earlier, in order
	faults DiskFaults
	fuse   int  // the machine dies at this operation, counted down; 0 for never
	after  bool // when it is done
	full   bool
	out    bool
}

func newDisk(m *Machine, medium Medium, f DiskFaults) *Disk {
	return &Disk{machine: m, medium: medium, faults: f, rnd: m.world.random(m.name+" disk", 0)}
}

// Open returns an engine over the disk, and what makes it fail.
func (d *Disk) Open() (storage.Engine, *faulty.Engine, error) {
	d.mu.Lock()
	medium := d.medium
	d.mu.Unlock()
	inner, err := medium.Open()
	if err != nil {
		return nil, nil, err
	}
	engine := faulty.Wrap(inner, d.decide)
	return share(engine, inner), engine, nil
}

// be sets the faults.
func (d *Disk) be(f DiskFaults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
}

// Heal ends all faults.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults, d.full, d.out, d.fuse = DiskFaults{}, false, false, 0
}

// Crash is what a crash of the machine does to its disk.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fuse = 0
	d.medium.Crash(d.rnd)
}

// Light has the machine die at an operation from now, before it is done or after.
func (d *Disk) Light(operations int, after bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fuse, d.after = operations, after
}

// Fill makes the disk full, or has room again.
func (d *Disk) Fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// TakeAway makes the disk unavailable, or available again.
func (d *Disk) TakeAway(out bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out = out
}

func (d *Disk) decide(c faulty.Call) (f faulty.Fault) {
	defer func() {
		if f.Before != nil || f.After != nil {
			d.machine.world.trace.detail(func() string { return fmt.Sprintf("  fails: %v, %v", f.Before, f.After) })
			d.machine.memory.failed()
		}
	}()
	if c.Batch != nil {
		d.machine.world.ledger.learn(c.Batch)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machine.world.trace.add("%s: %s", d.machine.name, c.Op)
	if d.fuse > 0 {
		if d.fuse--; d.fuse == 0 {
			d.machine.die()
			return faulty.Fault{Kill: !d.after, KillAfter: d.after}
		}
	}
	switch {
	case d.out:
		return faulty.Fault{Before: storage.ErrUnavailable}
	case d.full && c.Op == faulty.Commit && grows(c.Batch):
		return faulty.Fault{Before: storage.ErrFull}
	}
	// Reads take no time: a node may hold a lock meanwhile, and simulated time does not pass while
	// a goroutine waits for one.
	if c.Op == faulty.Commit && d.rnd.Float64() < d.faults.Slow {
		done := make(chan struct{})
		time.AfterFunc(1+time.Duration(d.rnd.Int64N(int64(d.faults.Delay))), func() { close(done) })
		f.Wait = done
	}
	if d.rnd.Float64() >= d.faults.Fails {
		return f
	}
	switch roll := d.rnd.IntN(4); {
	case c.Op == faulty.Commit && roll == 0:
		f.Before = storage.ErrFull
	case c.Op == faulty.Commit && roll == 1: // it is done, and nobody knows
		f.After = storage.ErrUnavailable
	default:
		f.Before = storage.ErrUnavailable
	}
	return f
}

// grows reports whether a batch takes room.
func grows(b *storage.Batch) bool { return len(b.Events)+len(b.Records)+len(b.Feed) > 0 }

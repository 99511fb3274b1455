package sim

import (
	"math/rand/v2"
	"sync"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
)

// Disks makes the storage of all nodes fail now and then. Its randomness is its own.
type Disks struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	fails float64 // the probability of a call's failure
	on    bool
}

// NewDisks returns disks that fail with the given probability, once switched on.
func NewDisks(seed uint64, fails float64) *Disks {
	return &Disks{rnd: rand.New(rand.NewPCG(seed, 3)), fails: fails}
}

// Switch has failures begin or end.
func (d *Disks) Switch(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = on
}

// Wrap returns an engine that fails when the disks say so.
func (d *Disks) Wrap(inner storage.Engine) storage.Engine { return faulty.Wrap(inner, d.decide) }

func (d *Disks) decide(c faulty.Call) faulty.Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.on || d.rnd.Float64() >= d.fails {
		return faulty.Fault{}
	}
	switch roll := d.rnd.IntN(4); {
	case c.Op == faulty.Commit && roll == 0:
		return faulty.Fault{Before: storage.ErrFull}
	case c.Op == faulty.Commit && roll == 1: // it is done, and nobody knows
		return faulty.Fault{After: storage.ErrUnavailable}
	}
	return faulty.Fault{Before: storage.ErrUnavailable}
}

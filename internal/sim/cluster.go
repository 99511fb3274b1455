package sim

import (
	"context"
	"math/rand/v2"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// sharedMedium is what one process of several has of their disk.
type sharedMedium struct {
	disk   *memory.Disk
	engine *memory.Shared // the last that was opened
}

func (m *sharedMedium) Open() (storage.Engine, error) {
	m.engine = m.disk.Share()
	return m.engine, nil
}

// Crash has the disk take the process for dead.
func (m *sharedMedium) Crash(*rand.Rand) {
	if m.engine != nil {
		m.engine.Release()
	}
}

func (m *sharedMedium) Copy() Medium { return memoryMedium{m.disk.Copy()} }

// sharing is a faulty engine that is a storage.Shared.
type sharing struct {
	*faulty.Engine
	shared storage.Shared
}

// share returns the engine as one that shares its store, if it does.
func share(e *faulty.Engine, inner storage.Engine) storage.Engine {
	if s, ok := inner.(storage.Shared); ok {
		return sharing{e, s}
	}
	return e
}

func (s sharing) dead() error {
	if s.Killed() {
		return faulty.ErrKilled
	}
	return nil
}

// Join implements storage.Shared.
func (s sharing) Join(ctx context.Context) (id.NodeID, error) {
	if err := s.dead(); err != nil {
		return id.NodeID{}, err
	}
	return s.shared.Join(ctx)
}

// View implements storage.Shared.
func (s sharing) View(ctx context.Context) (storage.View, error) {
	if err := s.dead(); err != nil {
		return nil, err
	}
	return s.shared.View(ctx)
}

// Wake implements storage.Shared.
func (s sharing) Wake() <-chan struct{} { return s.shared.Wake() }

// Lock implements storage.Shared.
func (s sharing) Lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := s.dead(); err != nil {
		return nil, err
	}
	return s.shared.Lock(ctx, name)
}

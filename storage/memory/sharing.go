package memory

import (
	"context"
	"errors"
	"maps"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Share returns an engine that may write to the disk beside others that are shared: it is a
// storage.Shared, as far as that goes within one program. An engine that is dropped without
// being closed, as a crash does, keeps its feed and its locks until Release.
func (d *Disk) Share() *Shared {
	s := &Shared{engine: engine{disk: d}, wake: make(chan struct{}, 1)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.sharers == nil {
		d.mu.sharers = make(map[*Shared]struct{})
		d.mu.locks = make(map[string]*Shared)
		d.mu.released = make(chan struct{})
	}
	d.mu.sharers[s] = struct{}{}
	return s
}

// Shared is one of several engines that write to one disk.
type Shared struct {
	engine
	feed id.NodeID // guarded by the disk's lock
	wake chan struct{}

	inbox *storage.Inbox // nil while nobody listens; guarded by the disk's lock
}

var _ storage.Shared = (*Shared)(nil)

// errJoined is what a second Join returns.
var errJoined = errors.New("memory: the engine has joined already")

// Join implements storage.Shared.
func (s *Shared) Join(ctx context.Context) (id.NodeID, error) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case s.closed:
		return id.NodeID{}, storage.ErrClosed
	case !s.feed.IsZero():
		return id.NodeID{}, errJoined
	}
	taken := make(map[id.NodeID]bool)
	for other := range d.mu.sharers {
		taken[other.feed] = true
	}
	for _, feed := range d.mu.joined {
		if !taken[feed] {
			s.feed = feed
			return feed, nil
		}
	}
	s.feed = id.NodeID{ULID: id.New(d.Random)}
	d.mu.joined = append(d.mu.joined, s.feed)
	return s.feed, nil
}

// Commit implements storage.Engine.
func (s *Shared) Commit(ctx context.Context, b *storage.Batch) error {
	d := s.disk
	d.mu.RLock()
	_, alive := d.mu.sharers[s]
	fenced := !alive && !s.closed
	d.mu.RUnlock()
	if fenced {
		return storage.ErrFenced
	}
	if err := s.engine.Commit(ctx, b); err != nil || len(b.Feed) == 0 {
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for other := range d.mu.sharers {
		if other == s {
			continue
		}
		select {
		case other.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// Wake implements storage.Shared.
func (s *Shared) Wake() <-chan struct{} { return s.wake }

// Lock implements storage.Shared.
func (s *Shared) Lock(ctx context.Context, name string) (unlock func(), err error) {
	d := s.disk
	for {
		d.mu.Lock()
		closed, holder, released := s.closed, d.mu.locks[name], d.mu.released
		if holder == nil && !closed {
			d.mu.locks[name] = s
		}
		d.mu.Unlock()
		switch {
		case closed:
			return nil, storage.ErrClosed
		case holder == nil:
			return func() { s.unlock(name) }, nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *Shared) unlock(name string) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.locks[name] == s {
		delete(d.mu.locks, name)
		d.releasedLocked()
	}
}

func (d *Disk) releasedLocked() {
	close(d.mu.released)
	d.mu.released = make(chan struct{})
}

// Release takes the engine for dead, as a store does with a process that it hears nothing of:
// its feed and its locks are free, and what it commits from then on is refused.
func (s *Shared) Release() {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.sharers, s)
	maps.DeleteFunc(d.mu.locks, func(_ string, holder *Shared) bool { return holder == s })
	d.releasedLocked()
}

// Close implements storage.Engine.
func (s *Shared) Close() error {
	s.Release()
	return s.engine.Close()
}

// View implements storage.Shared. It copies what the disk holds.
func (s *Shared) View(ctx context.Context) (storage.View, error) {
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	s.disk.mu.RUnlock()
	return &view{engine{disk: s.disk.Copy()}}, nil
}

type view struct{ engine }

// Feeds implements storage.View.
func (v *view) Feeds(ctx context.Context) (map[id.NodeID]uint64, error) {
	if err := v.read(ctx); err != nil {
		return nil, err
	}
	defer v.disk.mu.RUnlock()
	ends := make(map[id.NodeID]uint64, len(v.disk.mu.feeds))
	for feed, entries := range v.disk.mu.feeds {
		if len(entries) > 0 {
			ends[feed] = entries[len(entries)-1].Seq
		}
	}
	return ends, nil
}

// Close implements storage.View.
func (v *view) Close() { _ = v.engine.Close() }

package core

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// foreign is which entities other processes of the store have changed, as far as that has been
// published: what the sequencer remembers of them is of before. To store something on top of
// that would be refused, but meanwhile transactions would be shown it as the present.
type foreign struct {
	looks atomic.Uint64 // how often something of theirs was published
	mu    struct {
		sync.Mutex
		changed []id.EntityID
		tooMany bool
	}
}

// foreignKept bounds the entities that are kept for the sequencer to hear of.
const foreignKept = 1 << 14

// look notes what is about to be published.
func (f *foreign) look(list []*publication) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	for _, p := range list {
		if p.own {
			continue
		}
		found = true
		for e := range p.before {
			if len(f.mu.changed) == foreignKept {
				f.mu.changed, f.mu.tooMany = nil, true
			}
			f.mu.changed = append(f.mu.changed, e)
		}
	}
	if found {
		f.looks.Add(1)
	}
}

// take returns the entities that have changed since the last time, or that these are too many.
func (f *foreign) take() (changed []id.EntityID, tooMany bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed, tooMany = f.mu.changed, f.mu.tooMany
	f.mu.changed, f.mu.tooMany = nil, false
	return changed, tooMany
}

// looks returns how often something of other processes was published.
func (s *sequencer) looks() uint64 {
	if s.node.others == nil {
		return 0
	}
	return s.node.others.foreign.looks.Load()
}

// forget drops from memory what other processes have changed.
func (s *sequencer) forget() {
	now := s.looks()
	if now == s.looked {
		return
	}
	s.looked = now
	changed, tooMany := s.node.others.foreign.take()
	if tooMany {
		s.cache.clear()
	}
	for _, e := range changed {
		s.cache.drop(e)
	}
}

// grounded fails with storage.ErrConflict where the group was staged on records that other
// processes have changed since, as has been published.
func (s *sequencer) grounded(ctx context.Context, g *group) error {
	if g.looked == s.looks() {
		return nil
	}
	for page := range slices.Chunk(g.order, storage.MaxPage) {
		records, err := s.node.engine.Records(ctx, page)
		if err != nil {
			return err
		}
		for i, e := range page {
			before := g.writes[e].Expect
			if now := records[i]; now == nil && len(before) > 0 || now != nil && !now.State.Head.Equal(before) {
				return storage.ErrConflict
			}
		}
	}
	return nil
}

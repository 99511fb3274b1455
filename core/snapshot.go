package core

import (
	"context"
	"fmt"
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// snapshots is the open transactions' views of the past. Storage keeps only the present,
// so whoever is about to change records first leaves the old ones with every snapshot
// that is open, and with those that begin before the change is done (changing, changed).
// A reader asks storage and then its snapshot: what the snapshot holds is older, and wins.
type snapshots struct {
	mu       sync.Mutex
	open     map[*snapshot]struct{}
	underWay []preserved
}

// preserved is a record as it was before a change.
type preserved struct {
	entity id.EntityID
	record *proto.Record // nil where the entity did not exist
}

type snapshot struct {
	limit int
	mu    sync.Mutex
	old   map[id.EntityID]*proto.Record // nil where the entity did not exist
	full  bool
}

func (s *snapshots) begin(limit int) *snapshot {
	snap := &snapshot{limit: limit}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*snapshot]struct{})
	}
	s.open[snap] = struct{}{}
	for _, p := range s.underWay {
		snap.keep(p)
	}
	return snap
}

func (s *snapshots) end(snap *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, snap)
}

// changing leaves records, as they are until now, with every snapshot that is open or
// begins before changed. If several are of one entity, the first counts.
func (s *snapshots) changing(old []preserved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = old
	for snap := range s.open {
		for _, p := range old {
			snap.keep(p)
		}
	}
}

// recalling is changing for what is about to be published and has been stored before, by
// whomever: a snapshot may have been left a later reading of an entity, which somebody had stored
// and nobody had published.
func (s *snapshots) recalling(old []preserved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = old
	for snap := range s.open {
		for _, p := range old {
			snap.recall(p)
		}
	}
}

// reached says that the next n changes of those that are under way are shown to whomever begins
// from now on.
func (s *snapshots) reached(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = s.underWay[min(n, len(s.underWay)):]
}

// changed says that every reader sees the change, or that it was given up.
func (s *snapshots) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underWay = nil
}

func (s *snapshot) keep(p preserved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.old[p.entity]; ok {
		return
	}
	if len(s.old) >= s.limit {
		s.full = true
		return
	}
	if s.old == nil {
		s.old = make(map[id.EntityID]*proto.Record)
	}
	s.old[p.entity] = p.record
}

// recall is keep, unless what is kept is older.
func (s *snapshot) recall(p preserved) {
	s.keep(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.old[p.entity]; kept != nil && (p.record == nil || p.record.Rev < kept.Rev) {
		s.old[p.entity] = p.record
	}
}

// record returns the entity as it was when the snapshot began.
func (s *snapshot) record(ctx context.Context, n *Node, e id.EntityID) (*proto.Record, error) {
	r, err := n.record(ctx, e)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return nil, s.tooOld()
	}
	if old, ok := s.old[e]; ok {
		return old, nil
	}
	return r, nil
}

// overfull reports whether more has changed than the snapshot keeps.
func (s *snapshot) overfull() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *snapshot) tooOld() error {
	return fmt.Errorf("%w: more than %d entities changed while the transaction was open", ErrLimit, s.limit)
}

package paged

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Version is the layout that this program reads and writes.
const Version = 1

const tokenBytes = 16

// Open opens the store on a disk, which it owns from then on, and takes it over from
// the one that was opened before. After an error the disk is still the caller's.
func Open(ctx context.Context, disk Disk, o Options) (*Store, error) {
	o.ensureDefaults()
	s := &Store{
		disk:       disk,
		options:    o,
		gate:       newGate(),
		committing: make(chan struct{}, 1),
		wanted:     make(chan struct{}, 1),
	}
	s.mu.cache = newCache(o.CacheBytes)
	s.mu.fetches = map[string]*fetch{}
	s.mu.progress = make(chan struct{})
	results, err := s.claim(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.replay(results.Scans[0]); err != nil {
		return nil, err
	}
	if packed := results.Values[0]; packed != nil {
		s.mu.directory, err = parseDirectory(packed)
	} else {
		s.mu.suspect = true
		err = s.trustDirectory(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	s.merger.Add(1)
	go s.mergeUntilClosed()
	if s.journal.bytes >= o.MergeBytes {
		s.wantMerge()
	}
	return s, nil
}

// claim makes this store the one that may write, and reads the directory and the log at
// the moment at which it does.
func (s *Store) claim(ctx context.Context) (*Results, error) {
	s.meta = make([]byte, 1+tokenBytes)
	s.meta[0] = Version
	if _, err := io.ReadFull(s.options.Random, s.meta[1:]); err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	for {
		results, err := s.disk.Transact(ctx, &Transaction{Gets: [][]byte{metaKey}})
		if err != nil {
			return nil, err
		}
		before := results.Values[0]
		if err := judgeMeta(before); err != nil {
			return nil, err
		}
		results, err = s.disk.Transact(ctx, &Transaction{
			Checks: []kv.Check{{Key: metaKey, Value: before}},
			Gets:   [][]byte{dirKey},
			Scans:  []Scan{{Span: allLog}},
			Puts:   []kv.Pair{{Key: metaKey, Value: s.meta}},
		})
		if errors.Is(err, storage.ErrConflict) {
			continue // somebody else has claimed it in between
		}
		if err == nil && before == nil && (results.Values[0] != nil || len(results.Scans[0]) > 0) {
			return nil, fmt.Errorf("%w: data without a version", storage.ErrCorrupt)
		}
		return results, err
	}
}

func judgeMeta(meta []byte) error {
	switch {
	case meta == nil:
		return nil
	case len(meta) == 0 || meta[0] == 0 || meta[0] == Version && len(meta) != 1+tokenBytes:
		return fmt.Errorf("%w: version record %x", storage.ErrCorrupt, meta)
	case meta[0] > Version:
		return fmt.Errorf("%w: its layout is version %d, and this program reads up to %d", ErrNewer, meta[0], Version)
	}
	return nil
}

// replay makes the overlay from the log (P2).
func (s *Store) replay(records []kv.Pair) error {
	for _, r := range records {
		if len(r.Key) != 1+8 {
			return fmt.Errorf("%w: log record %x", storage.ErrCorrupt, r.Key)
		}
		b, err := parseLog(r.Value)
		if err != nil {
			return err
		}
		s.journal.found(binary.BigEndian.Uint64(r.Key[1:]), r.Value)
		s.mu.active = s.mu.active.with(b)
		s.mu.waiting += len(r.Value)
	}
	s.joinOverlaysLocked()
	return nil
}

// trustDirectory reads the directory again if it may not be what the disk has. The
// caller has a part in the gate.
func (s *Store) trustDirectory(ctx context.Context) error {
	s.mu.Lock()
	suspect := s.mu.suspect
	s.mu.Unlock()
	if !suspect {
		return nil
	}
	results, err := s.transact(ctx, &Transaction{Scans: []Scan{{Span: allPages, KeysOnly: true}}})
	if err != nil {
		return err
	}
	d, err := directoryOf(results.Scans[0])
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.suspect { // nobody else has done it meanwhile
		s.mu.directory, s.mu.suspect = d, false
		s.mu.cache = newCache(s.options.CacheBytes)
	}
	return nil
}

package paged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ankurah-go/ankurah/internal/entropy"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// What a store may answer besides the errors of package storage, one of which each of
// them wraps.
var (
	// ErrSuperseded: the data is not this store's any more: another store was opened over
	// it, or it was removed.
	ErrSuperseded = fmt.Errorf("indexeddb: another store has taken over, or the data was removed: %w", storage.ErrUnavailable)
	// ErrNewer: the data has a layout that this program does not know.
	ErrNewer = fmt.Errorf("indexeddb: the data was written by a newer version: %w", storage.ErrUnavailable)
)

// Options are a store's settings; the zero value has the defaults.
type Options struct {
	// CacheBytes is how much memory the pages that are kept may take; default 8 MiB, some
	// ten thousand rows with their indexes. Whoever scans more than fits, again and again,
	// reads all of it each time.
	CacheBytes int
	// MergeBytes is how large the log grows before it is merged into the pages; default
	// 1 MiB. Opening reads the log.
	MergeBytes int
	// OverlayBytes is how much may wait to be merged before commits wait for that;
	// default 32 MiB.
	OverlayBytes int
	// PageBytes is the size of the largest pages; default 32 KiB. An entry that is
	// larger has a page of its own.
	PageBytes int
	// StepBytes is about how much one step of a merge writes; default 256 KiB.
	StepBytes int
	// OnSuperseded, if not nil, is called once when the store finds that it was.
	OnSuperseded func()
	// Random makes the token of this opening; default the system's.
	Random io.Reader
}

func (o *Options) ensureDefaults() {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&o.CacheBytes, 8 << 20},
		{&o.MergeBytes, 1 << 20},
		{&o.OverlayBytes, 32 << 20},
		{&o.PageBytes, 32 << 10},
		{&o.StepBytes, 256 << 10},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.Random == nil {
		o.Random = entropy.Reader
	}
}

// Store is a kv.Store over a Disk.
type Store struct {
	disk    Disk
	options Options
	meta    []byte // what the disk has under metaKey as long as the store may write (P4)

	gate       *gate         // see P5
	committing chan struct{} // holds a token while somebody commits
	journal    journal       // used by who commits

	life     context.Context // of the goroutine that merges
	endLife  context.CancelFunc
	merger   sync.WaitGroup
	wanted   chan struct{} // signalled when there may be something to merge
	position []byte        // up to where the frozen overlay was merged; the merger's

	mu struct {
		sync.Mutex
		calls  sync.WaitGroup
		closed bool
		failed error // what every call returns from now on

		frozen    overlay    // is being merged
		frozenLog [2]uint64  // its log records, the second is behind the last
		active    overlay    // over that
		overlay   overlay    // both
		waiting   int        // bytes of both
		directory *directory // of the pages below
		cache     *cache
		fetches   map[string]*fetch // by low: the pages that are being read
		suspect   bool              // a step of a merge may have been done or not
		mergeErr  error             // why the last attempt to merge ended early
		progress  chan struct{}     // closed and replaced after each attempt to merge
	}
}

var (
	_ kv.Store  = (*Store)(nil)
	_ kv.Viewer = (*Store)(nil)
)

// enter begins a call; unless it fails, the caller defers s.mu.calls.Done.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return storage.ErrClosed
	}
	if s.mu.failed != nil {
		return s.mu.failed
	}
	s.mu.calls.Add(1)
	return nil
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.calls.Done()
	var values [][]byte
	err := s.read(ctx, func(v *view) error {
		values = make([][]byte, len(keys))
		return v.lookup(len(keys), func(i int) []byte { return keys[i] }, func(i int, value []byte) {
			values[i] = bytes.Clone(value)
		})
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// Scan implements kv.Store.
func (s *Store) Scan(ctx context.Context, r kv.Range, limit int) ([]kv.Pair, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.calls.Done()
	var pairs []kv.Pair
	err := s.read(ctx, func(v *view) error {
		pairs = pairs[:0]
		return v.each(r, limit, func(key, value []byte) bool {
			pairs = append(pairs, copied(key, value))
			return len(pairs) != limit
		})
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// copied returns a pair of its own, in one piece of memory.
func copied(key, value []byte) kv.Pair {
	n := len(key)
	b := append(append(make([]byte, 0, n+len(value)), key...), value...)
	return kv.Pair{Key: b[:n:n], Value: b[n:]}
}

// View implements kv.Viewer.
func (s *Store) View(ctx context.Context, read func(kv.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.calls.Done()
	// What was read cannot be taken back to begin again with a view that may read.
	v, err := s.viewDisk(ctx)
	if err != nil {
		return err
	}
	defer s.gate.unshare()
	return read(reader{v})
}

// reader is a view as a kv.Reader.
type reader struct{ view *view }

// Get implements kv.Reader.
func (r reader) Get(keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	err := r.view.lookup(len(keys), func(i int) []byte { return keys[i] }, func(i int, value []byte) { values[i] = value })
	return values, err
}

// Visit implements kv.Reader.
func (r reader) Visit(within kv.Range, expect int, visit func(key, value []byte) bool) error {
	return r.view.each(within, expect, visit)
}

// Commit implements kv.Store.
func (s *Store) Commit(ctx context.Context, w *kv.Writes) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.calls.Done()
	chunks := pack(w)
	if err := s.awaitRoom(ctx); err != nil {
		return err
	}
	if err := s.beginCommit(ctx); err != nil {
		return err
	}
	defer s.endCommit()
	if err := s.check(ctx, w.Checks); err != nil || len(chunks) == 0 {
		return err
	}
	return s.append(ctx, chunks)
}

func (s *Store) beginCommit(ctx context.Context) error {
	select {
	case s.committing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) endCommit() { <-s.committing }

func (s *Store) check(ctx context.Context, checks []kv.Check) error {
	order := make([]int32, 0, len(checks))
	for i := range checks {
		order = append(order, int32(i))
	}
	sortByKey(order, func(i int) []byte { return checks[i].Key })
	var conflict error
	err := s.read(ctx, func(v *view) error {
		conflict = nil
		key := func(i int) []byte { return checks[order[i]].Key }
		return v.lookup(len(order), key, func(i int, value []byte) {
			c := &checks[order[i]]
			if (value == nil) != (c.Value == nil) || !bytes.Equal(value, c.Value) {
				conflict = fmt.Errorf("%w: key %x", storage.ErrConflict, c.Key)
			}
		})
	})
	if err != nil {
		return err
	}
	return conflict
}

// awaitRoom waits while too much waits to be merged. The caller does not hold up other
// commits, which merging needs to do for a moment.
func (s *Store) awaitRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		full, err, progress := s.mu.waiting >= s.options.OverlayBytes, s.mu.mergeErr, s.mu.progress
		s.mu.Unlock()
		if !full {
			return nil
		}
		if err != nil {
			return err
		}
		s.wantMerge()
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// append puts a commit into the log and the overlay.
func (s *Store) append(ctx context.Context, chunks []*block) error {
	j, t := s.journal.with(chunks)
	if _, err := s.transact(ctx, &t); err != nil {
		s.journal.uncertain = s.journal.uncertain || errors.Is(err, storage.ErrUnavailable)
		return err
	}
	s.journal = j
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		s.mu.active = s.mu.active.with(c)
		s.mu.waiting += len(c.data)
	}
	s.joinOverlaysLocked()
	if j.bytes >= s.options.MergeBytes {
		s.wantMerge()
	}
	return nil
}

func (s *Store) joinOverlaysLocked() {
	s.mu.overlay = append(append(make(overlay, 0, len(s.mu.frozen)+len(s.mu.active)), s.mu.frozen...), s.mu.active...)
}

// transact carries out t if the store may still write, and finds out if not (P4).
func (s *Store) transact(ctx context.Context, t *Transaction) (*Results, error) {
	t.Checks = append(t.Checks, kv.Check{Key: metaKey, Value: s.meta})
	results, err := s.disk.Transact(ctx, t)
	if errors.Is(err, storage.ErrConflict) {
		return nil, s.supersede()
	}
	return results, err
}

func (s *Store) supersede() error {
	s.mu.Lock()
	first := s.mu.failed == nil
	s.mu.failed = ErrSuperseded
	s.mu.Unlock()
	if first && s.options.OnSuperseded != nil {
		s.options.OnSuperseded()
	}
	return ErrSuperseded
}

// Close implements kv.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return nil
	}
	s.mu.closed = true
	s.mu.Unlock()
	s.mu.calls.Wait()
	s.endLife()
	s.merger.Wait()
	return s.disk.Close()
}

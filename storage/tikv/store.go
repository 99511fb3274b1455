package tikv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/oracle"
	"github.com/tikv/client-go/v2/tikv"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// layoutVersion is the layout of the rows that this program reads and writes; see doc.go.
const layoutVersion = 1

// store is a prefix of a cluster as a kv.Store.
type store struct {
	client  *tikv.KVStore
	options Options
	place   place
	self    id.ULID // this opening, the owner of its leases

	life   context.Context // until Close
	end    context.CancelFunc
	work   sync.WaitGroup
	queue  chan *request
	leases leases
	wakes  wakes

	broadcasts broadcasts
	gate       storage.Gate
}

var _ interface {
	kv.Store
	kv.Viewer
} = (*store)(nil)

// openStore opens a prefix, and makes it ready where it is empty.
func openStore(ctx context.Context, p place, o Options) (*store, error) {
	o.ensureDefaults()
	routeLog(o.Log)
	client, err := connect(ctx, p, &o)
	if err != nil {
		return nil, fmt.Errorf("tikv: open %s: %w", p.prefix, err)
	}
	s := &store{client: client, options: o, place: p, self: id.New(nil), queue: make(chan *request)}
	s.life, s.end = context.WithCancel(context.Background())
	s.leases.init(rand.IntN(guards))
	s.wakes.init()
	if err := s.checkLayout(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("tikv: open %s: %w", p.prefix, err), s.Close())
	}
	if err := s.openHints(); err != nil {
		return nil, errors.Join(fmt.Errorf("tikv: open %s: %w", p.prefix, err), s.Close())
	}
	s.work.Go(s.commitQueued)
	if o.Keep > 0 {
		s.work.Go(s.collect)
	}
	return s, nil
}

// checkLayout refuses a prefix that holds something else than a store, or one that a newer
// program has made, and marks an empty one as a store.
func (s *store) checkLayout(ctx context.Context) error {
	key := s.ownKey(rowLayout)
	return s.transact(ctx, func(tx *transaction) error {
		row, err := tx.get(key)
		if err != nil {
			return err
		}
		if row != nil {
			return judgeLayout(row)
		}
		all := kv.Range{Start: []byte(s.place.prefix + "/"), End: []byte(s.place.prefix + "0")}
		pairs, err := tx.snapshot.page(tx.ctx, all, 1)
		if err != nil {
			return err
		}
		if len(pairs) > 0 {
			return fmt.Errorf("%w: the prefix holds data that is not Ankurah's", storage.ErrCorrupt)
		}
		return tx.put(key, []byte{layoutVersion})
	})
}

func judgeLayout(row []byte) error {
	switch {
	case len(row) != 1 || row[0] == 0:
		return fmt.Errorf("%w: layout version %x", storage.ErrCorrupt, row)
	case row[0] > layoutVersion:
		return fmt.Errorf("%w: its layout is version %d, and this program reads up to %d", kv.ErrNewer, row[0], layoutVersion)
	}
	return nil
}

// Close implements kv.Store. What the process holds by lease is free at once.
func (s *store) Close() error { return s.gate.Close(s.disconnect) }

func (s *store) disconnect() error {
	s.end()
	s.work.Wait()
	s.releaseAll()
	err := s.client.Close()
	if s.wakes.hints != nil {
		err = errors.Join(err, s.wakes.hints.Close())
	}
	if err != nil {
		return fmt.Errorf("tikv: close: %w", err)
	}
	return nil
}

// Get implements kv.Store.
func (s *store) Get(ctx context.Context, keys [][]byte) (values [][]byte, err error) {
	err = s.View(ctx, func(r kv.Reader) error {
		values, err = r.Get(keys)
		return err
	})
	return values, err
}

// Scan implements kv.Store.
func (s *store) Scan(ctx context.Context, r kv.Range, limit int) (pairs []kv.Pair, err error) {
	err = s.withSnapshot(ctx, func(n *snapshot) error {
		pairs, err = n.Scan(ctx, r, limit)
		return err
	})
	return pairs, err
}

// View implements kv.Viewer.
func (s *store) View(ctx context.Context, read func(kv.Reader) error) error {
	return s.withSnapshot(ctx, func(n *snapshot) error { return n.View(ctx, read) })
}

func (s *store) withSnapshot(ctx context.Context, read func(*snapshot) error) error {
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	n, err := s.now(ctx)
	if err != nil {
		return err
	}
	return read(n)
}

// now returns the store as it is at this moment.
func (s *store) now(ctx context.Context) (n *snapshot, err error) {
	err = s.attempts(ctx, func(ctx context.Context) error {
		var ts uint64
		ts, err := s.client.GetTimestampWithRetry(tikv.NewBackofferWithVars(ctx, int(s.options.Attempt.Milliseconds()), nil), oracle.GlobalTxnScope)
		n = &snapshot{store: s, at: ts}
		return err
	})
	return n, err
}

// attempts calls read, which may be called again, until an answer comes or the timeout is
// over.
func (s *store) attempts(ctx context.Context, read func(ctx context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(bounded, s.options.Attempt)
		err := read(attempt)
		late := attempt.Err() != nil
		stop()
		if err == nil || !late || bounded.Err() != nil {
			return s.classify(ctx, err)
		}
	}
}

// classify puts an error of the client in the words of package storage.
func (s *store) classify(ctx context.Context, err error) error {
	var entry *tikverr.ErrEntryTooLarge
	var key *tikverr.ErrKeyTooLarge
	switch {
	case err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case errors.As(err, &entry), errors.As(err, &key):
		return fmt.Errorf("tikv: %w", err)
	case errors.Is(err, tikverr.ErrTiKVDiskFull):
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrCorrupt), errors.Is(err, storage.ErrUnavailable), errors.Is(err, kv.ErrNewer):
		return err
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
}

func equalValues(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

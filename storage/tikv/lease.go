package tikv

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// The names of leases: those of feeds and locks begin so, and the gate has one.
const (
	feedLease = "feed/"
	lockLease = "lock/"
	gateLease = "gate"
)

// gateTime is how long the gate stays closed at most.
const gateTime = 2 * time.Second

// lease is the row of a lease: it is held until its end, by the cluster's clock, if it has an
// owner.
type lease struct {
	owner id.ULID
	end   int64 // in milliseconds since 1970
	guard int   // of the process that has this feed; see guards
}

const leaseSize = id.Size + 8 + 1

func readLease(row []byte) (l lease, err error) {
	if row == nil {
		return l, nil
	}
	if len(row) != leaseSize {
		return l, fmt.Errorf("%w: a lease of %d bytes", storage.ErrCorrupt, len(row))
	}
	if l.owner, err = id.FromBytes(row[:id.Size]); err != nil {
		return l, err
	}
	l.end, l.guard = int64(binary.BigEndian.Uint64(row[id.Size:])), int(row[id.Size+8])%guards
	return l, nil
}

func (l lease) row() []byte {
	row := l.owner.AppendTo(make([]byte, 0, leaseSize))
	return append(binary.BigEndian.AppendUint64(row, uint64(l.end)), byte(l.guard))
}

// heldByOther reports whether somebody else than self holds the lease.
func (l lease) heldByOther(self id.ULID, now int64) bool {
	return !l.owner.IsZero() && l.owner != self && l.end > now
}

// leases are those that this process holds.
type leases struct {
	keeper sync.Once
	mu     struct {
		sync.Mutex
		held   map[string]time.Duration // how long each is to last without a sign of life
		local  map[string]chan struct{} // by lock, has an item while a goroutine has it
		feed   string                   // the name of the feed's lease, "" before Join
		guard  int
		fenced bool
	}
}

func (ls *leases) init(guard int) {
	ls.mu.held, ls.mu.local = map[string]time.Duration{}, map[string]chan struct{}{}
	ls.mu.guard = guard
}

func (ls *leases) feedName() string {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.mu.feed
}

func (ls *leases) guardNumber() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.mu.guard
}

func (ls *leases) isFenced() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.mu.fenced
}

// hold has the keeper keep a lease.
func (ls *leases) hold(name string, d time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.mu.held[name] = d
}

// join makes a feed this process's.
func (ls *leases) join(name string, guard int, d time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.mu.held[name], ls.mu.feed, ls.mu.guard = d, name, guard
}

// lose drops a lease that another has. Without its feed the process commits nothing more.
func (ls *leases) lose(name string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.mu.held, name)
	ls.mu.fenced = ls.mu.fenced || name == ls.mu.feed
}

func (ls *leases) drop(name string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.mu.held, name)
}

// all returns the leases held, and how long each is to last.
func (ls *leases) all() map[string]time.Duration {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := make(map[string]time.Duration, len(ls.mu.held))
	for name, d := range ls.mu.held {
		all[name] = d
	}
	return all
}

// turn returns the channel that a goroutine puts an item into while it has a lock.
func (ls *leases) turn(name string) chan struct{} {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.mu.local[name] == nil {
		ls.mu.local[name] = make(chan struct{}, 1)
	}
	return ls.mu.local[name]
}

func (s *store) leaseKey(name string) []byte { return s.ownKey(rowLease, name) }

// acquire takes a lease unless another process holds it.
func (s *store) acquire(ctx context.Context, name string, d time.Duration) (ok bool, err error) {
	err = s.transact(ctx, func(tx *transaction) error {
		l, err := tx.lease(name)
		if err != nil {
			return err
		}
		if ok = !l.heldByOther(s.self, tx.time()); !ok {
			return nil
		}
		return tx.putLease(name, lease{owner: s.self, end: tx.time() + d.Milliseconds(), guard: l.guard})
	})
	return ok && err == nil, err
}

func (tx *transaction) lease(name string) (lease, error) {
	row, err := tx.get(tx.snapshot.store.leaseKey(name))
	if err != nil {
		return lease{}, err
	}
	return readLease(row)
}

func (tx *transaction) putLease(name string, l lease) error {
	return tx.put(tx.snapshot.store.leaseKey(name), l.row())
}

// release gives a lease back. If that fails it ends by itself.
func (s *store) release(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()
	s.leases.drop(name)
	_ = s.transact(ctx, func(tx *transaction) error {
		l, err := tx.lease(name)
		if err != nil || l.owner != s.self {
			return err
		}
		return tx.putLease(name, lease{guard: l.guard})
	})
}

// releaseTime bounds how long giving a lease back may take.
const releaseTime = time.Second

func (s *store) releaseAll() {
	for name := range s.leases.all() {
		s.release(name)
	}
}

// keep renews the leases that the process holds, until the store is closed.
func (s *store) keep() {
	for {
		select {
		case <-time.After(s.options.Lease / 4):
			s.renew()
		case <-s.life.Done():
			return
		}
	}
}

// renew extends all leases in one transaction.
func (s *store) renew() {
	ctx, cancel := context.WithTimeout(s.life, s.options.Lease/4)
	defer cancel()
	var lost []string
	// If it fails the next time comes soon. What was read is so, whatever became of the writes.
	_ = s.transact(ctx, func(tx *transaction) error {
		lost = nil
		for name, d := range s.leases.all() {
			l, err := tx.lease(name)
			if err != nil {
				return err
			}
			if l.owner != s.self {
				lost = append(lost, name)
				continue
			}
			l.end = tx.time() + d.Milliseconds()
			if err := tx.putLease(name, l); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range lost {
		s.leases.lose(name)
	}
}

// tryLock takes a lock unless another process, or another goroutine of this one, has it;
// then unlock is nil.
func (s *store) tryLock(ctx context.Context, name string) (unlock func(), err error) {
	turn := s.leases.turn(name)
	select {
	case turn <- struct{}{}:
	default:
		return nil, nil
	}
	unlock, err = s.lockForAll(ctx, name)
	if unlock == nil {
		<-turn
		return nil, err
	}
	return s.unlocking(unlock, turn), nil
}

// lock waits for a lock and takes it.
func (s *store) lock(ctx context.Context, name string) (unlock func(), err error) {
	turn := s.leases.turn(name)
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.life.Done():
		return nil, storage.ErrClosed
	}
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, lockWait) {
		unlock, err := s.lockForAll(ctx, name)
		if unlock != nil {
			return s.unlocking(unlock, turn), nil
		}
		if err == nil {
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-s.life.Done():
				err = storage.ErrClosed
			case <-time.After(wait/2 + rand.N(wait)):
				continue
			}
		}
		<-turn
		return nil, err
	}
}

// lockWait is about how often a process that waits for a lock looks.
const lockWait = 200 * time.Millisecond

// unlocking returns a function that gives a lock back, to other goroutines too, once.
func (s *store) unlocking(unlock func(), turn chan struct{}) func() {
	return sync.OnceFunc(func() {
		unlock()
		<-turn
	})
}

// lockForAll takes the lease of a lock; unlock is nil if another process has it.
func (s *store) lockForAll(ctx context.Context, name string) (unlock func(), err error) {
	if err := s.gate.Enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.Leave()
	release, err := s.tryLease(ctx, name)
	if release == nil {
		return nil, err
	}
	return func() {
		if s.gate.Enter(context.Background()) == nil {
			defer s.gate.Leave()
			release()
		}
	}, nil
}

// tryLease is lockForAll for those whom Close waits for.
func (s *store) tryLease(ctx context.Context, name string) (release func(), err error) {
	name = lockLease + name
	ok, err := s.acquire(ctx, name, s.options.Lease)
	if !ok {
		return nil, err
	}
	s.leases.hold(name, s.options.Lease)
	s.leases.keeper.Do(func() { s.work.Go(s.keep) })
	return func() { s.release(name) }, nil
}

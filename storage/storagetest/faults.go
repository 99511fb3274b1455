package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
)

// What goes on in faultsLoseNothing.
const (
	faultAccounts  = 6
	faultWriters   = 4
	faultTransfers = 25 // of each writer
	faultTries     = 50 * faultTransfers
	faultKills     = 6
	faultFunds     = 100 // of each account at first
)

// Writers move sums between accounts, while calls fail before and after they are carried out and
// the engine is killed and opened again. What was acknowledged is there, what was refused is not,
// and of what is unknown all or nothing: no sum is made or lost, and each writer's feed has one
// entry for each of its transfers.
func faultsLoseNothing(t *testing.T, open func(t testing.TB) storage.Engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	b := &bank{t: t, open: open, rand: rand.New(rand.NewPCG(seed, 1))}
	b.engine = b.wrap()
	var accounts []id.EntityID
	w := NewWorld(seed)
	for i := range faultAccounts {
		_, rec := create(t, b.inner, w, named(fmt.Sprint("account ", i)), proto.Field{Name: "year", Value: value.Int(faultFunds)})
		accounts = append(accounts, rec.Entity)
	}
	b.faults(true)
	var wg sync.WaitGroup
	var tellers []*teller
	for i := range faultWriters {
		y := &teller{bank: b, world: NewWorld(seed + 1 + uint64(i)), accounts: accounts}
		tellers = append(tellers, y)
		wg.Go(y.work)
	}
	wg.Wait()
	b.faults(false)
	for range 2 { // as it is, and opened again
		b.verify(accounts, tellers)
		b.mu.Lock()
		b.reopenLocked()
		b.mu.Unlock()
	}
	if err := b.inner.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// bank is an engine with faults, which is opened again after each kill.
type bank struct {
	t    *testing.T
	open func(t testing.TB) storage.Engine

	mu     sync.RWMutex // held for reading by every call, and by who opens the engine again
	inner  storage.Engine
	engine *faulty.Engine

	chance sync.Mutex
	rand   *rand.Rand
	kills  int
	calm   bool
}

// wrap opens the engine, and gives it faults.
func (b *bank) wrap() *faulty.Engine {
	b.inner = b.open(b.t)
	return faulty.Wrap(b.inner, b.decide)
}

func (b *bank) faults(on bool) {
	b.chance.Lock()
	defer b.chance.Unlock()
	b.calm = !on
}

// decide fails one call of ten, in one way or another, unless there are to be no faults.
func (b *bank) decide(faulty.Call) faulty.Fault {
	b.chance.Lock()
	defer b.chance.Unlock()
	if b.calm {
		return faulty.Fault{}
	}
	broken := fmt.Errorf("%w: a fault", storage.ErrUnavailable)
	switch n := b.rand.IntN(100); {
	case n < 4:
		return faulty.Fault{Before: broken}
	case n < 8:
		return faulty.Fault{After: broken}
	case n < 10 && b.kills < faultKills:
		b.kills++
		return faulty.Fault{Kill: n == 8, KillAfter: n == 9}
	}
	return faulty.Fault{}
}

// call makes a call of the engine, and opens that again if it was killed.
func (b *bank) call(do func(e storage.Engine) error) error {
	b.mu.RLock()
	err := do(b.engine)
	killed := b.engine.Killed()
	b.mu.RUnlock()
	if killed {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.engine.Killed() {
			b.reopenLocked()
		}
	}
	return err
}

func (b *bank) reopenLocked() {
	if err := b.inner.Close(); err != nil {
		b.t.Errorf("close: %v", err)
	}
	b.engine = b.wrap()
}

// verify holds what is stored against what the tellers know.
func (b *bank) verify(accounts []id.EntityID, tellers []*teller) {
	b.t.Helper()
	var sum int64
	for _, rec := range records(b.t, b.inner, accounts...) {
		funds, _ := rec.Field("year").AsInt()
		sum += funds
		if events(b.t, b.inner, rec.State.Head[0])[0] == nil {
			b.t.Errorf("account %s is as event %s left it, which is missing", rec.Entity, rec.State.Head)
		}
	}
	if sum != faultAccounts*faultFunds {
		b.t.Errorf("the accounts have %d together, want %d", sum, faultAccounts*faultFunds)
	}
	for _, y := range tellers {
		entries, err := b.inner.Feed(b.t.Context(), y.world.Node, 0, storage.MaxPage)
		if err != nil {
			b.t.Fatal(err)
		}
		for i, entry := range entries {
			if entry.Seq != uint64(i+1) || i >= len(y.made) || entry.Transaction != y.made[i] {
				b.t.Errorf("entry %d of a feed is %d, of transaction %s, and %d were acknowledged", i+1, entry.Seq, entry.Transaction, len(y.made))
			}
		}
		if len(entries) != len(y.made) {
			b.t.Errorf("a feed has %d entries, and %d were acknowledged", len(entries), len(y.made))
		}
	}
}

// teller moves sums between accounts, one after the other.
type teller struct {
	bank     *bank
	world    *World
	accounts []id.EntityID
	made     []id.TransactionID // stored
}

func (y *teller) work() {
	for tries := 0; len(y.made) < faultTransfers && !y.bank.t.Failed(); tries++ {
		if tries == faultTries {
			y.bank.t.Errorf("%d of %d transfers succeed, with %d tries", len(y.made), faultTransfers, tries)
		}
		if err := y.transfer(); err != nil && !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, storage.ErrConflict) {
			y.bank.t.Errorf("a transfer: %v", err)
		}
	}
}

// transfer tries to move a sum. If it cannot be known what became of it, it looks.
func (y *teller) transfer() error {
	recs, err := y.read()
	if err != nil {
		return err
	}
	transaction := y.world.Transaction()
	b := &storage.Batch{FeedID: y.world.Node, Feed: []*proto.FeedEntry{{Seq: uint64(len(y.made) + 1), Transaction: transaction}}}
	sum := 1 + y.world.Rand.Int64N(10)
	for i, rec := range recs {
		funds, _ := rec.Field("year").AsInt()
		ev, after := y.world.Edit(rec, proto.Field{Name: "year", Value: value.Int(funds + sum*int64(1-2*i))})
		b.Events = append(b.Events, ev)
		b.Records = append(b.Records, storage.RecordWrite{Record: after, Expect: rec.State.Head})
	}
	err = y.bank.call(func(e storage.Engine) error { return e.Commit(context.Background(), b) })
	if err == nil || errors.Is(err, storage.ErrUnavailable) && y.stored(transaction) {
		y.made = append(y.made, transaction)
	}
	return err
}

// read returns two accounts as they are.
func (y *teller) read() (recs []*proto.Record, err error) {
	i := y.world.Rand.Perm(len(y.accounts))
	err = y.bank.call(func(e storage.Engine) error {
		recs, err = e.Records(context.Background(), []id.EntityID{y.accounts[i[0]], y.accounts[i[1]]})
		return err
	})
	if err == nil && (recs[0] == nil || recs[1] == nil) {
		err = errors.New("an account is missing")
	}
	return recs, err
}

// stored looks whether a transaction is the next in the teller's feed, until it can be read.
func (y *teller) stored(transaction id.TransactionID) bool {
	for {
		var entries []*proto.FeedEntry
		err := y.bank.call(func(e storage.Engine) (err error) {
			entries, err = e.Feed(context.Background(), y.world.Node, uint64(len(y.made)), 1)
			return err
		})
		switch {
		case err == nil:
			return len(entries) == 1 && entries[0].Transaction == transaction
		case !errors.Is(err, storage.ErrUnavailable):
			y.bank.t.Errorf("the feed: %v", err)
			return false
		}
	}
}

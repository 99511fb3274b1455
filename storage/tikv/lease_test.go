package tikv

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tikv/client-go/v2/oracle"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// appendEntry commits an entry of a feed.
func appendEntry(e *Engine, w *storagetest.World, feed id.NodeID, seq uint64) error {
	return e.Commit(context.Background(), &storage.Batch{FeedID: feed, Feed: []*proto.FeedEntry{{Seq: seq, Transaction: w.Transaction()}}})
}

// stall has an engine give no signs of life any more, and waits until the cluster takes it for
// dead.
func stall(t *testing.T, e *Engine, feed id.NodeID) {
	t.Helper()
	name := feedLease + feed.String()
	e.store.leases.drop(name)
	for {
		n, err := e.store.now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows, err := n.rows(t.Context(), [][]byte{e.store.leaseKey(name)})
		if err != nil {
			t.Fatal(err)
		}
		if l, err := readLease(rows[0]); err != nil || !l.heldByOther(id.ULID{}, oracle.ExtractPhysical(n.at)) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A process that has lost its feed to another commits nothing more, not even to other rows, and
// what it was committing when it lost the feed is in the feed for its heir to see, or nowhere.
func TestWhoHasLostTheFeedIsFenced(t *testing.T) {
	url := tikvtest.URL(t)
	for round := range 5 {
		old, heir := open(t, url, Options{Lease: 100 * time.Millisecond}), open(t, url, Options{})
		feed, err := old.Join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before, err := old.Feeds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := storagetest.NewWorld(uint64(round))
		var acked atomic.Uint64
		acked.Store(before[feed])
		var wg sync.WaitGroup
		stall(t, old, feed)
		wg.Go(func() {
			for {
				err := appendEntry(old, w, feed, acked.Load()+1)
				if errors.Is(err, storage.ErrFenced) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
				acked.Add(1)
			}
		})
		for acked.Load() < before[feed]+5 && !t.Failed() { // it may, until somebody takes the feed
			time.Sleep(time.Millisecond)
		}
		taken, err := heir.Join(t.Context())
		if err != nil || taken != feed {
			t.Fatalf("the heir has feed %s, %v, want %s", taken, err, feed)
		}
		feeds, err := heir.Feeds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if feeds[feed] != acked.Load() {
			t.Errorf("the heir found %d entries, and %d were acknowledged in the end", feeds[feed], acked.Load())
		}
		if err := old.Commit(t.Context(), &storage.Batch{Meta: []storage.MetaEntry{{Key: "k", Value: []byte("v")}}}); !errors.Is(err, storage.ErrFenced) {
			t.Errorf("another commit of the fenced process: %v", err)
		}
		if err := appendEntry(heir, w, feed, feeds[feed]+1); err != nil {
			t.Errorf("the heir commits: %v", err)
		}
		for _, e := range []*Engine{old, heir} {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// The feeds of processes that were closed are taken again; their number does not grow.
func TestFeedsAreTakenAgain(t *testing.T) {
	url := tikvtest.URL(t)
	var first id.NodeID
	for i := range 3 {
		e := open(t, url, Options{})
		feed, err := e.Join(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = feed
		} else if feed != first {
			t.Errorf("feed %s, want %s", feed, first)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A process that all others overtake again and again gets its turn: a commit that meets every
// commit of others goes through while these go on.
func TestNobodyIsOvertakenForever(t *testing.T) {
	url := tikvtest.URL(t)
	busy, unlucky := openedStore(t, url, Options{}), openedStore(t, url, Options{})
	defer busy.Close()
	defer unlucky.Close()
	var done atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		wg.Go(func() {
			for !done.Load() {
				pair := kv.Pair{Key: fmt.Appendf(nil, "row%d", rng.IntN(3)), Value: number(rng.Int64())}
				if err := busy.Commit(context.Background(), &kv.Writes{Puts: []kv.Pair{pair}}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 10 {
		w := &kv.Writes{Puts: []kv.Pair{{Key: []byte("row0")}, {Key: []byte("row1")}, {Key: []byte("row2")}}}
		if err := unlucky.Commit(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	wg.Wait()
}

// While one process goes first the commits of others wait, until it is done or its time is
// over.
func TestGateHoldsOthersUp(t *testing.T) {
	url := tikvtest.URL(t)
	first, other := openedStore(t, url, Options{}), openedStore(t, url, Options{})
	defer first.Close()
	defer other.Close()
	row := []byte("row")
	put := func() <-chan error {
		done := make(chan error, 1)
		go func() { done <- other.Commit(context.Background(), &kv.Writes{Puts: []kv.Pair{{Key: row}}}) }()
		return done
	}
	if ok, err := first.acquire(t.Context(), gateLease, time.Minute); !ok || err != nil {
		t.Fatalf("acquired: %v, %v", ok, err)
	}
	done := put()
	for range 5 {
		if err := first.Commit(t.Context(), &kv.Writes{Checks: []kv.Check{{Key: row}}, Puts: []kv.Pair{{Key: []byte("mine")}}}); err != nil {
			t.Fatalf("the other did not wait: %v", err)
		}
	}
	first.release(gateLease)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if ok, err := first.acquire(t.Context(), gateLease, 50*time.Millisecond); !ok || err != nil {
		t.Fatalf("acquired: %v, %v", ok, err)
	}
	if err := <-put(); err != nil {
		t.Errorf("a commit while nobody opens the gate: %v", err)
	}
}

// Who is overtaken again and again closes the gate, and opens it again.
func TestOvertakenGroupClosesTheGate(t *testing.T) {
	url := tikvtest.URL(t)
	s, other := openedStore(t, url, Options{}), openedStore(t, url, Options{})
	defer s.Close()
	defer other.Close()
	r := &request{ctx: t.Context(), writes: &kv.Writes{Puts: []kv.Pair{{Key: []byte("a")}}}, done: make(chan error, 1)}
	g := group{store: s, open: []*request{r}}
	overtake := func() {
		t.Helper()
		if err := other.Commit(t.Context(), r.writes); err != nil {
			t.Fatal(err)
		}
	}
	err := s.transact(t.Context(), func(tx *transaction) error {
		if err := g.prepare(tx); err != nil {
			return err
		}
		if !g.gate { // else this would wait for it
			overtake()
		}
		return nil
	})
	if err != nil || !g.gate {
		t.Errorf("after %d tries: gate closed: %v, %v", g.tries, g.gate, err)
	}
	s.release(gateLease)
	overtake()
}

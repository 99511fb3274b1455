package tikv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// bank is a number of accounts between which money is moved. Every transfer is written down in
// the commit that makes it, so that at any moment the balances are what was written down.
type bank struct {
	stores   []*store
	accounts int
	acked    atomic.Int64
	unknown  atomic.Int64
}

const opening = 100

func account(i int) []byte { return fmt.Appendf(nil, "account%03d", i) }

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func amount(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

func newBank(t *testing.T, accounts int, stores ...*store) *bank {
	t.Helper()
	b := &bank{stores: stores, accounts: accounts}
	w := kv.Writes{}
	for i := range accounts {
		w.Puts = append(w.Puts, kv.Pair{Key: account(i), Value: number(opening)})
	}
	if err := stores[0].Commit(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	return b
}

// transfer moves something from one account to another, and tries again while others are in
// the way.
func (b *bank) transfer(ctx context.Context, s *store, rng *rand.Rand, name string) error {
	from, to := rng.IntN(b.accounts), rng.IntN(b.accounts-1)
	if to >= from {
		to++
	}
	for {
		values, err := s.Get(ctx, [][]byte{account(from), account(to)})
		if err != nil {
			return err
		}
		err = s.Commit(ctx, &kv.Writes{
			Checks: []kv.Check{{Key: account(from), Value: values[0]}, {Key: account(to), Value: values[1]}, {Key: []byte("log/" + name)}},
			Puts: []kv.Pair{
				{Key: account(from), Value: number(amount(values[0]) - 1)},
				{Key: account(to), Value: number(amount(values[1]) + 1)},
				{Key: []byte("log/" + name), Value: []byte{byte(from), byte(to)}},
			},
		})
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

// work has each store make transfers, from two goroutines, until it is enough.
func (b *bank) work(t *testing.T, enough func() bool) {
	var wg sync.WaitGroup
	for i := range 2 * len(b.stores) {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		wg.Go(func() {
			for n := 0; !enough(); n++ {
				err := b.transfer(t.Context(), b.stores[i%len(b.stores)], rng, fmt.Sprintf("%d/%d", i, n))
				switch {
				case err == nil:
					b.acked.Add(1)
				case errors.Is(err, storage.ErrUnavailable):
					b.unknown.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// verify holds the balances against what is written down, as of one moment.
func (b *bank) verify(t *testing.T) {
	t.Helper()
	n, err := b.stores[0].now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log, err := n.Scan(t.Context(), kv.Range{Start: []byte("log/"), End: []byte("log0")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]int64, b.accounts)
	for _, p := range log {
		want[p.Value[0]]--
		want[p.Value[1]]++
	}
	rows, err := n.Scan(t.Context(), kv.Range{Start: []byte("account"), End: []byte("b")}, 0)
	if err != nil || len(rows) != b.accounts {
		t.Fatalf("%d accounts, %v", len(rows), err)
	}
	for i, p := range rows {
		if got := amount(p.Value) - opening; got != want[i] {
			t.Errorf("account %d has changed by %d, and %d was written down", i, got, want[i])
		}
	}
	if stored, acked, unknown := int64(len(log)), b.acked.Load(), b.unknown.Load(); stored < acked || stored > acked+unknown {
		t.Errorf("%d transfers are stored, %d were acknowledged, and of %d the outcome is unknown", stored, acked, unknown)
	}
}

// openBank opens two stores over a prefix of a cluster, as two processes would.
func openBank(t *testing.T, c *tikvtest.Cluster) *bank {
	t.Helper()
	url := c.URL()
	var stores []*store
	for range 2 {
		s := openedStore(t, url, Options{})
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		stores = append(stores, s)
	}
	return newBank(t, 8, stores...)
}

// Requests are refused, delayed, lost and answered to nobody, and the client gets over it.
func TestFaultyRequestsLoseNothing(t *testing.T) {
	for _, f := range []struct {
		name  string
		kind  tikvtest.FaultKind
		every int64 // so many requests
	}{
		{"NotLeader", tikvtest.NotLeader, 10},
		{"EpochNotMatch", tikvtest.EpochNotMatch, 10},
		{"StaleCommand", tikvtest.StaleCommand, 10},
		{"LostRequest", tikvtest.LostRequest, 25},
		{"LostReply", tikvtest.LostReply, 25},
		{"ServerIsBusy", tikvtest.ServerIsBusy, 150}, // which the client waits two seconds after
		{"Delay", tikvtest.NoFault, 10},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := tikvtest.New(t, 1)
			b := openBank(t, c)
			c.Split(b.stores[0].dataKey(account(4)))
			var n atomic.Int64
			c.Inject(func(tikvtest.Call) tikvtest.Fault {
				if n.Add(1)%f.every != 0 {
					return tikvtest.Fault{}
				}
				return tikvtest.Fault{Kind: f.kind, Delay: time.Millisecond}
			})
			b.work(t, func() bool { return b.acked.Load() >= 40 })
			c.Inject(nil)
			b.verify(t)
		})
	}
}

// Regions split and change their leaders, and stores go away and come back, while commits go
// on: after each change some more are acknowledged.
func TestChangesOfTheClusterLoseNothing(t *testing.T) {
	c := tikvtest.New(t, 3)
	b := openBank(t, c)
	changes := []func(key []byte, store int){
		func(key []byte, _ int) { c.Split(key) },
		func(key []byte, store int) {
			if err := c.MoveLeader(key, store); err != nil {
				t.Error(err)
			}
		},
		func(_ []byte, store int) { c.StopStore(store); c.StartStore(store) },
		func(_ []byte, _ int) { c.StopPD(); c.StartPD() },
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { b.work(t, done.Load) })
	rng := rand.New(rand.NewPCG(9, 9))
	for range 3 {
		for _, change := range changes {
			change(b.stores[0].dataKey(account(rng.IntN(b.accounts))), rng.IntN(3))
			for before := b.acked.Load(); b.acked.Load() < before+6 && !t.Failed(); {
				time.Sleep(time.Millisecond)
			}
		}
	}
	done.Store(true)
	wg.Wait()
	b.verify(t)
	if c.Regions() < 2 {
		t.Errorf("there are %d regions", c.Regions())
	}
}

// A commit whose deciding answer never comes is one whose outcome is unknown, and it is told
// in time. The store goes on with whatever came of it.
func TestUnknownOutcome(t *testing.T) {
	for _, request := range []string{"Prewrite", "Commit"} {
		t.Run(request, func(t *testing.T) {
			c := tikvtest.New(t, 1)
			b := openBank(t, c)
			if request == "Commit" { // a transaction of one region has no such request
				c.Split(b.stores[0].dataKey([]byte("b")))
			}
			c.Inject(func(call tikvtest.Call) tikvtest.Fault {
				if call.Kind == request {
					return tikvtest.Fault{Kind: tikvtest.Silence}
				}
				return tikvtest.Fault{}
			})
			var err error
			impatient(b.stores[0], func() {
				err = b.transfer(t.Context(), b.stores[0], rand.New(rand.NewPCG(1, 1)), "first")
			})
			if !errors.Is(err, storage.ErrUnavailable) {
				t.Fatalf("the outcome is %v", err)
			}
			b.unknown.Add(1)
			c.Inject(nil)
			// Locks of the first may be in the way for a while.
			if err := b.transfer(t.Context(), b.stores[1], rand.New(rand.NewPCG(1, 1)), "next"); err != nil {
				t.Fatal(err)
			}
			b.acked.Add(1)
			b.verify(t)
		})
	}
}

// Where nothing answers, calls end within their timeout, as a store that is unavailable, and it
// is there again when the cluster is.
func TestCallsEndWhenNothingAnswers(t *testing.T) {
	away := map[string]func(c *tikvtest.Cluster, away bool){
		"store": func(c *tikvtest.Cluster, away bool) {
			shut(away, func() { c.StopStore(0) }, func() { c.StartStore(0) })
		},
		"PD": func(c *tikvtest.Cluster, away bool) { shut(away, c.StopPD, c.StartPD) },
		"silence": func(c *tikvtest.Cluster, away bool) {
			shut(away, func() {
				c.Inject(func(tikvtest.Call) tikvtest.Fault { return tikvtest.Fault{Kind: tikvtest.Silence} })
			}, func() { c.Inject(nil) })
		},
	}
	for name, gone := range away {
		t.Run(name, func(t *testing.T) {
			c := tikvtest.New(t, 1)
			b := openBank(t, c)
			s := b.stores[0]
			gone(c, true)
			var getErr, scanErr, commitErr error
			impatient(s, func() {
				_, getErr = s.Get(t.Context(), [][]byte{account(1)})
				_, scanErr = s.Scan(t.Context(), kv.Range{}, 0)
				commitErr = s.Commit(t.Context(), &kv.Writes{Checks: []kv.Check{{Key: account(1), Value: number(1)}}, Puts: []kv.Pair{{Key: []byte("x")}}})
			})
			for call, err := range map[string]error{"get": getErr, "scan": scanErr, "commit": commitErr} {
				if !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("%s: %v", call, err)
				}
			}
			gone(c, false)
			b.verify(t)
		})
	}
}

func shut(away bool, stop, start func()) {
	if away {
		stop()
	} else {
		start()
	}
}

// Two processes each check two rows and change one of them. Were a row that is checked and
// not written allowed to change, both could be taken.
func TestChecksRuleOutWriteSkew(t *testing.T) {
	url := tikvtest.URL(t)
	stores := []*store{openedStore(t, url, Options{}), openedStore(t, url, Options{})}
	for _, s := range stores {
		defer s.Close()
	}
	x, y, yes, no := []byte("x"), []byte("y"), []byte("yes"), []byte("no")
	for range 40 {
		if err := stores[0].Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: x, Value: yes}, {Key: y, Value: yes}}}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				err := s.Commit(t.Context(), &kv.Writes{
					Checks: []kv.Check{{Key: x, Value: yes}, {Key: y, Value: yes}},
					Puts:   []kv.Pair{{Key: [][]byte{x, y}[i], Value: no}},
				})
				if err != nil && !errors.Is(err, storage.ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		values, err := stores[0].Get(t.Context(), [][]byte{x, y})
		if err != nil {
			t.Fatal(err)
		}
		if string(values[0]) == "no" && string(values[1]) == "no" {
			t.Fatal("both rows were changed, each while the other was checked")
		}
	}
}

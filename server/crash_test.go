package main

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/storage/memory"
)

var kills = flag.Int("kills", 0, "how often TestKilledServerLosesNothing kills the server of each storage; zero for as often as there is time")

// Half is one of the two entities that every transaction of the crash test creates.
type Half struct {
	Writer int    `ankurah:"writer"`
	Number int    `ankurah:"number"`
	Side   string `ankurah:"side"`
}

// Count is how many transactions a writer has made: each edits it too.
type Count struct {
	Writer int `ankurah:"writer"`
	Number int `ankurah:"number"`
}

// writer is a client with an outbox that writes as fast as it can. Its disk outlives its
// node, which is closed and opened again now and then.
type writer struct {
	t      *testing.T
	number int
	dialer connectors.Dialer
	disk   *memory.Disk
	count  ankurah.EntityID

	also  func(context.Context, *ankurah.Tx) error // part of each transaction; nil for nothing
	made  int                                      // transactions committed on this device
	acked *atomic.Int64
	known struct { // by the server, as it has said
		sync.Mutex
		numbers map[int]bool
	}
	waiting sync.WaitGroup
}

func newWriter(t *testing.T, number int, dialer connectors.Dialer, acked *atomic.Int64) *writer {
	w := &writer{t: t, number: number, dialer: dialer, disk: memory.NewDisk(), acked: acked}
	w.known.numbers = make(map[int]bool)
	return w
}

// open starts the client's node over its disk.
func (w *writer) open() *ankurah.Node {
	w.t.Helper()
	node, err := ankurah.Open(context.Background(), ankurah.Options{Engine: w.disk.Open(),
		Limits: core.Limits{Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}})
	if err != nil {
		w.t.Fatal(err)
	}
	node.Dial(w.dialer, ankurah.DialOptions{})
	return node
}

// run writes until stop is closed, and then until the server has everything.
func (w *writer) run(stop <-chan struct{}) {
	r := rand.New(rand.NewPCG(uint64(w.number), 1))
	node := w.open()
	for open := true; open; {
		if r.IntN(40) == 0 {
			node.Close() // receipts that wait fail: what is acknowledged after that is not counted
			node = w.open()
		}
		w.write(node)
		select {
		case <-stop:
			open = false
		default:
		}
	}
	w.settle(node)
	w.waiting.Wait()
	node.Close()
}

// write makes one transaction: two halves, and the count.
func (w *writer) write(node *ankurah.Node) {
	ctx := w.t.Context()
	tx := node.Context(ankurah.Anonymous).Begin()
	n := w.made + 1
	for _, side := range []string{"left", "right"} {
		if _, err := ankurah.Create(tx, &Half{w.number, n, side}); err != nil {
			w.t.Error(err)
			return
		}
	}
	var err error
	if w.made == 0 {
		var ref ankurah.Ref[Count]
		ref, err = ankurah.Create(tx, &Count{w.number, n})
		w.count = ref.EntityID
	} else {
		err = ankurah.Update(ctx, tx, w.count, func(c *Count) error { c.Number = n; return nil })
	}
	if err == nil && w.also != nil {
		err = w.also(ctx, tx)
	}
	if err != nil {
		w.t.Error(err)
		return
	}
	receipt, err := tx.Commit(ctx)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.made = n
	acknowledged := make(chan struct{})
	w.waiting.Go(func() {
		defer close(acknowledged)
		switch err := receipt.Synced(ctx); {
		case err == nil:
			w.acked.Add(1)
			w.known.Lock()
			w.known.numbers[n] = true
			w.known.Unlock()
		case core.KindOf(err) != core.KindClosed:
			w.t.Errorf("writer %d, transaction %d: %v", w.number, n, err)
		}
	})
	if n%4 == 0 { // not a flood: three are on their way beside it
		<-acknowledged
	}
}

// settle waits until nothing of this device waits to be sent.
func (w *writer) settle(node *ankurah.Node) {
	empty := make(chan struct{}, 1)
	look := func(s ankurah.Status) {
		if s.Pending == 0 {
			select {
			case empty <- struct{}{}:
			default:
			}
		}
	}
	defer node.OnStatus(look)()
	look(node.Status())
	select {
	case <-empty:
	case <-time.After(2 * time.Minute):
		w.t.Errorf("writer %d: %d transactions still wait", w.number, node.Status().Pending)
	}
}

// What a server has acknowledged survives kill -9, at any moment, under load; what it has not
// is delivered by the outbox; and all of it is there once, whole, for everybody.
func TestKilledServerLosesNothing(t *testing.T) {
	for _, storage := range storages {
		t.Run(storage.name, func(t *testing.T) {
			n := storage.kills
			if *kills > 0 {
				n = *kills
			}
			if testing.Short() {
				n = min(n, 5) // the race detector looks for something else
			}
			loseNothing(t, storage.start(t)(t), n)
		})
	}
}

// loseNothing kills the server of a store again and again, under clients that write.
func loseNothing(t *testing.T, storage string, kills int) {
	seed := rand.Uint64()
	t.Logf("seed %d, %d kills", seed, kills)
	r := rand.New(rand.NewPCG(seed, 0))
	addr := freeAddress(t)
	args := []string{"--addr=" + addr, storage}
	server := spawn(t, args...)
	server.url(t)

	var acked atomic.Int64
	stop := make(chan struct{})
	var running sync.WaitGroup
	writers := make([]*writer, 4)
	for i := range writers {
		w := newWriter(t, i, ws.Dialer("ws://"+addr, ws.DialOptions{}), &acked)
		writers[i] = w
		running.Go(func() { w.run(stop) })
	}
	ends := sync.OnceFunc(func() { close(stop); running.Wait() })
	defer ends()

	for range kills {
		// A random bit of progress, so that the kill meets the server at work.
		for target := acked.Load() + 1 + r.Int64N(40); acked.Load() < target && !t.Failed(); {
			time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
		}
		server.Process.Kill()
		server.Wait()
		server = spawn(t, args...)
		server.url(t)
	}
	ends()

	total := verifyWriters(t, dial(t, "ws://"+addr), writers)
	if acked.Load() < int64(kills) {
		t.Errorf("only %d transactions were acknowledged", acked.Load())
	}
	t.Logf("%d transactions, %d acknowledged to a node that was still open", total, acked.Load())
}

// verifyWriters holds what a node reads against what writers that have settled have made: all
// of it is there, once. It returns how many transactions that are.
func verifyWriters(t *testing.T, reader *ankurah.Node, writers []*writer) (total int) {
	t.Helper()
	c := reader.Context(ankurah.Anonymous)
	halves, err := ankurah.Fetch[Half](t.Context(), c, "")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[Half]int)
	for _, h := range halves {
		seen[h.Value]++
	}
	for _, w := range writers {
		for n := 1; n <= w.made; n++ {
			total++
			for _, side := range []string{"left", "right"} {
				if times := seen[Half{w.number, n, side}]; times != 1 {
					t.Errorf("writer %d, transaction %d (acknowledged: %v): its %s half is there %d times", w.number, n, w.known.numbers[n], side, times)
				}
			}
		}
		count, err := ankurah.Get[Count](t.Context(), c, w.count)
		if err != nil || count.Value.Number != w.made {
			t.Errorf("writer %d has made %d transactions, the server counts %v, %v", w.number, w.made, count.Value.Number, err)
		}
	}
	if len(halves) != 2*total {
		t.Errorf("%d halves, want %d", len(halves), 2*total)
	}
	return total
}

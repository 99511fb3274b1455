package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/natswake/natstest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

var (
	clusterRuns  = flag.Int("cluster.runs", 1, "how many seeds TestServersShareAStore runs for each kind of cluster")
	clusterSeed  = flag.Uint64("cluster.seed", 0, "the first seed of TestServersShareAStore; zero for a random one")
	clusterSteps = flag.Int("cluster.steps", 6, "how many times TestServersShareAStore does something bad")
)

// sharedStore is a store that several server processes use at once.
type sharedStore struct {
	args []string                     // have a server use it
	cut  func(t testing.TB, n uint64) // ends the connections between the servers and it, in some way
}

// sharedStores start a store, in each of the ways in which servers share it.
var sharedStores = []struct {
	name    string
	servers int
	start   func(testing.TB) sharedStore
}{
	{"postgres/servers=2", 2, func(t testing.TB) sharedStore { return onPostgres(t, "") }},
	{"postgres/servers=3", 3, func(t testing.TB) sharedStore { return onPostgres(t, "") }},
	// Servers that do not tell each other of commits look from time to time.
	{"postgres/servers=2/hints=off", 2, func(t testing.TB) sharedStore { return onPostgres(t, "&hints=off") }},
	{"tikv/servers=2", 2, onTiKV},
	{"tikv/servers=2/nats", 2, onTiKVWithNATS},
	{"tikv/servers=3", 3, onTiKV},
}

func onPostgres(t testing.TB, params string) sharedStore {
	server := pgtest.New(t, pgtest.Durable...)
	url := server.Database(t) + params
	return sharedStore{[]string{"--storage=" + url}, func(t testing.TB, n uint64) {
		if n%4 == 0 {
			server.Kill(t)
			server.Restart(t)
		} else if err := server.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ankurah'"); err != nil {
			t.Error(err)
		}
	}}
}

func onTiKV(t testing.TB) sharedStore {
	const stores = 3
	cluster := tikvtest.New(t, stores)
	return sharedStore{[]string{"--storage=" + cluster.URL()}, func(_ testing.TB, n uint64) {
		store := int(n % stores)
		cluster.StopStore(store)
		cluster.StartStore(store)
	}}
}

// onTiKVWithNATS also has NATS come and go.
func onTiKVWithNATS(t testing.TB) sharedStore {
	on := onTiKV(t)
	nats := natstest.New(t)
	return sharedStore{append(on.args, "--wake="+nats.URL()), func(t testing.TB, n uint64) {
		if n%2 == 0 {
			on.cut(t, n/2)
			return
		}
		nats.Stop()
		if n%4 == 1 {
			nats.Start(t)
		}
	}}
}

// Several server processes on one store are one server: what any of them has acknowledged is
// there once, whole, for the clients of all, whichever is killed and whatever connection is cut.
// Those who watch miss nothing, see nothing twice, and go back in nothing, also where they move
// from one server to another.
func TestServersShareAStore(t *testing.T) {
	seed := *clusterSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for _, kind := range sharedStores {
		t.Run(kind.name, func(t *testing.T) {
			for run := range *clusterRuns {
				seed := seed + uint64(run)
				t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { runCluster(t, kind.start(t), kind.servers, seed) })
			}
		})
	}
}

// cluster is some server processes on one store, and their clients.
type cluster struct {
	t         *testing.T
	store     sharedStore
	rand      *rand.Rand
	addresses []string
	processes []*process
	clients   []*wanderer
	acked     atomic.Int64
	board     ankurah.EntityID // that everybody writes on
}

func runCluster(t *testing.T, store sharedStore, servers int, seed uint64) {
	t.Logf("-cluster.seed=%d", seed)
	c := &cluster{t: t, store: store, rand: rand.New(rand.NewPCG(seed, 0))}
	for range servers {
		c.addresses = append(c.addresses, freeAddress(t))
		c.processes = append(c.processes, nil)
	}
	for i := range servers {
		c.spawn(i)
	}
	c.begin()
	var writers []*writer
	var watchers []*watcher
	for i := range servers + 1 {
		w := newWriter(t, i, c.client(i), &c.acked)
		w.also = c.scribble(i)
		writers = append(writers, w)
		watchers = append(watchers, watch(t, c.client(i)))
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	for _, w := range writers {
		running.Go(func() { w.run(stop) })
	}
	ends := sync.OnceFunc(func() { close(stop); running.Wait() })
	defer ends()
	for range *clusterSteps {
		for target := c.acked.Load() + 1 + c.rand.Int64N(30); c.acked.Load() < target && !t.Failed(); {
			time.Sleep(time.Duration(c.rand.IntN(3000)) * time.Microsecond)
		}
		c.hurt()
	}
	ends()
	c.verify(writers, watchers)
}

// spawn starts a server, and waits until it is there.
func (c *cluster) spawn(i int) {
	c.t.Helper()
	p := spawn(c.t, append([]string{"--addr=" + c.addresses[i]}, c.store.args...)...)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("server %d has said:\n%s", i, p.log)
		}
	})
	p.url(c.t)
	c.processes[i] = p
}

// revive starts the servers again that have ended by themselves, as one does that was cut off for
// so long that another has taken its feed: what watches over servers does that.
func (c *cluster) revive() {
	c.t.Helper()
	for i, address := range c.addresses {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			continue
		}
		c.processes[i].Wait()
		c.spawn(i)
	}
}

// hurt does something bad.
func (c *cluster) hurt() {
	c.revive()
	switch i := c.rand.IntN(len(c.processes)); c.rand.IntN(4) {
	case 0:
		c.processes[i].Process.Kill()
		c.processes[i].Wait()
		c.spawn(i)
	case 1:
		c.store.cut(c.t, c.rand.Uint64())
	default:
		c.clients[c.rand.IntN(len(c.clients))].move()
	}
}

// Board is one entity that everybody edits, so that servers meet at its head.
type Board struct {
	Line   string `ankurah:"line"`
	Writer int    `ankurah:"writer"`
}

// begin creates the board.
func (c *cluster) begin() {
	c.t.Helper()
	node := dial(c.t, "ws://"+c.addresses[0])
	tx := node.Context(ankurah.Anonymous).Begin()
	board, err := ankurah.Create(tx, &Board{})
	if err != nil {
		c.t.Fatal(err)
	}
	receipt, err := tx.Commit(c.t.Context())
	if err == nil {
		err = receipt.Synced(c.t.Context())
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.board = board.EntityID
}

// scribble has a writer edit the board in each of its transactions, once it has seen it.
func (c *cluster) scribble(writer int) func(context.Context, *ankurah.Tx) error {
	n := 0
	return func(ctx context.Context, tx *ankurah.Tx) error {
		n++
		err := ankurah.Update(ctx, tx, c.board, func(b *Board) error {
			b.Line, b.Writer = fmt.Sprint(n), writer
			return nil
		})
		if errors.Is(err, core.ErrOffline) {
			return nil
		}
		return err
	}
}

// client returns how a new client connects: to one of the servers first.
func (c *cluster) client(i int) *wanderer {
	w := &wanderer{addresses: c.addresses}
	w.mu.at = i % len(c.addresses)
	c.clients = append(c.clients, w)
	return w
}

// verify waits until everybody has everything, and compares.
func (c *cluster) verify(writers []*writer, watchers []*watcher) {
	t := c.t
	c.revive()
	for _, w := range watchers {
		w.waitFor(writers)
	}
	var board ankurah.View[Board]
	for i, address := range c.addresses {
		node := dial(t, "ws://"+address)
		total := verifyWriters(t, node, writers)
		at, err := ankurah.Get[Board](t.Context(), node.Context(ankurah.Anonymous), c.board)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			t.Logf("%d transactions, %d acknowledged to a node that was still open", total, c.acked.Load())
			board = at
		}
		if at.Value != board.Value {
			t.Errorf("server %d shows %+v on the board, server 0 %+v", i, at.Value, board.Value)
		}
	}
}

// wanderer connects to one of several servers, and to the next where that is not to be had.
type wanderer struct {
	addresses []string
	mu        struct {
		sync.Mutex
		at   int
		conn connectors.Conn
	}
}

// Dial implements connectors.Dialer.
func (w *wanderer) Dial(ctx context.Context) (connectors.Conn, error) {
	w.mu.Lock()
	at := w.mu.at
	w.mu.Unlock()
	conn, err := ws.Dialer("ws://"+w.addresses[at], ws.DialOptions{}).Dial(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.mu.at = (at + 1) % len(w.addresses)
		return nil, err
	}
	w.mu.conn = conn
	return conn, nil
}

// String implements connectors.Dialer.
func (w *wanderer) String() string { return "one of several servers" }

// move ends the connection; the next is to another server.
func (w *wanderer) move() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.at = (w.mu.at + 1) % len(w.addresses)
	if w.mu.conn != nil {
		w.mu.conn.Close("moving")
	}
}

// watcher is a client with live queries over what writers write.
type watcher struct {
	t  *testing.T
	mu struct {
		sync.Mutex
		halves map[ankurah.EntityID]Half
		counts map[int]int // the latest number of each writer
		grown  chan struct{}
	}
}

// watch opens a client that watches until the test ends.
func watch(t *testing.T, dialer connectors.Dialer) *watcher {
	t.Helper()
	node, err := ankurah.Open(t.Context(), ankurah.Options{Engine: memory.New(), Limits: core.Limits{Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	node.Dial(dialer, ankurah.DialOptions{})
	w := &watcher{t: t}
	w.mu.halves, w.mu.counts, w.mu.grown = map[ankurah.EntityID]Half{}, map[int]int{}, make(chan struct{}, 1)
	c := node.Context(ankurah.Anonymous)
	halves, err := ankurah.Query[Half](c, "")
	if err != nil {
		t.Fatal(err)
	}
	counts, err := ankurah.Query[Count](c, "")
	if err != nil {
		t.Fatal(err)
	}
	stopHalves, stopCounts := halves.Subscribe(w.seeHalves), counts.Subscribe(w.seeCounts)
	t.Cleanup(func() {
		stopHalves()
		stopCounts()
		halves.Close()
		counts.Close()
	})
	return w
}

// seeHalves takes in a change set: halves come in pairs, and once.
func (w *watcher) seeHalves(c ankurah.Changes[Half]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Reset {
		clear(w.mu.halves)
	}
	sides := map[Half]int{}
	for _, x := range c.Changes {
		before, known := w.mu.halves[x.ID]
		if known || x.Kind == core.ChangeRemoved || x.Kind == core.ChangeUpdated {
			w.t.Errorf("a half that was %+v is %s", before, x.Kind)
		}
		w.mu.halves[x.ID] = x.View.Value
		sides[Half{x.View.Value.Writer, x.View.Value.Number, ""}]++
	}
	for of, n := range sides {
		if n != 2 {
			w.t.Errorf("%d halves of transaction %d of writer %d come in one change set", n, of.Number, of.Writer)
		}
	}
	w.tell()
}

// seeCounts takes in a change set: a count grows with each change.
func (w *watcher) seeCounts(c ankurah.Changes[Count]) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range c.Changes {
		count, before := x.View.Value, w.mu.counts[x.View.Value.Writer]
		if x.Kind == core.ChangeRemoved || count.Number < before || count.Number == before && !c.Reset {
			w.t.Errorf("writer %d, who was at %d, is %s at %d", count.Writer, before, x.Kind, count.Number)
		}
		w.mu.counts[count.Writer] = count.Number
	}
	w.tell()
}

func (w *watcher) tell() {
	select {
	case w.mu.grown <- struct{}{}:
	default:
	}
}

// waitFor waits until everything is seen that writers have made.
func (w *watcher) waitFor(writers []*writer) {
	w.t.Helper()
	for missing := w.missing(writers); missing != ""; missing = w.missing(writers) {
		select {
		case <-w.mu.grown:
		case <-time.After(time.Minute):
			w.t.Errorf("a watcher misses %s", missing)
			return
		}
	}
}

func (w *watcher) missing(writers []*writer) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	for _, x := range writers {
		total += x.made
		if w.mu.counts[x.number] != x.made {
			return fmt.Sprintf("the count of writer %d, who made %d, after %d", x.number, x.made, w.mu.counts[x.number])
		}
	}
	if len(w.mu.halves) != 2*total {
		return fmt.Sprintf("%d of %d halves", 2*total-len(w.mu.halves), 2*total)
	}
	return ""
}

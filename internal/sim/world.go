package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// World is a run: machines, what is between them, and what is known of what they did.
type World struct {
	ctx      context.Context
	seed     uint64
	scenario *Scenario
	net      *Network
	ledger   *ledger
	agent    *agent
	trace    *Trace

	durables, clients, machines []*Machine

	gen          *ankqltest.Gen
	selections   []selection
	aggregations []aggregation

	running sync.WaitGroup // steps, and what follows a crash
	waiting sync.WaitGroup // for what may never come
	healing chan struct{}  // closed when nothing goes wrong any more

	mu      sync.Mutex
	problem error // the first thing that does not hold
}

// selection is what somebody may look at.
type selection struct {
	collection string
	sel        *ankql.Selection
}

// aggregation likewise.
type aggregation struct {
	collection string
	of         *ankql.Aggregation
}

// Outcome is what a run came to.
type Outcome struct {
	Err     error         // what does not hold
	Digest  uint64        // of what happened
	Trace   string        // its end
	Elapsed time.Duration // in simulated time
	Commits int
}

// Run carries out the steps of a scenario, heals everything, and returns what does not hold.
// It must be called inside a synctest bubble.
func Run(ctx context.Context, s *Scenario, seed uint64, steps []Step, keep int) Outcome {
	ctx, cancel := context.WithCancel(ctx)
	w := &World{ctx: ctx, seed: seed, scenario: s, ledger: newLedger(), agent: newAgent(), trace: newTrace(keep), healing: make(chan struct{})}
	w.net = newNetwork(w, Faults{Delay: time.Millisecond})
	err := w.run(ctx, steps)
	cancel()
	w.close()
	if first := w.failure(); first != nil {
		err = first
	}
	return Outcome{Err: err, Digest: w.trace.Digest(), Trace: w.trace.String(), Elapsed: time.Since(w.trace.began), Commits: len(w.ledger.list) - 1}
}

func (w *World) run(ctx context.Context, steps []Step) error {
	if err := w.build(ctx); err != nil {
		return err
	}
	w.net.be(w.scenario.Network)
	for _, m := range w.machines {
		m.disk.be(w.scenario.Disk)
	}
	for _, s := range steps {
		time.Sleep(s.After)
		if w.failure() != nil {
			break
		}
		w.running.Go(func() { w.check(w.do(ctx, s)) })
	}
	w.heal()
	if err := w.failure(); err != nil {
		return err
	}
	return w.settle(ctx)
}

// build starts the machines.
func (w *World) build(ctx context.Context) error {
	if err := w.choose(); err != nil {
		return err
	}
	w.populate(w.random("world", 0))
	for _, m := range w.machines {
		if err := m.start(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// populate sets up the machines.
func (w *World) populate(rnd *rand.Rand) {
	count := w.scenario.Durables
	if count > 1 {
		count = 2 + rnd.IntN(count-1)
	}
	media := w.media()
	for i := range count {
		w.durables = append(w.durables, w.add(rnd, fmt.Sprintf("d%d", i), true, media()))
	}
	if count > 1 && !w.scenario.Shared {
		w.wire(rnd)
	}
	for i := range w.scenario.Clients {
		c := w.add(rnd, fmt.Sprintf("c%d", i), false, NewMemory())
		c.user, c.server, c.roams = fmt.Sprintf("u%d", i), w.durables[i%count], i%2 == 0
		w.clients = append(w.clients, c)
	}
}

// media returns what makes the media of durable nodes.
func (w *World) media() func() Medium {
	switch {
	case w.scenario.Shared:
		disk := memory.NewDisk()
		disk.Random = lockedReader{new(sync.Mutex), w.random("feeds", 0)}
		return func() Medium { return &sharedMedium{disk: disk} }
	case w.scenario.Medium != nil:
		return w.scenario.Medium
	}
	return NewMemory
}

// add sets up a machine.
func (w *World) add(rnd *rand.Rand, name string, durable bool, medium Medium) *Machine {
	m := newMachine(w, name, durable, medium)
	if w.scenario.Skew > 0 {
		m.clock.Set(duration(rnd, 2*w.scenario.Skew) - w.scenario.Skew)
	}
	w.machines = append(w.machines, m)
	return m
}

// furnish makes a node that has been opened one of the system.
func (w *World) furnish(ctx context.Context, m *Machine, node *core.Node) error {
	if m.durable {
		if err := m.join(ctx, node); err != nil && !errors.Is(err, core.ErrSystemExists) {
			return err
		}
	}
	return node.Register(ctx, Model, Folder)
}

// texts are selections of every run, besides random ones.
var texts = []string{"", "rank > 50", "tag = 'a' ORDER BY rank DESC LIMIT 5", "rank <= 30 OR tag IS NULL ORDER BY title",
	"ORDER BY rank LIMIT 3", "folder.rank > 50 ORDER BY folder.rank, title", "ORDER BY rank, title"}

// choose draws what can be looked at.
func (w *World) choose() error {
	w.gen = ankqltest.New(w.seed)
	w.gen.World = ankqltest.NewWorld(ankqltest.Schema{Model.Collection: Model, Folder.Collection: Folder})
	w.gen.References = true
	for _, text := range texts {
		sel, err := ankql.Parse(text)
		if err != nil {
			return err
		}
		w.selections = append(w.selections, selection{Model.Collection, sel})
	}
	w.selections = append(w.selections, selection{Folder.Collection, everything})
	for i := range 6 {
		collection := Model.Collection
		if i%3 == 2 {
			collection = Folder.Collection
		}
		w.selections = append(w.selections, selection{collection, w.gen.Selection(collection)})
		w.aggregations = append(w.aggregations, aggregation{collection, w.gen.Aggregation(collection)})
	}
	return nil
}

// check remembers the first thing that does not hold.
func (w *World) check(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem == nil {
		w.problem = err
		w.trace.add("FAILS: %v", err)
	}
}

func (w *World) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.problem
}

// pause waits, but no longer than until everything is healed.
func (w *World) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.healing:
	}
}

// heal ends all faults and waits for the steps.
func (w *World) heal() {
	w.trace.add("everything heals")
	close(w.healing)
	w.net.Heal()
	for _, m := range w.machines {
		m.disk.Heal()
		m.clock.Set(0)
	}
	w.running.Wait()
	for _, c := range w.clients {
		r := w.agent.of(c.user)
		r.banned, r.readOnly = false, false
		w.agent.set(c.user, r)
	}
	for _, m := range w.machines { // what a last step has broken meanwhile
		m.disk.Heal()
		m.clock.Set(0)
	}
	w.net.Heal()
}

// close stops everything.
func (w *World) close() {
	for _, m := range w.machines {
		m.mu.Lock()
		node := m.node
		m.alive = false
		m.mu.Unlock()
		if node != nil {
			node.Close()
			m.serving.Wait()
		}
	}
	w.running.Wait()
	w.waiting.Wait()
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
)

// Machine is what runs one node: with a disk and a clock, which outlive it.
type Machine struct {
	world   *World
	name    string
	durable bool
	disk    *Disk
	clock   *Clock
	random  io.Reader
	fate    *rand.Rand // how a crash goes
	user    string     // whom a client's applications are for
	peers   []*Machine // to which a durable node keeps up connections
	roams   bool       // a client goes to other durable nodes

	mu      sync.Mutex
	node    *core.Node
	engine  *faulty.Engine // the node's
	alive   bool           // the node runs and has not died
	lives   int            // how often it was started
	serving sync.WaitGroup // connections

	screen *screen // what applications on it look at, of the present life
	link   *core.Link
	moving bool     // link is about to be another
	server *Machine // that a client is connected to
	memory memories // of what was seen
}

func newMachine(w *World, name string, durable bool, medium Medium) *Machine {
	m := &Machine{world: w, name: name, durable: durable, clock: &Clock{}}
	m.random = lockedReader{&m.mu, w.random(name+" ids", 0)}
	m.fate = w.random(name+" fate", 0)
	m.disk = newDisk(m, medium, DiskFaults{})
	m.memory.init()
	return m
}

// lockedReader is where a node's ids and pauses come from.
type lockedReader struct {
	mu  *sync.Mutex
	rnd *rand.Rand
}

func (r lockedReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range b {
		b[i] = byte(r.rnd.Uint32())
	}
	return len(b), nil
}

// running returns the node and the life that it is, or nil.
func (m *Machine) running() (*core.Node, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.alive {
		return nil, m.lives
	}
	return m.node, m.lives
}

// in reports whether the machine is still in a life.
func (m *Machine) in(life int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.alive && m.lives == life
}

// start opens a node over what the disk holds. What goes wrong with the disk meanwhile has
// it tried again.
func (m *Machine) start(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		err := m.open(ctx)
		if err == nil || !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, storage.ErrFull) || attempt == 100 {
			return err
		}
		m.disk.Crash()
		time.Sleep(time.Second)
	}
}

func (m *Machine) open(ctx context.Context) error {
	face, engine, err := m.disk.Open()
	if err != nil {
		return err
	}
	options := core.Options{Engine: face, Durable: m.durable, Random: m.random, Clock: m.clock.Now,
		Limits: m.world.scenario.Limits, Listener: core.Listener{Failed: m.failed, Refused: m.refused}}
	if m.durable {
		options.Policy = m.world.agent
	}
	node, err := core.Open(ctx, options)
	if err != nil {
		engine.Close()
		return err
	}
	m.replicate(node)
	if err := m.world.furnish(ctx, m, node); err != nil {
		node.Close()
		return err
	}
	m.mu.Lock()
	m.node, m.engine, m.alive, m.moving = node, engine, true, true
	m.lives++
	life := m.lives
	m.mu.Unlock()
	m.world.trace.add("%s starts", m.name)
	if engine.Killed() { // before anybody knew of the node
		m.die()
		return nil
	}
	if m.durable {
		return nil
	}
	node.OnSettled(func(s core.Settled) {
		if m.in(life) {
			m.world.check(m.world.ledger.tell(s, life))
		}
	})
	m.dial(node)
	return m.look(node, life)
}

// dial connects a client to its durable node.
func (m *Machine) dial(node *core.Node) {
	m.mu.Lock()
	server := m.server
	m.mu.Unlock()
	link := node.Dial(&dialer{m.world.net, m, server}, core.DialOptions{Credentials: []byte(m.user)})
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node == node {
		m.link, m.moving = link, false
	}
}

func (m *Machine) failed(op string, err error) {
	if core.KindOf(err) == core.KindInternal && !errors.Is(err, errCut) && !errors.Is(err, errUnreachable) {
		m.world.check(fmt.Errorf("%s: %s: %w", m.name, op, err))
	}
}

// refused hears of what a durable node refuses for good.
func (m *Machine) refused(_ id.NodeID, tx id.TransactionID, err error) {
	switch core.KindOf(err) {
	case core.KindStorage, core.KindQuota, core.KindClosed, core.KindConflict, core.KindDeadline, core.KindNotReady:
		return
	}
	m.world.trace.add("%s refuses: %s", m.name, core.KindOf(err))
	m.world.ledger.doubt(tx)
}

// serve has the node serve a connection that another machine opened.
func (m *Machine) serve(conn connectors.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.alive {
		return false
	}
	node := m.node
	m.serving.Go(func() {
		_ = node.Serve(context.Background(), conn) // why it ended is the peer's affair
		conn.Close("")
	})
	return true
}

// die is a crash: from now on nothing that the node does counts. It does not block.
func (m *Machine) die() {
	m.mu.Lock()
	was := m.alive
	m.alive = false
	m.mu.Unlock()
	if !was {
		return
	}
	m.world.trace.add("%s dies", m.name)
	m.world.net.Cut(m, m.fate.IntN(3) == 0)
	m.world.running.Go(func() { m.bury() })
}

// bury clears away a node that died, and starts another after a while. The engine is dropped as
// it is, and not closed.
func (m *Machine) bury() {
	m.engine.Kill()
	m.node.Close()
	m.serving.Wait()
	m.disk.Crash()
	m.memory.crash(m.durable)
	m.world.pause(time.Duration(m.fate.Int64N(int64(20 * time.Second))))
	m.world.check(m.start(m.world.ctx))
}

// restart stops the node in good order, and starts another after a while. Meanwhile something
// may be done to the machine.
func (m *Machine) restart(pause time.Duration, meanwhile func() error) {
	m.mu.Lock()
	was := m.alive
	m.alive = false
	m.mu.Unlock()
	if !was {
		return
	}
	m.world.trace.add("%s stops", m.name)
	m.node.Close()
	m.serving.Wait()
	if meanwhile != nil {
		m.world.check(meanwhile())
	}
	m.world.pause(pause)
	m.world.check(m.start(m.world.ctx))
}

// principal returns whom an application on the machine acts for.
func (m *Machine) principal() policy.Principal { return policy.Principal{Name: m.user} }

package sim

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
)

// wire decides which durable nodes keep up connections to which others: all are connected, over
// others or directly. Each dials one that is started before it, so that it can join the system.
func (w *World) wire(rnd *rand.Rand) {
	list := w.durables
	shape := rnd.IntN(4)
	for i, d := range list[1:] {
		switch earlier := list[:i+1]; shape {
		case 0, 1: // a line
			d.peers = earlier[i:]
		case 2: // a star
			d.peers = earlier[:1]
		default: // everyone with everyone
			d.peers = earlier
		}
	}
	if shape == 1 { // a ring
		list[0].peers = list[len(list)-1:]
	}
	w.trace.add("%d durable nodes, as a %s", len(list), [...]string{"line", "ring", "star", "mesh"}[shape])
}

// replicate has a durable node keep up its connections to others.
func (m *Machine) replicate(node *core.Node) {
	for _, peer := range m.peers {
		node.Dial(&dialer{m.world.net, m, peer}, core.DialOptions{Credentials: []byte(m.name)})
	}
}

// join makes a durable node that has been opened one of the system.
func (m *Machine) join(ctx context.Context, node *core.Node) error {
	if m != m.world.durables[0] && len(m.peers) > 0 {
		return node.WaitReady(ctx)
	}
	return node.CreateSystem(ctx)
}

// Replicate implements policy.Replicator: durable nodes do.
func (a *agent) Replicate(p policy.Principal) error {
	if p.Name == "" || p.Name[0] != 'd' {
		return policy.Denied("%s is no durable node", p.Name)
	}
	return nil
}

// move has a client go to another durable node.
func (m *Machine) move(to *Machine) {
	m.mu.Lock()
	if !m.roams || m.moving {
		m.mu.Unlock()
		return
	}
	m.server = to
	node, link, alive := m.node, m.link, m.alive
	m.moving = alive
	m.mu.Unlock()
	m.world.trace.add("%s moves to %s", m.name, to.name)
	if alive {
		link.Close()
		m.dial(node)
	}
}

// wanders reports whether a client goes to nodes that may not have yet what it has seen on
// others: it shows that beside what they answer.
func (m *Machine) wanders() bool {
	return m.roams && len(m.world.durables) > 1 && !m.world.scenario.Shared
}

// apart says which durable nodes are not in step with those that they replicate with (I5).
func (w *World) apart() error {
	for _, d := range w.durables {
		node, _ := d.running()
		if node == nil {
			return fmt.Errorf("I5: %s is down", d.name)
		}
		for _, r := range node.Replications() {
			if !r.Connected || r.LastError != nil {
				return fmt.Errorf("I5: %s and %s: connected: %v, %v", d.name, r.Remote, r.Connected, r.LastError)
			}
		}
	}
	return nil
}

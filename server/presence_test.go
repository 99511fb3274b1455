package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// guest is somebody in a room, and what it has seen there.
type guest struct {
	t    *testing.T
	node *ankurah.Node
	link *core.Link

	mu      sync.Mutex
	news    chan struct{}
	live    bool
	members map[id.MemberID]string
	left    []string
}

// Guest is what a guest says of itself.
type Guest struct {
	Name string `ankurah:"name"`
}

// enterAt opens a client on one of the servers, and has it enter the room.
func (c *cluster) enterAt(i int, name string) *guest {
	c.t.Helper()
	node, err := ankurah.Open(context.Background(), ankurah.Options{Engine: memory.New(), Limits: core.Limits{MaxBackoff: 500 * time.Millisecond}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { node.Close() })
	g := &guest{t: c.t, node: node, link: node.Dial(c.client(i), ankurah.DialOptions{}), news: make(chan struct{}, 1), members: map[id.MemberID]string{}}
	p, err := ankurah.Enter(node.Context(ankurah.Anonymous), "lobby", Guest{Name: name})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.Leave)
	watch, err := node.Context(ankurah.Anonymous).Watch("lobby")
	if err != nil {
		c.t.Fatal(err)
	}
	watch.Subscribe(g.take)
	return g
}

func (g *guest) take(c *core.RoomChange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.live = c.Status == core.PresenceLive
	for _, m := range c.Left {
		g.left = append(g.left, g.members[m])
		delete(g.members, m)
	}
	for _, m := range c.Changed {
		name, _ := m.Fields()[0].Value.AsString()
		g.members[m.ID] = name
	}
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// sees waits until the guest sees these, itself among them.
func (g *guest) sees(names ...string) {
	g.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		g.mu.Lock()
		var now []string
		for _, name := range g.members {
			now = append(now, name)
		}
		live := g.live
		g.mu.Unlock()
		slices.Sort(now)
		if live && slices.Equal(now, names) {
			return
		}
		select {
		case <-g.news:
		case <-deadline:
			g.t.Fatalf("%q are seen and not %q, live: %v", now, names, live)
		}
	}
}

func (g *guest) gone() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.left, " ")
}

// presenceStores are those of the sharedStores that differ in how presence crosses servers.
var presenceStores = []string{"postgres/servers=2", "tikv/servers=2", "tikv/servers=2/nats"}

// twoServers starts two servers on a store of that kind.
func twoServers(t *testing.T, kind string, args ...string) *cluster {
	t.Helper()
	for _, k := range sharedStores {
		if k.name != kind {
			continue
		}
		c := &cluster{t: t, store: k.start(t), addresses: []string{freeAddress(t), freeAddress(t)}, processes: make([]*process, 2)}
		c.store.args = append(slices.Clone(c.store.args), args...)
		for i := range c.processes {
			c.spawn(i)
		}
		return c
	}
	t.Fatalf("no store is a %s", kind)
	return nil
}

// Members see each other through all servers on one store. When one server is killed, those who
// move to another have never left, and those who do not are gone after the lease.
func TestPresenceCrossesServersOfAStore(t *testing.T) {
	for _, name := range presenceStores {
		t.Run(name, func(t *testing.T) {
			c := twoServers(t, name, "--limit=presence-lease=3s,presence-grace=2s")
			a, b, lost := c.enterAt(0, "a"), c.enterAt(1, "b"), c.enterAt(0, "lost")
			for _, g := range []*guest{a, b, lost} {
				g.sees("a", "b", "lost")
			}
			began := time.Now()
			d := c.enterAt(1, "d")
			d.sees("a", "b", "d", "lost")
			a.sees("a", "b", "d", "lost")
			t.Logf("who comes at the other server is seen after %v", time.Since(began).Round(time.Millisecond))

			lost.node.Close()
			c.processes[0].Process.Kill()
			c.processes[0].Wait()
			a.sees("a", "b", "d")
			b.sees("a", "b", "d")
			d.sees("a", "b", "d")
			for name, g := range map[string]*guest{"a": a, "b": b, "d": d} {
				if gone := g.gone(); gone != "lost" {
					t.Errorf("%s has seen %q leave", name, gone)
				}
			}
			c.spawn(0)
			c.enterAt(0, "e").sees("a", "b", "d", "e")
			b.sees("a", "b", "d", "e")
		})
	}
}

// When a server is told to stop its members are away: who moves to another server has never left,
// and who does not is gone after the grace, and not at the end of the lease.
func TestPresenceOfAServerThatIsStopped(t *testing.T) {
	limits := "--limit=presence-lease=1h,presence-grace=2s"
	for _, name := range presenceStores {
		t.Run(name, func(t *testing.T) { twoServers(t, name, limits).stopUnderGuests(0) })
	}
	for stopped, name := range []string{"replicas/dialled", "replicas/dialling"} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, limits)
			c := &cluster{t: t, addresses: p.addresses[:], processes: p.processes[:]}
			for _, address := range p.addresses { // the second joins the first's system
				dial(t, "ws://"+address).Close()
			}
			c.stopUnderGuests(stopped)
		})
	}
}

// stopUnderGuests stops one of two servers, in good order, under somebody who moves to the other
// and somebody who does not.
func (c *cluster) stopUnderGuests(stopped int) {
	moves, stays, lost := c.enterAt(stopped, "moves"), c.enterAt(1-stopped, "stays"), c.enterAt(stopped, "lost")
	for _, g := range []*guest{moves, stays, lost} {
		g.sees("lost", "moves", "stays")
	}
	lost.node.Close()
	if err := c.processes[stopped].Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	c.processes[stopped].Wait()
	moves.sees("moves", "stays")
	stays.sees("moves", "stays")
	for name, g := range map[string]*guest{"moves": moves, "stays": stays} {
		if gone := g.gone(); gone != "lost" {
			c.t.Errorf("who %s has seen %q leave", name, gone)
		}
	}
}

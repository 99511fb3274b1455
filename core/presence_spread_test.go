package core_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// A server that is started again knows nobody; those who were there see each other come back
// without having left, and those who do not come have gone.
func TestPresenceSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := memory.NewDisk()
		server := durable(t, core.Options{Engine: disk.Open()})
		nodes := []*core.Node{open(t, core.Options{}), open(t, core.Options{}), open(t, core.Options{})}
		var members []*onlooker
		var links []*core.Link
		for i, n := range nodes {
			members = append(members, enter(t, anonymous(n), "lobby", string(rune('a'+i))))
			links = append(links, local.Connect(server, n))
		}
		members[0].wait("b c")
		members[1].wait("a c")
		for _, l := range links {
			l.Close()
		}
		server.Close()
		server = open(t, core.Options{Engine: disk.Open(), Durable: true})
		local.Connect(server, nodes[0])
		time.Sleep(2 * time.Second)
		members[0].wait("b c")
		local.Connect(server, nodes[1])
		members[1].wait("a c")
		members[1].wait("a c")
		if members[0].gone()+members[1].gone() != "" {
			t.Errorf("%q, %q have left", members[0].gone(), members[1].gone())
		}
		time.Sleep(6 * time.Second)
		members[0].wait("b")
		members[1].wait("a")
	})
}

// Presence crosses durable nodes with stores of their own, in any topology; who is cut off is
// gone after the lease, and there again when the line is mended.
func TestPresenceCrossesReplicatingServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegion(t, 4)
		r.connect(1, 0)
		r.connect(2, 1)
		r.connect(0, 2) // a ring
		tail := r.connect(3, 2)
		for i := 1; i < 4; i++ {
			if err := r.sites[i].node.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var members []*onlooker
		for i, s := range r.sites {
			n := open(t, core.Options{Limits: quick})
			members = append(members, enter(t, anonymous(n), "lobby", string(rune('a'+i))))
			local.Connect(s.node, n)
		}
		everybody := func(want ...string) {
			t.Helper()
			for i, w := range want {
				members[i].wait(w)
			}
		}
		everybody("b c d", "a c d", "a b d", "a b c")
		if err := members[3].Set(named("dd")); err != nil {
			t.Fatal(err)
		}
		everybody("b c dd", "a c dd", "a b dd", "a b c")
		members[1].Leave()
		everybody("c dd")
		members[3].wait("a c")

		tail.set(true)
		time.Sleep(14 * time.Second)
		if members[0].sees() != "c dd" {
			t.Errorf("before the lease is over %q are seen", members[0].sees())
		}
		time.Sleep(3 * time.Second)
		members[0].wait("c")
		members[3].wait("")
		tail.set(false)
		members[0].wait("c dd")
		members[3].wait("a c")
	})
}

// Processes of one store tell each other; who was served by one that is killed moves to another
// without having left, and who does not is gone after the lease.
func TestPresenceCrossesProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := share(t, 3)
		a, b, lost := open(t, core.Options{}), open(t, core.Options{}), open(t, core.Options{})
		first := local.Connect(c.nodes[0], a)
		local.Connect(c.nodes[1], b)
		local.Connect(c.nodes[0], lost)
		matt, dom := enter(t, anonymous(a), "lobby", "matt"), enter(t, anonymous(b), "lobby", "dom")
		enter(t, anonymous(lost), "lobby", "lost")
		matt.wait("dom lost")
		dom.wait("lost matt")
		guard := enter(t, anonymous(c.nodes[2]), "lobby", "")
		guard.wait("dom lost matt")

		first.Close()
		c.kill(0)
		time.Sleep(10 * time.Second)
		if guard.sees() != "dom lost matt" {
			t.Errorf("before the lease is over %q are seen", guard.sees())
		}
		local.Connect(c.nodes[2], a)
		matt.wait("dom lost")
		if err := matt.Set(named("bellamy")); err != nil {
			t.Fatal(err)
		}
		dom.wait("bellamy lost")
		time.Sleep(6 * time.Second)
		dom.wait("bellamy")
		guard.wait("bellamy dom")
		if dom.gone() != "lost" || guard.gone() != "lost" {
			t.Errorf("%q and %q have left", dom.gone(), guard.gone())
		}
	})
}

// When a server ends in good order its members are away, for the other processes of its store and
// for the servers that replicate from it: who comes to another one within the grace has never
// left, and who does not is gone after that, long before the lease is over.
func TestPresenceOfAServerThatStops(t *testing.T) {
	processes := func(t *testing.T) []*core.Node { return share(t, 3).nodes }
	replicas := func(t *testing.T) (nodes []*core.Node) {
		r := newRegion(t, 3)
		r.connect(1, 0)
		r.connect(2, 1)
		r.connect(2, 0)
		for _, i := range []int{1, 0, 2} { // the one that stops has dialled one, and was dialled by the other
			if err := r.sites[i].node.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, r.sites[i].node)
		}
		return nodes
	}
	for name, open3 := range map[string]func(*testing.T) []*core.Node{"processes": processes, "replicas": replicas} {
		for _, drains := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/drains=%v", name, drains), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { membersOfAServerThatStops(t, open3(t), drains) })
			})
		}
	}
}

func membersOfAServerThatStops(t *testing.T, nodes []*core.Node, drains bool) {
	a, lost := open(t, core.Options{Limits: quick}), open(t, core.Options{Limits: quick})
	first := local.Connect(nodes[0], a)
	local.Connect(nodes[0], lost)
	matt := enter(t, anonymous(a), "lobby", "matt")
	enter(t, anonymous(lost), "lobby", "lost")
	enter(t, anonymous(nodes[0]), "lobby", "desk") // of the server itself
	guards := []*onlooker{enter(t, anonymous(nodes[1]), "lobby", ""), enter(t, anonymous(nodes[2]), "lobby", "")}
	for _, g := range guards {
		g.wait("desk lost matt")
	}
	if drains {
		if err := nodes[0].Drain(t.Context()); err != nil {
			t.Error(err)
		}
	}
	began := time.Now()
	if err := nodes[0].Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("closing waits for %v", took)
	}
	first.Close()
	time.Sleep(4 * time.Second)
	for _, g := range guards {
		if g.sees() != "desk lost matt" {
			t.Errorf("within the grace %q are seen", g.sees())
		}
	}
	local.Connect(nodes[2], a)
	matt.wait("desk lost")
	time.Sleep(2 * time.Second)
	for _, g := range guards {
		if g.sees() != "matt" {
			t.Errorf("after the grace %q are seen", g.sees())
		}
		if gone := g.gone(); gone != "desk lost" && gone != "lost desk" {
			t.Errorf("%q have left", gone)
		}
	}
	matt.wait("")
}

package core_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
)

// summary is a live aggregate and what its changes add up to.
type summary struct {
	q          *core.LiveAggregate
	collection string
	of         *ankql.Aggregation

	mu      sync.Mutex
	groups  []*core.AggregateGroup
	changes int
	bad     string // a change that does not fit
}

func (s *summary) follow(c *core.AggregateChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Reset {
		s.groups = nil
	} else if len(c.Changed)+len(c.Removed) > 0 {
		s.changes++
	}
	for _, g := range c.Removed {
		i, found := s.find(g)
		if !found {
			s.bad = fmt.Sprintf("group %v is removed, and was not there", g.Key)
			return
		}
		s.groups = slices.Delete(s.groups, i, i+1)
	}
	for _, g := range c.Changed {
		i, found := s.find(g)
		switch {
		case !found:
			s.groups = slices.Insert(s.groups, i, g)
		case slices.Equal(s.groups[i].Values, g.Values):
			s.bad = fmt.Sprintf("group %v is told of, and did not change", g.Key)
		default:
			s.groups[i] = g
		}
	}
}

func (s *summary) find(g *core.AggregateGroup) (int, bool) {
	return slices.BinarySearchFunc(s.groups, g, func(a, b *core.AggregateGroup) int { return strings.Compare(a.ID, b.ID) })
}

// told forgets how many changes there were, and returns it with the groups that they lead to.
func (s *summary) told() (groups []*core.AggregateGroup, changes int, bad string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes, s.changes = s.changes, 0
	return slices.Clone(s.groups), changes, s.bad
}

// problem returns what is wrong with the aggregate in a world.
func (s *summary) problem(w *ankqltest.World) string {
	told, changes, bad := s.told()
	switch {
	case bad != "":
		return bad
	case changes > 1:
		return fmt.Sprintf("%d changes at once", changes)
	}
	want := w.Aggregate(s.collection, s.of)
	if problem := differs(s.of, "shows", s.q.Groups(), want); problem != "" {
		return problem
	}
	return differs(s.of, "tells of", told, want)
}

// differs returns how groups differ from those that ought to be, bit for bit.
func differs(of *ankql.Aggregation, verb string, got []*core.AggregateGroup, want []*ankqltest.Group) string {
	var have, expected []string
	for _, g := range got {
		have = append(have, describe(g.Key, g.Values))
	}
	for _, g := range want {
		expected = append(expected, describe(g.Key, g.Values))
	}
	same := slices.EqualFunc(got, want, func(g *core.AggregateGroup, x *ankqltest.Group) bool {
		return slices.EqualFunc(g.Key, x.Key, equalValues) && slices.EqualFunc(g.Values, x.Values, equalValues) && (verb != "shows" || g.Rows == int64(len(x.Rows)))
	})
	if same {
		return ""
	}
	return fmt.Sprintf("%s\n %s\nwant\n %s", verb, strings.Join(have, "\n "), strings.Join(expected, "\n "))
}

func describe(key, values []value.Value) string { return fmt.Sprintf("%v: %v", key, values) }

func equalValues(a, b value.Value) bool { return value.Compare(a, b) == 0 && a.IsNull() == b.IsNull() }

func (s *story) summarize(n *core.Node) *summary {
	s.t.Helper()
	x := &summary{collection: ankqltest.Pick(s.g, s.g.World.Models.Collections()...)}
	x.of = s.g.Aggregation(x.collection)
	var err error
	if x.q, err = anonymous(n).QueryAggregate(x.collection, x.of); err != nil {
		s.t.Fatalf("%s over %s: %v", x.of, x.collection, err)
	}
	s.t.Cleanup(x.q.Close)
	x.q.Subscribe(x.follow)
	return x
}

func (s *story) checkSummaries(list []*summary, w *ankqltest.World, status core.QueryStatus) {
	s.t.Helper()
	for _, x := range list {
		problem := x.problem(w)
		if problem == "" && x.q.Status() != status {
			problem = fmt.Sprintf("status %v, %v", x.q.Status(), x.q.Err())
		}
		if problem != "" {
			s.t.Fatalf("%s over %s (%v): %s\nafter\n%s", x.of, x.collection, x.q.Status(), problem, strings.Join(s.last, "\n"))
		}
	}
}

// Live aggregates equal recomputed ones where the changes are made: on a durable node, and on
// an ephemeral one that is alone. Bit for bit, at once, by one change for a transaction.
func TestLiveAggregatesEqualRecomputed(t *testing.T) {
	for _, kind := range []string{"durable", "ephemeral"} {
		t.Run(kind, func(t *testing.T) {
			ankqltest.Each(t, 8, func(t *testing.T, g *ankqltest.Gen) {
				synctest.Test(t, func(t *testing.T) { aggregatesAlone(t, g, kind == "durable") })
			})
		})
	}
}

func aggregatesAlone(t *testing.T, g *ankqltest.Gen, isDurable bool) {
	g.References = g.IntN(3) == 0
	s := &story{t: t, g: g}
	g.Full = ankqltest.Pick(g, 12, 60)
	n := open(t, core.Options{Durable: isDurable})
	status := core.QueryLocal
	if isDurable {
		if err := n.CreateSystem(t.Context()); err != nil {
			t.Fatal(err)
		}
		status = core.QueryLive
	}
	registerAll(t, n, g.World)
	var list []*summary
	for range 40 {
		for len(list) < 10 {
			list = append(list, s.summarize(n))
		}
		synctest.Wait()
		s.checkSummaries(list, g.World, status)
		s.change(n)
		s.checkSummaries(list, g.World, status)
		if g.IntN(3) == 0 {
			i := g.IntN(len(list))
			list[i].q.Close()
			list = slices.Delete(list, i, i+1)
		}
	}
	for _, x := range list {
		x.q.Close()
	}
	synctest.Wait()
	if watches := n.Watches(); watches != 0 {
		t.Errorf("%d watches are left", watches)
	}
}

// The same on nodes that follow a durable one, whenever nothing is on its way: through offline
// phases, own writes that wait, and writes that are refused.
func TestPeersAggregatesEqualRecomputed(t *testing.T) {
	ankqltest.Each(t, 8, func(t *testing.T, g *ankqltest.Gen) {
		synctest.Test(t, func(t *testing.T) { aggregatesOfPeers(t, g) })
	})
}

func aggregatesOfPeers(t *testing.T, g *ankqltest.Gen) {
	g.References = g.IntN(3) == 0
	g.Full = ankqltest.Pick(g, 12, 60)
	server := open(t, core.Options{Durable: true, Policy: choosy{policy.Permissive()}})
	if err := server.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	registerAll(t, server, g.World)
	s := &peerStory{story: &story{t: t, g: g}, server: server, dead: map[id.EntityID]string{}}
	for range 2 {
		n := open(t, core.Options{})
		registerAll(t, n, g.World)
		s.peers = append(s.peers, &peerOf{story: &story{t: t, g: g}, node: n, link: local.Connect(server, n)})
	}
	s.settle()
	for range g.Full {
		s.write(server)
	}
	lists := make([][]*summary, len(s.peers))
	for i, p := range s.peers {
		for range 6 {
			lists[i] = append(lists[i], p.summarize(p.node))
		}
		p.watch(p.node) // some rows come along
	}
	check := func() {
		s.world(server)
		for i, p := range s.peers {
			for _, x := range lists[i] {
				x.told() // changes are counted elsewhere
			}
			if p.link != nil {
				p.last = s.last
				p.checkSummaries(lists[i], g.World, core.QueryLive)
			}
		}
	}
	for range 60 {
		p := ankqltest.Pick(g, s.peers...)
		switch g.IntN(10) {
		case 0:
			if p.link != nil {
				p.link.Close()
				p.link = nil
			}
		case 1, 2:
			s.online(p)
		case 3, 4, 5, 6:
			s.write(server)
		default:
			s.write(p.node)
		}
		if g.IntN(3) > 0 {
			s.settle()
			check()
		}
	}
	for _, p := range s.peers {
		s.online(p)
	}
	s.settle()
	check()
}

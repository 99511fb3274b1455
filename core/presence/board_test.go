package presence_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/proto"
)

var seeds = flag.Int("presence.seeds", 150, "runs of the convergence test")

var options = presence.Options{Grace: 5 * time.Second, Lease: 15 * time.Second, Members: 1000, Payer: 1000, Total: 10_000}

// world is durable nodes, the lines between them, and a clock.
type world struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	nodes  []*node
	lines  []*line
	bus    []*node // the processes of one store
	sent   int

	members []*member
	old     []*presence.Seat // of connections whose clients have others by now
}

type node struct {
	board *presence.Board
	bus   *presence.Neighbour // nil for those that share no store
	heard []*proto.Spread     // from the bus, on their way
	watch map[string]*presence.Watch
	view  map[string]map[id.MemberID]string
}

// line is a connection; what is on its way each way is in order.
type line struct {
	ends  [2]*node
	cut   bool
	to    [2]*presence.Neighbour // what ends[i] tells the other
	queue [2][]*proto.Spread
}

// member is what a client means: where it is, and what it says.
type member struct {
	key   proto.MemberKey
	room  string
	seq   uint64
	state string
	seat  *presence.Seat
	at    *node
	here  bool
}

var rooms = []string{"lobby", "studio"}

func (w *world) start() *node {
	n := &node{board: presence.New(id.EpochID{ULID: id.New(nil)}, options), watch: map[string]*presence.Watch{}, view: map[string]map[id.MemberID]string{}}
	for _, r := range rooms {
		n.view[r] = map[id.MemberID]string{}
		n.watch[r] = n.board.Watch(r, func(*presence.Watch) {})
	}
	return n
}

func (w *world) connect(l *line) {
	l.queue = [2][]*proto.Spread{}
	for i, n := range l.ends {
		l.to[i] = n.board.Meet(func() {})
	}
}

func (w *world) disconnect(l *line) {
	for i := range l.ends {
		if l.to[i] != nil {
			l.to[i].Part()
			l.to[i] = nil
		}
	}
}

func (w *world) joinBus(n *node) {
	n.bus = n.board.Meet(func() {})
	n.bus.Ask()
	w.bus = append(w.bus, n)
}

// deliver carries some of what is on its way, in a random order of lines, and has everybody say
// what there is to say.
func (w *world) deliver(all bool) {
	for _, l := range w.lines {
		if l.to[0] == nil {
			continue
		}
		for i := range 2 {
			for all || w.random.IntN(3) > 0 {
				m := l.to[i].Take(w.now, 1+w.random.IntN(300))
				if m == nil {
					break
				}
				w.sent++
				l.queue[i] = append(l.queue[i], reread(w.t, m))
			}
			for len(l.queue[i]) > 0 && (all || w.random.IntN(3) > 0) {
				l.to[1-i].Hear(w.now, l.queue[i][0])
				l.queue[i] = l.queue[i][1:]
			}
		}
	}
	for _, n := range w.bus {
		for m := n.bus.Take(w.now, 200); m != nil; m = n.bus.Take(w.now, 200) {
			w.sent++
			for _, other := range w.bus {
				if other != n {
					other.heard = append(other.heard, reread(w.t, m))
				}
			}
		}
	}
	for _, n := range w.bus {
		for len(n.heard) > 0 && (all || w.random.IntN(3) > 0) {
			n.bus.Hear(w.now, n.heard[0])
			n.heard = n.heard[1:]
		}
	}
}

// reread is what becomes of a frame on its way.
func reread(t *testing.T, m *proto.Spread) *proto.Spread {
	f, err := proto.DecodeFrame(proto.AppendFrame(nil, m))
	if err != nil {
		t.Fatal(err)
	}
	return f.(*proto.Spread)
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for _, n := range w.nodes {
		n.board.Tick(w.now)
		w.look(n)
	}
}

// look keeps up what a watch adds up to.
func (w *world) look(n *node) {
	for room, watch := range n.watch {
		for more := true; more; {
			told := watch.Take(50)
			more = told.More
			for _, p := range told.List {
				if p.Gone {
					delete(n.view[room], p.Member)
				} else {
					n.view[room][p.Member] = string(p.State)
				}
			}
		}
	}
}

func (m *member) next(w *world) uint64 {
	m.seq = max(m.seq+1, uint64(w.now.UnixMicro()))
	return m.seq
}

func (w *world) step() {
	m := w.members[w.random.IntN(len(w.members))]
	switch w.random.IntN(12) {
	case 0, 1, 2: // it says something, where it is
		if m.here {
			m.state = fmt.Sprint("said ", w.random.IntN(1000))
			w.must(m.seat.Set(w.now, m.next(w), encoded(m.state)))
		}
	case 3, 4: // its connection ends, and it comes by another node
		if m.here {
			m.seat.Depart(w.now)
		}
		m.at, m.here = w.nodes[w.random.IntN(len(w.nodes))], true
		m.seat = m.at.board.Seat(m.room, m.key.Member(), "matt", "matt")
		w.must(m.seat.Set(w.now, m.next(w), encoded(m.state)))
	case 5:
		if m.here {
			m.seat.Leave(w.now)
			m.here = false
		}
	case 6: // it goes without a word
		if m.here {
			m.seat.Depart(w.now)
			m.here = false
		}
	case 7: // it comes by another node, and the old connection goes on to live for a while
		w.old = append(w.old, m.seat)
		m.at, m.here = w.nodes[w.random.IntN(len(w.nodes))], true
		m.seat = m.at.board.Seat(m.room, m.key.Member(), "matt", "matt")
		w.must(m.seat.Set(w.now, m.next(w), encoded(m.state)))
	case 8:
		w.cut(w.lines[w.random.IntN(len(w.lines))])
	case 9:
		switch w.random.IntN(8) {
		case 0:
			w.crash(w.random.IntN(len(w.nodes)))
		case 1:
			w.stop(w.random.IntN(len(w.nodes)))
		}
	default:
		w.deliver(false)
		w.pass(time.Duration(w.random.IntN(2000)) * time.Millisecond)
	}
	w.deliver(false)
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func encoded(s string) []byte { return proto.AppendFields(nil, []proto.Field{{Name: s}}) }

func (w *world) cut(l *line) {
	if l.cut = !l.cut; l.cut {
		w.disconnect(l)
	} else {
		w.connect(l)
	}
}

// stop ends a node in good order, of which some may not hear, and starts another in its place.
func (w *world) stop(i int) {
	w.nodes[i].board.Close(w.now)
	w.deliver(w.random.IntN(2) == 0)
	w.crash(i)
}

// crash ends a node, and starts another in its place.
func (w *world) crash(i int) {
	old, fresh := w.nodes[i], w.start()
	w.nodes[i] = fresh
	for _, l := range w.lines {
		for e := range l.ends {
			if l.ends[e] != old {
				continue
			}
			w.disconnect(l)
			if l.ends[e] = fresh; !l.cut {
				w.connect(l)
			}
		}
	}
	if k := slices.Index(w.bus, old); k >= 0 {
		w.bus = slices.Delete(w.bus, k, k+1)
		w.joinBus(fresh)
	}
	for _, m := range w.members {
		if m.at == old {
			m.here = false
		}
	}
}

// In any topology, whatever happens, all nodes that are connected come to see the same members,
// with what they said last, and nobody else.
func TestBoardsConverge(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &world{t: t, random: rand.New(rand.NewPCG(seed, 1)), now: time.UnixMicro(1_700_000_000_000_000)}
			count := 2 + w.random.IntN(6)
			for i := range count {
				w.nodes = append(w.nodes, w.start())
				if i > 0 { // a tree, so that all are connected
					w.lines = append(w.lines, &line{ends: [2]*node{w.nodes[w.random.IntN(i)], w.nodes[i]}})
				}
			}
			for range w.random.IntN(count) { // and some circles
				if a, b := w.nodes[w.random.IntN(count)], w.nodes[w.random.IntN(count)]; a != b {
					w.lines = append(w.lines, &line{ends: [2]*node{a, b}})
				}
			}
			for _, l := range w.lines {
				w.connect(l)
			}
			for _, n := range w.nodes[:w.random.IntN(count)] {
				w.joinBus(n)
			}
			for i := range 6 {
				w.members = append(w.members, &member{key: proto.MemberKey{byte(i + 1)}, room: rooms[i%len(rooms)]})
			}
			for range 300 {
				w.step()
			}
			for _, l := range w.lines {
				if l.cut {
					w.cut(l)
				}
			}
			for _, seat := range w.old {
				if seat != nil {
					seat.Depart(w.now)
				}
			}
			for range 40 { // quiet: longer than a lease and a grace
				w.pass(time.Second)
				for range count {
					w.deliver(true)
				}
			}
			w.check()
			before := w.sent
			w.pass(time.Second)
			w.deliver(true)
			if beats := 2 * (len(w.lines) + 2*count) * count; w.sent-before > beats {
				t.Errorf("while nothing happens %d frames are sent in a second", w.sent-before)
			}
			w.pass(3 * options.Lease)
			w.pass(3 * options.Lease)
			for i, n := range w.nodes {
				own := 0
				for _, m := range w.members {
					if m.here && m.at == n {
						own++
					}
				}
				if n.board.Len() > own {
					t.Errorf("node %d has %d entries when nothing is heard of the others, and %d members", i, n.board.Len(), own)
				}
			}
		})
	}
}

// check compares what everybody sees with what the members mean.
func (w *world) check() {
	w.t.Helper()
	for i, n := range w.nodes {
		w.look(n)
		for _, room := range rooms {
			want := map[id.MemberID]string{}
			for _, m := range w.members {
				if m.here && m.room == room {
					want[m.key.Member()] = string(encoded(m.state))
				}
			}
			if !maps.Equal(n.view[room], want) {
				w.t.Errorf("node %d sees %q in %s, want %q", i, n.view[room], room, want)
			}
		}
	}
}

// Of a node that ends in good order all others know, through whomever: its members stay for the
// grace, and have gone then, unless they have come again elsewhere.
func TestMembersOfAClosedNode(t *testing.T) {
	w := &world{t: t, random: rand.New(rand.NewPCG(1, 1)), now: time.UnixMicro(1_700_000_000_000_000)}
	for range 4 { // the first two are processes of one store, the others a chain behind the second
		w.nodes = append(w.nodes, w.start())
	}
	for i := range 2 {
		w.joinBus(w.nodes[i])
		w.lines = append(w.lines, &line{ends: [2]*node{w.nodes[i+1], w.nodes[i+2]}})
		w.connect(w.lines[i])
	}
	settle := func(d time.Duration) {
		w.pass(d)
		for range len(w.nodes) {
			w.deliver(true)
		}
	}
	moves, stays := &member{key: proto.MemberKey{1}}, &member{key: proto.MemberKey{2}}
	enter := func(m *member, at *node) {
		m.seat = at.board.Seat("lobby", m.key.Member(), "matt", "matt")
		w.must(m.seat.Set(w.now, m.next(w), encoded("here")))
	}
	seen := func(when string, want ...*member) {
		t.Helper()
		for i, n := range w.nodes[1:] {
			w.look(n)
			here := n.view["lobby"]
			for _, m := range want {
				if here[m.key.Member()] == "" {
					t.Errorf("%s: node %d does not see a member", when, i+1)
				}
			}
			if len(here) != len(want) {
				t.Errorf("%s: node %d sees %d members, want %d", when, i+1, len(here), len(want))
			}
		}
	}
	first := w.nodes[0]
	settle(0)
	enter(moves, first)
	enter(stays, first)
	settle(time.Second)
	seen("at first", moves, stays)
	if !first.board.Close(w.now) {
		t.Error("it has no members")
	}
	settle(0)
	w.bus = w.bus[1:] // it is not there any more
	settle(options.Grace - time.Second)
	seen("within the grace", moves, stays)
	enter(moves, w.nodes[3])
	settle(500 * time.Millisecond)
	seen("when one has come elsewhere", moves, stays)
	settle(time.Second)
	seen("after the grace", moves)
	settle(options.Lease)
	seen("for good", moves)
}

func TestLimits(t *testing.T) {
	now := time.Now()
	b := presence.New(id.EpochID{ULID: id.New(nil)}, presence.Options{Grace: time.Second, Lease: 3 * time.Second, Members: 2, Payer: 3, Total: 4})
	enter := func(room string, m byte, payer string) (*presence.Seat, error) {
		s := b.Seat(room, proto.MemberKey{m}.Member(), "", payer)
		return s, s.Set(now, 0, nil)
	}
	var first *presence.Seat
	for i, c := range []struct {
		room  string
		m     byte
		payer string
		full  bool
	}{
		{"a", 1, "x", false}, {"a", 2, "x", false}, {"a", 3, "x", true}, {"a", 2, "x", false},
		{"b", 1, "x", false}, {"c", 1, "x", true}, {"c", 1, "y", false}, {"d", 1, "z", true},
	} {
		s, err := enter(c.room, c.m, c.payer)
		if errors.Is(err, presence.ErrFull) != c.full {
			t.Errorf("%d: %v", i, err)
		}
		if first == nil {
			first = s
		}
	}
	// Who comes from elsewhere is taken in as long as there is room in all.
	n := b.Meet(func() {})
	home := id.EpochID{ULID: id.New(nil)}
	for i := range 10 {
		n.Hear(now, &proto.Spread{List: []proto.Attending{{Room: "a", Home: home, Seq: 1, Present: proto.Present{Member: proto.MemberKey{100, byte(i)}.Member()}}}})
	}
	if b.Len() != 4 {
		t.Errorf("there are %d entries", b.Len())
	}
	// A place is free when who has left is forgotten.
	first.Leave(now)
	if _, err := enter("d", 1, "z"); !errors.Is(err, presence.ErrFull) {
		t.Errorf("%v", err)
	}
	now = now.Add(6 * time.Second)
	b.Tick(now)
	if _, err := enter("d", 1, "z"); err != nil {
		t.Error(err)
	}
}

// A neighbour that invents homes, seqs and ages is bounded, and does not drown out what this
// node says itself.
func TestHostileNeighbour(t *testing.T) {
	now := time.Now()
	self := id.EpochID{ULID: id.New(nil)}
	b := presence.New(self, presence.Options{Grace: time.Second, Lease: 3 * time.Second, Members: 10, Payer: 10, Total: 100})
	watch := b.Watch("a", func(*presence.Watch) {})
	seat := b.Seat("a", proto.MemberKey{1}.Member(), "matt", "matt")
	if err := seat.Set(now, 5, encoded("matt")); err != nil {
		t.Fatal(err)
	}
	n := b.Meet(func() {})
	lie := proto.Attending{Room: "a", Home: self, Seq: 1 << 63, Present: proto.Present{Member: proto.MemberKey{1}.Member(), State: encoded("mallory")}}
	other := lie
	other.Home = id.EpochID{ULID: id.New(nil)}
	n.Hear(now, &proto.Spread{List: []proto.Attending{lie, other}, Homes: []proto.Home{{ID: self, Beat: 1 << 60}, {ID: other.Home, Beat: 1 << 60, Age: 1 << 63}}})
	for range 5000 {
		h := id.EpochID{ULID: id.New(nil)}
		n.Hear(now, &proto.Spread{Homes: []proto.Home{{ID: h, Beat: 1}}, List: []proto.Attending{{Room: "b", Home: h, Seq: 1, Present: proto.Present{Member: id.MemberID(h)}}}})
	}
	if b.Len() > 100 {
		t.Errorf("there are %d entries", b.Len())
	}
	if told := watch.Take(1000); len(told.List) != 1 || string(told.List[0].State) != string(encoded("matt")) {
		t.Errorf("%+v", told)
	}
	b.Tick(now.Add(2 * time.Second)) // the homes are as many as there may be, and one's own is among them
	spread := b.Meet(func() {}).Take(now.Add(2*time.Second), 1<<30)
	if !slices.ContainsFunc(spread.Homes, func(h proto.Home) bool { return h.ID == self }) {
		t.Error("the node's own home is not told")
	}
	b.Tick(now.Add(20 * time.Second))
	if b.Len() != 1 {
		t.Errorf("%d entries are left when the lease is over", b.Len())
	}
}

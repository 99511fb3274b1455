package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/proto"
)

// Faults are the probabilities, per frame, of what can go wrong on a connection. Within
// one connection frames keep their order, as the protocol demands of a connector, and are
// lost only with it; between connections delays reorder them at will.
type Faults struct {
	Cut       float64       // the connection breaks, and what is under way is lost
	Duplicate float64       // the frame arrives twice
	Delay     time.Duration // a frame takes up to this long, and never nothing
	Queue     int           // frames that a connection holds each way; 0 is 64
}

// What ends a connection besides a Close.
var (
	errCut         = errors.New("sim: connection was cut")
	errUnreachable = errors.New("sim: machine cannot be reached")
)

// Network carries frames between machines. Its mutex guards all connections.
type Network struct {
	world *World

	mu      sync.Mutex
	faults  Faults
	blocked map[route]int      // how many partitions are in the way
	opened  chan struct{}      // closed when a route opens
	open    map[*pipe]struct{} // connections
	dials   map[route]int
	taken   map[int64]struct{} // moments at which something arrives
}

// route is one direction between two machines.
type route struct{ from, to *Machine }

func newNetwork(w *World, f Faults) *Network {
	return &Network{world: w, faults: f, blocked: make(map[route]int), opened: make(chan struct{}),
		open: make(map[*pipe]struct{}), dials: make(map[route]int), taken: make(map[int64]struct{})}
}

// be sets the faults.
func (n *Network) be(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
}

// Heal ends all faults and partitions.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = Faults{Delay: time.Millisecond}
	clear(n.blocked)
	n.reopenLocked()
}

func (n *Network) reopenLocked() {
	close(n.opened)
	n.opened = make(chan struct{})
}

// Block stops what travels by the routes. Connections do not notice, until they have waited
// too long. The function that it returns ends that; Heal does as well.
func (n *Network) Block(routes ...route) (end func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range routes {
		n.blocked[r]++
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, r := range routes {
			if n.blocked[r] > 0 { // not healed meanwhile
				n.blocked[r]--
			}
		}
		n.reopenLocked()
	}
}

// Cut breaks all connections of a machine. If silently, the other ends are not told.
func (n *Network) Cut(m *Machine, silently bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.open {
		for i := range p.ends {
			if e := &p.ends[i]; e.local == m || e.remote == m && !silently {
				e.endLocked(errCut)
			}
		}
	}
}

// moment returns a time at which nothing else arrives, not before t.
func (n *Network) momentLocked(t time.Time) time.Time {
	for {
		if _, taken := n.taken[t.UnixNano()]; !taken {
			break
		}
		t = t.Add(1)
	}
	if len(n.taken) > 4096 { // what is past does not matter any more
		now := time.Now().UnixNano()
		for x := range n.taken {
			if x < now {
				delete(n.taken, x)
			}
		}
	}
	n.taken[t.UnixNano()] = struct{}{}
	return t
}

// dialer makes connections from one machine to another.
type dialer struct {
	net      *Network
	from, to *Machine
}

// String implements connectors.Dialer.
func (d *dialer) String() string { return d.to.name }

// Dial implements connectors.Dialer.
func (d *dialer) Dial(ctx context.Context) (connectors.Conn, error) {
	there, back := route{d.from, d.to}, route{d.to, d.from}
	n := d.net
	n.mu.Lock()
	serial := n.dials[there]
	n.dials[there]++
	for n.blocked[there]+n.blocked[back] > 0 {
		opened := n.opened
		n.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		n.mu.Lock()
	}
	defer n.mu.Unlock()
	p := &pipe{net: n}
	for i, r := range []route{there, back} {
		e := &p.ends[i]
		*e = end{pipe: p, local: r.from, remote: r.to, rnd: n.world.random(fmt.Sprint(r.from.name, "→", r.to.name), uint64(serial)),
			arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), gone: make(chan struct{})}
	}
	p.ends[0].peer, p.ends[1].peer = &p.ends[1], &p.ends[0]
	if !d.to.serve(&p.ends[1]) {
		return nil, errUnreachable
	}
	n.open[p] = struct{}{}
	return &p.ends[0], nil
}

// pipe is a connection.
type pipe struct {
	net  *Network
	ends [2]end // the one that dialled first
}

// end is one end of a connection, and what is on its way to it.
type end struct {
	*pipe
	local, remote *Machine
	peer          *end
	rnd           *rand.Rand // of what it sends

	queue   []parcel
	last    time.Time     // when the last of them arrives
	arrived chan struct{} // signalled when there is more in the queue, or the peer has closed
	room    chan struct{} // signalled when there is less
	ended   error         // what follows the queue
	cause   error         // why gone is closed
	gone    chan struct{}
}

// parcel is a frame on its way.
type parcel struct {
	frame []byte
	at    time.Time
	again bool // it will arrive once more
}

func (e *end) endLocked(cause error) {
	if e.cause != nil {
		return
	}
	e.cause = cause
	close(e.gone)
	if e.peer.cause != nil {
		delete(e.net.open, e.pipe)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Remote implements connectors.Conn.
func (e *end) Remote() string { return e.remote.name }

// Close implements connectors.Conn.
func (e *end) Close(reason string) error {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.cause != nil {
		return nil
	}
	e.endLocked(connectors.ErrClosed)
	if e.peer.ended == nil {
		e.peer.ended = fmt.Errorf("%w by %s: %s", connectors.ErrClosed, e.local.name, reason)
		signal(e.peer.arrived)
	}
	return nil
}

// Send implements connectors.Conn.
func (e *end) Send(ctx context.Context, frame []byte) error {
	for {
		sent, err := e.trySend(frame)
		if sent || err != nil {
			return err
		}
		select {
		case <-e.peer.room:
		case <-e.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *end) trySend(frame []byte) (sent bool, err error) {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	room := n.faults.Queue
	if room == 0 {
		room = 64
	}
	switch {
	case e.cause != nil:
		return false, e.cause
	case e.peer.cause != nil:
		return true, nil // into the void: this side does not know yet
	case len(e.peer.queue) >= room:
		return false, nil
	case e.rnd.Float64() < n.faults.Cut:
		e.endLocked(errCut)
		e.peer.endLocked(errCut)
		return false, errCut
	}
	at := time.Now().Add(1 + time.Duration(e.rnd.Int64N(int64(n.faults.Delay)+1)))
	if at.Before(e.peer.last) {
		at = e.peer.last
	}
	at = n.momentLocked(at)
	e.peer.last = at
	e.peer.queue = append(e.peer.queue, parcel{frame, at, e.rnd.Float64() < n.faults.Duplicate})
	signal(e.peer.arrived)
	return true, nil
}

// Receive implements connectors.Conn.
func (e *end) Receive(ctx context.Context) ([]byte, error) {
	for {
		frame, wait, opened, err := e.tryReceive()
		if frame != nil || err != nil {
			return frame, err
		}
		var timer *time.Timer
		var arrives <-chan time.Time
		if wait > 0 {
			timer = time.NewTimer(wait)
			arrives = timer.C
		}
		select {
		case <-arrives:
		case <-e.arrived:
		case <-opened:
		case <-e.gone:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return nil, err
		}
	}
}

// tryReceive returns the next frame if it has arrived, else how long it takes to, or when to
// look again.
func (e *end) tryReceive() (frame []byte, wait time.Duration, opened <-chan struct{}, err error) {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case e.cause != nil:
		return nil, 0, nil, e.cause
	case n.blocked[route{e.remote, e.local}] > 0:
		return nil, 0, n.opened, nil
	case len(e.queue) == 0:
		return nil, 0, nil, e.ended
	}
	next := &e.queue[0]
	if wait = time.Until(next.at); wait > 0 {
		return nil, wait, nil, nil
	}
	frame = next.frame
	if next.again {
		next.again = false
		frame = append([]byte(nil), frame...)
	} else {
		e.queue = e.queue[1:]
		signal(e.room)
	}
	n.world.trace.add("%s → %s: %d bytes", e.remote.name, e.local.name, len(frame))
	n.world.trace.detail(func() string { return describe(frame) })
	return frame, 0, nil, nil
}

// random returns randomness for one purpose, which depends on the seed and the purpose alone.
func (w *World) random(purpose string, serial uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()+serial))
}

// describe says what a frame is.
func describe(frame []byte) string {
	f, err := proto.DecodeFrame(frame)
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("  %T%+v", f, f)
	return text[:min(len(text), 1500)]
}

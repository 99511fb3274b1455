package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/local"
)

// Faults are the probabilities, per frame, of what can go wrong on a connection. Within
// one connection frames keep their order, as the protocol demands of a connector; between
// connections delays reorder them at will.
type Faults struct {
	Cut       float64       // the connection breaks, and what is under way is lost
	Duplicate float64       // the frame arrives twice
	Delay     time.Duration // a frame takes up to this long
	Queue     int           // frames that a connection holds each way; 0 is the connector's default
}

// Network makes faulty connections. Its randomness is its own, so that a seed decides
// what happens however goroutines are scheduled.
type Network struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	faults Faults
	down   bool
	open   map[*faultyConn]struct{}
}

// NewNetwork returns a network with the given faults.
func NewNetwork(seed uint64, f Faults) *Network {
	return &Network{rnd: rand.New(rand.NewPCG(seed, 1)), faults: f, open: make(map[*faultyConn]struct{})}
}

// Heal ends all faults from now on.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults, n.down = Faults{}, false
}

// Partition cuts every connection and refuses new ones, until Join or Heal.
func (n *Network) Partition() {
	n.mu.Lock()
	n.down = true
	open := n.open
	n.open = make(map[*faultyConn]struct{})
	n.mu.Unlock()
	for c := range open {
		c.Conn.Close("partition")
	}
}

// Join ends a partition.
func (n *Network) Join() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

func (n *Network) draw() (f Faults, roll [2]float64, delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range roll {
		roll[i] = n.rnd.Float64()
	}
	if n.faults.Delay > 0 {
		delay = time.Duration(n.rnd.Int64N(int64(n.faults.Delay)))
	}
	return n.faults, roll, delay
}

var errDown = errors.New("sim: network is down")

// Dialer returns a dialer to whatever server is at the time of each dial.
func (n *Network) Dialer(server func() local.Server) connectors.Dialer {
	return &faultyDialer{n, server}
}

type faultyDialer struct {
	net    *Network
	server func() local.Server
}

func (d *faultyDialer) String() string { return "sim" }

func (d *faultyDialer) Dial(ctx context.Context) (connectors.Conn, error) {
	d.net.mu.Lock()
	down, queue := d.net.down, d.net.faults.Queue
	d.net.mu.Unlock()
	server := d.server()
	if down || server == nil {
		return nil, errDown
	}
	conn, err := local.NewDialer(server, local.Options{Queue: queue}).Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &faultyConn{Conn: conn, net: d.net}
	d.net.mu.Lock()
	d.net.open[c] = struct{}{}
	d.net.mu.Unlock()
	return c, nil
}

// faultyConn is the client's end of a connection; both directions pass it.
type faultyConn struct {
	connectors.Conn
	net  *Network
	next []byte // a second copy, to be received next
}

func (c *faultyConn) Send(ctx context.Context, frame []byte) error {
	f, roll, delay := c.net.draw()
	if err := pause(ctx, delay); err != nil {
		return err
	}
	if roll[0] < f.Cut {
		c.Conn.Close("cut")
		return errDown
	}
	if err := c.Conn.Send(ctx, frame); err != nil {
		return err
	}
	if roll[1] < f.Duplicate {
		return c.Conn.Send(ctx, append([]byte(nil), frame...))
	}
	return nil
}

func (c *faultyConn) Receive(ctx context.Context) ([]byte, error) {
	if frame := c.next; frame != nil {
		c.next = nil
		return frame, nil
	}
	frame, err := c.Conn.Receive(ctx)
	if err != nil {
		return nil, err
	}
	f, roll, delay := c.net.draw()
	if err := pause(ctx, delay); err != nil {
		return nil, err
	}
	switch {
	case roll[0] < f.Cut:
		c.Conn.Close("cut")
		return nil, errDown
	case roll[1] < f.Duplicate:
		c.next = append([]byte(nil), frame...)
	}
	return frame, nil
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

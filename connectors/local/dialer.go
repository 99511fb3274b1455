package local

import (
	"context"
	"fmt"
	"sync"

	"github.com/ankurah-go/ankurah/connectors"
)

// Server is what serves the accepted end of a pipe: a durable node.
type Server interface {
	// Serve runs one connection until it ends.
	Serve(ctx context.Context, conn connectors.Conn) error
}

// Client is what keeps itself connected by a dialer: an ephemeral node. DialOptions
// and Link are its own types.
type Client[DialOptions, Link any] interface {
	// Dial stays connected by d until the link is closed.
	Dial(d connectors.Dialer, o DialOptions) Link
}

// Connect keeps client connected to server, in the same process and with the client's
// default options, until the link that it returns is closed.
func Connect[DialOptions, Link any](server Server, client Client[DialOptions, Link]) Link {
	var o DialOptions
	return client.Dial(NewDialer(server, Options{}), o)
}

// Dialer makes pipes whose other end is served by a node.
type Dialer struct {
	server  Server
	options Options
	serving sync.WaitGroup

	mu struct {
		sync.Mutex
		closed bool
		conns  map[connectors.Conn]struct{} // the served ends
	}
}

var _ connectors.Dialer = (*Dialer)(nil)

// NewDialer returns a dialer to server.
func NewDialer(server Server, o Options) *Dialer {
	d := &Dialer{server: server, options: o.ensureDefaults()}
	d.mu.conns = map[connectors.Conn]struct{}{}
	return d
}

// Dial returns the client's end of a new pipe; the other end is served until the pipe
// ends. It fails only if ctx has ended or the dialer is closed.
func (d *Dialer) Dial(ctx context.Context) (connectors.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := Pipe(d.options)

	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, fmt.Errorf("dial %s: %w", d, connectors.ErrClosed)
	}
	d.mu.conns[server] = struct{}{}
	d.serving.Add(1)
	go d.serve(server)
	return client, nil
}

func (d *Dialer) serve(conn connectors.Conn) {
	defer d.serving.Done()
	err := d.server.Serve(context.Background(), conn)
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	conn.Close(reason)

	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.mu.conns, conn)
}

// String implements connectors.Dialer.
func (d *Dialer) String() string { return d.options.Name }

// Close ends all connections and waits until none is served any more. Later dials fail.
func (d *Dialer) Close() {
	d.mu.Lock()
	d.mu.closed = true
	for conn := range d.mu.conns {
		conn.Close("closing")
	}
	d.mu.Unlock()
	d.serving.Wait()
}

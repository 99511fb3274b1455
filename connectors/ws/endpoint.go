package ws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/internal/quota"
)

// Node is what serves accepted connections.
type Node interface {
	// Serve runs one connection until it ends.
	Serve(ctx context.Context, conn connectors.Conn) error
}

// maxRefusing is how many surplus connections are told so in words at the same time;
// those beyond get a plain 503.
const maxRefusing = 64

// Endpoint is an http.Handler that turns each request into a connection and has the
// node serve it.
type Endpoint struct {
	node    Node
	options Options
	origins []originPattern
	intake  *quota.Quota[string] // bytes of large messages, by AddressKey

	mu struct {
		sync.Mutex
		refuses  bool // new connections
		closing  bool
		open     map[*conn]struct{}
		from     map[string]int // by AddressKey: how many are open or pending
		pending  int            // accepted by count, not open yet
		refusing int
		idle     chan struct{} // closed when closing and nothing is left
	}
}

var _ http.Handler = (*Endpoint)(nil)

// Handler returns the endpoint of a node. An origin that makes no sense matches
// nothing; CheckOrigins finds it.
func Handler(node Node, o Options) *Endpoint {
	e := &Endpoint{node: node, options: o.ensureDefaults()}
	e.origins, _ = parseOrigins(o.Origins)
	e.intake = quota.New[string](e.options.ReceiveBytes, e.options.ReceiveBytes/4)
	e.mu.open = map[*conn]struct{}{}
	e.mu.from = map[string]int{}
	e.mu.idle = make(chan struct{})
	return e
}

// Connections returns the number of open connections.
func (e *Endpoint) Connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.mu.open)
}

// ServeHTTP implements http.Handler. It returns once the connection is open: what the
// HTTP server keeps for a request, its deep stack above all, would otherwise be kept for
// as long as the connection lasts.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.originAllowed(r) {
		e.refuse(w, r, http.StatusForbidden, fmt.Sprintf("origin %q is not allowed", r.Header.Get("Origin")))
		return
	}
	remote := e.client(r)
	from := AddressKey(remote)
	switch admission := e.admit(from); admission {
	case admitted:
	case refused:
		w.Header().Set("Retry-After", "5")
		e.refuse(w, r, http.StatusServiceUnavailable, "the server is full or shutting down")
		return
	default:
		e.turnAway(w, r, string(admission))
		return
	}
	pings, under := newPongs(), &hijacked{ResponseWriter: w}
	socket, err := e.accept(under, r, pings)
	if err != nil {
		e.leave(nil, from)
		return
	}
	c := newConn(socket, remote, e.options.Limits)
	c.intake, c.from, pings.conn = e.intake, from, c
	c.raw = rawOf(under.conn)
	socket.SetReadLimit(int64(e.options.OpeningFrame))
	c.start()
	e.enter(c)
	go func(ctx context.Context) {
		defer e.leave(c, from)
		e.serve(ctx, c)
	}(r.Context())
}

// Refuse refuses new connections from now on; those that are open go on.
func (e *Endpoint) Refuse() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.refuses = true
}

// Shutdown refuses new connections, closes those that are open, with "going away", and
// waits until all have ended or ctx does. What the node had sent is flushed.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if !e.mu.closing {
		e.mu.closing = true
		for c := range e.mu.open {
			c.closeWith(websocket.StatusGoingAway, "the server is shutting down")
		}
		e.checkIdleLocked()
	}
	idle := e.mu.idle
	e.mu.Unlock()

	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d connections still open: %w", e.Connections(), ctx.Err())
	}
}

// admission is what becomes of a request: admitted, refused, or told why not.
type admission string

const (
	admitted admission = ""
	refused  admission = "refused"

	tooMany         admission = "too many connections, try again later"
	tooManyFromHere admission = "too many connections from one address, try again later"
)

// admit counts a request that is about to become a connection.
func (e *Endpoint) admit(from string) admission {
	e.mu.Lock()
	defer e.mu.Unlock()
	told := admitted
	switch {
	case e.mu.refuses || e.mu.closing:
		return refused
	case len(e.mu.open)+e.mu.pending >= e.options.MaxConnections:
		told = tooMany
	case e.mu.from[from] >= e.options.MaxPerAddress:
		told = tooManyFromHere
	default:
		e.mu.pending++
		e.mu.from[from]++
		return admitted
	}
	if e.mu.refusing >= maxRefusing {
		return refused
	}
	e.mu.refusing++
	return told
}

func (e *Endpoint) enter(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.pending--
	e.mu.open[c] = struct{}{}
	if e.mu.closing {
		c.closeWith(websocket.StatusGoingAway, "the server is shutting down")
	}
}

// leave takes a connection back out, or with nil one that was admitted only.
func (e *Endpoint) leave(c *conn, from string) {
	if c != nil {
		c.wait()
		c.releaseAll()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.from[from]--; e.mu.from[from] == 0 {
		delete(e.mu.from, from)
	}
	if c == nil {
		e.mu.pending--
	} else {
		delete(e.mu.open, c)
	}
	e.checkIdleLocked()
}

func (e *Endpoint) checkIdleLocked() {
	if e.mu.closing && len(e.mu.open) == 0 && e.mu.pending == 0 {
		select {
		case <-e.mu.idle:
		default:
			close(e.mu.idle)
		}
	}
}

func (e *Endpoint) accept(w http.ResponseWriter, r *http.Request, pings *pongs) (*websocket.Conn, error) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // originAllowed has decided
		CompressionMode:    compression(e.options.Limits),
		OnPingReceived:     pings.answer,
	})
	if err != nil && e.options.Listener.Refused != nil {
		e.options.Listener.Refused(r.RemoteAddr, err.Error())
	}
	return socket, err
}

// turnAway accepts a connection only to say why it is not served: a page cannot see
// the status of a refused upgrade, but it sees a closing reason.
func (e *Endpoint) turnAway(w http.ResponseWriter, r *http.Request, reason string) {
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.mu.refusing--
	}()
	socket, err := e.accept(w, r, newPongs())
	if err != nil {
		return
	}
	if e.options.Listener.Refused != nil {
		e.options.Listener.Refused(r.RemoteAddr, reason)
	}
	socket.Close(websocket.StatusTryAgainLater, reason)
}

func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	if e.options.Listener.Refused != nil {
		e.options.Listener.Refused(r.RemoteAddr, reason)
	}
	http.Error(w, reason, status)
}

// serve has the node serve a connection, and keeps a panic to that connection. The
// request's context ends with the request's socket, which is ours by now: only its
// values are kept. What is done for a peer ends soon after its connection.
func (e *Endpoint) serve(ctx context.Context, c *conn) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(c.life, func() {
		time.AfterFunc(lastWords, func() { cancel(c.ending.err) })
	})()
	l := e.options.Listener
	if l.Connected != nil {
		l.Connected(c.remote)
	}
	var err error
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
			c.closeWith(websocket.StatusInternalError, "internal error")
			if l.Panicked != nil {
				l.Panicked(c.remote, value, debug.Stack())
			}
		}
		if l.Disconnected != nil {
			l.Disconnected(c.remote, err)
		}
	}()
	err = e.node.Serve(ctx, c)
	reason := ""
	if err != nil && !errors.Is(err, connectors.ErrClosed) {
		reason = err.Error()
	}
	c.Close(reason)
}

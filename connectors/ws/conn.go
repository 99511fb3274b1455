package ws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/internal/quota"
)

// conn is a connectors.Conn over one socket. The reader goroutine hands over messages
// one by one, so that a slow receiver slows the peer down; the writer goroutine owns
// the end of the socket.
type conn struct {
	socket *websocket.Conn
	raw    syscall.RawConn // under the socket; nil if it is not known
	remote string
	limits Limits

	out    *sendQueue
	in     chan message
	intake *quota.Quota[string] // nil on the side that dialled
	from   string               // for the intake

	opened     atomic.Bool // the node has answered: large frames are taken
	heard      atomic.Bool // a message arrived since the last look
	delivering atomic.Bool // the reader waits for the receiver, and so reads no pong
	seeking    atomic.Bool // a ping is on its way that asks whether the peer is there
	pinger     *time.Timer

	taken struct { // of the intake
		sync.Mutex
		all, working int // altogether; for the message that is being worked on
	}

	once    sync.Once
	ending  ending
	ended   <-chan struct{} // closed once ending is set
	life    context.Context // that ends then
	die     func()
	hurry   context.Context // that ends FlushTimeout after: what is being written then is not
	giveUp  func()
	workers sync.WaitGroup
}

// message is a frame with what it has taken of the intake.
type message struct {
	frame []byte
	taken int
}

// ending is how a connection came to its end.
type ending struct {
	err  error                // what calls answer from then on
	here bool                 // this side closed it: what was received but not asked for is dropped
	code websocket.StatusCode // to tell the peer; zero if there is nobody to tell
	text string
}

var _ connectors.Conn = (*conn)(nil)

func newConn(socket *websocket.Conn, remote string, l Limits) *conn {
	socket.SetReadLimit(int64(l.MaxFrame))
	life, die := context.WithCancel(context.Background())
	hurry, giveUp := context.WithCancel(context.Background())
	return &conn{
		socket: socket,
		remote: remote,
		limits: l,
		out:    newSendQueue(l.QueueFrames, l.QueueBytes),
		in:     make(chan message, 1),
		ended:  life.Done(), life: life, die: die, hurry: hurry, giveUp: giveUp,
	}
}

// start begins to read, write and ping.
func (c *conn) start() *conn {
	c.pinger = time.AfterFunc(c.limits.PingInterval, c.ping)
	c.workers.Add(2)
	go c.read()
	go c.write()
	return c
}

// Send implements connectors.Conn.
func (c *conn) Send(ctx context.Context, frame []byte) error {
	if len(frame) > c.limits.MaxFrame {
		err := fmt.Errorf("%w: %d bytes, at most %d", connectors.ErrFrameTooLarge, len(frame), c.limits.MaxFrame)
		c.end(ending{err: err, here: true, code: websocket.StatusMessageTooBig, text: "frame too large"})
		return err
	}
	if c.hasEnded() {
		return c.ending.err
	}
	if !c.opened.Swap(true) {
		c.socket.SetReadLimit(int64(c.limits.MaxFrame))
	}
	queued, err := c.out.put(ctx, frame, c.ended)
	if err == nil && !queued {
		err = c.ending.err
	}
	return err
}

// Receive implements connectors.Conn.
func (c *conn) Receive(ctx context.Context) ([]byte, error) {
	c.release()
	if c.hasEnded() && c.ending.here {
		return nil, c.ending.err
	}
	select {
	case m := <-c.in:
		return c.workOn(m), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.ended:
	}
	if !c.ending.here {
		select { // what came before the end
		case m := <-c.in:
			return c.workOn(m), nil
		default:
		}
	}
	return nil, c.ending.err
}

// Close implements connectors.Conn. It does not wait for the closing handshake.
func (c *conn) Close(reason string) error {
	c.closeWith(websocket.StatusNormalClosure, reason)
	return nil
}

func (c *conn) closeWith(code websocket.StatusCode, reason string) {
	c.end(ending{err: fmt.Errorf("%w here", connectors.ErrClosed), here: true, code: code, text: connectors.TrimReason(reason)})
}

// Remote implements connectors.Conn.
func (c *conn) Remote() string { return c.remote }

// wait returns when the socket is closed and both goroutines have ended.
func (c *conn) wait() { c.workers.Wait() }

func (c *conn) end(e ending) {
	c.once.Do(func() {
		c.ending = e
		c.die()
		time.AfterFunc(c.limits.FlushTimeout, c.giveUp)
		c.pinger.Stop()
	})
}

func (c *conn) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// read hands over messages until the socket ends.
func (c *conn) read() {
	defer c.workers.Done()
	for {
		kind, m, err := c.message()
		if err != nil {
			c.end(ending{err: explain(err)})
			return
		}
		if kind != websocket.MessageBinary {
			c.end(ending{
				err:  errors.New("ws: the peer sent a text message"),
				code: websocket.StatusUnsupportedData, text: "frames are binary messages",
			})
			return
		}
		c.heard.Store(true)
		if !c.deliver(m) {
			return
		}
	}
}

// deliver hands a message over, and reports whether the connection goes on.
func (c *conn) deliver(m message) bool {
	select {
	case c.in <- m:
		return true
	default:
	}
	c.delivering.Store(true)
	defer c.delivering.Store(false)
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		select {
		case c.in <- m:
			return true
		case <-c.ended:
			return false
		case <-again.C:
			c.seek()
		}
	}
}

// write writes queued frames until the connection ends, and then ends the socket.
func (c *conn) write() {
	defer c.workers.Done()
	for !c.hasEnded() {
		frame, ok := c.out.take()
		if !ok {
			select {
			case <-c.out.filled:
			case <-c.ended:
			}
			continue
		}
		if err := c.writeFrame(frame, c.limits.WriteTimeout); err != nil {
			c.end(ending{err: fmt.Errorf("ws: write: %w", err)})
		}
	}
	if c.ending.code == 0 {
		c.socket.CloseNow()
		return
	}
	c.flush()
	c.socket.Close(c.ending.code, c.ending.text)
}

// flush writes what was sent before Close, as far as the peer takes it in time.
func (c *conn) flush() {
	deadline := time.Now().Add(c.limits.FlushTimeout)
	for frame, ok := c.out.take(); ok; frame, ok = c.out.take() {
		if c.writeFrame(frame, time.Until(deadline)) != nil {
			return
		}
	}
}

func (c *conn) writeFrame(frame []byte, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(c.hurry, timeout)
	defer cancel()
	return c.socket.Write(ctx, websocket.MessageBinary, frame)
}

// ping is called when the connection may have been silent for PingInterval. Where the reader
// waits for the receiver it reads no pong, but a ping still finds out that nobody is there.
func (c *conn) ping() {
	if c.hasEnded() {
		return
	}
	if !c.heard.Swap(false) {
		ctx, cancel := context.WithTimeout(context.Background(), c.limits.PongTimeout)
		err := c.socket.Ping(ctx)
		cancel()
		if err != nil && !(c.delivering.Load() && errors.Is(err, context.DeadlineExceeded)) {
			c.end(ending{err: fmt.Errorf("ws: the peer does not answer: %w", err)})
			return
		}
	}
	c.pinger.Reset(c.limits.PingInterval)
}

// seek ends the connection if the peer has gone. What the peer sent, and that it closed, may be
// behind what there is no room for; but its system answers what is sent to it now. So a ping is
// written, and the answer is seen next time; no pong is waited for.
func (c *conn) seek() {
	if c.raw == nil {
		return
	}
	hungUp, idle := look(c.raw)
	if hungUp {
		c.end(ending{err: fmt.Errorf("%w by the peer", connectors.ErrClosed), here: true})
		return
	}
	if idle && !c.seeking.Swap(true) {
		c.workers.Go(func() {
			defer c.seeking.Store(false)
			ctx, cancel := context.WithTimeout(context.Background(), lookEvery)
			defer cancel()
			_ = c.socket.Ping(ctx)
		})
	}
}

// explain makes errors of reading a socket those of package connectors.
func explain(err error) error {
	var closed websocket.CloseError
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		return fmt.Errorf("%w: from the peer", connectors.ErrFrameTooLarge)
	case !errors.As(err, &closed):
		return fmt.Errorf("ws: read: %w", err)
	case closed.Code == websocket.StatusMessageTooBig:
		return fmt.Errorf("%w: the peer says so", connectors.ErrFrameTooLarge)
	case closed.Reason != "":
		return fmt.Errorf("%w by the peer: %s", connectors.ErrClosed, closed.Reason)
	}
	return fmt.Errorf("%w by the peer", connectors.ErrClosed)
}

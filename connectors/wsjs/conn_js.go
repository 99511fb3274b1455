//go:build js && wasm

package wsjs

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
)

// The closing codes; doc.go has their meaning.
const (
	normalClosure  = 1000
	messageTooBig  = 1009
	sentText       = 4003
	sentTooBig     = 4009
	sentTooMuch    = 4013
	abnormalEnding = 1006
)

// The pauses between looks at what the browser still has to send.
const (
	firstLook = time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// conn is a connectors.Conn over one WebSocket.
type conn struct {
	socket  js.Value
	bytes   js.Value // the class Uint8Array
	remote  string
	options Options

	opened    chan struct{} // closed when the socket has opened
	inbox     *inbox
	callbacks map[string]js.Func // by the property of the socket that holds them

	// queued counts frames sent since the browser last had nothing to send. It is of
	// the one goroutine that sends.
	queued int
}

var _ connectors.Conn = (*conn)(nil)

func newConn(socket js.Value, remote string, o Options) *conn {
	c := &conn{
		socket:  socket,
		bytes:   js.Global().Get("Uint8Array"),
		remote:  remote,
		options: o,
		opened:  make(chan struct{}),
		inbox:   newInbox(o.ReceiveFrames, o.ReceiveBytes),
	}
	socket.Set("binaryType", "arraybuffer")
	c.callbacks = map[string]js.Func{
		"onopen":    js.FuncOf(func(js.Value, []js.Value) any { close(c.opened); return nil }),
		"onmessage": js.FuncOf(c.onMessage),
		"onclose":   js.FuncOf(c.onClose),
	}
	for name, callback := range c.callbacks {
		socket.Set(name, callback)
	}
	return c
}

// onMessage is called from JavaScript.
func (c *conn) onMessage(_ js.Value, args []js.Value) any {
	data := args[0].Get("data")
	if data.Type() != js.TypeObject {
		c.end(errors.New("wsjs: the peer sent a text message"), false, sentText, "frames are binary messages")
		return nil
	}
	size := data.Get("byteLength").Int()
	if size > c.options.MaxFrame {
		err := fmt.Errorf("%w: %d bytes from the peer, at most %d", connectors.ErrFrameTooLarge, size, c.options.MaxFrame)
		c.end(err, false, sentTooBig, "frame too large")
		return nil
	}
	frame := make([]byte, size)
	js.CopyBytesToGo(frame, c.bytes.New(data))
	if !c.inbox.put(frame) {
		c.end(ErrOverflow, false, sentTooMuch, "receiver overflow")
	}
	return nil
}

// onClose is called from JavaScript.
func (c *conn) onClose(_ js.Value, args []js.Value) any {
	event := args[0]
	c.end(explain(event.Get("code").Int(), event.Get("reason").String()), false, 0, "")
	return nil
}

// explain makes a closing code an error of package connectors.
func explain(code int, reason string) error {
	switch {
	case code == abnormalEnding:
		return errors.New("wsjs: no connection, or it broke; a browser does not say why")
	case code == messageTooBig:
		return fmt.Errorf("%w: the peer says so", connectors.ErrFrameTooLarge)
	case reason != "":
		return fmt.Errorf("%w by the peer: %s", connectors.ErrClosed, reason)
	}
	return fmt.Errorf("%w by the peer", connectors.ErrClosed)
}

// end ends the connection once: err is what calls answer from then on, with drop even
// before frames that have arrived. The socket is closed with code and text, unless code
// is zero.
func (c *conn) end(err error, drop bool, code int, text string) {
	if !c.inbox.end(err, drop) {
		return
	}
	for name, callback := range c.callbacks {
		c.socket.Set(name, nil)
		callback.Release()
	}
	if code != 0 {
		// What was sent before goes out first; the browser sees to that.
		c.socket.Call("close", code, text)
	}
}

// Send implements connectors.Conn.
func (c *conn) Send(ctx context.Context, frame []byte) error {
	if len(frame) > c.options.MaxFrame {
		err := fmt.Errorf("%w: %d bytes, at most %d", connectors.ErrFrameTooLarge, len(frame), c.options.MaxFrame)
		c.end(err, true, sentTooBig, "frame too large")
		return err
	}
	if err := c.waitForRoom(ctx, len(frame)); err != nil {
		return err
	}
	array := c.bytes.New(len(frame))
	js.CopyBytesToJS(array, frame)
	c.socket.Call("send", array)
	c.queued++
	return nil
}

// waitForRoom returns when the browser may be given size more bytes. Looking at the
// socket after a pause lets the browser work: it sends, and delivers, only while no
// goroutine runs.
func (c *conn) waitForRoom(ctx context.Context, size int) error {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.inbox.err(); err != nil {
			return err
		}
		waiting := c.socket.Get("bufferedAmount").Int()
		if waiting == 0 {
			c.queued = 0
		}
		if waiting == 0 || c.queued < c.options.QueueFrames && waiting+size <= c.options.QueueBytes {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.inbox.ended:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Receive implements connectors.Conn.
func (c *conn) Receive(ctx context.Context) ([]byte, error) { return c.inbox.receive(ctx) }

// Close implements connectors.Conn. It does not wait for the closing handshake.
func (c *conn) Close(reason string) error {
	c.end(fmt.Errorf("%w here", connectors.ErrClosed), true, normalClosure, connectors.TrimReason(reason))
	return nil
}

// Remote implements connectors.Conn.
func (c *conn) Remote() string { return c.remote }

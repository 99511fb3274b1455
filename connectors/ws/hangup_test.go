package ws_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

// What a node does for a peer ends when the peer has gone, also where the node is too busy to
// receive: it does not work for nobody, at others' cost.
func TestBusyNodeHearsThatThePeerHasGone(t *testing.T) {
	leaktest.Check(t)
	for name, c := range map[string]struct {
		frames int // that wait to be received; more than there is room for
		leave  func(*websocket.Conn)
	}{
		"silent, with a word":  {0, func(s *websocket.Conn) { s.Close(websocket.StatusNormalClosure, "") }},
		"silent, without":      {0, func(s *websocket.Conn) { s.CloseNow() }},
		"with things to say":   {50, func(s *websocket.Conn) { s.CloseNow() }},
		"with much to say too": {2000, func(s *websocket.Conn) { s.CloseNow() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.frames > 0 && runtime.GOOS != "linux" {
				t.Log("elsewhere it takes until the next ping")
				return
			}
			busy, ended := make(chan struct{}), make(chan error, 1)
			_, address := start(t, nodeFunc(func(ctx context.Context, conn connectors.Conn) error {
				close(busy)
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Second): // a failing run only
				}
				ended <- context.Cause(ctx)
				return nil
			}), ws.Options{})
			socket, _, err := websocket.Dial(t.Context(), address, nil)
			if err != nil {
				t.Fatal(err)
			}
			<-busy
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			for range c.frames {
				if socket.Write(ctx, websocket.MessageBinary, make([]byte, 10_000)) != nil {
					break // the server takes no more
				}
			}
			c.leave(socket)
			if err := <-ended; err == nil {
				t.Error("the node was not told")
			} else if c.frames > 0 && !errors.Is(err, connectors.ErrClosed) {
				t.Errorf("it was told: %v", err)
			}
		})
	}
}

// Close ends the socket also where the peer takes nothing: what is being written is given up with
// the rest, and not held until a frame's own time is up.
func TestCloseOfAFullSocket(t *testing.T) {
	leaktest.Check(t) // finds the writer
	over := make(chan struct{})
	defer close(over)
	_, address := start(t, nodeFunc(func(context.Context, connectors.Conn) error { // reads nothing
		<-over
		return nil
	}), ws.Options{OpeningFrame: 2 << 20})
	conn := dial(t, address, ws.DialOptions{Limits: ws.Limits{FlushTimeout: 10 * time.Millisecond, WriteTimeout: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for err := error(nil); err == nil; {
		err = conn.Send(ctx, make([]byte, 1<<20))
	}
	if err := conn.Close("enough"); err != nil {
		t.Error(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ws.Wait(conn)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the socket is still open")
	}
}

// A peer that is there stays connected while the node is too busy to receive, however often it is
// looked for, and all that it sent arrives.
func TestBusyNodeKeepsThePeerThatIsThere(t *testing.T) {
	leaktest.Check(t)
	const frames = 20
	received := make(chan error, 1)
	_, address := start(t, nodeFunc(func(ctx context.Context, conn connectors.Conn) error {
		time.Sleep(5 * ws.LookEvery / 2) // long enough to be looked for twice
		var err error
		for n := 0; n < frames && err == nil; n++ {
			_, err = conn.Receive(ctx)
		}
		received <- err
		return err
	}), ws.Options{})
	conn := dial(t, address, ws.DialOptions{})
	for range frames {
		if err := conn.Send(t.Context(), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-received; err != nil {
		t.Errorf("it was cut off: %v", err)
	}
}

package connectortest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/connectortest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

// accepting hands each served connection to the test, and serves it until the test
// closes it.
type accepting chan connectors.Conn

func (a accepting) Serve(ctx context.Context, conn connectors.Conn) error {
	s := &served{Conn: conn, closed: make(chan struct{})}
	a <- s
	<-s.closed
	return nil
}

type served struct {
	connectors.Conn
	once   sync.Once
	closed chan struct{}
}

func (s *served) Close(reason string) error {
	defer s.once.Do(func() { close(s.closed) })
	return s.Conn.Close(reason)
}

func newWire(t testing.TB) (*connectortest.Wire, accepting) {
	leaktest.Check(t)
	accepted := make(accepting, 16)
	return connectortest.NewWire(local.NewDialer(accepted, local.Options{})), accepted
}

func dial(t *testing.T, w *connectortest.Wire, a accepting) (client, server connectors.Conn) {
	t.Helper()
	client, err := w.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server = <-a
	t.Cleanup(func() { client.Close(""); server.Close("") })
	return client, server
}

func TestWireConforms(t *testing.T) {
	connectortest.Run(t, func(t testing.TB, o connectortest.Options) (connectors.Conn, connectors.Conn) {
		accepted := make(accepting, 1)
		d := local.NewDialer(accepted, local.Options{MaxFrame: o.MaxFrame})
		client, err := connectortest.NewWire(d).Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return client, <-accepted
	})
}

func TestUnplugBreaksConnectionsAndDials(t *testing.T) {
	w, a := newWire(t)
	client, _ := dial(t, w, a)
	received := make(chan error, 1)
	go func() {
		_, err := client.Receive(context.Background())
		received <- err
	}()
	w.Unplug()
	if err := <-received; !errors.Is(err, connectortest.ErrUnplugged) {
		t.Errorf("a pending Receive: %v", err)
	}
	if err := client.Send(t.Context(), []byte("x")); !errors.Is(err, connectortest.ErrUnplugged) {
		t.Errorf("Send: %v", err)
	}
	if _, err := w.Dial(t.Context()); !errors.Is(err, connectortest.ErrUnplugged) {
		t.Errorf("Dial: %v", err)
	}
	w.Plug()
	dial(t, w, a)
	if got := w.Dials(); got != 3 {
		t.Errorf("%d dials were counted, want 3", got)
	}
	if got := w.Connections(); got != 1 {
		t.Errorf("%d connections, want the last one", got)
	}
}

func TestHeldFramesWaitAndKeepTheirOrder(t *testing.T) {
	w, a := newWire(t)
	client, server := dial(t, w, a)
	w.Hold(connectortest.Down)
	for _, s := range []string{"one", "two"} {
		if err := server.Send(t.Context(), []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if frame, err := client.Receive(ended); err == nil {
		t.Fatalf("received %q while held", frame)
	}

	client, server = dial(t, w, a) // a connection may be unusable after a context ended
	got := make(chan string, 2)
	go func() {
		for range 2 {
			frame, _ := client.Receive(context.Background())
			got <- string(frame)
		}
	}()
	server.Send(t.Context(), []byte("one"))
	server.Send(t.Context(), []byte("two"))
	w.Release(connectortest.Down)
	if first, second := <-got, <-got; first != "one" || second != "two" {
		t.Errorf("received %q, %q", first, second)
	}
}

func TestRuleDecidesAboutEveryFrame(t *testing.T) {
	w, a := newWire(t)
	client, server := dial(t, w, a)
	w.Rule(func(f connectortest.Frame) connectortest.Action {
		switch string(f.Data) {
		case "lost":
			return connectortest.Drop
		case "twice":
			return connectortest.Duplicate
		case "cut":
			return connectortest.Cut
		}
		return connectortest.Deliver
	})
	for _, s := range []string{"lost", "twice", "once"} {
		for _, side := range []connectors.Conn{client, server} {
			if err := side.Send(t.Context(), []byte(s)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, want := range []string{"twice", "twice", "once"} {
		for _, side := range []connectors.Conn{client, server} {
			if frame, err := side.Receive(t.Context()); err != nil || string(frame) != want {
				t.Fatalf("received %q, %v, want %q", frame, err, want)
			}
		}
	}
	if err := client.Send(t.Context(), []byte("cut")); !errors.Is(err, connectortest.ErrUnplugged) {
		t.Errorf("Send of the frame that cuts: %v", err)
	}
	if _, err := server.Receive(t.Context()); err == nil {
		t.Error("the other side does not notice the cut")
	}
	if got := w.Connections(); got != 0 {
		t.Errorf("%d connections after the cut", got)
	}
}

package local_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/connectortest"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestPipeConforms(t *testing.T) {
	connectortest.Run(t, func(t testing.TB, o connectortest.Options) (connectors.Conn, connectors.Conn) {
		return local.Pipe(local.Options{MaxFrame: o.MaxFrame})
	})
}

func TestDialerConforms(t *testing.T) {
	connectortest.RunDialer(t, func(t testing.TB) connectors.Dialer {
		d := local.NewDialer(echo{}, local.Options{})
		t.Cleanup(d.Close)
		return d
	})
}

// echo sends back what it receives.
type echo struct{}

func (echo) Serve(ctx context.Context, conn connectors.Conn) error {
	for {
		frame, err := conn.Receive(ctx)
		if errors.Is(err, connectors.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, frame); err != nil {
			return err
		}
	}
}

func TestDialedConnectionIsServed(t *testing.T) {
	leaktest.Check(t)
	d := local.NewDialer(echo{}, local.Options{Name: "echo"})
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(t.Context(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := conn.Receive(t.Context()); err != nil || string(got) != "hello" {
		t.Errorf("received %q, %v", got, err)
	}
	d.Close()
	if _, err := conn.Receive(t.Context()); !errors.Is(err, connectors.ErrClosed) {
		t.Errorf("after the dialer was closed: %v, want ErrClosed", err)
	}
	if _, err := d.Dial(t.Context()); !errors.Is(err, connectors.ErrClosed) {
		t.Errorf("dial after the dialer was closed: %v, want ErrClosed", err)
	}
}

type refusing struct{}

func (refusing) Serve(context.Context, connectors.Conn) error {
	return errors.New("you are not known here")
}

func TestErrorOfServeReachesTheClient(t *testing.T) {
	leaktest.Check(t)
	d := local.NewDialer(refusing{}, local.Options{})
	defer d.Close()
	conn, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Receive(t.Context())
	if want := "connectors: connection closed by local/server: you are not known here"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// client is the least that Connect needs of a node.
type client struct{ dialed atomic.Int32 }

type link struct{ conn connectors.Conn }

func (c *client) Dial(d connectors.Dialer, o struct{ Credentials []byte }) *link {
	conn, err := d.Dial(context.Background())
	if err != nil {
		return nil
	}
	c.dialed.Add(1)
	return &link{conn}
}

func TestConnectGivesTheClientADialerToTheServer(t *testing.T) {
	leaktest.Check(t)
	var c client
	l := local.Connect(echo{}, &c)
	defer l.conn.Close("")
	if c.dialed.Load() != 1 {
		t.Fatalf("dialled %d times", c.dialed.Load())
	}
	if err := l.conn.Send(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := l.conn.Receive(t.Context()); err != nil || string(got) != "x" {
		t.Errorf("received %q, %v", got, err)
	}
}

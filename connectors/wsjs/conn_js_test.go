//go:build js && wasm

package wsjs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall/js"
	"testing"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/connectortest"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

// The tests run in package browsertest's browser, whose server is their peer. Elsewhere
// only what needs no peer can be tested.
func TestMain(m *testing.M) {
	if !js.Global().Get("location").Truthy() {
		flag.Parse()
		_ = flag.Set("test.run", "WithoutPeer|Inbox")
	}
	leaktest.Main(m)
}

func address(path string) string {
	return strings.Replace(js.Global().Get("location").Get("origin").String(), "http", "ws", 1) + path
}

func dial(t testing.TB, path string, o Options) connectors.Conn {
	t.Helper()
	c, err := Dialer(address(path), o).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close("the test is over") })
	return c
}

// fetch returns what the server answers.
func fetch(t testing.TB, path string) string {
	t.Helper()
	answer := make(chan string, 1)
	onText := js.FuncOf(func(_ js.Value, args []js.Value) any { answer <- args[0].String(); return nil })
	defer onText.Release()
	onResponse := js.FuncOf(func(_ js.Value, args []js.Value) any { return args[0].Call("text") })
	defer onResponse.Release()
	js.Global().Call("fetch", path).Call("then", onResponse).Call("then", onText)
	return <-answer
}

var rooms atomic.Int64

// relayed is the server's end of a relayed connection: see rooms in package browsertest.
type relayed struct {
	connectors.Conn
	sending   sync.Mutex
	requested bool
}

func (r *relayed) Send(ctx context.Context, frame []byte) error {
	r.sending.Lock()
	defer r.sending.Unlock()
	return r.Conn.Send(ctx, append([]byte{1}, frame...))
}

func (r *relayed) Receive(ctx context.Context) ([]byte, error) {
	if !r.requested {
		r.sending.Lock()
		err := r.Conn.Send(ctx, []byte{0})
		r.sending.Unlock()
		if err != nil {
			return nil, err
		}
	}
	r.requested = true
	frame, err := r.Conn.Receive(ctx)
	if err == nil {
		r.requested = false
	}
	return frame, err
}

func TestConformance(t *testing.T) {
	connectortest.Run(t, func(t testing.TB, o connectortest.Options) (client, server connectors.Conn) {
		room := fmt.Sprintf("/ws/relay?room=%d", rooms.Add(1))
		client = dial(t, room, Options{MaxFrame: o.MaxFrame})
		server = dial(t, room+"&far", Options{MaxFrame: o.MaxFrame + 1})
		return client, &relayed{Conn: server}
	})
}

func TestDialerConformance(t *testing.T) {
	connectortest.RunDialer(t, func(testing.TB) connectors.Dialer { return Dialer(address("/ws/echo"), Options{}) })
}

func TestReceiveTellsHowThePeerEnded(t *testing.T) {
	for _, c := range []struct {
		path   string
		want   error // nil: neither of the contract's errors
		reason string
	}{
		{"/ws/close?code=1000&reason=enough", connectors.ErrClosed, "enough"},
		{"/ws/close?code=1000", connectors.ErrClosed, "by the peer"},
		{"/ws/close?code=1013&reason=too+many", connectors.ErrClosed, "too many"},
		{"/ws/close?code=1009&reason=big", connectors.ErrFrameTooLarge, "the peer"},
		{"/ws/drop", nil, "broke"},
		{"/ws/text", nil, "text message"},
	} {
		t.Run(c.path, func(t *testing.T) {
			conn := dial(t, c.path, Options{})
			_ = conn.Send(t.Context(), []byte("go")) // /ws/text may have ended it already
			_, err := conn.Receive(t.Context())
			for _, e := range []error{connectors.ErrClosed, connectors.ErrFrameTooLarge} {
				if errors.Is(err, e) != (e == c.want) {
					t.Errorf("errors.Is(%v, %v) is %v", err, e, e != c.want)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want %q in it", err, c.reason)
			}
			if err := conn.Send(t.Context(), nil); err == nil {
				t.Error("Send works after the end")
			}
		})
	}
}

func TestPeerLearnsCodeAndReason(t *testing.T) {
	for _, c := range []struct {
		end  func(connectors.Conn)
		want string
	}{
		{func(c connectors.Conn) { _ = c.Close("done here") }, "1000 done here"},
		{func(c connectors.Conn) { _ = c.Close(strings.Repeat("é", 300)) }, "1000 " + strings.Repeat("é", 60)},
		{func(c connectors.Conn) { _ = c.Send(t.Context(), make([]byte, 11)) }, "4009 frame too large"},
	} {
		c.end(dial(t, "/ws/reason", Options{MaxFrame: 10}))
		if got := fetch(t, "/ws/last-close"); got != c.want {
			t.Errorf("the peer was told %q, want %q", got, c.want)
		}
	}
}

func TestFrameOverTheLimitEndsTheConnection(t *testing.T) {
	c := dial(t, "/ws/flood?count=2&size=2000", Options{MaxFrame: 1999})
	if _, err := c.Receive(t.Context()); !errors.Is(err, connectors.ErrFrameTooLarge) {
		t.Errorf("Receive of 2000 bytes with a limit of 1999: %v", err)
	}
}

func TestUnreceivedFramesAreBounded(t *testing.T) {
	for name, o := range map[string]Options{
		"frames": {ReceiveFrames: 10},
		"bytes":  {ReceiveBytes: 10 * 1000},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, "/ws/flood?count=100000&size=1000", o).(*conn)
			<-c.inbox.ended
			for i := range 10 {
				frame, err := c.Receive(t.Context())
				if number, _, _ := strings.Cut(string(frame), " "); err != nil || number != strconv.Itoa(i) {
					t.Fatalf("frame %d is number %q, %v", i, number, err)
				}
			}
			if _, err := c.Receive(t.Context()); !errors.Is(err, ErrOverflow) {
				t.Errorf("after what was kept: %v, want ErrOverflow", err)
			}
		})
	}
}

func TestDialFails(t *testing.T) {
	for address, want := range map[string]string{
		address("/ws/refuse"):       "no connection",
		"ws://127.0.0.1:1/ws":       "no connection",
		"http://127.0.0.1/ws":       "want a URL that begins with ws:// or wss://",
		"not a url":                 "URL",
		"":                          "URL",
		address("/ws/echo") + "#at": "fragment",
	} {
		c, err := Dialer(address, Options{}).Dial(t.Context())
		if err == nil {
			_ = c.Close("")
			t.Errorf("dial %q succeeded", address)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("dial %q: %v, want %q in it", address, err, want)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := Dialer(address("/ws/hang"), Options{}).Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial: %v, want context.Canceled", err)
	}
}

func TestAddressWithoutPathMeansWS(t *testing.T) {
	for in, want := range map[string]string{
		"ws://localhost:9797":       "ws://localhost:9797/ws",
		"wss://example.com/":        "wss://example.com/ws",
		"wss://example.com/sub?x=1": "wss://example.com/sub?x=1",
	} {
		if got, err := endpoint(in); err != nil || got != want {
			t.Errorf("endpoint(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestDialWithoutPeerOrWebSocket(t *testing.T) {
	original := js.Global().Get("WebSocket")
	js.Global().Set("WebSocket", js.Undefined())
	defer js.Global().Set("WebSocket", original)
	if _, err := Dialer("ws://localhost:1", Options{}).Dial(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Dial: %v, want ErrUnsupported", err)
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{100, 100_000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			c := dial(b, "/ws/echo", Options{})
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := c.Send(b.Context(), make([]byte, size)); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Receive(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	c := dial(b, fmt.Sprintf("/ws/flood?count=%d&size=1000", 1<<30), Options{})
	b.SetBytes(1000)
	for b.Loop() {
		if _, err := c.Receive(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

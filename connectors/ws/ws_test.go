package ws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/connectors/connectortest"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// nodeFunc is a node that serves by a function.
type nodeFunc func(ctx context.Context, conn connectors.Conn) error

func (f nodeFunc) Serve(ctx context.Context, conn connectors.Conn) error { return f(ctx, conn) }

// start runs an endpoint on a loopback port until the test ends.
func start(t testing.TB, node ws.Node, o ws.Options) (endpoint *ws.Endpoint, address string) {
	t.Helper()
	endpoint = ws.Handler(node, o)
	server := httptest.NewServer(endpoint)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := endpoint.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		server.Close()
	})
	return endpoint, "ws" + strings.TrimPrefix(server.URL, "http")
}

// startReceiver runs an endpoint that receives one frame of each connection, and tells how
// that ended.
func startReceiver(t testing.TB, o ws.Options) (served <-chan error, address string) {
	t.Helper()
	ended := make(chan error, 1)
	_, address = start(t, nodeFunc(func(ctx context.Context, conn connectors.Conn) error {
		_, err := conn.Receive(ctx)
		ended <- err
		return err
	}), o)
	return ended, address
}

func dialer(t testing.TB, address string, o ws.DialOptions) connectors.Dialer {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	o.Client = &http.Client{Transport: transport}
	return ws.Dialer(address, o)
}

func dial(t testing.TB, address string, o ws.DialOptions) connectors.Conn {
	t.Helper()
	conn, err := dialer(t, address, o).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close("") })
	return conn
}

// accepting is a node that hands its connections to the test and serves each until the
// test closes it.
func accepting() (ws.Node, <-chan connectors.Conn) {
	accepted := make(chan connectors.Conn, 16)
	return nodeFunc(func(ctx context.Context, conn connectors.Conn) error {
		closed := make(chan struct{})
		accepted <- &served{Conn: conn, closed: closed}
		<-closed
		return nil
	}), accepted
}

type served struct {
	connectors.Conn
	closed chan struct{}
	done   bool
}

func (s *served) Close(reason string) error {
	err := s.Conn.Close(reason)
	if !s.done {
		s.done = true
		close(s.closed)
	}
	return err
}

func echo(ctx context.Context, conn connectors.Conn) error {
	for {
		frame, err := conn.Receive(ctx)
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, frame); err != nil {
			return err
		}
	}
}

func TestConforms(t *testing.T) {
	for name, compression := range map[string]bool{"plain": false, "compressed": true} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, func(t testing.TB, o connectortest.Options) (connectors.Conn, connectors.Conn) {
				limits := ws.Limits{MaxFrame: o.MaxFrame, Compression: compression}
				node, accepted := accepting()
				_, address := start(t, node, ws.Options{Limits: limits, OpeningFrame: o.MaxFrame})
				client := dial(t, address, ws.DialOptions{Limits: limits})
				return client, <-accepted
			})
		})
	}
}

func TestDialerConforms(t *testing.T) {
	connectortest.RunDialer(t, func(t testing.TB) connectors.Dialer {
		_, address := start(t, nodeFunc(echo), ws.Options{})
		return dialer(t, address, ws.DialOptions{})
	})
}

func TestDialSaysWhatIsWrong(t *testing.T) {
	leaktest.Check(t)
	_, address := start(t, nodeFunc(echo), ws.Options{})
	for _, c := range []struct{ name, address, want string }{
		{"scheme", "http://localhost:1", "begins with ws:// or wss://"},
		{"no scheme", "localhost:9797", "begins with ws:// or wss://"},
		{"host", "ws:///ws", "no host"},
		{"fragment", "ws://localhost/#x", "fragment"},
		{"unparsable", "ws://%zz", "address"},
		{"nobody there", "ws://127.0.0.1:1", "connection refused"},
		{"not an endpoint", strings.Replace(address, "ws://", "ws://nobody:wrong@", 1) + "/\x7f", "address"},
	} {
		conn, err := dialer(t, c.address, ws.DialOptions{}).Dial(t.Context())
		if err == nil {
			conn.Close("")
			t.Errorf("%s: dial succeeded", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", c.name, err, c.want)
		}
	}
}

func TestOrigins(t *testing.T) {
	leaktest.Check(t)
	for _, c := range []struct {
		allowed []string
		origin  string
		want    bool
	}{
		{nil, "", true},
		{nil, "http://SELF", true},
		{nil, "https://SELF", true},
		{nil, "http://evil.example", false},
		{nil, "null", false},
		{[]string{"*"}, "http://anything.example:81", true},
		{[]string{"*"}, "null", true},
		{[]string{"https://app.example.com"}, "https://app.example.com", true},
		{[]string{"https://App.Example.com"}, "https://app.example.com", true},
		{[]string{"https://app.example.com"}, "http://app.example.com", false},
		{[]string{"https://app.example.com"}, "https://app.example.com:444", false},
		{[]string{"https://app.example.com"}, "https://app.example.com.evil.org", false},
		{[]string{"https://*.example.com"}, "https://a.b.example.com", true},
		{[]string{"https://*.example.com"}, "https://example.com", false},
		{[]string{"https://*.example.com"}, "https://evilexample.com", false},
		{[]string{"http://localhost:*"}, "http://localhost:5173", true},
		{[]string{"http://localhost:*"}, "http://localhost", true},
		{[]string{"http://localhost:*"}, "http://localhost.evil.org:80", false},
		{[]string{"http://[::1]:*"}, "http://[::1]:5173", true},
		{[]string{"http://[::1]"}, "http://[::1]", true},
	} {
		_, address := start(t, nodeFunc(echo), ws.Options{Origins: c.allowed})
		header := http.Header{}
		if c.origin != "" {
			header.Set("Origin", strings.Replace(c.origin, "SELF", strings.TrimPrefix(address, "ws://"), 1))
		}
		conn, err := dialer(t, address, ws.DialOptions{Header: header}).Dial(t.Context())
		if err == nil {
			conn.Close("")
		} else if !strings.Contains(err.Error(), "is not allowed") {
			t.Errorf("%q with %v: %v does not say why", c.origin, c.allowed, err)
		}
		if (err == nil) != c.want {
			t.Errorf("%q with %v: allowed = %v, want %v", c.origin, c.allowed, err == nil, c.want)
		}
	}
}

func TestCheckOrigins(t *testing.T) {
	for pattern, want := range map[string]string{
		"*":                        "",
		"https://app.example.com":  "",
		"http://localhost:*":       "",
		"http://127.0.0.1:5173":    "",
		"http://[::1]:5173":        "",
		"https://*.example.com:81": "",
		"app.example.com":          "want *, or something like",
		"ftp://app.example.com":    "want *, or something like",
		"https://":                 "want a host",
		"https://a/b":              "want a host",
		"https://a.*.com":          "want a host",
		"https://a:http":           "want a port number",
	} {
		err := ws.CheckOrigins([]string{pattern})
		if want == "" && err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want it to say %q", pattern, err, want)
		}
	}
}

func TestSurplusConnectionIsToldWhy(t *testing.T) {
	leaktest.Check(t)
	node, accepted := accepting()
	var refusals = make(chan string, 8)
	endpoint, address := start(t, node, ws.Options{
		MaxConnections: 1,
		Listener:       ws.Listener{Refused: func(_, reason string) { refusals <- reason }},
	})
	dial(t, address, ws.DialOptions{})
	first := <-accepted
	if got := endpoint.Connections(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}

	surplus := dial(t, address, ws.DialOptions{})
	_, err := surplus.Receive(t.Context())
	if !errors.Is(err, connectors.ErrClosed) || !strings.Contains(err.Error(), "too many connections") {
		t.Errorf("the second connection: %v, want to be told why", err)
	}
	if reason := <-refusals; !strings.Contains(reason, "too many connections") {
		t.Errorf("the listener heard %q", reason)
	}

	first.Close("")
	for { // until the server has counted the end of the first
		conn := dial(t, address, ws.DialOptions{})
		if err := conn.Send(t.Context(), []byte("x")); err != nil {
			continue
		}
		select {
		case next := <-accepted:
			next.Close("")
			return
		case <-refusals:
		}
	}
}

func TestPanicEndsOneConnectionOnly(t *testing.T) {
	leaktest.Check(t)
	panicked := make(chan string, 1)
	_, address := start(t, nodeFunc(func(ctx context.Context, conn connectors.Conn) error {
		frame, err := conn.Receive(ctx)
		if err != nil {
			return err
		}
		if string(frame) == "panic" {
			panic("on purpose")
		}
		return conn.Send(ctx, frame)
	}), ws.Options{Listener: ws.Listener{
		Panicked: func(_ string, value any, stack []byte) { panicked <- fmt.Sprint(value, string(stack)) },
	}})
	other := dial(t, address, ws.DialOptions{})
	victim := dial(t, address, ws.DialOptions{})
	if err := victim.Send(t.Context(), []byte("panic")); err != nil {
		t.Fatal(err)
	}
	if _, err := victim.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("the connection that panicked: %v", err)
	}
	if got := <-panicked; !strings.Contains(got, "on purpose") || !strings.Contains(got, "ws_test.go") {
		t.Errorf("the listener heard %q", got)
	}
	if err := other.Send(t.Context(), []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if got, err := other.Receive(t.Context()); err != nil || string(got) != "still here" {
		t.Errorf("the other connection: %q, %v", got, err)
	}
}

func TestErrorOfServeReachesTheClient(t *testing.T) {
	leaktest.Check(t)
	_, address := start(t, nodeFunc(func(context.Context, connectors.Conn) error {
		return errors.New("your protocol is too old")
	}), ws.Options{})
	_, err := dial(t, address, ws.DialOptions{}).Receive(t.Context())
	if !errors.Is(err, connectors.ErrClosed) || !strings.Contains(err.Error(), "your protocol is too old") {
		t.Errorf("got %v", err)
	}
}

func TestShutdownFlushesAndSaysGoodbye(t *testing.T) {
	leaktest.Check(t)
	const frames = 50
	sent := make(chan struct{})
	endpoint, address := start(t, nodeFunc(func(ctx context.Context, conn connectors.Conn) error {
		for i := range frames {
			if err := conn.Send(ctx, []byte{byte(i)}); err != nil {
				return err
			}
		}
		close(sent)
		_, err := conn.Receive(ctx)
		return err
	}), ws.Options{})
	conn := dial(t, address, ws.DialOptions{})
	<-sent
	stopped := make(chan error, 1)
	go func() { stopped <- endpoint.Shutdown(t.Context()) }()
	for i := range frames {
		if frame, err := conn.Receive(t.Context()); err != nil || frame[0] != byte(i) {
			t.Fatalf("frame %d: %v, %v", i, frame, err)
		}
	}
	if _, err := conn.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("after the last frame: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := dialer(t, address, ws.DialOptions{}).Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("dial after shutdown: %v", err)
	}
}

func TestSilentPeerIsGivenUpAndASlowOneIsNot(t *testing.T) {
	leaktest.Check(t)
	served, address := startReceiver(t, ws.Options{Limits: ws.Limits{PingInterval: time.Millisecond, PongTimeout: 50 * time.Millisecond}})

	// A client that never reads answers no ping.
	mute, _, err := websocket.Dial(t.Context(), address+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mute.CloseNow()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("serving a mute peer ended with %v", err)
	}

	// One of ours, whose receiver is busy, has its pings answered by the reader as long
	// as the reader has nothing to hand over.
	conn := dial(t, address, ws.DialOptions{})
	select {
	case err := <-served:
		t.Errorf("a quiet peer was given up: %v", err)
	case <-time.After(200 * time.Millisecond): // many intervals; longer would only find more
	}
	conn.Close("")
	if err := <-served; !errors.Is(err, connectors.ErrClosed) {
		t.Errorf("serving ended with %v, want ErrClosed", err)
	}
}

func TestTextMessageIsRefused(t *testing.T) {
	leaktest.Check(t)
	served, address := startReceiver(t, ws.Options{})
	socket, _, err := websocket.Dial(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	if err := socket.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, _, err = socket.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusUnsupportedData {
		t.Errorf("the client was told %v, want status 1003", err)
	}
	if err := <-served; err == nil || !strings.Contains(err.Error(), "text message") {
		t.Errorf("the server saw %v", err)
	}
}

func TestFrameOverTheLimitOfTheReceiver(t *testing.T) {
	leaktest.Check(t)
	served, address := startReceiver(t, ws.Options{Limits: ws.Limits{MaxFrame: 1000}})
	conn := dial(t, address, ws.DialOptions{})
	if err := conn.Send(t.Context(), make([]byte, 1001)); err != nil {
		t.Fatal(err)
	}
	if err := <-served; !errors.Is(err, connectors.ErrFrameTooLarge) {
		t.Errorf("the server saw %v, want ErrFrameTooLarge", err)
	}
	if _, err := conn.Receive(t.Context()); !errors.Is(err, connectors.ErrFrameTooLarge) {
		t.Errorf("the client saw %v, want ErrFrameTooLarge", err)
	}
}

func TestPlainRequestIsAnswered(t *testing.T) {
	leaktest.Check(t)
	_, address := start(t, nodeFunc(echo), ws.Options{})
	response, err := http.Get(strings.Replace(address, "ws://", "http://", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	if response.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("status %d, want 426", response.StatusCode)
	}
}

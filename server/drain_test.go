package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// What a client hears of its connection.
type fate struct {
	mu    sync.Mutex
	ends  []string
	ended chan struct{}
}

func (f *fate) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	f.ends = append(f.ends, text)
	select {
	case f.ended <- struct{}{}:
	default:
	}
}

// A server that is told to stop says goodbye: clients that write and watch lose nothing, come
// back by themselves, here in another process, and what they had sent takes effect once.
func TestRollingRestart(t *testing.T) {
	leaktest.Check(t)
	address, data := freeAddress(t), t.TempDir()
	args := []string{"--addr=" + address, "--data=" + data}
	p := spawn(t, args...)
	url := p.url(t)
	w := writers(t, url, 4)

	f := &fate{ended: make(chan struct{}, 1)}
	watcher, err := ankurah.Open(t.Context(), ankurah.Options{Engine: memory.New(),
		Listener: core.Listener{Disconnected: func(_ id.NodeID, _ string, err error) { f.note(err) }}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watcher.Close() })
	watcher.Dial(ws.Dialer(url, ws.DialOptions{}), ankurah.DialOptions{})
	query, err := ankurah.Query[model.Album](watcher.Context(ankurah.Anonymous), "")
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	var mu sync.Mutex
	seen := make(map[ankurah.EntityID]int) // how often each was added
	grown := make(chan struct{}, 1)
	defer query.Subscribe(func(c ankurah.Changes[model.Album]) {
		mu.Lock()
		defer mu.Unlock()
		for _, change := range c.Changes {
			switch change.Kind {
			case core.ChangeInitial, core.ChangeAdded:
				seen[change.ID]++
			case core.ChangeRemoved:
				t.Errorf("%v was removed", change.ID)
			}
		}
		select {
		case grown <- struct{}{}:
		default:
		}
	})()

	const restarts = 3
	for i := range restarts {
		w.waitFor(100 * (i + 1))
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err != nil {
			t.Fatalf("the server ended with %v:\n%s", err, p.log)
		}
		if log := p.log.String(); !strings.Contains(log, "msg=stopped") || strings.Contains(log, "cut off") {
			t.Errorf("it did not stop in good order:\n%s", log)
		}
		p = spawn(t, args...)
		p.url(t)
	}
	w.waitFor(100 * (restarts + 1))
	acknowledged := w.stop()
	for {
		mu.Lock()
		missing := 0
		for album := range acknowledged {
			if seen[album] == 0 {
				missing++
			}
		}
		mu.Unlock()
		if missing == 0 {
			break
		}
		select {
		case <-grown:
		case <-time.After(time.Minute):
			t.Fatalf("%d acknowledged albums never reached the watcher", missing)
		}
	}
	mu.Lock()
	for album, times := range seen {
		if times != 1 {
			t.Errorf("%v was added %d times", album, times)
		}
	}
	mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, end := range f.ends {
		if !strings.Contains(end, "going away") {
			t.Errorf("a connection ended with %q", end)
		}
	}
	if len(f.ends) == 0 {
		t.Error("nobody said goodbye to the watcher")
	}
}

// Readiness is about storage and about shutting down; liveness is neither.
func TestReadiness(t *testing.T) {
	leaktest.Check(t)
	s := start(t, "--storage=memory:", "--drain-delay=1ms")
	status := func(path string) int {
		code, _ := get(t, s.url("http")+path)
		return code
	}
	if live, ready := status("/healthz"), status("/readyz"); live != 200 || ready != 200 {
		t.Errorf("in good health: %d and %d", live, ready)
	}
	closed := opened(t, "--storage=memory:")
	defer closed.release()
	answer := func(path string) (int, string) {
		w := httptest.NewRecorder()
		closed.routes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	closed.node.Close()
	live, _ := answer("/healthz")
	ready, _ := answer("/readyz")
	if live != 200 || ready != 503 {
		t.Errorf("without storage: %d and %d", live, ready)
	}
	closed.stopping.Store(true)
	if code, body := answer("/readyz"); code != 503 || !strings.Contains(body, "shutting down") {
		t.Errorf("while shutting down: %d %q", code, body)
	}
}

// A server whose node has ended, as one does that lost its feed of a shared store, ends too,
// and says why.
func TestServerEndsWithItsNode(t *testing.T) {
	leaktest.Check(t)
	s := opened(t, "--storage=memory:", "--drain-delay=1ms")
	s.node.Close()
	if err := s.serve(context.Background()); !errors.Is(err, core.ErrClosed) || !strings.Contains(err.Error(), "the node has ended") {
		t.Errorf("it ends with %v", err)
	}
}

// Connections that never become anything are bounded before they are heard, and leave room
// for others.
func TestPlainConnectionsAreBounded(t *testing.T) {
	leaktest.Check(t)
	s := start(t, "--storage=memory:", "--max-per-address=5")
	const most = 5 + plainPerAddress
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for range most + 20 {
		c, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	closed := 0
	for _, c := range open[most:] { // they are accepted in order
		if _, err := c.Read(make([]byte, 1)); err != nil {
			closed++
		}
	}
	if closed != 20 {
		t.Errorf("%d of 20 too many were closed", closed)
	}
	open[0].Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil { // until the server has noticed
		c, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		if _, err := c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			continue
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			return
		}
	}
	t.Error("there is no room after one of them has ended")
}

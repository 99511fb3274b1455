package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah"
	"github.com/ankurah-go/ankurah/connectors/ws"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/examples/model"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// asServer makes the test binary the server itself, for tests that need a process.
const asServer = "ANKURAH_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
	}
	leaktest.Main(m)
}

// running is a server within the test.
type running struct {
	*server
	stop func() error // ends it as a signal does, and waits
}

// opened opens a server with the given arguments, on a free port of the loopback address.
func opened(t testing.TB, args ...string) *server {
	t.Helper()
	c, err := config.Parse(append([]string{"--addr=127.0.0.1:0"}, args...), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start is opened, and has the server serve.
func start(t testing.TB, args ...string) *running {
	t.Helper()
	s := opened(t, args...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx) }()
	r := &running{server: s}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

// dial returns a new client of the server at a WebSocket URL.
func dial(t testing.TB, url string) *ankurah.Node {
	t.Helper()
	node, err := ankurah.New(memory.New(), ankurah.Permissive())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	node.Dial(ws.Dialer(url, ws.DialOptions{}), ankurah.DialOptions{})
	ready, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := node.WaitReady(ready); err != nil {
		t.Fatalf("%v (%v)", err, node.Status().LastError)
	}
	return node
}

// create commits one album and returns when the server has it.
func create(ctx context.Context, node *ankurah.Node, name string) (ankurah.EntityID, error) {
	tx := node.Context(ankurah.Anonymous).Begin()
	album, err := ankurah.Create(tx, &model.Album{Name: name, Artist: "Test", Year: 2000})
	if err != nil {
		return album.EntityID, err
	}
	receipt, err := tx.Commit(ctx)
	if err != nil {
		return album.EntityID, err
	}
	return album.EntityID, receipt.Synced(ctx)
}

// names returns the names of all albums that a node knows.
func names(t testing.TB, node *ankurah.Node) map[ankurah.EntityID]string {
	t.Helper()
	views, err := ankurah.Fetch[model.Album](t.Context(), node.Context(ankurah.Anonymous), "")
	if err != nil {
		t.Fatal(err)
	}
	out := map[ankurah.EntityID]string{}
	for _, v := range views {
		out[v.ID()] = v.Value.Name
	}
	return out
}

// get asks over HTTP.
func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// storages are the stores that a server keeps its data in. Each start returns a function that
// has a new store, empty at first, as a setting of a server.
var storages = []struct {
	name  string
	kills int // as many as TestKilledServerLosesNothing finds the time for
	start func(testing.TB) (place func(testing.TB) string)
}{
	{"pebble", 60, func(testing.TB) func(testing.TB) string {
		return func(t testing.TB) string { return "--data=" + filepath.Join(t.TempDir(), "data") }
	}},
	{"sqlite", 20, func(testing.TB) func(testing.TB) string {
		return func(t testing.TB) string { return "--storage=sqlite:" + filepath.Join(t.TempDir(), "data.db") }
	}},
	{"postgres", 20, func(t testing.TB) func(testing.TB) string {
		database := pgtest.New(t, pgtest.Durable...)
		return func(t testing.TB) string { return "--storage=" + database.Database(t) }
	}},
	{"tikv", 20, func(t testing.TB) func(testing.TB) string {
		cluster := tikvtest.New(t, 3)
		return func(testing.TB) string { return "--storage=" + cluster.URL() }
	}},
}

// Whatever the storage, these hold.
func TestStorages(t *testing.T) {
	for _, storage := range storages {
		place := storage.start(t)
		for what, holds := range map[string]func(t *testing.T, data string){
			"ClientsSeeEachOthersWritesAndTheServerKeepsThem": clientsSeeEachOthersWrites,
			"ShutdownLosesNothingThatWasAcknowledged":         shutdownLosesNothing,
			"KillLosesNothingThatWasAcknowledged":             killLosesNothing,
		} {
			t.Run(storage.name+"/"+what, func(t *testing.T) {
				data := place(t)
				leaktest.Check(t)
				holds(t, data)
			})
		}
	}
}

func clientsSeeEachOthersWrites(t *testing.T, data string) {
	first := start(t, data)
	a, b := dial(t, first.url("ws")), dial(t, first.url("ws")+"/ws")
	query, err := ankurah.Query[model.Album](b.Context(ankurah.Anonymous), "year = 2000")
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	seen := make(chan string, 10)
	defer query.Subscribe(func(c ankurah.Changes[model.Album]) {
		for _, change := range c.Changes {
			seen <- change.View.Value.Name
		}
	})()
	album, err := create(t.Context(), a, "Origin of Symmetry")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != "Origin of Symmetry" {
		t.Errorf("the other client sees %q", got)
	}
	system := first.node
	root, _ := system.System()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	second := start(t, data)
	again, _ := second.node.System()
	if again != root || second.node.ID() != system.ID() {
		t.Errorf("after a restart system and node are others: %v %v, before %v %v", again, second.node.ID(), root, system.ID())
	}
	if got := names(t, dial(t, second.url("ws"))); len(got) != 1 || got[album] != "Origin of Symmetry" {
		t.Errorf("after a restart the albums are %v", got)
	}
}

// Writers hammer a server while it is told to stop: what it has acknowledged is there
// when it comes back.
func shutdownLosesNothing(t *testing.T, data string) {
	s := start(t, data)
	w := writers(t, s.url("ws"), 4)
	w.waitFor(100)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	acknowledged := w.stop()

	got := names(t, start(t, data).node)
	for album, name := range acknowledged {
		if got[album] != name {
			t.Fatalf("album %v, %q, was acknowledged and is %q", album, name, got[album])
		}
	}
}

// The same with a process that is killed.
func killLosesNothing(t *testing.T, data string) {
	p := spawn(t, "--addr=127.0.0.1:0", data)
	w := writers(t, p.url(t), 4)
	w.waitFor(100)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	acknowledged := w.stop()

	got := names(t, start(t, data).node)
	for album, name := range acknowledged {
		if got[album] != name {
			t.Fatalf("album %v, %q, was acknowledged and is %q", album, name, got[album])
		}
	}
}

func TestSignalEndsTheProcessInGoodOrder(t *testing.T) {
	leaktest.Check(t)
	p := spawn(t, "--addr=127.0.0.1:0", "--storage=memory:")
	if _, err := create(t.Context(), dial(t, p.url(t)), "x"); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if log := p.log.String(); !strings.Contains(log, "msg=stopped") {
		t.Errorf("its log does not end in good order:\n%s", log)
	}
}

func TestEachBadCircumstanceIsOneClearLine(t *testing.T) {
	leaktest.Check(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked")
	start(t, "--data="+locked)
	start(t, "--storage=sqlite:"+locked+".db")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()

	for _, c := range []struct {
		name, args string
		status     int
		want       string
	}{
		{"a bad setting", "--addr nowhere", exitUsage, `--addr: "nowhere" is not an address; want HOST:PORT, as in localhost:9797 or :9797`},
		{"another server", "--data " + locked, exitFailed, "data directory " + locked + " is in use by another server"},
		{"data is a file", "--data " + file, exitFailed, "data directory " + file + " is not a directory"},
		{"data below a file", "--data " + file + "/x", exitFailed, "data directory " + file + "/x is not a directory"},
		{"another server on a file", "--storage sqlite:" + locked + ".db", exitFailed, "file " + locked + ".db: sqlite: the file is in use by another server: " + locked + ".db"},
		{"file below a file", "--storage sqlite:" + file + "/x", exitFailed, "file " + file + "/x: storage: unavailable: unable to open database file (14)"},
		{"port in use", "--storage memory: --addr " + busy.Addr().String(), exitFailed, "--addr: " + busy.Addr().String() + " is in use by another program"},
		{"no such app", "--storage memory: --app " + dir + "/app", exitFailed, "--app: " + dir + "/app: no such file or directory"},
		{"no app in it", "--storage memory: --app " + dir, exitFailed, "--app: " + dir + ": has no index.html; is it the folder of a built app?"},
		{"no certificate", "--storage memory: --tls-cert " + dir + "/c --tls-key " + dir + "/k", exitFailed,
			"--tls-cert " + dir + "/c with --tls-key " + dir + "/k: open " + dir + "/c: no such file or directory"},
		{"not a certificate", "--storage memory: --tls-cert " + file + " --tls-key " + file, exitFailed,
			"--tls-cert " + file + " with --tls-key " + file + ": tls: failed to find any PEM data in certificate input"},
	} {
		var stdout, stderr strings.Builder
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		status := run(ctx, append([]string{"--log-level=error"}, strings.Fields(c.args)...), func(string) string { return "" }, &stdout, &stderr)
		cancel()
		if want := "ankurah-server: " + c.want + "\n"; status != c.status || stderr.String() != want || stdout.String() != "" {
			t.Errorf("%s: status %d, output\n%s%swant status %d,\n%s", c.name, status, stdout.String(), stderr.String(), c.status, want)
		}
	}
}

func TestHelpAndVersionGoToStandardOutput(t *testing.T) {
	for arg, want := range map[string]string{"--help": "--max-connections", "--version": "ankurah-server "} {
		var stdout, stderr strings.Builder
		if status := run(t.Context(), []string{arg}, os.Getenv, &stdout, &stderr); status != exitOK {
			t.Errorf("%s: status %d", arg, status)
		}
		if !strings.Contains(stdout.String(), want) || stderr.String() != "" {
			t.Errorf("%s prints %q, and %q", arg, stdout.String(), stderr.String())
		}
	}
}

func TestHTTP(t *testing.T) {
	leaktest.Check(t)
	s := start(t, "--storage=memory:", "--metrics")
	dial(t, s.url("ws"))
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/healthz": {200, "ok"},
		"/readyz":  {200, "ready"},
		"/metrics": {200, "ankurah_connections 1"},
		"/":        {200, "Clients connect to " + s.url("ws")},
		"/other":   {404, ""},
		"/ws":      {426, ""},
	} {
		status, body := get(t, s.url("http")+path)
		if status != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%s: %d %q, want %d and %q", path, status, body, want.status, want.body)
		}
	}
	if status, _ := get(t, start(t, "--storage=memory:").url("http")+"/metrics"); status != 404 {
		t.Errorf("/metrics without --metrics: %d", status)
	}
	s.stopping.Store(true)
	if status, _ := get(t, s.url("http")+"/readyz"); status != 503 {
		t.Errorf("/readyz while shutting down: %d", status)
	}
}

func TestAppAndClientsShareOneAddress(t *testing.T) {
	leaktest.Check(t)
	app := t.TempDir()
	if err := os.WriteFile(filepath.Join(app, "index.html"), []byte("<!doctype html>the app"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "--storage=memory:", "--app="+app)
	if status, body := get(t, s.url("http")+"/"); status != 200 || !strings.Contains(body, "the app") {
		t.Errorf("/: %d %q", status, body)
	}
	if status, body := get(t, s.url("http")+"/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	if _, err := create(t.Context(), dial(t, s.url("ws")), "x"); err != nil {
		t.Error(err)
	}
}

func TestAllowedOrigins(t *testing.T) {
	for _, c := range []struct {
		args string
		want int // patterns
	}{
		{"--addr=localhost:1", 6},
		{"--addr=127.0.0.1:1", 6},
		{"--addr=[::1]:1", 6},
		{"--addr=:1", 0},
		{"--addr=0.0.0.0:1", 0},
		{"--addr=example.com:1", 0},
		{"--addr=localhost:1 --origins=https://a.b", 1},
	} {
		parsed, err := config.Parse(strings.Fields(c.args), func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		origins := allowedOrigins(parsed)
		if len(origins) != c.want {
			t.Errorf("%s: %v, want %d", c.args, origins, c.want)
		}
		if err := ws.CheckOrigins(origins); err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

// writing is a set of clients that create albums as fast as they can, and what the
// server has acknowledged to them.
type writing struct {
	t            testing.TB
	cancel       context.CancelFunc
	workers      sync.WaitGroup
	mu           sync.Mutex
	acknowledged map[ankurah.EntityID]string
	grown        chan struct{}
}

func writers(t testing.TB, url string, count int) *writing {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writing{t: t, cancel: cancel, acknowledged: map[ankurah.EntityID]string{}, grown: make(chan struct{}, 1)}
	for i := range count {
		node := dial(t, url)
		w.workers.Go(func() {
			defer w.poke()
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("writer %d, album %d", i, n)
				if album, err := create(ctx, node, name); err == nil {
					w.note(album, name)
				} else if !errors.Is(err, context.Canceled) {
					w.t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	return w
}

func (w *writing) note(album id.EntityID, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acknowledged[album] = name
	w.poke()
}

// poke has waitFor look again.
func (w *writing) poke() {
	select {
	case w.grown <- struct{}{}:
	default:
	}
}

// waitFor returns when the server has acknowledged so many albums.
func (w *writing) waitFor(count int) {
	for range w.grown {
		w.mu.Lock()
		enough := len(w.acknowledged) >= count
		w.mu.Unlock()
		if enough || w.t.Failed() {
			return
		}
	}
}

func (w *writing) stop() map[ankurah.EntityID]string {
	w.cancel()
	w.workers.Wait()
	return w.acknowledged
}

// process is a server of its own.
type process struct {
	*exec.Cmd
	log *logged
}

// spawn runs the server as a process, which is killed when the test ends.
func spawn(t testing.TB, args ...string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(executable, args...), log: &logged{grown: make(chan struct{}, 1)}}
	p.Env = append(os.Environ(), asServer+"=1")
	p.Stdout, p.Stderr = p.log, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState != nil {
			return
		}
		if t.Failed() { // what it is doing may be why
			p.Process.Signal(syscall.SIGQUIT)
			defer time.AfterFunc(10*time.Second, func() { p.Process.Kill() }).Stop()
		} else {
			p.Process.Kill()
		}
		p.Wait()
		if t.Failed() {
			said := p.log.String()
			t.Logf("the server said:\n%s", said[max(0, len(said)-256<<10):])
		}
	})
	return p
}

// url waits until the process says where it listens.
func (p *process) url(t testing.TB) string {
	t.Helper()
	return strings.Fields(p.says(t, "clients="))[0]
}

// says waits until the process has logged something, and returns what comes after it.
func (p *process) says(t testing.TB, what string) (after string) {
	t.Helper()
	for {
		text := p.log.String()
		if _, after, ok := strings.Cut(text, what); ok {
			return after
		}
		select {
		case <-p.log.grown:
		case <-time.After(time.Minute):
			t.Fatalf("the server does not say %q:\n%s", what, text)
		}
	}
}

// logged is what a process writes.
type logged struct {
	mu    sync.Mutex
	text  strings.Builder
	grown chan struct{}
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.grown <- struct{}{}:
	default:
	}
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

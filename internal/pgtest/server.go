//go:build unix

package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings for a server. A server without settings is one whose machine may crash: it
// waits for the disk like any other.
var (
	// Fast is for tests that do not crash anything: nothing waits for the disk.
	Fast = []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "max_wal_size=512MB", "autovacuum=off"}
	// Durable is for tests of durability, and for benchmarks.
	Durable = []string{"shared_buffers=256MB", "max_wal_size=2GB"}
)

// patience bounds starting and stopping; a healthy server takes a fraction of a second.
const patience = 60 * time.Second

// Server is one PostgreSQL server.
type Server struct {
	dir       string
	settings  []string
	postgres  string
	as        *syscall.Credential
	databases atomic.Int64

	mu struct {
		sync.Mutex
		process *process // nil while stopped
	}
}

// New starts a server with settings (name=value each), which is stopped and removed when
// the test ends.
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(settings)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return s
}

// Database creates an empty database and returns its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	if err := s.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return s.url(name)
}

// Exec runs a statement as the superuser, outside of the tests' databases.
func (s *Server) Exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, statement)
	return err
}

func (s *Server) url(database string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: url.Values{"host": {s.dir}, "user": {"postgres"}}.Encode()}
	return u.String()
}

// Kill ends the server as a crash of its machine's power supply would: nothing is
// written any more. Restart starts it again.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.end(syscall.SIGQUIT); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// Restart starts a server that was killed; it recovers what was durable.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// start makes a data directory and runs a server on it.
func start(settings []string) (*Server, error) {
	initdb, postgres, err := programs()
	if err != nil {
		return nil, err
	}
	as, err := account()
	if err != nil {
		return nil, err
	}
	removeStale()
	// Short, since the path of a Unix socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, settings: settings, postgres: postgres, as: as}
	if err := s.init(initdb); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := s.run(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *Server) init(initdb string) error {
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.Command(initdb, "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	s.prepare(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// prepare gives a command the server's user, directory and a plain environment.
func (s *Server) prepare(cmd *exec.Cmd) {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
}

func (s *Server) run() error {
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "log_min_messages=fatal"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(s.postgres, args...)
	s.prepare(cmd)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p, err := launch(cmd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.mu.process = p
	s.mu.Unlock()
	if err := s.waitReady(p); err != nil {
		said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("postgres does not start: %w\n%s", err, said)
	}
	return nil
}

// waitReady returns when the server answers.
func (s *Server) waitReady(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.Exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return p.err
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// end stops the server by a signal and waits until it is gone.
func (s *Server) end(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.mu.process
	if p == nil {
		return nil
	}
	s.mu.process = nil
	return p.end(signal)
}

func (s *Server) remove() error {
	err := s.end(syscall.SIGINT)
	if removeErr := os.RemoveAll(s.dir); err == nil {
		err = removeErr
	}
	return err
}

// process is a running postgres.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // set before ended is closed
}

// launch starts a command that dies with this process. Linux ties that to the thread that
// starts it, so that thread is kept until the command has ended.
func launch(cmd *exec.Cmd) (*process, error) {
	endWithParent(cmd.SysProcAttr)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.ended)
		}
	}()
	return p, <-started
}

func (p *process) end(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("stop postgres: %w", err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("postgres did not stop within %s of %s", patience, signal)
	}
}

const dirPrefix = "ankpg"

// removeStale removes the directories of test binaries that were killed.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*-*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		n, err := strconv.Atoi(pid)
		if err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
}

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

const pgxSimple = pgx.QueryExecModeSimpleProtocol

// The crash test runs this binary again, with the URL in the environment, to write.
const writerVar = "ANKURAH_POSTGRES_TEST_WRITER"

func TestMain(m *testing.M) {
	if url := os.Getenv(writerVar); url != "" {
		fmt.Fprintln(os.Stderr, write(url))
		os.Exit(1)
	}
	pgtest.Main(m)
}

func write(url string) error {
	e, err := Open(context.Background(), url, Options{})
	if err != nil {
		return err
	}
	return storagetest.WriteUntilKilled(context.Background(), e, os.Stdout)
}

// lines is an io.Writer that counts lines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next line
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil && bytes.IndexByte(b, '\n') >= 0 {
		close(l.more)
		l.more = nil
	}
	return l.text.Write(b)
}

// wait returns when n more lines were written.
func (l *lines) wait(t testing.TB, n int) {
	t.Helper()
	for range n {
		l.mu.Lock()
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-time.After(time.Minute):
			t.Fatal("the writer does not get on")
		}
	}
}

func (l *lines) reader() io.Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.NewReader(bytes.Clone(l.text.Bytes()))
}

// A process that is killed while it commits loses nothing that was acknowledged, and leaves no
// part of a batch.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	url := schemas(t)()
	var acknowledged lines
	var before uint64
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerVar+"="+url)
		var complaints strings.Builder
		cmd.Stdout, cmd.Stderr = &acknowledged, &complaints
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged.wait(t, 3+7*round)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("the writer ended by itself: %s", complaints.String())
		}
		acknowledged.Write([]byte("\n")) // a line may have been cut off
		// What the killed process had sent may still be carried out.
		before = verified(t, url, &acknowledged, before)
	}
}

// verified opens the schema and holds it against what was acknowledged.
func verified(t *testing.T, url string, acknowledged *lines, before uint64) uint64 {
	t.Helper()
	e := open(t, url)
	defer e.Close()
	waitForOthers(t, e)
	stored := storagetest.VerifyAcknowledged(t, e, acknowledged.reader())
	if stored <= before {
		t.Fatalf("no progress beyond %d batches", before)
	}
	return stored
}

// waitForOthers waits until no other connection to the database is in a statement.
func waitForOthers(t *testing.T, e *Engine) {
	t.Helper()
	for busy := 1; busy > 0; {
		err := e.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'").Scan(&busy)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// keepWriting commits until the test stops it, which is the only thing that may.
func keepWriting(t *testing.T, e *Engine, acknowledged io.Writer) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := storagetest.WriteUntilKilled(ctx, e, acknowledged); !errors.Is(err, context.Canceled) {
			t.Errorf("the writer ended with %v", err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

// Connections that are cut again and again cost time, and no more: each commit is done once.
func TestCutConnections(t *testing.T) {
	url := schemas(t)()
	e := open(t, url)
	defer e.Close()
	var acknowledged lines
	stop := keepWriting(t, e, &acknowledged)
	admin, err := pgx.Connect(t.Context(), url[:strings.Index(url, "&schema")])
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	for range 12 {
		acknowledged.wait(t, 4)
		if _, err := admin.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ankurah'"); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Meta(t.Context(), "k"); err != nil {
			t.Errorf("a read after its connection was cut: %v", err)
		}
	}
	stop()
	verified(t, url, &acknowledged, 0)
}

// A server that crashes and is started again: what it acknowledged is there, and the engine
// goes on by itself.
func TestServerCrash(t *testing.T) {
	server := pgtest.New(t, pgtest.Durable...)
	url := server.Database(t)
	e := open(t, url)
	defer e.Close()
	var acknowledged lines
	stop := keepWriting(t, e, &acknowledged)
	acknowledged.wait(t, 20)
	server.Kill(t)
	server.Restart(t)
	acknowledged.wait(t, 5)
	stop()
	verified(t, url, &acknowledged, 0)
}

// Where there is no server, calls say so in time, and have stored nothing.
func TestUnreachableServer(t *testing.T) {
	server := pgtest.New(t, pgtest.Durable...)
	url := server.Database(t)
	patience := Options{Timeout: 3 * time.Second}
	e, err := Open(t.Context(), url, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	_, rec := storagetest.NewWorld(1).Create(storagetest.Albums)
	b := &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}}
	server.Kill(t)
	if err := e.Commit(t.Context(), b); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a commit without a server: %v", err)
	}
	if _, err := e.Meta(t.Context(), "k"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a read without a server: %v", err)
	}
	if _, err := Open(t.Context(), url, patience); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("opening without a server: %v", err)
	}
	server.Restart(t)
	if err := e.Commit(t.Context(), b); err != nil {
		t.Errorf("a commit after the server is back: %v", err)
	}
}

// A schema that was opened exclusively is refused to the next, and free once it is closed. A
// cut connection costs the lock only where somebody else takes it.
func TestExclusiveUse(t *testing.T) {
	url := schemas(t)()
	exclusive := Options{Exclusive: true, grace: soon}
	first, err := Open(t.Context(), url, exclusive)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	refused := func() {
		t.Helper()
		if e, err := Open(t.Context(), url, exclusive); !errors.Is(err, ErrLocked) {
			if err == nil {
				e.Close()
			}
			t.Fatalf("a second server: %v", err)
		}
	}
	refused()
	other := open(t, url) // asks for nothing, as a command line would that only reads
	defer other.Close()
	if _, err := other.pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); err != nil {
		t.Fatal(err)
	}
	for owners(t, other) == 0 { // it is taken again
	}
	refused()
	if _, err := first.Meta(t.Context(), "k"); err != nil {
		t.Errorf("after the connection was cut: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for owners(t, other) > 0 {
	}
	second, err := Open(t.Context(), url, Options{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestDatabasesThatAreRefused(t *testing.T) {
	next := schemas(t)
	exec := func(url, sql string) {
		t.Helper()
		base, schema, _ := strings.Cut(url, "&schema=")
		conn, err := pgx.Connect(t.Context(), base)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), strings.ReplaceAll(sql, "%s", schema), pgxSimple); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(url string, want error, says string) {
		t.Helper()
		e, err := Open(t.Context(), url, Options{})
		if err == nil {
			e.Close()
		}
		if want != nil && !errors.Is(err, want) || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
	foreign := next()
	exec(foreign, "CREATE SCHEMA %s; CREATE TABLE %s.customers (a int)")
	refused(foreign, ErrForeign, "holds tables of something else")

	newer := next()
	open(t, newer).Close()
	exec(newer, "UPDATE %s._ankurah SET layout = 2")
	refused(newer, ErrNewer, "its layout is version 2, and this program reads up to 1")

	empty := next()
	exec(empty, "CREATE SCHEMA %s")
	open(t, empty).Close()

	for _, statement := range []string{"DROP DATABASE IF EXISTS latin", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0"} {
		if err := pgtest.Shared(t).Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	base, _, _ := strings.Cut(next(), "?")
	_, rest, _ := strings.Cut(pgtest.Database(t), "?")
	refused(base[:strings.LastIndex(base, "/")]+"/latin?"+rest, ErrForeign, "its encoding is LATIN1")
	refused(next()+"-x", nil, "want lower-case letters")
	refused(next()+"&hints=maybe", nil, "want on or off")
	refused("postgres://%zz", nil, "postgres: ")
}

package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// The crash test runs this binary again, with the file in the environment, to write.
const writerVar = "ANKURAH_SQLITE_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerVar); path != "" {
		fmt.Fprintln(os.Stderr, write(path))
		os.Exit(1)
	}
	leaktest.Main(m)
}

func write(path string) error {
	e, err := Open(context.Background(), path, Options{})
	if err != nil {
		return err
	}
	return storagetest.WriteUntilKilled(context.Background(), e, os.Stdout)
}

// A process that is killed while it commits loses nothing that it acknowledged, and leaves no
// part of a batch.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := file(t)
	var acknowledged bytes.Buffer
	var before uint64
	for round := range 5 {
		storagetest.RunAndKill(t, &acknowledged, 1+23*round, writerVar+"="+path)
		e := open(t, path)
		stored := storagetest.VerifyAcknowledged(t, e, bytes.NewReader(acknowledged.Bytes()))
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if stored <= before {
			t.Fatalf("round %d: no progress beyond %d batches", round, before)
		}
		before = stored
	}
}

// Two engines on one file, as two processes would have it, see what the other has written,
// and the columns that it has added.
func TestTwoEnginesOnOneFile(t *testing.T) {
	ankqltest.Each(t, 5, func(t *testing.T, g *ankqltest.Gen) {
		path := file(t)
		engines := []*Engine{open(t, path), open(t, path)}
		g.Model("thing")
		a := storagetest.NewAnswers(t, engines[0], g)
		for step := range 40 {
			a.Engine(engines[step%2])
			a.Change()
			a.Engine(engines[g.IntN(2)])
			a.Ask()
		}
		for _, e := range engines {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Batches that are written together succeed and fail on their own.
func TestOneConflictSparesTheOthers(t *testing.T) {
	e := open(t, file(t))
	defer e.Close()
	w := storagetest.NewWorld(1)
	var batches []*storage.Batch
	for i := range 60 {
		ev, rec := w.Create(storagetest.Albums, proto.Field{Name: fmt.Sprint("p", i%7), Value: value.Int(int64(i))})
		b := &storage.Batch{Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec}}}
		if i%3 == 0 {
			b.Records[0].Expect = rec.State.Head // there is none
		}
		batches = append(batches, b)
	}
	e.writer.turn.Lock() // so that they come together
	var wg sync.WaitGroup
	for i, b := range batches {
		wg.Go(func() {
			if err := e.Commit(t.Context(), b); errors.Is(err, storage.ErrConflict) != (i%3 == 0) {
				t.Errorf("batch %d: %v", i, err)
			}
		})
	}
	e.writer.turn.Unlock()
	wg.Wait()
	for i, b := range batches {
		rec := b.Records[0].Record
		got, err := e.Records(t.Context(), []id.EntityID{rec.Entity})
		if err != nil || (got[0] == nil) != (i%3 == 0) {
			t.Errorf("record %d: %v, %v", i, got, err)
		}
		evs, err := e.Events(t.Context(), []id.EventID{b.Events[0].ID})
		if err != nil || (evs[0] == nil) != (i%3 == 0) {
			t.Errorf("event %d: %v, %v", i, evs, err)
		}
	}
}

// A file that was opened exclusively is refused to the next, and free once it is closed.
func TestExclusiveUse(t *testing.T) {
	path := file(t)
	for range 2 {
		e, err := Open(t.Context(), path, Options{Exclusive: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, Options{Exclusive: true}); !errors.Is(err, ErrLocked) {
			t.Errorf("a second server: %v", err)
		}
		open(t, path).Close() // asks for nothing, as a command line would that only reads
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	refused := func(path string, want error, says string) {
		t.Helper()
		e, err := Open(t.Context(), path, Options{})
		if err == nil {
			e.Close()
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	exec := func(path, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	exec(foreign, "CREATE TABLE customers (a)")
	refused(foreign, ErrForeign, "it has 1 tables of something else")

	newer := filepath.Join(dir, "newer.db")
	open(t, newer).Close()
	exec(newer, "PRAGMA user_version = 2")
	refused(newer, ErrNewer, "its layout is version 2, and this program reads up to 1")

	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(text, ErrForeign, "file is not a database")
	refused(filepath.Join(dir, "none", "a.db"), storage.ErrUnavailable, "unable to open")
}

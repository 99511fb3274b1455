package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/verify"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// wantSound demands that a store is one that could have been: every record has the head that
// its events lead to, the feed has no gap and names what is there, and all of that.
func wantSound(t testing.TB, engine storage.Engine) {
	t.Helper()
	report, err := verify.Store(t.Context(), engine, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
}

// A store that is dumped while it is being written to becomes a store as of one moment: what
// had been committed before the dump began is in it, and nothing is in it by halves.
func TestDumpOfABusyStore(t *testing.T) {
	engine := memory.New()
	w := open(t, engine, 3)
	w.writeMany(200)
	before := contents(t, engine)
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for range 1000 { // a store in memory is faster than the dump of one
			if w.write(ctx) != nil {
				return
			}
		}
	})
	stopWriting := sync.OnceFunc(func() { stop(); writing.Wait() })
	defer stopWriting()
	for range 3 {
		file := dump(t, engine, archive.DumpOptions{Still: w.node.Still})
		to := memory.New()
		if _, err := restore(t.Context(), to, bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		wantSound(t, to)
		there := map[string]bool{}
		for _, line := range contents(t, to) {
			there[line] = true
		}
		for _, line := range before {
			if line[:6] != "record" && !there[line] {
				t.Fatalf("missing: %.200s", line)
			}
		}
	}
	stopWriting()
}

// A dump into a file goes on where it was interrupted, also when the store has changed since.
func TestDumpGoesOn(t *testing.T) {
	engine := memory.New()
	w := open(t, engine, 4)
	w.writeMany(200)
	whole := dump(t, engine, small)
	for _, cut := range []float64{0.1, 0.35, 0.6, 0.9, 0.99} {
		path := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(path, whole[:int(cut*float64(len(whole)))], 0o600); err != nil {
			t.Fatal(err)
		}
		w.writeMany(5)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Resume(t.Context(), engine, file, archive.DumpOptions{}); err != nil {
			t.Fatalf("cut at %v: %v", cut, err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		to := memory.New()
		if _, err := restore(t.Context(), to, file); err != nil {
			t.Fatalf("cut at %v: %v", cut, err)
		}
		wantSame(t, to, engine)
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Resume(t.Context(), engine, file, archive.DumpOptions{}); !errors.Is(err, archive.ErrComplete) {
			t.Errorf("gone on with a complete one: %v", err)
		}
		other := source(t, 1)
		if err := file.Truncate(int64(len(whole) / 2)); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Resume(t.Context(), other, file, archive.DumpOptions{}); !errors.Is(err, archive.ErrOther) {
			t.Errorf("gone on with another store's: %v", err)
		}
		file.Close()
	}
}

// A copy follows a store while that is written to; it may be interrupted at any time, and is
// brought to its end when nobody writes any more. Then nothing is missing.
func TestCopyFollows(t *testing.T) {
	engine, to := memory.New(), memory.New()
	w := open(t, engine, 6)
	w.writeMany(400)
	for round := range 4 {
		begun, err := archive.Begun(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		o := archive.DumpOptions{Follow: true, Poll: time.Millisecond}
		if begun != nil {
			o.From = &archive.Progress{Header: &begun.Header, Cursor: begun.Cursor}
		}
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		writing.Go(func() {
			for range 300 {
				if w.write(ctx) != nil {
					return
				}
			}
		})
		marks := 0
		err = pipe(ctx, engine, to, o, func(p archive.Progress) {
			if p.CaughtUp {
				marks++
			}
			if marks > round || round == 0 && p.Counts.Records > 100 {
				stop()
			}
		})
		stop()
		writing.Wait()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	begun, err := archive.Begun(t.Context(), to)
	if err != nil || begun == nil {
		t.Fatal(begun, err)
	}
	w.node.Close()
	err = pipe(t.Context(), engine, to, archive.DumpOptions{From: &archive.Progress{Header: &begun.Header, Cursor: begun.Cursor}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, to, engine)
	wantSound(t, to)
}

// pipe copies a store into another.
func pipe(ctx context.Context, from, to storage.Engine, o archive.DumpOptions, report func(archive.Progress)) error {
	_, err := archive.Copy(ctx, from, to, o, archive.RestoreOptions{Report: report})
	return err
}

// Two processes have written to one store: the feed of the restored store has the entries of
// both, each after those that it builds on.
func TestFeedsAreMerged(t *testing.T) {
	for seed := range uint64(20) {
		engine := memory.New()
		open(t, engine, seed).node.Close()
		w, ahead := storagetest.NewWorld(seed), storagetest.NewWorld(seed+100)
		for range 3000 {
			ahead.Transaction() // its clock is
		}
		feeds := []id.NodeID{{ULID: w.Transaction().ULID}, {ULID: w.Transaction().ULID}, {ULID: w.Transaction().ULID}}
		seqs := make([]uint64, len(feeds))
		var recs []*proto.Record
		for range 400 {
			var ev *proto.Event
			var rec *proto.Record
			batch := storage.Batch{}
			change := proto.Change{}
			if i := w.Rand.IntN(30); i < len(recs) && w.Rand.IntN(3) > 0 {
				change.Before = recs[i].State.Head
				ev, rec = w.Edit(recs[i], w.AlbumFields()...)
				recs[i] = rec
			} else {
				clock := w
				if w.Rand.IntN(10) == 0 {
					clock = ahead
				}
				ev, rec = clock.Create("album", w.AlbumFields()...)
				recs = append(recs, rec)
			}
			change.Collection, change.Entity, change.Rev, change.After, change.Events = rec.Collection, rec.Entity, rec.Rev, rec.State.Head, []id.EventID{ev.ID}
			f := w.Rand.IntN(len(feeds))
			seqs[f]++
			batch.Events, batch.Records = []*proto.Event{ev}, []storage.RecordWrite{{Record: rec, Expect: change.Before}}
			batch.FeedID, batch.Feed = feeds[f], []*proto.FeedEntry{{Seq: seqs[f], Transaction: w.Transaction(), Changes: []proto.Change{change}}}
			if err := engine.Commit(t.Context(), &batch); err != nil {
				t.Fatal(err)
			}
		}
		to := memory.New()
		if err := pipe(t.Context(), engine, to, archive.DumpOptions{}, nil); err != nil {
			t.Fatal(err)
		}
		ends, err := to.(storage.Walker).Feeds(t.Context())
		if err != nil || len(ends) != 1 {
			t.Fatalf("seed %d: feeds %v, %v", seed, ends, err)
		}
		for feed := range ends {
			entries, err := to.Feed(t.Context(), feed, 0, 0)
			if err != nil || len(entries) != 402 { // the system and its model, too
				t.Fatalf("seed %d: %d entries, %v", seed, len(entries), err)
			}
			revs := map[id.EntityID]uint64{}
			for _, entry := range entries {
				for _, c := range entry.Changes {
					if revs[c.Entity]++; revs[c.Entity] != c.Rev {
						t.Fatalf("seed %d: entry %d changes entity %s to revision %d, where %d comes next", seed, entry.Seq, c.Entity, c.Rev, revs[c.Entity])
					}
				}
			}
		}
		wantSound(t, to)
	}
}

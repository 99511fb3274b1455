package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/server/config"
	"github.com/ankurah-go/ankurah/server/engine"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

var (
	entities = flag.Int("entities", 2000, "how many entities TestMovingHouse moves")
	to       = flag.String("to", "", "the one engine that TestMovingHouse moves to: pebble, sqlite, postgres or tikv; empty for all")
)

// openStore opens a store that the test closes at once, or at its end.
func openStore(t testing.TB, setting string) storage.Engine {
	t.Helper()
	s, err := config.ParseStorage(setting)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(context.WithoutCancel(t.Context()), s, engine.Own, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// fill makes a store that a durable node could have written: entities of some collections,
// with edits, deletions, and transactions of several entities.
func fill(t testing.TB, setting string, n int) {
	t.Helper()
	e := openStore(t, setting)
	defer e.Close()
	w := storagetest.NewWorld(uint64(n))
	batch := &storage.Batch{FeedID: w.Node}
	var recent []*proto.Record
	var seq uint64
	commit := func() {
		if err := e.Commit(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = &storage.Batch{FeedID: w.Node}
		recent = nil
	}
	writes := map[id.EntityID]*storage.RecordWrite{}
	add := func(entry *proto.FeedEntry, ev *proto.Event, rec *proto.Record, before proto.Clock) {
		batch.Events = append(batch.Events, ev)
		if write := writes[rec.Entity]; write != nil {
			write.Record = rec
		} else {
			writes[rec.Entity] = &storage.RecordWrite{Record: rec, Expect: before}
		}
		entry.Changes = append(entry.Changes, proto.Change{Collection: rec.Collection, Entity: rec.Entity, Rev: rec.Rev, Before: before, After: rec.State.Head, Events: []id.EventID{ev.ID}})
	}
	for made := 0; made < n; {
		seq++
		entry := &proto.FeedEntry{Seq: seq, Transaction: w.Transaction()}
		for range min(1+w.Rand.IntN(3), n-made) {
			made++
			ev, rec := w.Create([]string{"album", "artist", "album of the year"}[made%3], proto.Field{Name: "name", Value: value.String(fmt.Sprint("entity ", made))},
				proto.Field{Name: "year", Value: value.Int(w.Rand.Int64N(100))}, proto.Field{Name: "score", Value: value.Float(w.Rand.Float64())})
			add(entry, ev, rec, nil)
			recent = append(recent, rec)
		}
		if i := w.Rand.IntN(len(recent)); w.Rand.IntN(2) == 0 && recent[i].Rev == writes[recent[i].Entity].Record.Rev && len(entry.Changes) > 0 && recent[i].Entity != entry.Changes[0].Entity {
			before := recent[i]
			ev, rec := w.Edit(before, proto.Field{Name: "year", Value: value.Int(w.Rand.Int64N(100))})
			if w.Rand.IntN(10) == 0 {
				ev, rec = w.Delete(before)
			}
			duplicate := false
			for _, c := range entry.Changes {
				duplicate = duplicate || c.Entity == rec.Entity
			}
			if !duplicate {
				add(entry, ev, rec, before.State.Head)
				recent[i] = rec
			}
		}
		batch.Feed = append(batch.Feed, entry)
		if len(batch.Events) > 2000 || made == n {
			if made == n {
				batch.Meta = core.RestoredMetadata(id.EntityID{ULID: w.Transaction().ULID}, w.Node, seq)
			}
			for _, write := range writes {
				batch.Records = append(batch.Records, *write)
			}
			clear(writes)
			commit()
		}
	}
}

// wantEqual holds two stores against each other, entity by entity, history by history and
// entry by entry, reading both in order.
func wantEqual(t testing.TB, got, want storage.Engine) {
	t.Helper()
	g, w := storage.NewWalk(got.(storage.Walker), storage.EventKey{}), storage.NewWalk(want.(storage.Walker), storage.EventKey{})
	items := 0
	for ; ; items++ {
		a, b := nextItem(t, g), nextItem(t, w)
		if !bytes.Equal(a, b) {
			t.Fatalf("item %d is\n%x\nwant\n%x", items, a, b)
		}
		if a == nil {
			break
		}
	}
	if items == 0 {
		t.Fatal("there is nothing")
	}
	feedGot, endGot := onlyFeed(t, got)
	feedWant, endWant := onlyFeed(t, want)
	if endGot != endWant {
		t.Fatalf("the feed ends at %d, want %d", endGot, endWant)
	}
	for after := uint64(0); after < endWant; {
		a, err := got.Feed(t.Context(), feedGot, after, 500)
		b, errWant := want.Feed(t.Context(), feedWant, after, 500)
		if err != nil || errWant != nil || len(a) != len(b) || len(a) == 0 {
			t.Fatalf("behind entry %d: %d entries, want %d (%v, %v)", after, len(a), len(b), err, errWant)
		}
		for i := range a {
			if !bytes.Equal(proto.AppendFeedEntry(nil, a[i]), proto.AppendFeedEntry(nil, b[i])) {
				t.Fatalf("entry %d differs", b[i].Seq)
			}
		}
		after = b[len(b)-1].Seq
	}
}

func nextItem(t testing.TB, w *storage.Walk) []byte {
	t.Helper()
	record, event, err := w.Next(t.Context())
	switch {
	case err != nil:
		t.Fatal(err)
	case record != nil && record.Err == nil:
		return proto.AppendRecord([]byte("r"), record.Record)
	case event != nil && event.Err == nil:
		return proto.AppendEvent([]byte("e"), event.Event)
	case record != nil || event != nil:
		t.Fatal(record, event)
	}
	return nil
}

func onlyFeed(t testing.TB, e storage.Engine) (id.NodeID, uint64) {
	t.Helper()
	feeds, err := e.(storage.Walker).Feeds(t.Context())
	if err != nil || len(feeds) != 1 {
		t.Fatalf("feeds %v, %v", feeds, err)
	}
	for feed, end := range feeds {
		return feed, end
	}
	panic("unreachable")
}

// otherEngines are places to move to.
func otherEngines(t testing.TB) []string {
	dir := t.TempDir()
	return []string{"pebble:" + filepath.Join(dir, "pebble"), "sqlite:" + filepath.Join(dir, "ankurah.db"), pgtest.Database(t), tikvtest.URL(t)}
}

// What is dumped from Pebble and restored into any other engine is equal, entity by entity,
// history by history; and verifies; and so is what comes back.
func TestMovingHouse(t *testing.T) {
	dir := t.TempDir()
	home, file := "pebble:"+filepath.Join(dir, "home"), filepath.Join(dir, "home.ankarch")
	fill(t, home, *entities)
	begun := time.Now()
	ankurah(t, nil, "dump", "--storage", home, "-o", file).must(t)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	t.Logf("dumped %d entities in %v, %d bytes", *entities, time.Since(begun).Round(time.Millisecond), info.Size())
	for _, other := range otherEngines(t) {
		if !strings.HasPrefix(other, *to) {
			continue
		}
		begun := time.Now()
		ankurah(t, nil, "restore", "--storage", other, file).must(t)
		took := time.Since(begun)
		t.Logf("restored into %.8s: %.0f entities/s", other, float64(*entities)/took.Seconds())
		verified := ankurah(t, nil, "verify", "--storage", other).must(t)
		if !strings.Contains(verified.stderr, "all is well") || !strings.Contains(verified.stderr, "album of the year: ") {
			t.Errorf("%s", verified.stderr)
		}
		there, here := openStore(t, other), openStore(t, home)
		wantEqual(t, there, here)
		there.Close()
		here.Close()

		var back bytes.Buffer
		p := &program{stdout: &back, stderr: &bytes.Buffer{}, getenv: func(name string) string {
			return map[string]string{"ANKURAH_STORAGE": other}[name]
		}}
		if status := p.run(t.Context(), []string{"dump", "-o", "-", "--plain"}); status != exitOK {
			t.Fatalf("status %d: %v", status, p.stderr)
		}
		again := "sqlite:" + filepath.Join(t.TempDir(), "again.db")
		ankurah(t, &back, "restore", "--storage", again, "--quiet", "-").must(t)
		there, here = openStore(t, again), openStore(t, home)
		wantEqual(t, there, here)
		there.Close()
		here.Close()
	}
}

// Interrupted at any time, a dump and a restore are started again and go on.
func TestInterruptedMove(t *testing.T) {
	dir := t.TempDir()
	home, file, other := "pebble:"+filepath.Join(dir, "home"), filepath.Join(dir, "home.ankarch"), "sqlite:"+filepath.Join(dir, "other.db")
	fill(t, home, 8000)
	ankurah(t, nil, "dump", "--storage", home, "-o", file, "--plain").must(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []float64{0, 0.3, 0.7} {
		cut := max(9, int(part*float64(len(whole))))
		if err := os.WriteFile(file, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		half := ankurah(t, nil, "restore", "--storage", other, file)
		if half.status != exitFailed || !strings.Contains(half.stderr, "the archive is cut off") || !strings.Contains(half.stderr, "at byte ") {
			t.Fatalf("cut at %d: %+v", cut, half)
		}
		ankurah(t, nil, "dump", "--storage", home, "-o", file, "--plain").must(t)
		got, err := os.ReadFile(file)
		if err != nil || len(got) < len(whole)*9/10 {
			t.Fatalf("cut at %d and gone on with: %d bytes, want about %d; %v", cut, len(got), len(whole), err)
		}
		whole = got
	}
	complete := ankurah(t, nil, "dump", "--storage", home, "-o", file)
	if complete.status != exitFailed || !strings.Contains(complete.stderr, "the archive is complete; it is left alone") {
		t.Errorf("%+v", complete)
	}
	if refused := ankurah(t, nil, "dump", "--storage", other, "-o", filepath.Join(dir, "half")); refused.status != exitFailed || !strings.Contains(refused.stderr, "the store is being restored") {
		t.Errorf("a dump of a half restored store: %+v", refused)
	}
	if refused := ankurah(t, nil, "verify", "--storage", other); refused.status != exitFailed || !strings.Contains(refused.stderr, "the store is being restored") {
		t.Errorf("a half restored store verified: %+v", refused)
	}
	done := ankurah(t, nil, "restore", "--storage", other, file).must(t)
	if !strings.Contains(done.stderr, "going on with what was begun") {
		t.Errorf("%s", done.stderr)
	}
	there, here := openStore(t, other), openStore(t, home)
	wantEqual(t, there, here)
	there.Close()
	if again := ankurah(t, nil, "restore", "--storage", other, file); again.status != exitFailed || !strings.Contains(again.stderr, "the store is not empty") {
		t.Errorf("restored twice: %+v", again)
	}
}

// A restore that is stopped in the middle ends at once, and goes on when it is called again.
func TestStoppedRestore(t *testing.T) {
	dir := t.TempDir()
	home, file, other := "pebble:"+filepath.Join(dir, "home"), filepath.Join(dir, "home.ankarch"), "pebble:"+filepath.Join(dir, "other")
	fill(t, home, 8000)
	ankurah(t, nil, "dump", "--storage", home, "-o", file, "--plain").must(t)
	for stops := 0; ; stops++ {
		ctx, cancel := context.WithCancel(t.Context())
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		left := (stops + 1) << 20
		got := ankurahUntil(ctx, readerFunc(func(b []byte) (int, error) {
			n, err := in.Read(b)
			if left -= n; left < 0 {
				cancel()
			}
			return n, err
		}), "restore", "--storage", other, "-")
		in.Close()
		cancel()
		if got.status == exitOK {
			if stops == 0 {
				t.Error("nothing was stopped")
			}
			break
		}
		if got.status != exitFailed || got.stderr[len(got.stderr)-len("interrupted\n"):] != "interrupted\n" {
			t.Fatalf("stop %d: %+v", stops, got)
		}
		if stops > 100 {
			t.Fatal("it does not get on")
		}
	}
	there, here := openStore(t, other), openStore(t, home)
	wantEqual(t, there, here)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Damage that somebody has done is found, a line each, and status 1.
func TestVerifyFindsDamage(t *testing.T) {
	home := "sqlite:" + filepath.Join(t.TempDir(), "home.db")
	fill(t, home, 200)
	e := openStore(t, home)
	page, err := e.(storage.Walker).WalkRecords(t.Context(), id.EntityID{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	rec := *page[1].Record
	state := *rec.State
	state.Properties = append([]proto.PropertyState{}, state.Properties...)
	state.Properties[0].Value = value.String("forged")
	rec.State = &state
	err = e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: &rec, Expect: rec.State.Head}}, Evict: []id.EntityID{page[2].Entity}})
	if err = errors.Join(err, e.Close()); err != nil {
		t.Fatal(err)
	}
	got := ankurah(t, nil, "verify", "--storage", home)
	if got.status != exitFailed || !strings.Contains(got.stdout, "wrong-state: entity "+rec.Entity.String()+": property ") ||
		!strings.Contains(got.stdout, "no-record: entity "+page[2].Entity.String()) || !strings.Contains(got.stderr, "3 findings") {
		t.Errorf("%+v", got)
	}
	if quiet := ankurah(t, nil, "verify", "--storage", home, "--quiet", "--limit", "1"); quiet.stderr != "" || strings.Count(quiet.stdout, "\n") != 1 {
		t.Errorf("%+v", quiet)
	}
	if begun, err := archive.Begun(t.Context(), openStore(t, home)); begun != nil || err != nil {
		t.Error(begun, err)
	}
}

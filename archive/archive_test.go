package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/archive"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var note = &schema.Model{Collection: "note", Properties: []schema.Property{
	{Name: "title", Type: schema.TypeString},
	{Name: "rank", Type: schema.TypeInt, Optional: true},
	{Name: "next", Type: schema.TypeRef, Target: "note", Optional: true},
}}

// writer commits to a durable node.
type writer struct {
	t     testing.TB
	node  *core.Node
	rnd   *rand.Rand
	notes []id.EntityID
}

// open opens a durable node over an engine that belongs to the test.
func open(t testing.TB, engine storage.Engine, seed uint64) *writer {
	t.Helper()
	n, err := core.Open(t.Context(), core.Options{Engine: unclosed{engine}, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if _, ok := n.System(); !ok {
		if err := n.CreateSystem(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Register(t.Context(), note); err != nil {
		t.Fatal(err)
	}
	return &writer{t: t, node: n, rnd: rand.New(rand.NewPCG(seed, 0))}
}

// unclosed is an engine that outlives its nodes.
type unclosed struct{ storage.Engine }

func (unclosed) Close() error { return nil }

// write makes a transaction that creates, edits and deletes notes.
func (w *writer) write(ctx context.Context) error {
	tx := w.node.Context(policy.Principal{Name: "somebody"}).Begin()
	defer tx.Rollback()
	for range 1 + w.rnd.IntN(3) {
		fields := []proto.Field{{Name: "title", Value: value.String(fmt.Sprint("note ", w.rnd.IntN(1000)))}}
		if len(w.notes) > 0 {
			fields = append(fields, proto.Field{Name: "next", Value: value.ID(w.notes[w.rnd.IntN(len(w.notes))])})
		}
		e, err := tx.Create(ctx, "note", fields)
		if err != nil {
			return err
		}
		w.notes = append(w.notes, e)
	}
	edited := w.notes[w.rnd.IntN(len(w.notes))]
	if err := tx.Set(ctx, "note", edited, []proto.Field{{Name: "rank", Value: value.Int(w.rnd.Int64N(100))}}); err != nil {
		return err
	}
	if i := w.rnd.IntN(len(w.notes)); w.rnd.IntN(4) == 0 && w.notes[i] != edited {
		if err := tx.Delete(ctx, "note", w.notes[i]); err != nil {
			return err
		}
		w.notes = slices.Delete(w.notes, i, i+1)
	}
	_, err := tx.Commit(ctx)
	return err
}

func (w *writer) writeMany(n int) {
	w.t.Helper()
	for range n {
		if err := w.write(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// dump dumps an engine into memory.
func dump(t testing.TB, engine storage.Engine, o archive.DumpOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := archive.Dump(t.Context(), engine, &out, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// small makes many chunks of little.
var small = archive.DumpOptions{Writer: archive.WriterOptions{Chunk: 4 << 10}}

func restore(ctx context.Context, engine storage.Engine, from io.Reader) (archive.Progress, error) {
	r, err := archive.NewReader(from)
	if err != nil {
		return archive.Progress{}, err
	}
	defer r.Close()
	return archive.Restore(ctx, engine, r, archive.RestoreOptions{})
}

// contents is everything that a store holds, in words; feeds without their names.
func contents(t testing.TB, engine storage.Engine) []string {
	t.Helper()
	var lines []string
	walker := engine.(storage.Walker)
	for last := (id.EntityID{}); ; {
		page, err := walker.WalkRecords(t.Context(), last, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			lines = append(lines, fmt.Sprintf("record %s %x", r.Entity, proto.AppendRecord(nil, r.Record)))
			last = r.Entity
		}
		if len(page) < storage.MaxPage {
			break
		}
	}
	for last := (storage.EventKey{}); ; {
		page, err := walker.WalkEvents(t.Context(), last, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			lines = append(lines, fmt.Sprintf("event %s %x", e.Key.Event, proto.AppendEvent(nil, e.Event)))
			last = e.Key
		}
		if len(page) < storage.MaxPage {
			break
		}
	}
	feeds, err := walker.Feeds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for feed := range feeds {
		for seq := uint64(0); ; {
			page, err := engine.Feed(t.Context(), feed, seq, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range page {
				lines = append(lines, fmt.Sprintf("entry %x", proto.AppendFeedEntry(nil, entry)))
				seq = entry.Seq
			}
			if len(page) < storage.MaxPage {
				break
			}
		}
	}
	return lines
}

func wantSame(t testing.TB, got, want storage.Engine) {
	t.Helper()
	g, w := contents(t, got), contents(t, want)
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("item %d is\n%.200s\nwant\n%.200s", i, g[i], w[i])
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%d items, want %d", len(g), len(w))
	}
}

// source is a store with some history.
func source(t testing.TB, transactions int) storage.Engine {
	t.Helper()
	engine := memory.New()
	w := open(t, engine, 1)
	w.writeMany(transactions)
	w.node.Close()
	return engine
}

// What was dumped and restored is the same, entity by entity and entry by entry; it is a new
// store of the same system, which goes on.
func TestRestoredIsEqual(t *testing.T) {
	for _, compression := range []archive.Compression{archive.Zstandard, archive.Uncompressed} {
		from, to := source(t, 300), memory.New()
		file := dump(t, from, archive.DumpOptions{Writer: archive.WriterOptions{Compression: compression}})
		p, err := restore(t.Context(), to, bytes.NewReader(file))
		if err != nil || p.Bytes != int64(len(file)) || p.Counts.Entries != 302 {
			t.Fatalf("%+v, %v", p, err)
		}
		wantSame(t, to, from)
		old, err := core.ReadIdentity(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		w := open(t, to, 2)
		w.writeMany(3)
		w.node.Close()
		now, err := core.ReadIdentity(t.Context(), to)
		if err != nil || now.System != old.System || now.Store == old.Store || now.Node == old.Node || now.Store.IsZero() {
			t.Errorf("the restored store is %+v, %v; the other one %+v", now, err, old)
		}
		if again := dump(t, to, archive.DumpOptions{}); len(again) == 0 {
			t.Error("nothing")
		}
	}
}

// A restore goes on after every interruption, as if there had been none.
func TestRestoreGoesOn(t *testing.T) {
	from, to := source(t, 300), memory.New()
	file := dump(t, from, small)
	chunks := 0
	for cut := len(file) / 40; cut < len(file); cut += len(file) / 23 {
		_, err := restore(t.Context(), to, bytes.NewReader(file[:cut]))
		var where *archive.DamageError
		if !errors.Is(err, archive.ErrTruncated) || !errors.As(err, &where) || where.Offset > int64(cut) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if begun, err := archive.Begun(t.Context(), to); err != nil || begun == nil {
			t.Fatalf("cut at %d: begun %v, %v", cut, begun, err)
		}
		chunks++
	}
	if _, err := restore(t.Context(), to, bytes.NewReader(file)); err != nil {
		t.Fatalf("after %d interruptions: %v", chunks, err)
	}
	wantSame(t, to, from)
	if _, err := restore(t.Context(), to, bytes.NewReader(file)); !errors.Is(err, archive.ErrOccupied) {
		t.Errorf("restored again: %v", err)
	}
}

// A store that holds anything else is left alone.
func TestRestoreRefuses(t *testing.T) {
	a, b := dump(t, source(t, 20), archive.DumpOptions{}), dump(t, source(t, 20), archive.DumpOptions{})
	occupied := source(t, 1)
	before := contents(t, occupied)
	if _, err := restore(t.Context(), occupied, bytes.NewReader(a)); !errors.Is(err, archive.ErrOccupied) {
		t.Errorf("a store in use: %v", err)
	}
	if !slices.Equal(contents(t, occupied), before) {
		t.Error("the store was changed")
	}
	half := memory.New()
	if _, err := restore(t.Context(), half, bytes.NewReader(a[:len(a)-10])); !errors.Is(err, archive.ErrTruncated) {
		t.Fatal(err)
	}
	if _, err := restore(t.Context(), half, bytes.NewReader(b)); !errors.Is(err, archive.ErrOther) {
		t.Errorf("another archive: %v", err)
	}
	loose := memory.New()
	if err := loose.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: firstRecord(t, occupied)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t.Context(), loose, bytes.NewReader(a)); !errors.Is(err, archive.ErrOccupied) {
		t.Errorf("a store with a record: %v", err)
	}
}

func firstRecord(t testing.TB, engine storage.Engine) *proto.Record {
	t.Helper()
	page, err := engine.(storage.Walker).WalkRecords(t.Context(), id.EntityID{}, 1)
	if err != nil || len(page) == 0 {
		t.Fatal(page, err)
	}
	return page[0].Record
}

// Every flipped byte is found, and the byte of its chunk is named.
func TestDamageIsFound(t *testing.T) {
	file := dump(t, source(t, 40), archive.DumpOptions{})
	rnd := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		at := rnd.IntN(len(file))
		bad := slices.Clone(file)
		bad[at] ^= byte(1 << rnd.IntN(8))
		_, err := restore(t.Context(), memory.New(), bytes.NewReader(bad))
		var where *archive.DamageError
		switch {
		case err == nil:
			t.Fatalf("byte %d of %d: nobody noticed", at, len(file))
		case errors.Is(err, archive.ErrNotArchive) || errors.Is(err, archive.ErrNewer):
			if at > 7 {
				t.Fatalf("byte %d: %v", at, err)
			}
		case !errors.As(err, &where) || where.Offset > int64(at):
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	if _, err := restore(t.Context(), memory.New(), bytes.NewReader(append(slices.Clone(file), 'x'))); !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, archive.ErrTruncated) {
		t.Errorf("something behind the end: %v", err)
	}
	for _, other := range []string{"", "A", "PK\x03\x04 a zip", "ANKARCX\x01", "ANKARCH\x00"} {
		if _, err := archive.NewReader(bytes.NewReader([]byte(other))); !errors.Is(err, archive.ErrNotArchive) && !errors.Is(err, archive.ErrTruncated) {
			t.Errorf("%q: %v", other, err)
		}
	}
	if _, err := archive.NewReader(bytes.NewReader([]byte("ANKARCH\x02"))); !errors.Is(err, archive.ErrNewer) {
		t.Errorf("a later version: %v", err)
	}
}

// A restore into an engine that does not always say whether it has stored something loses
// nothing and stores nothing twice.
func TestRestoreThroughDoubt(t *testing.T) {
	from, to := source(t, 150), memory.New()
	file := dump(t, from, small)
	commits := 0
	doubtful := faulty.Wrap(to, func(c faulty.Call) (fault faulty.Fault) {
		if c.Op != faulty.Commit {
			return fault
		}
		switch commits++; commits % 6 {
		case 3:
			fault.After = storage.ErrUnavailable // though it is stored
		case 5:
			fault.Before = storage.ErrUnavailable
		}
		return fault
	})
	if _, err := restore(t.Context(), doubtful, bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if commits < 12 {
		t.Errorf("only %d commits", commits)
	}
	wantSame(t, to, from)
}

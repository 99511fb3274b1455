package kv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// counted is a store that counts what it is asked and can run something first.
type counted struct {
	kv.Store
	gets, scans, commits int
	rows                 int // returned by Scan
	beforeCommit         func()
}

func (c *counted) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	c.gets++
	return c.Store.Get(ctx, keys)
}

func (c *counted) Scan(ctx context.Context, r kv.Range, limit int) ([]kv.Pair, error) {
	c.scans++
	pairs, err := c.Store.Scan(ctx, r, limit)
	c.rows += len(pairs)
	return pairs, err
}

func (c *counted) Commit(ctx context.Context, w *kv.Writes) error {
	c.commits++
	if before := c.beforeCommit; before != nil {
		c.beforeCommit = nil
		before()
	}
	return c.Store.Commit(ctx, w)
}

func (c *counted) reset() { *c = counted{Store: c.Store} }

func openCounted(t *testing.T, disk *kvtest.Disk) (*kv.Engine, *counted) {
	t.Helper()
	store := &counted{Store: kvtest.Plain(disk.Open())}
	e, err := kv.Open(t.Context(), store, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	store.reset()
	return e, store
}

func commit(t *testing.T, e storage.Engine, writes ...storage.RecordWrite) {
	t.Helper()
	if err := e.Commit(t.Context(), &storage.Batch{Records: writes}); err != nil {
		t.Fatal(err)
	}
}

func selection(t *testing.T, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err == nil {
		s, err = s.Check(storagetest.AlbumModel)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func year(n int64) proto.Field { return proto.Field{Name: "year", Value: value.Int(n)} }

// long is a name of so many bytes.
func long(bytes int) proto.Field {
	return proto.Field{Name: "name", Value: value.String(strings.Repeat("x", bytes))}
}

func put(t *testing.T, s kv.Store, key string, value []byte) {
	t.Helper()
	if err := s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: []byte(key), Value: value}}}); err != nil {
		t.Fatal(err)
	}
}

func TestOpenLooksAtTheVersion(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value []byte
		want  error
	}{
		"empty store":     {"", nil, nil},
		"this version":    {"v", []byte{kv.Version}, nil},
		"newer version":   {"v", []byte{kv.Version + 1}, kv.ErrNewer},
		"no version":      {"v", []byte{}, storage.ErrCorrupt},
		"version 0":       {"v", []byte{0}, storage.ErrCorrupt},
		"something else":  {"x", []byte("y"), storage.ErrCorrupt},
		"something below": {"a", []byte("y"), storage.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			disk := kvtest.NewDisk()
			if c.key != "" {
				put(t, disk.Open(), c.key, c.value)
			}
			store := disk.Open()
			_, err := kv.Open(t.Context(), store, kv.Options{})
			if !errors.Is(err, c.want) {
				t.Fatalf("open: %v, want %v", err, c.want)
			}
			if c.want == kv.ErrNewer && !strings.Contains(err.Error(), fmt.Sprint("version ", kv.Version+1)) {
				t.Errorf("%q does not say which version", err)
			}
			if _, err := store.Get(t.Context(), nil); err != nil {
				t.Errorf("the store was closed: %v", err)
			}
		})
	}
}

func TestManyMayOpenAnEmptyStore(t *testing.T) {
	disk := kvtest.NewDisk()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := kv.Open(t.Context(), disk.Open(), kv.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// The layout is a format: what this writes, every later version reads.
func TestLayout(t *testing.T) {
	disk := kvtest.NewDisk()
	e, _ := openCounted(t, disk)
	w := storagetest.NewWorld(1)
	ev, rec := w.Create("album", year(2001))
	edit, rec2 := w.Edit(rec, year(2002))
	_, bare := w.Create("artist")
	entry := &proto.FeedEntry{Seq: 258, Transaction: w.Transaction()}
	err := e.Commit(t.Context(), &storage.Batch{
		Events:  []*proto.Event{ev, edit},
		Records: []storage.RecordWrite{{Record: rec2}, {Record: bare}},
		Outbox:  []storage.OutboxEntry{{Seq: 1<<40 + 2, Data: []byte("data")}},
		Meta:    []storage.MetaEntry{{Key: "node", Value: []byte("me")}},
		FeedID:  w.Node, Feed: []*proto.FeedEntry{entry},
	})
	if err != nil {
		t.Fatal(err)
	}
	bin := func(u id.ULID) string { return string(u.Bytes()) }
	row := func(r *proto.Record) string {
		b := append([]byte{0x94}, byte(r.Rev), byte(r.BaseRev))
		return string(append(proto.AppendState(b, r.State), 0xc0))
	}
	want := map[string]string{
		"v":                     "\x01",
		"e" + bin(ev.ID.ULID):   string(proto.AppendEvent(nil, ev)),
		"e" + bin(edit.ID.ULID): string(proto.AppendEvent(nil, edit)),
		"h" + bin(ev.Entity.ULID) + bin(ev.ID.ULID):                 "album",
		"h" + bin(ev.Entity.ULID) + bin(edit.ID.ULID):               "",
		"h" + bin(bare.Entity.ULID) + bin(bare.Entity.ULID):         "artist",
		"r\x05album" + bin(rec.Entity.ULID):                         row(rec2),
		"r\x06artist" + bin(bare.Entity.ULID):                       row(bare),
		"f" + bin(w.Node.ULID) + "\x00\x00\x00\x00\x00\x00\x01\x02": string(proto.AppendFeedEntry(nil, entry)),
		"o\x00\x00\x01\x00\x00\x00\x00\x02":                         "data",
		"mnode":                                                     "me",
	}
	pairs, err := disk.Open().Scan(t.Context(), kv.Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if got, ok := want[string(p.Key)]; !ok || got != string(p.Value) {
			t.Errorf("key %q has %q, want %q", p.Key, p.Value, got)
		}
		delete(want, string(p.Key))
	}
	for key := range want {
		t.Errorf("key %q is missing", key)
	}
}

// Evicting leaves nothing behind of an entity whose events were never here.
func TestEvictedWithoutEventsLeavesNothing(t *testing.T) {
	disk := kvtest.NewDisk()
	e, _ := openCounted(t, disk)
	w := storagetest.NewWorld(1)
	_, rec := w.Create("album", year(1))
	commit(t, e, storage.RecordWrite{Record: rec})
	if err := e.Commit(t.Context(), &storage.Batch{Evict: []id.EntityID{rec.Entity}}); err != nil {
		t.Fatal(err)
	}
	pairs, err := disk.Open().Scan(t.Context(), kv.Range{}, 0)
	if err != nil || len(pairs) != 1 {
		t.Errorf("%d keys are left, %v, want only the version's", len(pairs), err)
	}
}

// Creations and edits on top of edits take one step; what was not written lately is read
// first.
func TestCommitTakesFewSteps(t *testing.T) {
	disk := kvtest.NewDisk()
	e, store := openCounted(t, disk)
	w := storagetest.NewWorld(1)
	_, rec := w.Create("album", year(1))
	_, second := w.Edit(rec, year(2))
	_, third := w.Edit(second, year(3))
	commit(t, e, storage.RecordWrite{Record: rec})
	commit(t, e, storage.RecordWrite{Record: second, Expect: rec.State.Head})
	if store.gets != 0 || store.commits != 2 {
		t.Errorf("a creation and an edit took %d reads and %d commits", store.gets, store.commits)
	}
	other, store := openCounted(t, disk)
	commit(t, other, storage.RecordWrite{Record: third, Expect: second.State.Head})
	if store.gets != 1 || store.commits != 1 {
		t.Errorf("an edit of what was not written here took %d reads and %d commits", store.gets, store.commits)
	}
}

// Between what a commit reads and what it writes another process may commit.
func TestCommitIsOvertaken(t *testing.T) {
	w := storagetest.NewWorld(1)
	_, rec := w.Create("album", year(1))
	_, mine := w.Edit(rec, year(2))
	_, theirs := w.Edit(rec, year(3))
	rebased := *rec
	rebased.Base = rec.State
	for name, c := range map[string]struct {
		between *proto.Record
		want    error
	}{
		"by another head":             {theirs, storage.ErrConflict},
		"by the same with other data": {&rebased, nil},
	} {
		t.Run(name, func(t *testing.T) {
			disk := kvtest.NewDisk()
			e, store := openCounted(t, disk)
			other, _ := openCounted(t, disk)
			commit(t, e, storage.RecordWrite{Record: rec})
			store.beforeCommit = func() {
				commit(t, other, storage.RecordWrite{Record: c.between, Expect: rec.State.Head})
			}
			err := e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: mine, Expect: rec.State.Head}}})
			if !errors.Is(err, c.want) {
				t.Fatalf("commit: %v, want %v", err, c.want)
			}
			want := c.between
			if err == nil {
				want = mine
			}
			got, err := other.Records(t.Context(), []id.EntityID{rec.Entity})
			if err != nil || !got[0].State.Head.Equal(want.State.Head) {
				t.Errorf("stored %v, %v", got, err)
			}
		})
	}
}

// What one engine remembers, another may have changed; neither loses an edit.
func TestEnginesShareAStore(t *testing.T) {
	disk := kvtest.NewDisk()
	a, _ := openCounted(t, disk)
	b, _ := openCounted(t, disk)
	w := storagetest.NewWorld(1)
	_, rec := w.Create("album", year(0))
	commit(t, a, storage.RecordWrite{Record: rec})
	for i := range 20 {
		e := []storage.Engine{a, b}[i/3%2]
		got, err := e.Records(t.Context(), []id.EntityID{rec.Entity})
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := got[0].Field("year").AsInt(); n != int64(i) {
			t.Fatalf("after %d edits the year is %d", i, n)
		}
		_, next := w.Edit(got[0], year(int64(i+1)))
		commit(t, e, storage.RecordWrite{Record: next, Expect: got[0].State.Head})
	}
}

// A scan whose rows come in its own order examines a bounded number of them, and bytes, and says
// where to go on.
func TestScanIsBounded(t *testing.T) {
	for name, options := range map[string]kv.Options{
		"rows":  {ScanRows: 10},
		"bytes": {ScanBytes: 10 * 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := kv.Open(t.Context(), kvtest.NewDisk().Open(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			w := storagetest.NewWorld(1)
			var ids []id.EntityID
			for i := range 35 {
				_, rec := w.Create("album", year(int64(i)), long(20_000))
				commit(t, e, storage.RecordWrite{Record: rec})
				ids = append(ids, rec.Entity)
			}
			s := selection(t, "year = 34")
			var after []byte
			for i, want := range []int{0, 0, 0, 1} {
				page, err := e.Scan(t.Context(), "album", s, after, 5)
				if err != nil {
					t.Fatal(err)
				}
				if len(page.Records) != want || page.More != (i < 3) {
					t.Fatalf("page %d has %d records, more %v", i, len(page.Records), page.More)
				}
				if after = page.Next; i < 3 && !bytes.Equal(after, ids[10*i+9].Bytes()) {
					t.Fatalf("page %d goes on after %x, want the last row examined", i, after)
				}
			}
		})
	}
}

// unwanted is a context that ends when it has been asked so often.
type unwanted struct {
	context.Context
	asked int
}

func (u *unwanted) Err() error {
	if u.asked--; u.asked < 0 {
		return context.Canceled
	}
	return nil
}

// A scan that nobody wants any more ends within a few of its rows, if these are large.
func TestScanOfLargeRowsIsCancelled(t *testing.T) {
	e, err := kv.Open(t.Context(), kvtest.NewDisk().Open(), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := storagetest.NewWorld(1)
	for i := range 40 {
		_, rec := w.Create("album", year(int64(i)), long(100_000))
		commit(t, e, storage.RecordWrite{Record: rec})
	}
	for _, s := range []string{"name = 'y'", "name = 'y' ORDER BY year"} {
		if _, err := e.Scan(&unwanted{t.Context(), 5}, "album", selection(t, s), nil, 5); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// A store that cannot visit is not asked for a whole collection to find a few.
func TestScanReadsAheadALittle(t *testing.T) {
	disk := kvtest.NewDisk()
	e, store := openCounted(t, disk)
	w := storagetest.NewWorld(1)
	for range 2000 {
		_, rec := w.Create("album", year(1))
		commit(t, e, storage.RecordWrite{Record: rec})
	}
	for text, most := range map[string]int{"true": 21, "year = 1": 256} {
		store.reset()
		page, err := e.Scan(t.Context(), "album", selection(t, text), nil, 20)
		if err != nil || len(page.Records) != 20 || !page.More {
			t.Fatalf("%s: %v, %v", text, page, err)
		}
		if store.rows > most {
			t.Errorf("%s: %d rows read for a page of 20", text, store.rows)
		}
	}
}

func TestScanStopsWhenCancelled(t *testing.T) {
	disk := kvtest.NewDisk()
	e, _ := openCounted(t, disk)
	w := storagetest.NewWorld(1)
	for range 3000 {
		_, rec := w.Create("album", year(1))
		commit(t, e, storage.RecordWrite{Record: rec})
	}
	ctx, cancel := context.WithCancel(t.Context())
	visiting, err := kv.Open(ctx, &cancelling{Store: disk.Open(), cancel: cancel}, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := visiting.Scan(ctx, "album", selection(t, "ORDER BY year"), nil, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v", err)
	}
}

// cancelling is a store whose visits are cancelled once they have begun.
type cancelling struct {
	kv.Store
	cancel func()
}

func (c *cancelling) View(ctx context.Context, read func(kv.Reader) error) error {
	c.cancel()
	return c.Store.(kv.Viewer).View(context.WithoutCancel(ctx), read)
}

// Rows that cannot be read are reported by whatever call meets them.
func TestCorruptRows(t *testing.T) {
	w := storagetest.NewWorld(1)
	ev, rec := w.Create("album", year(1))
	_, edited := w.Edit(rec, year(2))
	calls := map[string]func(e storage.Engine) error{
		"r": func(e storage.Engine) error {
			_, recordsErr := e.Records(t.Context(), []id.EntityID{rec.Entity})
			_, scanErr := e.Scan(t.Context(), "album", selection(t, "true"), nil, 1)
			_, orderedErr := e.Scan(t.Context(), "album", selection(t, "year > 0 ORDER BY year"), nil, 1)
			commitErr := e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: edited, Expect: rec.State.Head}}})
			return firstSound(recordsErr, scanErr, orderedErr, commitErr)
		},
		"e": func(e storage.Engine) error {
			_, eventsErr := e.Events(t.Context(), []id.EventID{ev.ID})
			_, historyErr := e.EntityEvents(t.Context(), ev.Entity, id.EventID{}, 1)
			return firstSound(eventsErr, historyErr)
		},
		"f": func(e storage.Engine) error {
			_, err := e.Feed(t.Context(), w.Node, 0, 1)
			return err
		},
	}
	for space, call := range calls {
		disk := kvtest.NewDisk()
		e, _ := openCounted(t, disk)
		err := e.Commit(t.Context(), &storage.Batch{
			Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec}},
			FeedID: w.Node, Feed: []*proto.FeedEntry{{Seq: 1}},
		})
		if err != nil {
			t.Fatal(err)
		}
		store := disk.Open()
		pairs, err := store.Scan(t.Context(), kv.Range{Start: []byte(space)}, 1)
		if err != nil || len(pairs) != 1 {
			t.Fatal(pairs, err)
		}
		put(t, store, string(pairs[0].Key), pairs[0].Value[:4])
		fresh, _ := openCounted(t, disk) // which remembers nothing
		if err := call(fresh); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("space %s: %v, want ErrCorrupt", space, err)
		}
	}
}

// firstSound returns the first error that is not ErrCorrupt, or else the last.
func firstSound(errs ...error) error {
	for _, err := range errs {
		if !errors.Is(err, storage.ErrCorrupt) {
			return fmt.Errorf("among %v: %w", errs, err)
		}
	}
	return errs[len(errs)-1]
}

func TestCollectionNamesAreChecked(t *testing.T) {
	e, _ := openCounted(t, kvtest.NewDisk())
	rec := &proto.Record{Entity: storagetest.NewWorld(1).Entity(), State: &proto.State{}}
	for _, name := range []string{"", strings.Repeat("x", proto.MaxNameBytes+1)} {
		rec.Collection = name
		if err := e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}}); err == nil {
			t.Errorf("a collection may have a name of %d bytes", len(name))
		}
	}
}

// Whatever bytes stand where a record should, the engine answers or reports them.
func FuzzRecord(f *testing.F) {
	w := storagetest.NewWorld(1)
	_, rec := w.Create("album", w.AlbumFields()...)
	state := proto.AppendState([]byte{0x94, 1, 0}, rec.State)
	f.Add(append(state[:len(state):len(state)], 0xc0))
	f.Add(proto.AppendState(state[:len(state):len(state)], rec.State))
	ordered, err := ankql.Parse("year > 0 OR name LIKE '%a%' ORDER BY score, meta.genre")
	if err == nil {
		ordered, err = ordered.Check(storagetest.AlbumModel)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		disk := kvtest.NewDisk()
		e, _ := openCounted(t, disk)
		commit(t, e, storage.RecordWrite{Record: rec})
		put(t, disk.Open(), "r\x05album"+string(rec.Entity.Bytes()), row)
		fresh, _ := openCounted(t, disk)
		got, err := fresh.Records(t.Context(), []id.EntityID{rec.Entity})
		if err != nil && !errors.Is(err, storage.ErrCorrupt) {
			t.Fatal(err)
		}
		page, scanErr := fresh.Scan(t.Context(), "album", ordered, nil, 10)
		if scanErr != nil && !errors.Is(scanErr, storage.ErrCorrupt) {
			t.Fatal(scanErr)
		}
		if err == nil && scanErr == nil && !got[0].State.Deleted() && ordered.Matches(got[0]) != (len(page.Records) == 1) {
			t.Fatalf("a record read by its id matches: %v, and %d were scanned", ordered.Matches(got[0]), len(page.Records))
		}
		if err == nil && scanErr != nil {
			t.Fatalf("a record that can be read cannot be scanned: %v", scanErr)
		}
	})
}

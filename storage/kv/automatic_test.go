package kv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// fill commits n albums; of every hundred one has the year 2000.
func fill(t testing.TB, e storage.Engine, n int) {
	t.Helper()
	w := storagetest.NewWorld(uint64(n))
	var writes []storage.RecordWrite
	for i := range n {
		made := int64(2000 + i%100)
		_, rec := w.Create("album", year(made), proto.Field{Name: "name", Value: value.String(fmt.Sprintf("album %04d", i*7919%n))},
			proto.Field{Name: "score", Value: value.Float(float64(i))})
		writes = append(writes, storage.RecordWrite{Record: rec})
	}
	if err := e.Commit(t.Context(), &storage.Batch{Records: writes}); err != nil {
		t.Fatal(err)
	}
}

// ask scans a page, lets the engine do what it makes of that, and explains.
func ask(t *testing.T, e *kv.Engine, text string, limit int) *storage.Explanation {
	t.Helper()
	if _, err := e.Scan(t.Context(), "album", selection(t, text), nil, limit); err != nil {
		t.Fatal(err)
	}
	if err := e.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	x, err := e.Explain(t.Context(), "album", selection(t, text), limit)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// indexes returns the indexes of albums, "!" after declared ones, in the order made.
func indexes(t *testing.T, e *kv.Engine) string {
	t.Helper()
	if err := e.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := e.Indexes(t.Context(), "album")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ix := range list {
		name := ix.Columns
		if ix.Declared {
			name += "!"
		}
		if ix.State != storage.IndexReady {
			name += " " + string(ix.State)
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

func openOptions(t *testing.T, disk *kvtest.Disk, o kv.Options) *kv.Engine {
	t.Helper()
	e, err := kv.Open(t.Context(), disk.Open(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// A selection that examines much and returns little has its index made, and costs from
// then on what its answer costs.
func TestIndexesAreMadeWhenTheyAreNeeded(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		made  string
		rows  int // read afterwards, at most
	}{
		{"year = 2000", 50, "year", 31},
		{"year IN (2000, 2005)", 100, "year", 61},
		{"year > 2098 ORDER BY name", 50, "year", 30},
		{"year > 2010 ORDER BY name", 50, "name", 100},
		{"year = 2000 ORDER BY name DESC", 5, "year, name DESC", 6},
		{"ORDER BY name", 10, "name", 11},
		{"ORDER BY name DESC, year", 10, "name DESC, year", 11},
		{"ORDER BY score DESC", 10, "score DESC", 11},
		{"name = 'album 0007' OR name = 'album 0009'", 10, "name", 2},
		{"year = 2000 OR name = 'album 0009'", 50, "year and name", 32},
		{"year = 2000 OR name = 'album 0009' ORDER BY score DESC", 50, "year and name", 32},
		{"name LIKE 'album 000%'", 20, "name", 10},
		{"meta.genre = 'rock'", 10, "meta.genre", 0},
		{"artist = '01ARZ3NDEKTSV4RRFFQ69G5FAV'", 10, "artist", 0},
		{"name LIKE '%7'", 10, "", 3000},
		{"true", 100, "", 101},
		{"ORDER BY id DESC", 10, "", 11},
		{"year IS NOT NULL", 100, "", 500},
	} {
		e := openOptions(t, kvtest.NewDisk(), kv.Options{})
		fill(t, e, 3000)
		x := ask(t, e, c.text, c.limit)
		if got := strings.ReplaceAll(indexes(t, e), "; ", " and "); got != c.made {
			t.Errorf("%s: made %q, want %q", c.text, got, c.made)
		}
		if x.Rows > c.rows || x.Index != c.made {
			t.Errorf("%s: %+v", c.text, x)
		}
	}
}

func TestSmallCollectionsGetNoIndexes(t *testing.T) {
	e := openOptions(t, kvtest.NewDisk(), kv.Options{})
	fill(t, e, 900)
	ask(t, e, "year = 2000", 10)
	if got := indexes(t, e); got != "" {
		t.Errorf("made %s", got)
	}
}

// A second index on other columns in the predicate's way is chosen by how much is in it.
func TestTheBetterOfTwoIndexesIsTaken(t *testing.T) {
	e := openOptions(t, kvtest.NewDisk(), kv.Options{})
	fill(t, e, 3000)
	err := e.Declare(t.Context(), "album", []schema.Index{
		{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}, {Columns: []schema.IndexColumn{{Path: []string{"score"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"year < 2002 AND score > 2990": "score",
		"year < 2002 AND score > 90":   "year",
		"year < 2090 AND score > 2990": "score",
	} {
		if x := ask(t, e, text, 100); x.Index != want {
			t.Errorf("%s is read by %q, want %q: %+v", text, x.Index, want, x)
		}
	}
}

// Automatic indexes have a number and an age that they do not exceed; declared ones stay.
func TestUnusedIndexesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := kvtest.NewDisk()
		options := kv.Options{AutoIndexes: 2, IdleIndexes: 10 * 24 * time.Hour, BuildRows: 100}
		e := openOptions(t, disk, options)
		fill(t, e, 2000)
		if err := e.Declare(t.Context(), "album", []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"score"}}}}}); err != nil {
			t.Fatal(err)
		}
		ask(t, e, "year = 2000", 50)
		time.Sleep(time.Minute)
		ask(t, e, "ORDER BY name", 10)
		ask(t, e, "ORDER BY name DESC, year", 10)
		if got, want := indexes(t, e), "score!; year; name"; got != want {
			t.Fatalf("indexes %s, want %s: nothing gives way so soon", got, want)
		}
		time.Sleep(2 * time.Hour)
		ask(t, e, "ORDER BY name", 10)
		ask(t, e, "ORDER BY name DESC, year", 10)
		if got, want := indexes(t, e), "score!; name; name DESC, year"; got != want {
			t.Fatalf("indexes %s, want %s", got, want)
		}
		verify(t, disk)
		for range 8 { // one of the two is used, in processes that come and go
			time.Sleep(2 * 24 * time.Hour)
			e.Close()
			e = openOptions(t, disk, options)
			ask(t, e, "ORDER BY name", 10)
		}
		if got, want := indexes(t, e), "score!; name"; got != want {
			t.Fatalf("indexes %s, want %s", got, want)
		}
		if err := e.Declare(t.Context(), "album", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * 24 * time.Hour)
		ask(t, e, "ORDER BY name", 10)
		time.Sleep(2 * 24 * time.Hour)
		ask(t, e, "ORDER BY name", 10)
		if got, want := indexes(t, e), "name"; got != want {
			t.Fatalf("indexes %s, want %s: what nobody declares any more goes", got, want)
		}
		verify(t, disk)
		pairs, err := disk.Open().Scan(t.Context(), kv.Range{Start: []byte("i"), End: []byte("j")}, 0)
		if err != nil || len(pairs) != 2000 {
			t.Errorf("%d entries, %v", len(pairs), err)
		}
		e.Close()
	})
}

// A process that does not know of an index cannot commit without keeping it up, and one
// that does not know that it is gone does not read by it.
func TestIndexesOfAnotherProcessAreKeptUp(t *testing.T) {
	disk := kvtest.NewDisk()
	mine := openOptions(t, disk, kv.Options{AutoIndexes: -1})
	other := openOptions(t, disk, kv.Options{IdleIndexes: 1})
	fill(t, mine, 10)
	fill(t, other, 1011)
	if err := other.Declare(t.Context(), "album", []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}}); err != nil {
		t.Fatal(err)
	}
	if err := other.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, mine, 12)
	verify(t, disk)
	s := selection(t, "year = 2000")
	x, err := mine.Explain(t.Context(), "album", s, 100)
	if err != nil || x.Returned != 13 || x.Index != "year" {
		t.Errorf("%+v, %v", x, err)
	}
	if err := other.Declare(t.Context(), "album", nil); err != nil {
		t.Fatal(err)
	}
	if got := indexes(t, other); got != "" {
		t.Fatalf("indexes %s", got)
	}
	x, err = mine.Explain(t.Context(), "album", s, 100)
	if err != nil || x.Returned != 13 || x.Index != "" {
		t.Errorf("%+v, %v", x, err)
	}
}

// meddled is a store in which something else happens before a step of a build is
// committed, and which counts the rows that views read by their keys.
type meddled struct {
	kv.Store
	before func()
	rows   int
}

func (m *meddled) Commit(ctx context.Context, w *kv.Writes) error {
	if before := m.before; before != nil && slices.ContainsFunc(w.Puts, func(p kv.Pair) bool { return p.Key[0] == 'i' }) {
		m.before = nil
		before()
	}
	return m.Store.Commit(ctx, w)
}

func (m *meddled) View(ctx context.Context, read func(kv.Reader) error) error {
	return m.Store.(kv.Viewer).View(ctx, func(r kv.Reader) error { return read(counting{r, m}) })
}

type counting struct {
	kv.Reader
	store *meddled
}

func (c counting) Get(keys [][]byte) ([][]byte, error) {
	c.store.rows += len(keys)
	return c.Reader.Get(keys)
}

// Between what a step of a build reads and what it writes, rows are edited, deleted and
// evicted; the step leaves no entry of what they were.
func TestAStepOfABuildIsOvertaken(t *testing.T) {
	disk := kvtest.NewDisk()
	store := &meddled{Store: disk.Open()}
	e, err := kv.Open(t.Context(), store, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := storagetest.NewWorld(1)
	var recs []*proto.Record
	for i := range 10 {
		_, rec := w.Create("album", year(int64(i)))
		commit(t, e, storage.RecordWrite{Record: rec})
		recs = append(recs, rec)
	}
	other := openOptions(t, disk, kv.Options{})
	_, edited := w.Edit(recs[1], year(100))
	_, deleted := w.Delete(recs[3])
	store.before = func() {
		err := other.Commit(t.Context(), &storage.Batch{
			Records: []storage.RecordWrite{{Record: edited, Expect: recs[1].State.Head}, {Record: deleted, Expect: recs[3].State.Head}},
			Evict:   []id.EntityID{recs[5].Entity},
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := e.Declare(t.Context(), "album", []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}}); err != nil {
		t.Fatal(err)
	}
	if err := e.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if store.before != nil {
		t.Fatal("nothing came in between")
	}
	verify(t, disk)
}

// A page goes on where the last one ended, whatever came to be or ceased to be in between:
// each row that matches comes once.
func TestPagesGoOnThroughChangesOfPlan(t *testing.T) {
	e := openOptions(t, kvtest.NewDisk(), kv.Options{ScanRows: 64, BuildRows: 8, AutoIndexes: -1})
	fill(t, e, 600)
	for _, text := range []string{"year < 2050", "year = 2000 ORDER BY year, name", "year < 2010 ORDER BY name DESC", "ORDER BY year DESC, name", "score > 300 AND year = 2001 ORDER BY year DESC, score"} {
		lists := [][]schema.Index{nil, {{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}},
			{{Columns: []schema.IndexColumn{{Path: []string{"name"}}}}}, {{Columns: []schema.IndexColumn{{Path: []string{"year"}, Desc: true}, {Path: []string{"name"}}}}}}
		s := selection(t, text)
		whole, err := e.Scan(t.Context(), "album", s, nil, 1000)
		if err != nil {
			t.Fatal(err)
		}
		want := whole.Records
		for whole.More {
			if whole, err = e.Scan(t.Context(), "album", s, whole.Next, 1000); err != nil {
				t.Fatal(err)
			}
			want = append(want, whole.Records...)
		}
		var got []*proto.Record
		var after []byte
		for i := 0; ; i++ {
			if err := e.Declare(t.Context(), "album", lists[i%len(lists)]); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 {
				if err := e.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			page, err := e.Scan(t.Context(), "album", s, after, 7)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Records...)
			if after = page.Next; !page.More {
				break
			}
		}
		if !slices.EqualFunc(got, want, func(a, b *proto.Record) bool { return a.Entity == b.Entity }) {
			t.Errorf("%s: %d records in pages, want %d", text, len(got), len(want))
		}
	}
}

// Many entries with the same columns are read in reverse without reading them all.
func TestReverseWalksReadNoMoreThanTheyNeed(t *testing.T) {
	store := &meddled{Store: kvtest.NewDisk().Open()}
	e, err := kv.Open(t.Context(), store, kv.Options{AutoIndexes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := storagetest.NewWorld(1)
	var writes []storage.RecordWrite
	for i := range 6000 {
		_, rec := w.Create("album", year(int64(i/2000)))
		writes = append(writes, storage.RecordWrite{Record: rec})
	}
	if err := e.Commit(t.Context(), &storage.Batch{Records: writes}); err != nil {
		t.Fatal(err)
	}
	if err := e.Declare(t.Context(), "album", []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}}); err != nil {
		t.Fatal(err)
	}
	x := ask(t, e, "year IS NOT NULL ORDER BY year DESC", 10)
	if x.Index != "year" || x.Sorted || x.Rows > 20 || x.Entries > 60 {
		t.Errorf("%+v", x)
	}
	s := selection(t, "year IS NOT NULL ORDER BY year DESC")
	var got []*proto.Record
	var after []byte
	store.rows = 0
	for {
		page, err := e.Scan(t.Context(), "album", s, after, 700)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Records...)
		if after = page.Next; !page.More {
			break
		}
	}
	if store.rows > 13_000 {
		t.Errorf("%d rows were read for pages of 6,000 in all", store.rows)
	}
	if len(got) != 6000 || got[0].Entity != writes[4000].Record.Entity || got[5999].Entity != writes[1999].Record.Entity {
		t.Errorf("%d records", len(got))
	}
}

// Counting goes on from page to page, however many ids an index leads to.
func TestCountsByIndexAreWhole(t *testing.T) {
	e := openOptions(t, kvtest.NewDisk(), kv.Options{Planner: kv.Always})
	fill(t, e, 6000)
	if err := e.Declare(t.Context(), "album", []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}}); err != nil {
		t.Fatal(err)
	}
	if err := e.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"year > 2009": 5400, "year = 2000": 60, "year > 2009 AND score < 100": 90, "year < 2000": 0} {
		count, pages := 0, 0
		for page := (&storage.CountPage{More: true}); page.More; pages++ {
			var err error
			if page, err = e.Count(t.Context(), "album", selection(t, text).Where, page.Next, 100); err != nil {
				t.Fatal(err)
			}
			count += int(page.Count)
		}
		if count != want {
			t.Errorf("%s: %d in %d pages, want %d", text, count, pages, want)
		}
	}
}

// A build that fails is tried again, but not all the time, and whoever asks meanwhile is
// answered without it.
func TestAFailedBuildIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &full{Store: kvtest.NewDisk().Open()}
		e, err := kv.Open(t.Context(), store, kv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		fill(t, e, 2000)
		store.full.Store(true)
		s := selection(t, "year = 2000")
		for range 20 {
			page, err := e.Scan(t.Context(), "album", s, nil, 50)
			if err != nil || len(page.Records) != 20 {
				t.Fatal(page, err)
			}
			if err := e.Settle(t.Context()); !errors.Is(err, storage.ErrFull) {
				t.Fatalf("settle: %v", err)
			}
		}
		if n := store.refused.Load(); n != 1 {
			t.Errorf("%d attempts in no time", n)
		}
		store.full.Store(false)
		time.Sleep(2 * time.Minute)
		if x := ask(t, e, "year = 2000", 50); x.Index != "year" {
			t.Errorf("%+v", x)
		}
	})
}

// full is a store that may be out of space.
type full struct {
	kv.Store
	full    atomic.Bool
	refused atomic.Int32
}

func (f *full) Commit(ctx context.Context, w *kv.Writes) error {
	if f.full.Load() {
		f.refused.Add(1)
		return storage.ErrFull
	}
	return f.Store.Commit(ctx, w)
}

func (f *full) View(ctx context.Context, read func(kv.Reader) error) error {
	return f.Store.(kv.Viewer).View(ctx, read)
}

package tikv

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// Indexes that one process makes, builds and drops are kept up by the commits of all others: a
// selection has the same answer with indexes and without.
func TestIndexesAreKeptUpByAllProcesses(t *testing.T) {
	url := tikvtest.URL(t)
	settings := func(p kv.Planner) Options {
		return Options{KV: kv.Options{Planner: p, AutoIndexes: -1, BuildRows: 16, Patience: time.Millisecond}}
	}
	var engines []*Engine
	for range 3 {
		e := open(t, url, settings(kv.Always))
		defer e.Close()
		if _, err := e.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		engines = append(engines, e)
	}
	plain := open(t, url, settings(kv.Never))
	defer plain.Close()

	var writing atomic.Int32
	var wg sync.WaitGroup
	for i, e := range engines {
		writing.Add(1)
		w := storagetest.NewWorld(uint64(100 + i))
		wg.Go(func() {
			defer writing.Add(-1)
			editAlbums(t, e, w, 60)
		})
	}
	indexes := [][]string{{"year"}, {"name", "year"}, {"score"}, nil}
	for i := 0; writing.Load() > 0 || i%len(indexes) != 0; i++ {
		var declared []schema.Index
		for _, column := range indexes[i%len(indexes)] {
			declared = append(declared, schema.Index{Columns: []schema.IndexColumn{{Path: []string{column}}}})
		}
		if err := engines[i%len(engines)].Declare(t.Context(), storagetest.Albums, declared); err != nil {
			t.Error(err)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	wg.Wait()
	all := []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}, {Columns: []schema.IndexColumn{{Path: []string{"name"}}}}}
	if err := engines[0].Declare(t.Context(), storagetest.Albums, all); err != nil {
		t.Fatal(err)
	}
	for _, e := range append(engines, plain) {
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"year >= 0 ORDER BY year", "year = 3", "name = 'album 2'", "ORDER BY name"} {
		want := answer(t, plain, text)
		for i, e := range engines {
			if got := answer(t, e, text); !slices.Equal(got, want) {
				t.Errorf("%s: process %d finds %d rows by index, and there are %d", text, i, len(got), len(want))
			}
		}
	}
}

// editAlbums creates albums and edits them at random.
func editAlbums(t *testing.T, e *Engine, w *storagetest.World, edits int) {
	var recs []*proto.Record
	for n := range edits {
		name, year := value.String(fmt.Sprint("album ", n%5)), value.Int(w.Rand.Int64N(9))
		fields := []proto.Field{{Name: "name", Value: name}, {Name: "year", Value: year}}
		b := storage.Batch{}
		if i := w.Rand.IntN(2 * (len(recs) + 1)); i < len(recs) {
			ev, rec := w.Edit(recs[i], fields...)
			b.Events, b.Records = []*proto.Event{ev}, []storage.RecordWrite{{Record: rec, Expect: recs[i].State.Head}}
			recs[i] = rec
		} else {
			ev, rec := w.Create(storagetest.Albums, fields...)
			b.Events, b.Records = []*proto.Event{ev}, []storage.RecordWrite{{Record: rec}}
			recs = append(recs, rec)
		}
		if err := e.Commit(context.Background(), &b); err != nil {
			t.Error(err)
			return
		}
	}
}

func answer(t *testing.T, e *Engine, text string) (ids []string) {
	t.Helper()
	s, err := ankql.Parse(text)
	if err == nil {
		s, err = s.Check(storagetest.AlbumModel)
	}
	if err != nil {
		t.Fatal(err)
	}
	for page := (&storage.Page{More: true}); page.More; {
		if page, err = e.Scan(t.Context(), storagetest.Albums, s, page.Next, 50); err != nil {
			t.Fatal(err)
		}
		for _, rec := range page.Records {
			ids = append(ids, rec.Entity.String())
		}
	}
	return ids
}

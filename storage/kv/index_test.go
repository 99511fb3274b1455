package kv_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// TestIndexEqualsScan: with every planner, and whatever indexes there are, being built or
// ready, the answers are those of the plainest evaluation.
func TestIndexEqualsScan(t *testing.T) {
	for name, options := range map[string]kv.Options{
		"always":  {Planner: kv.Always, BuildRows: 2, AutoIndexRows: 1},
		"bounded": {Planner: kv.Always, ScanRows: 2},
		"by cost": {AutoIndexRows: 1},
		"never":   {Planner: kv.Never},
	} {
		t.Run(name, func(t *testing.T) {
			ankqltest.Each(t, 6, func(t *testing.T, g *ankqltest.Gen) {
				g.Model("thing")
				g.Full = 30
				disk := kvtest.NewDisk()
				e := openEngine(t, disk, options, false)
				defer e.Close()
				a := storagetest.NewAnswers(t, e, g)
				for range 4 {
					a.Go(5)
					verify(t, disk)
				}
				a.Settle()
				verify(t, disk)
				a.Clear()
				verify(t, disk)
			})
		})
	}
}

// verify holds the entries on a disk against its rows, at a moment at which nothing else
// is written: the disk's indexes may be under construction.
func verify(t testing.TB, disk *kvtest.Disk) {
	t.Helper()
	if err := kv.VerifyIndexes(t.Context(), disk.Copy().Open()); err != nil {
		t.Fatal(err)
	}
}

// TestIndexesSurviveACrash: whichever commit of the store is the last one before a crash,
// what is there then is sound, and what follows is right.
func TestIndexesSurviveACrash(t *testing.T) {
	ankqltest.Each(t, 4, func(t *testing.T, g *ankqltest.Gen) {
		g.Full = 25
		disk := kvtest.NewDisk()
		options := kv.Options{Planner: kv.Always, BuildRows: 1 + g.IntN(3)}
		a := storagetest.NewAnswers(t, nil, g)
		for range 8 {
			store := &crashing{Store: disk.Open(), left: 3 + g.IntN(25)}
			e, err := kv.Open(t.Context(), store, options)
			if err != nil {
				t.Fatal(err)
			}
			a.Engine(e)
			for !store.crashed() {
				b := a.Batch()
				switch err := e.Commit(t.Context(), b); {
				case err == nil:
					a.Stored(b)
				case errors.Is(err, errCrashed):
					a.Undo()
				default:
					t.Fatal(err)
				}
				if g.IntN(3) == 0 {
					err := e.Declare(t.Context(), "album", []schema.Index{storagetest.Index(g, g.World.Models["album"])})
					if err != nil && !errors.Is(err, errCrashed) {
						t.Fatal(err)
					}
				}
				a.Ask()
			}
			e.Close()
			verify(t, disk)
		}
		e := openEngine(t, disk, options, false)
		defer e.Close()
		a.Engine(e)
		a.Go(5)
		a.Settle()
		verify(t, disk)
	})
}

var errCrashed = fmt.Errorf("%w: the machine is down", storage.ErrUnavailable)

// crashing is a store that stops to store anything after a number of commits.
type crashing struct {
	kv.Store
	mu   sync.Mutex
	left int
}

func (c *crashing) View(ctx context.Context, read func(kv.Reader) error) error {
	return c.Store.(kv.Viewer).View(ctx, read)
}

func (c *crashing) Commit(ctx context.Context, w *kv.Writes) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return errCrashed
	}
	c.left--
	return c.Store.Commit(ctx, w)
}

func (c *crashing) crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left == 0
}

// TestIndexesUnderConcurrency: writers in two processes, readers, and indexes that come and
// go: nothing is lost, and at the end the entries are those of the rows.
func TestIndexesUnderConcurrency(t *testing.T) {
	disk := kvtest.NewDisk()
	var engines []*kv.Engine
	for range 2 {
		e, err := kv.Open(t.Context(), disk.Open(), kv.Options{Planner: kv.Always, BuildRows: 4})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engines = append(engines, e)
	}
	byYear := schema.Index{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}
	byName := schema.Index{Columns: []schema.IndexColumn{{Path: []string{"name"}, Desc: true}, {Path: []string{"year"}}}}
	var wg sync.WaitGroup
	var writing atomic.Int32
	const writers, each = 4, 60
	writing.Store(writers)
	for i := range writers {
		e := engines[i%2]
		w := storagetest.NewWorld(uint64(i + 1))
		wg.Go(func() {
			defer writing.Add(-1)
			var last *proto.Record
			for n := range each {
				_, rec := w.Create("album", w.AlbumFields()...)
				writes := []storage.RecordWrite{{Record: rec}}
				if last != nil {
					_, edited := w.Edit(last, w.AlbumFields()...)
					if n%7 == 0 {
						_, edited = w.Delete(last)
					}
					writes = append(writes, storage.RecordWrite{Record: edited, Expect: last.State.Head})
				}
				if err := e.Commit(t.Context(), &storage.Batch{Records: writes}); err != nil {
					t.Error(err)
					return
				}
				last = rec
			}
		})
	}
	wg.Go(func() {
		for n := 0; writing.Load() > 0; n++ {
			lists := [][]schema.Index{{byYear}, {byYear, byName}, nil, {byName}}
			if err := engines[n%2].Declare(t.Context(), "album", lists[n%len(lists)]); err != nil {
				t.Error(err)
				return
			}
			page, err := engines[n%2].Scan(t.Context(), "album", selection(t, "ORDER BY year"), nil, 10)
			if err != nil {
				t.Errorf("%v, %v", page, err)
				return
			}
		}
	})
	wg.Wait()
	if err := engines[0].Declare(t.Context(), "album", []schema.Index{byYear, byName}); err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, disk)
	never, err := kv.Open(t.Context(), disk.Open(), kv.Options{Planner: kv.Never})
	if err != nil {
		t.Fatal(err)
	}
	defer never.Close()
	for _, text := range storagetest.Selections {
		s := selection(t, text)
		want, err := never.Scan(t.Context(), "album", s, nil, 1000)
		if err != nil {
			t.Fatal(err)
		}
		got, err := engines[1].Scan(t.Context(), "album", s, nil, 1000)
		if err != nil || len(got.Records) != len(want.Records) {
			t.Fatalf("%s: %d records by index, %d by scan, %v", text, len(got.Records), len(want.Records), err)
		}
		for i := range got.Records {
			if got.Records[i].Entity != want.Records[i].Entity {
				t.Fatalf("%s: record %d is another one", text, i)
			}
		}
	}
}

// TestEveryCommitMayBeTheLast: a story in which an index is declared, built, used, given
// up and removed, cut off after each commit of the store in turn, by the indexer or by the
// story. What is there then is sound, and the next process brings it to its end.
func TestEveryCommitMayBeTheLast(t *testing.T) {
	byYear := schema.Index{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}
	byName := schema.Index{Columns: []schema.IndexColumn{{Path: []string{"name"}, Desc: true}}}
	options := kv.Options{Planner: kv.Always, BuildRows: 2, IdleIndexes: 1}
	story := func(e *kv.Engine) error {
		w := storagetest.NewWorld(3)
		var recs []*proto.Record
		for range 7 {
			_, rec := w.Create("album", w.AlbumFields()...)
			if err := e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}}); err != nil && !errors.Is(err, storage.ErrConflict) {
				return err
			}
			recs = append(recs, rec)
		}
		for _, declared := range [][]schema.Index{{byYear}, {byYear, byName}, {byName}, nil} {
			if err := e.Declare(t.Context(), "album", declared); err != nil {
				return err
			}
			_, edited := w.Edit(recs[len(declared)], year(int64(len(declared))))
			err := e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: edited, Expect: recs[len(declared)].State.Head}}})
			if err != nil && !errors.Is(err, storage.ErrConflict) {
				return err
			}
			recs[len(declared)] = edited
			if err := e.Settle(t.Context()); err != nil {
				return err
			}
		}
		return e.Commit(t.Context(), &storage.Batch{Evict: []id.EntityID{recs[5].Entity}})
	}
	crashed := true
	for n := 0; crashed; n++ {
		disk := kvtest.NewDisk()
		store := &crashing{Store: disk.Open(), left: n + 1} // the first one is the version's
		e, err := kv.Open(t.Context(), store, options)
		if err != nil {
			t.Fatal(err)
		}
		err = story(e)
		if crashed = err != nil; crashed && !errors.Is(err, errCrashed) {
			t.Fatalf("cut off after %d commits: %v", n, err)
		}
		e.Close()
		verify(t, disk)
		again := openOptions(t, disk, options)
		if err := story(again); err != nil {
			t.Fatalf("cut off after %d commits, and again: %v", n, err)
		}
		if err := again.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		verify(t, disk)
	}
}

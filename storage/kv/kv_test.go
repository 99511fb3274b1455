package kv_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// The engine keeps its promises whether or not the store can visit, and however little
// it may do or remember in one call.
var variants = map[string]struct {
	options kv.Options
	plain   bool
}{
	"visiting": {},
	"plain":    {plain: true},
	"tight":    {options: kv.Options{ScanRows: 3, Homes: -1, Heads: -1}},
	"tightest": {options: kv.Options{ScanRows: 1, Homes: 4, Heads: 500}, plain: true},
	"indexing": {options: kv.Options{Planner: kv.Always, AutoIndexRows: 1, BuildRows: 3, ScanRows: 50}},
	"walking":  {options: kv.Options{Planner: kv.Always, BuildRows: 1, ScanRows: 1}},
}

func openEngine(t testing.TB, disk *kvtest.Disk, options kv.Options, plain bool) storage.Engine {
	t.Helper()
	store := disk.Open()
	if plain {
		store = kvtest.Plain(store)
	}
	e, err := kv.Open(t.Context(), store, options)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEngine(t *testing.T) {
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(t testing.TB) storage.Engine {
				return openEngine(t, kvtest.NewDisk(), v.options, v.plain)
			})
			storagetest.RunDurable(t, func(testing.TB) func(testing.TB) storage.Engine {
				disk := kvtest.NewDisk()
				return func(t testing.TB) storage.Engine { return openEngine(t, disk, v.options, v.plain) }
			})
		})
	}
}

// Every seed is a history in which the engine and the oracle agree.
func FuzzHistory(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, plain bool) {
		e := openEngine(t, kvtest.NewDisk(), kv.Options{ScanRows: int(seed%40) + 1, Homes: int(seed % 20), Heads: int(seed % 2000)}, plain)
		defer e.Close()
		storagetest.Compare(t, e, seed, 60)
	})
}

//go:build js && wasm

package indexeddb

import (
	"context"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func openEngine(t testing.TB, o Options) storage.Engine {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Open(context.Background(), s, kv.Options{})
	if err != nil {
		_ = s.Close()
		t.Fatal(err)
	}
	return e
}

func TestEngineConformance(t *testing.T) {
	storagetest.Run(t, func(t testing.TB) storage.Engine { return openEngine(t, Options{Name: newName(t)}) })
}

func TestEngineKeepsItsData(t *testing.T) {
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		o := Options{Name: newName(t)}
		return func(t testing.TB) storage.Engine { return openEngine(t, o) }
	})
}

// Selections that return few rows of many, without an index and with one.
func BenchmarkSelections(b *testing.B) {
	storagetest.BenchmarkSelections(b, []int{10_000, 100_000}, openForSelections)
}

// A commit by how many indexes it has to keep up.
func BenchmarkUpkeep(b *testing.B) { storagetest.BenchmarkUpkeep(b, openForSelections) }

func openForSelections(t testing.TB) storage.Engine {
	s, err := Open(context.Background(), Options{Name: newName(t)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Open(context.Background(), s, kv.Options{AutoIndexes: -1})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

package sqlite

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/relational"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func BenchmarkEngine(b *testing.B) {
	storagetest.Benchmark(b, func(b testing.TB) storage.Engine { return open(b, file(b)) })
}

func BenchmarkSelections(b *testing.B) {
	storagetest.BenchmarkSelections(b, []int{100_000, 1_000_000}, func(b testing.TB) storage.Engine {
		e, err := Open(b.Context(), file(b), Options{Indexes: relational.IndexOptions{AutoIndexes: -1}})
		if err != nil {
			b.Fatal(err)
		}
		return e
	})
}

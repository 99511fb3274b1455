package sqlite

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func BenchmarkEngine(b *testing.B) {
	storagetest.Benchmark(b, func(b testing.TB) storage.Engine { return open(b, file(b)) })
}

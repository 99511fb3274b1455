package memory_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// The memory engine has no indexes: it is the plain one that others are held against.
func BenchmarkSelections(b *testing.B) {
	storagetest.BenchmarkSelections(b, []int{10_000, 100_000}, func(testing.TB) storage.Engine { return memory.New() })
}

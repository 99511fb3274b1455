package paged

import (
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// The cost of the store itself: the disk is a map.
func BenchmarkCommitSmall(b *testing.B) {
	s := open(b, newMemoryDisk(), Options{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w := &kv.Writes{}
		for _, space := range []string{"e", "h", "r"} {
			w.Puts = append(w.Puts, kv.Pair{Key: fmt.Appendf(nil, "%s%016d", space, i), Value: make([]byte, 200)})
		}
		w.Checks = []kv.Check{{Key: w.Puts[2].Key}}
		if err := s.Commit(b.Context(), w); err != nil {
			b.Fatal(err)
		}
	}
}

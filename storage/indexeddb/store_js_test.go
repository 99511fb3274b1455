//go:build js && wasm

package indexeddb

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
)

var databases atomic.Int64

// openNew opens a store in a database of its own.
func openNew(t testing.TB) (kv.Store, Options) {
	t.Helper()
	o := Options{Name: fmt.Sprintf("%s-%d", t.Name(), databases.Add(1))}
	return open(t, o), o
}

func open(t testing.TB, o Options) kv.Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRandomHistoryAgainstModel(t *testing.T) {
	for seed := range uint64(5) {
		s, o := openNew(t)
		h, m := newHistory(t, seed, 60, 100), model{}
		for i := range 200 {
			if err := h.step(t.Context(), s, m); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if i%50 == 49 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, o)
			}
		}
		if err := m.same(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
}

func benchPairs(n int) []kv.Pair {
	pairs := make([]kv.Pair, n)
	for i := range pairs {
		pairs[i] = kv.Pair{Key: fmt.Appendf(nil, "r5album%016d", i), Value: make([]byte, 230)}
	}
	return pairs
}

func BenchmarkCommitOne(b *testing.B) {
	s, _ := openNew(b)
	pairs := benchPairs(1)
	for i := 0; b.Loop(); i++ {
		pairs[0].Key = fmt.Appendf(nil, "r5album%016d", i)
		if err := s.Commit(b.Context(), &kv.Writes{Puts: pairs}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit10k(b *testing.B) {
	pairs := benchPairs(10_000)
	for b.Loop() {
		b.StopTimer()
		s, _ := openNew(b)
		b.StartTimer()
		if err := s.Commit(b.Context(), &kv.Writes{Puts: pairs}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan10k(b *testing.B) {
	s, _ := openNew(b)
	if err := s.Commit(b.Context(), &kv.Writes{Puts: benchPairs(10_000)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		pairs, err := s.Scan(b.Context(), kv.Range{}, 0)
		if err != nil || len(pairs) != 10_000 {
			b.Fatal(len(pairs), err)
		}
	}
}

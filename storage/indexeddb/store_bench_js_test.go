//go:build js && wasm

package indexeddb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/storage/indexeddb/internal/paged"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// rows makes the pairs that n rows of some 230 bytes become in an engine: an event, a
// history row and a record each.
func rows(from, n int) []kv.Pair {
	random := rand.NewChaCha8([32]byte{byte(from)})
	pairs := make([]kv.Pair, 0, 3*n)
	for i := from; i < from+n; i++ {
		id := fmt.Appendf(nil, "%016d", i)
		value := make([]byte, 560)
		_, _ = random.Read(value)
		pairs = append(pairs,
			kv.Pair{Key: append([]byte{'e'}, id...), Value: value[:250]},
			kv.Pair{Key: append(append([]byte{'h'}, id...), id...), Value: []byte("album")},
			kv.Pair{Key: append([]byte("r\x05album"), id...), Value: value[250:]},
		)
	}
	return pairs
}

func fill(b *testing.B, s kv.Store, n int) {
	b.Helper()
	const step = 10_000
	for i := 0; i < n; i += step {
		if err := s.Commit(b.Context(), &kv.Writes{Puts: rows(i, min(step, n-i))}); err != nil {
			b.Fatal(err)
		}
	}
}

// The floors are what IndexedDB takes for the same bytes, with nothing above it: compare
// a figure with the floor of the same run.
func BenchmarkFloorCommitOne(b *testing.B) {
	for _, durability := range []Durability{Relaxed, Strict} {
		b.Run(string(durability), func(b *testing.B) {
			d := openDisk(b, durability)
			value := bytesOf(rows(0, 1))
			for i := 0; b.Loop(); i++ {
				key := fmt.Appendf(nil, "%016d", i)
				if _, err := d.Transact(b.Context(), &paged.Transaction{Puts: []kv.Pair{{Key: key, Value: value}}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFloorCommit10kRows(b *testing.B) {
	const chunk = 60 << 10
	data := bytesOf(rows(0, 10_000))
	t := &paged.Transaction{}
	for i := 0; i < len(data); i += chunk {
		t.Puts = append(t.Puts, kv.Pair{Key: fmt.Appendf(nil, "%016d", i), Value: data[i:min(i+chunk, len(data))]})
	}
	for b.Loop() {
		b.StopTimer()
		d := openDisk(b, Relaxed)
		b.StartTimer()
		if _, err := d.Transact(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
}

func openDisk(b *testing.B, durability Durability) *database {
	d, err := openDatabase(b.Context(), Options{Name: newName(b), Durability: durability})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return d
}

func bytesOf(pairs []kv.Pair) (data []byte) {
	for _, p := range pairs {
		data = append(append(data, p.Key...), p.Value...)
	}
	return data
}

func BenchmarkCommitOne(b *testing.B) {
	for _, durability := range []Durability{Relaxed, Strict} {
		b.Run(string(durability), func(b *testing.B) {
			s := open(b, Options{Name: newName(b), Durability: durability})
			fill(b, s, 10_000)
			settle(b, s)
			pairs := rows(10_000, 10_000)
			for i := 0; b.Loop(); i++ {
				row := pairs[3*(i%10_000):][:3]
				w := &kv.Writes{Puts: row}
				if i < 10_000 {
					w.Checks = []kv.Check{{Key: row[2].Key}}
				}
				if err := s.Commit(b.Context(), w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCommit10kRows(b *testing.B) {
	pairs := rows(0, 10_000)
	w := &kv.Writes{Puts: pairs}
	for i := 2; i < len(pairs); i += 3 {
		w.Checks = append(w.Checks, kv.Check{Key: pairs[i].Key})
	}
	for b.Loop() {
		b.StopTimer()
		s := open(b, Options{Name: newName(b)})
		b.StartTimer()
		if err := s.Commit(b.Context(), w); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		_ = s.Close()
		b.StartTimer()
	}
}

var sizes = []int{10_000, 100_000}

func forSizes(b *testing.B, run func(b *testing.B, o Options, n int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			o := Options{Name: newName(b)}
			s := open(b, o)
			fill(b, s, n)
			settle(b, s)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			run(b, o, n)
		})
	}
}

// settle waits until a scan over everything finds nothing left to merge.
func settle(b *testing.B, s kv.Store) {
	b.Helper()
	if err := s.(*store).Settle(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkOpen(b *testing.B) {
	forSizes(b, func(b *testing.B, o Options, _ int) {
		for b.Loop() {
			s, err := Open(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			_ = s.Close()
			b.StartTimer()
		}
	})
}

// BenchmarkOpenAndGet50 is what an ordered query over an index costs when nothing is in
// memory: fifty rows from anywhere.
func BenchmarkOpenAndGet50(b *testing.B) {
	forSizes(b, func(b *testing.B, o Options, n int) {
		for b.Loop() {
			s, err := Open(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			keys := make([][]byte, 50)
			for i := range keys {
				keys[i] = fmt.Appendf(nil, "r\x05album%016d", rand.IntN(n))
			}
			if _, err := s.Get(b.Context(), keys); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			_ = s.Close()
			b.StartTimer()
		}
	})
}

// BenchmarkVisit is what a query without an index costs: all records of a collection,
// read from the disk the first time, and as far as they fit from memory later.
func BenchmarkVisit(b *testing.B) {
	forSizes(b, func(b *testing.B, o Options, n int) {
		s, err := Open(context.Background(), o)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		for b.Loop() {
			count := 0
			err := s.(kv.Viewer).View(b.Context(), func(r kv.Reader) error {
				return r.Visit(kv.Range{Start: []byte("r"), End: []byte("s")}, 0, func(_, _ []byte) bool { count++; return true })
			})
			if err != nil || count != n {
				b.Fatal(count, err)
			}
		}
	})
}

func BenchmarkScan10k(b *testing.B) {
	s := open(b, Options{Name: newName(b)})
	fill(b, s, 10_000)
	settle(b, s)
	for b.Loop() {
		pairs, err := s.Scan(b.Context(), kv.Range{Start: []byte("r"), End: []byte("s")}, 0)
		if err != nil || len(pairs) != 10_000 {
			b.Fatal(len(pairs), err)
		}
	}
}

package tikv

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tikv/client-go/v2/oracle"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// What storagetest measures of every engine, on the cluster of the tests, which has no disk.
func BenchmarkEngine(b *testing.B) {
	storagetest.Benchmark(b, func(b testing.TB) storage.Engine { return open(b, tikvtest.URL(b), Options{}) })
}

// What a commit costs beside the same statements through the client by hand: a transaction that
// reads two rows of 230 bytes, finds them as expected, and writes five. Each writer has rows of
// its own.
func BenchmarkCommit(b *testing.B) {
	for _, writers := range []int{1, 64} {
		for name, commit := range map[string]func(s *store, w *kv.Writes) error{"store": viaStore, "hand": byHand} {
			b.Run(fmt.Sprintf("writers=%d/%s", writers, name), func(b *testing.B) {
				s := openedStore(b, tikvtest.URL(b), Options{})
				defer s.Close()
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				for i := range writers {
					wg.Go(func() {
						for n := int64(0); left.Add(-1) >= 0; n++ {
							if err := commit(s, statements(i, n)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// What a commit of one writer costs beside its statements by hand: in turn, so that whatever else
// the machine does meets both.
func BenchmarkCommitAgainstStatements(b *testing.B) {
	s := openedStore(b, tikvtest.URL(b), Options{})
	defer s.Close()
	feed, err := s.join(b.Context()) // so that a commit reads the lease on its feed, too
	if err != nil {
		b.Fatal(feed, err)
	}
	took := map[string][]time.Duration{}
	for n := int64(0); b.Loop(); n++ {
		for writer, by := range []struct {
			name   string
			commit func(*store, *kv.Writes) error
		}{{"store", viaStore}, {"hand", byHand}} {
			w := statements(writer, n)
			begun := time.Now()
			if err := by.commit(s, w); err != nil {
				b.Fatal(err)
			}
			took[by.name] = append(took[by.name], time.Since(begun))
		}
	}
	median := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2].Nanoseconds()) / 1000
	}
	b.ReportMetric(median(took["store"]), "µs/commit")
	b.ReportMetric(median(took["hand"]), "µs/by-hand")
	b.ReportMetric(median(took["store"])/median(took["hand"]), "ratio")
}

// statements are those of the n-th commit of a writer.
func statements(writer int, n int64) *kv.Writes {
	w := &kv.Writes{}
	for i := range 2 {
		key := fmt.Appendf(nil, "row/%d/%d", writer, i)
		check := kv.Check{Key: key}
		if n > 0 {
			check.Value = benchValue(n - 1)
		}
		w.Checks = append(w.Checks, check)
		w.Puts = append(w.Puts, kv.Pair{Key: key, Value: benchValue(n)})
	}
	for i := range 3 {
		w.Puts = append(w.Puts, kv.Pair{Key: fmt.Appendf(nil, "new/%d/%d/%d", writer, n, i), Value: benchValue(n)})
	}
	return w
}

func benchValue(n int64) []byte { return append(bytes.Repeat([]byte{'v'}, 222), number(n)...) }

func viaStore(s *store, w *kv.Writes) error { return s.Commit(s.life, w) }

// byHand does what Commit does, with nothing but the client.
func byHand(s *store, w *kv.Writes) error {
	tx, err := s.client.Begin()
	if err != nil {
		return err
	}
	tx.SetEnable1PC(true)
	var keys [][]byte
	for _, c := range w.Checks {
		keys = append(keys, s.dataKey(c.Key))
	}
	found, err := tx.GetSnapshot().BatchGet(s.life, keys)
	if err != nil {
		return err
	}
	for i, c := range w.Checks {
		if stored := found[string(keys[i])].Value; len(stored) > 0 && !bytes.Equal(stored[1:], c.Value) || len(stored) == 0 && c.Value != nil {
			return storage.ErrConflict
		}
	}
	for _, p := range w.Puts {
		if err := tx.Set(s.dataKey(p.Key), wrap(p.Value)); err != nil {
			return err
		}
	}
	return tx.Commit(s.life)
}

// What reads cost beside the same through the client by hand.
func BenchmarkRead(b *testing.B) {
	s := openedStore(b, tikvtest.URL(b), Options{})
	defer s.Close()
	w := kv.Writes{}
	for i := range 1000 {
		w.Puts = append(w.Puts, kv.Pair{Key: fmt.Appendf(nil, "row%06d", i), Value: benchValue(int64(i))})
	}
	if err := s.Commit(b.Context(), &w); err != nil {
		b.Fatal(err)
	}
	key := []byte("row000500")
	b.Run("get/store", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(b.Context(), [][]byte{key}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get/hand", func(b *testing.B) {
		for b.Loop() {
			ts, err := s.client.CurrentTimestamp(oracle.GlobalTxnScope)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.client.GetSnapshot(ts).Get(b.Context(), s.dataKey(key)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("scan/store", func(b *testing.B) {
		for b.Loop() {
			if pairs, err := s.Scan(b.Context(), kv.Range{Start: []byte("row")}, 0); err != nil || len(pairs) != 1000 {
				b.Fatal(len(pairs), err)
			}
		}
	})
	b.Run("scan/hand", func(b *testing.B) {
		for b.Loop() {
			ts, err := s.client.CurrentTimestamp(oracle.GlobalTxnScope)
			if err != nil {
				b.Fatal(err)
			}
			it, err := s.client.GetSnapshot(ts).Iter(s.dataKey([]byte("row")), s.ownKey("e"))
			n := 0
			for ; err == nil && it.Valid(); err = it.Next() {
				n++
			}
			if err != nil || n != 1000 {
				b.Fatal(n, err)
			}
			it.Close()
		}
	})
}

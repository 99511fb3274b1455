package paged

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// tiny makes everything happen that takes megabytes otherwise.
var tiny = Options{CacheBytes: 600, MergeBytes: 500, OverlayBytes: 3000, PageBytes: 200, StepBytes: 400}

func open(t testing.TB, d Disk, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), d, o)
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

func settle(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{"default": {}, "tiny": tiny} {
		t.Run(name, func(t *testing.T) {
			kvtest.Run(t, func(testing.TB) kvtest.Place {
				d := newMemoryDisk()
				return kvtest.PlaceFunc(func(t testing.TB) kv.Store {
					s, err := Open(context.Background(), d, o)
					if err != nil {
						t.Fatal(err)
					}
					return s
				})
			})
		})
	}
}

// options makes some of a seed, so that limits meet in many ways.
func options(r *rand.Rand) Options {
	page := 50 + r.IntN(400)
	return Options{
		CacheBytes:   r.IntN(2000),
		MergeBytes:   1 + r.IntN(2000),
		OverlayBytes: 2000 + r.IntN(4000),
		PageBytes:    page,
		StepBytes:    page + r.IntN(1500),
	}
}

func TestRandomHistoryAgainstModel(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, seed, 20+int(seed)*3, 2+int(seed))
			d, m, o := newMemoryDisk(), model{}, options(h.Rand)
			s := open(t, d, o)
			for i := range 300 {
				if err := h.step(t.Context(), s, m); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
				switch h.IntN(60) {
				case 0:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = open(t, d, o)
				case 1:
					settle(t, s)
					if n, size := d.count(allLog); n > 0 {
						t.Fatalf("%d log records of %d bytes after everything was merged", n, size)
					}
				case 2:
					if err := m.same(t.Context(), s); err != nil {
						t.Fatalf("step %d: %v", i, err)
					}
				}
			}
			if err := m.same(t.Context(), s); err != nil {
				t.Error(err)
			}
			if err := d.verify(o.PageBytes); err != nil {
				t.Error(err)
			}
		})
	}
}

// moment is a disk just before a transaction, and what it may hold: everything that
// was acknowledged, and perhaps the commit in progress.
type moment struct {
	disk     *memoryDisk
	model    model
	progress *kv.Writes
}

func (at moment) verify(t *testing.T, o Options) error {
	s := open(t, at.disk, o)
	defer func() { _ = s.Close() }()
	err := at.model.same(t.Context(), s)
	if err != nil && at.progress != nil {
		at.model.apply(at.progress)
		err = at.model.same(t.Context(), s)
	}
	return err
}

func TestCrashAtEveryTransaction(t *testing.T) {
	for seed := range uint64(30) {
		h := newHistory(t, seed, 40, 60)
		o := options(h.Rand)
		d, m := newMemoryDisk(), model{}
		var progress *kv.Writes
		var moments []moment
		d.fault = func(int, *Transaction) (bool, error) {
			c := newMemoryDisk()
			c.records = maps.Clone(d.records)
			moments = append(moments, moment{c, maps.Clone(m), progress})
			return false, nil
		}
		s := open(t, d, o)
		for i := range 80 {
			w, holds := h.writes(m)
			d.mu.Lock()
			if progress = nil; holds {
				progress = w
			}
			d.mu.Unlock()
			err := s.Commit(t.Context(), w)
			if holds != (err == nil) {
				t.Fatalf("commit %d: %v", i, err)
			}
			d.mu.Lock()
			if holds {
				m.apply(w)
			}
			progress = nil
			d.mu.Unlock()
		}
		_ = s.Close()
		for i, at := range moments {
			if err := at.verify(t, o); err != nil {
				t.Fatalf("seed %d, before transaction %d of %d: %v", seed, i, len(moments), err)
			}
		}
	}
}

// Transactions fail, with an outcome that is known or not. What the store shows stays
// what it acknowledged, and so does what it has after it was opened again.
func TestFaultsLoseNothing(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, seed, 40, 60)
			faults := rand.New(rand.NewPCG(seed, 1))
			o := options(h.Rand)
			o.OverlayBytes = 1 << 20 // a commit that waits for a failing merge would fail too
			d, m := newMemoryDisk(), model{}
			s := open(t, d, o)
			d.setFault(func(_ int, tx *Transaction) (bool, error) {
				switch faults.IntN(6) {
				case 0:
					return false, storage.ErrFull
				case 1:
					return faults.IntN(2) == 0, errLost
				}
				return false, nil
			})
			for i := range 200 {
				w, holds := h.writes(m)
				err := s.Commit(t.Context(), w)
				switch {
				case err == nil && holds:
					m.apply(w)
				case err == nil, errors.Is(err, storage.ErrConflict) && holds:
					t.Fatalf("commit %d: %v, though its checks hold: %v", i, err, holds)
				case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrFull), errors.Is(err, errLost):
				default:
					t.Fatalf("commit %d: %v", i, err)
				}
				if err := m.same(t.Context(), s); err != nil && !errors.Is(err, storage.ErrFull) && !errors.Is(err, errLost) {
					t.Fatalf("after commit %d: %v", i, err)
				}
			}
			d.setFault(nil)
			// One more commit leaves no doubt about the one before.
			last := &kv.Writes{Puts: []kv.Pair{{Key: []byte("last"), Value: []byte{1}}}}
			if err := s.Commit(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			m.apply(last)
			_ = s.Close()
			s = open(t, d, o)
			if err := m.same(t.Context(), s); err != nil {
				t.Errorf("after opening again: %v", err)
			}
			settle(t, s)
			if err := m.same(t.Context(), s); err != nil {
				t.Errorf("after merging: %v", err)
			}
			if err := d.verify(o.PageBytes); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSecondStoreSupersedesTheFirst(t *testing.T) {
	d := newMemoryDisk()
	told := make(chan struct{}, 2)
	o := Options{OnSuperseded: func() { told <- struct{}{} }}
	first := open(t, d, o)
	write := func(value string) *kv.Writes {
		return &kv.Writes{Puts: []kv.Pair{{Key: []byte("k"), Value: []byte(value)}}}
	}
	if err := first.Commit(t.Context(), write("1")); err != nil {
		t.Fatal(err)
	}
	second := open(t, d, Options{})
	for range 2 {
		err := first.Commit(t.Context(), write("2"))
		if !errors.Is(err, ErrSuperseded) || !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("commit of the first: %v", err)
		}
	}
	<-told
	if _, err := first.Get(t.Context(), [][]byte{[]byte("k")}); !errors.Is(err, ErrSuperseded) {
		t.Errorf("get of the first: %v", err)
	}
	values, err := second.Get(t.Context(), [][]byte{[]byte("k")})
	if err != nil || string(values[0]) != "1" {
		t.Errorf("the second has %q, %v", values, err)
	}
	if len(told) > 0 {
		t.Error("told twice")
	}
}

func TestDataThatWasRemovedSupersedes(t *testing.T) {
	d := newMemoryDisk()
	s := open(t, d, Options{})
	d.mu.Lock()
	clear(d.records)
	d.mu.Unlock()
	err := s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: []byte("k")}}})
	if !errors.Is(err, ErrSuperseded) {
		t.Errorf("commit: %v", err)
	}
	if n, _ := d.count(Span{[]byte{0}, []byte{255}}); n > 0 {
		t.Errorf("%d records were written", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	valid := append([]byte{Version}, make([]byte, tokenBytes)...)
	for name, c := range map[string]struct {
		records map[string][]byte
		want    error
	}{
		"a newer layout":        {map[string][]byte{"m": {Version + 1, 7}}, ErrNewer},
		"an empty version":      {map[string][]byte{"m": {}}, storage.ErrCorrupt},
		"a short token":         {map[string][]byte{"m": {Version, 1}}, storage.ErrCorrupt},
		"a log without version": {map[string][]byte{string(logKey(1)): {}}, storage.ErrCorrupt},
		"a directory without":   {map[string][]byte{"d": {}}, storage.ErrCorrupt},
		"a malformed directory": {map[string][]byte{"m": valid, "d": {0, 200}}, storage.ErrCorrupt},
		"a disordered one":      {map[string][]byte{"m": valid, "d": {0, 0}}, storage.ErrCorrupt},
		"no first page":         {map[string][]byte{"m": valid, "pa": {}}, storage.ErrCorrupt},
		"a log key":             {map[string][]byte{"m": valid, "l1": {}}, storage.ErrCorrupt},
		"a malformed log entry": {map[string][]byte{"m": valid, string(logKey(1)): {9}}, storage.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			d := newMemoryDisk()
			d.records = c.records
			if _, err := Open(t.Context(), d, Options{}); !errors.Is(err, c.want) {
				t.Errorf("Open: %v, want %v", err, c.want)
			}
		})
	}
}

func TestCorruptPageIsReported(t *testing.T) {
	for name, page := range map[string][]byte{
		"malformed":    {200},
		"out of order": appendEntry(appendEntry(nil, []byte("b"), []byte{}), []byte("a"), []byte{}),
		"twice":        appendEntry(appendEntry(nil, []byte("a"), []byte{}), []byte("a"), []byte{}),
		"missing":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			d := newMemoryDisk()
			d.records["m"] = append([]byte{Version}, make([]byte, tokenBytes)...)
			d.records["p"] = page
			s := open(t, d, Options{})
			if page == nil {
				d.mu.Lock()
				delete(d.records, "p")
				d.mu.Unlock()
			}
			if _, err := s.Get(t.Context(), [][]byte{[]byte("a")}); !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("Get: %v", err)
			}
			if _, err := s.Scan(t.Context(), kv.Range{}, 0); !errors.Is(err, storage.ErrCorrupt) {
				t.Errorf("Scan: %v", err)
			}
		})
	}
}

package paged

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// slowDisk holds the transactions that read pages until it is told to let them go on.
type slowDisk struct {
	*memoryDisk
	release chan struct{}

	mu    sync.Mutex
	reads map[string]int // gets of pages, by key
}

func (d *slowDisk) Transact(ctx context.Context, t *Transaction) (*Results, error) {
	if !t.Writes() && len(t.Gets) > 0 && t.Gets[0][0] == pageKey(nil)[0] {
		d.mu.Lock()
		for _, key := range t.Gets {
			d.reads[string(key)]++
		}
		d.mu.Unlock()
		select {
		case <-d.release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return d.memoryDisk.Transact(ctx, t)
}

// coldStore opens a store over ten pages, none of which is in memory.
func coldStore(t *testing.T) (*Store, *slowDisk, [][]byte) {
	t.Helper()
	d := &slowDisk{memoryDisk: newMemoryDisk(), release: make(chan struct{}), reads: map[string]int{}}
	o := Options{PageBytes: 200, MergeBytes: 1}
	first, err := Open(t.Context(), d.memoryDisk, o)
	if err != nil {
		t.Fatal(err)
	}
	var w kv.Writes
	var keys [][]byte
	for i := range 40 {
		keys = append(keys, fmt.Appendf(nil, "key %02d", i))
		w.Puts = append(w.Puts, kv.Pair{Key: keys[i], Value: make([]byte, 40)})
	}
	if err := first.Commit(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	settle(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, d, o)
	if pages := s.mu.directory.len(); pages < 10 {
		t.Fatalf("%d pages are too few for this test", pages)
	}
	return s, d, keys
}

// Calls that want the same pages at the same time read each of them once.
func TestPagesAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, keys := coldStore(t)
		for i := range 50 {
			go func() {
				if i%2 == 0 {
					values, err := s.Get(t.Context(), keys[i%7:])
					if err != nil || len(values) != len(keys)-i%7 || values[0] == nil {
						t.Errorf("get: %d values, %v", len(values), err)
					}
					return
				}
				pairs, err := s.Scan(t.Context(), kv.Range{}, len(keys))
				if err != nil || len(pairs) != len(keys) {
					t.Errorf("scan: %d pairs, %v", len(pairs), err)
				}
			}()
		}
		synctest.Wait()
		close(d.release)
		synctest.Wait()
		if len(d.reads) != s.mu.directory.len() {
			t.Errorf("read %d pages of %d", len(d.reads), s.mu.directory.len())
		}
		for key, n := range d.reads {
			if n != 1 {
				t.Errorf("page %q was read %d times", key, n)
			}
		}
	})
}

// A call that ends early, or fails, while it reads a page for others too leaves them to read
// it themselves.
func TestPagesAfterAReaderThatFailed(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		fail func(d *slowDisk, cancel func())
		want error
	}{
		{"canceled", func(_ *slowDisk, cancel func()) { cancel() }, context.Canceled},
		{"failed", func(d *slowDisk, _ func()) {
			failed := false
			d.setFault(func(int, *Transaction) (bool, error) {
				if failed {
					return false, nil
				}
				failed = true
				return false, fmt.Errorf("%w: %w", storage.ErrUnavailable, broken)
			})
			d.release <- struct{}{}
		}, broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d, keys := coldStore(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				first := make(chan error, 1)
				go func() { _, err := s.Get(ctx, keys[:1]); first <- err }()
				synctest.Wait()
				others := make(chan error, 5)
				for range cap(others) {
					go func() {
						values, err := s.Get(t.Context(), keys)
						if err == nil && values[0] == nil {
							err = errors.New("no value")
						}
						others <- err
					}()
				}
				synctest.Wait()
				test.fail(d, cancel)
				if err := <-first; !errors.Is(err, test.want) {
					t.Errorf("the first: %v, want %v", err, test.want)
				}
				close(d.release)
				for range cap(others) {
					if err := <-others; err != nil {
						t.Errorf("another: %v", err)
					}
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if n := len(s.mu.fetches); n != 0 {
					t.Errorf("%d fetches are left", n)
				}
			})
		})
	}
}

package chore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// Whatever is put there before a wake is seen by the work that follows, and none is done twice
// at a time.
func TestEveryWakeIsSeen(t *testing.T) {
	var put, seen, inside atomic.Int64
	w := New(func(context.Context) (bool, error) {
		if inside.Add(1) > 1 {
			t.Error("the work is done twice at a time")
		}
		seen.Store(put.Load())
		inside.Add(-1)
		return false, nil
	})
	defer w.Stop()
	for range 1000 {
		n := put.Add(1)
		w.Wake()
		if n%7 != 0 {
			continue // sometimes it is running, sometimes not
		}
		if err := w.Settle(t.Context()); err != nil || seen.Load() < n {
			t.Fatalf("after %d wakes %d are seen, %v", n, seen.Load(), err)
		}
	}
}

// Work that has more to do is done again without a wake; why the last time failed is told.
func TestMoreAndFailed(t *testing.T) {
	left, broken := 5, errors.New("broken")
	w := New(func(context.Context) (bool, error) {
		if left--; left == 0 {
			return false, broken
		}
		return true, nil
	})
	defer w.Stop()
	if err := w.Settle(t.Context()); err != nil {
		t.Errorf("before it is woken: %v", err)
	}
	w.Wake()
	if err := w.Settle(t.Context()); err != broken || left != 0 {
		t.Errorf("%d are left, %v", left, err)
	}
	left = 1 << 30
	w.Wake()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Settle(ctx); err != context.Canceled {
		t.Errorf("while it goes on: %v", err)
	}
}

// Stop ends work in progress, and nothing is done afterwards.
func TestStop(t *testing.T) {
	begun := make(chan struct{})
	w := New(func(ctx context.Context) (bool, error) {
		close(begun)
		<-ctx.Done()
		return true, ctx.Err()
	})
	w.Wake()
	<-begun
	w.Stop()
	w.Wake() // which would close begun again
	if err := w.Settle(t.Context()); err != nil {
		t.Errorf("after it was stopped: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Settle(ctx); err != nil {
		t.Errorf("there is nothing to wait for: %v", err)
	}
}

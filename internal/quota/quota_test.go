package quota_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/internal/quota"
)

// Nobody ever holds more than its share, nor all more than there is; everybody gets its turn.
func TestQuotaIsKept(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	q := quota.New[int](100, 30)
	var mu sync.Mutex
	held := make(map[int]int)
	hold := func(key, units int) {
		mu.Lock()
		defer mu.Unlock()
		held[key] += units
		if held[key] > 30 {
			t.Errorf("one holds %d", held[key])
		}
		if used := q.Used(); used > 100 {
			t.Errorf("all hold %d", used)
		}
	}
	var all sync.WaitGroup
	for i := range 40 {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for range 50 {
				key, units := i%5, 1+r.IntN(25)
				if err := q.Take(t.Context(), key, units); err != nil {
					t.Error(err)
					return
				}
				hold(key, units)
				runtime.Gosched()
				hold(key, -units)
				q.Give(key, units)
			}
		})
	}
	all.Wait()
	if q.Used() != 0 {
		t.Errorf("%d are left", q.Used())
	}
}

// The rules by example.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := quota.New[string](10, 6)
		var order string
		take := func(ctx context.Context, key string, units int, as string) {
			go func() {
				if q.Take(ctx, key, units) == nil {
					order += as
				} else {
					order += "!"
				}
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		take(ctx, "a", 20, "a") // holds nothing, nor does anybody: it gets what it asks for
		take(ctx, "b", 1, "b")
		if order != "a" {
			t.Fatalf("order %q", order)
		}
		q.Give("a", 20)
		synctest.Wait()
		take(ctx, "a", 6, "c")
		take(ctx, "a", 1, "d") // over its share: it stops nobody
		take(ctx, "b", 2, "e")
		take(ctx, "x", 5, "f") // there is no room for it
		take(ctx, "y", 1, "g") // it waits behind that
		if order != "abce" {
			t.Fatalf("order %q", order)
		}
		q.Give("b", 3)
		q.Give("a", 1)
		synctest.Wait()
		if order != "abced" { // its own share has room now
			t.Fatalf("order %q", order)
		}
		q.Give("a", 1)
		synctest.Wait()
		if order != "abcedf" { // all is held by now
			t.Fatalf("order %q", order)
		}
		cancel()
		synctest.Wait()
		if order != "abcedf!" {
			t.Fatalf("order %q", order)
		}
		if err := q.Take(ctx, "z", 100); !errors.Is(err, context.Canceled) {
			t.Errorf("Take: %v", err)
		}
	})
}

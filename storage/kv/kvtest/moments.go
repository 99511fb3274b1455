package kvtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// whileWriting has readers read, again and again, while commits change several keys together.
func whileWriting(t *testing.T, s kv.Store, keys [][]byte, readers int, read func() (ok bool)) {
	t.Helper()
	write := func(value byte) error {
		w := kv.Writes{}
		for _, key := range keys {
			w.Puts = append(w.Puts, kv.Pair{Key: key, Value: []byte{value}})
		}
		return s.Commit(t.Context(), &w)
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	wg.Go(func() {
		defer stop.Store(true)
		for i := range 60 {
			if err := write(byte(i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range readers {
		wg.Go(func() {
			for !stop.Load() {
				time.Sleep(time.Microsecond) // where there is one thread, as in a browser, the writer needs a turn
				if !read() {
					return
				}
			}
		})
	}
	wg.Wait()
}

// No reader sees some keys changed of those that a commit changes together.
func readIsOfOneMoment(t *testing.T, p Place) {
	s := open(t, p)
	keys := [][]byte{[]byte("a"), []byte("m"), []byte("z")}
	whileWriting(t, s, keys, 2, func() bool {
		values, err := s.Get(t.Context(), keys)
		if err != nil || values[0][0] != values[1][0] || values[1][0] != values[2][0] {
			t.Errorf("get: %v, %v", values, err)
			return false
		}
		pairs, err := s.Scan(t.Context(), kv.Range{}, 0)
		if err != nil || len(pairs) != 3 || pairs[0].Value[0] != pairs[1].Value[0] || pairs[1].Value[0] != pairs[2].Value[0] {
			t.Errorf("scan:%s, %v", text(pairs), err)
			return false
		}
		return true
	})
}

// What a commit does while a view goes on, the view does not show.
func viewIsOfOneMoment(t *testing.T, p Place) {
	s := open(t, p)
	v := viewer(t, s)
	whileWriting(t, s, [][]byte{[]byte("a"), []byte("z")}, 1, func() bool {
		err := v.View(t.Context(), func(r kv.Reader) error {
			first, err := r.Get([][]byte{[]byte("a")})
			if err != nil {
				return err
			}
			var seen []byte
			err = r.Visit(kv.Range{}, 0, func(_, value []byte) bool {
				seen = append(seen, value[0])
				return true
			})
			last, getErr := r.Get([][]byte{[]byte("z")})
			if err != nil || getErr != nil || len(seen) != 2 || seen[0] != first[0][0] || seen[1] != first[0][0] || last[0][0] != first[0][0] {
				t.Errorf("one view reads %v, %v and %v (%v, %v)", first, seen, last, err, getErr)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return err == nil
	})
}

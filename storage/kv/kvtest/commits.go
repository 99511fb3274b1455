package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

func commitChecksAndWritesAsOne(t *testing.T, p Place) {
	s := open(t, p)
	commit(t, s, kv.Writes{Checks: []kv.Check{{Key: []byte("a")}}, Puts: []kv.Pair{put("a", "1"), put("b", "1")}})
	commit(t, s, kv.Writes{
		Checks:  []kv.Check{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("c")}},
		Puts:    []kv.Pair{put("a", "2"), put("c", "")},
		Deletes: [][]byte{[]byte("b"), []byte("absent")},
	})
	commit(t, s, kv.Writes{Checks: []kv.Check{{Key: []byte("c"), Value: []byte{}}}})
	commit(t, s, kv.Writes{})
	if got, want := scan(t, s, kv.Range{}, 0), []kv.Pair{put("a", "2"), put("c", "")}; !equalPairs(got, want) {
		t.Errorf("stored%s, want%s", text(got), text(want))
	}
}

func failedCheckStoresNothing(t *testing.T, p Place) {
	s := open(t, p)
	commit(t, s, kv.Writes{Puts: []kv.Pair{put("a", "1"), put("empty", "")}})
	before := scan(t, s, kv.Range{}, 0)
	for name, check := range map[string]kv.Check{
		"other value":           {Key: []byte("a"), Value: []byte("2")},
		"value is a prefix":     {Key: []byte("a"), Value: []byte("11")},
		"present, not absent":   {Key: []byte("a")},
		"empty is not absent":   {Key: []byte("empty")},
		"absent is not empty":   {Key: []byte("none"), Value: []byte{}},
		"absent is not a value": {Key: []byte("none"), Value: []byte("1")},
	} {
		err := s.Commit(t.Context(), &kv.Writes{
			Checks:  []kv.Check{{Key: []byte("empty"), Value: []byte{}}, check},
			Puts:    []kv.Pair{put("new", "1"), put("a", "3")},
			Deletes: [][]byte{[]byte("empty")},
		})
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: %v, want a conflict", name, err)
		}
		if after := scan(t, s, kv.Range{}, 0); !equalPairs(before, after) {
			t.Fatalf("%s: stored%s, want%s", name, text(after), text(before))
		}
	}
}

// Many goroutines add to one counter by check and put; none of what they were told is
// committed is lost.
func concurrentIncrements(t *testing.T, p Place) {
	s := open(t, p)
	const writers, each = 4, 10
	commit(t, s, kv.Writes{Puts: []kv.Pair{put("n", string([]byte{0}))}})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				values, err := s.Get(t.Context(), [][]byte{[]byte("n")})
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Commit(t.Context(), &kv.Writes{
					Checks: []kv.Check{{Key: []byte("n"), Value: values[0]}},
					Puts:   []kv.Pair{{Key: []byte("n"), Value: []byte{values[0][0] + 1}}},
				})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, storage.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := get(t, s, "n")[0]; n[0] != writers*each {
		t.Errorf("%d increments were committed, %d are stored", writers*each, n[0])
	}
}

func largeCommit(t *testing.T, p Place) {
	s := open(t, p)
	var w kv.Writes
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	w.Puts = append(w.Puts, kv.Pair{Key: []byte("big"), Value: big})
	for i := range 5000 {
		w.Puts = append(w.Puts, put(fmt.Sprintf("k%06d", i), fmt.Sprint("value of ", i)))
	}
	commit(t, s, w)
	if got := get(t, s, "big")[0]; !bytes.Equal(got, big) {
		t.Errorf("a value of %d bytes came back with %d", len(big), len(got))
	}
	if got := scan(t, s, kv.Range{Start: []byte("k")}, 0); len(got) != 5000 || string(got[4999].Value) != "value of 4999" {
		t.Errorf("%d of 5000 keys came back", len(got))
	}
}

package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// viewer returns a store that is one.
func viewer(t testing.TB, s kv.Store) kv.Viewer {
	t.Helper()
	v, ok := s.(kv.Viewer)
	if !ok {
		t.Fatal("the store is no kv.Viewer, and is not declared to lack that")
	}
	return v
}

// lacksViews: a store that is declared to lack views has none, which would go untested.
func lacksViews(t *testing.T, p Place) {
	if _, ok := open(t, p).(kv.Viewer); ok {
		t.Error("the store is a kv.Viewer, and is declared to lack that")
	}
}

func viewReadsWhatTheStoreReads(t *testing.T, p Place) {
	s := open(t, p)
	v := viewer(t, s)
	var w kv.Writes
	for i := range 50 {
		w.Puts = append(w.Puts, put(fmt.Sprintf("%02d", i), fmt.Sprint(i*i)))
	}
	commit(t, s, w)
	asked := [][]byte{[]byte("07"), []byte("none"), []byte("49"), []byte("07")}
	for _, r := range []kv.Range{{}, {Start: []byte("1")}, {Start: []byte("1"), End: []byte("30"), Reverse: true}, {Start: []byte("x")}} {
		for _, limit := range []int{1, 7, 100} {
			var got []kv.Pair
			err := v.View(t.Context(), func(reader kv.Reader) error {
				values, err := reader.Get(asked)
				if err != nil || string(values[0]) != "49" || values[1] != nil || string(values[2]) != "2401" || string(values[3]) != "49" {
					t.Errorf("get: %q, %v", values, err)
				}
				return reader.Visit(r, limit, func(key, value []byte) bool {
					got = append(got, kv.Pair{Key: bytes.Clone(key), Value: bytes.Clone(value)})
					return len(got) < limit
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := scan(t, s, r, limit); !equalPairs(got, want) {
				t.Errorf("view %+v limit %d:%s, want%s", r, limit, text(got), text(want))
			}
		}
	}
	failed := errors.New("failed")
	if err := v.View(t.Context(), func(kv.Reader) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a view returns %v, not what its reader returned", err)
	}
}

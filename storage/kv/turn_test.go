package kv_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
)

// turns is what processes that share a store take turns by.
type turns struct {
	mu            sync.Mutex
	denied        sync.Cond
	taken         bool
	asked, denies int
}

func newTurns() *turns {
	ts := &turns{}
	ts.denied.L = &ts.mu
	return ts
}

func (ts *turns) take(context.Context) (func(), error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.asked++
	if ts.taken {
		ts.denies++
		ts.denied.Broadcast()
		return nil, nil
	}
	ts.taken = true
	return ts.end, nil
}

func (ts *turns) end() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.taken = false
}

func declare(t *testing.T, e *kv.Engine, columns ...string) {
	t.Helper()
	var list []schema.Index
	for _, c := range columns {
		list = append(list, schema.Index{Columns: []schema.IndexColumn{{Path: []string{c}}}})
	}
	if err := e.Declare(t.Context(), "album", list); err != nil {
		t.Fatal(err)
	}
}

// While it is another process's turn nothing is built, and what there is to do is done when
// that has ended; by one process, and the others find it done.
func TestIndexesAreBuiltInTurns(t *testing.T) {
	disk, ts := kvtest.NewDisk(), newTurns()
	o := kv.Options{Turn: ts.take, Patience: time.Millisecond, AutoIndexes: -1, BuildRows: 16}
	a, b := openOptions(t, disk, o), openOptions(t, disk, o)
	fill(t, a, 200)
	end, _ := ts.take(t.Context())
	declare(t, a, "year", "name")
	if _, err := b.Indexes(t.Context(), "album"); err != nil { // b learns what there is to do
		t.Fatal(err)
	}
	ts.mu.Lock()
	for ts.denies < 6 {
		ts.denied.Wait()
	}
	ts.mu.Unlock()
	list, err := a.Indexes(t.Context(), "album")
	if err != nil || len(list) != 2 || list[0].State != storage.IndexBuilding || list[1].State != storage.IndexBuilding {
		t.Errorf("while it is another's turn: %v, %v", list, err)
	}
	end()
	for _, e := range []*kv.Engine{a, b} {
		if got := indexes(t, e); got != "year!; name!" {
			t.Errorf("in the end: %s", got)
		}
	}
	if err := kv.VerifyIndexes(t.Context(), disk.Open()); err != nil {
		t.Error(err)
	}
	declare(t, b, "year")
	for _, e := range []*kv.Engine{b, a} {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ts.taken {
		t.Error("a process that was closed has not ended its turn")
	}
}

func TestCommonKeys(t *testing.T) {
	for key, want := range map[string]bool{
		"c\x05album": true, "c\x00": true, "c\x05albu": false, "c\x05album\x00\x00\x00\x01": false, "r\x05album": false, "c": false, "": false,
	} {
		if got := kv.IsCommon([]byte(key)); got != want {
			t.Errorf("%q: %v", key, got)
		}
	}
}

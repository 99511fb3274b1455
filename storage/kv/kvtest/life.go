package kvtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

func reopen(t *testing.T, p Place) {
	want := []kv.Pair{}
	for round := range 3 {
		s := p.Open(t)
		if got := scan(t, s, kv.Range{}, 0); !equalPairs(got, want) {
			t.Errorf("round %d opens with%s, want%s", round, text(got), text(want))
		}
		pair := put(fmt.Sprint("key", round), fmt.Sprint(round))
		commit(t, s, kv.Writes{Puts: []kv.Pair{pair}})
		want = append(want, pair)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func closedStoreSaysSo(t *testing.T, p Place) {
	s := p.Open(t)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	_, getErr := s.Get(t.Context(), [][]byte{[]byte("a")})
	_, scanErr := s.Scan(t.Context(), kv.Range{}, 1)
	commitErr := s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{put("a", "1")}})
	for call, err := range map[string]error{"get": getErr, "scan": scanErr, "commit": commitErr} {
		if !errors.Is(err, storage.ErrClosed) {
			t.Errorf("%s after close: %v", call, err)
		}
	}
}

func cancelledContext(t *testing.T, p Place) {
	s := open(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, [][]byte{[]byte("a")})
	_, scanErr := s.Scan(ctx, kv.Range{}, 1)
	commitErr := s.Commit(ctx, &kv.Writes{Puts: []kv.Pair{put("a", "1")}})
	for call, err := range map[string]error{"get": getErr, "scan": scanErr, "commit": commitErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
	}
	if got := get(t, s, "a")[0]; got != nil {
		t.Errorf("a cancelled commit stored %q", got)
	}
}

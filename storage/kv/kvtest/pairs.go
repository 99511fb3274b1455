package kvtest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
)

func open(t testing.TB, p Place) kv.Store {
	s := p.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func commit(t testing.TB, s kv.Store, w kv.Writes) {
	t.Helper()
	if err := s.Commit(t.Context(), &w); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func put(key, value string) kv.Pair { return kv.Pair{Key: []byte(key), Value: []byte(value)} }

func get(t testing.TB, s kv.Store, keys ...string) [][]byte {
	t.Helper()
	var asked [][]byte
	for _, key := range keys {
		asked = append(asked, []byte(key))
	}
	values, err := s.Get(t.Context(), asked)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	if len(values) != len(keys) {
		t.Fatalf("get of %d keys returned %d values", len(keys), len(values))
	}
	return values
}

func scan(t testing.TB, s kv.Store, r kv.Range, limit int) []kv.Pair {
	t.Helper()
	pairs, err := s.Scan(t.Context(), r, limit)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return pairs
}

func equalPairs(a, b []kv.Pair) bool {
	return slices.EqualFunc(a, b, func(p, q kv.Pair) bool {
		return bytes.Equal(p.Key, q.Key) && bytes.Equal(p.Value, q.Value)
	})
}

func text(pairs []kv.Pair) string {
	var b bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintf(&b, " %q=%q", p.Key, p.Value)
	}
	return b.String()
}

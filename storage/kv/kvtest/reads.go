package kvtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/storage/kv"
)

func getTellsAbsentFromEmpty(t *testing.T, p Place) {
	s := open(t, p)
	commit(t, s, kv.Writes{Puts: []kv.Pair{put("a", "1"), put("empty", ""), {Key: []byte("nil")}}})
	got := get(t, s, "nil", "a", "absent", "empty", "a")
	for i, want := range []string{"", "1", "absent", "", "1"} {
		if want == "absent" {
			if got[i] != nil {
				t.Errorf("value %d is %q, want nil for an absent key", i, got[i])
			}
		} else if got[i] == nil || string(got[i]) != want {
			t.Errorf("value %d is %q (nil: %v), want %q", i, got[i], got[i] == nil, want)
		}
	}
	if got := get(t, s); len(got) != 0 {
		t.Errorf("no keys have values %q", got)
	}
}

func keysAreComparedAsBytes(t *testing.T, p Place) {
	s := open(t, p)
	keys := []string{"\x00", "\x00\x00", "\x00\x01", "\x01", "A", "a", "a\x00", "a\x00b", "a\x01", "aa", "b", "\x7f", "\x80", "é", "\xc3", "\xff", "\xff\x00", "\xff\xff"}
	var w kv.Writes
	for i, key := range keys {
		w.Puts = append(w.Puts, put(key, fmt.Sprint(i)))
	}
	commit(t, s, w)
	slices.Sort(keys)
	var got []string
	for _, pair := range scan(t, s, kv.Range{}, 0) {
		got = append(got, string(pair.Key))
	}
	if !slices.Equal(got, keys) {
		t.Errorf("keys come as %q, want %q", got, keys)
	}
}

func scanHonoursBounds(t *testing.T, p Place) {
	s := open(t, p)
	var w kv.Writes
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		w.Puts = append(w.Puts, put(key, key+key))
	}
	commit(t, s, w)
	cases := []struct {
		start, end string // "" for nil
		limit      int
		forward    string
		reverse    string
	}{
		{"", "", 0, "abcde", "edcba"},
		{"", "", -1, "abcde", "edcba"},
		{"", "", 2, "ab", "ed"},
		{"", "", 5, "abcde", "edcba"},
		{"b", "", 0, "bcde", "edcb"},
		{"b", "d", 0, "bc", "cb"},
		{"b", "d", 1, "b", "c"},
		{"bb", "dd", 0, "cd", "dc"},
		{"", "c", 9, "ab", "ba"},
		{"c", "c", 0, "", ""},
		{"d", "b", 0, "", ""},
		{"f", "", 0, "", ""},
		{"", "A", 0, "", ""},
	}
	for _, c := range cases {
		r := kv.Range{}
		if c.start != "" {
			r.Start = []byte(c.start)
		}
		if c.end != "" {
			r.End = []byte(c.end)
		}
		for _, want := range []string{c.forward, c.reverse} {
			got := ""
			for _, pair := range scan(t, s, r, c.limit) {
				got += string(pair.Key)
				if string(pair.Value) != string(pair.Key)+string(pair.Key) {
					t.Errorf("key %q has value %q", pair.Key, pair.Value)
				}
			}
			if got != want {
				t.Errorf("[%q, %q) limit %d reverse %v: %q, want %q", c.start, c.end, c.limit, r.Reverse, got, want)
			}
			r.Reverse = true
		}
	}
}

func resultsBelongToTheCaller(t *testing.T, p Place) {
	s := open(t, p)
	commit(t, s, kv.Writes{Puts: []kv.Pair{put("a", "1"), put("b", "2")}})
	for range 2 {
		values := get(t, s, "a", "b")
		pairs := scan(t, s, kv.Range{}, 0)
		if string(values[0]) != "1" || string(values[1]) != "2" || !equalPairs(pairs, []kv.Pair{put("a", "1"), put("b", "2")}) {
			t.Fatalf("read %q and%s after an earlier result was overwritten", values, text(pairs))
		}
		for _, b := range [][]byte{values[0], values[1], pairs[0].Key, pairs[0].Value, pairs[1].Key, pairs[1].Value} {
			b[0] = 'x'
		}
	}
}

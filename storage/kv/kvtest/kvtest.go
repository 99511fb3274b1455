package kvtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Place is somewhere a store's data lives. Each Place that a test gets is empty.
type Place interface {
	// Open opens a store over what is there; the one opened before was closed.
	Open(t testing.TB) kv.Store
}

// PlaceFunc is a Place made of its Open.
type PlaceFunc func(t testing.TB) kv.Store

// Open implements Place.
func (f PlaceFunc) Open(t testing.TB) kv.Store { return f(t) }

// Run runs every case. Each gets a place of its own; what it opens there, it closes.
func Run(t *testing.T, place func(t testing.TB) Place) {
	cases := []struct {
		name string
		run  func(t *testing.T, p Place)
	}{
		{"GetTellsAbsentFromEmpty", getTellsAbsentFromEmpty},
		{"KeysAreComparedAsBytes", keysAreComparedAsBytes},
		{"ScanHonoursBoundsDirectionAndLimit", scanHonoursBounds},
		{"AViewReadsWhatTheStoreReads", viewReadsWhatTheStoreReads},
		{"AViewIsOfOneMoment", viewIsOfOneMoment},
		{"CommitChecksAndWritesAsOne", commitChecksAndWritesAsOne},
		{"AFailedCheckStoresNothing", failedCheckStoresNothing},
		{"ResultsBelongToTheCaller", resultsBelongToTheCaller},
		{"RandomOperationsMatchAMap", randomOperations},
		{"LongKeysAreKeysLikeOthers", longKeys},
		{"ConcurrentIncrementsLoseNothing", concurrentIncrements},
		{"AReadIsOfOneMoment", readIsOfOneMoment},
		{"LargeCommit", largeCommit},
		{"WhatWasCommittedIsThereAfterReopening", reopen},
		{"ClosedStoreSaysSo", closedStoreSaysSo},
		{"CancelledContextIsReported", cancelledContext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, place(t)) })
	}
}

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

func viewReadsWhatTheStoreReads(t *testing.T, p Place) {
	s := open(t, p)
	v, ok := s.(kv.Viewer)
	if !ok {
		return // it is a power that a store may have
	}
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

// What a commit does while a view goes on, the view does not show.
func viewIsOfOneMoment(t *testing.T, p Place) {
	s := open(t, p)
	v, ok := s.(kv.Viewer)
	if !ok {
		return
	}
	write := func(value byte) error {
		return s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: []byte("a"), Value: []byte{value}}, {Key: []byte("z"), Value: []byte{value}}}})
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
	for !stop.Load() {
		time.Sleep(time.Microsecond) // where there is one thread, as in a browser, the writer needs a turn
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
			t.Fatal(err)
		}
	}
	wg.Wait()
}

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

// randomOperations compares a store with a map, through random commits and reads.
func randomOperations(t *testing.T, p Place) {
	s := open(t, p)
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	model := map[string]string{}
	key := func() string { return fmt.Sprintf("%c%c", 'a'+rng.IntN(6), 'a'+rng.IntN(6)) }
	for step := range 400 {
		w, holds := randomWrites(rng, model, key)
		err := s.Commit(t.Context(), &w)
		if holds != (err == nil) || err != nil && !errors.Is(err, storage.ErrConflict) {
			t.Fatalf("seed %d step %d: commit %+v: %v, want checks to hold: %v", seed, step, w, err, holds)
		}
		if holds {
			for _, p := range w.Puts {
				model[string(p.Key)] = string(p.Value)
			}
			for _, k := range w.Deletes {
				delete(model, string(k))
			}
		}
		r := kv.Range{Start: []byte(key()), Reverse: rng.IntN(2) == 0}
		if rng.IntN(2) == 0 {
			r.End = []byte(key())
		}
		limit := rng.IntN(12)
		if got, want := scan(t, s, r, limit), scanModel(model, r, limit); !equalPairs(got, want) {
			t.Fatalf("seed %d step %d: scan %+v limit %d:%s, want%s", seed, step, r, limit, text(got), text(want))
		}
	}
}

// longKeys compares a store with a map whose keys are long, and begin alike for long.
func longKeys(t *testing.T, p Place) {
	s := open(t, p)
	const seed = 8
	rng := rand.New(rand.NewPCG(seed, 0))
	model := map[string]string{}
	key := func() string {
		beginning := strings.Repeat(string(rune('a'+rng.IntN(2))), []int{1, 2999, 3000, 3001, 9000}[rng.IntN(5)])
		return beginning + []string{"", "a", "b", "\x00", "\xff", "\xff\xff", "bb"}[rng.IntN(7)]
	}
	for step := range 60 {
		w, holds := randomWrites(rng, model, key)
		err := s.Commit(t.Context(), &w)
		if holds != (err == nil) || err != nil && !errors.Is(err, storage.ErrConflict) {
			t.Fatalf("seed %d step %d: commit: %v, want checks to hold: %v", seed, step, err, holds)
		}
		if holds {
			for _, p := range w.Puts {
				model[string(p.Key)] = string(p.Value)
			}
			for _, k := range w.Deletes {
				delete(model, string(k))
			}
		}
		asked := key()
		if got := get(t, s, asked)[0]; string(got) != model[asked] {
			t.Fatalf("seed %d step %d: got %q, want %q", seed, step, got, model[asked])
		}
		r := kv.Range{Start: []byte(key()), Reverse: rng.IntN(2) == 0}
		if rng.IntN(3) > 0 {
			r.End = []byte(key())
		}
		limit := rng.IntN(6)
		if got, want := scan(t, s, r, limit), scanModel(model, r, limit); !equalPairs(got, want) {
			t.Fatalf("seed %d step %d: scan from %d to %d bytes, reverse %v, limit %d: %d pairs, want %d, or others", seed, step, len(r.Start), len(r.End), r.Reverse, limit, len(got), len(want))
		}
	}
}

func randomWrites(rng *rand.Rand, model map[string]string, key func() string) (w kv.Writes, holds bool) {
	holds = true
	used := map[string]bool{}
	for range rng.IntN(6) {
		k := key()
		if used[k] {
			continue
		}
		used[k] = true
		if rng.IntN(3) == 0 {
			w.Deletes = append(w.Deletes, []byte(k))
		} else {
			w.Puts = append(w.Puts, put(k, fmt.Sprint(rng.IntN(5))))
		}
	}
	for range rng.IntN(3) {
		c := kv.Check{Key: []byte(key())}
		stored, found := model[string(c.Key)]
		switch {
		case rng.IntN(5) == 0:
			c.Value = []byte("7") // nothing has it
			holds = false
		case found:
			c.Value = []byte(stored)
		}
		w.Checks = append(w.Checks, c)
	}
	return w, holds
}

func scanModel(model map[string]string, r kv.Range, limit int) (pairs []kv.Pair) {
	for k, v := range model {
		if k >= string(r.Start) && (r.End == nil || k < string(r.End)) {
			pairs = append(pairs, put(k, v))
		}
	}
	slices.SortFunc(pairs, func(a, b kv.Pair) int { return cmp.Compare(string(a.Key), string(b.Key)) })
	if r.Reverse {
		slices.Reverse(pairs)
	}
	if limit > 0 {
		pairs = pairs[:min(limit, len(pairs))]
	}
	return pairs
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

// While a writer changes several keys together, no reader sees some of them changed.
func readIsOfOneMoment(t *testing.T, p Place) {
	s := open(t, p)
	keys := [][]byte{[]byte("a"), []byte("m"), []byte("z")}
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
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				values, err := s.Get(t.Context(), keys)
				if err != nil || values[0][0] != values[1][0] || values[1][0] != values[2][0] {
					t.Errorf("get: %v, %v", values, err)
					return
				}
				pairs, err := s.Scan(t.Context(), kv.Range{}, 0)
				if err != nil || len(pairs) != 3 || pairs[0].Value[0] != pairs[1].Value[0] || pairs[1].Value[0] != pairs[2].Value[0] {
					t.Errorf("scan:%s, %v", text(pairs), err)
					return
				}
			}
		})
	}
	wg.Wait()
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

package kvtest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// randomOperations compares a store with a map, through random commits and reads.
func randomOperations(t *testing.T, p Place) {
	s := open(t, p)
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	model := map[string]string{}
	key := func() string { return fmt.Sprintf("%c%c", 'a'+rng.IntN(6), 'a'+rng.IntN(6)) }
	for step := range 400 {
		if err := commitRandomly(t, s, rng, model, key); err != nil {
			t.Fatalf("seed %d step %d: %v", seed, step, err)
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
		if err := commitRandomly(t, s, rng, model, key); err != nil {
			t.Fatalf("seed %d step %d: %v", seed, step, err)
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

// commitRandomly commits something that may be refused, to the store and to the model.
func commitRandomly(t *testing.T, s kv.Store, rng *rand.Rand, model map[string]string, key func() string) error {
	w, holds := randomWrites(rng, model, key)
	err := s.Commit(t.Context(), &w)
	if holds != (err == nil) || err != nil && !errors.Is(err, storage.ErrConflict) {
		return fmt.Errorf("commit of %d puts, %d deletes and %d checks: %v, want the checks to hold: %v", len(w.Puts), len(w.Deletes), len(w.Checks), err, holds)
	}
	if holds {
		for _, p := range w.Puts {
			model[string(p.Key)] = string(p.Value)
		}
		for _, k := range w.Deletes {
			delete(model, string(k))
		}
	}
	return nil
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

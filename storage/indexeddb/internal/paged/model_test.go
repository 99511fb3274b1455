package paged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// model is what a store must hold.
type model map[string][]byte

func (m model) keys() []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (m model) scan(r kv.Range, limit int) []kv.Pair {
	var pairs []kv.Pair
	for _, k := range m.keys() {
		if bytes.Compare([]byte(k), r.Start) >= 0 && (r.End == nil || bytes.Compare([]byte(k), r.End) < 0) {
			pairs = append(pairs, kv.Pair{Key: []byte(k), Value: m[k]})
		}
	}
	if r.Reverse {
		slices.Reverse(pairs)
	}
	if limit > 0 && len(pairs) > limit {
		pairs = pairs[:limit]
	}
	return pairs
}

func (m model) holds(c kv.Check) bool {
	v, ok := m[string(c.Key)]
	return ok == (c.Value != nil) && bytes.Equal(v, c.Value)
}

func (m model) apply(w *kv.Writes) {
	for _, p := range w.Puts {
		m[string(p.Key)] = append([]byte{}, p.Value...)
	}
	for _, k := range w.Deletes {
		delete(m, string(k))
	}
}

// history makes random calls from a seed.
type history struct {
	*rand.Rand
	space int // how many different keys there are
	big   int // greatest size of a value
}

func (h history) key() []byte {
	n := h.IntN(h.space)
	if n == 0 {
		return []byte{}
	}
	// Keys of several lengths, some a prefix of others.
	return []byte(fmt.Sprintf("%c%0*d", 'a'+n%3, n%5, n))
}

func (h history) bound() []byte {
	switch h.IntN(4) {
	case 0:
		return nil
	case 1:
		return []byte{'a' + byte(h.IntN(4))}
	}
	return h.key()
}

func (h history) value() []byte {
	b := make([]byte, h.IntN(h.big))
	for i := range b {
		b[i] = byte(h.Uint32())
	}
	return b
}

// writes makes a commit whose checks hold in m, unless it returns false.
func (h history) writes(m model) (w *kv.Writes, holds bool) {
	w, holds = &kv.Writes{}, true
	written := map[string]bool{}
	for range h.IntN(12) {
		key := h.key()
		if h.IntN(3) == 0 {
			c := kv.Check{Key: key, Value: m[string(key)]}
			if h.IntN(10) == 0 {
				c.Value = append([]byte("other"), c.Value...)
			}
			holds = holds && m.holds(c)
			w.Checks = append(w.Checks, c)
		}
		if written[string(key)] {
			continue
		}
		written[string(key)] = true
		if h.IntN(3) == 0 {
			w.Deletes = append(w.Deletes, key)
		} else {
			w.Puts = append(w.Puts, kv.Pair{Key: key, Value: h.value()})
		}
	}
	return w, holds
}

// step makes one random call to the store and the model, and compares.
func (h history) step(ctx context.Context, s kv.Store, m model) error {
	switch h.IntN(4) {
	case 0:
		return h.get(ctx, s, m)
	case 1:
		return h.scan(ctx, s, m)
	}
	w, holds := h.writes(m)
	err := s.Commit(ctx, w)
	if !holds {
		if !errors.Is(err, storage.ErrConflict) {
			return fmt.Errorf("commit with a check that fails: %v", err)
		}
		return nil
	}
	if err == nil {
		m.apply(w)
	}
	return err
}

func (h history) get(ctx context.Context, s kv.Store, m model) error {
	keys := make([][]byte, h.IntN(6))
	for i := range keys {
		keys[i] = h.key()
	}
	values, err := s.Get(ctx, keys)
	if err != nil || len(values) != len(keys) {
		return fmt.Errorf("get of %d keys: %d values, %v", len(keys), len(values), err)
	}
	for i, k := range keys {
		want, ok := m[string(k)]
		if (values[i] != nil) != ok || !bytes.Equal(values[i], want) {
			return fmt.Errorf("get %q: %x, want %x (present: %v)", k, values[i], want, ok)
		}
	}
	return nil
}

func (h history) scan(ctx context.Context, s kv.Store, m model) error {
	r := kv.Range{Start: h.bound(), End: h.bound(), Reverse: h.IntN(2) == 0}
	limit := h.IntN(10) - 1
	got, err := s.Scan(ctx, r, limit)
	if err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	return samePairs(fmt.Sprintf("scan [%q, %q) reverse %v limit %d", r.Start, r.End, r.Reverse, limit), got, m.scan(r, limit))
}

func samePairs(what string, got, want []kv.Pair) error {
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d pairs, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].Key, want[i].Key) || !bytes.Equal(got[i].Value, want[i].Value) || got[i].Value == nil {
			return fmt.Errorf("%s: pair %d is %q=%x, want %q=%x", what, i, got[i].Key, got[i].Value, want[i].Key, want[i].Value)
		}
	}
	return nil
}

// same compares everything.
func (m model) same(ctx context.Context, s kv.Store) error {
	got, err := s.Scan(ctx, kv.Range{}, 0)
	if err != nil {
		return err
	}
	return samePairs("everything", got, m.scan(kv.Range{}, 0))
}

// newHistory is a history that can be made again from the seed that it logs.
func newHistory(t testing.TB, seed uint64, space, big int) history {
	t.Logf("seed %d", seed)
	return history{rand.New(rand.NewPCG(seed, 0)), space, big}
}

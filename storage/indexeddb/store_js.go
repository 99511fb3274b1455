//go:build js && wasm

package indexeddb

import (
	"bytes"
	"context"
	"errors"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// Open opens the store in the database of the given name, and makes it if there is
// none. It blocks while another connection keeps it from opening, until ctx ends.
func Open(ctx context.Context, o Options) (kv.Store, error) {
	o.ensureDefaults()
	if o.Name == "" {
		return nil, errors.New("indexeddb: Options.Name is empty")
	}
	d, err := openDatabase(ctx, o)
	if err != nil {
		return nil, err
	}
	return &store{d}, nil
}

// store has one record for each key.
type store struct{ database *database }

// Get implements kv.Store.
func (s *store) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	var t transaction
	for _, key := range keys {
		t.get(key)
	}
	r, err := s.database.transact(ctx, &t)
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i := range values {
		values[i] = r.slice()
	}
	return values, r.err()
}

// Scan implements kv.Store.
func (s *store) Scan(ctx context.Context, r kv.Range, limit int) ([]kv.Pair, error) {
	if r.End != nil && bytes.Compare(r.Start, r.End) >= 0 {
		return nil, ctx.Err() // IndexedDB refuses such a range
	}
	var t transaction
	var flags byte
	if r.Reverse {
		flags = scanReverse
	}
	t.scan(r.Start, r.End, flags, limit)
	answer, err := s.database.transact(ctx, &t)
	if err != nil {
		return nil, err
	}
	pairs := make([]kv.Pair, 0, min(int(answer.length()), len(answer.bytes)/8))
	for len(answer.bytes) > 0 && !answer.bad {
		pairs = append(pairs, kv.Pair{Key: answer.slice(), Value: answer.slice()})
	}
	return pairs, answer.err()
}

// Commit implements kv.Store.
func (s *store) Commit(ctx context.Context, w *kv.Writes) error {
	var t transaction
	for _, c := range w.Checks {
		t.check(c.Key, c.Value)
	}
	for _, p := range w.Puts {
		t.put(p.Key, p.Value)
	}
	for _, key := range w.Deletes {
		t.delete(key)
	}
	_, err := s.database.transact(ctx, &t)
	return err
}

// Close implements kv.Store.
func (s *store) Close() error {
	s.database.close()
	return nil
}

package tikv

import (
	"bytes"
	"context"

	"github.com/tikv/client-go/v2/txnkv/txnsnapshot"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// snapshot is a store as it is at one moment.
type snapshot struct {
	store *store
	at    uint64 // a timestamp of the cluster
}

var _ kv.Snapshot = (*snapshot)(nil)

// Close implements kv.Snapshot. A snapshot holds nothing; the cluster keeps old versions for
// a while in any case.
func (n *snapshot) Close() {}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	stored := make([][]byte, len(keys))
	for i, key := range keys {
		stored[i] = n.store.dataKey(key)
	}
	return n.rows(ctx, stored)
}

// rows returns the values of rows by their keys in the cluster, nil where there is none.
func (n *snapshot) rows(ctx context.Context, keys [][]byte) ([][]byte, error) {
	values := make([][]byte, len(keys))
	if len(keys) == 0 {
		return values, ctx.Err()
	}
	err := n.store.attempts(ctx, func(ctx context.Context) error {
		found, err := n.client().BatchGet(ctx, keys)
		if err != nil {
			return err
		}
		taken := make(map[string]bool, len(found))
		for i, key := range keys {
			entry, ok := found[string(key)]
			if !ok || entry.IsValueEmpty() {
				continue
			}
			value, err := unwrap(entry.Value)
			if err != nil {
				return err
			}
			if taken[string(key)] {
				value = bytes.Clone(value) // the caller's own, each of them
			}
			values[i], taken[string(key)] = value, true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// client returns the client's snapshot of the moment, which is cheap and not to be shared.
func (n *snapshot) client() *txnsnapshot.KVSnapshot { return n.store.client.GetSnapshot(n.at) }

// Pages of a scan, in pairs: the first one, where nobody knows how many are wanted, and the
// largest.
const (
	firstPage = 256
	mostPage  = 1024
)

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, r kv.Range, limit int) (pairs []kv.Pair, err error) {
	err = n.visit(ctx, r, max(limit, 0), func(p kv.Pair) bool {
		pairs = append(pairs, p)
		return len(pairs) != limit
	})
	if err != nil {
		return nil, err
	}
	return pairs, nil
}

// View implements kv.Viewer.
func (n *snapshot) View(ctx context.Context, read func(kv.Reader) error) error {
	return read(&reader{ctx, n})
}

// visit calls visit for the pairs of r, in pages, until it returns false. expect is about
// how many will be wanted, 0 for all.
func (n *snapshot) visit(ctx context.Context, r kv.Range, expect int, visit func(kv.Pair) bool) error {
	r = n.store.dataRange(r)
	size := min(expect, mostPage)
	if size == 0 {
		size = firstPage
	}
	cut := len(n.store.place.prefix) + 2
	for bytes.Compare(r.Start, r.End) < 0 {
		pairs, err := n.page(ctx, r, size)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if !visit(kv.Pair{Key: p.Key[cut:len(p.Key):len(p.Key)], Value: p.Value}) {
				return nil
			}
		}
		if len(pairs) < size {
			return nil
		}
		if last := pairs[len(pairs)-1].Key; r.Reverse {
			r.End = last
		} else {
			r.Start = append(last[:len(last):len(last)], 0)
		}
		size = min(2*size, mostPage)
	}
	return nil
}

// page reads up to size pairs of a range, by their keys in the cluster.
func (n *snapshot) page(ctx context.Context, r kv.Range, size int) (pairs []kv.Pair, err error) {
	err = n.store.attempts(ctx, func(ctx context.Context) error {
		type outcome struct {
			pairs []kv.Pair
			err   error
		}
		// The client's iterators take no context: one that hangs is left to itself.
		done := make(chan outcome, 1)
		go func() {
			pairs, err := n.iterate(ctx, r, size)
			done <- outcome{pairs, err}
		}()
		select {
		case out := <-done:
			pairs = out.pairs
			return out.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return pairs, err
}

func (n *snapshot) iterate(ctx context.Context, r kv.Range, size int) ([]kv.Pair, error) {
	client := n.client()
	client.SetScanBatchSize(max(size, 2)) // the client takes less for the default
	open := func() (iterator, error) { return client.Iter(r.Start, r.End) }
	if r.Reverse {
		open = func() (iterator, error) { return client.IterReverse(r.End, r.Start) }
	}
	it, err := open()
	if err != nil {
		return nil, err
	}
	defer it.Close()
	pairs := make([]kv.Pair, 0, size)
	for it.Valid() && ctx.Err() == nil {
		value, err := unwrap(it.Value())
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, kv.Pair{Key: it.Key(), Value: value})
		if len(pairs) == size {
			break
		}
		if err := it.Next(); err != nil {
			return nil, err
		}
	}
	return pairs, ctx.Err()
}

// iterator is what the client's two kinds have in common.
type iterator interface {
	Valid() bool
	Key() []byte
	Value() []byte
	Next() error
	Close()
}

// reader is a snapshot as a kv.Reader.
type reader struct {
	ctx      context.Context
	snapshot *snapshot
}

// Get implements kv.Reader.
func (r *reader) Get(keys [][]byte) ([][]byte, error) { return r.snapshot.Get(r.ctx, keys) }

// Visit implements kv.Reader.
func (r *reader) Visit(in kv.Range, expect int, visit func(key, value []byte) bool) error {
	return r.snapshot.visit(r.ctx, in, expect, func(p kv.Pair) bool { return visit(p.Key, p.Value) })
}

package tikv

import (
	"bytes"
	"context"
	"slices"

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
			value, _, err := unwrap(entry.Value)
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
	pageBytes = 4 << 20 // about, after the first
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
	rows := n.store.dataRange(r)
	size := min(expect, mostPage)
	if size == 0 {
		size = firstPage
	}
	o := orderly{within: r, cut: len(n.store.place.prefix) + 2, visit: visit}
	for bytes.Compare(rows.Start, rows.End) < 0 {
		pairs, err := n.page(ctx, rows, size)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if !o.offer(p) {
				return nil
			}
		}
		if len(pairs) < size {
			break
		}
		if last := pairs[len(pairs)-1].key; rows.Reverse {
			rows.End = last
		} else {
			rows.Start = append(last[:len(last):len(last)], 0)
		}
		size = min(2*size, mostPage, max(size*pageBytes/max(bytesOf(pairs), 1), 1))
	}
	o.settle()
	return nil
}

// each calls do for the rows whose keys in the cluster begin so, with what follows in the key.
func (n *snapshot) each(ctx context.Context, prefix []byte, do func(name string, value []byte) error) error {
	r := kv.Range{Start: prefix, End: bytes.Clone(prefix)}
	r.End[len(r.End)-1]++ // every prefix ends with a letter or a slash
	for {
		rows, err := n.page(ctx, r, firstPage)
		if err != nil {
			return err
		}
		for _, p := range rows {
			if err := do(string(p.key[len(prefix):]), p.value); err != nil {
				return err
			}
		}
		if len(rows) < firstPage {
			return nil
		}
		r.Start = append(rows[len(rows)-1].key, 0)
	}
}

// row is a pair by its key in the cluster, and the key in the kv.Store if it is too long for
// that.
type row struct{ key, long, value []byte }

func bytesOf(rows []row) (bytes int) {
	for i := range rows {
		bytes += len(rows[i].key) + len(rows[i].value)
	}
	return bytes
}

// orderly puts rows whose keys begin alike, as far as they are in the rows' keys, in the order
// of their whole keys.
type orderly struct {
	within kv.Range
	cut    int // how much of a row's key is not the key's
	visit  func(kv.Pair) bool

	alike []kv.Pair // held back
	begin []byte    // of the rows' keys
}

// offer visits a row, or holds it back; it returns false when the visitor has enough.
func (o *orderly) offer(p row) bool {
	if p.long == nil {
		key := p.key[o.cut:len(p.key):len(p.key)]
		return o.settle() && o.visitWithin(kv.Pair{Key: key, Value: p.value})
	}
	if begin := p.key[:o.cut+maxKey]; !bytes.Equal(begin, o.begin) {
		if !o.settle() {
			return false
		}
		o.begin = begin
	}
	o.alike = append(o.alike, kv.Pair{Key: p.long, Value: p.value})
	return true
}

// settle visits what was held back.
func (o *orderly) settle() bool {
	slices.SortFunc(o.alike, func(a, b kv.Pair) int {
		if o.within.Reverse {
			a, b = b, a
		}
		return bytes.Compare(a.Key, b.Key)
	})
	alike := o.alike
	o.alike, o.begin = nil, nil
	for _, p := range alike {
		if !o.visitWithin(p) {
			return false
		}
	}
	return true
}

// visitWithin visits a pair if it is in the range, of which the rows' keys are not enough to
// tell.
func (o *orderly) visitWithin(p kv.Pair) bool {
	if bytes.Compare(p.Key, o.within.Start) < 0 || o.within.End != nil && bytes.Compare(p.Key, o.within.End) >= 0 {
		return true
	}
	return o.visit(p)
}

// page reads up to size rows of a range of keys in the cluster.
func (n *snapshot) page(ctx context.Context, r kv.Range, size int) (rows []row, err error) {
	err = n.store.attempts(ctx, func(ctx context.Context) error {
		type outcome struct {
			rows []row
			err  error
		}
		// The client's iterators take no context: one that hangs is left to itself.
		done := make(chan outcome, 1)
		go func() {
			rows, err := n.iterate(ctx, r, size)
			done <- outcome{rows, err}
		}()
		select {
		case out := <-done:
			rows = out.rows
			return out.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return rows, err
}

func (n *snapshot) iterate(ctx context.Context, r kv.Range, size int) ([]row, error) {
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
	rows := make([]row, 0, size)
	for it.Valid() && ctx.Err() == nil {
		value, long, err := unwrap(it.Value())
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{it.Key(), long, value})
		if len(rows) == size {
			break
		}
		if err := it.Next(); err != nil {
			return nil, err
		}
	}
	return rows, ctx.Err()
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

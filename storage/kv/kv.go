package kv

import "context"

// Store is an ordered key-value store: all that an engine over this package has to
// bring. Keys are compared as bytes. Package kvtest holds the cases that every Store
// passes.
//
// All methods may be called from many goroutines. Slices passed in are not changed by
// the caller afterwards, and are not kept by the store; slices returned belong to the
// caller. Errors are those of package storage, wrapped with context, or the context's
// own.
type Store interface {
	// Get returns the values under the given keys, in their order: nil where a key is
	// absent, and not nil, if empty, where it is present. All are of one moment.
	Get(ctx context.Context, keys [][]byte) ([][]byte, error)

	// Scan returns pairs of one moment in the order of their keys, or in descending
	// order if r.Reverse: at most limit of them, or all when limit is not positive.
	Scan(ctx context.Context, r Range, limit int) ([]Pair, error)

	// Commit stores w whole or not at all; when it returns nil, w is durable, and every
	// later read sees it. It returns storage.ErrConflict, and stores nothing, when a
	// check fails. After storage.ErrUnavailable the outcome is unknown; after any other
	// error nothing is stored.
	Commit(ctx context.Context, w *Writes) error

	// Close waits for calls in progress and releases everything. Later calls, a second
	// Close aside, return storage.ErrClosed.
	Close() error
}

// Viewer is a power that a Store may have: several reads of one moment. Without it the
// engine makes do with single reads, and walks no indexes: an entry and the row that it
// leads to have to be of one moment.
type Viewer interface {
	// View calls read with a reader whose reads are all of one moment, and returns what
	// it returns. The reader is valid during the call only, which may block as long as
	// its own reads do, and calls the store in no other way.
	View(ctx context.Context, read func(Reader) error) error
}

// Reader reads a store as it was at one moment. It is not safe for concurrent use.
type Reader interface {
	// Get returns the values under the given keys, as Store.Get does. They are not
	// changed, and are valid until View returns.
	Get(keys [][]byte) ([][]byte, error)

	// Visit calls visit for the pairs of r, in the order that Store.Scan has, until it
	// returns false. expect is about how many pairs will be wanted, zero if all; it
	// changes speed only. Key and value are valid during the call only, and are not
	// changed. visit computes: it does not block and does not call the reader.
	Visit(r Range, expect int, visit func(key, value []byte) bool) error
}

// Range is the keys k with Start <= k < End. A nil Start is the first key, a nil End
// no bound. Reverse turns the order in which they are read, not the bounds.
type Range struct {
	Start, End []byte
	Reverse    bool
}

// Pair is a key with its value. A nil Value is stored as an empty one.
type Pair struct{ Key, Value []byte }

// Writes is what one Commit stores: if every check holds, the puts and the deletes. No
// key is both put and deleted, nor put twice with different values; a key may be
// checked and written.
type Writes struct {
	Checks  []Check
	Puts    []Pair
	Deletes [][]byte
}

// Check demands that the value stored under Key equals Value; nil demands that there
// is none, and is not the same as an empty value.
type Check struct{ Key, Value []byte }

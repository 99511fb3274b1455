package paged

import (
	"context"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// Disk is an ordered set of records that is changed by transactions.
type Disk interface {
	// Transact carries out t, all of it or nothing, at one moment. It returns
	// storage.ErrConflict when a check fails. After storage.ErrUnavailable the outcome is
	// unknown, after every other error nothing was done; if ctx ends it is that of ctx.
	// It does not keep what it is given, and what it returns belongs to the caller.
	Transact(ctx context.Context, t *Transaction) (*Results, error)

	// Close releases everything. No transaction is in progress.
	Close() error
}

// Transaction is what one call of a Disk does: first the checks, then the gets and
// scans, then the clears, deletes and puts.
type Transaction struct {
	Checks  []kv.Check
	Gets    [][]byte
	Scans   []Scan
	Clears  []Span
	Deletes [][]byte
	Puts    []kv.Pair
}

// Span is the keys k with Start <= k < End; End is not nil and greater than Start.
type Span struct{ Start, End []byte }

// Scan asks for the records of a span in ascending order of key.
type Scan struct {
	Span
	KeysOnly bool // values are not needed
}

// Results are the answers to the gets, nil where there is no record, and to the scans.
type Results struct {
	Values [][]byte
	Scans  [][]kv.Pair
}

// Writes reports whether the transaction changes anything.
func (t *Transaction) Writes() bool { return len(t.Clears)+len(t.Deletes)+len(t.Puts) > 0 }

package storage

import (
	"context"

	"github.com/ankurah-go/ankurah/ankql"
)

// Counter is a power that an engine may have: it counts records without returning them.
type Counter interface {
	// Count returns how many records of the collection match a checked predicate and are not
	// deleted, in order of their entities' ids, from the first one whose id is greater than
	// after; nil is the beginning. It looks at about limit records, but may look at all where
	// an index leads to few. What one call returns is one consistent moment.
	Count(ctx context.Context, collection string, where ankql.Expr, after []byte, limit int) (*CountPage, error)
}

// CountPage is one bounded part of a count.
type CountPage struct {
	Count int64
	// More says that further records may follow behind Next, which is the id to pass as
	// after for the next page.
	More bool
	Next []byte
}

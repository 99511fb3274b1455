package storage

import (
	"context"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
)

// Indexer is a power that an engine may have: it keeps secondary indexes. They change what
// a Scan costs, never what it answers.
type Indexer interface {
	// Declare has the indexes of a model kept from now on; they are built in the
	// background, and used when they are ready. An index declared before that is not in
	// the list any more is treated as one that the engine has made by itself: it goes
	// when nobody uses it. Declare returns when the engine has stored what it is to do.
	Declare(ctx context.Context, collection string, indexes []schema.Index) error

	// Indexes returns the indexes of a collection, those that are being built or removed
	// included.
	Indexes(ctx context.Context, collection string) ([]IndexStatus, error)

	// Settle waits until no index is being built or removed, and returns why one was given
	// up, if that is so; it is tried again when the collection is next used.
	Settle(ctx context.Context) error
}

// IndexStatus is one index of a collection.
type IndexStatus struct {
	Columns  string // in the notation of ORDER BY
	Unique   bool   // the values are expected to be those of one entity
	Declared bool   // by a model; else the engine has made it for a selection
	State    IndexState
}

// IndexState is where an index is in its life.
type IndexState string

// The states of an index.
const (
	IndexBuilding IndexState = "building" // kept up, not used yet
	IndexReady    IndexState = "ready"
	IndexDropping IndexState = "dropping" // being removed
)

// Explainer is a power that an engine may have: it says how it reads a selection.
type Explainer interface {
	// Explain reads what Scan would return first, up to limit records, and says how.
	Explain(ctx context.Context, collection string, s *ankql.Selection, limit int) (*Explanation, error)
}

// Explanation is how a selection was read.
type Explanation struct {
	Plan     string // in words
	Method   Method
	Index    string // the columns of the index that was walked, "" for none; " and " between several
	Ranges   int    // how many ranges of ids or of the index were read, or ids looked up
	Sorted   bool   // the rows did not come in the selection's order
	Residual string // what was left to evaluate of each row, in AnkQL, or ""

	Entries  int           // of the index, read
	Rows     int           // read
	Returned int           // records
	More     bool          // there may be more than those returned
	Took     time.Duration // from the call to the answer
}

// Method is how an engine comes by the rows of a selection. The texts travel to pages.
type Method string

// The methods.
const (
	MethodNothing Method = "nothing" // no entity can match
	MethodLookup  Method = "lookup"  // of the entities that the predicate names
	MethodScan    Method = "scan"    // of the collection, or of ranges of ids
	MethodIndex   Method = "index"   // the rows that entries of an index lead to
	MethodEngine  Method = "engine"  // the engine decides, and does not say
)

// Explain has an engine explain a selection. Of one that cannot it tells what can be seen
// from outside.
func Explain(ctx context.Context, e Engine, collection string, s *ankql.Selection, limit int) (*Explanation, error) {
	if x, ok := e.(Explainer); ok {
		return x.Explain(ctx, collection, s, limit)
	}
	begun := time.Now()
	page, err := e.Scan(ctx, collection, s, nil, limit)
	if err != nil {
		return nil, err
	}
	return &Explanation{Plan: "the engine decides", Method: MethodEngine, Returned: len(page.Records), More: page.More, Took: time.Since(begun)}, nil
}

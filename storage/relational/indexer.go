package relational

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/internal/chore"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// Transaction is one that changes the description.
type Transaction interface {
	Database
	// Exec runs a statement and returns how many rows it has changed.
	Exec(ctx context.Context, q Statement) (int64, error)
}

// Builder makes and removes indexes in the database.
type Builder interface {
	// Build makes an index, in place of what an attempt before may have left.
	Build(ctx context.Context, name, table string, entries []string) error
	// Drop removes an index, or what there is of it.
	Drop(ctx context.Context, name string) error
}

// Alterer is what an Indexer needs of an engine.
type Alterer interface {
	// Alter calls a function inside a transaction of which there is one at a time in all
	// processes; it may call it several times.
	Alter(ctx context.Context, change func(ctx context.Context, tx Transaction) error) error
	// Alone calls a function while no other process makes or removes indexes. Where one does,
	// it returns false without.
	Alone(ctx context.Context, work func(ctx context.Context, b Builder) error) (called bool, err error)
}

// IndexOptions say when an index is made for a selection; zero values have the defaults.
type IndexOptions struct {
	// AutoIndexes is how many are made at most for the selections of a collection; default 16,
	// none if negative.
	AutoIndexes int
	// AutoIndexRows is how many rows a table has at least; default 2048.
	AutoIndexRows int
}

func (o *IndexOptions) ensureDefaults() {
	if o.AutoIndexes == 0 {
		o.AutoIndexes = 16
	}
	if o.AutoIndexRows <= 0 {
		o.AutoIndexRows = 2048
	}
}

// Indexer decides which indexes there are, and has them made and removed in the background, by
// one process at a time.
type Indexer struct {
	reader  *Reader
	alterer Alterer
	options IndexOptions
	worker  *chore.Worker

	mu struct {
		sync.Mutex
		wanted []suggestion
		asked  map[string]time.Time // when a suggestion was last looked at, by its key
	}
}

// suggestion is an index that a selection would have been served by.
type suggestion struct {
	collection string
	index      *plan.Index
	returned   int // rows
}

// Limits of what is remembered and done about selections.
const (
	maxWanted = 64
	maxAsked  = 4096
	// askAgain is after how long a suggestion is looked at again: there may be more rows.
	askAgain = time.Minute
	// keepUse is how exactly it is stored when an index was used last, and idleIndex how
	// long an index that nobody declared stays without being used.
	keepUse   = 24 * time.Hour
	idleIndex = 30 * 24 * time.Hour
	// wasteful is how many rows there are for each that a scan returns before an index
	// is made for its selection.
	wasteful = 4
)

// NewIndexer makes an indexer that rests, and has it look at what a reader reads.
func NewIndexer(r *Reader, a Alterer, options IndexOptions) *Indexer {
	options.ensureDefaults()
	x := &Indexer{reader: r, alterer: a, options: options}
	x.mu.asked = map[string]time.Time{}
	x.worker = chore.New(x.work)
	if options.AutoIndexes >= 0 {
		r.Scanned = x.consider
	}
	return x
}

// Wake has it look for what there is to do.
func (x *Indexer) Wake() { x.worker.Wake() }

// Stop ends its work and waits for that.
func (x *Indexer) Stop() { x.worker.Stop() }

// consider looks at a selection of which a page was read: whether there should be an index for
// it, or, where there is one, that it is used.
func (x *Indexer) consider(d *Description, collection string, s *ankql.Selection, returned int) {
	for _, ix := range plan.Suggest(s, plan.Found{}) {
		x.suggest(d, suggestion{collection, ix, returned})
	}
}

func (x *Indexer) suggest(d *Description, s suggestion) {
	key, pause := IndexKey(s.collection, s.index.Name), askAgain
	if d.Indexes[key] != nil {
		pause = keepUse
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if last, ok := x.mu.asked[key]; ok && time.Since(last) < pause || len(x.mu.wanted) >= maxWanted {
		return
	}
	if len(x.mu.asked) >= maxAsked {
		clear(x.mu.asked)
	}
	x.mu.asked[key] = time.Now()
	x.mu.wanted = append(x.mu.wanted, s)
	x.worker.Wake()
}

// take returns the suggestions that wait.
func (x *Indexer) take() []suggestion {
	x.mu.Lock()
	defer x.mu.Unlock()
	wanted := x.mu.wanted
	x.mu.wanted = nil
	return wanted
}

// work adds the indexes that were suggested, and makes and removes until nothing is left, or
// leaves that to the process that is at it.
func (x *Indexer) work(ctx context.Context) (more bool, err error) {
	for _, s := range x.take() {
		if err := x.add(ctx, s); err != nil {
			return false, err
		}
	}
	if called, err := x.alterer.Alone(ctx, x.upkeep); err != nil || !called {
		return false, err
	}
	// Another process may have wanted something since this one looked, and left it to this one.
	job, err := x.next(ctx)
	return job != nil, err
}

// upkeep makes and removes indexes until nothing is left.
func (x *Indexer) upkeep(ctx context.Context, b Builder) error {
	if err := x.retire(ctx); err != nil {
		return err
	}
	for {
		job, err := x.next(ctx)
		if err == nil && job != nil {
			err = x.do(ctx, b, job)
		}
		if err != nil || job == nil {
			return err
		}
	}
}

// add stores that an index is wanted for a selection, if it is worth it and there is room, or
// that it was used.
func (x *Indexer) add(ctx context.Context, s suggestion) error {
	l, d := x.reader.Layout, x.reader.Described.Load()
	if d.Indexes[IndexKey(s.collection, s.index.Name)] != nil {
		return x.alterer.Alter(ctx, func(ctx context.Context, tx Transaction) error {
			_, err := tx.Exec(ctx, l.bind("UPDATE "+l.Own("_indexes")+" SET used = $1 WHERE collection = $2 AND columns = $3", time.Now().Unix(), s.collection, s.index.Name))
			return err
		})
	}
	t := d.Tables[s.collection]
	if t == nil {
		return nil
	}
	if entries, ok := l.entries(t, s.index.Columns); ok && len(entries) == 0 {
		return nil // there is nothing that it could list
	}
	enough := max(x.options.AutoIndexRows, wasteful*(s.returned+1))
	rows, err := single(ctx, x.reader.Database, l.bind("SELECT count(*) FROM (SELECT 1 FROM "+l.Table(t)+" LIMIT $1) AS t", enough))
	if err != nil || rows < enough {
		return err
	}
	return x.alterer.Alter(ctx, func(ctx context.Context, tx Transaction) error {
		automatic, err := single(ctx, tx, l.bind("SELECT count(*) FROM "+l.Own("_indexes")+" WHERE collection = $1 AND NOT declared AND columns <> $2", s.collection, s.index.Name))
		if err != nil || automatic >= x.options.AutoIndexes {
			return err // those that nobody uses go after a while
		}
		known, err := single(ctx, tx, l.bind("SELECT count(*) FROM "+l.Own("_indexes")+" WHERE collection = $1 AND columns = $2", s.collection, s.index.Name))
		if err != nil || known > 0 {
			return err
		}
		return x.want(ctx, tx, s.collection, s.index, false)
	})
}

func (x *Indexer) want(ctx context.Context, tx Transaction, collection string, ix *plan.Index, declared bool) error {
	q, err := x.reader.wantIndex(collection, ix, declared)
	if err == nil {
		_, err = tx.Exec(ctx, q)
	}
	return err
}

// single returns the number that a statement asks for.
func single(ctx context.Context, db Database, q Statement) (n int, err error) {
	err = db.Query(ctx, q, func() {}, func(row Row) error { return row.Scan(&n) })
	return n, err
}

// retire has indexes removed that nobody uses any more.
func (x *Indexer) retire(ctx context.Context) error {
	l, longAgo := x.reader.Layout, time.Now().Add(-idleIndex)
	indexes, err := l.readIndexes(ctx, x.reader.Database)
	if err != nil || !slices.ContainsFunc(slices.Collect(maps.Values(indexes)), func(ix *Index) bool {
		return !ix.Declared && ix.State != storage.IndexDropping && ix.Used.Before(longAgo)
	}) {
		return err
	}
	return x.alterer.Alter(ctx, func(ctx context.Context, tx Transaction) error {
		_, err := tx.Exec(ctx, l.bind("UPDATE "+l.Own("_indexes")+" SET state = $1 WHERE NOT declared AND used < $2", storage.IndexDropping, longAgo.Unix()))
		return err
	})
}

// next returns the index that is to be made or removed first; nil if there is none. An index
// over what the table does not have yet waits until it has.
func (x *Indexer) next(ctx context.Context) (*Index, error) {
	if err := x.reader.Reload(ctx); err != nil { // another process may have made the table
		return nil, err
	}
	indexes, err := x.reader.readIndexes(ctx, x.reader.Database)
	if err != nil {
		return nil, err
	}
	var first *Index
	for _, ix := range indexes {
		if x.isDue(ix) && (first == nil || before(ix, first)) {
			first = ix
		}
	}
	return first, nil
}

// isDue says whether there is something to do about an index.
func (x *Indexer) isDue(ix *Index) bool {
	if ix.State != storage.IndexBuilding {
		return ix.State == storage.IndexDropping
	}
	t := x.reader.Described.Load().Tables[ix.Collection]
	if t == nil {
		return false
	}
	_, ok := x.reader.entries(t, ix.definition)
	return ok
}

// before says which of two indexes comes first: declared ones do.
func before(a, b *Index) bool {
	if a.Declared != b.Declared {
		return a.Declared
	}
	return strings.Compare(a.Name, b.Name) < 0
}

// do makes or removes an index, and says so in the description.
func (x *Indexer) do(ctx context.Context, b Builder, ix *Index) error {
	l := x.reader.Layout
	done := l.bind("UPDATE "+l.Own("_indexes")+" SET state = $1, used = $2 WHERE collection = $3 AND columns = $4 AND state = $5",
		storage.IndexReady, time.Now().Unix(), ix.Collection, ix.Columns, storage.IndexBuilding)
	var err error
	if ix.State == storage.IndexDropping {
		done = l.bind("DELETE FROM "+l.Own("_indexes")+" WHERE collection = $1 AND columns = $2 AND state = $3", ix.Collection, ix.Columns, storage.IndexDropping)
		err = b.Drop(ctx, ix.Name)
	} else if entries, _ := l.entries(x.reader.Described.Load().Tables[ix.Collection], ix.definition); len(entries) > 0 {
		err = b.Build(ctx, ix.Name, l.Table(x.reader.Described.Load().Tables[ix.Collection]), entries)
	}
	if err != nil {
		return fmt.Errorf("index of %s by %s: %w", ix.Collection, ix.Columns, err)
	}
	err = x.alterer.Alter(ctx, func(ctx context.Context, tx Transaction) error {
		if _, err := tx.Exec(ctx, done); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, Statement{SQL: "UPDATE " + l.Own("_ankurah") + " SET description = description + 1"})
		return err
	})
	if err != nil {
		return err
	}
	return x.reader.Reload(ctx)
}

// Declare implements storage.Indexer.
func (x *Indexer) Declare(ctx context.Context, collection string, indexes []schema.Index) error {
	l := x.reader.Layout
	err := x.alterer.Alter(ctx, func(ctx context.Context, tx Transaction) error {
		if _, err := tx.Exec(ctx, l.bind("UPDATE "+l.Own("_indexes")+" SET declared = FALSE WHERE collection = $1", collection)); err != nil {
			return err
		}
		for i := range indexes {
			if err := x.want(ctx, tx, collection, plan.Declared(&indexes[i]), true); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		x.Wake()
	}
	return err
}

// Indexes implements storage.Indexer.
func (x *Indexer) Indexes(ctx context.Context, collection string) ([]storage.IndexStatus, error) {
	indexes, err := x.reader.readIndexes(ctx, x.reader.Database)
	if err != nil {
		return nil, err
	}
	var list []storage.IndexStatus
	for _, key := range slices.Sorted(maps.Keys(indexes)) {
		if ix := indexes[key]; ix.Collection == collection {
			list = append(list, storage.IndexStatus{Columns: ix.Columns, Unique: ix.Unique, Declared: ix.Declared, State: ix.State})
		}
	}
	return list, nil
}

// Settle implements storage.Indexer. It does not wait for what another process makes, nor for
// indexes over properties that no entity has a value of.
func (x *Indexer) Settle(ctx context.Context) error { return x.worker.Settle(ctx) }

package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ankurah-go/ankurah/internal/chore"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// indexer makes, builds and removes indexes in the background. Its work is in steps of bounded
// size; between them it rests as long as the last one took, so that it never has more than
// half of the machine.
type indexer struct {
	engine *Engine
	worker *chore.Worker

	mu struct {
		sync.Mutex
		wanted   map[string]*errand   // by collection
		order    []string             // of the collections wanted
		failed   error                // why an errand was given up since there was last nothing to do
		failedAt map[string]time.Time // when that was, by collection
	}
	slice   int    // rows of the next step of a build; the worker's own
	endTurn func() // while it is this process that builds; the worker's own
}

// errand is what is to be done for a collection besides what its catalogue says.
type errand struct{ suggested []*plan.Index }

func (x *indexer) init(e *Engine) {
	x.engine, x.worker = e, chore.New(x.step)
	x.mu.wanted, x.mu.failedAt = map[string]*errand{}, map[string]time.Time{}
	x.slice = min(firstSlice, e.options.BuildRows)
}

// The steps of a build grow from firstSlice rows, while these are of no more than maxSlice bytes:
// a step holds them in memory, with the entries, and commits wait for one another.
const (
	firstSlice = 16
	maxSlice   = 2 << 20
)

// want has the collection looked at, and an index made for each suggestion, unless that
// has failed a short while ago.
func (x *indexer) want(collection string, suggested ...*plan.Index) {
	if x.note(collection, suggested) {
		x.worker.Wake()
	}
}

// note makes an errand of what want was given, unless it is to be left alone.
func (x *indexer) note(collection string, suggested []*plan.Index) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at, failed := x.mu.failedAt[collection]; failed && time.Since(at) < retryTime {
		return false
	}
	if len(x.mu.order) == 0 {
		x.mu.failed = nil
	}
	delete(x.mu.failedAt, collection)
	job := x.mu.wanted[collection]
	if job == nil {
		job = &errand{}
		x.mu.wanted[collection] = job
		x.mu.order = append(x.mu.order, collection)
	}
	job.suggested = append(job.suggested, suggested...)
	return true
}

// retryTime is how long an errand that has failed is left alone: a full disk, or a row that
// cannot be read, is not tried again with every scan.
const retryTime = time.Minute

// stop ends the work, and waits for it.
func (x *indexer) stop() {
	x.worker.Stop()
	x.yield()
}

// settled waits until there is nothing to do, and returns why something was given up.
func (x *indexer) settled(ctx context.Context) error { return x.worker.Settle(ctx) }

// step does one step of the errand that has waited longest, and rests. It returns whether there
// is more to do, and why errands were given up.
func (x *indexer) step(ctx context.Context) (more bool, err error) {
	collection, job, ok := x.next()
	if !ok {
		return false, x.failure()
	}
	begun := time.Now()
	more, err = x.work(ctx, collection, job.suggested)
	rest := time.Since(begun)
	if errors.Is(err, errNotOurTurn) {
		more, err, rest = true, nil, x.engine.options.Patience
	}
	spare := x.finish(collection, job, more, err)
	select {
	case <-time.After(rest):
	case <-ctx.Done():
	}
	if spare {
		x.yield()
	}
	return !spare, x.failure()
}

func (x *indexer) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.mu.failed
}

// yield lets other processes build.
func (x *indexer) yield() {
	if x.endTurn != nil {
		x.endTurn()
		x.endTurn = nil
	}
}

// errNotOurTurn: another process builds and removes indexes.
var errNotOurTurn = errors.New("kv: another process is building")

// takeTurn makes this the process that builds, unless another is. What that one has done
// is in the catalogue as it is stored.
func (x *indexer) takeTurn(ctx context.Context, c *catalogue) error {
	if x.engine.options.Turn == nil || x.endTurn != nil {
		return nil
	}
	x.engine.catalogues.forget(c.collection)
	end, err := x.engine.options.Turn(ctx)
	if err == nil && end == nil {
		err = errNotOurTurn
	}
	x.endTurn = end
	return err
}

// next returns the errand that has waited longest, if there is one.
func (x *indexer) next() (string, *errand, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.mu.order) == 0 {
		return "", nil, false
	}
	collection := x.mu.order[0]
	job := *x.mu.wanted[collection]
	return collection, &job, true
}

// finish takes what was done from the errand, and reports whether that was the last one. What
// failed is given up until the collection is wanted again, a while later.
func (x *indexer) finish(collection string, job *errand, more bool, err error) (spare bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	left := x.mu.wanted[collection]
	left.suggested = left.suggested[len(job.suggested):]
	x.mu.order = x.mu.order[1:]
	if err == nil && (more || len(left.suggested) > 0) {
		x.mu.order = append(x.mu.order, collection)
		return false
	}
	if err != nil {
		x.mu.failed = fmt.Errorf("kv: indexes of %s: %w", collection, err)
		x.mu.failedAt[collection] = time.Now()
		x.engine.catalogues.forget(collection)
	}
	delete(x.mu.wanted, collection)
	return len(x.mu.order) == 0
}

// work does one step for a collection and reports whether there is more to do.
func (x *indexer) work(ctx context.Context, collection string, suggested []*plan.Index) (more bool, err error) {
	e := x.engine
	if err := e.gate.Enter(ctx); err != nil {
		return false, err
	}
	defer e.gate.Leave()
	if len(suggested) > 0 {
		if err := x.make(ctx, collection, suggested); err != nil {
			return false, err
		}
	}
	c, err := e.catalogue(ctx, collection)
	if err != nil {
		return false, err
	}
	for _, ix := range c.indexes {
		if ix.state == ready {
			continue
		}
		if x.endTurn == nil && x.engine.options.Turn != nil {
			return true, x.takeTurn(ctx, c) // what there is to do is looked up again
		}
		if ix.state == building {
			return true, x.build(ctx, c, ix)
		}
		return true, x.drop(ctx, c, ix)
	}
	return x.review(ctx, c)
}

// make adds automatic indexes to a catalogue. Where there are as many as may be, the one
// that was not used for longest gives way, if that is long enough.
func (x *indexer) make(ctx context.Context, collection string, suggested []*plan.Index) error {
	c, err := x.engine.catalogue(ctx, collection)
	if err != nil {
		return err
	}
	uses, err := x.engine.usesOf(ctx, c)
	if err != nil {
		return err
	}
	most := x.engine.options.AutoIndexes
	return x.engine.recatalogue(ctx, collection, nil, func(next *catalogue) {
		for _, ix := range suggested {
			if next.find(ix.Name) != nil {
				continue
			}
			if next.automatic() >= most {
				oldest := leastUsed(next, uses)
				if oldest == nil || time.Since(uses[oldest.number]) < settleTime {
					continue
				}
				oldest.state = dropping
			}
			next.add(ix, false)
		}
	})
}

// settleTime is how long an automatic index stays at least, so that selections that take
// turns do not have each other's indexes removed all the time.
const settleTime = time.Hour

// build does one step: the entries of some rows that follow those done. Each row is
// checked to be what was read, so that no entry is written that a commit has just
// removed; commits maintain what they write themselves.
func (x *indexer) build(ctx context.Context, c *catalogue, ix *index) error {
	store := x.engine.store
	key := progressKey(c.collection, ix.number)
	values, err := store.Get(ctx, [][]byte{key})
	if err != nil {
		return err
	}
	p, err := readProgress(values[0])
	if err != nil {
		return err
	}
	prefix := recordPrefix(c.collection)
	rows := within(prefix)
	if p.after != nil {
		rows = afterKey(prefix, append(recordPrefix(c.collection), p.after...))
	}
	pairs, err := store.Scan(ctx, rows, x.slice)
	if err != nil {
		return err
	}
	w := &Writes{Checks: []Check{{key, values[0]}}}
	bytes := 0
	for _, row := range pairs {
		if err := w.addEntry(ix, row); err != nil {
			return err
		}
		bytes += len(row.Value)
		p.rows++
		p.after = recordEntity(row.Key).Bytes()
	}
	if len(pairs) == x.slice {
		w.Checks = append(w.Checks, Check{c.key, c.raw})
		w.Puts = append(w.Puts, Pair{key, p.appendTo(nil)})
		err = store.Commit(ctx, w)
	} else {
		p.after, p.used = nil, time.Now()
		w.Puts = append(w.Puts, Pair{key, p.appendTo(nil)})
		err = x.engine.finishBuild(ctx, c, ix, w)
	}
	return x.adapt(c, bytes, err)
}

// adapt makes the steps smaller when commits get in their way, or rows are large.
func (x *indexer) adapt(c *catalogue, bytes int, err error) error {
	switch {
	case err == nil && bytes > maxSlice:
		x.slice = max(x.slice/2, 1)
	case err == nil && bytes <= maxSlice/2:
		x.slice = min(2*x.slice, x.engine.options.BuildRows)
	case errors.Is(err, storage.ErrConflict):
		x.engine.catalogues.forget(c.collection)
		x.slice = max(x.slice/2, 1)
		return nil
	}
	return err
}

// finishBuild commits the last entries along with the news that the index is ready.
func (e *Engine) finishBuild(ctx context.Context, c *catalogue, ix *index, w *Writes) error {
	return e.recatalogue(ctx, c.collection, w, func(next *catalogue) {
		for _, other := range next.indexes {
			if other.number == ix.number && other.state == building {
				other.state = ready
			}
		}
	})
}

// addEntry adds the entry of a row, on condition that the row stays what it is.
func (w *Writes) addEntry(ix *index, row Pair) error {
	entity := recordEntity(row.Key)
	var view rowView
	if err := view.reset(entity, row.Value); err != nil {
		return err
	}
	if !view.state.Deleted() {
		w.Checks = append(w.Checks, Check(row))
		w.Puts = append(w.Puts, Pair{Key: ix.entryKey(&view, entity)})
	}
	return view.err()
}

// drop removes some entries of an index that nobody maintains any more, and at the end
// the index itself.
func (x *indexer) drop(ctx context.Context, c *catalogue, ix *index) error {
	pairs, err := x.engine.store.Scan(ctx, within(ix.prefix), x.engine.options.BuildRows)
	if err != nil {
		return err
	}
	w := &Writes{}
	for _, p := range pairs {
		w.Deletes = append(w.Deletes, p.Key)
	}
	if len(pairs) == x.engine.options.BuildRows {
		return x.engine.store.Commit(ctx, w)
	}
	w.Deletes = append(w.Deletes, progressKey(c.collection, ix.number))
	err = x.engine.recatalogue(ctx, c.collection, w, func(next *catalogue) {
		for i, other := range next.indexes {
			if other.number == ix.number {
				next.indexes = append(next.indexes[:i], next.indexes[i+1:]...)
				return
			}
		}
	})
	if errors.Is(err, storage.ErrConflict) {
		return nil // somebody else changed the catalogue; the next step sees what is left
	}
	return err
}

// progress is the row under an index's progress key.
type progress struct {
	after []byte    // the entity up to which the index is built; nil for none
	rows  uint64    // that the collection had when it was built
	used  time.Time // when a selection used it last, to the day
}

func readProgress(raw []byte) (p progress, err error) {
	if raw == nil {
		return p, nil
	}
	r := msgpack.NewReader(raw)
	r.Array(3)
	if !r.TryNil() {
		p.after = bytes.Clone(r.Bytes())
	}
	p.rows = r.Uint()
	p.used = time.Unix(r.Int(), 0)
	if err := r.Done(); err != nil {
		return p, fmt.Errorf("%w: progress of an index: %w", storage.ErrCorrupt, err)
	}
	return p, nil
}

// appendTo appends [after or nil, rows, seconds since 1970].
func (p *progress) appendTo(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 3)
	if p.after == nil {
		dst = msgpack.AppendNil(dst)
	} else {
		dst = msgpack.AppendBytes(dst, p.after)
	}
	dst = msgpack.AppendUint(dst, p.rows)
	return msgpack.AppendInt(dst, p.used.Unix())
}

// suggest has an index made for a selection that examined many more rows than it
// returned, if there is one that would help.
func (e *Engine) suggest(c *catalogue, sc *scan, returned int) {
	o := &e.options
	if o.AutoIndexes <= 0 || o.Planner == Never || sc.examined < o.AutoIndexRows || sc.examined < wasteful*(returned+1) {
		return
	}
	for _, ix := range plan.Suggest(sc.selection, plan.Found{Rows: sc.examined, Matching: sc.matching, Want: sc.limit}) {
		if c.find(ix.Name) == nil {
			e.indexer.want(c.collection, ix)
		}
	}
}

// wasteful is how many rows a scan examines for each that it returns before an index is
// made for its selection.
const wasteful = 4

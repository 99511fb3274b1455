package paged

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// The pauses after a merge that could not go on.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

func (s *Store) wantMerge() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// Settle merges everything that was committed before, and returns when that is done.
func (s *Store) Settle(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.calls.Done()
	for {
		s.mu.Lock()
		settled, err, progress := s.mu.waiting == 0, s.mu.mergeErr, s.mu.progress
		s.mu.Unlock()
		if settled || err != nil {
			return err
		}
		s.wantMerge()
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mergeUntilClosed merges whenever there is enough to merge.
func (s *Store) mergeUntilClosed() {
	defer s.merger.Done()
	var retry <-chan time.Time
	pause := firstRetry
	for {
		select {
		case <-s.wanted:
		case <-retry:
		case <-s.life.Done():
			return
		}
		err := s.merge(s.life)
		s.mu.Lock()
		s.mu.mergeErr = err
		close(s.mu.progress)
		s.mu.progress = make(chan struct{})
		failed := s.mu.failed
		s.mu.Unlock()
		switch {
		case failed != nil:
			return
		case err != nil:
			retry = time.After(pause)
			pause = min(2*pause, lastRetry)
		default:
			retry, pause = nil, firstRetry
		}
	}
}

// merge freezes the active overlay, unless one is frozen from an attempt before, and
// merges it into the pages.
func (s *Store) merge(ctx context.Context) error {
	any, err := s.freeze(ctx)
	if err != nil || !any {
		return err
	}
	for {
		done, err := s.mergeStep(ctx)
		if err != nil || done {
			return err
		}
	}
}

// freeze makes the active overlay the frozen one, unless there is one, and reports
// whether there is now. It waits for the commit in progress, so that the frozen overlay
// is what the log has up to a certain record.
func (s *Store) freeze(ctx context.Context) (bool, error) {
	if err := s.beginCommit(ctx); err != nil {
		return false, err
	}
	defer s.endCommit()
	if s.journal.uncertain { // what may be in the log must not be taken for a part of it
		if err := s.append(ctx, nil); err != nil {
			return false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.frozen) > 0 || len(s.mu.active) == 0 {
		return len(s.mu.frozen) > 0, nil
	}
	s.mu.frozen, s.mu.active = s.mu.active, nil
	s.mu.frozenLog = [2]uint64{s.journal.first, s.journal.next}
	s.journal = s.journal.frozen()
	s.position = nil
	return true, nil
}

// group is a row of pages, and what replaces them.
type group struct {
	first, last int // last < first if there are no pages yet
	pages       []newPage
}

type newPage struct {
	low   []byte
	block *block
}

// mergeStep merges one bounded part of the frozen overlay, and reports whether that was
// the last one.
func (s *Store) mergeStep(ctx context.Context) (done bool, err error) {
	if err := s.gate.take(ctx); err != nil {
		return false, err
	}
	defer s.gate.release()
	if err := s.trustDirectory(ctx); err != nil {
		return false, err
	}
	v := s.view(ctx)
	v.mayRead = true // it has the gate alone
	s.mu.Lock()
	frozen, log := s.mu.frozen, s.mu.frozenLog
	s.mu.Unlock()

	it := newIterator(frozen, nil, s.position, nil, false)
	groups, stop := s.planStep(v.directory, it.clone())
	blocks, err := v.blocksOf(groups)
	if err != nil {
		return false, err
	}
	w := pageWriter{view: v, limit: s.options.PageBytes, blocks: blocks, changes: it, stop: stop}
	for i := range groups {
		if err := w.rewrite(&groups[i]); err != nil {
			return false, err
		}
	}
	next := v.directory.with(groups)
	t := w.transaction(groups)
	if stop == nil {
		t.Clears = append(t.Clears, Span{logKey(log[0]), logKey(log[1])})
		t.Puts = append(t.Puts, kv.Pair{Key: dirKey, Value: next.append(nil)})
	} else {
		t.Deletes = append(t.Deletes, dirKey) // P3
	}
	if _, err := s.transact(ctx, t); err != nil {
		s.mu.Lock()
		s.mu.suspect = s.mu.suspect || errors.Is(err, storage.ErrUnavailable)
		s.mu.Unlock()
		return false, err
	}
	s.publish(v.directory, next, groups, stop)
	return stop == nil, nil
}

// planStep finds the pages that the next changes go to, as groups of neighbours, and
// the first change that is not for this step, nil if all are.
func (s *Store) planStep(d *directory, changes *iterator) (groups []group, stop []byte) {
	size := 0
	for {
		key, value, _ := changes.next() // there are no pages that could fail
		if key == nil {
			return groups, nil
		}
		page := d.locate(key)
		known := len(groups) > 0 && groups[len(groups)-1].last == page
		if d.len() == 0 {
			page, known = 0, len(groups) > 0
		}
		if size += entrySize(key, value); !known {
			size += s.options.PageBytes
		}
		if size > s.options.StepBytes && len(groups) > 0 {
			return groups, key
		}
		switch {
		case known:
		case d.len() == 0:
			groups = append(groups, group{first: 0, last: -1})
		case len(groups) > 0 && groups[len(groups)-1].last == page-1:
			groups[len(groups)-1].last = page
		default:
			groups = append(groups, group{first: page, last: page})
		}
	}
}

// blocksOf returns the pages of the groups by number.
func (v *view) blocksOf(groups []group) (map[int]*block, error) {
	blocks := map[int]*block{}
	var missing []int
	for _, g := range groups {
		for i := g.first; i <= g.last; i++ {
			if b := v.cached(i); b != nil {
				blocks[i] = b
			} else {
				missing = append(missing, i)
			}
		}
	}
	if len(missing) == 0 {
		return blocks, nil
	}
	loaded, err := v.load(missing)
	for i, b := range loaded {
		blocks[missing[i]] = b
	}
	return blocks, err
}

// pageWriter makes new pages of old ones and changes.
type pageWriter struct {
	view    *view
	limit   int // of a page's bytes
	blocks  map[int]*block
	changes *iterator
	stop    []byte // changes from here on are not looked at; nil is no bound

	out []*block
}

// rewrite makes a group's new pages. A group that has become small takes in the next
// page, unless that belongs to a group of its own.
func (w *pageWriter) rewrite(g *group) error {
	w.out = nil
	if g.last < g.first {
		w.join(nil, nil)
	}
	for i := g.first; i <= g.last; i++ {
		w.join(w.blocks[i], w.view.directory.high(i))
	}
	next := g.last + 1
	if w.size() < w.limit/4 && g.last >= g.first && next < w.view.directory.len() && w.blocks[next] == nil {
		blocks, err := w.view.blocksOf([]group{{first: next, last: next}})
		if err != nil {
			return err
		}
		for i := range blocks[next].len() {
			w.add(blocks[next].entry(i))
		}
		g.last = next
	}
	g.pages = w.finish(g)
	return nil
}

func (w *pageWriter) size() int {
	n := 0
	for _, b := range w.out {
		n += len(b.data)
	}
	return n
}

// join writes the entries of a page, nil for an empty one, with the changes that belong
// to it: those below high, nil being no bound.
func (w *pageWriter) join(old *block, high []byte) {
	if high == nil || w.stop != nil && bytes.Compare(w.stop, high) < 0 {
		high = w.stop
	}
	i, n := 0, 0
	if old != nil {
		n = old.len()
	}
	for {
		change, _ := w.changes.peek()
		if change == nil || high != nil && bytes.Compare(change, high) >= 0 {
			break
		}
		for i < n && bytes.Compare(old.key(i), change) < 0 {
			w.add(old.entry(i))
			i++
		}
		if i < n && bytes.Equal(old.key(i), change) {
			i++
		}
		if key, value, _ := w.changes.next(); value != nil {
			w.add(key, value)
		}
	}
	for ; i < n; i++ {
		w.add(old.entry(i))
	}
}

// add writes an entry to the last page, or to a new one when that is three quarters
// full: so there is room for the rest of a group, and for what comes later.
func (w *pageWriter) add(key, value []byte) {
	n := len(w.out)
	if n == 0 || len(w.out[n-1].data)+entrySize(key, value) > w.limit*3/4 && w.out[n-1].len() > 0 {
		w.out = append(w.out, &block{data: make([]byte, 0, w.limit*3/4)})
		n++
	}
	w.out[n-1].add(key, value)
}

// finish gives the new pages their lows.
func (w *pageWriter) finish(g *group) []newPage {
	if n := len(w.out); n > 1 && len(w.out[n-1].data) < w.limit/4 && len(w.out[n-2].data)+len(w.out[n-1].data) <= w.limit {
		for i := range w.out[n-1].len() {
			w.out[n-2].add(w.out[n-1].entry(i))
		}
		w.out = w.out[:n-1]
	}
	d := w.view.directory
	all := g.first == 0 && g.last == d.len()-1
	if len(w.out) == 0 && g.first == 0 && !all {
		w.out = []*block{{}} // P1
	}
	pages := make([]newPage, len(w.out))
	for i, b := range w.out {
		pages[i] = newPage{low: b.firstKey(), block: b}
	}
	if len(pages) > 0 {
		pages[0].low = []byte{}
		if g.first <= g.last {
			pages[0].low = d.lows[g.first]
		}
	}
	return pages
}

// transaction stores the new pages and removes the old ones.
func (w *pageWriter) transaction(groups []group) *Transaction {
	t := &Transaction{}
	for _, g := range groups {
		kept := map[string]bool{}
		for _, p := range g.pages {
			kept[string(p.low)] = true
			t.Puts = append(t.Puts, kv.Pair{Key: pageKey(p.low), Value: p.block.data})
		}
		for i := g.first; i <= g.last; i++ {
			if low := w.view.directory.lows[i]; !kept[string(low)] {
				t.Deletes = append(t.Deletes, pageKey(low))
			}
		}
	}
	return t
}

// with returns the directory after the groups' pages were replaced.
func (d *directory) with(groups []group) *directory {
	for i := len(groups) - 1; i >= 0; i-- {
		g := groups[i]
		lows := make([][]byte, len(g.pages))
		for j, p := range g.pages {
			lows[j] = bytes.Clone(p.low) // the page itself is not to be kept
		}
		d = d.replaced(g.first, g.last, lows)
	}
	return d
}

// publish lets reads see the new pages, and the last time forgets the frozen overlay.
func (s *Store) publish(old, next *directory, groups []group, stop []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range groups {
		for i := g.first; i <= g.last; i++ {
			s.mu.cache.remove(old.lows[i])
		}
		for _, p := range g.pages {
			s.mu.cache.put(p.low, p.block)
		}
	}
	s.mu.directory = next
	s.position = bytes.Clone(stop)
	if stop != nil {
		return
	}
	s.mu.frozen, s.mu.waiting = nil, 0
	for _, b := range s.mu.active {
		s.mu.waiting += len(b.data)
	}
	s.joinOverlaysLocked()
}

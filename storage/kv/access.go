package kv

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// access reads the rows that a plan leads to: at least all that match (K4).
type access struct {
	reader     Reader
	plain      *plainReader // the same, if it is one
	collection string
	plan       *plan.Plan
	index      *index // that the plan walks, or nil
	parts      []part // of a plan that walks several
	after      []byte // the sort key to go on after, or nil
	expect     int    // about how many rows will be wanted; 0 for all

	part    int    // how many rows are read at once
	entries int    // of the index, read
	more    bool   // rows were left out behind those visited
	key     []byte // reused
}

// rows calls visit for the rows, in the plan's order if it is ordered, until it returns
// false. Rows that come before the place to go on after may be among them.
func (a *access) rows(visit func(entity id.EntityID, row []byte) bool) error {
	switch a.plan.Method {
	case plan.Lookup:
		return a.lookup(a.named(), visit)
	case plan.Primary:
		return a.primary(visit)
	case plan.Walk:
		if a.byID() {
			return a.gather(visit)
		}
		return a.walk(visit)
	case plan.Union:
		return a.gather(visit)
	}
	return nil
}

// part is one of the walks of a plan, and the index that it walks.
type part struct {
	plan  *plan.Plan
	index *index
}

// byID reports whether entries of an unordered walk are put in order of id before their
// rows are read, and that is the selection's order.
func (a *access) byID() bool {
	walk := a.plan.Method == plan.Walk || a.plan.Method == plan.Union
	return walk && !a.plan.Ordered && a.plan.ByID()
}

// inOrder reports whether the rows come in the selection's order.
func (a *access) inOrder() bool { return a.plan.Ordered || a.byID() }

// left reports whether rows may follow those that were visited, when visit has not ended
// it.
func (a *access) left() bool { return a.more || a.plain != nil && a.plain.more }

// named returns the entities of a plan that looks them up.
func (a *access) named() []id.EntityID {
	ids := a.plan.Entities
	if last, ok := a.plan.After(a.after); ok && a.plan.Ordered {
		i, found := slices.BinarySearchFunc(ids, last, func(e id.EntityID, last []byte) int { return bytes.Compare(e.Bytes(), last) })
		if found {
			i++
		}
		ids = ids[i:]
	}
	return ids
}

// most is how many rows are looked up at once.
const most = 1024

// first is how many rows are looked up first.
func (a *access) first() int {
	if a.inOrder() {
		return min(a.expect, most)
	}
	return most
}

func (a *access) lookup(ids []id.EntityID, visit func(entity id.EntityID, row []byte) bool) error {
	for n := a.first(); len(ids) > 0; n = min(2*n, most) {
		part := ids[:min(n, len(ids))]
		ids = ids[len(part):]
		stopped := false
		err := a.get(part, func(i int, row []byte) bool {
			stopped = row != nil && !visit(part[i], row)
			return !stopped
		})
		if err != nil || stopped {
			return err
		}
	}
	return nil
}

// Where rows are large, fewer of them are read at once: so many bytes, at first so many rows.
const (
	partBytes = 4 << 20
	firstPart = 256
)

// get calls visit for the rows of entities, nil where there is none, until it returns false.
func (a *access) get(ids []id.EntityID, visit func(i int, row []byte) bool) error {
	for at := 0; at < len(ids); {
		if a.part == 0 {
			a.part = firstPart
		}
		part := ids[at:min(at+a.part, len(ids))]
		rows, err := a.reader.Get(recordKeys(a.collection, part))
		if err != nil {
			return err
		}
		taken := 0
		for i, row := range rows {
			if taken += len(row); !visit(at+i, row) {
				return nil
			}
		}
		at += len(part)
		a.part = min(max(partBytes*len(part)/max(taken, 1), 1), most)
	}
	return nil
}

// recordKeys returns the keys of the entities' records, in the entities' order.
func recordKeys(collection string, ids []id.EntityID) [][]byte {
	keys := make([][]byte, len(ids))
	for i, entity := range ids {
		keys[i] = recordKey(collection, entity)
	}
	return keys
}

func (a *access) primary(visit func(entity id.EntityID, row []byte) bool) error {
	return a.each(recordPrefix(a.collection), func(r Range, stop *bool) error {
		r.Reverse = a.plan.Reverse
		return a.reader.Visit(r, a.expect, func(key, row []byte) bool {
			*stop = !visit(recordEntity(key), row)
			return !*stop
		})
	})
}

// each calls read for the plan's ranges, as keys that begin with prefix, until it fails
// or sets stop.
func (a *access) each(prefix []byte, read func(r Range, stop *bool) error) error {
	ranges := a.plan.Ranges
	if a.after != nil {
		ranges = a.plan.Resume(a.after)
	}
	stop := false
	for i := range ranges {
		r := ranges[i]
		if a.plan.Reverse {
			r = ranges[len(ranges)-1-i]
		}
		if err := read(within(prefix).clipped(prefix, r), &stop); err != nil || stop {
			return err
		}
	}
	return nil
}

// clipped returns the part of r, all keys that begin with prefix, that lies in to.
func (r Range) clipped(prefix []byte, to plan.Range) Range {
	r.Start = slices.Concat(prefix, to.Low)
	if to.High != nil {
		r.End = slices.Concat(prefix, to.High)
	}
	return r
}

// walk follows the entries of the plan's ranges.
func (a *access) walk(visit func(entity id.EntityID, row []byte) bool) error {
	return a.each(a.index.prefix, func(r Range, stop *bool) error {
		switch {
		case a.plan.Descending:
			return a.downward(r, visit, stop)
		case a.plan.Reverse:
			return a.backward(r, visit, stop)
		}
		return a.forward(r, visit, stop)
	})
}

// downward follows the entries of a range in descending order.
func (a *access) downward(r Range, visit func(entity id.EntityID, row []byte) bool, stop *bool) error {
	for n := a.first(); !*stop; n = min(2*n, most) {
		keys, err := a.keys(Range{Start: r.Start, End: r.End, Reverse: true}, n)
		if err != nil {
			return err
		}
		if err := a.follow(keys, visit, stop); err != nil || len(keys) < n {
			return err
		}
		r.End = keys[n-1]
	}
	return nil
}

// forward follows the entries of a range in ascending order.
func (a *access) forward(r Range, visit func(entity id.EntityID, row []byte) bool, stop *bool) error {
	for n := a.first(); !*stop; n = min(2*n, most) {
		keys, err := a.keys(r, n)
		if err != nil {
			return err
		}
		if err := a.follow(keys, visit, stop); err != nil || len(keys) < n {
			return err
		}
		r.Start = append(keys[n-1], 0)
	}
	return nil
}

// backward follows the entries of a range group by group, from the last to the first, and
// the entries of a group in ascending order (see plan.Plan).
func (a *access) backward(r Range, visit func(entity id.EntityID, row []byte) bool, stop *bool) error {
	for n := max(a.first(), 2); !*stop; n = min(2*n, most) {
		keys, err := a.keys(Range{Start: r.Start, End: r.End, Reverse: true}, n)
		if err != nil || len(keys) == 0 {
			return err
		}
		whole, last := a.groups(keys, len(keys) < n)
		if len(whole) == 0 { // one group that is longer than what was read
			rest := a.unread(within(last))
			if err := a.forward(rest, visit, stop); err != nil {
				return err
			}
		} else if err := a.follow(whole, visit, stop); err != nil {
			return err
		}
		r.End = last
	}
	return nil
}

// groups puts keys that were read in reverse into the order of the plan. It leaves out the
// last group, which may go on, unless that is the end; last is what the keys of the last
// group begin with that is in, or of the only one.
func (a *access) groups(keys [][]byte, end bool) (whole [][]byte, last []byte) {
	for i := 0; i < len(keys); {
		group := groupOf(keys[i])
		j := i
		for j < len(keys) && bytes.Equal(groupOf(keys[j]), group) {
			j++
		}
		if j == len(keys) && !end {
			if i == 0 {
				last = group
			}
			break
		}
		unread := a.unread(within(group))
		for k := j - 1; k >= i; k-- {
			if bytes.Compare(keys[k], unread.Start) >= 0 {
				whole = append(whole, keys[k])
			}
		}
		i, last = j, group
	}
	if len(whole) == 0 && last != nil && end {
		whole = [][]byte{} // all of it was read before
	}
	return whole, last
}

// groupOf returns what an entry's key has before the id.
func groupOf(key []byte) []byte { return key[: len(key)-id.Size : len(key)-id.Size] }

// unread returns what of a group, whose keys r holds, follows the place to go on after.
func (a *access) unread(r Range) Range {
	if a.after == nil {
		return r
	}
	entry, ok := a.plan.Entry(a.after)
	if !ok {
		return r
	}
	if read := slices.Concat(a.index.prefix, entry); bytes.Equal(groupOf(read), r.Start) {
		r.Start = append(read, 0)
	}
	return r
}

// keys returns the first n keys of entries in a range.
func (a *access) keys(r Range, n int) ([][]byte, error) {
	var keys [][]byte
	err := a.reader.Visit(r, n, func(key, _ []byte) bool {
		keys = append(keys, bytes.Clone(key))
		return len(keys) < n
	})
	a.entries += len(keys)
	return keys, err
}

// follow reads the rows that entries lead to. An entry that is not the one that its row
// has is passed over: it is a hint, and the row has another one.
func (a *access) follow(keys [][]byte, visit func(entity id.EntityID, row []byte) bool, stop *bool) error {
	ids := make([]id.EntityID, len(keys))
	for i, key := range keys {
		ids[i] = recordEntity(key)
	}
	var view rowView
	var failed error
	err := a.get(ids, func(i int, row []byte) bool {
		if row == nil {
			return true
		}
		if failed = view.reset(ids[i], row); failed != nil {
			return false
		}
		a.key = a.index.AppendKey(a.key[:0], &view, ids[i])
		if !bytes.Equal(a.key, keys[i][len(a.index.prefix):]) {
			return true
		}
		*stop = !visit(ids[i], row)
		return !*stop
	})
	return cmp.Or(err, failed)
}

// gather reads all entries of the plan's ranges, which tell the ids, and then rows in
// the order of ids. If that is the order of the selection, it keeps as many ids as a page
// may take, and then some.
func (a *access) gather(visit func(entity id.EntityID, row []byte) bool) error {
	var w idWindow
	last, resume := a.plan.After(a.after)
	if !a.byID() {
		resume = false
	} else {
		w.limit = max(4*a.expect, most)
	}
	for _, p := range a.parts {
		for _, r := range p.plan.Ranges {
			err := a.reader.Visit(within(p.index.prefix).clipped(p.index.prefix, r), 0, func(key, _ []byte) bool {
				a.entries++
				if entity := key[len(key)-id.Size:]; !resume || bytes.Compare(entity, last) > 0 {
					w.offer(recordEntity(key))
				}
				return true
			})
			if err != nil {
				return err
			}
		}
	}
	a.more = w.settle()
	return a.lookup(w.ids, visit)
}

// idWindow keeps the least of the ids that it is offered, each once.
type idWindow struct {
	limit int // 0 for none
	ids   []id.EntityID
	full  bool // ids were dropped
}

func (w *idWindow) offer(e id.EntityID) {
	if w.ids = append(w.ids, e); w.limit > 0 && len(w.ids) >= 2*w.limit {
		w.settle()
	}
}

// settle sorts the window and reports whether it is not all that was offered.
func (w *idWindow) settle() bool {
	sort.Slice(w.ids, func(i, j int) bool { return w.ids[i].Compare(w.ids[j].ULID) < 0 })
	w.ids = slices.Compact(w.ids)
	if w.limit > 0 && len(w.ids) > w.limit {
		w.ids, w.full = w.ids[:w.limit], true
	}
	return w.full
}

// plainReader reads a store that cannot give views. Its reads are of one moment each.
type plainReader struct {
	ctx   context.Context
	store source
	more  bool // the last visit ended because it had read as many as were expected
}

// Get implements Reader.
func (r *plainReader) Get(keys [][]byte) ([][]byte, error) { return r.store.Get(r.ctx, keys) }

// Visit implements Reader, except that it ends after as many pairs as are expected.
func (r *plainReader) Visit(within Range, expect int, visit func(key, value []byte) bool) error {
	pairs, err := r.store.Scan(r.ctx, within, expect)
	for _, p := range pairs {
		if !visit(p.Key, p.Value) {
			return err
		}
	}
	r.more = expect > 0 && len(pairs) == expect
	return err
}

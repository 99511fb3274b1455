package reactor

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// index finds the watches of one collection that may match an entity.
//
// A predicate is true only of what lies within one of its alternatives (plan.Bounds), so
// it is enough to find a watch by one bound of each. That bound is a home of the watch: on
// the shelf of the bound's field, the watch is kept under all points and ranges of it. An
// alternative that bounds nothing puts the watch under always.
type index struct {
	size    int                 // watches
	blind   int                 // those that do not see everything
	watches map[*Watch]struct{} // those that follow references
	always  bucket
	shelves map[string]*shelf // by the text of the path
}

// shelf has the watches that are found by what one field holds.
type shelf struct {
	field  *ankql.Field
	homes  int
	points map[string]bucket // by the ascending key of the value
	ranges intervals
}

// anywhere is the home of a watch that no bound finds.
var anywhere = plan.Bound{}

func newIndex() *index {
	return &index{shelves: make(map[string]*shelf), watches: make(map[*Watch]struct{})}
}

// add takes in a watch whose number is greater than all before.
func (ix *index) add(w *Watch) {
	ix.size++
	where := w.where.Where
	if w.behind != nil {
		ix.watches[w] = struct{}{}
		where = w.behind.flatten(where)
		if w.behind.sees != nil {
			ix.blind++
		}
	}
	w.homes = ix.homesOf(plan.Bounds(where))
	for i := range w.homes {
		ix.put(&w.homes[i], w)
	}
}

// homesOf chooses the least crowded bound of each alternative.
func (ix *index) homesOf(alternatives [][]plan.Bound) []plan.Bound {
	homes := make([]plan.Bound, 0, len(alternatives))
	for _, bounds := range alternatives {
		if len(bounds) == 0 {
			return []plan.Bound{anywhere}
		}
		homes = append(homes, slices.MinFunc(bounds, func(a, b plan.Bound) int {
			return cmp.Or(cmp.Compare(ix.crowd(&a), ix.crowd(&b)), cmp.Compare(entries(&a), entries(&b)))
		}))
	}
	return homes
}

func entries(b *plan.Bound) int { return len(b.Points) + len(b.Ranges) }

// rangeCrowd is how many watches under one value are as good as a range, which most
// values of a property may lie in.
const rangeCrowd = 16

// crowd estimates how many watches a value finds together with one under this bound, of
// values that find it at all. So watches spread over what tells them apart: thousands of
// `state = 'open' AND owner = ?` are found by their owners.
func (ix *index) crowd(b *plan.Bound) int {
	sh := ix.shelves[b.Field.Path.String()]
	most := 0
	if len(b.Ranges) > 0 {
		most = rangeCrowd
		if sh != nil {
			most += sh.ranges.count
		}
	}
	if sh != nil {
		for _, p := range b.Points {
			most = max(most, len(sh.points[string(p)]))
		}
	}
	return most
}

func (ix *index) put(home *plan.Bound, w *Watch) {
	if home.Field == nil {
		ix.always = ix.always.with(w)
		return
	}
	path := home.Field.Path.String()
	sh := ix.shelves[path]
	if sh == nil {
		sh = &shelf{field: w.behind.field(home.Field), points: make(map[string]bucket)}
		ix.shelves[path] = sh
	}
	sh.homes++
	for _, p := range home.Points {
		sh.points[string(p)] = sh.points[string(p)].with(w)
	}
	for _, r := range home.Ranges {
		sh.ranges.insert(r, w)
	}
}

// remove takes out a watch that was added.
func (ix *index) remove(w *Watch) {
	ix.size--
	if w.behind != nil {
		delete(ix.watches, w)
		if w.behind.sees != nil {
			ix.blind--
		}
	}
	for i := range w.homes {
		ix.take(&w.homes[i], w)
	}
	w.homes = nil
}

func (ix *index) take(home *plan.Bound, w *Watch) {
	if home.Field == nil {
		ix.always = ix.always.without(w)
		return
	}
	path := home.Field.Path.String()
	sh := ix.shelves[path]
	if sh.homes--; sh.homes == 0 {
		delete(ix.shelves, path)
		return
	}
	for _, p := range home.Points {
		if left := sh.points[string(p)].without(w); len(left) > 0 {
			sh.points[string(p)] = left
		} else {
			delete(sh.points, string(p))
		}
	}
	for _, r := range home.Ranges {
		sh.ranges.remove(r, w)
	}
}

// bucket is watches in the order of their registration, each once.
type bucket []*Watch

// with appends a watch whose number is not less than those of the others.
func (b bucket) with(w *Watch) bucket {
	if n := len(b); n > 0 && b[n-1] == w {
		return b // two of its homes share this place
	}
	return append(b, w)
}

func (b bucket) without(w *Watch) bucket {
	i, found := slices.BinarySearchFunc(b, w, bySeq)
	if !found {
		return b
	}
	return slices.Delete(b, i, i+1)
}

func bySeq(a, b *Watch) int { return cmp.Compare(a.seq, b.seq) }

// search collects candidates. It is kept from change to change for its memory.
type search struct {
	number uint64
	found  []*Watch
	most   int       // how many were found at once since forget
	keys   [2][]byte // of a field before and after
}

// nullKey is where watches are found by a field that is NULL.
var nullKey = value.AppendKey(nil, value.Null, value.Ascending)

// candidates returns the watches whose predicates may be true of the entity before or
// after the change, in the order of their registration. The world says what references
// lead to; without one, nothing. The result is valid until the next call.
func (s *search) candidates(ix *index, before, after *proto.Record, world World) []*Watch {
	s.number++
	s.most, s.found = max(s.most, len(s.found)), s.found[:0]
	s.meet(ix.always)
	for _, sh := range ix.shelves {
		behind := sh.field.FollowsReferences()
		if behind && ix.blind > 0 {
			s.look(sh, nullKey) // of those who do not see the entity behind
		}
		if before != nil {
			s.keys[0] = sh.appendKey(s.keys[0][:0], before, earlier(world, behind))
			s.look(sh, s.keys[0])
		}
		if after == nil {
			continue
		}
		s.keys[1] = sh.appendKey(s.keys[1][:0], after, later(world, behind))
		if before == nil || !bytes.Equal(s.keys[0], s.keys[1]) {
			s.look(sh, s.keys[1])
		}
	}
	slices.SortFunc(s.found, bySeq)
	return s.found
}

// forget lets go of what was found: a watch that has been stopped may lead to much.
func (s *search) forget() {
	clear(s.found[:max(s.most, len(s.found))])
	s.most, s.found = 0, s.found[:0]
}

func earlier(world World, behind bool) ankql.Resolver {
	if !behind || world == nil {
		return nil
	}
	return world.Before()
}

func later(world World, behind bool) ankql.Resolver {
	if !behind || world == nil {
		return nil
	}
	return world.After()
}

func (sh *shelf) appendKey(dst []byte, r *proto.Record, from ankql.Resolver) []byte {
	return value.AppendKey(dst, sh.field.Value(r, from), value.Ascending)
}

func (s *search) look(sh *shelf, key []byte) {
	s.meet(sh.points[string(key)])
	sh.ranges.containing(key, s.meetOne)
}

func (s *search) meet(b bucket) {
	for _, w := range b {
		s.meetOne(w)
	}
}

func (s *search) meetOne(w *Watch) {
	if w.seen != s.number {
		w.seen = s.number
		s.found = append(s.found, w)
	}
}

package core

import (
	"cmp"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// publication is a transaction that is to be published.
type publication struct {
	tx      *reactor.Transaction
	ends    []feedEnd    // of the feeds, with this
	entries []*feedEntry // what it is made of
	own     bool
	before  map[id.EntityID]*proto.Record // what it changed, deleted ones included
	done    func()                        // may be nil
}

// feedEntry is an entry of one of the store's feeds.
type feedEntry struct {
	*proto.FeedEntry
	feed id.NodeID
}

// causally merges feeds, of which the last is the node's own, into one order in which the
// revisions of each entity ascend. The others' entries come as early as they can.
func causally(queues [][]*feedEntry) []*feedEntry {
	waiting := make(map[id.EntityID][]uint64)
	total := 0
	for _, queue := range queues {
		total += len(queue)
		for _, e := range queue {
			for i := range e.Changes {
				c := &e.Changes[i]
				waiting[c.Entity] = append(waiting[c.Entity], c.Rev)
			}
		}
	}
	for _, revisions := range waiting {
		slices.Sort(revisions)
	}
	ready := func(e *feedEntry) bool {
		return !slices.ContainsFunc(e.Changes, func(c proto.Change) bool { return waiting[c.Entity][0] != c.Rev })
	}
	order := make([]*feedEntry, 0, total)
	take := func(q int) {
		e := queues[q][0]
		queues[q] = queues[q][1:]
		for i := range e.Changes {
			entity := e.Changes[i].Entity
			if at, found := slices.BinarySearch(waiting[entity], e.Changes[i].Rev); found {
				waiting[entity] = slices.Delete(waiting[entity], at, at+1)
			}
		}
		order = append(order, e)
	}
	for len(order) < total {
		next := slices.IndexFunc(queues, func(q []*feedEntry) bool { return len(q) > 0 && ready(q[0]) })
		if next < 0 { // cannot be; then no order is right
			next = slices.IndexFunc(queues, func(q []*feedEntry) bool { return len(q) > 0 })
		}
		take(next)
	}
	return order
}

// runs yields the longest runs of entries that are all other processes', and between them
// those of the node's own one by one.
func runs(order []*feedEntry, self id.NodeID) func(yield func([]*feedEntry) bool) {
	return func(yield func([]*feedEntry) bool) {
		for len(order) > 0 {
			n := 1
			for order[0].feed != self && n < len(order) && order[n].feed != self {
				n++
			}
			if !yield(order[:n]) {
				return
			}
			order = order[n:]
		}
	}
}

// apart splits a run into the transactions that it consists of, unless several of them change
// one entity: what that was in between, storage does not tell. Then they are shown as one.
func apart(run []*feedEntry) [][]*feedEntry {
	seen := make(map[id.EntityID]bool)
	each := make([][]*feedEntry, 0, len(run))
	for i, e := range run {
		for k := range e.Changes {
			if entity := e.Changes[k].Entity; seen[entity] {
				return [][]*feedEntry{run}
			} else {
				seen[entity] = true
			}
		}
		each = append(each, run[i:i+1])
	}
	return each
}

// of makes a publication of entries; recall adds what they changed.
func of(entries []*feedEntry) *publication {
	p := &publication{tx: &reactor.Transaction{}, entries: entries}
	if len(entries) == 1 {
		p.tx.ID = entries[0].Transaction
	} else {
		p.tx.Loose = true // a query that is being opened may have read what was in between
	}
	for _, e := range entries {
		p.ends = append(p.ends, feedEnd{e.feed, e.Seq}) // the last one of a feed counts
	}
	return p
}

// recall says of the publications of other processes what they have changed: going back from
// the latest records, by what the feeds tell of the values before each change and by what
// the node's own transactions were made on.
func recall(list []*publication, latest map[id.EntityID]*proto.Record) {
	for _, p := range slices.Backward(list) {
		if !p.own {
			p.recall(latest)
		}
		for e, before := range p.before {
			if _, named := latest[e]; named {
				latest[e] = before
			}
		}
	}
}

// recall says what the entries did, all together, given the records after them.
func (p *publication) recall(after map[id.EntityID]*proto.Record) {
	byEntity := make(map[id.EntityID][]*proto.Change)
	var order []id.EntityID
	for _, e := range p.entries {
		for i := range e.Changes {
			c := &e.Changes[i]
			if byEntity[c.Entity] == nil {
				order = append(order, c.Entity)
			}
			byEntity[c.Entity] = append(byEntity[c.Entity], c)
		}
	}
	p.before = make(map[id.EntityID]*proto.Record, len(order))
	for _, e := range order {
		stored := after[e]
		if stored == nil {
			continue // a record that was removed by hand
		}
		before := undone(stored, byEntity[e])
		p.before[e] = before
		p.tx.Changes = append(p.tx.Changes, reactor.Change{
			Collection: stored.Collection, Entity: e, Rev: stored.Rev,
			Before: visible(before), After: visible(stored), Stored: stored, Recalled: true,
		})
	}
}

// undone returns what a record was before changes, given in order. Its values and its head are
// what they were; by which events its values were written is not known.
func undone(r *proto.Record, changes []*proto.Change) *proto.Record {
	slices.SortStableFunc(changes, func(a, b *proto.Change) int { return cmp.Compare(a.Rev, b.Rev) })
	first := changes[0]
	if len(first.Before) == 0 {
		return nil
	}
	s := &proto.State{Head: first.Before, Properties: slices.Clone(r.State.Properties)}
	for _, c := range slices.Backward(changes) {
		for _, f := range c.Undo {
			if i, found := s.Find(f.Name); found {
				s.Properties[i].Value = f.Value
			}
		}
	}
	return &proto.Record{Collection: r.Collection, Entity: r.Entity, Rev: first.Rev - 1, State: s}
}

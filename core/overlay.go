package core

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// overlay is the records that an ephemeral node shows already and is still storing. It
// lies over the engine for every reader: a commit is shown at once, and storage takes its
// time. Only the loop changes it.
//
// With it goes what is known of entities besides their records: which of them are pending or
// refused.
type overlay struct {
	mu      sync.RWMutex
	records map[id.EntityID]overlaid
	states  map[id.EntityID]proto.SyncState // of those that are not synced
}

// overlaid is a record, or nil for one that is being removed.
type overlaid struct {
	collection string
	record     *proto.Record
}

// show lays records over the engine, and changes the states of entities.
func (o *overlay) show(records map[id.EntityID]overlaid, states map[id.EntityID]proto.SyncState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records = records
	if o.states == nil {
		o.states = make(map[id.EntityID]proto.SyncState, len(states))
	}
	for e, s := range states {
		if s == proto.Synced {
			delete(o.states, e)
		} else {
			o.states[e] = s
		}
	}
}

func (o *overlay) clear() { o.show(nil, nil) }

// restate replaces the states of all entities, and returns those of before.
func (o *overlay) restate(states map[id.EntityID]proto.SyncState) (before map[id.EntityID]proto.SyncState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before, o.states = o.states, states
	return before
}

// state returns the state of an entity.
func (o *overlay) state(e id.EntityID) proto.SyncState {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.states[e]
}

// inState returns the entities of the given states, nil and false if they are more than max.
func (o *overlay) inState(max int, of ...proto.SyncState) (list []id.EntityID, ok bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for e, s := range o.states {
		if !slices.Contains(of, s) {
			continue
		}
		if len(list) == max {
			return nil, false
		}
		list = append(list, e)
	}
	return list, true
}

// stamp gives records that come from the engine, which does not keep it, their state. Those
// of a durable node have none.
func (n *Node) stamp(records []*proto.Record) {
	if n.opts.Durable {
		return
	}
	n.overlay.mu.RLock()
	defer n.overlay.mu.RUnlock()
	for i, r := range records {
		if r == nil || r.Sync == n.overlay.states[r.Entity] {
			continue
		}
		stamped := *r
		stamped.Sync = n.overlay.states[r.Entity]
		records[i] = &stamped
	}
}

// stored returns the records that the engine holds of entities, as they are shown unless
// something lies over them; nil for one that it does not hold.
func (n *Node) stored(ctx context.Context, entities []id.EntityID) ([]*proto.Record, error) {
	return n.storedIn(ctx, n.engine, entities)
}

// storedIn is stored for the engine or a view of it.
func (n *Node) storedIn(ctx context.Context, from storage.Reader, entities []id.EntityID) ([]*proto.Record, error) {
	records, err := from.Records(ctx, entities)
	if err == nil {
		n.stamp(records)
	}
	return records, err
}

// of returns what lies over a collection; nil if nothing does.
func (o *overlay) of(collection string) map[id.EntityID]*proto.Record {
	o.mu.RLock()
	defer o.mu.RUnlock()
	var list map[id.EntityID]*proto.Record
	for e, x := range o.records {
		if x.collection == collection {
			if list == nil {
				list = make(map[id.EntityID]*proto.Record, len(o.records))
			}
			list[e] = x.record
		}
	}
	return list
}

// record returns the record of an entity as it is shown.
func (n *Node) record(ctx context.Context, e id.EntityID) (*proto.Record, error) {
	n.overlay.mu.RLock()
	x, over := n.overlay.records[e]
	n.overlay.mu.RUnlock()
	if over {
		return x.record, nil
	}
	records, err := n.stored(ctx, []id.EntityID{e})
	if err != nil {
		return nil, err
	}
	return records[0], nil
}

// page is the Scan of the engine, or of a view of it, with the overlay over it. It may return
// some more rows than the limit. What the overlay holds was taken before the engine was read,
// so where both have a record the greater revision is the later one.
func (n *Node) page(ctx context.Context, from storage.Reader, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	over := n.overlay.of(collection)
	var page *storage.Page
	err := n.inTurn(ctx, func() (err error) {
		page, err = from.Scan(ctx, collection, s, after, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	if n.stamp(page.Records); len(over) == 0 {
		return page, nil
	}
	var rows []keyedRow
	for _, r := range page.Records {
		if x, ok := over[r.Entity]; ok && (x == nil || x.Rev >= r.Rev) {
			continue
		}
		delete(over, r.Entity)
		rows = append(rows, keyedRow{s.AppendSortKey(nil, r, r.Entity), r})
	}
	for _, r := range over {
		if visible(r) == nil || !s.Matches(r) {
			continue
		}
		key := s.AppendSortKey(nil, r, r.Entity)
		if bytes.Compare(key, after) > 0 && (!page.More || bytes.Compare(key, page.Next) <= 0) {
			rows = append(rows, keyedRow{key, r})
		}
	}
	sortKeyed(rows)
	merged := &storage.Page{More: page.More, Next: page.Next, Records: make([]*proto.Record, len(rows))}
	for i := range rows {
		merged.Records[i] = rows[i].row
	}
	return merged, nil
}

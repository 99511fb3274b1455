package core

import (
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// moment is a state of the node's data: what the engine holds, under the node's overlay,
// under what was otherwise at that moment. It finds the entities that references name, and
// remembers them. It belongs to one goroutine at a time.
type moment struct {
	node *Node
	ctx  context.Context
	from storage.Reader                // what is asked
	past *snapshot                     // records of before, over those of now; may be nil
	own  map[id.EntityID]*proto.Record // a transaction's, over all; may be nil

	found map[id.EntityID]*proto.Record // what was looked up, deleted ones included
	bytes int                           // that found takes
	local map[*reading]ankql.Expr       // what the engine is asked for in place of a selection
	kept  keeping                       // counts the rows that are kept of what is read; may be nil
	err   error                         // why something was not: all that follows is worth nothing
}

// present is the node's data as it is. Only where nothing changes it meanwhile (on the
// loop) do several looks give one state.
func (n *Node) present(ctx context.Context) *moment {
	return &moment{node: n, ctx: ctx, from: n.engine}
}

// at is the node's data as it was when the snapshot began.
func (s *snapshot) at(ctx context.Context, n *Node) *moment {
	return &moment{node: n, ctx: ctx, from: n.engine, past: s}
}

// record returns an entity, deleted or not; nil where there is none.
func (m *moment) record(e id.EntityID) *proto.Record {
	if r, ok := m.found[e]; ok {
		return r
	}
	m.load([]id.EntityID{e})
	return m.found[e]
}

// Resolve implements ankql.Resolver for those who may see everything.
func (m *moment) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	return found(visible(m.record(e)), collection)
}

// found is what a resolver returns of a record, nil for none, that was looked for in a
// collection.
func found(r *proto.Record, collection string) (ankql.Fields, bool) {
	if collection, _ = unmarked(collection); r == nil || collection != "" && r.Collection != collection {
		return nil, false
	}
	return r, true
}

// load looks entities up that have not been.
func (m *moment) load(entities []id.EntityID) {
	if limits := &m.node.limits; m.found == nil || len(m.found)+len(entities) > max(limits.CachedRecords, len(entities)) || m.bytes > limits.CachedBytes {
		m.found, m.bytes = make(map[id.EntityID]*proto.Record, len(entities)), 0
	}
	var missing []id.EntityID
	for _, e := range entities {
		if _, ok := m.found[e]; ok {
			continue
		}
		if r, ok := m.own[e]; ok {
			m.found[e] = r
		} else {
			missing = append(missing, e)
		}
	}
	for len(missing) > 0 {
		page := missing[:min(len(missing), storage.MaxPage)]
		missing = missing[len(page):]
		records, err := m.node.records(m.ctx, m.from, page)
		if err != nil {
			m.fail(err)
			records = make([]*proto.Record, len(page))
		}
		for i, e := range page {
			m.found[e] = records[i]
			if r := records[i]; r != nil && r.State != nil {
				m.bytes += r.State.Size()
			}
		}
		m.past.restore(m.found, page)
	}
}

// keep counts rows that are kept of what was read.
func (m *moment) keep(rows []*proto.Record) error {
	if m.kept == nil || len(rows) == 0 {
		return nil
	}
	return m.kept.grow(rowsSize(rows))
}

// counted returns what has kept count what it does now.
func (m *moment) counted() (again func()) {
	if m.kept == nil {
		return func() {}
	}
	before := m.kept.size()
	return func() { m.kept.grow(before - m.kept.size()) }
}

// leave takes back what was counted for rows that are not kept after all.
func (m *moment) leave(list []keyedRow) {
	if m.kept != nil && len(list) > 0 {
		m.kept.grow(-rowsSize(rowsOf(list)))
	}
}

func (m *moment) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}

// follow looks up, step by step and all together, the entities that the rows refer to on
// the given trails, so that each step is one read and not one for each row.
func (m *moment) follow(rows []*proto.Record, trails []trail) {
	for step := 0; ; step++ {
		var wanted []id.EntityID
		for i := range trails {
			if len(trails[i].path) <= step {
				continue
			}
			for _, r := range rows {
				if e, ok := m.reference(r, &trails[i], step); ok {
					if _, known := m.found[e]; !known {
						wanted = append(wanted, e)
					}
				}
			}
		}
		if len(wanted) == 0 && step > 0 {
			return
		}
		m.load(wanted)
		if step >= ankql.MaxSteps {
			return
		}
	}
}

// reference returns the entity that a row refers to by a step of a trail.
func (m *moment) reference(r *proto.Record, t *trail, step int) (e id.EntityID, ok bool) {
	for i := range step + 1 {
		if e, ok = r.Field(t.path[i]).AsID(); !ok || i == step {
			return e, ok
		}
		if r = visible(m.found[e]); r == nil {
			return e, false
		}
	}
	return e, false
}

// records returns the records of entities as the node shows them.
func (n *Node) records(ctx context.Context, from storage.Reader, entities []id.EntityID) ([]*proto.Record, error) {
	n.overlay.mu.RLock()
	over := make(map[id.EntityID]*proto.Record)
	for _, e := range entities {
		if x, ok := n.overlay.records[e]; ok {
			over[e] = x.record
		}
	}
	n.overlay.mu.RUnlock()
	records, err := n.storedIn(ctx, from, entities)
	if err != nil || len(over) == 0 {
		return records, err
	}
	for i, e := range entities {
		if r, ok := over[e]; ok {
			records[i] = r
		}
	}
	return records, nil
}

// restore puts what the snapshot holds of the given entities over what was read of them
// before.
func (s *snapshot) restore(found map[id.EntityID]*proto.Record, entities []id.EntityID) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entities {
		if old, ok := s.old[e]; ok {
			found[e] = old
		}
	}
}

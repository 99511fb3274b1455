package core

import (
	"bytes"
	"context"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// overlay is the records that an ephemeral node shows already and is still storing. It
// lies over the engine for every reader: a commit is shown at once, and storage takes its
// time. Only the loop changes it.
type overlay struct {
	mu      sync.RWMutex
	records map[id.EntityID]overlaid
}

// overlaid is a record, or nil for one that is being removed.
type overlaid struct {
	collection string
	record     *proto.Record
}

func (o *overlay) show(records map[id.EntityID]overlaid) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records = records
}

func (o *overlay) clear() { o.show(nil) }

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
	records, err := n.engine.Records(ctx, []id.EntityID{e})
	if err != nil {
		return nil, err
	}
	return records[0], nil
}

// page is the engine's Scan with the overlay over it. It may return some more rows than
// the limit. What the overlay holds was taken before the engine was read, so where both
// have a record the greater revision is the later one.
func (n *Node) page(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (*storage.Page, error) {
	over := n.overlay.of(collection)
	page, err := n.engine.Scan(ctx, collection, s, after, limit)
	if err != nil || len(over) == 0 {
		return page, err
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

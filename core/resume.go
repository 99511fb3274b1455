package core

import (
	"cmp"
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// resume sends what changed after the given entries of the feeds: rows that match now, and
// rows that did as of these or at any time since. (The peer may hold one that matched only in
// between: it may have made it so itself.) Other rows are none of its business.
func (sub *subscription) resume(ctx context.Context, out *rowWriter, from map[id.NodeID]uint64) error {
	n := sub.session.node
	past, order, err := sub.changesSince(ctx, from)
	if err != nil {
		return err
	}
	for len(order) > 0 {
		page := order[:min(len(order), storage.MaxPage)]
		order = order[len(page):]
		records, err := n.engine.Records(ctx, page)
		if err != nil {
			return err
		}
		for i, r := range records {
			if r == nil {
				continue
			}
			if err := sub.resumeRow(out, r, sub.matched(r, past[page[i]])); err != nil {
				return err
			}
		}
	}
	return nil
}

// changesSince reads the changes of the collection's entities after the given entries of the
// feeds, and the entities in the order in which they come.
func (sub *subscription) changesSince(ctx context.Context, from map[id.NodeID]uint64) (past map[id.EntityID][]*proto.Change, order []id.EntityID, err error) {
	past = make(map[id.EntityID][]*proto.Change)
	for feed, after := range from {
		for {
			entries, err := sub.session.node.engine.Feed(ctx, feed, after, storage.MaxPage)
			if err != nil {
				return nil, nil, err
			}
			if len(entries) == 0 {
				break
			}
			for _, entry := range entries {
				after = entry.Seq
				for i := range entry.Changes {
					c := &entry.Changes[i]
					if c.Collection != sub.collection {
						continue
					}
					if past[c.Entity] == nil {
						order = append(order, c.Entity)
					}
					past[c.Entity] = append(past[c.Entity], c)
				}
			}
		}
	}
	if len(from) > 1 { // the feeds are read one after the other
		for _, changes := range past {
			slices.SortFunc(changes, func(a, b *proto.Change) int { return cmp.Compare(a.Rev, b.Rev) })
		}
	}
	return past, order, nil
}

// matched reports whether a row matched, and the peer could see it, before any of the
// given changes, oldest first.
func (sub *subscription) matched(r *proto.Record, changes []*proto.Change) bool {
	row := pastRow{r, make(map[string]value.Value)}
	for _, c := range slices.Backward(changes) {
		if len(c.Before) == 0 {
			return false // it did not exist
		}
		for _, f := range c.Undo {
			row.undone[f.Name] = f.Value
		}
		if !row.deleted() && sub.sel.Matches(row) && sub.readable(row) {
			return true
		}
	}
	return false
}

func (sub *subscription) resumeRow(out *rowWriter, r *proto.Record, matched bool) error {
	matches := visible(r) != nil && sub.sel.Matches(r)
	switch {
	case !matches && !matched:
		return nil
	case sub.readable(r):
		return out.row(r, nil)
	case matched:
		return out.gone(r.Entity)
	}
	return nil // it never saw the row
}

// pastRow reads a record as it was before some changes.
type pastRow struct {
	record *proto.Record
	undone map[string]value.Value
}

// Field implements ankql.Fields.
func (p pastRow) Field(name string) value.Value {
	if v, ok := p.undone[name]; ok {
		return v
	}
	return p.record.Field(name)
}

func (p pastRow) deleted() bool {
	deleted, _ := p.Field(proto.Deleted).AsBool()
	return deleted
}

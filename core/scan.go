package core

import (
	"bytes"
	"context"
	"sort"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// scan returns the stored records of a selection, in its order and within its limit.
// Without a limit it reads by entity id, which every engine does page by page at the
// cost of the answer, and sorts here.
func (n *Node) scan(ctx context.Context, collection string, s *ankql.Selection) ([]*proto.Record, error) {
	if s.Limit >= 0 {
		rows, _, err := n.scanAfter(ctx, collection, s, nil, s.Limit)
		return rows, err
	}
	var rows []*proto.Record
	err := n.scanAll(ctx, collection, s, func(r *proto.Record) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(s.Order) > 0 {
		rows = sorted(rows, s)
	}
	return rows, nil
}

// scanAfter returns up to limit records after a sort key, and whether there may be more.
func (n *Node) scanAfter(ctx context.Context, collection string, s *ankql.Selection, after []byte, limit int) (rows []*proto.Record, more bool, err error) {
	for len(rows) < limit {
		page, err := n.page(ctx, collection, s, after, min(limit-len(rows), storage.MaxPage))
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, page.Records...)
		if len(rows) > limit {
			return rows[:limit], true, nil
		}
		if !page.More {
			return rows, false, nil
		}
		after = page.Next
	}
	return rows, true, nil
}

// keyedRow is a record with its sort key.
type keyedRow struct {
	key []byte
	row *proto.Record
}

func sortKeyed(list []keyedRow) {
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i].key, list[j].key) < 0 })
}

// sorted sorts rows by the selection's order, in place.
func sorted(rows []*proto.Record, s *ankql.Selection) []*proto.Record {
	list := make([]keyedRow, len(rows))
	for i, r := range rows {
		list[i] = keyedRow{s.AppendSortKey(nil, r, r.Entity), r}
	}
	sortKeyed(list)
	for i := range list {
		rows[i] = list[i].row
	}
	return rows
}

// cut returns at most as many rows as the selection's limit says.
func cut(rows []*proto.Record, s *ankql.Selection) []*proto.Record {
	if s.Limit >= 0 && len(rows) > s.Limit {
		return rows[:s.Limit]
	}
	return rows
}

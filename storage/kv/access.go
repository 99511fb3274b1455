package kv

import (
	"bytes"
	"context"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
)

// access is a way to the rows of a selection: some rows, at least all that match (K4).
// It is either a range of records or, where the predicate names the entities, keys.
type access struct {
	rows    Range
	keys    [][]byte
	byKeys  bool
	inOrder bool // rows come in the selection's order, from the first one after
}

// chooseAccess decides how a selection is read: what it names, else the whole
// collection.
func chooseAccess(collection string, s *ankql.Selection, after []byte) access {
	prefix := recordPrefix(collection)
	a := access{rows: within(prefix), inOrder: len(s.Order) == 0}
	resume := a.inOrder && after != nil
	if resume { // without an ORDER BY the sort key is the entity's bytes
		a.rows = afterKey(prefix, append(prefix, after...))
	}
	if ids, _ := s.Entities(); ids != nil {
		a.byKeys, a.keys = true, recordKeys(collection, ids)
		if resume {
			first, _ := slices.BinarySearchFunc(a.keys, a.rows.Start, bytes.Compare)
			a.keys = a.keys[first:]
		}
	}
	return a
}

// recordKeys returns the keys of the entities' records, in the entities' order.
func recordKeys(collection string, ids []id.EntityID) [][]byte {
	keys := make([][]byte, len(ids))
	for i, entity := range ids {
		keys[i] = recordKey(collection, entity)
	}
	return keys
}

// visit goes through the rows, all of one moment, until visit returns false. At most
// page rows are read ahead where that is enough to make progress; it returns true if
// there may be more.
func (a *access) visit(ctx context.Context, store Store, page int, visit func(key, row []byte) bool) (more bool, err error) {
	if a.byKeys {
		values, err := store.Get(ctx, a.keys)
		for i, row := range values {
			if row != nil && !visit(a.keys[i], row) {
				break
			}
		}
		return false, err
	}
	if v, ok := store.(Visitor); ok {
		return false, v.Visit(ctx, a.rows, visit)
	}
	if !a.inOrder {
		page = 0 // the first row of the page may be the last one read
	}
	pairs, err := store.Scan(ctx, a.rows, page)
	for _, p := range pairs {
		if !visit(p.Key, p.Value) {
			break
		}
	}
	return page > 0 && len(pairs) == page, err
}

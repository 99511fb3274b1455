package kv

import (
	"bytes"
	"context"
	"fmt"
)

// VerifyIndexes holds the entries of all indexes in a store against its rows: a ready
// index has those of all rows, one that is being built those of the rows done, no index has
// others, and no entries are left of an index that is gone.
func VerifyIndexes(ctx context.Context, store Store) error {
	rows, err := store.Scan(ctx, within([]byte{spaceIndexes}), 0)
	if err != nil {
		return err
	}
	want, optional := map[string]bool{}, [][]byte{}
	for _, row := range rows {
		collection := string(row.Key[2 : 2+row.Key[1]])
		if !bytes.Equal(row.Key, catalogueKey(collection)) {
			continue
		}
		c, err := readCatalogue(collection, row.Value)
		if err != nil {
			return err
		}
		for _, ix := range c.indexes {
			if ix.state == dropping {
				optional = append(optional, ix.prefix)
				continue
			}
			if err := expectEntries(ctx, store, c, ix, want); err != nil {
				return err
			}
		}
	}
	entries, err := store.Scan(ctx, within([]byte{spaceEntry}), 0)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		must, known := want[string(entry.Key)]
		delete(want, string(entry.Key))
		for _, prefix := range optional {
			known = known || bytes.HasPrefix(entry.Key, prefix)
		}
		if !known && !must {
			return fmt.Errorf("entry %x leads nowhere", entry.Key)
		}
	}
	for key, must := range want {
		if must {
			return fmt.Errorf("entry %x is missing", key)
		}
	}
	return nil
}

// expectEntries adds the entries that an index must have, and false for those that it may.
func expectEntries(ctx context.Context, store Store, c *catalogue, ix *index, want map[string]bool) error {
	values, err := store.Get(ctx, [][]byte{progressKey(c.collection, ix.number)})
	if err != nil {
		return err
	}
	done, err := readProgress(values[0])
	if err != nil {
		return err
	}
	rows, err := store.Scan(ctx, within(recordPrefix(c.collection)), 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		entity := recordEntity(row.Key)
		var view rowView
		if err := view.reset(entity, row.Value); err != nil {
			return err
		}
		if !view.state.Deleted() {
			want[string(ix.entryKey(&view, entity))] = ix.state == ready || bytes.Compare(entity.Bytes(), done.after) <= 0
		}
	}
	return nil
}

package relational

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/plan"
)

// Index is an index as the table _indexes has it.
type Index struct {
	Collection string
	Columns    string // in the notation of ORDER BY
	Name       string // in the database
	Declared   bool
	Unique     bool
	State      storage.IndexState
	Used       time.Time // to the day

	definition []plan.Column
}

// IndexKey is the key of an index among all.
func IndexKey(collection, columns string) string { return collection + "\x00" + columns }

// indexName is the name of an index in the database.
func indexName(collection, columns string) string {
	h := fnv.New64a()
	h.Write([]byte(IndexKey(collection, columns)))
	return fmt.Sprintf("_i%016x", h.Sum64())
}

// over says whether a property is among what the index is over.
func (ix *Index) over(property string) bool {
	return slices.ContainsFunc(ix.definition, func(c plan.Column) bool { return c.Path[0] == property })
}

// readIndexes returns all indexes, by their keys.
func (l Layout) readIndexes(ctx context.Context, db Database) (indexes map[string]*Index, err error) {
	err = db.Query(ctx, Statement{SQL: "SELECT collection, columns, name, definition, declared, expects_one, state, used FROM " + l.Own("_indexes")},
		func() { indexes = map[string]*Index{} },
		func(row Row) error {
			var ix Index
			var definition string
			var used int64
			if err := row.Scan(&ix.Collection, &ix.Columns, &ix.Name, &definition, &ix.Declared, &ix.Unique, &ix.State, &used); err != nil {
				return err
			}
			ix.Used = time.Unix(used, 0)
			if err := json.Unmarshal([]byte(definition), &ix.definition); err != nil {
				return Corrupt("the definition of index "+ix.Name, err)
			}
			indexes[IndexKey(ix.Collection, ix.Columns)] = &ix
			return nil
		})
	return indexes, err
}

// wantIndex is the statement that stores that an index is wanted.
func (l Layout) wantIndex(collection string, ix *plan.Index, declared bool) (Statement, error) {
	definition, err := json.Marshal(ix.Columns)
	return l.bind("INSERT INTO "+l.Own("_indexes")+" (collection, columns, name, definition, declared, expects_one, state, used) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"+
		" ON CONFLICT (collection, columns) DO UPDATE SET declared = EXCLUDED.declared, expects_one = EXCLUDED.expects_one, state = CASE _indexes.state WHEN $9 THEN EXCLUDED.state ELSE _indexes.state END",
		collection, ix.Name, indexName(collection, ix.Name), string(definition), declared, ix.Unique, storage.IndexBuilding, time.Now().Unix(), storage.IndexDropping), err
}

// entries returns what an index over some columns lists, such that the predicates and orders
// that a scan asks for can be read from it. ok is false where the table does not have them: no
// entity had a value for one, or a path leads into something that is no document. What SQL
// cannot say, and all that follows it, is left out: nothing would be read from it.
func (l Layout) entries(t *Table, columns []plan.Column) (list []string, ok bool) {
	s := &statement{dialect: l.Dialect, table: t, unqualified: true}
	for _, c := range columns {
		k := key{operand: s.operand(c.Path), desc: c.Order.Desc, nullsFirst: c.Order.NullsFirst}
		switch k.kind {
		case absent:
			return nil, false
		case beyond:
			return list, true
		}
		for _, sql := range k.entries(l.Dialect) {
			list = append(list, "("+sql+")"+k.indexDirection(l.Dialect))
		}
	}
	return append(list, `"id"`), true
}

// entries returns what an index has of a key. In Postgres only the beginnings of texts and byte
// strings go into it, so that there is room for them.
func (k key) entries(d Dialect) []string {
	switch {
	case k.kind == document:
		return []string{jsonRank(k.sql), jsonNumber(k.sql), textPrefix(jsonText(k.sql))}
	case d == Postgres && k.typ == Text:
		return []string{textPrefix(k.sql)}
	case d == Postgres && k.typ == Bytes:
		return []string{bytesPrefix(k.sql)}
	}
	return []string{k.sql}
}

// indexDirection is the direction of a key in an index. SQLite's have NULL first, and are read
// in two parts where it is to be last.
func (k key) indexDirection(d Dialect) string {
	switch {
	case d == Postgres:
		return k.direction()
	case k.desc:
		return " DESC"
	}
	return ""
}

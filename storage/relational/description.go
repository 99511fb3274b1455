package relational

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Description is what a process takes the tables to be: nothing in it is changed.
type Description struct {
	Version int64
	Tables  map[string]*Table // by collection
	Indexes map[string]*Index // those that there are, by IndexKey
}

// Described is the description that a process goes by.
type Described struct{ atomic.Pointer[Description] }

// Remember keeps a description unless there is a later one.
func (k *Described) Remember(d *Description) {
	for {
		known := k.Load()
		if known != nil && known.Version >= d.Version || k.CompareAndSwap(known, d) {
			return
		}
	}
}

// Describe reads the description.
func (l Layout) Describe(ctx context.Context, db Database) (*Description, error) {
	// Which indexes there are decides nothing that a scan answers, so they need not be of the
	// same moment.
	indexes, err := l.readIndexes(ctx, db)
	if err != nil {
		return nil, err
	}
	var d *Description
	var names map[string]string
	var columns map[string][]Column
	err = db.Query(ctx, Statement{SQL: "SELECT a.description, t.collection, t.name, c.property, c.name, c.type FROM " + l.Own("_ankurah") + " a LEFT JOIN " + l.Own("_tables") +
		" t ON TRUE LEFT JOIN " + l.Own("_columns") + " c ON c.collection = t.collection ORDER BY t.collection, c.place"},
		func() {
			d = &Description{Tables: map[string]*Table{}, Indexes: indexes}
			names, columns = map[string]string{}, map[string][]Column{}
		},
		func(row Row) error {
			var collection, table, property, column *string
			var kind *int16
			if err := row.Scan(&d.Version, &collection, &table, &property, &column, &kind); err != nil || collection == nil {
				return err
			}
			names[*collection] = *table
			if property != nil {
				columns[*collection] = append(columns[*collection], Column{Property: *property, Name: *column, Type: Type(*kind)})
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	for c, name := range names {
		for i := range columns[c] {
			columns[c][i].Indexed = d.indexed(c, columns[c][i].Property)
		}
		d.Tables[c] = NewTable(c, name, columns[c])
	}
	return d, nil
}

// indexed says whether an index that is ready has a property among its columns.
func (d *Description) indexed(collection, property string) bool {
	for _, ix := range d.Indexes {
		if ix.Collection == collection && ix.State == storage.IndexReady && ix.over(property) {
			return true
		}
	}
	return false
}

// maxColumns is how many columns a table has at most: Postgres takes 1,600, and less of wide
// types, SQLite 2,000. A row with more properties is odd.
const maxColumns = 1000

// Addition is what a collection's table lacks.
type Addition struct {
	collection string
	columns    []Column
}

// Missing returns what the tables lack for records.
func (d *Description) Missing(records []storage.RecordWrite) []Addition {
	var missing []Addition
	places := map[string]int{}
	for i := range records {
		rec := records[i].Record
		columns, known := d.missing(rec)
		if known && len(columns) == 0 {
			continue
		}
		place, ok := places[rec.Collection]
		if !ok {
			place = len(missing)
			places[rec.Collection] = place
			missing = append(missing, Addition{collection: rec.Collection})
		}
		a := &missing[place]
		for _, c := range columns {
			if !slices.ContainsFunc(a.columns, func(known Column) bool { return known.Property == c.Property }) {
				a.columns = append(a.columns, c)
			}
		}
	}
	slices.SortFunc(missing, func(a, b Addition) int { return cmp.Compare(a.collection, b.collection) })
	return missing
}

// missing returns the columns that a record needs, and whether there is a table for it.
func (d *Description) missing(rec *proto.Record) (columns []Column, known bool) {
	switch t := d.Tables[rec.Collection]; {
	case t == nil:
		return NewTable(rec.Collection, "", nil).Missing(rec), false
	case len(t.Columns) < maxColumns:
		return t.Missing(rec), true
	}
	return nil, true
}

// Grow returns the statements that add tables and columns, unless they are there, and the
// description afterwards.
func (l Layout) Grow(d *Description, additions []Addition) (*Description, []Statement) {
	next := &Description{Version: d.Version + 1, Tables: map[string]*Table{}, Indexes: d.Indexes}
	for collection, t := range d.Tables {
		next.Tables[collection] = t
	}
	var statements []Statement
	for _, a := range additions {
		statements = append(statements, l.growTable(next, a)...)
	}
	return next, append(statements, Statement{SQL: "UPDATE " + l.Own("_ankurah") + " SET description = description + 1"})
}

func (l Layout) growTable(d *Description, a Addition) (statements []Statement) {
	t := d.Tables[a.collection]
	if t == nil {
		names := map[string]bool{}
		for _, other := range d.Tables {
			names[strings.ToLower(other.Name)] = true
		}
		t = NewTable(a.collection, Name(a.collection, func(n string) bool { return names[n] }), nil)
		statements = l.createTable(t)
	}
	names := map[string]bool{"id": true, "_odd": true}
	for _, c := range t.Columns {
		names[strings.ToLower(c.Name)] = true
	}
	columns := slices.Clone(t.Columns)
	for _, c := range a.columns {
		if _, known := t.Column(c.Property); known || len(columns) >= maxColumns {
			continue
		}
		c.Name = Name(c.Property, func(n string) bool { return names[n] })
		names[strings.ToLower(c.Name)] = true
		statements = append(statements,
			Statement{SQL: "ALTER TABLE " + l.Table(t) + " ADD COLUMN " + Quote(c.Name) + " " + l.Dialect.ColumnType(c.Type)},
			l.bind("INSERT INTO "+l.Own("_columns")+" VALUES ($1, $2, $3, $4, $5)", a.collection, c.Property, c.Name, int16(c.Type), len(columns)))
		columns = append(columns, c)
	}
	d.Tables[a.collection] = NewTable(a.collection, t.Name, columns)
	return statements
}

// createTable makes a table without columns for properties. Odd rows have an index, since every
// scan reads them.
func (l Layout) createTable(t *Table) []Statement {
	index := "CREATE INDEX ON "
	if l.Dialect == SQLite {
		index = "CREATE INDEX " + Quote("_odd_"+t.Name) + " ON "
	}
	return []Statement{
		{SQL: "CREATE TABLE " + l.Table(t) + ` ("id" ` + l.Dialect.ColumnType(ID) + ` PRIMARY KEY, "_odd" BOOLEAN NOT NULL)`},
		{SQL: index + l.Table(t) + ` ("id") WHERE "_odd"`},
		l.bind("INSERT INTO "+l.Own("_tables")+" VALUES ($1, $2)", t.Collection, t.Name),
	}
}

package relational

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Type is the type of a column.
type Type uint8

// The types. The numbers are stored: the list is append-only.
const (
	Text Type = iota + 1
	Int
	Float
	Bool
	Bytes
	ID   // an entity's, as text of 26 characters
	JSON // Postgres's jsonb; text in SQLite
)

// TypeOf returns the type of column that holds values like v; ok is false for NULL.
func TypeOf(v value.Value) (t Type, ok bool) {
	switch v.Kind() {
	case value.KindString:
		return Text, true
	case value.KindInt:
		return Int, true
	case value.KindFloat:
		return Float, true
	case value.KindBool:
		return Bool, true
	case value.KindBytes:
		return Bytes, true
	case value.KindID:
		return ID, true
	case value.KindJSON:
		return JSON, true
	}
	return 0, false
}

// Column is where a property lies.
type Column struct {
	Property string
	Name     string // in the database
	Type     Type
	// Indexed says that an index begins with the column, so that a predicate is worth
	// saying in its terms.
	Indexed bool
}

// Table is where the entities of a collection lie.
type Table struct {
	Collection string
	Name       string
	Columns    []Column

	places map[string]int // of Columns, by property
}

// NewTable returns a table, which keeps columns.
func NewTable(collection, name string, columns []Column) *Table {
	t := &Table{Collection: collection, Name: name, Columns: columns, places: make(map[string]int, len(columns))}
	for i := range columns {
		t.places[columns[i].Property] = i
	}
	return t
}

// Column returns the column of a property.
func (t *Table) Column(property string) (Column, bool) {
	if i, ok := t.places[property]; ok {
		return t.Columns[i], true
	}
	return Column{}, false
}

// Row returns what the columns of a table hold for a record, in their order, and whether the
// row is odd (T2).
func (d Dialect) Row(t *Table, rec *proto.Record) (args []any, odd bool) {
	args = make([]any, len(t.Columns))
	for i := range rec.State.Properties {
		p := &rec.State.Properties[i]
		place, ok := t.places[p.Name]
		if !ok {
			odd = odd || !p.Value.IsNull() && hasColumn(p.Name)
			continue
		}
		arg, ok := d.Hold(t.Columns[place].Type, p.Value)
		if !ok {
			arg, odd = nil, true
		}
		args[place] = arg
	}
	return args, odd
}

// hasColumn says of a property whether it may have a column: marks of the system have none,
// and no selection names them.
func hasColumn(property string) bool { return schema.ValidateName("property", property) == nil }

// Missing returns the columns that a table lacks for a record, which has yet to name them.
func (t *Table) Missing(rec *proto.Record) []Column {
	var missing []Column
	for i := range rec.State.Properties {
		p := &rec.State.Properties[i]
		typ, ok := TypeOf(p.Value)
		if _, known := t.places[p.Name]; ok && !known && hasColumn(p.Name) {
			missing = append(missing, Column{Property: p.Name, Type: typ})
		}
	}
	return missing
}

// Hold returns what a column of type t holds for v, as an argument of a statement: nil, a
// string, int64, float64, bool or []byte; JSON as its text. ok is false if the column cannot
// hold exactly v.
func (d Dialect) Hold(t Type, v value.Value) (arg any, ok bool) {
	if v.IsNull() {
		return nil, true
	}
	if own, _ := TypeOf(v); own != t {
		return nil, false
	}
	switch t {
	case Text:
		s, _ := v.AsString()
		return s, storable(s)
	case Int:
		return v.AsInt()
	case Float:
		f, _ := v.AsFloat()
		return f, d != SQLite || !math.IsNaN(f) // SQLite makes NULL of it
	case Bool:
		return v.AsBool()
	case Bytes:
		return v.AsBytes()
	case ID:
		e, ok := v.AsID()
		return e.String(), ok
	}
	text, _ := v.JSONText()
	return text, storableJSON(text)
}

// storable says whether a text column can hold s: Postgres has no NUL.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// storableJSON is storable for the text of a document, where NUL is written as an escape.
func storableJSON(text string) bool {
	for rest := text; ; {
		i := strings.Index(rest, `\u0000`)
		if i < 0 {
			return utf8.ValidString(text)
		}
		backslashes := 0
		for i-backslashes > 0 && rest[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return false
		}
		rest = rest[i+1:]
	}
}

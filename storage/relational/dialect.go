package relational

import (
	"strconv"
	"strings"
)

// Dialect is whose SQL it is.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = iota
	SQLite
)

var postgresTypes = [...]string{Text: "text", Int: "bigint", Float: "double precision", Bool: "boolean", Bytes: "bytea", ID: "text", JSON: "jsonb"}

// Affinity is all that these mean to SQLite; a reader sees what is meant.
var sqliteTypes = [...]string{Text: "TEXT", Int: "INTEGER", Float: "REAL", Bool: "BOOLEAN", Bytes: "BLOB", ID: "TEXT", JSON: "TEXT"}

// ColumnType returns the type of a column as its definition has it.
func (d Dialect) ColumnType(t Type) string {
	if d == SQLite {
		return sqliteTypes[t]
	}
	if t == Text || t == ID {
		return `text COLLATE "C"`
	}
	return postgresTypes[t]
}

// ParameterType returns the type of an argument for a column, or, with array, of a list of
// them, as Postgres casts name it. Documents are sent as text.
func (d Dialect) ParameterType(t Type, array bool) string {
	suffix := ""
	if array {
		suffix = "[]"
	}
	if t == JSON {
		return "text" + suffix + "::jsonb" + suffix
	}
	return postgresTypes[t] + suffix
}

// Quote returns a name as an identifier.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// True and false in either dialect. To SQLite the words are names where a column has them.
const (
	yes = "(1 = 1)"
	no  = "(1 = 0)"
)

// unknown is the truth value of a comparison with NULL.
func (d Dialect) unknown() string {
	if d == SQLite {
		return "NULL"
	}
	return "NULL::boolean"
}

// statement is SQL in the making.
type statement struct {
	dialect Dialect
	table   *Table
	args    []any
	negated int // how many negations the predicate at hand is inside of
	// unqualified columns are those of an index, which has but one table.
	unqualified bool
}

// placeholder adds an argument and returns how the statement names it.
func (s *statement) placeholder(arg any) string {
	s.args = append(s.args, arg)
	n := strconv.Itoa(len(s.args))
	if s.dialect == SQLite {
		return "?" + n
	}
	return "$" + n
}

// param adds an argument for a column of a type.
func (s *statement) param(arg any, t Type) string {
	if s.dialect == SQLite {
		return s.placeholder(arg)
	}
	return s.placeholder(arg) + "::" + s.dialect.ParameterType(t, false)
}

// numeric adds a number to compare what a document holds with; Postgres alone has these.
func (s *statement) numeric(text string) string { return s.placeholder(text) + "::text::numeric" }

// column returns a column of the table as the statement names it.
func (s *statement) column(name string) string {
	if s.unqualified {
		return Quote(name)
	}
	return "t." + Quote(name)
}

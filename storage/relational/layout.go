package relational

import (
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/proto"
)

// Layout says where everything lies in a database.
type Layout struct {
	Dialect Dialect
	Schema  string // of Postgres; SQLite has none
}

// Own returns one of the engine's own tables, ready for use in SQL.
func (l Layout) Own(table string) string {
	if l.Schema == "" {
		return table
	}
	return l.Schema + "." + table
}

// Table returns a collection's table, ready for use in SQL.
func (l Layout) Table(t *Table) string { return l.Own(Quote(t.Name)) }

// version is a query of the version of the tables' description, which changes whenever a table
// or a column is added.
func (l Layout) version() string { return "SELECT description FROM " + l.Own("_ankurah") }

// Statement is SQL with its arguments.
type Statement struct {
	SQL  string
	Args []any
	// Once says that the statement depends so much on its arguments that it is to be planned
	// for them: a plan for any would not know whether few rows match, or all.
	Once bool
}

// bind makes a statement of SQL in which arguments are called $1, $2 and so on.
func (l Layout) bind(sql string, args ...any) Statement {
	if l.Dialect == SQLite {
		sql = strings.ReplaceAll(sql, "$", "?")
	}
	return Statement{SQL: sql, Args: args}
}

// Sequence returns a number of 64 bits as an argument. Postgres's integers have a sign, and so
// have SQLite's: there it is a numeric, here a text, in the numbers' order.
func (d Dialect) Sequence(n uint64) string {
	text := strconv.FormatUint(n, 10)
	if d == SQLite {
		text = strings.Repeat("0", len("18446744073709551615")-len(text)) + text
	}
	return text
}

// sequence names an argument that is a Sequence.
func (d Dialect) sequence(placeholder string) string {
	if d == SQLite {
		return placeholder
	}
	return placeholder + "::text::numeric"
}

// HeadText is a clock for people and programs to read: its events, with spaces between.
func HeadText(c proto.Clock) string { return strings.Join(Texts(c), " ") }

// Texts returns ids as columns have them.
func Texts[T interface{ String() string }](ids []T) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}

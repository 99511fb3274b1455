package relational

import (
	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
)

// operand is what a path leads to, in SQL.
type operand struct {
	kind operandKind
	typ  Type   // of a column
	sql  string // a column, or what a path into a document leads to
	// indexed says that an index begins with it.
	indexed bool
}

type operandKind uint8

const (
	absent   operandKind = iota // NULL in every row
	column                      // a column that holds values of one type
	document                    // a jsonb expression
	beyond                      // what SQL cannot say
)

// operand resolves a path. What lies behind a reference is NULL, as an engine sees it.
func (s *statement) operand(path ankql.Path) operand {
	name := path[0]
	if name == schema.ID {
		if len(path) > 1 {
			return operand{kind: absent}
		}
		return operand{kind: column, typ: ID, sql: s.column("id")}
	}
	if !hasColumn(name) {
		return operand{kind: beyond} // a mark of the system's has no column
	}
	c, ok := s.table.Column(name)
	switch {
	case !ok || len(path) > 1 && c.Type != JSON:
		return operand{kind: absent}
	case c.Type != JSON:
		return operand{kind: column, typ: c.Type, sql: s.column(c.Name), indexed: c.Indexed}
	case s.dialect == SQLite:
		return operand{kind: beyond}
	}
	return operand{kind: document, sql: jsonPath(s.column(c.Name), path[1:]), indexed: c.Indexed}
}

// jsonPath follows object keys. An array has no keys, and -> with a text looks for none.
func jsonPath(sql string, steps []string) string {
	for _, step := range steps {
		if !storable(step) {
			return "NULL::jsonb" // no document that is stored has such a key
		}
		sql += " -> " + quoteText(step)
	}
	if len(steps) > 0 {
		sql = "(" + sql + ")"
	}
	return sql
}

// What a document holds, as a column of each family: NULL where it holds another.
func jsonNumber(v string) string {
	return "(CASE WHEN jsonb_typeof(" + v + ") = 'number' THEN " + v + "::numeric END)"
}

func jsonText(v string) string {
	return "(CASE WHEN jsonb_typeof(" + v + ") = 'string' THEN (" + v + " #>> '{}') END COLLATE \"C\")"
}

func jsonBool(v string) string {
	return "(CASE WHEN jsonb_typeof(" + v + ") = 'boolean' THEN " + v + "::boolean END)"
}

// Ranks of what a document holds, in the order of families; SQL puts false and true there.
const (
	rankFalse = iota
	rankTrue
	rankNumber
	rankText
	rankBytes
	rankID
	rankContainer
)

// jsonRank places what a document holds among the families; NULL for null.
func jsonRank(v string) string {
	return "(CASE jsonb_typeof(" + v + ") WHEN 'boolean' THEN " + v + "::boolean::int WHEN 'number' THEN 2 WHEN 'string' THEN 3 WHEN 'array' THEN 6 WHEN 'object' THEN 6 END)"
}

// jsonFamily names the family of what a document holds.
func jsonFamily(v string) string {
	return "(CASE jsonb_typeof(" + v + ") WHEN 'array' THEN 'object' WHEN 'null' THEN NULL ELSE jsonb_typeof(" + v + ") END)"
}

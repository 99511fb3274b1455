package relational

import (
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
)

// Part says which part of a scan's answer a row belongs to.
type Part int

// The parts. Rows from Ordered on are in the selection's order, each part after the one before
// it.
const (
	Version Part = iota // one row: the version
	Apart               // records that SQL cannot put in order, in no order
	Ordered
)

// Scan is the statement for one page. Its rows have three columns: the part, the version or
// NULL, and the record or NULL.
type Scan struct {
	Statement
	// Exact says that the predicate is said in SQL as a whole; Ordered, that the order is.
	Exact, Ordered bool

	// limit is how many rows each ordered part has at most; zero if there is none, since
	// the rows are in no order.
	limit int
}

// Page sizes of a scan whose predicate SQL says only in part: more rows are read than the page
// has room for, so that it comes to be full.
const (
	readAhead    = 4
	minReadAhead = 256
)

// Scan makes the statement that reads a page of at most limit records after a sort key.
func (l Layout) Scan(t *Table, sel *ankql.Selection, after []byte, limit int) *Scan {
	s, name := &statement{dialect: l.Dialect, table: t}, l.Table(t)
	where := exactly(yes)
	if sel.Where != nil {
		where = s.predicate(sel.Where)
	}
	scan := &Scan{limit: limit + 1, Exact: where.exact}
	if !where.exact {
		scan.limit = max(readAhead*limit, minReadAhead) + 1
	}
	keys, ordered := s.keys(sel.Order)
	scan.Ordered = ordered
	segments := []string{yes}
	if ordered && len(after) > 0 {
		var p place
		if p, ordered = readPlace(after, sel.Order); ordered {
			segments = s.segments(keys, p)
		}
	}
	parts := []string{l.versionPart()}
	if !ordered {
		scan.limit = 0
		parts = append(parts, l.rows(Apart, name, `t."_odd" OR `+where.sql, ""))
	} else {
		parts = append(parts, l.apart(name, keys, where.sql))
		order := s.orderBy(keys) + " LIMIT " + strconv.Itoa(scan.limit)
		for i, segment := range segments {
			parts = append(parts, l.rows(Ordered+Part(i), name, "NOT ("+apart(keys)+") AND "+where.sql+" AND "+segment, order))
		}
	}
	scan.Statement = Statement{SQL: strings.Join(parts, " UNION ALL "), Args: s.args, Once: true}
	return scan
}

func (l Layout) versionPart() string {
	return "SELECT 0 AS part, (" + l.version() + ") AS version, " + l.noRecord() + " AS record"
}

// noRecord is a NULL of the records' type.
func (l Layout) noRecord() string {
	if l.Dialect == SQLite {
		return "NULL"
	}
	return "NULL::bytea"
}

// apart reads the rows that stand apart: of those that are not odd the predicate decides.
func (l Layout) apart(name string, keys []key, where string) string {
	condition := apart(keys)
	if odd := `t."_odd"`; condition != odd {
		condition = odd + " OR (" + condition + ") AND " + where
	}
	return l.rows(Apart, name, condition, "")
}

func (s *statement) orderBy(keys []key) string {
	var columns []string
	for _, k := range keys {
		columns = append(columns, k.columns(s.dialect)...)
	}
	return " ORDER BY " + strings.Join(append(columns, `t."id"`), ", ")
}

// rows reads the records of some rows of a table.
func (l Layout) rows(part Part, name, where, order string) string {
	return "SELECT " + strconv.Itoa(int(part)) + ", NULL, r.record FROM (SELECT t.\"id\" AS id FROM " + name + " AS t WHERE " + where + order +
		") AS s JOIN " + l.Own("_records") + " AS r ON r.id = s.id"
}

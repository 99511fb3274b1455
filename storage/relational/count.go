package relational

import (
	"strconv"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Count is the statement that counts one page, of at most limit rows that match. Its rows are
// those of a Scan, but for the last: in place of the version it has the count, and in place of
// the record the id of the last row that was counted.
type Count struct {
	Statement

	limit int
}

// Count makes the statement that counts the rows behind an id. It returns nil where SQL cannot
// say the predicate as a whole; then the rows are read and held against it.
func (l Layout) Count(t *Table, where ankql.Expr, after []byte, limit int) *Count {
	s, name := &statement{dialect: l.Dialect, table: t}, l.Table(t)
	matching := s.predicate(where)
	if !matching.exact {
		return nil
	}
	behind := ""
	if u, err := id.FromBytes(after); err == nil {
		behind = ` AND t."id" > ` + s.param(u.String(), ID)
	}
	last := `convert_to(max(s."id"), 'UTF8')`
	if l.Dialect == SQLite {
		last = `CAST(max(s."id") AS BLOB)`
	}
	sql := l.versionPart() + " UNION ALL " + l.rows(Apart, name, `t."_odd"`+behind, "") + " UNION ALL SELECT " + strconv.Itoa(int(Ordered)) + ", count(*), " + last +
		` FROM (SELECT t."id" FROM ` + name + ` AS t WHERE NOT t."_odd" AND ` + matching.sql + behind + ` ORDER BY t."id" LIMIT ` + strconv.Itoa(limit) + ") AS s"
	return &Count{Statement: Statement{SQL: sql, Args: s.args, Once: true}, limit: limit}
}

// Tally makes the page of a count. Rows of which SQL knows nothing it counts itself.
type Tally struct {
	count     *Count
	selection *ankql.Selection

	apart []id.EntityID
	page  storage.CountPage
	last  id.EntityID
}

// NewTally makes a tally for a count made with the selection's predicate.
func NewTally(count *Count, selection *ankql.Selection) *Tally {
	return &Tally{count: count, selection: selection}
}

// Add takes a record that stands apart.
func (c *Tally) Add(rec *proto.Record) {
	if !rec.State.Deleted() && c.selection.Matches(rec) {
		c.apart = append(c.apart, rec.Entity)
	}
}

// Counted takes what was counted, and the text of the last id among it.
func (c *Tally) Counted(n int64, last []byte) error {
	if c.page.Count = n; n == 0 {
		return nil
	}
	var err error
	c.last, err = id.ParseEntity(string(last))
	c.page.More = n == int64(c.count.limit)
	return err
}

// Page returns the page.
func (c *Tally) Page() *storage.CountPage {
	if c.page.More {
		c.page.Next = c.last.Bytes()
	}
	for _, entity := range c.apart {
		if !c.page.More || entity.Compare(c.last.ULID) <= 0 {
			c.page.Count++
		}
	}
	return &c.page
}

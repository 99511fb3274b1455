package relational

import "github.com/ankurah-go/ankurah/storage/plan"

// Index returns what an index of Postgres over some columns lists, such that the predicates and
// orders that a scan asks for can be read from it, and the properties whose columns they
// are. ok is false where the table does not have them: no entity had a value for one, or a
// path leads into something that is no document.
func (t *Table) Index(columns []plan.Column) (list, properties []string, ok bool) {
	s := &statement{dialect: Postgres, table: t, unqualified: true}
	for _, c := range columns {
		k := key{operand: s.operand(c.Path), desc: c.Order.Desc, nullsFirst: c.Order.NullsFirst}
		if k.kind != column && k.kind != document {
			return nil, nil, false
		}
		for _, sql := range k.entries() {
			list = append(list, "("+sql+")"+k.direction())
		}
		properties = append(properties, c.Path[0])
	}
	return append(list, `"id"`), properties, true
}

// entries returns what an index has of a key. Only the beginnings of texts and byte strings
// go into it, so that there is room for them.
func (k key) entries() []string {
	switch {
	case k.kind == document:
		return []string{jsonRank(k.sql), jsonNumber(k.sql), textPrefix(jsonText(k.sql))}
	case k.typ == Text:
		return []string{textPrefix(k.sql)}
	case k.typ == Bytes:
		return []string{bytesPrefix(k.sql)}
	}
	return []string{k.sql}
}

package relational

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// key is one key of an ORDER BY in SQL.
type key struct {
	operand
	desc       bool
	nullsFirst bool
}

// keys returns the keys of a selection's order; ok is false where SQL cannot order so.
func (s *statement) keys(order []ankql.Order) (keys []key, ok bool) {
	for _, o := range order {
		k := key{operand: s.operand(o.Path), desc: o.Desc, nullsFirst: o.NullsFirst()}
		if k.kind == beyond {
			return nil, false
		}
		keys = append(keys, k)
	}
	return keys, true
}

// columns returns what the rows are sorted by for this key.
func (k key) columns(d Dialect) []string {
	var columns []string
	switch {
	case k.kind == absent:
		return nil
	case k.kind == document:
		columns = []string{jsonRank(k.sql), jsonNumber(k.sql)}
		if k.indexed {
			columns = append(columns, textPrefix(jsonText(k.sql)))
		}
		columns = append(columns, jsonText(k.sql))
	case k.indexed && d == Postgres && k.typ == Text:
		columns = []string{textPrefix(k.sql), k.sql}
	case k.indexed && d == Postgres && k.typ == Bytes:
		columns = []string{bytesPrefix(k.sql), k.sql}
	default:
		columns = []string{k.sql}
	}
	for i := range columns {
		columns[i] += k.direction()
	}
	return columns
}

func (k key) direction() string {
	out := ""
	if k.desc {
		out = " DESC"
	}
	if k.nullsFirst {
		return out + " NULLS FIRST"
	}
	return out + " NULLS LAST"
}

// apart says of which rows SQL does not know the place: documents may hold containers.
func apart(keys []key) string {
	out := `t."_odd"`
	for _, k := range keys {
		if k.kind == document {
			out += " OR COALESCE(jsonb_typeof(" + k.sql + "), '') IN ('array', 'object')"
		}
	}
	return out
}

// place is where a page begins: the values of the keys, and the entity, of what it comes after.
type place struct {
	values []value.Value
	entity id.EntityID
}

// readPlace takes a sort key apart; ok is false if it is none of the selection's.
func readPlace(sortKey []byte, order []ankql.Order) (p place, ok bool) {
	for _, o := range order {
		v, n, ok := value.ReadKey(sortKey, o.KeyOrder())
		if !ok {
			return p, false
		}
		p.values = append(p.values, v)
		sortKey = sortKey[n:]
	}
	u, err := id.FromBytes(sortKey)
	p.entity = id.EntityID{ULID: u}
	return p, err == nil && len(sortKey) == id.Size
}

// segments returns conditions for the rows after p, such that those of one segment come
// before those of the next: NULLs of the first key are apart, so that an index finds
// where each begins.
func (s *statement) segments(keys []key, p place) []string {
	keys = slices.Clone(keys)
	if len(keys) == 0 || keys[0].kind != column {
		return []string{s.after(keys, p)}
	}
	first, v := keys[0], p.values[0]
	switch {
	case v.IsNull() && first.nullsFirst:
		return []string{"(" + first.sql + " IS NULL AND " + s.after(keys[1:], p.rest()) + ")", "(" + first.sql + " IS NOT NULL)"}
	case v.IsNull():
		return []string{"(" + first.sql + " IS NULL AND " + s.after(keys[1:], p.rest()) + ")"}
	}
	from := s.compareKey(first, ankql.OpGreaterEqual, v)
	for i := range keys {
		keys[i].indexed = false // once is enough for the planner, whose estimates multiply
	}
	first = keys[0]
	segments := []string{"(" + from + " AND (" + s.past(first, v) + " OR " + s.same(first, v) + " AND " + s.after(keys[1:], p.rest()) + "))"}
	if !first.nullsFirst {
		segments = append(segments, "("+first.sql+" IS NULL)")
	}
	return segments
}

func (p place) rest() place { return place{values: p.values[1:], entity: p.entity} }

// after is true of the rows that come after p, and never of others.
func (s *statement) after(keys []key, p place) string {
	if len(keys) == 0 {
		return `(t."id" > ` + s.param(p.entity.String(), ID) + ")"
	}
	k, v := keys[0], p.values[0]
	past := s.past(k, v)
	if !k.nullsFirst && !v.IsNull() {
		past = "(" + past + " OR " + k.isNull() + ")"
	}
	return "(" + past + " OR " + s.same(k, v) + " AND " + s.after(keys[1:], p.rest()) + ")"
}

func (k key) isNull() string {
	switch k.kind {
	case absent:
		return yes
	case document:
		return "(" + jsonRank(k.sql) + " IS NULL)"
	}
	return "(" + k.sql + " IS NULL)"
}

// past is true of the rows that have something else than NULL which comes after v.
func (s *statement) past(k key, v value.Value) string {
	switch {
	case k.kind == absent:
		return no
	case v.IsNull() && k.nullsFirst:
		return "(NOT " + k.isNull() + ")"
	case v.IsNull():
		return no
	}
	return s.compareKey(k, ankql.OpGreater, v)
}

// same is true of the rows that have v.
func (s *statement) same(k key, v value.Value) string {
	if v.IsNull() {
		return k.isNull()
	}
	if k.kind == absent {
		return no
	}
	return s.compareKey(k, ankql.OpEqual, v)
}

// compareKey compares what a row has with v in the key's direction, where greater is later;
// values of different families are in the families' order.
func (s *statement) compareKey(k key, op ankql.Operator, v value.Value) string {
	if k.desc {
		op = reversed(op)
	}
	if k.kind == document {
		return s.compareRank(k, op, v)
	}
	if own, other := k.typ.family(), family(v); own != other {
		if holds(op, own-other) {
			return "(" + k.sql + " IS NOT NULL)"
		}
		return no
	}
	sql, _ := s.compareLiteral(k.operand, op, v)
	return sql
}

func reversed(op ankql.Operator) ankql.Operator {
	switch op {
	case ankql.OpLess:
		return ankql.OpGreater
	case ankql.OpLessEqual:
		return ankql.OpGreaterEqual
	case ankql.OpGreater:
		return ankql.OpLess
	case ankql.OpGreaterEqual:
		return ankql.OpLessEqual
	}
	return op
}

// compareRank is compareKey for documents, which hold values of any family; those that hold
// containers stand apart.
func (s *statement) compareRank(k key, op ankql.Operator, v value.Value) string {
	rank := family(v)
	if b, ok := v.AsBool(); ok && !b {
		rank = rankFalse
	}
	ranks := jsonRank(k.sql)
	at := strconv.Itoa(rank)
	if rank != rankNumber && rank != rankText {
		return "(" + ranks + " " + symbol(op) + " " + at + ")"
	}
	within, _ := s.compareDocument(k.operand, op, v)
	if op == ankql.OpEqual {
		return within
	}
	beyond := strings.TrimSuffix(symbol(op), "=")
	return "(" + ranks + " " + beyond + " " + at + " OR " + within + ")"
}

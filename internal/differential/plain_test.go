package differential

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// plain is a second translation of selections, as somebody would write them in SQL over tables
// with a column for each property: three-valued logic, order, LIKE, LIMIT and the like are
// PostgreSQL's own. It shares no code with the engines, reads no plan, and is in no hurry.
//
// Where PostgreSQL means something else, it is told what AnkQL means:
//
//   - numbers of different types: double precision makes a float of both, which rounds; so each
//     number has its exact value beside it as a numeric
//   - text: COLLATE "C"
//   - ILIKE: folding is the locale's; so both sides are folded by Unicode simple folding
//   - JSON: values of one family compare; arrays and objects are in the order of encoded()
type plain struct {
	conn  *pgx.Conn
	world *ankqltest.World
}

// encoded is the MessagePack of a document, written once more.
const encodedFunction = `
CREATE FUNCTION encoded(v jsonb) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE kind text := jsonb_typeof(v); out bytea; n numeric; s bytea; part record; c int;
BEGIN
	CASE kind
	WHEN 'null' THEN RETURN '\xc0';
	WHEN 'boolean' THEN RETURN CASE WHEN v::boolean THEN '\xc3'::bytea ELSE '\xc2'::bytea END;
	WHEN 'number' THEN
		n := v::numeric;
		IF n <> trunc(n) OR n NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN RETURN '\xcb' || float8send(n::float8); END IF;
		RETURN CASE
			WHEN n >= 4294967296 THEN '\xcf' || int8send(n::bigint)
			WHEN n >= 65536 THEN '\xce' || substr(int8send(n::bigint), 5)
			WHEN n >= 256 THEN '\xcd' || substr(int8send(n::bigint), 7)
			WHEN n >= 128 THEN '\xcc' || substr(int8send(n::bigint), 8)
			WHEN n >= -32 THEN substr(int8send(n::bigint), 8)
			WHEN n >= -128 THEN '\xd0' || substr(int8send(n::bigint), 8)
			WHEN n >= -32768 THEN '\xd1' || substr(int8send(n::bigint), 7)
			WHEN n >= -2147483648 THEN '\xd2' || substr(int8send(n::bigint), 5)
			ELSE '\xd3' || int8send(n::bigint) END;
	WHEN 'string' THEN RETURN encoded_text(v #>> '{}');
	WHEN 'array' THEN
		c := jsonb_array_length(v);
		IF c > 15 THEN RAISE 'array too long for this test'; END IF;
		out := set_byte('\x00', 0, 144 + c);
		FOR part IN SELECT e FROM jsonb_array_elements(v) WITH ORDINALITY AS x(e, i) ORDER BY i LOOP out := out || encoded(part.e); END LOOP;
		RETURN out;
	ELSE
		SELECT count(*) INTO c FROM jsonb_object_keys(v);
		IF c > 15 THEN RAISE 'object too large for this test'; END IF;
		out := set_byte('\x00', 0, 128 + c);
		FOR part IN SELECT k, e FROM jsonb_each(v) AS x(k, e) ORDER BY k COLLATE "C" LOOP out := out || encoded_text(part.k) || encoded(part.e); END LOOP;
		RETURN out;
	END CASE;
END $$;
CREATE FUNCTION encoded_text(t text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE s bytea := convert_to(t, 'UTF8');
BEGIN
	IF length(s) > 31 THEN RETURN '\xd9' || set_byte('\x00', 0, length(s)) || s; END IF;
	RETURN set_byte('\x00', 0, 160 + length(s)) || s;
END $$;`

func newPlain(t *testing.T, url string) *plain {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	p := &plain{conn: conn}
	p.exec(t, encodedFunction)
	// folded() maps each character to the least of those that differ from it by case.
	var from, to strings.Builder
	for c := rune(1); c <= unicode.MaxRune; c++ {
		if least := folded(c); least != c && c != '\'' {
			from.WriteRune(c)
			to.WriteRune(least)
		}
	}
	p.exec(t, "CREATE FUNCTION folded(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT translate(t, '"+from.String()+"', '"+to.String()+"') $$")
	return p
}

func folded(c rune) rune {
	least := c
	for d := unicode.SimpleFold(c); d != c; d = unicode.SimpleFold(d) {
		least = min(least, d)
	}
	return least
}

func (p *plain) exec(t testing.TB, sql string) {
	t.Helper()
	if _, err := p.conn.Exec(context.Background(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%v\n%s", err, clip(sql))
	}
}

func clip(s string) string { return s[:min(len(s), 3000)] }

// load makes the tables of a world, with its rows that are not deleted.
func (p *plain) load(t testing.TB, w *ankqltest.World) {
	t.Helper()
	p.world = w
	var sql strings.Builder
	for _, c := range w.Models.Collections() {
		m, _ := w.Models.Model(c)
		fmt.Fprintf(&sql, "DROP TABLE IF EXISTS %s; CREATE TEMP TABLE %s (id text COLLATE \"C\" PRIMARY KEY", quoted(c), quoted(c))
		for _, property := range m.Properties {
			fmt.Fprintf(&sql, ", %s %s", quoted(property.Name), columnType(property.Type))
			if isNumber(property.Type) {
				fmt.Fprintf(&sql, ", %s numeric", quoted(property.Name+" exactly"))
			}
		}
		sql.WriteString(");\n")
		for _, r := range w.Live(c) {
			fmt.Fprintf(&sql, "INSERT INTO %s VALUES (%s", quoted(c), text(r.ID.String()))
			for _, property := range m.Properties {
				v := r.Field(property.Name)
				sql.WriteString(", " + literal(v))
				if isNumber(property.Type) {
					sql.WriteString(", " + exactly(v))
				}
			}
			sql.WriteString(");\n")
		}
	}
	p.exec(t, sql.String())
}

func isNumber(t schema.Type) bool {
	return t == schema.TypeInt || t == schema.TypeTime || t == schema.TypeFloat
}

func columnType(t schema.Type) string {
	switch t {
	case schema.TypeInt, schema.TypeTime:
		return "bigint"
	case schema.TypeFloat:
		return "double precision"
	case schema.TypeBool:
		return "boolean"
	case schema.TypeBytes:
		return "bytea"
	case schema.TypeJSON:
		return "jsonb"
	}
	return `text COLLATE "C"` // of references the 26 characters
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// literal writes a value as a column of its own type has it.
func literal(v value.Value) string {
	switch v.Kind() {
	case value.KindNull:
		return "NULL"
	case value.KindBool, value.KindInt:
		return "(" + v.String() + ")" // also for the sign
	case value.KindFloat:
		f, _ := v.AsFloat()
		return text(strconv.FormatFloat(f, 'g', -1, 64)) + "::float8"
	case value.KindString:
		s, _ := v.AsString()
		return text(s)
	case value.KindBytes:
		b, _ := v.AsBytes()
		return `'\x` + hex.EncodeToString(b) + `'::bytea`
	case value.KindID:
		return text(v.String())
	}
	return text(jsonText(v.Tree())) + "::jsonb"
}

// exactly writes a number with all its digits.
func exactly(v value.Value) string {
	if i, ok := v.AsInt(); ok {
		return strconv.FormatInt(i, 10)
	}
	f, ok := v.AsFloat()
	switch {
	case !ok:
		return "NULL"
	case math.IsNaN(f):
		return "'NaN'::numeric"
	case math.IsInf(f, 0):
		return text(strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "+")) + "::numeric"
	}
	return decimal(f)
}

func decimal(f float64) string {
	digits := new(big.Rat).SetFloat64(f).FloatString(1074)
	return strings.TrimSuffix(strings.TrimRight(digits, "0"), ".")
}

func jsonText(tree any) string {
	switch t := tree.(type) {
	case nil:
		return "null"
	case float64:
		return decimal(t)
	case string:
		var b strings.Builder
		b.WriteByte('"')
		for _, c := range t {
			if c == '"' || c == '\\' || c < ' ' {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteRune(c)
			}
		}
		return b.String() + `"`
	case []any:
		parts := make([]string, len(t))
		for i, item := range t {
			parts[i] = jsonText(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for k, item := range t {
			parts = append(parts, jsonText(k)+":"+jsonText(item))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprint(tree)
}

// families are those of values, in their order.
var families = []string{"bool", "number", "text", "bytes", "id", "container"}

// held is what a path or a literal holds: per family an expression that is NULL where it holds
// another one.
type held struct {
	parts  map[string]string
	native string // the column itself, and of what type it is
	typ    string
}

// field returns what a path leads to in a table by the name of row.
func (p *plain) field(collection, row string, path ankql.Path) held {
	column := row + "." + quoted(path[0])
	if path[0] == schema.ID {
		return held{parts: map[string]string{"id": row + ".id"}}
	}
	m, ok := p.world.Models.Model(collection)
	if !ok {
		return held{}
	}
	property, ok := m.Property(path[0])
	if !ok {
		return held{}
	}
	if property.Type == schema.TypeJSON {
		for _, step := range path[1:] {
			column = "(" + column + " -> " + text(step) + ")"
		}
		return document(column)
	}
	if len(path) > 1 {
		return p.behind(property, column, path[1:])
	}
	family := map[schema.Type]string{schema.TypeBool: "bool", schema.TypeBytes: "bytes", schema.TypeRef: "id", schema.TypeString: "text", schema.TypeEnum: "text"}[property.Type]
	if isNumber(property.Type) {
		return held{parts: map[string]string{"number": row + "." + quoted(path[0]+" exactly")}, native: column, typ: columnType(property.Type)}
	}
	return held{parts: map[string]string{family: column}, native: column, typ: columnType(property.Type)}
}

func document(v string) held {
	is := func(kind, then string) string {
		return fmt.Sprintf("(CASE WHEN jsonb_typeof(%s) = '%s' THEN %s END)", v, kind, then)
	}
	return held{parts: map[string]string{
		"bool": is("boolean", v+"::boolean"), "number": is("number", v+"::numeric"), "text": is("string", "("+v+" #>> '{}') COLLATE \"C\""),
		"container": "(CASE WHEN jsonb_typeof(" + v + ") IN ('array', 'object') THEN encoded(" + v + ") END)",
	}}
}

// behind returns what a path leads to in the entity that a column refers to: in the collection
// declared, or else in whichever has it.
func (p *plain) behind(property *schema.Property, column string, path ankql.Path) held {
	out := held{parts: map[string]string{}}
	if property.Type != schema.TypeRef {
		return out
	}
	targets := []string{property.Target}
	if property.Target == "" {
		targets = p.world.Models.Collections()
	}
	for _, target := range targets {
		if _, ok := p.world.Models.Model(target); !ok {
			continue
		}
		// Each step has a name of its own for its row.
		row := "x" + strconv.Itoa(len(path))
		for family, sql := range p.field(target, row, path).parts {
			sql = fmt.Sprintf("(SELECT %s FROM %s AS %s WHERE %s.id = %s)", sql, quoted(target), row, row, column)
			if before := out.parts[family]; before != "" {
				sql = "COALESCE(" + before + ", " + sql + ")"
			}
			out.parts[family] = sql
		}
	}
	return out
}

// holding returns a literal as what it holds.
func holding(v value.Value) held {
	if v.Kind() == value.KindJSON {
		if _, ok := v.Tree().(string); ok || v.Scalar() != v {
			v = v.Scalar()
		}
	}
	switch v.Kind() {
	case value.KindNull:
		return held{}
	case value.KindInt:
		return held{parts: map[string]string{"number": exactly(v)}, native: literal(v), typ: "bigint"}
	case value.KindFloat:
		return held{parts: map[string]string{"number": exactly(v)}, native: literal(v), typ: "double precision"}
	case value.KindJSON:
		return held{parts: map[string]string{"container": "encoded(" + literal(v) + ")"}}
	}
	family := map[value.Kind]string{value.KindBool: "bool", value.KindString: "text", value.KindBytes: "bytes", value.KindID: "id"}[v.Kind()]
	return held{parts: map[string]string{family: literal(v)}}
}

func (h held) isNull() string {
	sql := "TRUE"
	for _, family := range families {
		if part := h.parts[family]; part != "" {
			sql += " AND " + part + " IS NULL"
		}
	}
	return "(" + sql + ")"
}

// compare is NULL unless both sides are of one family.
func compare(a held, op ankql.Operator, b held) string {
	sign := op.String()
	if a.native != "" && a.typ == b.typ {
		return "(" + a.native + " " + sign + " " + b.native + ")"
	}
	sql := "NULL::boolean"
	for _, family := range families {
		if a.parts[family] != "" && b.parts[family] != "" {
			sql = fmt.Sprintf("COALESCE(%s, %s %s %s)", sql, a.parts[family], sign, b.parts[family])
		}
	}
	return "(" + sql + ")"
}

func (p *plain) predicate(collection string, e ankql.Expr) string {
	all := func(terms []ankql.Expr, with string) string {
		parts := make([]string, len(terms))
		for i, t := range terms {
			parts[i] = p.predicate(collection, t)
		}
		return "(" + strings.Join(parts, with) + ")"
	}
	switch e := e.(type) {
	case ankql.Constant:
		return map[ankql.Constant]string{ankql.Constant(ankql.TruthFalse): "FALSE", ankql.Constant(ankql.TruthUnknown): "NULL::boolean", ankql.Constant(ankql.TruthTrue): "TRUE"}[e]
	case *ankql.Conjunction:
		return all(e.Terms, " AND ")
	case *ankql.Disjunction:
		return all(e.Terms, " OR ")
	case *ankql.Negation:
		return "(NOT " + p.predicate(collection, e.Term) + ")"
	case *ankql.Comparison:
		left := p.field(collection, "t", e.Left.Path)
		if f, ok := e.Right.(*ankql.Field); ok {
			return compare(left, e.Op, p.field(collection, "t", f.Path))
		}
		return compare(left, e.Op, holding(e.Right.(*ankql.Literal).Value))
	case *ankql.Membership:
		terms := []string{"FALSE"}
		for _, v := range e.Items {
			terms = append(terms, compare(p.field(collection, "t", e.Field.Path), ankql.OpEqual, holding(v)))
		}
		return "(" + strings.Join(terms, " OR ") + ")"
	case *ankql.Match:
		return like(p.field(collection, "t", e.Field.Path).parts["text"], e)
	case *ankql.NullTest:
		return p.field(collection, "t", e.Field.Path).isNull()
	}
	panic(fmt.Sprintf("%T", e))
}

func like(column string, m *ankql.Match) string {
	if column == "" {
		return "NULL::boolean"
	}
	escape := m.Escape
	if escape == 0 {
		escape = '\\'
	}
	if !m.Fold {
		if escape == ankql.NoEscape {
			return "(" + column + " LIKE " + text(m.Pattern) + " ESCAPE '')"
		}
		return "(" + column + " LIKE " + text(m.Pattern) + " ESCAPE " + text(string(escape)) + ")"
	}
	// Folding could make another character of the escape character.
	var pattern strings.Builder
	escaped := false
	for _, c := range m.Pattern {
		switch {
		case !escaped && c == escape:
			escaped = true
			continue
		case escaped || c == '\\':
			pattern.WriteByte('\\')
		}
		pattern.WriteRune(folded(c))
		escaped = false
	}
	return "(folded(" + column + ") LIKE " + text(pattern.String()) + ")"
}

// selection is a whole query for ids.
func (p *plain) selection(collection string, s *ankql.Selection) string {
	sql := "SELECT t.id FROM " + quoted(collection) + " AS t WHERE " + p.predicate(collection, s.Where) + " ORDER BY "
	for _, o := range s.Order {
		h := p.field(collection, "t", o.Path)
		var columns []string
		rank := "(CASE"
		for i, family := range families {
			if part := h.parts[family]; part != "" {
				rank += fmt.Sprintf(" WHEN %s IS NOT NULL THEN %d", part, i)
				columns = append(columns, part)
			}
		}
		switch {
		case len(columns) == 0:
			continue
		case h.native != "":
			columns = []string{h.native}
		default:
			columns = slices.Insert(columns, 0, rank+" END)")
		}
		for _, column := range columns {
			sql += column
			if o.Desc {
				sql += " DESC"
			}
			switch o.Nulls { // by default PostgreSQL's
			case ankql.NullsFirst:
				sql += " NULLS FIRST"
			case ankql.NullsLast:
				sql += " NULLS LAST"
			}
			sql += ", "
		}
	}
	sql += "t.id"
	if s.Limit != ankql.NoLimit {
		sql += " LIMIT " + strconv.Itoa(s.Limit)
	}
	return sql
}

// fetch returns the ids that PostgreSQL selects, in order.
func (p *plain) fetch(collection string, s *ankql.Selection) ([]string, error) {
	sql := p.selection(collection, s)
	rows, err := p.conn.Query(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, clip(sql))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, clip(sql))
	}
	return ids, nil
}

// truths returns what PostgreSQL says of each row for each of some predicates.
func (p *plain) truths(collection string, predicates []ankql.Expr) (map[string][]ankql.Truth, error) {
	columns := make([]string, len(predicates))
	for i, e := range predicates {
		columns[i] = "CASE WHEN " + p.predicate(collection, e) + " THEN 2 WHEN NOT " + p.predicate(collection, e) + " THEN 0 ELSE 1 END"
	}
	sql := "SELECT t.id, ARRAY[" + strings.Join(columns, ", ") + "]::int[] FROM " + quoted(collection) + " AS t"
	rows, err := p.conn.Query(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, clip(sql))
	}
	out := map[string][]ankql.Truth{}
	var id string
	var says []int
	_, err = pgx.ForEachRow(rows, []any{&id, &says}, func() error {
		for _, n := range says {
			out[id] = append(out[id], ankql.Truth(n))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, clip(sql))
	}
	return out, nil
}

package relational

import (
	"math"
	"strconv"
	"strings"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
)

// family numbers the families of values in their order; zero is NULL's.
func family(v value.Value) int {
	switch v = v.Scalar(); v.Kind() {
	case value.KindBool:
		return rankTrue
	case value.KindInt, value.KindFloat:
		return rankNumber
	case value.KindString:
		return rankText
	case value.KindBytes:
		return rankBytes
	case value.KindID:
		return rankID
	case value.KindJSON:
		return rankContainer
	}
	return 0
}

// family returns the family of what a column of the type holds.
func (t Type) family() int {
	return [...]int{Text: rankText, Int: rankNumber, Float: rankNumber, Bool: rankTrue, Bytes: rankBytes, ID: rankID, JSON: rankContainer}[t]
}

// symbol returns an operator as SQL has it.
func symbol(op ankql.Operator) string {
	if op == ankql.OpNotEqual {
		return "<>"
	}
	return op.String()
}

// holds says what an operator makes of an order: -1, 0 or 1.
func holds(op ankql.Operator, order int) bool {
	switch op {
	case ankql.OpEqual:
		return order == 0
	case ankql.OpNotEqual:
		return order != 0
	case ankql.OpLess:
		return order < 0
	case ankql.OpLessEqual:
		return order <= 0
	case ankql.OpGreater:
		return order > 0
	}
	return order >= 0
}

// constant is a fixed outcome for every value but NULL.
func constant(sql string, outcome bool) string {
	if outcome {
		return "(" + sql + " IS NOT NULL OR NULL)"
	}
	return "(" + sql + " IS NULL AND NULL)"
}

// compareLiteral compares what o leads to with a value. ok is false where SQL cannot say it.
func (s *statement) compareLiteral(o operand, op ankql.Operator, v value.Value) (sql string, ok bool) {
	v = v.Scalar()
	switch {
	case o.kind == beyond:
		return "", false
	case o.kind == absent || v.IsNull():
		return s.dialect.unknown(), true
	case o.kind == document:
		return s.compareDocument(o, op, v)
	case o.typ.family() != family(v):
		return s.dialect.unknown(), true
	}
	switch o.typ {
	case Text:
		text, _ := v.AsString()
		return s.compareText(o.sql, op, text, o.indexed), true
	case Int, Float:
		return s.compareNumber(o, op, v), true
	}
	arg, _ := s.dialect.Hold(o.typ, v)
	return "(" + o.sql + " " + symbol(op) + " " + s.param(arg, o.typ) + ")", true
}

// compareText compares by bytes. No stored text has a NUL, so a text with one lies right
// behind what stands before it.
func (s *statement) compareText(sql string, op ankql.Operator, text string, indexed bool) string {
	if before, _, found := strings.Cut(text, "\x00"); found {
		switch op {
		case ankql.OpEqual, ankql.OpNotEqual:
			return constant(sql, op == ankql.OpNotEqual)
		case ankql.OpLess, ankql.OpLessEqual:
			op = ankql.OpLessEqual
		default:
			op = ankql.OpGreater
		}
		text = before
	}
	out := sql + " " + symbol(op) + " " + s.param(text, Text)
	if prefix, useful := prefixBound(op); indexed && useful && s.dialect == Postgres {
		out += " AND " + textPrefix(sql) + " " + symbol(prefix) + " " + s.param(firstChars(text), Text)
	}
	return "(" + out + ")"
}

// PrefixChars is how much of a text goes into an index: Postgres refuses entries of more
// than some 2,700 bytes.
const PrefixChars = 200

// textPrefix is what an index has of a text. Texts are in the order of their prefixes.
func textPrefix(sql string) string { return "left(" + sql + ", " + strconv.Itoa(PrefixChars) + ")" }

// bytesPrefix is textPrefix for byte strings.
func bytesPrefix(sql string) string {
	return "substr(" + sql + ", 1, " + strconv.Itoa(PrefixChars) + ")"
}

// prefixBound returns what prefixes of texts satisfy where the texts satisfy op.
func prefixBound(op ankql.Operator) (ankql.Operator, bool) {
	switch op {
	case ankql.OpLess, ankql.OpLessEqual:
		return ankql.OpLessEqual, true
	case ankql.OpGreater, ankql.OpGreaterEqual:
		return ankql.OpGreaterEqual, true
	}
	return op, op == ankql.OpEqual
}

func firstChars(text string) string {
	n := 0
	for i := range text {
		if n == PrefixChars {
			return text[:i]
		}
		n++
	}
	return text
}

// compareNumber compares by value: nothing is rounded.
func (s *statement) compareNumber(o operand, op ankql.Operator, v value.Value) string {
	i, isInt := v.AsInt()
	f, _ := v.AsFloat()
	switch {
	case o.typ == Int && isInt:
		return s.compareColumn(o, op, i)
	case o.typ == Float && !isInt:
		if s.dialect == SQLite && math.IsNaN(f) {
			return constant(o.sql, holds(op, -1))
		}
		return s.compareColumn(o, op, f)
	case o.typ == Int:
		return s.compareIntWithFloat(o, op, f)
	}
	return s.compareFloatWithInt(o, op, i)
}

func (s *statement) compareColumn(o operand, op ankql.Operator, arg any) string {
	return "(" + o.sql + " " + symbol(op) + " " + s.param(arg, o.typ) + ")"
}

func (s *statement) compareIntWithFloat(o operand, op ankql.Operator, f float64) string {
	switch {
	case math.IsNaN(f) || f >= 1<<63:
		return constant(o.sql, holds(op, -1))
	case f < -1<<63:
		return constant(o.sql, holds(op, 1))
	}
	below := math.Floor(f)
	if below == f {
		return s.compareColumn(o, op, int64(f))
	}
	return s.compareBetween(o, op, int64(below))
}

func (s *statement) compareFloatWithInt(o operand, op ankql.Operator, i int64) string {
	f := float64(i)
	switch order := value.Compare(value.Float(f), value.Int(i)); {
	case order == 0:
		return s.compareColumn(o, op, f)
	case order > 0:
		f = math.Nextafter(f, math.Inf(-1))
	}
	return s.compareBetween(o, op, f)
}

// compareBetween compares with a number that the column cannot hold, given the greatest one
// below it that it can.
func (s *statement) compareBetween(o operand, op ankql.Operator, below any) string {
	switch op {
	case ankql.OpEqual, ankql.OpNotEqual:
		return constant(o.sql, op == ankql.OpNotEqual)
	case ankql.OpLess, ankql.OpLessEqual:
		return s.compareColumn(o, ankql.OpLessEqual, below)
	}
	return s.compareColumn(o, ankql.OpGreater, below)
}

// compareDocument compares what a document holds: only values of one family compare.
func (s *statement) compareDocument(o operand, op ankql.Operator, v value.Value) (string, bool) {
	switch family(v) {
	case rankTrue:
		b, _ := v.AsBool()
		return "(" + jsonBool(o.sql) + " " + symbol(op) + " " + s.param(b, Bool) + ")", true
	case rankNumber:
		return s.ranked(o, rankNumber, "("+jsonNumber(o.sql)+" "+symbol(op)+" "+s.numeric(decimal(v))+")"), true
	case rankText:
		text, _ := v.AsString()
		return s.ranked(o, rankText, s.compareText(jsonText(o.sql), op, text, o.indexed)), true
	case rankContainer:
		if op == ankql.OpEqual || op == ankql.OpNotEqual {
			return s.sameContainer(o.sql, op, v), true
		}
		return "", false // containers are in the order of their encodings
	}
	return s.dialect.unknown(), true
}

// ranked says of a comparison with a value of one family also which family that is, in the
// terms of an index over documents. That makes false of what was unknown, which matters only
// inside a negation.
func (s *statement) ranked(o operand, rank int, sql string) string {
	if !o.indexed || s.negated > 0 {
		return sql
	}
	out := jsonRank(o.sql) + " = " + strconv.Itoa(rank)
	if rank == rankText {
		out += " AND " + jsonNumber(o.sql) + " IS NULL" // the column between the two
	}
	return "(" + out + " AND " + sql + ")"
}

func (s *statement) sameContainer(sql string, op ankql.Operator, v value.Value) string {
	text, ok := s.dialect.Hold(JSON, v)
	outcome := strconv.FormatBool(op == ankql.OpNotEqual) // of a document that no column holds
	if ok {
		outcome = sql + " " + symbol(op) + " " + s.param(text, JSON)
	}
	return "(CASE WHEN jsonb_typeof(" + sql + ") IN ('array', 'object') THEN " + outcome + " END)"
}

// decimal writes a number as Postgres's numeric reads it. The shortest decimals of floats are
// in the floats' order, and among whole numbers, so comparing these is comparing those:
// the numbers of documents are whole and of 64 bits, or floats that are not.
func decimal(v value.Value) string {
	if i, ok := v.AsInt(); ok {
		return strconv.FormatInt(i, 10)
	}
	f, _ := v.AsFloat()
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == math.Trunc(f) && f >= -1<<63 && f < 1<<63: // as whole as a document would have it
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func quoteText(s string) string {
	// A literal without escapes, whatever standard_conforming_strings is.
	if strings.ContainsRune(s, '\\') {
		return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

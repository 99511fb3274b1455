package aggregate

import (
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// FromParts makes a group of what another table's group was taken apart into. It fails with
// ErrParts where that cannot be one of the aggregation's.
func FromParts(a *ankql.Aggregation, key []value.Value, rows int64, parts []value.Value) (*Group, error) {
	if len(key) != len(a.GroupBy) || len(parts) != len(a.Columns) || rows < 0 {
		return nil, fmt.Errorf("%w: %d rows by %d values with %d aggregates", ErrParts, rows, len(key), len(parts))
	}
	g := &Group{ID: NameOf(key), Key: key, Rows: rows, Values: make([]value.Value, len(parts)), Parts: parts}
	for i := range parts {
		var c cell
		if err := c.takeParts(&a.Columns[i], parts[i]); err != nil {
			return nil, err
		}
		g.Values[i] = c.result(&a.Columns[i], parts[i])
	}
	return g, nil
}

// NameOf returns the id of the group with a key.
func NameOf(key []value.Value) string {
	var id []byte
	for _, v := range key {
		id = value.AppendKey(id, v, value.Ascending)
	}
	return string(id)
}

// takeParts reads what a sum was taken apart into.
func (c *cell) takeParts(a *ankql.Aggregate, part value.Value) error {
	switch {
	case summed(a):
		b, ok := part.AsBytes()
		r := msgpack.NewReader(b)
		if c.sum = ReadSum(&r); !ok || r.Done() != nil {
			return fmt.Errorf("%w: %s", ErrParts, a)
		}
	case a.Function == ankql.FunctionCount:
		if n, ok := part.AsInt(); !ok || n < 0 {
			return fmt.Errorf("%w: %s", ErrParts, a)
		}
	}
	return nil
}

// result returns the value of a column whose parts were taken: a sum's is worked out, every
// other part is the value.
func (c *cell) result(a *ankql.Aggregate, part value.Value) value.Value {
	if summed(a) {
		return c.value(a)
	}
	return part
}

// Combine returns a group as it is with the differences that d, made by NewDifference,
// holds: base is the group as somebody else has it, nil if there is none. It returns nil
// where no row is left. COUNT, SUM and AVG are exact. MIN and MAX take what was added into
// account; a row that was taken away may have been one of several with the extreme, so
// the extreme stays until somebody knows. COUNT DISTINCT stays as it is in base, unless
// that has no rows.
func Combine(base *Group, d *Table, name string) *Group {
	g := d.groups[name]
	switch {
	case g == nil:
		return base
	case base == nil && g.rows <= 0:
		return nil
	case base == nil:
		return d.Group(name, false)
	}
	rows := base.Rows + g.rows
	if rows <= 0 && len(d.of.GroupBy) > 0 {
		return nil
	}
	if rows <= 0 { // none of the rows is left that it was made of
		return New(d.of, d.limits).Group(name, false)
	}
	out := &Group{ID: name, Key: base.Key, Rows: rows, Values: make([]value.Value, len(g.cells))}
	for i := range g.cells {
		out.Values[i] = combined(&d.of.Columns[i], base, &g.cells[i], i)
	}
	return out
}

func combined(a *ankql.Aggregate, base *Group, c *cell, i int) value.Value {
	was, here := base.Values[i], c.value(a)
	switch {
	case summed(a):
		whole := cell{}
		if whole.takeParts(a, base.Parts[i]) != nil {
			return was
		}
		whole.sum.Merge(&c.sum)
		return whole.value(a)
	case a.Function == ankql.FunctionMin || a.Function == ankql.FunctionMax:
		if was.IsNull() || !here.IsNull() && (value.Compare(here, was) < 0) == (a.Function == ankql.FunctionMin) {
			return here
		}
		return was
	case a.Distinct:
		if base.Rows == 0 {
			return here
		}
		return was
	}
	n, _ := was.AsInt()
	return value.Int(max(0, n+c.count))
}

// KeyOf returns the key of the group with an id, as far as an id says: a number is one of
// the same value.
func KeyOf(name string) (key []value.Value) {
	for b := []byte(name); len(b) > 0; {
		v, n, ok := value.ReadKey(b, value.Ascending)
		if !ok {
			return key
		}
		key, b = append(key, v), b[n:]
	}
	return key
}

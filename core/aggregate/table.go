package aggregate

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

// What a table refuses to hold.
var (
	ErrGroups = errors.New("aggregate: too many groups")
	ErrValues = errors.New("aggregate: too many different values")
)

// Limits bounds what a table holds. They have to be positive.
type Limits struct {
	Groups int // groups
	Values int // different values that COUNT DISTINCT keeps, over all groups
}

// Group is what is known of one group.
type Group struct {
	ID     string        // orders groups by Key (ankql.Aggregation.GroupKey)
	Key    []value.Value // what its rows agree in
	Rows   int64         // how many there are
	Values []value.Value // one for each aggregate

	// Parts are what each value was made of, in the form that Combine continues from; only
	// where they were asked for.
	Parts []value.Value
}

// Same reports whether two groups are the same in everything that there is to know; nil is no
// group.
func (g *Group) Same(h *Group) bool {
	if g == nil || h == nil {
		return g == h
	}
	return g.ID == h.ID && g.Rows == h.Rows && slices.Equal(g.Values, h.Values) && slices.Equal(g.Parts, h.Parts)
}

// Table keeps groups in step with rows.
type Table struct {
	of     *ankql.Aggregation
	limits Limits
	groups map[string]*group
	dirty  map[string]struct{} // changed since Changed
	hungry map[string]struct{} // may be short
	values int                 // different values kept
	bytes  int                 // that groups take, about
	key    []byte              // of the row being looked at

	difference bool // counts may be negative, and a group may be of no rows
}

type group struct {
	key   []value.Value
	rows  int64
	cells []cell
}

// cell is one aggregate of one group. Which fields are used depends on the function.
type cell struct {
	count    int64 // COUNT
	sum      Sum   // SUM, AVG
	extreme  extreme
	distinct map[string]int64 // by key of the value: rows that have it
}

// New returns an empty table for a checked aggregation.
func New(a *ankql.Aggregation, limits Limits) *Table {
	t := &Table{of: a, limits: limits, groups: make(map[string]*group), dirty: make(map[string]struct{}), hungry: make(map[string]struct{})}
	if len(a.GroupBy) == 0 {
		t.found("", nil)
		t.dirty[""] = struct{}{}
	}
	return t
}

// NewDifference returns an empty table of what is different from somebody else's: rows may
// be deducted that were never added. It is read by Combine.
func NewDifference(a *ankql.Aggregation, limits Limits) *Table {
	t := New(a, limits)
	t.difference = true
	return t
}

func (t *Table) found(name string, key []value.Value) *group {
	g := &group{key: key, cells: make([]cell, len(t.of.Columns))}
	t.groups[name] = g
	t.bytes += t.size(name)
	return g
}

// Add adds a row.
func (t *Table) Add(row ankql.Fields, e id.EntityID) error { return t.change(row, e, 1, true) }

// Remove takes away a row that was added as it is here.
func (t *Table) Remove(row ankql.Fields, e id.EntityID) error { return t.change(row, e, -1, true) }

// Deduct counts a row that somebody else has counted and that is not there, here. Only
// counts and sums can tell: the others' extremes and different values may be of other rows
// as well.
func (t *Table) Deduct(row ankql.Fields, e id.EntityID) error { return t.change(row, e, -1, false) }

// Restore ends a Deduct of the same row.
func (t *Table) Restore(row ankql.Fields, e id.EntityID) error { return t.change(row, e, 1, false) }

// change counts a row weight times; known says that extremes and different values are
// concerned too.
func (t *Table) change(row ankql.Fields, e id.EntityID, weight int64, known bool) error {
	t.key = t.of.GroupKey(t.key[:0], row)
	g := t.groups[string(t.key)]
	if g == nil {
		if len(t.groups) >= t.limits.Groups {
			return fmt.Errorf("%w: more than %d", ErrGroups, t.limits.Groups)
		}
		g = t.found(string(t.key), t.of.GroupValues(row))
	}
	if _, ok := t.dirty[string(t.key)]; !ok {
		t.dirty[string(t.key)] = struct{}{}
	}
	g.rows += weight
	for i := range g.cells {
		t.column(g, i, row, e, weight, known)
	}
	if g.rows == 0 && len(t.of.GroupBy) > 0 && (!t.difference || g.isZero()) {
		t.leave(string(t.key), g)
	}
	if t.values > t.limits.Values {
		return fmt.Errorf("%w: more than %d", ErrValues, t.limits.Values)
	}
	return nil
}

// leave drops a group without rows.
func (t *Table) leave(name string, g *group) {
	for i := range g.cells {
		c := &g.cells[i]
		t.values -= len(c.distinct)
		t.bytes -= c.extreme.size()
		for key := range c.distinct {
			t.bytes -= distinctSize + len(key)
		}
	}
	t.bytes -= t.size(name)
	delete(t.groups, name)
	delete(t.hungry, name)
}

func (t *Table) column(g *group, i int, row ankql.Fields, e id.EntityID, weight int64, known bool) {
	a, c := &t.of.Columns[i], &g.cells[i]
	if a.Field() == nil {
		c.count += weight
		return
	}
	v := a.Field().Value(row, nil).Scalar()
	if v.IsNull() {
		return
	}
	switch a.Function {
	case ankql.FunctionSum, ankql.FunctionAvg:
		c.sum.Add(v, weight)
	case ankql.FunctionMin, ankql.FunctionMax:
		t.place(c, a, v, e, weight, known)
	default:
		if !a.Distinct {
			c.count += weight
		} else if known {
			t.distinguish(c, v, weight)
		}
	}
}

func (t *Table) place(c *cell, a *ankql.Aggregate, v value.Value, e id.EntityID, weight int64, known bool) {
	t.bytes -= c.extreme.size()
	defer func() { t.bytes += c.extreme.size() }()
	switch {
	case !known:
	case weight > 0:
		c.extreme.add(candidateOf(a, v, e))
	default:
		c.extreme.remove(e)
		if c.extreme.short() {
			t.hungry[string(t.key)] = struct{}{}
		}
	}
}

func (t *Table) distinguish(c *cell, v value.Value, weight int64) {
	var buffer [64]byte
	key := value.AppendKey(buffer[:0], v, value.Ascending)
	if c.distinct == nil {
		c.distinct = make(map[string]int64)
	}
	before := len(c.distinct)
	if n := c.distinct[string(key)] + weight; n != 0 {
		c.distinct[string(key)] = n
	} else {
		delete(c.distinct, string(key))
	}
	t.values += len(c.distinct) - before
	t.bytes += (len(c.distinct) - before) * (distinctSize + len(key))
}

// About how many bytes it takes to keep a group, each of its cells, and one of the different
// values of a cell, besides what these are of.
const (
	groupSize    = 512
	cellSize     = 256
	distinctSize = 64
)

// size returns about how many bytes a group takes by itself, with the Group that shows it.
func (t *Table) size(name string) int { return groupSize + 4*len(name) + cellSize*len(t.of.Columns) }

// Bytes returns about how many bytes the groups take.
func (t *Table) Bytes() int { return t.bytes }

// AddCount adds rows that nobody has looked at, where nothing but how many there are is
// asked for (CountsOnly).
func (t *Table) AddCount(n int64) {
	if n == 0 {
		return
	}
	g := t.groups[""]
	g.rows += n
	for i := range g.cells {
		g.cells[i].count += n
	}
	t.dirty[""] = struct{}{}
}

// CountsOnly reports whether an aggregation asks for nothing but how many rows there are in
// all, so that nobody has to read them.
func CountsOnly(a *ankql.Aggregation) bool {
	for i := range a.Columns {
		if a.Columns[i].Field() != nil {
			return false
		}
	}
	return len(a.GroupBy) == 0
}

func (g *group) isZero() bool {
	for i := range g.cells {
		c := &g.cells[i]
		if c.count != 0 || !c.sum.isZero() || len(c.extreme.best) > 0 || c.extreme.cut || len(c.distinct) > 0 {
			return false
		}
	}
	return g.rows == 0
}

// Short is an extreme of a group that the table does not know any more.
type Short struct {
	ID     string
	Key    []value.Value
	Column int
	Want   int // how many rows to look for
}

// Short returns the extremes to be looked up (ankql.Aggregation.Within) and given to Fill.
func (t *Table) Short() (list []Short) {
	for _, name := range slices.Sorted(maps.Keys(t.hungry)) {
		g := t.groups[name]
		for i := range g.cells {
			if g.cells[i].extreme.short() {
				list = append(list, Short{name, g.key, i, bench})
			}
		}
	}
	clear(t.hungry)
	return list
}

// Row is a row with its entity.
type Row struct {
	Entity id.EntityID
	Fields ankql.Fields
}

// Fill gives the best rows for an extreme that was short, in order, and says whether there
// may be more behind them.
func (t *Table) Fill(s Short, rows []Row, more bool) {
	g := t.groups[s.ID]
	if g == nil {
		return
	}
	a := &t.of.Columns[s.Column]
	list := make([]candidate, len(rows))
	for i, r := range rows {
		list[i] = candidateOf(a, a.Field().Value(r.Fields, nil).Scalar(), r.Entity)
	}
	x := &g.cells[s.Column].extreme
	t.bytes -= x.size()
	x.fill(list, more)
	t.bytes += x.size()
}

// Changed returns the ids of the groups that rows were added to or taken from since the
// last time, in order.
func (t *Table) Changed() []string {
	list := slices.Sorted(maps.Keys(t.dirty))
	clear(t.dirty)
	return list
}

// Len returns how many groups there are.
func (t *Table) Len() int { return len(t.groups) }

// Group returns a group by its id; nil if there is none. With parts its Parts are filled in.
func (t *Table) Group(name string, parts bool) *Group {
	g := t.groups[name]
	if g == nil {
		return nil
	}
	out := &Group{ID: name, Key: g.key, Rows: g.rows, Values: make([]value.Value, len(g.cells))}
	for i := range g.cells {
		out.Values[i] = g.cells[i].value(&t.of.Columns[i])
	}
	if parts {
		out.Parts = make([]value.Value, len(g.cells))
		for i := range g.cells {
			out.Parts[i] = out.Values[i]
			if summed(&t.of.Columns[i]) {
				out.Parts[i] = value.Bytes(g.cells[i].sum.Append(nil))
			}
		}
	}
	return out
}

func summed(a *ankql.Aggregate) bool {
	return a.Function == ankql.FunctionSum || a.Function == ankql.FunctionAvg
}

func (c *cell) value(a *ankql.Aggregate) value.Value {
	switch {
	case a.Function == ankql.FunctionSum:
		return c.sum.Total()
	case a.Function == ankql.FunctionAvg:
		return c.sum.Mean()
	case a.Function == ankql.FunctionMin || a.Function == ankql.FunctionMax:
		return c.extreme.value()
	case a.Distinct:
		return value.Int(int64(len(c.distinct)))
	}
	return value.Int(c.count)
}

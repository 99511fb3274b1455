package ankql

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Limits of an aggregation.
const (
	MaxAggregates    = 32  // aggregates of one aggregation
	MaxGroupBy       = 8   // paths to group by
	MaxAggregateName = 128 // bytes of the name of an aggregate
)

// Aggregation says what is to be known of the entities that match a predicate, without
// naming them one by one: how many there are, what they add up to, what the least and the
// greatest is, for all of them or for each group.
//
// As in SQL, entities that agree in what GroupBy leads to are a group, and NULL is a group
// like any other; 1 and 1.0 are one value. There is no group without an entity, except
// that without GroupBy there is always exactly one. Like a selection it is a value that
// nobody changes: Check makes a new one.
type Aggregation struct {
	Where   Expr        // never nil once checked; True is every entity
	GroupBy []Path      // what the entities of a group agree in; empty for one group of all
	Columns []Aggregate // what is to be known of each group

	keys []*Field // of GroupBy; set by Check
}

// Function says what an aggregate makes of the values of a group. The numbers travel on
// the wire; the list is append-only.
type Function uint8

// The functions. All of them pass over NULL.
const (
	FunctionCount Function = iota // how many there are
	FunctionSum                   // what they add up to; NULL of none
	FunctionMin                   // the least, in the order of values; NULL of none
	FunctionMax                   // the greatest; NULL of none
	FunctionAvg                   // their mean, a float; NULL of none
)

var functionNames = [...]string{"COUNT", "SUM", "MIN", "MAX", "AVG"}

// String returns the function's name in SQL.
func (f Function) String() string {
	if int(f) < len(functionNames) {
		return functionNames[f]
	}
	return "function " + strconv.Itoa(int(f))
}

// Aggregate is one value about each group.
type Aggregate struct {
	Name     string // what the result calls it
	Function Function
	Path     Path // what it is made of; nil, for COUNT only, counts the entities themselves
	Distinct bool // COUNT of the different values

	field *Field // set by Check
}

// Count counts entities.
func Count(name string) Aggregate { return Aggregate{Name: name} }

// CountOf counts the entities in which the path does not lead to NULL. Like the functions
// below it takes a path as the language writes it; one that is none is found by Check.
func CountOf(name, path string) Aggregate { return aggregate(name, FunctionCount, path) }

// CountDistinct counts the different values that the path leads to.
func CountDistinct(name, path string) Aggregate {
	a := aggregate(name, FunctionCount, path)
	a.Distinct = true
	return a
}

// Sum adds up numbers. The sum of ints is an int, or a float where 64 bits do not hold it;
// if any of the numbers is a float, so is the sum. It is exact up to one rounding at the
// end, in whatever order the numbers came.
func Sum(name, path string) Aggregate { return aggregate(name, FunctionSum, path) }

// Avg is the mean of numbers, as the float nearest to it.
func Avg(name, path string) Aggregate { return aggregate(name, FunctionAvg, path) }

// Min is the least value.
func Min(name, path string) Aggregate { return aggregate(name, FunctionMin, path) }

// Max is the greatest value.
func Max(name, path string) Aggregate { return aggregate(name, FunctionMax, path) }

func aggregate(name string, f Function, path string) Aggregate {
	a := Aggregate{Name: name, Function: f, Path: Path{path}}
	if field, err := parsePath(path); err == nil {
		a.Path = field.Path
	}
	return a
}

// AggregationOf makes an aggregation of a selection's predicate. The selection's order,
// which says nothing about a group, is left out; a LIMIT is refused.
func AggregationOf(s *Selection, groupBy []string, columns ...Aggregate) (*Aggregation, error) {
	if s.Limit != NoLimit {
		return nil, position{}.err("a selection without LIMIT", "LIMIT "+strconv.Itoa(s.Limit), "an aggregate is about all entities that match")
	}
	a := &Aggregation{Where: s.Where, Columns: columns}
	for _, text := range groupBy {
		f, err := parsePath(text)
		if err != nil {
			return nil, err
		}
		a.GroupBy = append(a.GroupBy, f.Path)
	}
	return a, nil
}

// Selection returns the entities that the aggregation is about.
func (a *Aggregation) Selection() *Selection { return &Selection{Where: a.Where, Limit: NoLimit} }

// Field returns what the aggregate is made of, once it has been checked; nil where it
// counts entities.
func (a *Aggregate) Field() *Field { return a.field }

// Keys returns what the entities of a group agree in, once the aggregation has been checked.
func (a *Aggregation) Keys() []*Field { return a.keys }

// ResultType returns the declared type of the aggregate's values: TypeInt for counts and
// for sums of ints, TypeFloat for means and for sums of floats, the property's own for MIN
// and MAX, and "" where nothing is known, inside JSON. A sum of ints that 64 bits do not
// hold is a float all the same.
func (a *Aggregate) ResultType() schema.Type {
	switch {
	case a.Function == FunctionCount:
		return schema.TypeInt
	case a.Function == FunctionAvg:
		return schema.TypeFloat
	case a.field == nil || a.field.Type == schema.TypeJSON:
		return ""
	}
	return a.field.Type
}

// Check returns the aggregation as it is for the entities of m; see Selection.CheckWith.
// SUM and AVG take numbers, or JSON, of which they pass over what is no number; the
// others take any property. What lies behind a reference can stand in the predicate only.
func (a *Aggregation) Check(m *schema.Model, models Models) (*Aggregation, error) {
	checked, err := a.Selection().CheckWith(m, models)
	if err != nil {
		return nil, err
	}
	out := &Aggregation{Where: checked.Where, GroupBy: make([]Path, len(a.GroupBy)), Columns: make([]Aggregate, len(a.Columns)),
		keys: make([]*Field, len(a.GroupBy))}
	none := position{}
	switch {
	case len(a.Columns) == 0:
		return nil, none.err("an aggregate", "none", "")
	case len(a.Columns) > MaxAggregates:
		return nil, none.err("at most "+strconv.Itoa(MaxAggregates)+" aggregates", strconv.Itoa(len(a.Columns)), "")
	case len(a.GroupBy) > MaxGroupBy:
		return nil, none.err("at most "+strconv.Itoa(MaxGroupBy)+" paths to group by", strconv.Itoa(len(a.GroupBy)), "")
	}
	c := checker{model: m, models: models}
	for i, path := range a.GroupBy {
		if out.keys[i], err = c.own(path); err != nil {
			return nil, err
		}
		out.GroupBy[i] = out.keys[i].Path
	}
	names := make(map[string]bool, len(a.Columns))
	for i := range a.Columns {
		column, err := c.aggregate(&a.Columns[i])
		if err != nil {
			return nil, err
		}
		if names[column.Name] {
			return nil, none.err("different names for the aggregates", clip(column.Name)+" twice", "")
		}
		names[column.Name] = true
		out.Columns[i] = column
	}
	return out, nil
}

// aggregate checks one aggregate.
func (c *checker) aggregate(a *Aggregate) (Aggregate, error) {
	out, none := *a, position{}
	switch {
	case a.Function > FunctionAvg:
		return out, none.err("COUNT, SUM, MIN, MAX or AVG", a.Function.String(), "")
	case a.Name == "" || len(a.Name) > MaxAggregateName || !utf8.ValidString(a.Name):
		return out, none.err("a name of 1 to "+strconv.Itoa(MaxAggregateName)+" bytes for "+a.String(), strconv.Itoa(len(a.Name))+" bytes", "")
	case a.Distinct && a.Function != FunctionCount:
		return out, none.err("DISTINCT in COUNT only", a.String(), "")
	case len(a.Path) == 0 && (a.Function != FunctionCount || a.Distinct):
		return out, none.err("a property in "+a.String(), "none", "")
	case len(a.Path) == 0:
		return out, nil
	}
	f, err := c.own(a.Path)
	if err != nil {
		return out, err
	}
	out.Path, out.field = f.Path, f
	if a.Function == FunctionSum || a.Function == FunctionAvg {
		switch f.Type {
		case schema.TypeInt, schema.TypeFloat, schema.TypeJSON, "":
		default:
			return out, none.err("a number in "+a.String(), f.Path.String()+", "+article(f.Type), "")
		}
	}
	return out, nil
}

// own resolves a path that does not leave the entity.
func (c *checker) own(path Path) (*Field, error) {
	f, _, err := c.field(&Field{Path: path})
	if err == nil && len(f.Targets) > 0 {
		err = position{}.err("a property of "+c.model.Collection, f.Path.String(),
			"aggregates and groups do not follow references; group by "+f.Path[0]+" itself")
	}
	return f, err
}

// Key returns an identity of a checked aggregation: two with the same key, over one
// collection, have the same groups with the same values. Names of aggregates are not part
// of it.
func (a *Aggregation) Key() string {
	key := appendString(nil, a.Selection().Key())
	key = binary.AppendUvarint(key, uint64(len(a.GroupBy)))
	for _, path := range a.GroupBy {
		key = appendPathKey(key, path)
	}
	for i := range a.Columns {
		c := &a.Columns[i]
		key = append(key, byte(c.Function), byte(truthOf(c.Distinct)))
		key = appendPathKey(key, c.Path)
	}
	return string(key)
}

// String returns the aggregate in SQL's notation, without its name.
func (a *Aggregate) String() string {
	inside := "*"
	if len(a.Path) > 0 {
		inside = a.Path.String()
	}
	if a.Distinct {
		inside = "DISTINCT " + inside
	}
	return a.Function.String() + "(" + inside + ")"
}

// String describes the aggregation for people, in SQL's notation.
func (a *Aggregation) String() string {
	parts := make([]string, len(a.Columns))
	for i := range a.Columns {
		parts[i] = a.Columns[i].String()
	}
	text := strings.Join(parts, ", ")
	if a.Where != nil && a.Where != True {
		text += " WHERE " + a.Where.String()
	}
	for i, path := range a.GroupBy {
		text += [...]string{" GROUP BY ", ", "}[min(i, 1)] + path.String()
	}
	return text
}

// GroupKey appends an identity of the group that an entity belongs to: bytes.Compare
// orders groups by what they agree in.
func (a *Aggregation) GroupKey(dst []byte, row Fields) []byte {
	for _, f := range a.keys {
		dst = value.AppendKey(dst, f.Value(row, nil), value.Ascending)
	}
	return dst
}

// GroupValues returns what the entities of row's group agree in, written in one way
// whichever of them is asked; see Canonical.
func (a *Aggregation) GroupValues(row Fields) []value.Value {
	values := make([]value.Value, len(a.keys))
	for i, f := range a.keys {
		values[i] = f.Canonical(f.Value(row, nil))
	}
	return values
}

// Canonical returns the one way in which a value that f leads to is written where equal
// values count as one: of a float property as a float, inside JSON as an int where it is
// one of 64 bits, and without a negative zero.
func (f *Field) Canonical(v value.Value) value.Value {
	v = v.Scalar()
	if v.Kind() != value.KindFloat {
		return v
	}
	x, _ := v.AsFloat()
	if x == 0 {
		x = 0 // -0 is 0
	}
	if f.Type == schema.TypeFloat {
		return value.Float(x)
	}
	if x >= -1<<63 && x < 1<<63 && x == float64(int64(x)) {
		return value.Int(int64(x))
	}
	return value.Float(x)
}

// Within returns the selection of the entities of one group that have something under the
// path of MIN or MAX, the extreme first.
func (a *Aggregation) Within(key []value.Value, column int) *Selection {
	f := a.Columns[column].field
	terms := []Expr{a.Where}
	for i, k := range a.keys {
		if isNull(key[i]) {
			terms = append(terms, &NullTest{Field: k})
		} else {
			terms = append(terms, &Comparison{Left: k, Op: OpEqual, Right: &Literal{Value: key[i]}})
		}
	}
	terms = append(terms, Not(&NullTest{Field: f}))
	return &Selection{
		Where: conjunction(terms...),
		Order: []Order{{Path: f.Path, Desc: a.Columns[column].Function == FunctionMax, targets: f.Targets}},
		Limit: NoLimit,
	}
}

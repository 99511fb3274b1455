package ankql

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Models finds the models of the collections that references lead to.
type Models interface {
	Model(collection string) (*schema.Model, bool)
}

// Check returns the selection as it is for the entities of m: every path names a property
// of m (a first step that names the collection itself is left out), and every literal
// and parameter is converted to the declared type of the property that it meets. Numbers
// of either type meet numbers as they are, since numbers compare by value. It fails with
// an *Error, with the position if the selection was parsed, where a name is unknown, a
// value cannot be converted, or types do not go together, and where the selection
// exceeds a limit. With a nil model only the limits and the form of the tree are checked.
// What lies behind a reference is taken as it is written; CheckWith checks it too.
func (s *Selection) Check(m *schema.Model) (*Selection, error) { return s.CheckWith(m, nil) }

// CheckWith is Check where the models behind references are known too. A model that models
// does not have is not an error: paths into it are taken as they are written.
func (s *Selection) CheckWith(m *schema.Model, models Models) (*Selection, error) {
	c := checker{model: m, models: models}
	out := &Selection{Where: True, Order: make([]Order, len(s.Order)), Limit: s.Limit}
	if s.Limit < NoLimit || s.Limit > MaxLimit {
		return nil, position{}.err("a LIMIT from 0 to "+strconv.Itoa(MaxLimit), strconv.Itoa(s.Limit), "")
	}
	if len(s.Order) > MaxOrder {
		return nil, s.Order[MaxOrder].at.err("at most "+strconv.Itoa(MaxOrder)+" keys to order by", strconv.Itoa(len(s.Order)), "")
	}
	var err error
	if s.Where != nil {
		if out.Where, err = c.expr(s.Where); err != nil {
			return nil, err
		}
	}
	for i, o := range s.Order {
		if out.Order[i], err = c.order(o); err != nil {
			return nil, err
		}
	}
	if n := out.references(); n > MaxReferences {
		return nil, position{}.err("at most "+strconv.Itoa(MaxReferences)+" references to follow", strconv.Itoa(n), "")
	}
	if text, _ := out.Text(); len(text) > MaxText {
		return nil, position{}.err("a selection of at most "+strconv.Itoa(MaxText)+" bytes as text", strconv.Itoa(len(text)), "")
	}
	return out, nil
}

// checker walks a tree and builds the checked one.
type checker struct {
	model  *schema.Model
	models Models
	values int
	depth  int // of the parentheses that the tree takes as text
}

func (c *checker) expr(e Expr) (Expr, error) {
	switch e := e.(type) {
	case Constant:
		if Truth(e) <= TruthTrue {
			return e, nil
		}
	case *Conjunction:
		terms, err := c.terms(e.Terms, true)
		return conjunction(terms...), err
	case *Disjunction:
		terms, err := c.terms(e.Terms, false)
		return disjunction(terms...), err
	case *Negation:
		term, err := c.nested(e.Term)
		if err != nil {
			return nil, err
		}
		return Not(term), nil
	case *Comparison:
		return c.comparison(e)
	case *Membership:
		return c.membership(e)
	case *Match:
		return c.match(e)
	case *NullTest:
		f, _, err := c.field(e.Field)
		return &NullTest{Field: f}, err
	}
	return nil, position{}.err("a predicate", fmt.Sprintf("%#v", e), "")
}

// terms checks the terms of a conjunction or disjunction; only in the former may a term
// take parentheses.
func (c *checker) terms(terms []Expr, nested bool) ([]Expr, error) {
	out := make([]Expr, len(terms))
	check := c.expr
	if nested {
		check = c.nested
	}
	for i, t := range terms {
		var err error
		if out[i], err = check(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// nested checks a term that stands in parentheses if it is not simple.
func (c *checker) nested(e Expr) (Expr, error) {
	switch e.(type) {
	case *Conjunction, *Disjunction:
		if c.depth++; c.depth > MaxDepth {
			return nil, position{}.err("at most "+strconv.Itoa(MaxDepth)+" operators inside each other", "more", "")
		}
		defer func() { c.depth-- }()
	}
	return c.expr(e)
}

func (c *checker) comparison(e *Comparison) (Expr, error) {
	left, property, err := c.field(e.Left)
	if err != nil {
		return nil, err
	}
	if e.Op > OpGreaterEqual {
		return nil, left.at.err("a comparison operator", strconv.Itoa(int(e.Op)), "")
	}
	out := &Comparison{Left: left, Op: e.Op, bare: e.bare}
	switch right := e.Right.(type) {
	case *Literal:
		if e.bare && property != nil && property.Type != schema.TypeBool && property.Type != schema.TypeJSON {
			return nil, left.at.err("a comparison with "+left.Path.String(), "it alone", left.Path.String()+" is "+article(property.Type)+"; only a bool stands alone")
		}
		v, err := c.literal(property, right.Value, right.at)
		if err != nil {
			return nil, err
		}
		out.Right = &Literal{Value: v, at: right.at}
		return out, nil
	case *Field:
		other, _, err := c.field(right)
		if err != nil {
			return nil, err
		}
		if !comparable(left.Type, other.Type) {
			return nil, other.at.err("something to compare with "+left.Path.String()+", "+article(left.Type), other.Path.String()+", "+article(other.Type), "")
		}
		out.Right = other
		return out, nil
	}
	return nil, left.at.err("a value or a property to compare with "+left.Path.String(), fmt.Sprintf("%#v", e.Right), "")
}

// comparable reports whether values of two declared types can ever be of one family.
func comparable(a, b schema.Type) bool {
	fa, fb := family(a), family(b)
	return fa == "" || fb == "" || fa == fb
}

func family(t schema.Type) schema.Type {
	switch t {
	case schema.TypeJSON:
		return ""
	case schema.TypeFloat, schema.TypeTime:
		return schema.TypeInt
	case schema.TypeEnum:
		return schema.TypeString
	}
	return t
}

func article(t schema.Type) string {
	if t == schema.TypeInt || t == schema.TypeEnum {
		return "an " + string(t)
	}
	return "a " + string(t)
}

// literal converts a value to what property takes; nil is for what nothing is known of.
func (c *checker) literal(property *schema.Property, v value.Value, at position) (value.Value, error) {
	if c.values++; c.values > MaxValues {
		return value.Null, at.err("at most "+strconv.Itoa(MaxValues)+" values", "more", "")
	}
	if s, ok := v.AsString(); ok && !utf8.ValidString(s) {
		return value.Null, at.err("text in UTF-8", "other bytes", "")
	}
	if property == nil || v.IsNull() {
		return v, nil
	}
	if property.Type == schema.TypeJSON {
		return inJSON(v), nil
	}
	out, err := property.Coerce(v)
	if err == nil && property.Type == schema.TypeEnum {
		return out, inEnum(property, out, at)
	}
	if err == nil {
		return out, nil
	}
	if n, ok := asNumber(v); ok && family(property.Type) == schema.TypeInt && (isNumber(v) || property.Type == schema.TypeInt) {
		return n, nil
	}
	return value.Null, at.err(wanted(property), describeValue(v), "")
}

// inEnum refuses a text that the property never holds: it would silently match nothing.
func inEnum(property *schema.Property, v value.Value, at position) error {
	text, _ := v.AsString()
	if slices.Contains(property.Enum, text) {
		return nil
	}
	hint := ""
	if near := nearest(text, property.Enum); near != "" {
		hint = "did you mean " + quoteText(near) + "?"
	}
	choices := make([]string, min(len(property.Enum), maxChoices))
	for i := range choices {
		choices[i] = quoteText(clip(property.Enum[i]))
	}
	if len(property.Enum) > maxChoices {
		choices = append(choices, "…")
	}
	return at.err("one of "+strings.Join(choices, ", ")+" for "+property.Name, describeValue(v), hint)
}

// maxChoices is how many texts of an enum an error lists.
const maxChoices = 8

// inJSON returns v as a document holds it, where there are no ids but their texts.
func inJSON(v value.Value) value.Value {
	if e, ok := v.AsID(); ok {
		return value.String(e.String())
	}
	return v.Scalar()
}

// asNumber returns a number, or what a text says that is one: '1.5' meets an int as 1.5 does.
func asNumber(v value.Value) (value.Value, bool) {
	if isNumber(v) {
		return v, true
	}
	if s, ok := v.AsString(); !ok || !strings.ContainsAny(s, ".eE") {
		return value.Null, false // a whole one that is too large would be rounded
	}
	n, err := (&schema.Property{Type: schema.TypeFloat}).Coerce(v)
	if f, ok := n.AsFloat(); err != nil || !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return value.Null, false
	}
	if whole, err := (&schema.Property{Type: schema.TypeInt}).Coerce(n); err == nil {
		return whole, true
	}
	return n, true
}

func isNumber(v value.Value) bool {
	_, ok := v.AsFloat()
	return ok
}

func wanted(p *schema.Property) string {
	what := "a value of type " + string(p.Type)
	switch p.Type {
	case schema.TypeBool:
		what = "TRUE or FALSE"
	case schema.TypeInt, schema.TypeFloat:
		what = "a number"
	case schema.TypeTime:
		what = "a time like '2006-01-02T15:04:05.123456Z', or microseconds since 1970,"
	case schema.TypeRef:
		what = "the 26 characters of an id"
	case schema.TypeBytes:
		what = "bytes as a parameter"
	case schema.TypeString, schema.TypeEnum:
		what = "a text"
	}
	return what + " for " + p.Name
}

func describeValue(v value.Value) string {
	if s, ok := v.AsString(); ok {
		return quoteText(clip(s))
	}
	return clip(v.String())
}

func (c *checker) membership(e *Membership) (Expr, error) {
	f, property, err := c.field(e.Field)
	if err != nil {
		return nil, err
	}
	if len(e.Items) > MaxItems {
		return nil, f.at.err("at most "+strconv.Itoa(MaxItems)+" items", strconv.Itoa(len(e.Items)), "")
	}
	items := make([]value.Value, len(e.Items))
	for i, v := range e.Items {
		at := f.at
		if i < len(e.places) {
			at = e.places[i]
		}
		if items[i], err = c.literal(property, v, at); err != nil {
			return nil, err
		}
	}
	return newMembership(f, items, e.places), nil
}

func (c *checker) match(e *Match) (Expr, error) {
	f, property, err := c.field(e.Field)
	if err != nil {
		return nil, err
	}
	if property != nil && family(property.Type) != schema.TypeString && property.Type != schema.TypeJSON {
		return nil, f.at.err("a text before LIKE", f.Path.String()+", "+article(property.Type), "")
	}
	if !utf8.ValidString(e.Pattern) {
		return nil, e.at.err("a pattern in UTF-8", "other bytes", "")
	}
	m, err := newMatch(f, e.Pattern, e.Escape, e.Fold, e.at)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (c *checker) order(o Order) (Order, error) {
	f, _, err := c.field(&Field{Path: o.Path, at: o.at})
	if err != nil {
		return o, err
	}
	o.Path, o.typ, o.targets = f.Path, f.Type, f.Targets
	return o, nil
}

// self is the property that every entity has.
var self = schema.Property{Name: schema.ID, Type: schema.TypeRef}

// field resolves a path. The property is the one that says which values the path leads to;
// it is nil where nothing is known of them.
func (c *checker) field(f *Field) (*Field, *schema.Property, error) {
	if f == nil {
		return nil, nil, position{}.err("a path", "none", "")
	}
	if err := checkPath(f); err != nil {
		return nil, nil, err
	}
	if c.model == nil {
		return f, nil, nil
	}
	out := &Field{Path: f.Path, at: f.at, quoted: f.quoted}
	if _, ok := property(c.model, f.Path[0]); !ok && len(f.Path) > 1 && f.Path[0] == c.model.Collection {
		out.Path = f.Path[1:]
	}
	p, err := c.resolve(out)
	if err != nil {
		return nil, nil, err
	}
	return out, p, nil
}

func checkPath(f *Field) error {
	if len(f.Path) == 0 || len(f.Path) > MaxSteps {
		return f.at.err("a path of 1 to "+strconv.Itoa(MaxSteps)+" steps", strconv.Itoa(len(f.Path)), "")
	}
	size := 0
	for _, step := range f.Path {
		if size += len(step); size > MaxPath || !utf8.ValidString(step) {
			return f.at.err("a path of at most "+strconv.Itoa(MaxPath)+" bytes of UTF-8", "another", "")
		}
	}
	return nil
}

// resolve follows the path of f from model to model, and fills in its type and targets.
func (c *checker) resolve(f *Field) (*schema.Property, error) {
	model := c.model
	for i, step := range f.Path {
		p, ok := property(model, step)
		if !ok {
			return nil, unknownProperty(f, model, step)
		}
		if p == &sync && i > 0 {
			return nil, f.at.err("a property of "+model.Collection, schema.Sync, schema.Sync+" is about the row itself, not about what it refers to")
		}
		last := i == len(f.Path)-1
		switch {
		case last || p.Type == schema.TypeJSON:
			f.Type = p.Type
			return p, nil
		case p.Type != schema.TypeRef:
			return nil, f.at.err("a reference or JSON before the dot", f.Path[:i+1].String()+", "+article(p.Type), "")
		case p == &self:
			return nil, f.at.err("a property", f.Path.String(), "id is the entity itself, which has no further steps")
		}
		f.Targets = append(f.Targets, p.Target)
		if model, ok = c.target(p); !ok {
			return nil, nil
		}
	}
	return nil, nil
}

// target returns the model of what a reference names.
func (c *checker) target(p *schema.Property) (*schema.Model, bool) {
	if p.Target != "" && p.Target == c.model.Collection {
		return c.model, true
	}
	if c.models == nil || p.Target == "" {
		return nil, false
	}
	m, ok := c.models.Model(p.Target)
	return m, ok && m != nil
}

func property(m *schema.Model, name string) (*schema.Property, bool) {
	switch name {
	case schema.ID:
		return &self, true
	case schema.Sync:
		return &sync, true
	}
	return m.Property(name)
}

func unknownProperty(f *Field, m *schema.Model, name string) error {
	hint := ""
	dash := strings.IndexByte(name, '-')
	_, arithmetic := property(m, name[:max(dash, 0)])
	switch near := nearest(name, names(m)); {
	case arithmetic:
		hint = name + " is one name; there is no arithmetic"
	case near != "":
		hint = "did you mean " + near + "?"
	case f.quoted:
		hint = "double quotes are for names; text is written " + quoteText(clip(name))
	}
	return f.at.err("a property of "+m.Collection, clip(name), hint)
}

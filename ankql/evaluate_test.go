package ankql_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// matching returns the named rows for which the text, checked against m, is true.
func matching(t *testing.T, m *schema.Model, rows map[string]row, text string, params ...any) string {
	t.Helper()
	s := mustCheck(t, m, text, params...)
	var names []string
	for name, r := range rows {
		if s.Matches(r) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func str(s string) value.Value { return value.String(s) }

func TestFiltering(t *testing.T) { // 126 to 138
	rows := map[string]row{}
	for name, year := range map[string]string{
		"Walking on a Dream": "2008", "Ice on the Dune": "2013", "Two Vines": "2016", "Ask That God": "2024",
		"UPPERCASE": "2005", "lowercase": "2006", "Special!@#$%": "2007", "Unicode: 你好": "1969", "Abbey Road": "1969", "Let It Be": "1970",
	} {
		rows[name] = row{"name": str(name), "year": str(year), "id": value.ID(entity(year[3]))}
	}
	for _, c := range []struct {
		text   string
		params []any
		want   string
	}{
		{"name = 'Walking on a Dream'", nil, "Walking on a Dream"},                                       // 126
		{"name IN ('Walking on a Dream', 'Ice on the Dune')", nil, "Ice on the Dune Walking on a Dream"}, // 127
		{"year IN ('2008', '2013')", nil, "Ice on the Dune Walking on a Dream"},                          // 127
		{"id = ?", []any{entity('4')}, "Ask That God"},                                                   // 128
		{"id = ?", []any{entity('4').String()}, "Ask That God"},                                          // 128
		{"id IN ?", []any{[]string{entity('4').String()}}, "Ask That God"},                               // 128
		{"year > '2005' AND year < '2008'", nil, "Special!@#$% lowercase"},                               // 129
		{"year > '2010' AND year < '2005'", nil, ""},                                                     // 130
		{"(name = 'UPPERCASE' OR name = 'lowercase') AND year >= '2004'", nil, "UPPERCASE lowercase"},    // 131
		{"name = 'uppercase'", nil, ""},                                                                  // 131
		{"name = 'Special!@#$%'", nil, "Special!@#$%"},                                                   // 132
		{"name = 'Unicode: 你好'", nil, "Unicode: 你好"},                                                     // 132
		{"year = '1969'", nil, "Abbey Road Unicode: 你好"},                                                 // 133
		{"year > 2012", nil, "Ask That God Ice on the Dune Two Vines"},                                   // 135
		{"year BETWEEN 2007 AND 2013", nil, "Ice on the Dune Special!@#$% Walking on a Dream"},           // 111
		{"year NOT BETWEEN 1970 AND 2023", nil, "Abbey Road Ask That God Unicode: 你好"},                   // 111
		{"name LIKE '%on%'", nil, "Ice on the Dune Walking on a Dream"},
		{"name ILIKE '%case'", nil, "UPPERCASE lowercase"},
		{"name LIKE '%!_#$\\%'", nil, "Special!@#$%"},
		{"name LIKE '_______: __'", nil, "Unicode: 你好"},
		{"year NOT IN ('1969', '1970') AND NOT year > '2006'", nil, "UPPERCASE lowercase"},
		{"FALSE", nil, ""}, // 102
		{"'2013' <= year AND name != 'Two Vines'", nil, "Ask That God Ice on the Dune"}, // 145
		{"name = :n OR year = :y", []any{ankql.Named{"n": "UPPERCASE", "y": 1970}}, "Let It Be UPPERCASE"},
	} {
		if got := matching(t, albumModel, rows, c.text, c.params...); got != c.want {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestFilteringNumbersAndBools(t *testing.T) {
	rows := map[string]row{
		"zero":  {"plays": value.Int(0), "active": value.Bool(false), "rating": value.Float(0)},
		"minus": {"plays": value.Int(-30), "active": value.Bool(true), "rating": value.Float(-1.5)},
		"huge":  {"plays": value.Int(math.MaxInt64), "active": value.Bool(true), "rating": value.Float(math.Inf(1))},
		"big":   {"plays": value.Int(1<<53 + 1), "active": value.Bool(false), "rating": value.Float(1 << 53)},
		"nan":   {"plays": value.Int(30), "active": value.Bool(true), "rating": value.Float(math.NaN())},
	}
	for text, want := range map[string]string{
		"active = true": "huge minus nan", "active = FALSE": "big zero", "active": "huge minus nan", "NOT active": "big zero", // 137
		"plays = 0 AND active = false": "zero",       // 138
		"plays = '30'":                 "nan",        // 136
		"plays < 0.5":                  "minus zero", // numbers by value
		"plays = 0.5 OR plays != 0.5":  "big huge minus nan zero",
		"plays > 9007199254740992":     "big huge", // 194
		"plays > 9007199254740992.0":   "big huge",
		"plays < 9.3e18":               "big huge minus nan zero", // 147
		"rating = 9007199254740993":    "",                        // 2^53+1 is not 2^53
		"rating = 9007199254740992":    "big",
		"rating = -0.0":                "zero",
		"rating > 1e300":               "huge nan",            // NaN is the greatest
		"rating >= plays":              "huge minus nan zero", // 144; 2^53 is less than 2^53+1
		"30 < plays":                   "big huge",            // 145
		"plays BETWEEN -30 AND 30":     "minus nan zero",      // 111
		"plays NOT BETWEEN -30 AND 30": "big huge",            // 111
		"plays IN (-30, 0, 30.0)":      "minus nan zero",
		"active < TRUE":                "big zero",     // false before true
		"plays = plays AND rating > 5": "big huge nan", // 144
		"rating < -1 OR rating = 0":    "minus zero",
		"NOT (rating > -1) AND active": "minus",
		"plays IN ()":                  "",
		"plays NOT IN ()":              "big huge minus nan zero",
		"rating <= 9007199254740993":   "big minus zero",
		"plays <= 1e18 AND plays >= 0": "big nan zero",
		"plays <> 0":                   "big huge minus nan",
	} {
		if got := matching(t, albumModel, rows, text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	nan := mustCheck(t, albumModel, "rating = ?", math.NaN())
	if !nan.Matches(rows["nan"]) || nan.Matches(rows["huge"]) {
		t.Error("NaN does not equal itself alone") // 67
	}
}

// truthTable holds what each predicate says where x is NULL and y is 1 (139, 140).
var truthTable = map[string]ankql.Truth{
	"x = 1": ankql.TruthUnknown, "x != 1": ankql.TruthUnknown, "x < 1": ankql.TruthUnknown, "NOT (x = 1)": ankql.TruthUnknown,
	"x = x": ankql.TruthUnknown, "x = y": ankql.TruthUnknown, "1 = x": ankql.TruthUnknown,
	"x IS NULL": ankql.TruthTrue, "x IS NOT NULL": ankql.TruthFalse, "y IS NULL": ankql.TruthFalse, "NOT x IS NULL": ankql.TruthFalse,
	"x = 1 OR y = 1": ankql.TruthTrue, "y = 1 OR x = 1": ankql.TruthTrue, "x = 1 OR y = 2": ankql.TruthUnknown, "y = 2 OR x = 1": ankql.TruthUnknown,
	"x = 1 AND y = 1": ankql.TruthUnknown, "y = 1 AND x = 1": ankql.TruthUnknown, "x = 1 AND y = 2": ankql.TruthFalse, "y = 2 AND x = 1": ankql.TruthFalse,
	"NOT (x = 1 AND y = 2)": ankql.TruthTrue, "NOT (x = 1 OR y = 2)": ankql.TruthUnknown,
	"x IN (1, 2)": ankql.TruthUnknown, "x NOT IN (1, 2)": ankql.TruthUnknown, "x IN ()": ankql.TruthFalse, "x NOT IN ()": ankql.TruthTrue,
	"y IN (1, x)": ankql.TruthTrue, "y IN (2, x)": ankql.TruthUnknown, "y NOT IN (2, x)": ankql.TruthUnknown, "y NOT IN (1, x)": ankql.TruthFalse,
	"x BETWEEN 1 AND 2": ankql.TruthUnknown, "y BETWEEN x AND 2": ankql.TruthUnknown, "y BETWEEN x AND 0": ankql.TruthFalse, "y NOT BETWEEN x AND 0": ankql.TruthTrue,
	"x LIKE '%'": ankql.TruthUnknown, "x NOT LIKE '%'": ankql.TruthUnknown, "y LIKE '%'": ankql.TruthUnknown,
	"x": ankql.TruthUnknown, "NOT x": ankql.TruthUnknown, "y": ankql.TruthUnknown,
	"x.a = 1": ankql.TruthUnknown, "x.a IS NULL": ankql.TruthTrue, "y.a IS NULL": ankql.TruthTrue, "y = 'a'": ankql.TruthUnknown, "y != 'a'": ankql.TruthUnknown,
	"TRUE": ankql.TruthTrue, "FALSE": ankql.TruthFalse, "NOT FALSE": ankql.TruthTrue,
}

func TestNullTruthTable(t *testing.T) {
	for name, r := range map[string]row{
		"never set": {"y": value.Int(1)},
		"null":      {"y": value.Int(1), "x": value.Null},
		"JSON null": {"y": value.Int(1), "x": mustJSON(t, nil)},
	} {
		for text, want := range truthTable {
			s := mustParse(t, text)
			if got := ankql.Evaluate(s.Where, r, nil); got != want {
				t.Errorf("%s: %s is %s, want %s", name, text, got, want)
			}
			if s.Matches(r) != (want == ankql.TruthTrue) {
				t.Errorf("%s: %s matches wrongly", name, text)
			}
		}
	}
}

// TestThreeValuedLogic goes through every combination of truth values.
func TestThreeValuedLogic(t *testing.T) {
	values := []ankql.Truth{ankql.TruthFalse, ankql.TruthUnknown, ankql.TruthTrue}
	for _, a := range values {
		if got := ankql.Evaluate(&ankql.Negation{Term: ankql.Constant(a)}, nil, nil); got != ankql.TruthTrue-a {
			t.Errorf("NOT %s is %s", a, got)
		}
		for _, b := range values {
			terms := []ankql.Expr{ankql.Constant(a), ankql.Constant(b)}
			if got := ankql.Evaluate(&ankql.Conjunction{Terms: terms}, nil, nil); got != min(a, b) {
				t.Errorf("%s AND %s is %s", a, b, got)
			}
			if got := ankql.Evaluate(&ankql.Disjunction{Terms: terms}, nil, nil); got != max(a, b) {
				t.Errorf("%s OR %s is %s", a, b, got)
			}
			if got := ankql.Evaluate(ankql.And(terms[0], terms[1]), nil, nil); got != min(a, b) {
				t.Errorf("And(%s, %s) is %s", a, b, got)
			}
			if got := ankql.Evaluate(ankql.Or(terms[0], terms[1]), nil, nil); got != max(a, b) {
				t.Errorf("Or(%s, %s) is %s", a, b, got)
			}
		}
	}
}

func TestJSONPaths(t *testing.T) { // 149 to 165
	rows := map[string]row{}
	for name, tree := range map[string]any{
		"number": map[string]any{"n": 9, "v": 42, "licensing": map[string]any{"territory": "US", "rights": map[string]any{"holder": "Label"}}},
		"text":   map[string]any{"n": "9", "v": "42", "licensing": map[string]any{"territory": "UK"}},
		"float":  map[string]any{"n": 1.0, "a.b": "dot", "__proto__": "p", "": "empty"},
		"bool":   map[string]any{"n": true},
		"null":   map[string]any{"n": nil},
		"object": map[string]any{"n": map[string]any{"x": 1}},
		"list":   []any{1, 2},
		"scalar": "text",
		"bignum": map[string]any{"n": 100},
	} {
		rows[name] = row{"meta": mustJSON(t, tree), "name": str(name)}
	}
	rows["missing"] = row{"name": str("missing")}
	for text, want := range map[string]string{
		"meta.n = 9":                           "number", // 149
		"meta.n = '9'":                         "text",   // 150
		"meta.n = 1":                           "float",  // 163
		"meta.n = 1.0":                         "float",  // 163
		"meta.n = true":                        "bool",
		"meta.n":                               "bool",
		"meta.n = 'true'":                      "",
		"meta.v = 42":                          "number",
		"meta.v = '42'":                        "text",
		"meta.licensing.territory = 'US'":      "number",       // 157
		"meta.n > 10":                          "bignum",       // 158
		"meta.n < 10":                          "float number", // 158
		"meta.licensing.rights.holder='Label'": "number",       // 159
		"meta.n = 9 AND name = 'number'":       "number",       // 160
		"meta.n != 9":                          "bignum float", // 161: only numbers differ from 9
		"meta.zzz = 1 OR meta.n.x.y = 1":       "",             // 161
		"meta.n = 9 OR meta.v = '42'":          "number text",  // 162
		"meta.n IN (1, '9')":                   "float text",   // 164
		"meta.n NOT IN (1, '9')":               "",             // 164: neither number nor text is unlike both
		"meta.n NOT IN (1, 9)":                 "bignum",
		"meta.n IS NULL":                       "list missing null scalar", // 169
		"meta IS NULL":                         "missing",                  // 169
		"meta.n.x = 1":                         "object",
		`meta."a.b" = 'dot'`:                   "float", // 171
		`meta."__proto__" = 'p' AND meta."" = 'empty'`: "float", // 171
		"meta.n LIKE '9'":     "text",
		"meta.n NOT LIKE '9'": "",
		"meta = 'text'":       "scalar",
		"meta LIKE 't%'":      "scalar",
	} {
		if got := matching(t, albumModel, rows, text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	whole := mustCheck(t, albumModel, "meta.n = ?", map[string]any{"x": 1.0})
	if !whole.Matches(rows["object"]) || whole.Matches(rows["number"]) {
		t.Error("objects are not compared by content")
	}
}

// TestReferences follows references through a resolver; nothing is found behind one that
// leads nowhere, nor without a resolver.
func TestReferences(t *testing.T) {
	muse := row{"id": value.ID(entity(1)), "name": str("Muse"), "born": value.Int(1994), "meta": mustJSON(t, map[string]any{"from": "Devon"})}
	first := row{"id": value.ID(entity(2)), "name": str("Showbiz"), "artist": value.ID(entity(1)), "sequel": value.ID(entity(3))}
	second := row{"id": value.ID(entity(3)), "name": str("Origin"), "artist": value.ID(entity(1)), "sequel": value.ID(entity(9))}
	refs := entities{entity(1): muse, entity(2): first, entity(3): second}
	for text, want := range map[string][2]bool{
		"artist.name = 'Muse'":           {true, true},
		"artist.name != 'Muse'":          {false, false},
		"artist.born < '2000'":           {true, true},
		"artist.meta.from = 'Devon'":     {true, true},
		"sequel.name = 'Origin'":         {true, false},
		"sequel.artist.name LIKE 'M%'":   {true, false},
		"sequel.sequel.name IS NULL":     {true, true},
		"sequel.name IS NULL":            {false, true},
		"sequel.name IN ('Origin', 'x')": {true, false},
		"artist.id = artist":             {true, true},
		"sequel.id = sequel":             {true, false},
		"artist.name < sequel.name":      {true, false},
		"owner.name IS NULL":             {true, true},
		"NOT sequel.name = 'x'":          {true, false},
	} {
		s := mustCheck(t, albumModel, text)
		for i, r := range []row{first, second} {
			if got := s.MatchesWith(r, refs); got != want[i] {
				t.Errorf("%s of row %d: got %v", text, i, got)
			}
		}
		if s.Matches(first) && !strings.HasSuffix(text, "IS NULL") {
			t.Errorf("%s matches without a resolver", text)
		}
	}
}

// recorder notes the collections that a path passes through.
type recorder struct {
	entities
	asked *[]string
}

func (r recorder) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	*r.asked = append(*r.asked, collection)
	return r.entities.Resolve(collection, e)
}

func TestResolverIsToldTheCollection(t *testing.T) {
	refs := entities{entity(1): {"name": str("Muse")}, entity(3): {"artist": value.ID(entity(1))}}
	r := row{"sequel": value.ID(entity(3)), "anything": value.ID(entity(1))}
	var asked []string
	s := mustCheck(t, albumModel, "sequel.artist.name = 'Muse' AND anything.name = 'Muse' ORDER BY sequel.artist.name")
	if !s.MatchesWith(r, recorder{refs, &asked}) {
		t.Error("no match")
	}
	s.AppendSortKeyWith(nil, r, entity(7), recorder{refs, &asked})
	if want := []string{"album", "artist", "", "album", "artist"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	f := s.Where.(*ankql.Conjunction).Terms[0].(*ankql.Comparison).Left
	if f.Type != schema.TypeString || !slices.Equal(f.Targets, []string{"album", "artist"}) {
		t.Errorf("got %+v", f)
	}
}

func TestHandMadeTreesEvaluate(t *testing.T) {
	f := &ankql.Field{Path: ankql.Path{"a"}}
	r := row{"a": str("xy")}
	for want, e := range map[ankql.Truth][]ankql.Expr{
		ankql.TruthTrue:    {&ankql.Membership{Field: f, Items: []value.Value{str("b"), str("xy")}}, &ankql.Match{Field: f, Pattern: "x_"}},
		ankql.TruthFalse:   {&ankql.Membership{Field: f}, &ankql.Match{Field: f, Pattern: "X_"}},
		ankql.TruthUnknown: {&ankql.Membership{Field: f, Items: []value.Value{value.Null}}, &ankql.Match{Field: f, Pattern: `x\`}},
	} {
		for _, e := range e {
			if got := ankql.Evaluate(e, r, nil); got != want {
				t.Errorf("%s is %s, want %s", e, got, want)
			}
		}
	}
	if !(&ankql.Selection{}).Matches(r) || (&ankql.Selection{}).String() != "LIMIT 0" {
		t.Error("the zero selection is not everything, none of it")
	}
	for _, bad := range []ankql.Expr{
		nil, &ankql.Negation{}, &ankql.Comparison{}, &ankql.Comparison{Left: f}, &ankql.Comparison{Left: f, Op: 99, Right: f},
		&ankql.Membership{}, &ankql.Match{}, &ankql.Match{Field: f, Pattern: `x\`}, &ankql.Match{Field: f, Pattern: "\xff"}, &ankql.NullTest{}, ankql.Constant(7),
		&ankql.NullTest{Field: &ankql.Field{}}, &ankql.Comparison{Left: f, Right: &ankql.Literal{Value: str("\xff")}},
	} {
		if _, err := (&ankql.Selection{Where: &ankql.Conjunction{Terms: []ankql.Expr{bad}}, Limit: ankql.NoLimit}).Check(nil); err == nil {
			t.Errorf("%#v is accepted", bad)
		}
	}
	if _, err := (&ankql.Selection{Limit: -2}).Check(nil); err == nil {
		t.Error("LIMIT -2 is accepted")
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	r := row{"name": str("Abbey Road"), "plays": value.Int(5), "active": value.Bool(true), "artist": value.ID(entity(1))}
	s := mustCheck(t, albumModel, "(name LIKE '%Ro_d' OR name ILIKE 'x%') AND plays BETWEEN 1 AND 9.5 AND plays IN (1, 5, 7) AND NOT artist IS NULL AND active AND year IS NULL")
	if !s.Matches(r) {
		t.Fatal("no match")
	}
	if n := testing.AllocsPerRun(100, func() { s.Matches(r) }); n != 0 {
		t.Errorf("%v allocations for a row", n)
	}
}

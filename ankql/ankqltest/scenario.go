package ankqltest

import (
	"fmt"
	"math"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Scenario is one of the numbered examples of what selections mean, in the catalogue of
// behaviour that the project measures itself against. Every place that answers selections
// runs all of them: evaluation, each engine, live results, nodes that follow another.
type Scenario struct {
	Number int
	Data   *Data
	Text   string
	Params []any    // a rowNumber stands for the id of that row
	Want   []string // the label properties of the rows, in order
}

// String returns number and text, as the name of a subtest.
func (s Scenario) String() string { return fmt.Sprintf("Scenario_%d %s", s.Number, s.Text) }

// Selection returns the scenario's selection, checked, for rows with the given ids.
func (s Scenario) Selection(ids []id.EntityID) (*ankql.Selection, error) {
	params := make([]any, len(s.Params))
	for i, p := range s.Params {
		params[i] = p
		if n, ok := p.(rowNumber); ok {
			params[i] = ids[n]
		}
	}
	parsed, err := ankql.Parse(s.Text, params...)
	if err != nil {
		return nil, err
	}
	return parsed.CheckWith(s.Data.Model, Schema{s.Data.Model.Collection: s.Data.Model})
}

// rowNumber is the number of a row of Data, from 0, as a parameter.
type rowNumber int

// Data is the rows of some scenarios. Each has a label, by which it is known.
type Data struct {
	Model *schema.Model
	Rows  []map[string]value.Value // in the order of their creation, and so of their ids
}

// Label is the property that says which row it is.
const Label = "label"

// dataset makes rows of values in the order of the model's properties, the label first. A nil
// leaves a property out.
func dataset(collection string, properties []schema.Property, rows ...[]any) *Data {
	d := &Data{Model: &schema.Model{Collection: collection, Properties: append([]schema.Property{{Name: Label, Type: schema.TypeString}}, properties...)}}
	for _, values := range rows {
		row := map[string]value.Value{}
		for i, v := range values {
			if v != nil {
				row[d.Model.Properties[i].Name] = valueOf(v)
			}
		}
		d.Rows = append(d.Rows, row)
	}
	return d
}

func valueOf(v any) value.Value {
	switch v := v.(type) {
	case value.Value:
		return v
	case string:
		return value.String(v)
	case int:
		return value.Int(int64(v))
	case float64:
		return value.Float(v)
	case bool:
		return value.Bool(v)
	}
	return document(v)
}

func column(name string, t schema.Type) schema.Property {
	return schema.Property{Name: name, Type: t, Optional: true}
}

// Scenarios returns the scenarios that are about which rows a selection selects, and in
// which order.
func Scenarios() []Scenario {
	var all []Scenario
	for _, part := range []struct {
		data  *Data
		cases []Scenario
	}{
		{albums(), albumScenarios}, {numbers(), numberScenarios}, {absent(), nullScenarios}, {documents(), documentScenarios},
		{tracks(), trackScenarios}, {beatles(), beatlesScenarios}, {products(), productScenarios}, {stock(), stockScenarios},
		{steps(), stepScenarios}, {edges(), edgeScenarios}, {messages(), messageScenarios},
	} {
		for _, c := range part.cases {
			c.Data = part.data
			all = append(all, c)
		}
	}
	return all
}

func list(names ...string) []string { return names }

// albums have their years as text.
func albums() *Data {
	d := dataset("album", []schema.Property{column("name", schema.TypeString), column("year", schema.TypeString)})
	for _, a := range [][2]string{
		{"Walking on a Dream", "2008"}, {"Ice on the Dune", "2013"}, {"Two Vines", "2016"}, {"Ask That God", "2024"},
		{"UPPERCASE", "2005"}, {"lowercase", "2006"}, {"Special!@#$%", "2007"}, {"Unicode: 你好", "1969"},
		{"Abbey Road", "1969"}, {"Let It Be", "1970"}, {"O'Brien", "1971"}, {"", "1972"},
	} {
		d.Rows = append(d.Rows, map[string]value.Value{Label: value.String(a[0]), "name": value.String(a[0]), "year": value.String(a[1])})
	}
	return d
}

var albumScenarios = []Scenario{
	{Number: 101, Text: "  LIMIT 2", Want: list("Walking on a Dream", "Ice on the Dune")},
	{Number: 102, Text: "true LIMIT 1", Want: list("Walking on a Dream")},
	{Number: 102, Text: "false"},
	{Number: 104, Text: "year = '1969' OR year = '2008' AND name = 'x'", Want: list("Unicode: 你好", "Abbey Road")},
	{Number: 105, Text: "(year = '1969' OR year = '2008') AND name = 'Abbey Road'", Want: list("Abbey Road")},
	{Number: 106, Text: "NOT (year > '1970') AND name = 'Let It Be'", Want: list("Let It Be")},
	{Number: 107, Text: "NOT NOT (year = '1970')", Want: list("Let It Be")},
	{Number: 109, Text: "name IN ('Let It Be')", Want: list("Let It Be")},
	{Number: 109, Text: "name IN ()"},
	{Number: 110, Text: "year NOT IN ('1969', '1970', '1971', '1972') AND year < '2008'", Want: list("UPPERCASE", "lowercase", "Special!@#$%")},
	{Number: 111, Text: "year BETWEEN 2006 AND 2008", Want: list("Walking on a Dream", "lowercase", "Special!@#$%")},
	{Number: 111, Text: "year NOT BETWEEN 1970 AND 2023", Want: list("Ask That God", "Unicode: 你好", "Abbey Road")},
	{Number: 114, Text: "name = 'O''Brien'", Want: list("O'Brien")},
	{Number: 115, Text: "name = ''", Want: list("")},
	{Number: 126, Text: "name = 'Walking on a Dream'", Want: list("Walking on a Dream")},
	{Number: 127, Text: "name IN ('Walking on a Dream', 'Ice on the Dune')", Want: list("Walking on a Dream", "Ice on the Dune")},
	{Number: 127, Text: "year IN ('2008', '2013')", Want: list("Walking on a Dream", "Ice on the Dune")},
	{Number: 129, Text: "year > '2005' AND year < '2008'", Want: list("lowercase", "Special!@#$%")},
	{Number: 130, Text: "year > '2010' AND year < '2005'"},
	{Number: 131, Text: "(name = 'UPPERCASE' OR name = 'lowercase') AND year >= '2004'", Want: list("UPPERCASE", "lowercase")},
	{Number: 131, Text: "name = 'uppercase'"},
	{Number: 132, Text: "name = 'Special!@#$%'", Want: list("Special!@#$%")},
	{Number: 132, Text: "name = 'Unicode: 你好'", Want: list("Unicode: 你好")},
	{Number: 133, Text: "year = '1969'", Want: list("Unicode: 你好", "Abbey Road")},
	{Number: 135, Text: "year > 2012", Want: list("Ice on the Dune", "Two Vines", "Ask That God")},
	{Number: 145, Text: "'2013' <= year AND name != 'Two Vines'", Want: list("Ice on the Dune", "Ask That God")},
	{Number: 172, Text: "year > '2010'", Want: list("Ice on the Dune", "Two Vines", "Ask That God")},
	{Number: 177, Text: "year >= '1971' AND year <= '2008' ORDER BY name", Want: list("", "O'Brien", "Special!@#$%", "UPPERCASE", "Walking on a Dream", "lowercase")},
	{Number: 177, Text: "year >= '1971' ORDER BY name LIMIT 5", Want: list("", "Ask That God", "Ice on the Dune", "O'Brien", "Special!@#$%")},
	{Number: 201, Text: "LIMIT 0"},
	{Number: 201, Text: "year > '2010' LIMIT 100", Want: list("Ice on the Dune", "Two Vines", "Ask That God")},
	{Number: 202, Text: "year >= '2005' ORDER BY year LIMIT 4", Want: list("UPPERCASE", "lowercase", "Special!@#$%", "Walking on a Dream")},
	{Number: 202, Text: "ORDER BY year DESC LIMIT 3", Want: list("Ask That God", "Two Vines", "Ice on the Dune")},
	{Number: 204, Text: "id IN (?, ?) AND year > '2010'", Params: []any{rowNumber(0), rowNumber(1)}, Want: list("Ice on the Dune")},
	{Number: 204, Text: "id >= ? AND id < ? AND year > '2000'", Params: []any{rowNumber(1), rowNumber(4)}, Want: list("Ice on the Dune", "Two Vines", "Ask That God")},
	{Number: 128, Text: "id = ?", Params: []any{rowNumber(2)}, Want: list("Two Vines")},
}

// numbers have numbers and booleans of every size.
func numbers() *Data {
	return dataset("number", []schema.Property{column("n", schema.TypeInt), column("f", schema.TypeFloat), column("active", schema.TypeBool)},
		[]any{"zero", 0, 0.0, false},
		[]any{"minus", -30, -1.5, true},
		[]any{"big", 1<<53 + 1, float64(1 << 53), false},
		[]any{"huge", 1<<63 - 1, 1e300, true},
		[]any{"thirty", 30, 30.0, true},
	)
}

var numberScenarios = []Scenario{
	{Number: 116, Text: "n = 9223372036854775807", Want: list("huge")},
	{Number: 117, Text: "f = -1.5 OR n = -30 OR f = 3e1", Want: list("minus", "thirty")},
	{Number: 136, Text: "n = '30'", Want: list("thirty")},
	{Number: 137, Text: "active = true", Want: list("minus", "huge", "thirty")},
	{Number: 137, Text: "active = false", Want: list("zero", "big")},
	{Number: 137, Text: "NOT active", Want: list("zero", "big")},
	{Number: 138, Text: "n = 0 AND active = false", Want: list("zero")},
	{Number: 144, Text: "n = f", Want: list("zero", "thirty")},
	{Number: 144, Text: "n > f", Want: list("big")},
	{Number: 145, Text: "30 < n", Want: list("big", "huge")},
	{Number: 146, Text: "n = 30.0 AND f = 30", Want: list("thirty")},
	{Number: 147, Text: "n < 9.3e18 AND n > -9.3e18", Want: list("zero", "minus", "big", "huge", "thirty")},
	{Number: 193, Text: "ORDER BY n", Want: list("minus", "zero", "thirty", "big", "huge")},
	{Number: 193, Text: "ORDER BY n DESC LIMIT 3", Want: list("huge", "big", "thirty")},
	{Number: 193, Text: "n < 0", Want: list("minus")},
	{Number: 193, Text: "n > -25", Want: list("zero", "big", "huge", "thirty")},
	{Number: 194, Text: "n > 9007199254740992 ORDER BY n", Want: list("big", "huge")},
	{Number: 194, Text: "n > 9007199254740993 ORDER BY n", Want: list("huge")},
}

// absent have an x that is NULL in every way.
func absent() *Data {
	return dataset("absent", []schema.Property{column("x", schema.TypeInt), column("y", schema.TypeInt)},
		[]any{"never set", nil, 2},
		[]any{"null", value.Null, 2},
		[]any{"one", 1, 2},
		[]any{"five", 5, 3},
	)
}

var nullScenarios = []Scenario{
	{Number: 139, Text: "x = 1", Want: list("one")},
	{Number: 139, Text: "x != 1", Want: list("five")},
	{Number: 139, Text: "NOT (x = 1)", Want: list("five")},
	{Number: 139, Text: "x IS NULL", Want: list("never set", "null")},
	{Number: 140, Text: "x IS NOT NULL", Want: list("one", "five")},
	{Number: 140, Text: "x = 1 OR y = 2", Want: list("never set", "null", "one")},
	{Number: 140, Text: "y = 2 OR x = 1", Want: list("never set", "null", "one")},
	{Number: 110, Text: "x NOT IN (1, 2)", Want: list("five")},
	{Number: 108, Text: "y = 2 AND x IS NULL", Want: list("never set", "null")},
	{Number: 195, Text: "ORDER BY x", Want: list("one", "five", "never set", "null")},
	{Number: 195, Text: "ORDER BY x DESC", Want: list("never set", "null", "five", "one")},
	{Number: 195, Text: "ORDER BY x NULLS FIRST LIMIT 3", Want: list("never set", "null", "one")},
	{Number: 195, Text: "ORDER BY x DESC NULLS LAST, y", Want: list("five", "one", "never set", "null")},
}

// documents are the parity fixture of comparisons inside JSON.
func documents() *Data {
	return dataset("document", []schema.Property{column("data", schema.TypeJSON), column("other", schema.TypeInt)},
		[]any{"number", map[string]any{"number": 9, "value": 42, "n": 1}, 1},
		[]any{"text", map[string]any{"text": "9", "value": "42", "n": "1"}, 2},
		[]any{"enabled", map[string]any{"enabled": true, "n": 1.0}, 3},
		[]any{"nested", map[string]any{"level1": map[string]any{"level2": "value"}, "n": 2.5}, 4},
		[]any{"null", map[string]any{"n": nil}, 5},
		[]any{"list", []any{1, 2}, 6},
		[]any{"scalar", document("text"), 7},
		[]any{"missing", nil, 8},
		[]any{"odd keys", map[string]any{"a.b": 1, `quo"te`: 2, "名": 3, "__proto__": 4}, 9},
	)
}

var documentScenarios = []Scenario{
	{Number: 149, Text: "data.number = 9", Want: list("number")},
	{Number: 150, Text: "data.number = '9'"},
	{Number: 151, Text: "data.text = '9'", Want: list("text")},
	{Number: 152, Text: "data.text = 9"},
	{Number: 153, Text: "data.enabled = true", Want: list("enabled")},
	{Number: 154, Text: "data.enabled = 'true'"},
	{Number: 155, Text: "data.level1.level2 = 'value'", Want: list("nested")},
	{Number: 155, Text: "data.level1.level2 = 123"},
	{Number: 156, Text: "data.value = 42", Want: list("number")},
	{Number: 156, Text: "data.value = '42'", Want: list("text")},
	{Number: 160, Text: "data.n = 1 AND other > 1", Want: list("enabled")},
	{Number: 161, Text: "data.zzz = 1 OR data.n.x.y = 1"},
	{Number: 162, Text: "data.number = 9 OR data.text = '9'", Want: list("number", "text")},
	{Number: 163, Text: "data.n = 1", Want: list("number", "enabled")},
	{Number: 163, Text: "data.n != 1", Want: list("nested")},
	{Number: 163, Text: "data.enabled = 1"},
	{Number: 164, Text: "data.n IN (1, 2.5)", Want: list("number", "enabled", "nested")},
	{Number: 164, Text: "data.n = 1 OR data.n = 2.5", Want: list("number", "enabled", "nested")},
	{Number: 165, Text: "data.n IS NOT NULL ORDER BY data.n DESC, other", Want: list("text", "nested", "number", "enabled")},
	{Number: 169, Text: "data.n IS NULL", Want: list("null", "list", "scalar", "missing", "odd keys")},
	{Number: 169, Text: "data IS NULL", Want: list("missing")},
	{Number: 171, Text: `data."a.b" = 1 AND data."quo""te" = 2 AND data.名 = 3 AND data."__proto__" = 4`, Want: list("odd keys")},
}

func tracks() *Data {
	licensing := func(territory string, count int, holder string) any {
		return map[string]any{"licensing": map[string]any{"territory": territory, "count": count, "rights": map[string]any{"holder": holder}}}
	}
	return dataset("track", []schema.Property{column("meta", schema.TypeJSON)},
		[]any{"A", licensing("US", 5, "Label")}, []any{"B", licensing("UK", 15, "Artist")}, []any{"C", licensing("DE", 100, "Label")}, []any{"D", licensing("FR", 9, "Band")})
}

var trackScenarios = []Scenario{
	{Number: 157, Text: "meta.licensing.territory = 'US'", Want: list("A")},
	{Number: 158, Text: "meta.licensing.count > 10", Want: list("B", "C")},
	{Number: 158, Text: "ORDER BY meta.licensing.count", Want: list("A", "D", "B", "C")},
	{Number: 159, Text: "meta.licensing.rights.holder = 'Label'", Want: list("A", "C")},
}

func beatles() *Data {
	return dataset("record", []schema.Property{column("name", schema.TypeString), column("year", schema.TypeString)},
		[]any{"Help!", "Help!", "1965"}, []any{"Revolver", "Revolver", "1966"}, []any{"Sgt. Pepper", "Sgt. Pepper", "1967"},
		[]any{"The White Album", "The White Album", "1968"}, []any{"Abbey Road", "Abbey Road", "1969"},
		[]any{"Abbey Road Deluxe", "Abbey Road Deluxe", "1969"}, []any{"Let It Be", "Let It Be", "1970"})
}

var beatlesScenarios = []Scenario{
	{Number: 134, Text: "year >= '1900' ORDER BY name LIMIT 100", Want: list("Abbey Road", "Abbey Road Deluxe", "Help!", "Let It Be", "Revolver", "Sgt. Pepper", "The White Album")},
	{Number: 173, Text: "year >= '1965' ORDER BY year DESC", Want: list("Let It Be", "Abbey Road", "Abbey Road Deluxe", "The White Album", "Sgt. Pepper", "Revolver", "Help!")},
	{Number: 174, Text: "year >= '1967' AND year <= '1969' ORDER BY name", Want: list("Abbey Road", "Abbey Road Deluxe", "Sgt. Pepper", "The White Album")},
	{Number: 175, Text: "ORDER BY name DESC", Want: list("The White Album", "Sgt. Pepper", "Revolver", "Let It Be", "Help!", "Abbey Road Deluxe", "Abbey Road")},
	{Number: 176, Text: "year >= '1965' ORDER BY year DESC LIMIT 3", Want: list("Let It Be", "Abbey Road", "Abbey Road Deluxe")},
}

func products() *Data {
	return dataset("product", []schema.Property{column("category", schema.TypeString), column("name", schema.TypeString), column("price", schema.TypeInt)},
		[]any{"Laptop", "Electronics", "Laptop", 1000}, []any{"Novel", "Books", "Novel", 20}, []any{"Phone", "Electronics", "Phone", 500},
		[]any{"Textbook", "Books", "Textbook", 50}, []any{"Tablet", "Electronics", "Tablet", 300}, []any{"Magazine", "Books", "Magazine", 5})
}

var productScenarios = []Scenario{
	{Number: 178, Text: "price > 0 ORDER BY category ASC, name ASC", Want: list("Magazine", "Novel", "Textbook", "Laptop", "Phone", "Tablet")},
	{Number: 179, Text: "price > 0 ORDER BY category ASC, name DESC", Want: list("Textbook", "Novel", "Magazine", "Tablet", "Phone", "Laptop")},
	{Number: 180, Text: "price > 0 ORDER BY category DESC, name ASC", Want: list("Laptop", "Phone", "Tablet", "Magazine", "Novel", "Textbook")},
	{Number: 181, Text: "price > 0 ORDER BY category DESC, name DESC", Want: list("Tablet", "Phone", "Laptop", "Textbook", "Novel", "Magazine")},
	{Number: 185, Text: "price > 0 ORDER BY category, name LIMIT 4", Want: list("Magazine", "Novel", "Textbook", "Laptop")},
	{Number: 186, Text: "price >= 50 ORDER BY category ASC, name ASC", Want: list("Textbook", "Laptop", "Phone", "Tablet")},
	{Number: 187, Text: "price >= 50 AND price <= 500 ORDER BY category ASC, price ASC", Want: list("Textbook", "Tablet", "Phone")},
	{Number: 187, Text: "price > 20 ORDER BY name DESC, price", Want: list("Textbook", "Tablet", "Phone", "Laptop")},
}

func stock() *Data {
	return dataset("stock", []schema.Property{column("category", schema.TypeString), column("name", schema.TypeString), column("price", schema.TypeInt)},
		[]any{"B-Y 100", "B", "Y", 100}, []any{"B-Y 200", "B", "Y", 200}, []any{"B-Y 50", "B", "Y", 50},
		[]any{"B-X 150", "B", "X", 150}, []any{"A-Z 300", "A", "Z", 300}, []any{"A-Z 250", "A", "Z", 250})
}

var stockScenarios = []Scenario{
	{Number: 182, Text: "price > 0 ORDER BY category DESC, name DESC, price ASC", Want: list("B-Y 50", "B-Y 100", "B-Y 200", "B-X 150", "A-Z 250", "A-Z 300")},
	{Number: 183, Text: "price > 0 ORDER BY category ASC, name ASC, price DESC LIMIT 3", Want: list("A-Z 300", "A-Z 250", "B-X 150")},
	{Number: 184, Text: "price > 0 ORDER BY category DESC, name ASC, price DESC LIMIT 4", Want: list("B-X 150", "B-Y 200", "B-Y 100", "B-Y 50")},
}

// steps are ten times in one room of one house, and others beside them.
func steps() *Data {
	d := dataset("step", []schema.Property{column("house", schema.TypeString), column("room", schema.TypeString), column("floor", schema.TypeInt), column("at", schema.TypeInt)})
	for i := 1; i <= 10; i++ {
		d.Rows = append(d.Rows, map[string]value.Value{Label: value.String(fmt.Sprint(i)), "house": value.String("h"), "room": value.String("r"), "floor": value.Int(1), "at": value.Int(int64(i))})
	}
	for i, other := range [][]any{{"h", "r", 2}, {"h", "s", 1}, {"g", "r", 1}} {
		d.Rows = append(d.Rows, map[string]value.Value{Label: value.String(fmt.Sprint("other ", i)), "house": valueOf(other[0]), "room": valueOf(other[1]), "floor": valueOf(other[2]), "at": value.Int(5)})
	}
	return d
}

// stepScenarios are 188 to 190, with none to three equalities before the range.
var stepScenarios = func() (all []Scenario) {
	down := func(from, to int) (names []string) {
		for i := from; i >= to; i-- {
			names = append(names, fmt.Sprint(i))
		}
		return names
	}
	const here = "house = 'h' AND room = 'r' AND floor = 1"
	for _, equal := range []string{here, "floor = 1 AND room = 'r' AND house = 'h'"} {
		for _, c := range []struct {
			number   int
			where    string
			from, to int
		}{
			{188, "at <= 6", 6, 1}, {188, "at >= 5", 10, 5}, {188, "at < 6", 5, 1}, {188, "at > 6", 10, 7},
			{188, "at <= 1", 1, 1}, {188, "at >= 10", 10, 10},
			{189, "at >= 3 AND at <= 7", 7, 3}, {189, "at > 3 AND at < 7", 6, 4}, {189, "at >= 3 AND at < 7", 6, 3}, {189, "at > 3 AND at <= 7", 7, 4},
			{190, "at < 1", 0, 1}, {190, "at >= 1", 10, 1}, {190, "at > 10", 0, 1},
		} {
			all = append(all, Scenario{Number: c.number, Text: equal + " AND " + c.where + " ORDER BY at DESC", Want: down(c.from, c.to)})
		}
	}
	return append(all,
		Scenario{Number: 188, Text: "at >= 9 ORDER BY at DESC", Want: down(10, 9)},
		Scenario{Number: 188, Text: "house = 'h' AND at <= 2 ORDER BY at DESC", Want: down(2, 1)},
		Scenario{Number: 188, Text: "house = 'h' AND room = 'r' AND at > 7 ORDER BY at DESC", Want: down(10, 8)},
		Scenario{Number: 191, Text: "at <= 5 AND at >= 5 ORDER BY at DESC", Want: list("5", "other 0", "other 1", "other 2")},
		Scenario{Number: 191, Text: "at < 1"},
		Scenario{Number: 192, Text: here + " AND at < 4 ORDER BY at ASC", Want: list("1", "2", "3")},
		Scenario{Number: 192, Text: here + " AND at < 4 ORDER BY at DESC", Want: list("3", "2", "1")},
	)
}()

// edges are floats at the ends of their order.
func edges() *Data {
	return dataset("edge", []schema.Property{column("f", schema.TypeFloat)},
		[]any{"NaN", math.NaN()}, []any{"0", 0.0}, []any{"+Inf", math.Inf(1)}, []any{"-0", math.Copysign(0, -1)}, []any{"-1", -1.0}, []any{"-Inf", math.Inf(-1)}, []any{"1", 1.0})
}

var edgeScenarios = []Scenario{
	{Number: 196, Text: "ORDER BY f", Want: list("-Inf", "-1", "0", "-0", "1", "+Inf", "NaN")},
	{Number: 196, Text: "ORDER BY f DESC LIMIT 3", Want: list("NaN", "+Inf", "1")},
	{Number: 196, Text: "f = 0", Want: list("0", "-0")},
	{Number: 196, Text: "f > 1e300", Want: list("NaN", "+Inf")},
}

// messages have three authors at each moment.
func messages() *Data {
	d := dataset("message", []schema.Property{column("room", schema.TypeString), column("author", schema.TypeString), column("at", schema.TypeInt)})
	for i := range 30 {
		at, author := i/3, string("BCA"[i%3])
		d.Rows = append(d.Rows, map[string]value.Value{Label: value.String(fmt.Sprint(at, author)), "room": value.String("x"), "author": value.String(author), "at": value.Int(int64(at))})
	}
	return d
}

var messageScenarios = []Scenario{
	{Number: 198, Text: "ORDER BY at DESC, author LIMIT 4", Want: list("9A", "9B", "9C", "8A")},
	{Number: 198, Text: "at <= 8 ORDER BY at DESC, author LIMIT 2", Want: list("8A", "8B")},
	{Number: 199, Text: "at > 3 ORDER BY at LIMIT 3", Want: list("4B", "4C", "4A")},
	{Number: 200, Text: "room = 'x' ORDER BY at DESC, author ASC LIMIT 7", Want: list("9A", "9B", "9C", "8A", "8B", "8C", "7A")},
	{Number: 197, Text: "at >= 8 ORDER BY at", Want: list("8B", "8C", "8A", "9B", "9C", "9A")},
	{Number: 197, Text: "at >= 8 ORDER BY at DESC", Want: list("9B", "9C", "9A", "8B", "8C", "8A")},
}

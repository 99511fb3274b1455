package ankql_test

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/value"
)

// sorted returns the names of the rows in the order of the text.
func sorted(t *testing.T, rows []row, text string) string {
	t.Helper()
	s := mustParse(t, text)
	keys := map[string]string{}
	var order []string
	for _, r := range rows {
		e, _ := r["id"].AsID()
		key := string(s.AppendSortKey(nil, r, e))
		name, _ := r["name"].AsString()
		keys[key] = name
		order = append(order, key)
	}
	slices.Sort(order)
	names := make([]string, len(order))
	for i, key := range order {
		names[i] = keys[key]
	}
	return strings.Join(names, " ")
}

func TestOrder(t *testing.T) { // 172 to 197, as far as this package goes
	products := []row{}
	for i, p := range []struct {
		name, category string
		price          value.Value
	}{
		{"laptop", "electronics", value.Int(1000)}, {"phone", "electronics", value.Int(500)}, {"tablet", "electronics", value.Float(300.5)},
		{"novel", "books", value.Int(20)}, {"magazine", "books", value.Int(-5)}, {"poem", "books", value.Null}, {"note", "", value.Int(0)},
	} {
		r := row{"name": str(p.name), "price": p.price, "id": value.ID(entity(byte(i))), "data": mustJSON(t, map[string]any{"n": i * 5 % 7})}
		if p.category != "" { // else it was never set
			r["category"] = str(p.category)
		}
		products = append(products, r)
	}
	for text, want := range map[string]string{
		"":                               "laptop phone tablet novel magazine poem note",
		"ORDER BY name":                  "laptop magazine note novel phone poem tablet",
		"ORDER BY name DESC":             "tablet poem phone novel note magazine laptop",
		"ORDER BY category, name":        "magazine novel poem laptop phone tablet note",
		"ORDER BY category, name DESC":   "poem novel magazine tablet phone laptop note",
		"ORDER BY category DESC, name":   "note laptop phone tablet magazine novel poem",
		"ORDER BY category DESC":         "note laptop phone tablet novel magazine poem",
		"ORDER BY price":                 "magazine note novel tablet phone laptop poem",
		"ORDER BY price DESC":            "poem laptop phone tablet novel note magazine",
		"ORDER BY price NULLS FIRST":     "poem magazine note novel tablet phone laptop",
		"ORDER BY price DESC NULLS LAST": "laptop phone tablet novel note magazine poem",
		"ORDER BY category NULLS FIRST, price DESC NULLS LAST": "note novel magazine poem laptop phone tablet",
		"ORDER BY data.n":              "laptop novel note tablet poem phone magazine",
		"ORDER BY data.zzz, name DESC": "tablet poem phone novel note magazine laptop",
		"ORDER BY id DESC":             "note poem magazine novel tablet phone laptop",
	} {
		if got := sorted(t, products, text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	floats := []row{}
	for i, f := range []float64{math.NaN(), 0, math.Inf(1), math.Copysign(0, -1), -1, math.Inf(-1), 1} {
		floats = append(floats, row{"name": str(value.Float(f).String()), "f": value.Float(f), "id": value.ID(entity(byte(i)))})
	}
	if got, want := sorted(t, floats, "ORDER BY f"), "-Inf -1 0 -0 1 +Inf NaN"; got != want { // 196
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSortKeysOrderAsValuesDo: keys compare as the values, NULLs and ids do, one by one.
func TestSortKeysOrderAsValuesDo(t *testing.T) {
	g := randomWorld(5)
	g.Fill("album", 60)
	rows := g.World.Live("album")
	for range 3000 {
		s := g.Selection("album")
		a, b := ankqltest.Pick(g, rows...), ankqltest.Pick(g, rows...)
		want := g.World.Compare(s, a, b)
		got := bytes.Compare(s.AppendSortKeyWith(nil, a, a.ID, g.World), s.AppendSortKeyWith(nil, b, b.ID, g.World))
		if cmp.Compare(want, 0) != got {
			t.Fatalf("%s of\n%v and\n%v: got %d, want %d", s, a, b, got, want)
		}
	}
}

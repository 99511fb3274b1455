package ankqltest

import (
	"math"
	"strings"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// Text returns a text: short ones that are often equal or begin each other, and others with
// quotes, wildcards, combining marks, characters beyond the basic plane, and control
// characters.
func (g *Gen) Text() string {
	if !g.chance(3) {
		return Pick(g, "", "a", "b", "ab", "A", "Ab", "9", "10")
	}
	s := Pick(g, "a%b", "a_b", `a\b`, "it's", `"`, "Ünï", "ünï", "é", "e\u0301", "你好", "😀", "\U0010ffff", "\uffff", "ß", "SS", "K", "\u212a", "ı", "~", " ", "a ", "line\nbreak", "\x7f", "\x00", "a\x00", "a\x00b")
	if g.NoNUL {
		s = strings.ReplaceAll(s, "\x00", "\x01")
	}
	return s
}

// Integer returns a whole number: small ones most often, and those around what a float can
// tell apart and what 64 bits hold.
func (g *Gen) Integer() int64 {
	if !g.chance(3) {
		return g.Int64N(6) - 1
	}
	return Pick[int64](g, 9, 10, -10, 1<<53-1, 1<<53, 1<<53+1, -(1 << 53), -(1<<53 + 1), 1<<62, math.MaxInt64-1, math.MaxInt64, math.MinInt64, math.MinInt64+1)
}

// Float returns a number with the edges of floats among them.
func (g *Gen) Float() float64 {
	if !g.chance(3) {
		return Pick(g, 0, 1, 1.5, 2, -1.5, 0.1)
	}
	if !g.Finite && g.chance(2) {
		return Pick(g, math.NaN(), math.Inf(1), math.Inf(-1))
	}
	return Pick(g, math.Copysign(0, -1), math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64, 1e19, -1e300, 1<<53, 1<<53+2, 1<<63, -(1 << 63), 0.30000000000000004)
}

// JSON returns a document of any shape; objects have keys that selections ask for.
func (g *Gen) JSON() value.Value { return document(g.tree(0)) }

func document(tree any) value.Value {
	v, err := value.JSON(tree)
	if err != nil {
		panic(err) // trees hold what JSON takes
	}
	return v
}

// keys are those of JSON objects, outermost first where they are nested.
var keys = []string{"n", "text", "deep", "a.b", "Ünï", "__proto__"}

func (g *Gen) tree(depth int) any {
	if depth == 0 && !g.chance(5) || depth > 0 && depth < 3 && g.chance(4) {
		m := map[string]any{}
		for _, key := range keys {
			if !g.chance(3) {
				m[key] = g.tree(depth + 1)
			}
		}
		return m
	}
	switch g.IntN(8) {
	case 0:
		return nil
	case 1:
		return g.chance(2)
	case 2, 3:
		return g.Integer()
	case 4:
		if f := g.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		return -0.5
	case 5:
		return Pick[any](g, []any{}, []any{g.Integer(), g.Text()}, []any{[]any{nil}}, map[string]any{})
	}
	return g.Text()
}

// Of returns a value of a declared type, never NULL (a JSON document may be null, though).
func (g *Gen) Of(p *schema.Property) value.Value {
	switch p.Type {
	case schema.TypeBool:
		return value.Bool(g.chance(2))
	case schema.TypeInt, schema.TypeTime:
		return value.Int(g.Integer())
	case schema.TypeFloat:
		return value.Float(g.Float())
	case schema.TypeBytes:
		return value.Bytes([]byte(Pick(g, "", "\x00", "\x00\xff", "a", "ab", "\xff")))
	case schema.TypeRef:
		return value.ID(g.ID(p.Target))
	case schema.TypeJSON:
		return g.JSON()
	case schema.TypeEnum:
		return value.String(Pick(g, p.Enum...))
	}
	return value.String(g.Text())
}

// Value returns what a row may hold: a value of the declared type, or NULL where that is
// allowed.
func (g *Gen) Value(p *schema.Property) value.Value {
	if p.Optional && g.chance(6) {
		return value.Null
	}
	return g.Of(p)
}

// Scalar returns a value of any kind but JSON array and object; NULL now and then.
func (g *Gen) Scalar() value.Value {
	switch g.IntN(12) {
	case 0:
		return value.Null
	case 1, 2:
		return value.Bool(g.chance(2))
	case 3, 4, 5:
		return value.Int(g.Integer())
	case 6, 7:
		return value.Float(g.Float())
	case 8:
		return value.ID(g.ID(""))
	case 9:
		return value.Bytes([]byte(Pick(g, "", "\x00", "a")))
	}
	return value.String(g.Text())
}

package ankql_test

import (
	"math"
	"math/rand/v2"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// generator makes random selections and rows over albumModel and artistModel, of values
// that often meet: few distinct ones, and the edges of every kind.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

var paths = []string{
	"name", "year", "plays", "rating", "active", "released", "cover", "format", "meta", "artist", "sequel", "id",
	"meta.n", "meta.text", "meta.deep.n", `meta."a.b"`, "artist.name", "artist.born", "artist.meta.n", "sequel.plays", "sequel.artist.name", "owner.x",
}

// textPaths are those that LIKE takes.
var textPaths = []string{"name", "year", "format", "meta.text", "artist.name", "owner.x", "meta"}

func (g generator) path() string { return pick(g, paths...) }

// typeOf returns the declared type behind a path, or "" where there is none.
func typeOf(path string) schema.Type {
	switch path {
	case "id", "artist", "sequel":
		return schema.TypeRef
	case "artist.name", "sequel.artist.name":
		return schema.TypeString
	case "artist.born", "sequel.plays":
		return schema.TypeInt
	}
	if p, ok := albumModel.Property(path); ok && p.Type != schema.TypeJSON {
		return p.Type
	}
	return ""
}

func (g generator) text() string {
	return pick(g, "", "a", "b", "ab", "Ab", "a%b", "it's", "Ünï", "ünï", "你好", "10", "9", "\x00", `back\slash`, `"`, "line\nbreak", "K")
}

func (g generator) integer() int64 {
	return pick(g, 0, 1, -1, 2, 9, 10, 1<<53, 1<<53+1, math.MaxInt64, math.MinInt64, g.Int64N(20)-10)
}

func (g generator) float() float64 {
	return pick(g, 0, math.Copysign(0, -1), 1, 1.5, -1.5, 1e19, -1e300, 1<<53, math.NaN(), math.Inf(1), math.Inf(-1))
}

// scalar returns a value of any kind but bytes, id and container.
func (g generator) scalar() value.Value {
	switch g.IntN(5) {
	case 0:
		return value.Int(g.integer())
	case 1:
		return value.Float(g.float())
	case 2:
		return value.Bool(g.IntN(2) == 0)
	}
	return value.String(g.text())
}

// any returns a value of any kind.
func (g generator) any() value.Value {
	switch g.IntN(8) {
	case 0:
		return value.Null
	case 1:
		return value.Bytes([]byte(g.text()))
	case 2:
		return value.ID(entity(byte(g.IntN(6))))
	case 3:
		return g.json()
	}
	return g.scalar()
}

func (g generator) json() value.Value {
	v, err := value.JSON(g.tree(0))
	if err != nil {
		panic(err)
	}
	return v
}

func (g generator) tree(depth int) any {
	switch g.IntN(8 - depth) {
	case 0:
		return nil
	case 1:
		return g.integer()
	case 2:
		return 1.5
	case 3:
		return g.text()
	case 4:
		return []any{g.integer()}
	}
	m := map[string]any{}
	for _, key := range []string{"n", "text", "deep", "a.b"} {
		if g.IntN(3) > 0 {
			m[key] = g.tree(depth + 1)
		}
	}
	return m
}

// of returns a value that a property of the type holds; NULL now and then.
func (g generator) of(t schema.Type) value.Value {
	if g.IntN(6) == 0 {
		return value.Null
	}
	switch t {
	case schema.TypeBool:
		return value.Bool(g.IntN(2) == 0)
	case schema.TypeInt, schema.TypeTime:
		return value.Int(g.integer())
	case schema.TypeFloat:
		return value.Float(g.float())
	case schema.TypeBytes:
		return value.Bytes([]byte(g.text()))
	case schema.TypeRef:
		return value.ID(entity(byte(g.IntN(6))))
	case schema.TypeJSON:
		return g.json()
	case schema.TypeEnum:
		return value.String(pick(g, "lp", "cd"))
	}
	return value.String(g.text())
}

// meeting returns a value that Check lets meet the path.
func (g generator) meeting(path string) value.Value {
	t := typeOf(path)
	switch {
	case t == "":
		return g.any()
	case (t == schema.TypeInt || t == schema.TypeTime) && g.IntN(2) == 0:
		return value.Float(g.float())
	case t == schema.TypeFloat && g.IntN(2) == 0:
		return value.Int(g.integer())
	}
	return g.of(t)
}

func (g generator) album() row {
	r := row{"id": value.ID(entity(byte(g.IntN(6))))}
	for _, p := range albumModel.Properties {
		if g.IntN(8) > 0 { // else it was never set
			r[p.Name] = g.of(p.Type)
		}
	}
	return r
}

func (g generator) artist() row {
	return row{"name": g.of(schema.TypeString), "born": g.of(schema.TypeInt), "meta": g.json(), "x": g.any()}
}

// condition returns a random predicate that Check accepts.
func (g generator) condition(depth int) ankql.Condition {
	if depth > 0 && g.IntN(5) < 4 {
		switch g.IntN(3) {
		case 0:
			return g.condition(depth - 1).Not()
		case 1:
			return g.condition(depth-1).And(g.condition(depth-1), g.condition(depth-1))
		}
		return g.condition(depth - 1).Or(g.condition(depth - 1))
	}
	return g.test()
}

func (g generator) test() ankql.Condition {
	path := g.path()
	compare := pick(g, ankql.Eq, ankql.Ne, ankql.Lt, ankql.Le, ankql.Gt, ankql.Ge)
	switch g.IntN(9) {
	case 0:
		return ankql.IsNull(path)
	case 1:
		items := make([]value.Value, g.IntN(6))
		for i := range items {
			items[i] = g.meeting(path)
		}
		return ankql.In(path, items)
	case 2:
		return pick(g, ankql.Like, ankql.ILike)(pick(g, textPaths...), g.pattern())
	case 3:
		return pick(g, ankql.Where("true"), ankql.Where("false"), ankql.Where("?", nil), ankql.Where("active"), ankql.Where("meta.n"))
	case 4:
		return ankql.Between(path, g.meeting(path), g.meeting(path))
	case 5:
		other := pick(g, "meta.n", "meta.text", "meta", "owner.x", path)
		return compare(path, ankql.Column(other))
	}
	return compare(path, g.meeting(path))
}

func (g generator) pattern() string {
	text := ""
	for range g.IntN(5) {
		text += pick(g, "%", "_", "a", "b", "A", "Ü", `\%`, `\\`, "'", "你")
	}
	return text
}

func (g generator) selection(depth int) *ankql.Selection {
	q := ankql.From(g.condition(g.IntN(depth + 1)))
	for range g.IntN(3) {
		q = pick(g, q.OrderBy, q.OrderByDesc)(g.path())
		q = pick(g, q, q.NullsFirst(), q.NullsLast())
	}
	if g.IntN(2) == 0 {
		q = q.Take(g.IntN(100))
	}
	s, err := q.Selection()
	if err != nil {
		panic(err)
	}
	return s
}

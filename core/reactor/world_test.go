package reactor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

var album = &schema.Model{Collection: "album", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString}, {Name: "artist", Type: schema.TypeRef, Target: "artist"}, {Name: "year", Type: schema.TypeInt},
	{Name: "rating", Type: schema.TypeFloat}, {Name: "live", Type: schema.TypeBool}, {Name: "meta", Type: schema.TypeJSON},
}}

func selection(t testing.TB, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err == nil {
		s, err = s.Check(album)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func entity(n int) id.EntityID {
	return id.EntityID{ULID: id.Make(id.Stamp(n+1)<<16, [8]byte{byte(n)})}
}

// record makes an album; fields alternate between names and values.
func record(n int, fields ...any) *proto.Record {
	s := &proto.State{}
	for i := 0; i < len(fields); i += 2 {
		name := fields[i].(string)
		var v value.Value
		switch x := fields[i+1].(type) {
		case string:
			v = value.String(x)
		case int:
			v = value.Int(int64(x))
		case value.Value:
			v = x
		}
		at, _ := s.Find(name)
		s.Properties = append(s.Properties[:at], append([]proto.PropertyState{{Name: name, Kind: 1, Value: v}}, s.Properties[at:]...)...)
	}
	return &proto.Record{Collection: "album", Entity: entity(n), State: s}
}

func changed(before, after *proto.Record) Change {
	c := Change{Before: before, After: after, Stored: after, Collection: "album"}
	for _, r := range []*proto.Record{before, after} {
		if r != nil {
			c.Entity = r.Entity
		}
	}
	return c
}

// world makes random predicates and albums of values that often meet, and the edges.
type world struct{ *rand.Rand }

func newWorld(seed uint64) world { return world{rand.New(rand.NewPCG(seed, 0))} }

func pick[T any](w world, from ...T) T { return from[w.IntN(len(from))] }

func (w world) of(t schema.Type) value.Value {
	if w.IntN(8) == 0 {
		return value.Null
	}
	switch t {
	case schema.TypeInt:
		return value.Int(pick[int64](w, 0, 1, 2, 3, -1, math.MaxInt64, math.MinInt64, 1<<53+1))
	case schema.TypeString:
		return value.String(pick(w, "", "a", "ab", "b", "a\x00", "a\x00b", "é", "~", "B"))
	case schema.TypeFloat:
		return value.Float(pick(w, 0, math.Copysign(0, -1), 1.5, 2, -1.5, math.NaN(), math.Inf(1), math.Inf(-1)))
	case schema.TypeBool:
		return value.Bool(w.IntN(2) == 0)
	case schema.TypeRef:
		return value.ID(entity(w.IntN(6)))
	}
	v, err := value.JSON(map[string]any{"n": pick[any](w, 1, 2, 2.5, "a", "1", true, nil, []any{1}, map[string]any{"x": 1})})
	if err != nil {
		panic(err)
	}
	return v
}

func (w world) record() *proto.Record {
	var fields []any
	for _, p := range album.Properties {
		if w.IntN(5) > 0 {
			fields = append(fields, p.Name, w.of(p.Type))
		}
	}
	return record(w.IntN(6), fields...)
}

// change is of one entity, most often of few of its properties.
func (w world) change() Change {
	before, after := w.record(), w.record()
	after.Entity = before.Entity
	if w.IntN(2) == 0 {
		state := *before.State
		after.State = &state
		if n := len(state.Properties); n > 0 {
			state.Properties = append([]proto.PropertyState(nil), state.Properties...)
			p := &state.Properties[w.IntN(n)]
			declared, _ := album.Property(p.Name)
			p.Value = w.of(declared.Type)
		}
	}
	switch w.IntN(6) {
	case 0:
		return changed(nil, after)
	case 1:
		return changed(before, nil)
	}
	return changed(before, after)
}

var pathTypes = map[string]schema.Type{
	"name": schema.TypeString, "artist": schema.TypeRef, "year": schema.TypeInt, "rating": schema.TypeFloat, "live": schema.TypeBool,
	"id": schema.TypeRef, "meta.n": "", "meta": "", "artist.born": schema.TypeInt,
}

func (w world) path() string {
	return pick(w, "name", "name", "year", "year", "rating", "live", "artist", "id", "meta.n", "meta", "artist.born")
}

func (w world) operand(path string) value.Value {
	if t := pathTypes[path]; t != "" {
		return w.of(t)
	}
	return w.of(pick(w, schema.TypeInt, schema.TypeString, schema.TypeFloat, schema.TypeBool))
}

func (w world) condition(depth int) ankql.Condition {
	if depth > 0 && w.IntN(6) < 5 {
		first := w.condition(depth - 1)
		switch w.IntN(5) {
		case 0:
			return first.Not()
		case 1, 2:
			return first.Or(w.condition(depth - 1))
		}
		return first.And(w.condition(depth - 1))
	}
	path := w.path()
	switch w.IntN(8) {
	case 0:
		return pick(w, ankql.IsNull, ankql.IsNotNull)(path)
	case 1:
		items := make([]value.Value, w.IntN(4))
		for i := range items {
			items[i] = w.operand(path)
		}
		return ankql.In(path, items)
	case 2:
		return pick(w, ankql.Like, ankql.ILike)(pick(w, "name", "meta.n"), pick(w, "a%", "a", "%", "_b%", "a_", "", "é%"))
	case 3:
		return ankql.Eq(path, ankql.Column(path))
	case 4:
		return pick(w, ankql.Where("TRUE"), ankql.Where("FALSE"), ankql.Where("?", nil))
	}
	return pick(w, ankql.Eq, ankql.Eq, ankql.Ne, ankql.Lt, ankql.Le, ankql.Gt, ankql.Ge)(path, w.operand(path))
}

func (w world) selection(t testing.TB) *ankql.Selection {
	s, err := ankql.From(w.condition(w.IntN(4))).Selection()
	if err == nil {
		s, err = s.Check(album)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var trueValue = value.Bool(true)

func idValue(n int) value.Value { return value.ID(entity(n)) }

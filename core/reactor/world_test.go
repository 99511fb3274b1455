package reactor

import (
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

var album = &schema.Model{Collection: "album", Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString, Optional: true}, {Name: "artist", Type: schema.TypeRef, Target: "artist", Optional: true}, {Name: "year", Type: schema.TypeInt, Optional: true},
	{Name: "rating", Type: schema.TypeFloat, Optional: true}, {Name: "live", Type: schema.TypeBool, Optional: true}, {Name: "meta", Type: schema.TypeJSON, Optional: true},
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

// world makes random predicates and albums of values that often meet.
type world struct{ *ankqltest.Gen }

func newWorld(seed uint64) world {
	g := ankqltest.New(seed)
	g.World = ankqltest.NewWorld(ankqltest.Schema{"album": album})
	for n := range 6 {
		g.World.Put(g.Row("album", entity(n)))
	}
	g.NoOrder, g.NoLimit = true, true
	return world{g}
}

func (w world) selection(testing.TB) *ankql.Selection { return w.Selection("album") }

func (w world) record() *proto.Record {
	n := w.IntN(6)
	var fields []any
	for name, v := range w.Row("album", entity(n)).Values {
		fields = append(fields, name, v)
	}
	return record(n, fields...)
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
			p.Value = w.Value(declared)
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

var trueValue = value.Bool(true)

func idValue(n int) value.Value { return value.ID(entity(n)) }

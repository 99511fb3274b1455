package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
)

func album() *Model {
	return &Model{Collection: "album", Properties: []Property{
		{Name: "name", Type: TypeString, Kind: KindText},
		{Name: "artist", Type: TypeRef, Target: "artist", Optional: true},
		{Name: "year", Type: TypeInt, Default: value.Int(2001)},
		{Name: "format", Type: TypeEnum, Enum: []string{"cd", "vinyl"}, Default: value.String("cd")},
		{Name: "rating", Type: TypeFloat, Optional: true},
		{Name: "live", Type: TypeBool, Kind: KindLWW},
		{Name: "cover", Type: TypeBytes, Optional: true},
		{Name: "released", Type: TypeTime, Optional: true},
		{Name: "meta", Type: TypeJSON, Optional: true},
	}}
}

func many(n int, name string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", name, i)
	}
	return list
}

func TestValidate(t *testing.T) {
	if err := album().Validate(); err != nil {
		t.Fatal(err)
	}
	wide := func(n int) func(*Model) {
		return func(m *Model) {
			m.Properties = nil
			for _, name := range many(n, "p") {
				m.Properties = append(m.Properties, Property{Name: name, Type: TypeInt})
			}
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*Model)
		says   string // what the error names; "" where there is none
	}{
		{"no properties", func(m *Model) { m.Properties = nil }, ""},
		{"names of any script", func(m *Model) { m.Collection, m.Properties[0].Name = "альбом", "名前" }, ""},
		{"dashes and digits", func(m *Model) { m.Collection = "_album-2" }, ""},
		{"as many properties as allowed", wide(MaxProperties), ""},
		{"one property too many", wide(MaxProperties + 1), "album"},
		{"collection without name", func(m *Model) { m.Collection = "" }, "collection"},
		{"collection with a space", func(m *Model) { m.Collection = "my album" }, `' '`},
		{"collection that starts with a digit", func(m *Model) { m.Collection = "2albums" }, `'2'`},
		{"collection that is not UTF-8", func(m *Model) { m.Collection = "\xff" }, "UTF-8"},
		{"longest name", func(m *Model) { m.Collection = strings.Repeat("a", MaxNameLen) }, ""},
		{"longer name", func(m *Model) { m.Collection = strings.Repeat("a", MaxNameLen+1) }, "128"},
		{"reserved collection", func(m *Model) { m.Collection = "_ankurah_model" }, "reserved"},
		{"property called id", func(m *Model) { m.Properties[2].Name = "id" }, `"id"`},
		{"property without name", func(m *Model) { m.Properties[2].Name = "" }, "property"},
		{"property with a dot", func(m *Model) { m.Properties[2].Name = "a.b" }, `'.'`},
		{"property that marks deletion", func(m *Model) { m.Properties[2].Name = "$deleted" }, `'$'`},
		{"property twice", func(m *Model) { m.Properties[2].Name = "name" }, "album.name"},
		{"unknown type", func(m *Model) { m.Properties[2].Type = "integer" }, `"integer"`},
		{"no type", func(m *Model) { m.Properties[2].Type = "" }, "year"},
		{"unknown kind", func(m *Model) { m.Properties[2].Kind = "counter" }, `"counter"`},
		{"text that is no string", func(m *Model) { m.Properties[2].Kind = KindText }, "year"},
		{"default of another type", func(m *Model) { m.Properties[2].Default = value.Float(1) }, "default of year"},
		{"default outside of the enum", func(m *Model) { m.Properties[3].Default = value.String("tape") }, "cd, vinyl"},
		{"default that is not UTF-8", func(m *Model) { m.Properties[0].Default = value.String("\xff") }, "UTF-8"},
		{"enum without values", func(m *Model) { m.Properties[3].Enum = nil }, "format"},
		{"enum with a value twice", func(m *Model) { m.Properties[3].Enum = []string{"cd", "cd"} }, `"cd" twice`},
		{"enum value that is not UTF-8", func(m *Model) { m.Properties[3].Enum = []string{"cd", "\xff"} }, "UTF-8"},
		{"enum value too long", func(m *Model) { m.Properties[3].Enum = []string{"cd", strings.Repeat("a", MaxEnumLen+1)} }, "256"},
		{"empty enum value", func(m *Model) { m.Properties[3].Enum = []string{"cd", ""} }, ""},
		{"enum of many values", func(m *Model) { m.Properties[3].Enum = append(many(MaxEnum-1, "v"), "cd") }, ""},
		{"enum of too many values", func(m *Model) { m.Properties[3].Enum = append(many(MaxEnum, "v"), "cd") }, "1024"},
		{"target that is no name", func(m *Model) { m.Properties[1].Target = "a b" }, "artist"},
		{"any target", func(m *Model) { m.Properties[1].Target = "" }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := album()
			tc.change(m)
			err := m.Validate()
			if tc.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v; want an ErrInvalid that names %s", err, tc.says)
			}
		})
	}
}

// What others wrote into a model or a value does not fill the message about it.
func TestErrorsStayShort(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	enum := Property{Name: "format", Type: TypeEnum, Enum: append(many(MaxEnum-1, strings.Repeat("v", 200)), "cd")}
	number := Property{Name: "year", Type: TypeInt}
	_, coerced := number.Coerce(value.String(long))
	for _, err := range []error{
		ValidateName("collection", long),
		(&Model{Collection: "a", Properties: []Property{{Name: "b", Type: Type(long)}}}).Validate(),
		(&Model{Collection: "a", Properties: []Property{{Name: "b", Type: TypeInt, Kind: Kind(long)}}}).Validate(),
		(&Model{Collection: "a", Properties: []Property{{Name: "b", Type: TypeEnum, Enum: []string{long}}}}).Validate(),
		enum.Check(value.String(long)),
		coerced,
	} {
		if err == nil || len(err.Error()) > 8<<10 {
			t.Errorf("a message of %d bytes: %.80v", len(fmt.Sprint(err)), err)
		}
	}
}

// Every type stores one kind of value, and takes no other.
func TestCheck(t *testing.T) {
	values := []value.Value{
		value.Bool(true), value.Int(1), value.Float(1), value.String("cd"), value.Bytes([]byte{1}), value.ID(id.EntityID{}), mustJSON(t, 1),
	}
	for i := range album().Properties {
		p := &album().Properties[i]
		for _, v := range values {
			want := v.Kind() == p.ValueKind()
			if err := p.Check(v); (err == nil) != want || err != nil && !errors.Is(err, ErrValue) {
				t.Errorf("%s given %#v: %v", p.Type, v, err)
			}
		}
		if err := p.Check(value.Null); (err == nil) != p.Optional || err != nil && !errors.Is(err, ErrValue) {
			t.Errorf("%s given NULL: %v", p.Name, err)
		}
	}
	p, ok := album().Property("format")
	if err := p.Check(value.String("tape")); !ok || !errors.Is(err, ErrValue) {
		t.Errorf("a text that the enum does not have: %v", err)
	}
	if _, ok := album().Property("Format"); ok {
		t.Error("names are taken without regard to case")
	}
}

func mustJSON(t *testing.T, tree any) value.Value {
	t.Helper()
	v, err := value.JSON(tree)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

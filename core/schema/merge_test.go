package schema

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/value"
)

func TestMerge(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(m *Model) // of the next description
		grown  bool
		want   func(m *Model) // what it makes of album; nil where that is what next says
		err    error
		says   string
	}{
		{name: "the same again", change: func(*Model) {}},
		{name: "the default kind spelt out", change: func(m *Model) { m.Properties[2].Kind = KindLWW }, want: func(*Model) {}},
		{name: "other order", change: func(m *Model) { m.Properties[0], m.Properties[1] = m.Properties[1], m.Properties[0] }, want: func(*Model) {}},
		{name: "fewer properties", change: func(m *Model) { m.Properties = m.Properties[:2] }, want: func(*Model) {}},
		{name: "a property more", change: func(m *Model) { m.Properties = append(m.Properties, Property{Name: "label", Type: TypeString}) }, grown: true},
		{name: "optional", change: func(m *Model) { m.Properties[2].Optional = true }, grown: true},
		{name: "no longer optional", change: func(m *Model) { m.Properties[1].Optional = false }, want: func(*Model) {}},
		{name: "another default", change: func(m *Model) { m.Properties[2].Default = value.Int(1999) }, grown: true},
		{name: "no default", change: func(m *Model) { m.Properties[2].Default = value.Null }, want: func(*Model) {}},
		{name: "another target", change: func(m *Model) { m.Properties[1].Target = "band" }, grown: true},
		{name: "no target", change: func(m *Model) { m.Properties[1].Target = "" }, want: func(*Model) {}},
		{name: "an enum with more", change: func(m *Model) { m.Properties[3].Enum = []string{"tape", "cd"} }, grown: true,
			want: func(m *Model) { m.Properties[3].Enum = []string{"cd", "vinyl", "tape"} }},
		{name: "an enum with less", change: func(m *Model) { m.Properties[3].Enum = []string{"cd"} }, want: func(*Model) {}},
		{name: "another type", change: func(m *Model) { m.Properties[2].Type = TypeFloat }, err: ErrConflict, says: "album: schema: models conflict: year has type int"},
		{name: "another kind", change: func(m *Model) { m.Properties[0].Kind = KindLWW }, err: ErrConflict, says: "name has kind text"},
		{name: "another collection", change: func(m *Model) { m.Collection = "song" }, err: ErrConflict, says: `"song"`},
		{name: "too many properties", change: func(m *Model) {
			m.Properties = nil
			for _, name := range many(MaxProperties, "p") {
				m.Properties = append(m.Properties, Property{Name: name, Type: TypeInt})
			}
		}, err: ErrInvalid, says: "521"},
		{name: "too long an enum", change: func(m *Model) { m.Properties[3].Enum = many(MaxEnum, "v") }, err: ErrInvalid, says: "1026"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			old, next := album(), album()
			tc.change(next)
			given := album()
			tc.change(given)
			merged, grown, err := Merge(old, next)
			if !reflect.DeepEqual(old, album()) || !reflect.DeepEqual(next, given) {
				t.Error("a model that was given is changed")
			}
			if tc.err != nil {
				if !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.says) || merged != nil {
					t.Errorf("%v, %v; want %v with %q", merged, err, tc.err, tc.says)
				}
				return
			}
			want := album()
			if tc.want == nil {
				tc.want = tc.change
			}
			tc.want(want)
			if err != nil || grown != tc.grown || !reflect.DeepEqual(merged, want) {
				t.Errorf("grown %v, %v; got %+v, want %+v", grown, err, merged, want)
			}
			again, grown, err := Merge(merged, next)
			if err != nil || grown || !reflect.DeepEqual(again, merged) {
				t.Errorf("the same merged again: grown %v, %v", grown, err)
			}
			if err := merged.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The result shares nothing that a later merge could change.
func TestMergedModelsAreApart(t *testing.T) {
	old := album()
	old.Properties[3].Enum = append(make([]string, 0, 8), "cd", "vinyl") // with room to append in place
	with := func(text string) *Model {
		m := album()
		m.Properties[3].Enum = []string{text}
		return m
	}
	a, _, err := Merge(old, with("tape"))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := Merge(old, with("file"))
	if err != nil {
		t.Fatal(err)
	}
	if got := [3]string{a.Properties[3].Enum[2], b.Properties[3].Enum[2], old.Properties[3].Enum[1]}; got != [3]string{"tape", "file", "vinyl"} {
		t.Errorf("%v", got)
	}
}

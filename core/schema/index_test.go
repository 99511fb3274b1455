package schema

import (
	"errors"
	"strings"
	"testing"
)

func on(columns ...string) Index {
	var ix Index
	for _, c := range columns {
		path, desc := strings.CutSuffix(c, " DESC")
		ix.Columns = append(ix.Columns, IndexColumn{Path: strings.Split(path, "."), Desc: desc})
	}
	return ix
}

func indexed(indexes ...Index) *Model {
	return &Model{Collection: "album", Indexes: indexes, Properties: []Property{
		{Name: "name", Type: TypeString}, {Name: "artist", Type: TypeRef, Target: "artist"}, {Name: "meta", Type: TypeJSON},
	}}
}

func TestIndexesAreValidated(t *testing.T) {
	for _, ix := range []Index{on("name"), on("artist", "name DESC"), on("meta.genre", "meta"), on("meta.a.b.c DESC")} {
		if err := indexed(ix).Validate(); err != nil {
			t.Errorf("%s: %v", ix.String(), err)
		}
	}
	many := make([]Index, MaxIndexes+1)
	for i := range many {
		many[i] = on("name")
	}
	long := strings.Repeat("x", MaxNameLen+1)
	for says, indexes := range map[string][]Index{
		"columns":            {{}},
		"twice":              {on("name", "name DESC")},
		"not a property":     {on("year")},
		"id":                 {on("id")},
		"follow references":  {on("artist.name")},
		"not JSON":           {on("name.first")},
		"more than 32":       many,
		"has 129 bytes":      {on("meta." + long)},
		"it takes 1 to 8":    {on("name", "artist", "meta", "meta.a", "meta.b", "meta.c", "meta.d", "meta.e", "meta.f")},
		"has 0 bytes":        {on("meta.")},
		"a column of an ind": {{Columns: []IndexColumn{{}}}},
	} {
		if err := indexed(indexes...).Validate(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestMergeAddsIndexes(t *testing.T) {
	unique := on("name")
	unique.Unique = true
	for name, c := range map[string]struct {
		old, next []Index
		want      string
		grown     bool
	}{
		"none":       {nil, nil, "", false},
		"first":      {nil, []Index{on("name")}, "name", true},
		"same":       {[]Index{on("name")}, []Index{on("name")}, "name", false},
		"left out":   {[]Index{on("name")}, nil, "name", false},
		"direction":  {[]Index{on("name")}, []Index{on("name DESC")}, "name; name DESC", true},
		"made so":    {[]Index{on("name")}, []Index{unique}, "name!", true},
		"no more so": {[]Index{unique}, []Index{on("name")}, "name", true},
	} {
		old := indexed(c.old...)
		merged, grown, err := Merge(old, indexed(c.next...))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, ix := range merged.Indexes {
			text := ix.String()
			if ix.Unique {
				text += "!"
			}
			got = append(got, text)
		}
		if strings.Join(got, "; ") != c.want || grown != c.grown {
			t.Errorf("%s: %q, grown %v", name, got, grown)
		}
		if len(old.Indexes) != len(c.old) || len(c.old) > 0 && old.Indexes[0].Unique != c.old[0].Unique {
			t.Errorf("%s: the known model was changed", name)
		}
	}
}

package core

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/schema"
)

// What a model declares reaches the catalog's entities and comes back.
func TestDeclaredIndexesAreStored(t *testing.T) {
	for _, indexes := range [][]schema.Index{
		nil,
		{{Columns: []schema.IndexColumn{{Path: []string{"year"}, Desc: true}}, Unique: true}},
		{{Columns: []schema.IndexColumn{{Path: []string{"meta", "a b"}}, {Path: []string{"name"}}}}, {Columns: []schema.IndexColumn{{Path: []string{"name"}}}}},
	} {
		got := indexesOf(indexesValue(indexes))
		equal := slices.EqualFunc(got, indexes, func(a, b schema.Index) bool {
			return a.Unique == b.Unique && a.String() == b.String() && len(a.Columns) == len(b.Columns)
		})
		if !equal {
			t.Errorf("%v came back as %v", indexes, got)
		}
	}
}

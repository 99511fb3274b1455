package storagetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// ManyAlbums returns a batch of n albums with different names, each with one of a hundred years.
func ManyAlbums(n int) *storage.Batch {
	w, b := NewWorld(1), &storage.Batch{}
	for i := range n {
		_, rec := w.Create(Albums,
			proto.Field{Name: "name", Value: value.String(fmt.Sprintf("album %06d", i*7919%n))},
			proto.Field{Name: "year", Value: value.Int(int64(1950 + i%100))},
			proto.Field{Name: "meta", Value: json(map[string]any{"genre": fmt.Sprint("g", i%50), "n": i})})
		b.Records = append(b.Records, storage.RecordWrite{Record: rec})
	}
	return b
}

// Served is a selection over ManyAlbums, and the index that an engine is to make for it.
type Served struct{ Selection, Index string }

// served are selections that every engine with indexes of its own serves by one.
var served = []Served{
	{"year = 1999", "year"},
	{"name = 'album 000123'", "name"},
	{"name LIKE 'album 0001%'", "name"},
	{"true ORDER BY name", "name"},
	{"true ORDER BY name DESC", "name DESC"},
	{"year = 1999 ORDER BY name", "year, name"},
}

// ServesSelections runs selections, and more that only this engine serves, of which it makes an
// index for each, since they read much to return little; then it walks that index, and answers
// the same.
func ServesSelections(t *testing.T, e storage.Engine, more ...Served) {
	commit(t, e, *ManyAlbums(4000))
	indexer := e.(storage.Indexer)
	for _, c := range append(more, served...) {
		s := selection(t, c.Selection)
		before := firstPage(t, e, s)
		if err := indexer.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := firstPage(t, e, s); !slices.Equal(before, after) {
			t.Errorf("%s: %v with an index, %v without", c.Selection, after, before)
		}
		x, err := storage.Explain(t.Context(), e, Albums, s, 20)
		if err != nil {
			t.Fatal(err)
		}
		if x.Method != storage.MethodIndex || x.Index != c.Index || x.Sorted && s.Where == ankql.True {
			t.Errorf("%s is not read from an index in order: %+v", c.Selection, x)
		}
		list, err := indexer.Indexes(t.Context(), Albums)
		if err != nil || !slices.Contains(list, storage.IndexStatus{Columns: c.Index, State: storage.IndexReady}) {
			t.Errorf("%s: no index on %s among %v, %v", c.Selection, c.Index, list, err)
		}
	}
}

func firstPage(t *testing.T, e storage.Engine, s *ankql.Selection) []id.EntityID {
	t.Helper()
	page, err := e.Scan(t.Context(), Albums, s, nil, 20)
	if err != nil {
		t.Fatal(err)
	}
	return ids(page.Records, func(r *proto.Record) id.EntityID { return r.Entity })
}

package sqlite

import (
	"testing"

	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// An index comes into being for a selection that reads much to return little, and serves it.
func TestSelectionsGetTheirIndexes(t *testing.T) {
	e := open(t, file(t))
	defer e.Close()
	storagetest.ServesSelections(t, e, storagetest.Served{Selection: "year IN (1999, 2001)", Index: "year"})
}

// Two processes keep the indexes of one file together: what one declares, builds or removes is so
// for the other.
func TestIndexesOfTwoEngines(t *testing.T) {
	path := file(t)
	a, b := open(t, path), open(t, path)
	defer a.Close()
	defer b.Close()
	if err := a.Commit(t.Context(), storagetest.ManyAlbums(100)); err != nil {
		t.Fatal(err)
	}
	declare := func(e *Engine, columns ...string) {
		t.Helper()
		var list []schema.Index
		for _, c := range columns {
			list = append(list, schema.Index{Columns: []schema.IndexColumn{{Path: []string{c}}}})
		}
		if err := e.Declare(t.Context(), storagetest.Albums, list); err != nil {
			t.Fatal(err)
		}
	}
	engines := []*Engine{a, b}
	for round := range 6 {
		declare(engines[round%2], "year", "name")
		declare(engines[(round+1)%2], "year")
		for _, e := range engines {
			if err := e.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		list, err := engines[round%2].Indexes(t.Context(), storagetest.Albums)
		if err != nil || len(list) != 2 {
			t.Fatalf("%v, %v", list, err)
		}
		for _, ix := range list {
			if ix.State != storage.IndexReady || ix.Declared != (ix.Columns == "year") {
				t.Errorf("%+v", ix)
			}
		}
	}
}

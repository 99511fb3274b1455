package sledcompat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

// TestScenario_203: an index that a selection had made serves it after the database was
// opened again, and answers the same.
func TestScenario_203(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	w := storagetest.NewWorld(1)
	var b storage.Batch
	for i := range 3000 {
		ev, rec := w.Create(storagetest.Albums, proto.Field{Name: "name", Value: value.String(fmt.Sprint(i))}, proto.Field{Name: "year", Value: value.Int(int64(i % 100))})
		b.Events = append(b.Events, ev)
		b.Records = append(b.Records, storage.RecordWrite{Record: rec})
	}
	if err := e.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	parsed, err := ankql.Parse("year = 42")
	if err != nil {
		t.Fatal(err)
	}
	s, err := parsed.Check(storagetest.AlbumModel)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (rows []string) {
		t.Helper()
		page, err := e.Scan(t.Context(), storagetest.Albums, s, nil, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			name, _ := r.Field("name").AsString()
			rows = append(rows, name)
		}
		return rows
	}
	before := ask()
	if err := e.(storage.Indexer).Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	t.Cleanup(func() { e.Close() })
	explained, err := e.(storage.Explainer).Explain(t.Context(), storagetest.Albums, s, 100)
	if err != nil || explained.Index != "year" {
		t.Errorf("explained as %+v, %v", explained, err)
	}
	if after := ask(); len(before) != 30 || !slices.Equal(before, after) {
		t.Errorf("%d rows before, %d after", len(before), len(after))
	}
}

package storagetest

import (
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/storage"
)

// countEqualsScan: a count is how many rows a scan would return, whatever the pages.
func countEqualsScan(t *testing.T, e storage.Engine, counter storage.Counter) {
	w := NewWorld(33)
	recs := createAlbums(t, e, w, 60)
	_, other := w.Create("artist", named("a"))
	_, gone := w.Delete(recs[5])
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: other}, {Record: gone, Expect: recs[5].State.Head}}})
	recs[5] = gone
	for _, text := range Selections {
		where := selection(t, text).Where
		matching := selected(recs, &ankql.Selection{Where: where, Limit: ankql.NoLimit}, nil)
		for _, limit := range []int{1, 7, 60, 1000} {
			for _, from := range []int{-1, 0, 20, 59} {
				var after []byte
				want := int64(len(matching))
				if from >= 0 {
					after, want = recs[from].Entity.Bytes(), 0
					for _, r := range matching {
						if r.Entity.Compare(recs[from].Entity.ULID) > 0 {
							want++
						}
					}
				}
				if got := countPages(t, counter, Albums, where, after, limit); got != want {
					t.Errorf("%s from %d in pages of %d: %d, want %d", text, from, limit, got, want)
				}
			}
		}
	}
	if page, err := counter.Count(t.Context(), "nothing", ankql.True, nil, 10); err != nil || page.Count != 0 || page.More {
		t.Errorf("of nothing: %+v, %v", page, err)
	}
}

func countPages(t testing.TB, c storage.Counter, collection string, where ankql.Expr, after []byte, limit int) (total int64) {
	t.Helper()
	for pages := 0; ; pages++ {
		page, err := c.Count(t.Context(), collection, where, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		total += page.Count
		if !page.More {
			if page.Next != nil {
				t.Error("the last page says where to go on")
			}
			return total
		}
		if pages > 200 || string(page.Next) <= string(after) {
			t.Fatalf("page %d goes on behind %x, from %x", pages, page.Next, after)
		}
		after = page.Next
	}
}

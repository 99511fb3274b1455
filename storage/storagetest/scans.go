package storagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Selections are what the scan cases ask for: texts over AlbumModel, without
// parameters, of every operator and order.
var Selections = []string{
	"true",
	"name = 'a'",
	"name > 'a' AND name < 'b'",
	"name LIKE 'm%'",
	"name ILIKE 'm%'",
	"year = 2001",
	"year > 1999 OR live = true",
	"NOT (year > 1999)",
	"year IS NULL",
	"year IS NOT NULL AND score >= 0",
	"year IN (0, 1999, 2001)",
	"year NOT IN (0, 1999)",
	"year BETWEEN 0 AND 2001",
	"score = 0",
	"meta.genre = 'rock'",
	"cover IS NOT NULL",
	"ORDER BY name",
	"ORDER BY name DESC",
	"ORDER BY year",
	"ORDER BY year DESC",
	"ORDER BY year NULLS FIRST",
	"ORDER BY year DESC NULLS LAST, name",
	"ORDER BY score, year DESC, name",
	"ORDER BY live, id DESC",
	"ORDER BY live DESC, id DESC",
	"year > 1990 ORDER BY year DESC NULLS LAST, id DESC",
	"ORDER BY id",
	"ORDER BY meta.genre, meta.n DESC",
	"ORDER BY cover DESC, artist",
	"name <> 'a' ORDER BY live, name LIMIT 3",
	"year < 0 ORDER BY score",
	"false",
	"false ORDER BY name",
}

func scanMatchesAndOrders(t *testing.T, e storage.Engine) {
	w := NewWorld(30)
	recs := createAlbums(t, e, w, 60)
	for _, text := range Selections {
		s := selection(t, text)
		want := selected(recs, s, nil)
		for _, limit := range []int{1, 7, len(want), len(want) + 1, 500} {
			if limit == 0 {
				continue
			}
			t.Logf("%s, pages of %d", text, limit)
			wantRecords(t, scanAll(t, e, s, nil, limit), want)
		}
	}
}

func scanByEntity(t *testing.T, e storage.Engine) {
	w := NewWorld(31)
	recs := createAlbums(t, e, w, 30)
	_, other := w.Create("artist", named("a"))
	_, gone := w.Delete(recs[5])
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: other}, {Record: gone, Expect: recs[5].State.Head}}})
	recs[5] = gone

	ids := []id.EntityID{recs[9].Entity, recs[3].Entity, w.Entity(), recs[5].Entity, other.Entity, recs[20].Entity, recs[3].Entity, recs[28].Entity}
	for _, c := range []struct {
		text   string
		params []any
	}{
		{"id = ?", []any{ids[0]}},
		{"id = ?", []any{ids[2]}},
		{"id = ?", []any{other.Entity}},
		{"id = ? AND id = ?", []any{ids[0], ids[1]}},
		{"id IN ?", []any{ids}},
		{"id IN ? ORDER BY name DESC", []any{ids}},
		{"id IN ? AND year IS NOT NULL ORDER BY year", []any{ids}},
		{"id NOT IN ? ORDER BY year", []any{ids}},
		{"id > ?", []any{ids[0]}},
		{"id IN ? ORDER BY id DESC", []any{[]id.EntityID{}}},
	} {
		s := selection(t, c.text, c.params...)
		want := selected(recs, s, nil)
		for _, limit := range []int{1, 2, 100} {
			t.Logf("%s %v, pages of %d", c.text, c.params, limit)
			wantRecords(t, scanAll(t, e, s, nil, limit), want)
		}
	}
}

func scanLeavesOut(t *testing.T, e storage.Engine) {
	w := NewWorld(32)
	recs := createAlbums(t, e, w, 20)
	for _, collection := range []string{"albu", "album2", "albun", "z"} { // neighbours
		_, rec := w.Create(collection, w.AlbumFields()...)
		commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
	}
	for i := range recs {
		if i%3 != 0 {
			continue
		}
		_, gone := w.Delete(recs[i])
		commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: gone, Expect: recs[i].State.Head}}})
		recs[i] = gone
	}
	for _, text := range []string{"true", "ORDER BY name DESC", "year IS NULL OR year IS NOT NULL ORDER BY year"} {
		s := selection(t, text)
		wantRecords(t, scanAll(t, e, s, nil, 4), selected(recs, s, nil))
	}
	_, back := w.Edit(recs[0], proto.Field{Name: proto.Deleted})
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: back, Expect: recs[0].State.Head}}})
	recs[0] = back
	s := selection(t, "ORDER BY name")
	wantRecords(t, scanAll(t, e, s, nil, 100), selected(recs, s, nil))
}

// The key after which a scan goes on need not be that of a record, or of one that is
// still there: records come, go and move between pages.
func scanGoesOnAfterAnyKey(t *testing.T, e storage.Engine) {
	w := NewWorld(33)
	recs := createAlbums(t, e, w, 40)
	_, never := w.Create(Albums, w.AlbumFields()...)
	for _, text := range []string{"true", "year > 0", "ORDER BY year DESC, name", "ORDER BY name"} {
		s := selection(t, text)
		keys := [][]byte{{}, s.AppendSortKey(nil, never, never.Entity), {0}, {0xff, 0xff}}
		for _, rec := range recs {
			keys = append(keys, s.AppendSortKey(nil, rec, rec.Entity))
		}
		for _, key := range keys {
			t.Logf("%s after %x", text, key)
			wantRecords(t, scanAll(t, e, s, key, 6), selected(recs, s, key))
		}
	}
}

// What a page takes is bounded however large the rows are and whatever order they are read in,
// and the pages together have every row.
func largeRows(t *testing.T, e storage.Engine) {
	w := NewWorld(35)
	const large = storage.MaxPageBytes / 16
	var recs []*proto.Record
	for i := range int64(40) {
		name := fmt.Sprint("small ", i)
		if i%2 == 0 {
			name = strings.Repeat("large", large/5) + name
		}
		_, rec := w.Create(Albums, named(name), proto.Field{Name: "year", Value: value.Int(i * 7 % 40)})
		recs = append(recs, rec)
		commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
	}
	for _, text := range []string{"year < 38", "ORDER BY year", "ORDER BY name DESC"} {
		s := selection(t, text)
		var got []*proto.Record
		var after []byte
		for more := true; more; {
			page, err := e.Scan(t.Context(), Albums, s, after, storage.MaxPage)
			if err != nil {
				t.Fatal(err)
			}
			taken := 0
			for _, r := range page.Records {
				taken += len(s.AppendSortKey(nil, r, r.Entity)) + r.State.Size()
			}
			if most := storage.MaxPageBytes + 2*large + 1000; taken > most { // the row that went too far, and its key
				t.Errorf("%s: a page of %d bytes, more than %d", s, taken, most)
			}
			got = append(got, page.Records...)
			more, after = page.More, page.Next
		}
		wantRecords(t, got, selected(recs, s, nil))
	}
}

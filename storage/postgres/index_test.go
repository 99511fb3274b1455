package postgres

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func selection(t testing.TB, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err == nil {
		s, err = s.Check(storagetest.AlbumModel)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(t testing.TB, e storage.Engine, b *storage.Batch) {
	t.Helper()
	if err := e.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func settle(t testing.TB, e storage.Indexer) {
	t.Helper()
	if err := e.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// scan returns the entities of a page.
func scan(t testing.TB, e storage.Engine, s *ankql.Selection, limit int) []id.EntityID {
	t.Helper()
	page, err := e.Scan(t.Context(), storagetest.Albums, s, nil, limit)
	if err != nil {
		t.Fatal(err)
	}
	var ids []id.EntityID
	for _, rec := range page.Records {
		ids = append(ids, rec.Entity)
	}
	return ids
}

// An index comes into being for a selection that reads much to return little, and serves it.
func TestSelectionsGetTheirIndexes(t *testing.T) {
	e := open(t, schemas(t)())
	defer e.Close()
	storagetest.ServesSelections(t, e,
		storagetest.Served{Selection: "meta.genre = 'g7'", Index: "meta.genre"}, storagetest.Served{Selection: "meta.n > 3990", Index: "meta.n"})
	// A page far behind the beginning is found by the index too.
	s := selection(t, "true ORDER BY name")
	rec := proto.Record{Entity: id.EntityID{}, State: &proto.State{Properties: []proto.PropertyState{{Name: "name", Value: value.String("album 001000")}}}}
	sc := e.reader.Layout.Scan(e.described.Load().Tables[storagetest.Albums], s, s.AppendSortKey(nil, &rec, rec.Entity), 20)
	var plan bytes.Buffer
	rows, err := e.pool.Query(t.Context(), "EXPLAIN "+sc.SQL, append([]any{pgxSimple}, sc.Args...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if !bytes.Contains(plan.Bytes(), []byte("Incremental Sort")) || !bytes.Contains(plan.Bytes(), []byte(`Index Cond: ("left"(name, 200) >=`)) {
		t.Errorf("a later page is read as\n%s", plan.Bytes())
	}
}

// An index has no room for long texts, which does not keep them from being stored and found.
func TestLongTextsInIndexedColumns(t *testing.T) {
	e, w := open(t, schemas(t)()), storagetest.NewWorld(2)
	defer e.Close()
	commit(t, e, storagetest.ManyAlbums(10))
	column := func(path ...string) schema.IndexColumn { return schema.IndexColumn{Path: path} }
	if err := e.Declare(t.Context(), storagetest.Albums, []schema.Index{
		{Columns: []schema.IndexColumn{column("name"), column("meta", "text"), column("cover")}}, {Columns: []schema.IndexColumn{column("cover")}},
	}); err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 100_000)
	rand.Read(noise)
	long := base64.StdEncoding.EncodeToString(noise)
	meta, err := value.JSON(map[string]any{"text": long})
	if err != nil {
		t.Fatal(err)
	}
	var ids []id.EntityID
	for _, end := range []string{"b", "a"} {
		_, rec := w.Create(storagetest.Albums, proto.Field{Name: "cover", Value: value.Bytes(noise)}, proto.Field{Name: "meta", Value: meta}, proto.Field{Name: "name", Value: value.String(long + end)})
		commit(t, e, &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
		ids = append(ids, rec.Entity)
		settle(t, e)
	}
	for text, want := range map[string][]id.EntityID{
		"name = ?": {ids[0]},
		"name >= ? AND meta.text < 'zzz' ORDER BY name":      {ids[0]},
		"meta.text IS NOT NULL ORDER BY meta.text, name":     {ids[1], ids[0]},
		"cover IS NOT NULL ORDER BY cover, name DESC":        {ids[0], ids[1]},
		"name LIKE '%a' AND cover IS NOT NULL ORDER BY name": {ids[1]},
	} {
		var params []any
		if bytes.ContainsRune([]byte(text), '?') {
			params = []any{long + "b"}
		}
		if got := scan(t, e, selection(t, text, params...), 5); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// Two processes that write in turn to one schema, and add to it what they need, see what the
// other has written.
func TestTwoEnginesOnOneSchema(t *testing.T) {
	next := schemas(t)
	ankqltest.Each(t, 3, func(t *testing.T, g *ankqltest.Gen) {
		url := next()
		engines := []*Engine{open(t, url), open(t, url)}
		g.Model("thing")
		a := storagetest.NewAnswers(t, engines[0], g)
		for step := range 30 {
			a.Engine(engines[step%2])
			a.Change()
			if step%7 == 0 {
				a.Declare()
			}
			a.Engine(engines[g.IntN(2)])
			a.Ask()
		}
		for _, e := range engines {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Whatever a property holds, and of however many types: what SQL cannot say of it the records do.
func TestColumnsThatHoldOtherTypes(t *testing.T) {
	next := schemas(t)
	ankqltest.Each(t, 8, func(t *testing.T, g *ankqltest.Gen) {
		e, oracle := open(t, next()), memory.New()
		defer e.Close()
		w := storagetest.NewWorld(g.Uint64())
		m := g.World.Models["album"]
		b := &storage.Batch{}
		for range 40 {
			var fields []proto.Field
			for _, p := range m.Properties {
				v := g.Value(&p)
				if g.IntN(8) == 0 {
					v = g.Scalar()
				}
				if g.IntN(5) > 0 {
					fields = append(fields, proto.Field{Name: p.Name, Value: v})
				}
			}
			_, rec := w.Create("album", fields...)
			b.Records = append(b.Records, storage.RecordWrite{Record: rec})
		}
		commit(t, e, b)
		commit(t, oracle, b)
		for range 40 {
			s := g.Selection("album")
			limit := 1 + g.IntN(50)
			if got, want := scan(t, e, s, limit), scan(t, oracle, s, limit); !slices.Equal(got, want) {
				t.Fatalf("%s, %d at most: %v, want %v", s, limit, got, want)
			}
		}
	})
}

// What an interrupted attempt to make an index has left is there, invalid, and in the way; the
// next process makes it anew.
func TestInterruptedIndexesAreMadeAnew(t *testing.T) {
	url := schemas(t)()
	e := open(t, url)
	defer e.Close()
	commit(t, e, storagetest.ManyAlbums(100))
	settle(t, e) // so that there is one attempt
	// A reader of an old snapshot has CREATE INDEX CONCURRENTLY wait, in the middle.
	view, err := e.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if _, err := view.Scan(t.Context(), storagetest.Albums, selection(t, "true"), nil, 1); err != nil {
		t.Fatal(err)
	}
	if err := e.Declare(t.Context(), storagetest.Albums, []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{"year"}}}}}); err != nil {
		t.Fatal(err)
	}
	waiting := "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'"
	for ended := 0; ended == 0; {
		if err := e.pool.QueryRow(t.Context(), waiting).Scan(&ended); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Settle(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("the outcome of an attempt whose connection was cut: %v", err)
	}
	invalid := func() (n int) {
		err := e.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_index WHERE NOT indisvalid").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if invalid() == 0 {
		t.Fatal("nothing was left of the attempt")
	}
	view.Close()
	next := open(t, url)
	defer next.Close()
	settle(t, next)
	list, err := next.Indexes(t.Context(), storagetest.Albums)
	if err != nil || len(list) != 1 || list[0].State != storage.IndexReady || invalid() != 0 {
		t.Errorf("indexes %+v, %v; %d are invalid", list, err, invalid())
	}
}

// Of several processes one at a time makes indexes; each uses those that another has made.
func TestIndexesOfSeveralProcesses(t *testing.T) {
	url := schemas(t)()
	engines := []*Engine{open(t, url), open(t, url), open(t, url)}
	commit(t, engines[0], storagetest.ManyAlbums(4000))
	var wg sync.WaitGroup
	for _, e := range engines {
		defer e.Close()
		wg.Go(func() {
			for _, column := range []string{"year", "name"} {
				if err := e.Declare(t.Context(), storagetest.Albums, []schema.Index{{Columns: []schema.IndexColumn{{Path: []string{column}}}}, {Columns: []schema.IndexColumn{{Path: []string{"year"}}}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, e := range engines { // whoever found another at it has left it to that
		settle(t, e)
	}
	s := selection(t, "year = 1999")
	for i, e := range engines {
		scan(t, e, s, 5) // and sees what the tables are by now
		for _, property := range []string{"year", "name"} {
			if c, _ := e.described.Load().Tables[storagetest.Albums].Column(property); !c.Indexed {
				t.Errorf("engine %d knows of no index by %s", i, property)
			}
		}
	}
}

package storagetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Answers is an engine beside the world of a generator, in which the same happens.
type Answers struct {
	t      testing.TB
	gen    *ankqltest.Gen
	engine storage.Engine
	stored map[id.EntityID]*proto.Record
	stamp  id.Stamp
	before *ankqltest.World // before the last batch
}

// NewAnswers returns the answers of an engine that holds nothing of the collections of the
// generator's world.
func NewAnswers(t testing.TB, e storage.Engine, g *ankqltest.Gen) *Answers {
	return &Answers{t: t, gen: g, engine: e, stored: map[id.EntityID]*proto.Record{}, stamp: 1 << 50}
}

// Engine has the questions that follow go to another engine over the same data.
func (a *Answers) Engine(e storage.Engine) { a.engine = e }

// Change makes some random changes in the world and commits them as one batch; now and then
// an entity is evicted as well, which the world sees as a deletion for good.
func (a *Answers) Change() {
	a.t.Helper()
	b := a.Batch()
	if err := a.engine.Commit(a.t.Context(), b); err != nil {
		a.t.Fatalf("commit: %v", err)
	}
	a.Stored(b)
}

// Batch makes some random changes in the world and returns the batch that says so. When it
// is committed, Stored is told.
func (a *Answers) Batch() *storage.Batch {
	g, changed := a.gen, map[id.EntityID]bool{}
	a.before = g.World.Clone()
	for range 1 + g.IntN(5) {
		op, created := g.Op(), ankqltest.ID(len(g.World.Rows))
		if op.Kind == ankqltest.Create {
			op.Entity = ankqltest.ID(len(g.World.Rows))
		}
		g.World.Do(op, created)
		changed[op.Entity] = true
	}
	b := &storage.Batch{}
	for _, e := range slices.SortedFunc(maps.Keys(changed), func(x, y id.EntityID) int { return x.Compare(y.ULID) }) {
		before := a.stored[e]
		if before != nil && g.IntN(12) == 0 {
			gone := *g.World.Row(e)
			gone.Deleted = true
			g.World.Put(&gone)
			b.Evict = append(b.Evict, e)
			continue
		}
		w := storage.RecordWrite{Record: a.record(g.World.Row(e))}
		if before != nil {
			w.Expect, w.Record.Rev = before.State.Head, before.Rev+1
		}
		b.Records = append(b.Records, w)
	}
	return b
}

// Stored says that a batch was committed.
func (a *Answers) Stored(b *storage.Batch) {
	for _, w := range b.Records {
		a.stored[w.Record.Entity] = w.Record
	}
	for _, e := range b.Evict {
		delete(a.stored, e)
	}
}

// Undo says that the last batch was not committed.
func (a *Answers) Undo() { a.gen.World = a.before }

// Clear evicts everything.
func (a *Answers) Clear() {
	a.t.Helper()
	commit(a.t, a.engine, storage.Batch{Evict: slices.Collect(maps.Keys(a.stored))})
	clear(a.stored)
}

// record returns the row as an engine stores it.
func (a *Answers) record(r *ankqltest.Row) *proto.Record {
	a.stamp++
	head := id.EventID{ULID: id.Make(a.stamp, [8]byte{})}
	state := &proto.State{Head: proto.NewClock(head)}
	set := func(name string, v value.Value) {
		state.Properties = append(state.Properties, proto.PropertyState{Name: name, Kind: 1, Value: v, Data: head.Bytes()})
	}
	for name, v := range r.Values {
		set(name, v)
	}
	if r.Deleted {
		set(proto.Deleted, value.Bool(true))
	}
	slices.SortFunc(state.Properties, func(x, y proto.PropertyState) int {
		return compareText(x.Name, y.Name)
	})
	return &proto.Record{Collection: r.Collection, Entity: r.ID, Rev: 1, State: state}
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Ask compares what the engine answers to a random selection with what is right.
func (a *Answers) Ask() {
	a.t.Helper()
	a.Compare(ankqltest.Pick(a.gen, a.gen.World.Models.Collections()...), 1+a.gen.IntN(8))
}

// Compare compares the answer to a random selection of a collection, read in pages.
func (a *Answers) Compare(collection string, limit int) {
	a.t.Helper()
	s := a.gen.Selection(collection)
	a.compareCount(collection, s.Where, limit)
	want := ids(a.gen.World.Fetch(collection, s), func(r *ankqltest.Row) id.EntityID { return r.ID })
	got := ids(a.read(collection, s, limit), func(r *proto.Record) id.EntityID { return r.Entity })
	if slices.Equal(got, want) {
		return
	}
	explained := ""
	if x, err := storage.Explain(a.t.Context(), a.engine, collection, s, 0); err == nil {
		explained = x.Plan
	}
	text := fmt.Sprintf("%s: %s\nin pages of %d, read as: %s\n", collection, s, limit, explained)
	for _, r := range a.gen.World.Live(collection) {
		text += fmt.Sprintf("  %s, found %v, wanted %v\n", r, slices.Contains(got, r.ID), slices.Contains(want, r.ID))
	}
	a.t.Fatalf("%sgot  %v\nwant %v", text, got, want)
}

// compareCount compares how many rows the engine counts, if it can.
func (a *Answers) compareCount(collection string, where ankql.Expr, limit int) {
	a.t.Helper()
	counter, ok := a.engine.(storage.Counter)
	if !ok {
		return
	}
	if where == nil {
		where = ankql.True
	}
	want := len(a.gen.World.Fetch(collection, &ankql.Selection{Where: where, Limit: ankql.NoLimit}))
	if got := countPages(a.t, counter, collection, where, nil, limit); got != int64(want) {
		a.t.Fatalf("%s WHERE %s in pages of %d: counted %d, want %d", collection, where, limit, got, want)
	}
}

// read reads a selection page by page, and at most as much as its limit says.
func (a *Answers) read(collection string, s *ankql.Selection, limit int) (all []*proto.Record) {
	a.t.Helper()
	var after []byte
	for {
		page, err := a.engine.Scan(a.t.Context(), collection, s, after, limit)
		if err != nil {
			a.t.Fatalf("scan %s: %v", s, err)
		}
		all = append(all, page.Records...)
		if s.Limit != ankql.NoLimit && len(all) >= s.Limit {
			return all[:s.Limit]
		}
		if !page.More {
			return all
		}
		after = page.Next
	}
}

func ids[T any](rows []T, of func(T) id.EntityID) []id.EntityID {
	list := make([]id.EntityID, len(rows))
	for i, r := range rows {
		list[i] = of(r)
	}
	return list
}

// Index returns a random index of a model.
func Index(g *ankqltest.Gen, m *schema.Model) schema.Index {
	ix := schema.Index{Unique: g.IntN(8) == 0}
	for _, i := range g.Perm(len(m.Properties))[:min(1+g.IntN(3), len(m.Properties))] {
		c := schema.IndexColumn{Path: []string{m.Properties[i].Name}, Desc: g.IntN(2) == 0}
		if m.Properties[i].Type == schema.TypeJSON && g.IntN(3) > 0 {
			c.Path = append(c.Path, g.Path(m.Collection)...) // perhaps a key of the documents
		}
		ix.Columns = append(ix.Columns, c)
	}
	return ix
}

// Declare declares random indexes of every collection, if the engine keeps any.
func (a *Answers) Declare() {
	a.t.Helper()
	indexer, ok := a.engine.(storage.Indexer)
	if !ok {
		return
	}
	for collection, m := range a.gen.World.Models {
		var indexes []schema.Index
		for range a.gen.IntN(5) {
			indexes = append(indexes, Index(a.gen, m))
		}
		if err := indexer.Declare(a.t.Context(), collection, indexes); err != nil {
			a.t.Fatalf("declare: %v", err)
		}
	}
}

// Settle waits until the engine's indexes are built.
func (a *Answers) Settle() {
	a.t.Helper()
	if indexer, ok := a.engine.(storage.Indexer); ok {
		if err := indexer.Settle(a.t.Context()); err != nil {
			a.t.Fatalf("settle: %v", err)
		}
	}
}

// Go goes on for some steps: changes, other indexes, and questions, whether or not the
// indexes are built by then.
func (a *Answers) Go(steps int) {
	a.t.Helper()
	for step := range steps {
		a.Change()
		if step%8 == 0 {
			a.Declare()
		}
		if a.gen.IntN(4) == 0 {
			a.Settle()
		}
		for range 3 {
			a.Ask()
		}
	}
}

// Random models, rows, indexes and selections: the answers are those of the plainest
// evaluation there is.
func answersAreRight(t *testing.T, e storage.Engine) {
	for seed := range uint64(3) {
		g := ankqltest.New(1000 + seed)
		g.Model("thing")
		a := NewAnswers(t, e, g)
		a.Go(12)
		if a.Clear(); t.Failed() {
			t.Fatalf("seed %d", 1000+seed)
		}
	}
}

// An index changes what a selection costs, and nothing else: NULLs are not lost, in either
// direction, nor are rows that leave and come back.
func indexesAreKeptUp(t *testing.T, e storage.Engine, indexer storage.Indexer) {
	w := NewWorld(34)
	recs := createAlbums(t, e, w, 60)
	column := func(name string, desc bool) schema.IndexColumn {
		return schema.IndexColumn{Path: []string{name}, Desc: desc}
	}
	declared := []schema.Index{
		{Columns: []schema.IndexColumn{column("name", false)}},
		{Columns: []schema.IndexColumn{column("year", true)}},
		{Columns: []schema.IndexColumn{column("live", false), column("name", true)}},
		{Columns: []schema.IndexColumn{column("artist", false)}},
		{Columns: []schema.IndexColumn{{Path: []string{"meta", "genre"}}}},
	}
	check := func(what string) {
		t.Helper()
		for _, text := range Selections {
			t.Logf("%s: %s", what, text)
			s := selection(t, text)
			for _, limit := range []int{1, 5, 100} {
				wantRecords(t, scanAll(t, e, s, nil, limit), selected(recs, s, nil))
			}
		}
	}
	if err := indexer.Declare(t.Context(), Albums, declared); err != nil {
		t.Fatal(err)
	}
	check("while indexes are built")
	if err := indexer.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("indexes are built")
	list, err := indexer.Indexes(t.Context(), Albums)
	if err != nil || len(list) < len(declared) {
		t.Fatalf("indexes: %v, %v", list, err)
	}
	for _, ix := range list {
		if ix.State != storage.IndexReady {
			t.Errorf("index %+v is not ready", ix)
		}
	}
	for i := range recs {
		var after *proto.Record
		switch i % 4 {
		case 0:
			_, after = w.Delete(recs[i])
		case 1:
			_, after = w.Edit(recs[i], w.AlbumFields()...)
		case 2:
			_, after = w.Edit(recs[i], proto.Field{Name: "name", Value: value.Null}, proto.Field{Name: "year", Value: value.Null})
		default:
			continue
		}
		commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: after, Expect: recs[i].State.Head}}})
		recs[i] = after
	}
	check("rows were changed")
	commit(t, e, storage.Batch{Evict: []id.EntityID{recs[3].Entity, recs[1].Entity}})
	_, back := w.Edit(recs[0], proto.Field{Name: proto.Deleted})
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: back, Expect: recs[0].State.Head}}})
	recs[0] = back
	recs = slices.Concat(recs[:1], recs[2:3], recs[4:])
	check("rows were evicted and restored")
}

// What an engine explains is what it does.
func explanations(t *testing.T, e storage.Engine, x storage.Explainer) {
	w := NewWorld(35)
	recs := createAlbums(t, e, w, 40)
	for _, text := range Selections {
		s := selection(t, text)
		got, err := x.Explain(t.Context(), Albums, s, 5)
		if err != nil {
			t.Fatal(err)
		}
		matching := len(selected(recs, s, nil))
		if got.Returned != min(matching, 5) || got.Rows < got.Returned || got.Rows > len(recs) || got.Plan == "" || got.Method == "" || got.Took < 0 {
			t.Errorf("%s, which %d match: %+v", text, matching, got)
		}
		if matching > 5 && !got.More || matching == 0 && got.More {
			t.Errorf("%s, which %d match: more is %v", text, matching, got.More)
		}
	}
}

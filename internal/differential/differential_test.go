package differential

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/postgres"
	sledcompat "github.com/ankurah-go/ankurah/storage/sled-compat"
	"github.com/ankurah-go/ankurah/storage/sqlite"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// subject is something that answers selections.
type subject struct {
	name  string
	fetch func(collection string, s *ankql.Selection) ([]string, error)
}

// agree makes a failure of each subject whose answer to a selection is not that of the world,
// with the smallest selection that shows it.
func agree(t *testing.T, w *ankqltest.World, collection string, s *ankql.Selection, subjects []subject) {
	t.Helper()
	for _, sub := range subjects {
		differs := func(s *ankql.Selection) bool {
			got, err := sub.fetch(collection, s)
			return err != nil || !slices.Equal(got, ids(w.Fetch(collection, s)))
		}
		if !differs(s) {
			continue
		}
		small := ankqltest.Shrink(s, differs)
		got, err := sub.fetch(collection, small)
		t.Errorf("%s: %s\n  gives %v %v\n  want  %v\nfound as %s; the rows are\n%s",
			sub.name, small, err, got, ids(w.Fetch(collection, small)), s, table(w.Live(collection)))
	}
}

func ids(rows []*ankqltest.Row) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.ID.String())
	}
	return out
}

func table(rows []*ankqltest.Row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	return b.Bytes()
}

// language is the evaluation of package ankql itself.
func language(w *ankqltest.World) subject {
	return subject{"ankql", func(collection string, s *ankql.Selection) ([]string, error) {
		rows := slices.DeleteFunc(w.Live(collection), func(r *ankqltest.Row) bool { return !s.MatchesWith(r, w) })
		slices.SortFunc(rows, func(a, b *ankqltest.Row) int {
			return bytes.Compare(s.AppendSortKeyWith(nil, a, a.ID, w), s.AppendSortKeyWith(nil, b, b.ID, w))
		})
		if s.Limit != ankql.NoLimit {
			rows = rows[:min(len(rows), s.Limit)]
		}
		return ids(rows), nil
	}}
}

// generated makes a generator of what PostgreSQL can store, and its world.
func generated(g *ankqltest.Gen) []string {
	g.NoNUL = true
	g.Model("thing")
	collections := g.World.Models.Collections()
	for range 2 {
		for _, c := range collections {
			g.Fill(c, 4+g.IntN(14))
		}
	}
	return collections
}

// tests returns the predicates that a predicate is made of: what has no others inside.
func tests(e ankql.Expr) []ankql.Expr {
	var list []ankql.Expr
	switch e := e.(type) {
	case *ankql.Conjunction:
		for _, t := range e.Terms {
			list = append(list, tests(t)...)
		}
	case *ankql.Disjunction:
		for _, t := range e.Terms {
			list = append(list, tests(t)...)
		}
	case *ankql.Negation:
		list = tests(e.Term)
	default:
		list = append(list, e)
	}
	return list
}

// The language means what PostgreSQL means, also behind references: for each row each
// predicate has the same truth value, and selections have the same rows in the same order.
func TestLanguageAgreesWithPostgreSQL(t *testing.T) {
	p := newPlain(t, pgtest.Database(t))
	ankqltest.Each(t, 60, func(t *testing.T, g *ankqltest.Gen) {
		g.References = g.IntN(3) == 0
		collections := generated(g)
		p.load(t, g.World)
		subjects := []subject{language(g.World), {"PostgreSQL", p.fetch}}
		for range 25 {
			c := ankqltest.Pick(g, collections...)
			s := g.Selection(c)
			agree(t, g.World, c, s, subjects)
			agreeOnTruth(t, p, c, append(tests(s.Where), s.Where))
		}
	})
}

// agreeOnTruth holds what the language and PostgreSQL say of each row against each other, and
// against the world.
func agreeOnTruth(t *testing.T, p *plain, collection string, predicates []ankql.Expr) {
	t.Helper()
	said, err := p.truths(collection, predicates)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.world.Live(collection) {
		for i, e := range predicates {
			language, postgres := ankql.Evaluate(e, r, p.world), said[r.ID.String()][i]
			if want := p.world.Truth(e, r); language != want || postgres != want {
				t.Fatalf("%s is %s in AnkQL and %s in PostgreSQL, and should be %s, of\n%s\n%s",
					e, language, postgres, want, r, clip(p.predicate(collection, e)))
			}
		}
	}
}

// engines opens every storage engine that runs here.
func engines(t *testing.T) map[string]storage.Engine {
	t.Helper()
	sled, err := sledcompat.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pg, err := postgres.Open(t.Context(), pgtest.Database(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lite, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := tikv.Open(t.Context(), tikvtest.URL(t), tikv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]storage.Engine{"memory": memory.New(), "sled-compat": sled, "postgres": pg, "sqlite": lite, "tikv": cluster}
	t.Cleanup(func() {
		for name, e := range all {
			if err := e.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	return all
}

// stored makes a subject of an engine, which reads pages of a size, one after the other.
func stored(t testing.TB, name string, e storage.Engine, page int) subject {
	return subject{fmt.Sprintf("%s by %d", name, page), func(collection string, s *ankql.Selection) ([]string, error) {
		out := []string{}
		var after []byte
		for {
			limit := page
			if s.Limit != ankql.NoLimit {
				limit = min(page, s.Limit-len(out))
			}
			if limit == 0 {
				return out, nil
			}
			p, err := e.Scan(t.Context(), collection, s, after, limit)
			if err != nil {
				return nil, err
			}
			for _, rec := range p.Records {
				out = append(out, rec.Entity.String())
			}
			if !p.More {
				return out, nil
			}
			after = p.Next
		}
	}}
}

// put makes what an engine holds of a world's rows, and returns how to take it away again.
func put(t *testing.T, e storage.Engine, w *ankqltest.World) (remove func()) {
	t.Helper()
	var b, undo storage.Batch
	for _, r := range w.Rows {
		b.Records = append(b.Records, storage.RecordWrite{Record: recordOf(r)})
		undo.Evict = append(undo.Evict, r.ID)
	}
	if err := e.Commit(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := e.Commit(context.Background(), &undo); err != nil {
			t.Fatal(err)
		}
	}
}

func recordOf(r *ankqltest.Row) *proto.Record {
	state := &proto.State{Head: proto.NewClock(id.EventID(r.ID))}
	if r.Deleted {
		state.Properties = append(state.Properties, proto.PropertyState{Name: proto.Deleted, Kind: 1, Value: value.Bool(true), Data: r.ID.Bytes()})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		state.Properties = append(state.Properties, proto.PropertyState{Name: name, Kind: 1, Value: r.Values[name], Data: r.ID.Bytes()})
	}
	return &proto.Record{Collection: r.Collection, Entity: r.ID, Rev: 1, State: state}
}

// declare has an engine keep random indexes, if it keeps any. Half of the time they are ready
// before anything is asked.
func declare(t *testing.T, e storage.Engine, g *ankqltest.Gen) {
	t.Helper()
	indexer, ok := e.(storage.Indexer)
	if !ok {
		return
	}
	for _, c := range g.World.Models.Collections() {
		var indexes []schema.Index
		for range g.IntN(3) {
			indexes = append(indexes, storagetest.Index(g, g.World.Models[c]))
		}
		if err := indexer.Declare(t.Context(), c, indexes); err != nil {
			t.Fatal(err)
		}
	}
	if g.IntN(2) == 0 {
		if err := indexer.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Every engine answers like the language: whole selections, and each predicate that they are
// made of, and its negation, in pages of every size.
func TestEnginesAgreeWithTheLanguage(t *testing.T) {
	all := engines(t)
	ankqltest.Each(t, 40, func(t *testing.T, g *ankqltest.Gen) {
		collections := append(g.World.Models.Collections(), "thing")
		g.Model("thing")
		for _, c := range collections {
			g.Fill(c, 8+g.IntN(24))
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			defer put(t, all[name], g.World)()
			declare(t, all[name], g)
		}
		for range 12 {
			c := ankqltest.Pick(g, collections...)
			s := g.Selection(c)
			selections := []*ankql.Selection{s}
			for _, e := range tests(s.Where) {
				for _, where := range []ankql.Expr{e, ankql.Not(e)} {
					selections = append(selections, &ankql.Selection{Where: where, Limit: ankql.NoLimit})
				}
			}
			for _, s := range selections {
				for _, name := range slices.Sorted(maps.Keys(all)) {
					agree(t, g.World, c, s, []subject{stored(t, name, all[name], ankqltest.Pick(g, 1, 3, 7, 1000))})
				}
			}
		}
	})
}

// Numbers where floats and ints part: each engine compares and orders them by value, whatever
// the type of the column and of the literal.
func TestNumbersAtTheirEdges(t *testing.T) {
	ints := []int64{0, 1, -1, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<53 + 3, -(1<<53 + 1), -(1<<53 + 3), 1 << 62, 1<<62 + 1, 1<<62 + 300,
		math.MaxInt64, math.MaxInt64 - 511, math.MaxInt64 - 512, math.MaxInt64 - 1023, math.MinInt64, math.MinInt64 + 1, math.MinInt64 + 1023}
	floats := []float64{0, math.Copysign(0, -1), 0.5, -0.5, 1<<53 - 1, 1 << 53, 1<<53 + 2, 1<<53 + 4, -(1<<53 + 4), 1 << 62, 1<<62 + 1024, 1 << 63, -(1 << 63),
		math.Nextafter(1<<63, 0), math.Nextafter(-(1 << 63), math.Inf(-1)), 1e300, -1e300, math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64}
	w := ankqltest.NewWorld(ankqltest.Models())
	var literals []value.Value
	add := func(property string, v value.Value) {
		literals = append(literals, v)
		values := map[string]value.Value{property: v}
		if document, err := value.JSON(map[string]any{"n": numberTree(v)}); err == nil {
			values["meta"] = document
		}
		w.Put(&ankqltest.Row{Collection: "album", ID: ankqltest.ID(len(w.Rows)), Values: values})
	}
	for _, i := range ints {
		add("year", value.Int(i))
	}
	for _, f := range floats {
		add("rating", value.Float(f))
	}
	// Rows with both, for comparisons of the one with the other.
	for k, i := range ints {
		for _, f := range []float64{float64(i), math.Nextafter(float64(i), math.Inf(1)), floats[k]} {
			w.Put(&ankqltest.Row{Collection: "album", ID: ankqltest.ID(len(w.Rows)), Values: map[string]value.Value{"year": value.Int(i), "rating": value.Float(f)}})
		}
	}
	for name, e := range engines(t) {
		defer put(t, e, w)()
		check := func(text string, params ...any) {
			t.Helper()
			s, err := ankql.Parse(text, params...)
			if err == nil {
				s, err = s.Check(w.Models["album"])
			}
			if err != nil {
				t.Fatal(err)
			}
			agree(t, w, "album", s, []subject{stored(t, name, e, 1000)})
		}
		for _, path := range []string{"year", "rating", "meta.n"} {
			for _, op := range []string{"=", "!=", "<", "<=", ">", ">="} {
				for _, v := range literals {
					check(path+" "+op+" ?", v)
				}
				for _, other := range []string{"year", "rating", "meta.n"} {
					check(path + " " + op + " " + other)
				}
			}
			check(path+" IN ?", literals)
			check("ORDER BY " + path)
			check("ORDER BY " + path + " DESC, rating")
		}
	}
}

// numberTree returns a number as a document is made of.
func numberTree(v value.Value) any {
	if i, ok := v.AsInt(); ok {
		return i
	}
	f, _ := v.AsFloat()
	return f
}

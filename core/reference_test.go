package core_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// Records refer to artists, these to labels, and labels to labels. A tag is of anything.
var (
	record_ = &schema.Model{Collection: "record", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString, Optional: true},
		{Name: "year", Type: schema.TypeInt, Optional: true},
		{Name: "artist", Type: schema.TypeRef, Target: "artist", Optional: true},
		{Name: "first", Type: schema.TypeRef, Target: "record", Optional: true},
	}}
	artist = &schema.Model{Collection: "artist", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString, Optional: true},
		{Name: "country", Type: schema.TypeString, Optional: true},
		{Name: "label", Type: schema.TypeRef, Target: "label", Optional: true},
		{Name: "meta", Type: schema.TypeJSON, Optional: true},
	}}
	label = &schema.Model{Collection: "label", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString, Optional: true},
		{Name: "owner", Type: schema.TypeRef, Target: "label", Optional: true},
	}}
	tag = &schema.Model{Collection: "tag", Properties: []schema.Property{
		{Name: "name", Type: schema.TypeString, Optional: true},
		{Name: "on", Type: schema.TypeRef, Optional: true},
	}}
)

// referring opens both kinds of nodes with models that refer to each other.
func referring(t *testing.T, test func(t *testing.T, n *core.Node)) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		register(t, n)
		test(t, n)
	})
}

func register(t testing.TB, n *core.Node) {
	t.Helper()
	if err := n.Register(t.Context(), record_, artist, label, tag); err != nil {
		t.Fatal(err)
	}
}

// fetched returns the rows of a selection by a property.
func fetched(t testing.TB, n *core.Node, collection, text_ string, params ...any) string {
	t.Helper()
	views, err := anonymous(n).Fetch(t.Context(), collection, selection(t, text_, params...))
	if err != nil {
		t.Fatalf("%s: %v", text_, err)
	}
	var names []string
	for _, v := range views {
		names = append(names, text(v, "name"))
	}
	return strings.Join(names, " ")
}

// discs adds three labels, three artists and six records to a node, and returns all by name.
func discs(t testing.TB, n *core.Node) map[string]id.EntityID {
	t.Helper()
	ids := map[string]id.EntityID{}
	put := func(collection, name string, pairs ...any) {
		ids[name] = add(t, n, collection, append([]any{"name", name}, pairs...)...)
	}
	put("label", "warner")
	put("label", "helium", "owner", ids["warner"])
	put("label", "emi")
	put("artist", "muse", "country", "uk", "label", ids["helium"])
	put("artist", "queen", "country", "uk", "label", ids["emi"])
	put("artist", "air", "country", "fr")
	put("record", "drones", "year", 2015, "artist", ids["muse"])
	put("record", "showbiz", "year", 1999, "artist", ids["muse"])
	put("record", "jazz", "year", 1978, "artist", ids["queen"], "first", ids["showbiz"])
	put("record", "moon", "year", 1998, "artist", ids["air"])
	put("record", "bootleg", "year", 2000)
	put("record", "lost", "artist", id.EntityID{ULID: ids["emi"].ULID}, "first", ids["jazz"]) // dangling: no artist has this id
	return ids
}

func TestReferencesByExample(t *testing.T) {
	referring(t, func(t *testing.T, n *core.Node) {
		ids := discs(t, n)
		for text, want := range map[string]string{
			"artist.name = 'muse' ORDER BY name":                                     "drones showbiz",
			"artist.country = 'uk' AND year > 1980 ORDER BY name":                    "drones showbiz",
			"artist.label.name = 'helium' ORDER BY year":                             "showbiz drones",
			"artist.label.owner.name = 'warner' ORDER BY year":                       "showbiz drones",
			"artist.label.name IS NULL ORDER BY name":                                "bootleg lost moon",
			"artist.name IS NULL ORDER BY name":                                      "bootleg lost",
			"NOT (artist.name = 'muse') ORDER BY name":                               "jazz moon", // unknown for those without
			"artist.name != 'muse' ORDER BY name":                                    "jazz moon",
			"artist.name IN ('air', 'queen') OR year = 2000 ORDER BY name":           "bootleg jazz moon",
			"artist.name LIKE 'm%' ORDER BY name":                                    "drones showbiz",
			"ORDER BY artist.name, name":                                             "moon drones showbiz jazz bootleg lost",
			"ORDER BY artist.name DESC, name":                                        "bootleg lost jazz drones showbiz moon",
			"ORDER BY artist.label.name NULLS FIRST, year LIMIT 3":                   "moon bootleg lost",
			"ORDER BY artist.country, artist.name, year LIMIT 3":                     "moon showbiz drones",
			"first.artist.name = 'muse'":                                             "jazz",
			"first.first.name = 'showbiz'":                                           "lost",
			"first.name = name":                                                      "",
			"artist.name = first.artist.name":                                        "",
			"artist.country = 'uk' ORDER BY artist.name DESC, year DESC LIMIT 2":     "jazz drones",
			"artist.id = '" + ids["air"].String() + "'":                              "moon",
			"artist.name = 'muse' AND artist.label.name = 'emi'":                     "",
			"artist.name = 'muse' ORDER BY year LIMIT 1":                             "showbiz",
			"name = 'jazz' AND artist.name = 'queen'":                                "jazz",
			"id = '" + ids["jazz"].String() + "' AND artist.name = 'queen'":          "jazz",
			"(artist.name = 'muse' OR artist.label.name IS NULL) ORDER BY year DESC": "lost drones bootleg showbiz moon",
		} {
			if got := fetched(t, n, "record", text); got != want {
				t.Errorf("%s: got %s, want %s", text, got, want)
			}
			q := watch(t, n, "record", text)
			if got := rowNames(q, "name"); got != want {
				t.Errorf("live %s: got %s, want %s", text, got, want)
			}
			q.Close()
		}
		if _, err := anonymous(n).Query("record", selection(t, "artist.nam = 'x'")); core.KindOf(err) != core.KindSelection || !strings.Contains(err.Error(), "did you mean name?") {
			t.Errorf("an unknown property behind a reference: %v", err)
		}
		for name, on := range map[string]string{"a": "muse", "b": "drones", "c": "emi"} {
			add(t, n, "tag", "name", name, "on", ids[on])
		}
		for text, want := range map[string]string{
			"on.name = 'muse'":                              "a", // whatever it is on
			"on.artist.name = 'muse'":                       "b",
			"on.name IN ('emi', 'drones') ORDER BY on.name": "b c",
		} {
			if got := fetched(t, n, "tag", text); got != want {
				t.Errorf("%s: got %s, want %s", text, got, want)
			}
		}
	})
}

func TestLiveReferences(t *testing.T) {
	referring(t, func(t *testing.T, n *core.Node) {
		ids := discs(t, n)
		muse := record(t, watch(t, n, "record", "artist.name = 'muse'"))
		unknown := record(t, watch(t, n, "record", "artist.name IS NULL"))
		not := record(t, watch(t, n, "record", "NOT (artist.name = 'muse')"))
		owned := record(t, watch(t, n, "record", "artist.label.owner.name = 'warner'"))
		byArtist := record(t, watch(t, n, "record", "ORDER BY artist.name, name"))
		firsts := record(t, watch(t, n, "record", "artist.name IS NOT NULL ORDER BY artist.name, name LIMIT 2"))
		tags := record(t, watch(t, n, "tag", "on.label.name = 'emi'"))

		put(t, n, "artist", ids["air"], "name", "muse")
		muse.want("added moon")
		not.want("removed moon")
		firsts.want("updated moon")
		byArtist.want("updated moon")
		unknown.want()
		owned.want()
		if got := byArtist.shown(); got != "drones moon showbiz jazz bootleg lost" {
			t.Errorf("by artist: %s", got)
		}

		put(t, n, "artist", ids["muse"], "country", "gb") // nobody reads it
		put(t, n, "artist", ids["air"], "name", "air")
		muse.want("removed moon")
		not.want("added moon")
		firsts.want("updated moon")
		byArtist.want("updated moon")

		put(t, n, "label", ids["warner"], "name", "other")
		owned.want("removed showbiz, removed drones")
		put(t, n, "label", ids["emi"], "owner", ids["emi"], "name", "warner") // refers to itself
		owned.want("added jazz")
		put(t, n, "label", ids["helium"], "owner", ids["emi"])
		owned.want("added drones, added showbiz")
		put(t, n, "label", ids["emi"], "owner", ids["helium"]) // a cycle
		owned.want("removed jazz")
		muse.want()

		several(t, n, func(tx *core.Tx) error { return tx.Delete(t.Context(), "artist", ids["muse"]) })
		muse.want("removed showbiz, removed drones")
		unknown.want("added drones, added showbiz")
		not.want()
		owned.want("removed showbiz, removed drones")
		firsts.want("removed drones, added jazz")
		byArtist.want("updated drones, updated showbiz")
		if got := byArtist.shown(); got != "moon jazz bootleg drones lost showbiz" {
			t.Errorf("by artist: %s", got)
		}
		several(t, n, func(tx *core.Tx) error { return tx.Restore(t.Context(), "artist", ids["muse"]) })
		muse.want("added drones, added showbiz")
		unknown.want("removed showbiz, removed drones")
		firsts.want("removed jazz, added drones")

		// An album and what it refers to change together.
		several(t, n, func(tx *core.Tx) error {
			return errors.Join(tx.Set(t.Context(), "record", ids["jazz"], with("artist", ids["air"])),
				tx.Set(t.Context(), "artist", ids["air"], with("name", "muse")))
		})
		muse.want("added jazz, added moon")

		several(t, n, func(tx *core.Tx) (err error) {
			var a id.EntityID
			if a, err = tx.Create(t.Context(), "artist", with("name", "muse", "label", ids["emi"])); err == nil {
				_, err = tx.Create(t.Context(), "record", with("name", "new", "artist", a))
				_, err2 := tx.Create(t.Context(), "tag", with("name", "tag", "on", a))
				return errors.Join(err, err2)
			}
			return err
		})
		muse.want("added new")
		tags.want() // emi has another name now
		put(t, n, "label", ids["emi"], "name", "emi")
		tags.want("added tag")
	})
}

// TestReferencesInTransactions: a transaction's reads follow references through its own
// writes and through what was when it began.
func TestReferencesInTransactions(t *testing.T) {
	referring(t, func(t *testing.T, n *core.Node) {
		ids := discs(t, n)
		tx := anonymous(n).Begin()
		defer tx.Rollback()
		read := func(text_ string) string {
			t.Helper()
			views, err := tx.Fetch(t.Context(), "record", selection(t, text_))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, v := range views {
				names = append(names, text(v, "name"))
			}
			return strings.Join(names, " ")
		}
		const muse, firsts = "artist.name = 'muse' ORDER BY name", "ORDER BY artist.name, name LIMIT 2"
		put(t, n, "artist", ids["muse"], "name", "abba")
		put(t, n, "record", ids["moon"], "artist", ids["queen"])
		if got := read(muse); got != "drones showbiz" {
			t.Errorf("changed by others: %s", got)
		}
		if got := read(firsts); got != "moon drones" {
			t.Errorf("in order, changed by others: %s", got)
		}
		if err := errors.Join(tx.Set(t.Context(), "artist", ids["air"], with("name", "muse")), tx.Set(t.Context(), "record", ids["drones"], with("artist", nil))); err != nil {
			t.Fatal(err)
		}
		if got := read(muse); got != "moon showbiz" {
			t.Errorf("changed by itself: %s", got)
		}
		if got := read(firsts); got != "moon showbiz" {
			t.Errorf("in order, changed by itself: %s", got)
		}
		if got := fetched(t, n, "record", muse); got != "" {
			t.Errorf("outside: %s", got)
		}
	})
}

// referenceTexts are selections of records of every form that follows references.
var referenceTexts = []string{
	"artist.name = 'a'", "artist.name IN ('a', 'b') AND year > 30", "NOT (artist.name = 'a')", "artist.name IS NULL",
	"artist.label.name = 'a' OR year < 10", "artist.label.owner.name > 'a'", "first.artist.name = artist.name", "first.first.year >= year",
	"artist.country = 'a' ORDER BY artist.name, year", "ORDER BY artist.name LIMIT 4", "ORDER BY artist.label.name DESC, year LIMIT 3",
	"artist.name >= 'b' ORDER BY year LIMIT 3", "year > 20 ORDER BY first.year NULLS FIRST, artist.country LIMIT 2", "artist.meta.n = 1",
	"artist.name LIKE 'a%' ORDER BY artist.label.name DESC", "NOT (artist.label.name IS NULL OR artist.country = 'b')", "LIMIT 3",
}

// shuffler makes random transactions over the models that refer to each other.
type shuffler struct {
	*rand.Rand
	entities map[string][]id.EntityID
}

func newShuffler(seed uint64) *shuffler {
	return &shuffler{rand.New(rand.NewPCG(seed, 77)), map[string][]id.EntityID{}}
}

func (s *shuffler) letter() value.Value {
	if s.IntN(6) == 0 {
		return value.Null
	}
	return value.String(string("abc"[s.IntN(3)]))
}

// ref returns an entity of a collection, now and then one of another or none.
func (s *shuffler) ref(collection string) value.Value {
	if s.IntN(12) == 0 {
		collection = []string{"record", "artist", "label"}[s.IntN(3)]
	}
	list := s.entities[collection]
	if len(list) == 0 || s.IntN(8) == 0 {
		return value.Null
	}
	return value.ID(list[s.IntN(len(list))])
}

func (s *shuffler) fields(collection string) (list []any) {
	maybe := func(name string, v value.Value) {
		if s.IntN(2) == 0 {
			list = append(list, name, v)
		}
	}
	maybe("name", s.letter())
	switch collection {
	case "record":
		maybe("year", value.Int(int64(s.IntN(60))))
		maybe("artist", s.ref("artist"))
		maybe("first", s.ref("record"))
	case "artist":
		meta, _ := value.JSON(map[string]any{"n": s.IntN(3)})
		maybe("country", s.letter())
		maybe("label", s.ref("label"))
		maybe("meta", meta)
	case "label":
		maybe("owner", s.ref("label"))
	}
	return list
}

// change makes up to three changes in a transaction.
func (s *shuffler) change(t testing.TB, tx *core.Tx) (err error) {
	for range 1 + s.IntN(3) {
		collection := []string{"record", "record", "artist", "artist", "label"}[s.IntN(5)]
		list := s.entities[collection]
		switch {
		case len(list) < 4 || len(list) < 12 && s.IntN(3) == 0:
			var e id.EntityID
			if e, err = tx.Create(t.Context(), collection, with(s.fields(collection)...)); err == nil {
				s.entities[collection] = append(list, e)
			}
		case s.IntN(6) == 0:
			err = tx.Delete(t.Context(), collection, list[s.IntN(len(list))])
		case s.IntN(4) == 0:
			err = tx.Restore(t.Context(), collection, list[s.IntN(len(list))])
		default:
			err = tx.Set(t.Context(), collection, list[s.IntN(len(list))], with(s.fields(collection)...))
		}
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			return err
		}
	}
	return nil
}

// TestLiveReferencesEqualFetched: after any edits of rows and of what they refer to, every
// live result, and what its change sets add up to, is what a fetch returns; and this is what
// evaluating every row by itself gives.
func TestLiveReferencesEqualFetched(t *testing.T) {
	referring(t, func(t *testing.T, n *core.Node) {
		for seed := range uint64(4) {
			s := newShuffler(seed)
			var queries []*core.LiveQuery
			var recorders []*recorder
			for _, text := range referenceTexts {
				queries = append(queries, watch(t, n, "record", text))
				recorders = append(recorders, recordAs(t, queries[len(queries)-1], "id"))
			}
			for step := range 150 {
				several(t, n, func(tx *core.Tx) error { return s.change(t, tx) })
				for i, q := range queries {
					views, err := anonymous(n).Fetch(t.Context(), "record", selection(t, referenceTexts[i]))
					if err != nil {
						t.Fatal(err)
					}
					var want []string
					for _, v := range views {
						want = append(want, v.ID().String())
					}
					if got := rowNames(q, "id"); got != strings.Join(want, " ") {
						t.Fatalf("seed %d, step %d, %s: live\n%s\nfetched\n%s", seed, step, referenceTexts[i], got, strings.Join(want, " "))
					}
					if got := recorders[i].shown(); got != strings.Join(want, " ") {
						t.Fatalf("seed %d, step %d, %s: told\n%s\nfetched\n%s", seed, step, referenceTexts[i], got, strings.Join(want, " "))
					}
					if naive := naively(t, n, referenceTexts[i]); !slices.Equal(naive, want) {
						t.Fatalf("seed %d, step %d, %s: fetched\n%v\nwant\n%v", seed, step, referenceTexts[i], want, naive)
					}
				}
			}
			for _, q := range queries {
				q.Close()
			}
		}
	})
}

// naively answers a selection of records by reading everything.
func naively(t testing.TB, n *core.Node, text string) []string {
	t.Helper()
	all := everything{}
	for _, collection := range []string{"record", "artist", "label"} {
		views, err := anonymous(n).Fetch(t.Context(), collection, selection(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range views {
			all[v.ID()] = v
		}
	}
	m, _ := n.Model("record")
	s, err := selection(t, text).CheckWith(m, n)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	names := map[string]string{}
	for e, v := range all {
		if v.Collection() == "record" && s.MatchesWith(v, all) {
			key := string(s.AppendSortKeyWith(nil, v, e, all))
			keys = append(keys, key)
			names[key] = e.String()
		}
	}
	slices.Sort(keys)
	var list []string
	for _, key := range keys {
		if s.Limit < 0 || len(list) < s.Limit {
			list = append(list, names[key])
		}
	}
	return list
}

// everything resolves references among the entities that it holds.
type everything map[id.EntityID]*core.View

func (all everything) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	v, ok := all[e]
	return v, ok && (collection == "" || v.Collection() == collection)
}

// TestReferencesToMany: the entities behind a reference may be too many to be looked for
// first; the answer is the same.
func TestReferencesToMany(t *testing.T) {
	referring(t, func(t *testing.T, n *core.Node) {
		var bands []id.EntityID
		several(t, n, func(tx *core.Tx) error {
			for i := range 300 {
				band, err := tx.Create(t.Context(), "artist", with("name", "muse", "country", fmt.Sprint(i%7)))
				if err != nil {
					return err
				}
				bands = append(bands, band)
				for j := range 2 {
					if _, err := tx.Create(t.Context(), "record", with("name", fmt.Sprint(i, j), "year", i, "artist", band)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		for _, text := range []string{"artist.name = 'muse'", "artist.name = 'muse' AND artist.country = '3' ORDER BY year DESC", "artist.name = 'muse' ORDER BY artist.country, year LIMIT 30"} {
			want := naively(t, n, text)
			q := watch(t, n, "record", text)
			if got := strings.Fields(rowNames(q, "id")); len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: %d rows, want %d", text, len(got), len(want))
			}
			put(t, n, "artist", bands[3], "name", "abba")
			if got, want := strings.Fields(rowNames(q, "id")), naively(t, n, text); !slices.Equal(got, want) {
				t.Errorf("%s, after a change: %d rows, want %d", text, len(got), len(want))
			}
			put(t, n, "artist", bands[3], "name", "muse")
		}
	})
}

// TestReferencesInGroups: transactions that are stored together are shown one by one, and
// while one is, what rows refer to is as it was then.
func TestReferencesInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := faulty.Wrap(memory.New(), nil)
		n := durable(t, core.Options{Engine: engine})
		register(t, n)
		ids := discs(t, n)
		muse := record(t, watch(t, n, "record", "artist.name = 'muse' ORDER BY name"))
		first := record(t, watch(t, n, "record", "artist.label.name = 'helium' ORDER BY artist.name, name LIMIT 1"))
		hold := make(chan struct{})
		engine.Decide(func(c faulty.Call) faulty.Fault {
			if c.Op == faulty.Commit {
				return faulty.Fault{Wait: hold}
			}
			return faulty.Fault{}
		})
		commit := func(collection, name string, pairs ...any) {
			tx := anonymous(n).Begin()
			if err := tx.Set(t.Context(), collection, ids[name], with(pairs...)); err != nil {
				t.Fatal(err)
			}
			go func() {
				if _, err := tx.Commit(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait() // it is in the group after the one that is being stored
		}
		commit("record", "jazz", "year", 1979)
		commit("artist", "air", "name", "muse")
		commit("artist", "air", "name", "zero 7", "label", ids["helium"])
		commit("artist", "muse", "name", "zz top")
		commit("record", "showbiz", "artist", ids["air"])
		commit("label", "helium", "name", "hydrogen")
		commit("artist", "air", "name", "muse")
		close(hold)
		synctest.Wait()
		muse.want("added moon", "removed moon", "removed showbiz, removed drones", "added moon, added showbiz")
		first.want("removed drones, added moon", "removed moon")
	})
}

// TestReferencesWhileStorageFails: where storage fails to say what rows refer to, a query says
// so, and has it right when storage is back.
func TestReferencesWhileStorageFails(t *testing.T) {
	var broken atomic.Bool
	engine := faulty.Wrap(memory.New(), failing(&broken, faulty.Scan, faulty.Fault{Before: errDisk}))
	n := open(t, core.Options{Engine: engine, Durable: true, Listener: core.Listener{Failed: func(string, error) {}}})
	if err := errors.Join(n.CreateSystem(t.Context()), n.Register(t.Context(), record_, artist, label, tag)); err != nil {
		t.Fatal(err)
	}
	ids := discs(t, n)
	q := watch(t, n, "record", "artist.name = 'muse' ORDER BY name")
	plain := watch(t, n, "record", "year > 1990 ORDER BY name")
	broken.Store(true)
	put(t, n, "artist", ids["air"], "name", "muse")
	if q.Status() != core.QueryError || plain.Status() != core.QueryLive {
		t.Errorf("statuses %s and %s", q.Status(), plain.Status())
	}
	put(t, n, "record", ids["bootleg"], "artist", ids["muse"])
	broken.Store(false)
	await(t, "it is right again", func() bool {
		return rowNames(q, "name") == "bootleg drones moon showbiz" && q.Status() == core.QueryLive
	})
	put(t, n, "artist", ids["air"], "name", "air")
	if got := rowNames(q, "name"); got != "bootleg drones showbiz" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestReferencesWhileMuchChanges: what is read while more changes than a snapshot keeps is read
// again, on the durable node and for a peer.
func TestReferencesWhileMuchChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := faulty.Wrap(memory.New(), nil)
		n := open(t, core.Options{Engine: engine, Durable: true, Limits: core.Limits{SnapshotRecords: 2},
			Listener: core.Listener{Failed: func(string, error) {}}})
		if err := errors.Join(n.CreateSystem(t.Context()), n.Register(t.Context(), record_, artist, label, tag)); err != nil {
			t.Fatal(err)
		}
		ids := discs(t, n)
		peer, _ := referringPeer(t, n)
		settled()
		for name, on := range map[string]*core.Node{"durable": n, "peer": peer} {
			hold := make(chan struct{})
			var holding atomic.Bool
			holding.Store(true)
			engine.Decide(func(c faulty.Call) faulty.Fault {
				if c.Op == faulty.Scan && holding.Load() {
					return faulty.Fault{Wait: hold}
				}
				return faulty.Fault{}
			})
			q, err := anonymous(on).Query("record", selection(t, "artist.name = 'muse' ORDER BY name"))
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			synctest.Wait() // the answer is being read
			for _, record := range []string{"drones", "showbiz", "jazz", "moon"} {
				put(t, n, "record", ids[record], "year", 2000)
			}
			if q.Status() == core.QueryLive {
				t.Errorf("%s: live before it was read", name)
			}
			holding.Store(false)
			close(hold)
			liveNames(t, q, "drones showbiz")
		}
	})
}

// BenchmarkChangeBehindReferences commits a change of an artist that touches ten of n live
// queries over its records. It is to cost at most twice among ten thousand what it costs among
// ten.
func BenchmarkChangeBehindReferences(b *testing.B) {
	for _, queries := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(queries), func(b *testing.B) {
			n, err := core.Open(b.Context(), core.Options{Engine: memory.New(), Durable: true})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			if err := n.CreateSystem(b.Context()); err != nil {
				b.Fatal(err)
			}
			register(b, n)
			band := add(b, n, "artist", "name", "a", "country", "uk")
			add(b, n, "record", "name", "x", "artist", band)
			var touched atomic.Int64
			for i := range queries {
				name := fmt.Sprint(i)
				if i < 10 {
					name = "a"
				}
				q := watch(b, n, "record", "artist.name = ? AND name != ?", name, fmt.Sprint(i)) // no two are equal
				defer q.Close()
				defer q.Subscribe(func(c *core.ChangeSet) { touched.Add(int64(len(c.Changes))) })()
			}
			touched.Store(0)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				put(b, n, "artist", band, "name", string("ba"[i%2]))
				i++
			}
			if touched.Load() != int64(10*i) {
				b.Fatalf("%d touches in %d transactions", touched.Load(), i)
			}
		})
	}
}

package reactor

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Songs refer to singers and songs, singers to towns, and towns to anything.
var places = models{
	"song":   {Collection: "song", Properties: []schema.Property{{Name: "n", Type: schema.TypeInt}, {Name: "by", Type: schema.TypeRef, Target: "singer"}, {Name: "of", Type: schema.TypeRef, Target: "song"}}},
	"singer": {Collection: "singer", Properties: []schema.Property{{Name: "n", Type: schema.TypeInt}, {Name: "from", Type: schema.TypeRef, Target: "town"}}},
	"town":   {Collection: "town", Properties: []schema.Property{{Name: "n", Type: schema.TypeInt}, {Name: "any", Type: schema.TypeRef}}},
}

type models map[string]*schema.Model

func (m models) Model(collection string) (*schema.Model, bool) { x, ok := m[collection]; return x, ok }

// earth is all entities at one time.
type earth map[id.EntityID]*proto.Record

func (e earth) Resolve(collection string, x id.EntityID) (ankql.Fields, bool) {
	r := e[x]
	if r == nil || collection != "" && r.Collection != collection {
		return nil, false
	}
	return r, true
}

// passage implements World between two times.
type passage struct {
	before, after earth
	err           error
	asked         int // for what refers to something
}

func (p *passage) Before() ankql.Resolver            { return p.before }
func (p *passage) After() ankql.Resolver             { return p.after }
func (p *passage) Ahead([]*proto.Record, [][]string) {}
func (p *passage) Err() error                        { return p.err }
func (p *passage) Referring(collection, property string, e id.EntityID, visit func([]*proto.Record)) error {
	p.asked++
	var rows []*proto.Record
	for _, r := range p.after {
		if (collection == "" || r.Collection == collection) && r.Field(property) == value.ID(e) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *proto.Record) int { return a.Entity.Compare(b.Entity.ULID) })
	visit(rows)
	return p.err
}

// half sees every other entity.
type half struct{ of ankql.Resolver }

func (h half) Resolve(collection string, e id.EntityID) (ankql.Fields, bool) {
	if e.Bytes()[8]%2 == 0 { // the number of the entity
		return h.of.Resolve(collection, e)
	}
	return nil, false
}

// reachOf is what a checked selection of places reads behind references.
func reachOf(s *ankql.Selection) (list []Reach) {
	for _, f := range s.Fields() {
		var x Reach
		steps := len(f.Targets)
		if steps > 0 && f.Type == "" {
			steps = len(f.Path) - 1
		}
		for i := range steps {
			target := ""
			if i < len(f.Targets) {
				target = f.Targets[i]
			}
			x.Path, x.Targets = append(slices.Clip(x.Path), f.Path[i]), append(slices.Clip(x.Targets), target)
			x.Property = f.Path[i+1]
			list = append(list, x)
		}
	}
	return list
}

// told is what a watch heard.
type told struct {
	rows map[id.EntityID][2]bool
	ends int
	lost error
}

func (h *told) Touch(_ *Watch, c *Change, before, after bool) {
	if _, twice := h.rows[c.Entity]; twice {
		panic("told of a row twice")
	}
	h.rows[c.Entity] = [2]bool{before, after}
}
func (h *told) Settle(*Transaction)      { h.ends++ }
func (h *told) Lost(_ *Watch, err error) { h.lost = err }

var songTexts = []string{
	"by.n = 1", "by.n > 1 AND n < 2", "NOT (by.n = 2)", "by.n IS NULL", "by.from.n IN (1, 2)", "of.by.n = by.n",
	"by.from.any.n = 1", "by.from.any.any.n >= 1 OR n = 0", "of.of.n = 0", "by.n = 1 OR of.n = 1", "n = 1", "by.from.n = 1 AND of.by.from.n = 2",
}

// TestFollowingIsComplete: a watch is told of every row whose matching a transaction changes,
// by itself or by what it refers to, of none that never matched, and of each once.
func TestFollowingIsComplete(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var r Reactor
		type watching struct {
			sel  *ankql.Selection
			sees bool
			told *told
			stop *Watch
		}
		var watches []watching
		open := func() {
			s, err := ankql.Parse(songTexts[rng.IntN(len(songTexts))])
			if err == nil {
				s, err = s.CheckWith(places["song"], places)
			}
			if err != nil {
				t.Fatal(err)
			}
			w := watching{s, rng.IntN(3) > 0, &told{rows: map[id.EntityID][2]bool{}}, nil}
			var sees func(ankql.Resolver) ankql.Resolver
			if !w.sees {
				sees = func(all ankql.Resolver) ankql.Resolver { return half{all} }
			}
			w.stop = r.Follow("song", s, w.told, reachOf(s), sees)
			watches = append(watches, w)
		}
		for range 12 {
			open()
		}
		now := earth{}
		for range 60 {
			if i := rng.IntN(len(watches)); rng.IntN(4) == 0 {
				watches[i].stop.Stop()
				watches = slices.Delete(watches, i, i+1)
				open()
			}
			p := &passage{before: now, after: maps.Clone(now)}
			tx := &Transaction{World: p}
			for range 1 + rng.IntN(3) {
				e := rng.IntN(15)
				if slices.ContainsFunc(tx.Changes, func(c Change) bool { return c.Entity == entity(e) }) {
					continue
				}
				c := Change{Entity: entity(e), Collection: []string{"song", "singer", "town"}[e%3], Before: now[entity(e)]}
				if rng.IntN(5) > 0 {
					c.After = songOr(rng, c.Collection, e)
					p.after[c.Entity] = c.After
				} else {
					delete(p.after, c.Entity)
				}
				tx.Changes = append(tx.Changes, c)
			}
			r.Publish(tx)
			for _, w := range watches {
				before, after := ankql.Resolver(p.before), ankql.Resolver(p.after)
				if !w.sees {
					before, after = half{before}, half{after}
				}
				for n := range 15 {
					e := entity(n)
					was := p.before[e] != nil && p.before[e].Collection == "song" && w.sel.MatchesWith(p.before[e], before)
					is := p.after[e] != nil && p.after[e].Collection == "song" && w.sel.MatchesWith(p.after[e], after)
					heard, touched := w.told.rows[e]
					own := p.before[e] != p.after[e]
					if was != is && !touched || own && (was || is) && !touched || touched && heard != [2]bool{was, is} || touched && !was && !is {
						t.Fatalf("seed %d, %s (sees all: %v): song %d matched %v and matches %v, and it was told %v: %v", seed, w.sel, w.sees, n, was, is, touched, heard)
					}
				}
				clear(w.told.rows)
			}
			now = p.after
		}
		for _, w := range watches {
			w.stop.Stop()
		}
		if r.Count() != 0 || r.Follows() || len(r.mu.routes) != 0 {
			t.Fatalf("%d watches and %d routes are left", r.Count(), len(r.mu.routes))
		}
	}
}

// songOr makes an entity of places.
func songOr(rng *rand.Rand, collection string, n int) *proto.Record {
	ref := func(kind int) value.Value {
		if rng.IntN(6) == 0 {
			return value.Null
		}
		if kind < 0 {
			kind = rng.IntN(3)
		}
		return value.ID(entity(3*rng.IntN(5) + kind))
	}
	var r *proto.Record
	number := value.Int(int64(rng.IntN(3)))
	switch collection {
	case "song":
		r = record(n, "by", ref(1), "n", number, "of", ref(0))
	case "singer":
		r = record(n, "from", ref(2), "n", number)
	default:
		r = record(n, "any", ref(-1), "n", number)
	}
	r.Collection = collection
	return r
}

func follow(t testing.TB, r *Reactor, f Follower, text string, params ...any) *Watch {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err == nil {
		s, err = s.CheckWith(places["song"], places)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Follow("song", s, f, reachOf(s), nil)
}

// TestFollowingReadsWhatItNeeds: where nobody reads what changed, nobody asks what refers to
// it; and when the world fails, everybody who follows references hears that.
func TestFollowingReadsWhatItNeeds(t *testing.T) {
	var r Reactor
	hears := &told{rows: map[id.EntityID][2]bool{}}
	follow(t, &r, hears, "by.n = 1")
	singer := func(n int, town any) *proto.Record {
		x := record(1, "n", n, "from", town)
		x.Collection = "singer"
		return x
	}
	song := record(0, "by", idValue(1))
	song.Collection = "song"
	publish := func(before, after *proto.Record) *passage {
		p := &passage{before: earth{song.Entity: song}, after: earth{song.Entity: song}}
		p.before[entity(1)], p.after[entity(1)] = before, after
		c := changed(before, after)
		c.Collection = "singer"
		r.Publish(&Transaction{World: p, Changes: []Change{c}})
		return p
	}
	if p := publish(singer(1, idValue(2)), singer(1, idValue(5))); p.asked != 0 || len(hears.rows) != 0 {
		t.Errorf("asked %d times for what nobody reads, told %v", p.asked, hears.rows)
	}
	if p := publish(singer(5, idValue(2)), singer(6, idValue(2))); p.asked != 0 || len(hears.rows) != 0 {
		t.Errorf("asked %d times for values that nobody waits for, told %v", p.asked, hears.rows)
	}
	if p := publish(singer(1, idValue(2)), singer(2, idValue(2))); p.asked != 1 || hears.rows[song.Entity] != [2]bool{true, false} {
		t.Errorf("asked %d times, told %v", p.asked, hears.rows)
	}
	fails := &passage{before: earth{}, after: earth{}, err: errors.New("storage is gone")}
	c := changed(singer(1, idValue(2)), nil)
	c.Collection = "singer"
	r.Publish(&Transaction{World: fails, Changes: []Change{c}})
	if hears.lost == nil || hears.lost != fails.err {
		t.Errorf("lost: %v", hears.lost)
	}
}

// TestLooseTransactions: where watchers may have seen what is neither before nor after, they
// are told although nothing matches.
func TestLooseTransactions(t *testing.T) {
	var r Reactor
	hears := &told{rows: map[id.EntityID][2]bool{}}
	follow(t, &r, hears, "by.n = 7")
	song, singer := record(0, "by", idValue(1)), record(1, "n", 1)
	song.Collection, singer.Collection = "song", "singer"
	p := &passage{before: earth{song.Entity: song}, after: earth{song.Entity: song, singer.Entity: singer}}
	c := changed(nil, singer)
	c.Collection = "singer"
	for _, loose := range []bool{false, true} {
		r.Publish(&Transaction{World: p, Changes: []Change{c}, Loose: loose})
		if _, touched := hears.rows[song.Entity]; touched != loose {
			t.Errorf("loose %v: told %v", loose, hears.rows)
		}
	}
}

// BenchmarkFollow publishes one change of a singer that touches ten of n watches over songs.
func BenchmarkFollow(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var r Reactor
			hears := &counting{}
			for i := range n {
				which := i + 1000
				if i < 10 {
					which = 5
				}
				follow(b, &r, hears, "by.n = ?", which)
			}
			song, before, after := record(0, "by", idValue(1)), record(1, "n", 5), record(1, "n", 6)
			song.Collection, before.Collection, after.Collection = "song", "singer", "singer"
			p := &passage{before: earth{song.Entity: song, before.Entity: before}, after: earth{song.Entity: song, after.Entity: after}}
			c := changed(before, after)
			c.Collection = "singer"
			tx := &Transaction{World: p, Changes: []Change{c}}
			b.ReportAllocs()
			for b.Loop() {
				r.Publish(tx)
			}
			if hears.touched != 10*hears.settled {
				b.Fatalf("%d touches in %d transactions", hears.touched, hears.settled)
			}
		})
	}
}

// counting counts what it is told.
type counting struct{ touched, settled int }

func (c *counting) Touch(*Watch, *Change, bool, bool) { c.touched++ }
func (c *counting) Settle(*Transaction)               { c.settled++ }
func (c *counting) Lost(*Watch, error)                {}

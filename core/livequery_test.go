package core_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// several commits some changes in one transaction.
func several(t testing.TB, n *core.Node, changes func(tx *core.Tx) error) {
	t.Helper()
	tx := anonymous(n).Begin()
	if err := changes(tx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestLiveQueryByExample covers 206 to 215 and 225: what live queries tell of edits.
func TestLiveQueryByExample(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		albums := map[int]id.EntityID{}
		for _, year := range []int{2008, 2013, 2016, 2024} {
			albums[year] = add(t, n, "album", "name", fmt.Sprint(year), "year", year)
		}

		t.Run("206 207 211 rows and what comes", func(t *testing.T) {
			q := watch(t, n, "album", "year > 2015")
			first := make(chan *core.ChangeSet, 8)
			stop := q.Subscribe(func(c *core.ChangeSet) { first <- c })
			defer stop()
			if c := <-first; len(c.Changes) != 2 || c.Changes[0].Kind != core.ChangeInitial || c.Status != q.Status() {
				t.Errorf("first call: %+v", c)
			}
			r := record(t, q)
			put(t, n, "album", albums[2013], "year", 2020)
			r.want("added 2013")
			put(t, n, "album", albums[2013], "artist", "x") // 210: a row that stays
			r.want("updated 2013")
			put(t, n, "album", albums[2013], "year", 2013)
			r.want("removed 2013")
		})

		t.Run("208 209 pets", func(t *testing.T) {
			q := watch(t, n, "pet", "name = 'Rex' OR (age > 2 AND age < 5)")
			r := record(t, q)
			rex, snuffy, jasper := id.EntityID{}, id.EntityID{}, id.EntityID{}
			several(t, n, func(tx *core.Tx) (err error) {
				rex, err = tx.Create(t.Context(), "pet", with("name", "Rex", "age", 1))
				return err
			})
			snuffy = add(t, n, "pet", "name", "Snuffy", "age", 2)
			jasper = add(t, n, "pet", "name", "Jasper", "age", 6)
			r.want("added Rex")
			put(t, n, "pet", rex, "age", 7)
			put(t, n, "pet", snuffy, "age", 3)
			put(t, n, "pet", jasper, "age", 4)
			r.want("updated Rex", "added Snuffy", "added Jasper")
			several(t, n, func(tx *core.Tx) error {
				return errors.Join(tx.Set(t.Context(), "pet", snuffy, with("age", 5)), tx.Set(t.Context(), "pet", jasper, with("age", 6)))
			})
			r.want("removed Jasper, removed Snuffy")
			put(t, n, "pet", rex, "name", "Rover")
			r.want("removed Rex")
		})

		t.Run("212 213 ten commits, ten change sets, to each of three", func(t *testing.T) {
			q := watch(t, n, "album", "year = 2024")
			all := []*recorder{record(t, q), record(t, q), record(t, watch(t, n, "album", "year = 2024"))}
			var want []string
			for i := range 10 {
				put(t, n, "album", albums[2024], "name", fmt.Sprint(i))
				want = append(want, fmt.Sprint("updated ", i))
			}
			for _, r := range all {
				r.want(want...)
				for i := 1; i < len(r.all); i++ {
					a, b := r.all[i-1], r.all[i]
					if b.Version != a.Version+1 || b.Changes[0].View.State().Head.Stamp() <= a.Changes[0].View.State().Head.Stamp() {
						t.Errorf("change set %d after %d, heads %v after %v", b.Version, a.Version, b.Changes[0].View.State().Head, a.Changes[0].View.State().Head)
					}
				}
			}
		})

		t.Run("214 215 everything and nothing", func(t *testing.T) {
			everything, nothing := record(t, watch(t, n, "pet", "TRUE")), record(t, watch(t, n, "pet", "FALSE"))
			add(t, n, "pet", "name", "Pip")
			everything.want("added Pip")
			nothing.want()
		})

		t.Run("225 a stopped subscription", func(t *testing.T) {
			q := watch(t, n, "pet", "x = '225'")
			calls := 0
			stop := q.Subscribe(func(*core.ChangeSet) { calls++ })
			stop()
			stop()
			add(t, n, "pet", "name", "Moss", "x", "225")
			if calls != 1 || rowNames(q, "name") != "Moss" {
				t.Errorf("%d calls, rows %q", calls, rowNames(q, "name"))
			}
		})
	})
}

// TestLiveConditions covers 216 to 223: conditions of every form are live.
func TestLiveConditions(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		owner := add(t, n, "album", "name", "owner")
		for i, c := range []struct {
			label, where  string
			params        []any
			in, out, back []proto.Field
		}{
			{"216 IS NULL", "x IS NULL", nil, with("x", nil), with("x", "a"), with("x", nil)},
			{"217 IN", "x IN ('a', 'b')", nil, with("x", "a"), with("x", "c"), with("x", "b")},
			{"218 NOT", "NOT (x = '1')", nil, with("x", "5"), with("x", "1"), with("x", "2")},
			{"219 literal first", "30 < age", nil, with("age", 31), with("age", 30), with("age", 99)},
			{"220 path to path", "age = limit_age", nil, with("age", 4, "limit_age", 4), with("age", 5), with("limit_age", 5)},
			{"221 negative", "age > -5", nil, with("age", -3), with("age", -7), with("age", 0)},
			{"222 reference", "owner = ?", []any{owner}, with("owner", owner), with("owner", nil), with("owner", owner)},
			{"223 reference as text", "owner = '" + owner.String() + "'", nil, with("owner", owner), with("owner", nil), with("owner", owner)},
			{"LIKE", "x LIKE 'a%'", nil, with("x", "ab"), with("x", "ba"), with("x", "a")},
			{"BETWEEN", "age BETWEEN 1 AND 3", nil, with("age", 1), with("age", 4), with("age", 3)},
			{"id", "id = id AND age = 1", nil, with("age", 1), with("age", 2), with("age", 1)},
		} {
			t.Run(c.label, func(t *testing.T) {
				label := fmt.Sprint("p", i)
				q := watch(t, n, "pet", "("+c.where+") AND name = '"+label+"'", c.params...)
				r := record(t, q)
				var e id.EntityID
				several(t, n, func(tx *core.Tx) (err error) {
					e, err = tx.Create(t.Context(), "pet", append(with("name", label), c.in...))
					return err
				})
				r.want("added " + label)
				several(t, n, func(tx *core.Tx) error { return tx.Set(t.Context(), "pet", e, c.out) })
				r.want("removed " + label)
				several(t, n, func(tx *core.Tx) error { return tx.Set(t.Context(), "pet", e, c.back) })
				r.want("added " + label)
			})
		}
	})
}

// TestLiveEqualsFetched is 224: after any edits, every live result, and what its change
// sets add up to, is what a fetch returns.
func TestLiveEqualsFetched(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		for seed := range uint64(6) {
			rng := rand.New(rand.NewPCG(seed, 9))
			n := open(core.Options{})
			texts := []string{"", "age > 50", "age <= 20 OR x IS NULL", "x IN ('a','b') ORDER BY age DESC",
				"ORDER BY age LIMIT 4", "x = 'a' ORDER BY name, age DESC LIMIT 3", "NOT (x = 'c') ORDER BY x DESC, age LIMIT 7", "LIMIT 0", "age > 30 LIMIT 2"}
			var queries []*core.LiveQuery
			var recorders []*recorder
			for _, text := range texts {
				queries = append(queries, watch(t, n, "pet", text))
				recorders = append(recorders, recordAs(t, queries[len(queries)-1], "id"))
			}
			var pets []id.EntityID
			for step := range 150 {
				several(t, n, func(tx *core.Tx) (err error) {
					for range 1 + rng.IntN(3) {
						var e id.EntityID
						set := with("name", string("klm"[rng.IntN(3)]), "age", rng.IntN(100), "x", string("abc"[rng.IntN(3)]))
						if rng.IntN(5) == 0 {
							set = with("x", nil)
						}
						switch {
						case len(pets) < 10 || rng.IntN(4) == 0:
							if e, err = tx.Create(t.Context(), "pet", append(with("name", "new"), set[1:]...)); err == nil {
								pets = append(pets, e)
							}
						case rng.IntN(6) == 0:
							err = tx.Delete(t.Context(), "pet", pets[rng.IntN(len(pets))])
						case rng.IntN(6) == 0:
							err = tx.Restore(t.Context(), "pet", pets[rng.IntN(len(pets))])
						default:
							err = tx.Set(t.Context(), "pet", pets[rng.IntN(len(pets))], set)
						}
						if err != nil && !errors.Is(err, core.ErrNotFound) {
							return err
						}
					}
					return nil
				})
				for i, q := range queries {
					tx := anonymous(n).Begin()
					rows, err := tx.Fetch(t.Context(), "pet", selection(t, texts[i]))
					tx.Rollback()
					if err != nil {
						t.Fatal(err)
					}
					var want []string
					for _, v := range rows {
						want = append(want, text(v, "id"))
					}
					if got := rowNames(q, "id"); got != strings.Join(want, " ") || recorders[i].shown() != got {
						t.Fatalf("seed %d, step %d, %q:\n shows %s\n by change sets %s\n fetched %s", seed, step, texts[i], got, recorders[i].shown(), want)
					}
				}
			}
		}
	})
}

// TestClosingReleasesEverything is 226.
func TestClosingReleasesEverything(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		before := n.Watches()
		var list []*core.LiveQuery
		for i := range 20 {
			q := watch(t, n, "album", "year > ?", i)
			calls := 0
			q.Subscribe(func(*core.ChangeSet) {
				if calls++; calls > 1 {
					t.Error("called after it was closed")
				}
			})
			list = append(list, q)
		}
		if got := n.Watches(); got != before+20 {
			t.Errorf("%d watches", got)
		}
		for _, q := range list {
			q.Close()
			q.Close()
			if err := q.SetSelection(t.Context(), selection(t, "")); !errors.Is(err, core.ErrClosed) {
				t.Errorf("a selection for a closed query: %v", err)
			}
		}
		eventually(t, "no watches", func() bool { return n.Watches() == before })
		add(t, n, "album", "name", "a", "year", 99)
	})
}

// TestUnsubscribeReachesTheServer is 274 and 275: equal queries share one subscription,
// and the last to close ends it.
func TestUnsubscribeReachesTheServer(t *testing.T) {
	server := durable(t, core.Options{})
	before := server.Watches()
	a := connected(t, server, core.Options{})
	var list []*core.LiveQuery
	for range 100 {
		q := watch(t, a, "album", "year > 2000 ORDER BY name")
		list = append(list, q)
	}
	list = append(list, watch(t, a, "album", "year > 2000"))
	for _, q := range list {
		eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	}
	if got := server.Watches(); got != before+1 {
		t.Errorf("%d watches for equal queries", got-before)
	}
	for i, q := range list {
		if got := server.Watches(); got != before+1 {
			t.Fatalf("%d watches while %d are open", got-before, len(list)-i)
		}
		q.Close()
	}
	eventually(t, "no watches", func() bool { return server.Watches() == before })
}

// TestCallbacks covers 228 and 229: callbacks may close, stop others, panic, and commit
// from another goroutine.
func TestCallbacks(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})

		t.Run("close its own query", func(t *testing.T) {
			q := watch(t, n, "pet", "x = 'close'")
			calls := 0
			q.Subscribe(func(c *core.ChangeSet) {
				if calls++; len(c.Changes) > 0 {
					q.Close()
				}
			})
			add(t, n, "pet", "name", "a", "x", "close")
			add(t, n, "pet", "name", "b", "x", "close")
			if calls != 2 {
				t.Errorf("called %d times", calls)
			}
		})

		t.Run("close more queries than the node's queue holds", func(t *testing.T) {
			small := open(core.Options{Limits: core.Limits{CommitQueue: 2}})
			var list []*core.LiveQuery
			for range 20 {
				list = append(list, watch(t, small, "pet", "x = 'many'"))
			}
			q := watch(t, small, "pet", "")
			q.Subscribe(func(c *core.ChangeSet) {
				if len(c.Changes) > 0 {
					for _, other := range list {
						other.Close()
					}
				}
			})
			add(t, small, "pet", "name", "a")
			eventually(t, "one watch", func() bool { return small.Watches() == 1 })
		})

		t.Run("stop another subscriber", func(t *testing.T) {
			q := watch(t, n, "pet", "x = 'stop'")
			var calls [2]int
			var stops [2]func()
			for i := range 2 {
				stops[i] = q.Subscribe(func(c *core.ChangeSet) {
					if len(c.Changes) > 0 {
						calls[i]++
						stops[1-i]()
					}
				})
			}
			add(t, n, "pet", "name", "a", "x", "stop")
			add(t, n, "pet", "name", "b", "x", "stop")
			if calls[0]+calls[1] != 2 || calls[0]*calls[1] != 0 {
				t.Errorf("called %v", calls)
			}
		})

		t.Run("panic", func(t *testing.T) {
			q := watch(t, n, "pet", "x = 'panic'")
			q.Subscribe(func(c *core.ChangeSet) {
				if len(c.Changes) > 0 {
					panic("a subscriber's defect")
				}
			})
			r, other := record(t, q), record(t, watch(t, n, "pet", "x = 'panic'"))
			add(t, n, "pet", "name", "a", "x", "panic")
			add(t, n, "pet", "name", "b", "x", "panic")
			r.want("added a", "added b")
			other.want("added a", "added b")
		})

		t.Run("commit from another goroutine", func(t *testing.T) {
			q := watch(t, n, "pet", "x = 'commit'")
			var wg sync.WaitGroup
			stop := q.Subscribe(func(c *core.ChangeSet) {
				if len(c.Changes) == 1 && c.Changes[0].Kind == core.ChangeAdded && len(q.Rows()) < 4 {
					wg.Go(func() { add(t, n, "pet", "name", "next", "x", "commit") })
				}
			})
			defer stop()
			add(t, n, "pet", "name", "first", "x", "commit")
			eventually(t, "four", func() bool { return rowNames(q, "name") == "first next next next" })
			wg.Wait()
		})

		t.Run("subscribe and read inside", func(t *testing.T) {
			q := watch(t, n, "pet", "x = 'inside'")
			inner := 0
			q.Subscribe(func(c *core.ChangeSet) {
				if len(c.Changes) > 0 && inner == 0 {
					q.Subscribe(func(c *core.ChangeSet) { inner += len(c.Changes) })
					_, _, _ = q.Rows(), q.Status(), q.Selection()
				}
			})
			add(t, n, "pet", "name", "a", "x", "inside")
			if inner != 1 {
				t.Errorf("the inner one was told of %d rows", inner)
			}
		})
	})
}

// years opens a node with one album for each year.
func years(t *testing.T, n *core.Node, from, to int) map[int]id.EntityID {
	t.Helper()
	list := map[int]id.EntityID{}
	for y := from; y <= to; y++ {
		list[y] = add(t, n, "album", "name", fmt.Sprint(y), "year", y)
	}
	return list
}

// TestWindows covers 230 to 240: a window is refilled, in order, never short and never
// over, with one change set for a transaction.
func TestWindows(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		for _, c := range []struct {
			label    string
			from, to int
			text     string
			leave    []int
			want     string
			after    string
		}{
			{"230", 2020, 2024, "year >= 2020 ORDER BY year LIMIT 3", []int{2021}, "removed 2021, added 2023", "2020 2022 2023"},
			{"231", 2020, 2030, "year >= 2020 ORDER BY year LIMIT 5", []int{2021, 2023}, "removed 2023, removed 2021, added 2025, added 2026", "2020 2022 2024 2025 2026"},
			{"232", 2020, 2025, "year >= 2020 ORDER BY year ASC LIMIT 3", []int{2021}, "removed 2021, added 2023", "2020 2022 2023"},
			{"233", 2020, 2027, "year >= 2020 ORDER BY year DESC LIMIT 4", []int{2024, 2026}, "removed 2024, removed 2026, added 2023, added 2022", "2027 2025 2023 2022"},
		} {
			t.Run(c.label, func(t *testing.T) {
				n := open(core.Options{})
				list := years(t, n, c.from, c.to)
				q := watch(t, n, "album", c.text)
				r := record(t, q)
				several(t, n, func(tx *core.Tx) (err error) {
					for _, y := range c.leave {
						err = errors.Join(err, tx.Set(t.Context(), "album", list[y], with("year", 1999)))
					}
					return err
				})
				r.want(c.want)
				if got := rowNames(q, "name"); got != c.after || r.shown() != c.after {
					t.Errorf("shows %q", got)
				}
			})
		}

		t.Run("234 to 237 rows move", func(t *testing.T) {
			n := open(core.Options{})
			list := years(t, n, 2020, 2025)
			q := watch(t, n, "album", "ORDER BY year LIMIT 3")
			r := record(t, q)
			add(t, n, "album", "name", "x", "year", 2021)
			r.want("removed 2022, added x")
			add(t, n, "album", "name", "y", "year", 2099)
			r.want()
			put(t, n, "album", list[2020], "year", 2022)
			if got := rowNames(q, "name"); got != "2021 x 2020" && got != "2021 x 2022" {
				t.Errorf("shows %q", got)
			}
			r.mu.Lock()
			r.sets = nil
			r.mu.Unlock()
			put(t, n, "album", list[2021], "year", 2000)
			r.want("updated 2021")
			put(t, n, "album", list[2021], "year", 2098)
			if got := rowNames(q, "year"); got != "2021 2022 2022" {
				t.Errorf("shows %q", got)
			}
		})

		t.Run("238 239 equal keys", func(t *testing.T) {
			n := open(core.Options{})
			var list []id.EntityID
			for i := range 40 {
				list = append(list, add(t, n, "album", "name", fmt.Sprint(i), "artist", "same", "year", i/20))
			}
			q, one := watch(t, n, "album", "ORDER BY artist, year LIMIT 3"), watch(t, n, "album", "ORDER BY artist LIMIT 3")
			remove(t, n, "album", list[1])
			several(t, n, func(tx *core.Tx) error {
				return errors.Join(tx.Delete(t.Context(), "album", list[0]), tx.Delete(t.Context(), "album", list[3]))
			})
			for _, q := range []*core.LiveQuery{q, one} {
				if got := rowNames(q, "name"); got != "2 4 5" {
					t.Errorf("shows %q", got)
				}
			}
			several(t, n, func(tx *core.Tx) (err error) {
				for _, e := range list[4:38] {
					err = errors.Join(err, tx.Delete(t.Context(), "album", e))
				}
				return err
			})
			if got := rowNames(one, "name"); got != "2 38 39" {
				t.Errorf("shows %q", got)
			}
		})

		t.Run("240 fewer than the limit", func(t *testing.T) {
			n := open(core.Options{})
			list := years(t, n, 1, 3)
			q := watch(t, n, "album", "ORDER BY year LIMIT 3")
			r := record(t, q)
			remove(t, n, "album", list[2])
			r.want("removed 2")
			add(t, n, "album", "name", "9", "year", 9)
			r.want("added 9")
			if got := rowNames(q, "name"); got != "1 3 9" {
				t.Errorf("shows %q", got)
			}
		})
	})
}

// TestWindowWhenStorageFails is 241: a window that cannot be refilled says so, and is
// whole again once storage answers, without waiting for a change.
func TestWindowWhenStorageFails(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		var broken atomic.Bool
		engine := faulty.Wrap(memory.New(), failing(&broken, faulty.Scan, faulty.Fault{Before: storage.ErrUnavailable}))
		n := open(core.Options{Engine: engine, Limits: core.Limits{Backoff: 1, MaxBackoff: 2}})
		years(t, n, 2000, 2099)
		q := watch(t, n, "album", "ORDER BY year LIMIT 2")
		r := record(t, q)
		var doomed []id.EntityID
		for _, v := range must(anonymous(n).Fetch(t.Context(), "album", selection(t, "year < 2090"))) {
			doomed = append(doomed, v.ID())
		}
		broken.Store(true)
		several(t, n, func(tx *core.Tx) (err error) {
			for _, e := range doomed {
				err = errors.Join(err, tx.Delete(t.Context(), "album", e))
			}
			return err
		})
		eventually(t, "the error is shown", func() bool { return q.Status() == core.QueryError && core.KindOf(q.Err()) == core.KindStorage })
		late, err := anonymous(n).Query("album", selection(t, "ORDER BY year DESC LIMIT 1"))
		if err != nil {
			t.Fatal(err)
		}
		defer late.Close()
		eventually(t, "the new one's error is shown", func() bool { return late.Status() == core.QueryError })
		broken.Store(false)
		eventually(t, "whole again", func() bool {
			return rowNames(q, "name") == "2090 2091" && r.shown() == "2090 2091" && q.Err() == nil && q.Status() != core.QueryError
		})
		eventually(t, "the new one too", func() bool { return rowNames(late, "name") == "2099" && late.Status() != core.QueryError })
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSelectionChanges covers 242 to 247.
func TestSelectionChanges(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		years(t, n, 2020, 2024)
		set := func(q *core.LiveQuery, text string) {
			t.Helper()
			if err := q.SetSelection(t.Context(), selection(t, text)); err != nil {
				t.Fatal(err)
			}
		}

		t.Run("242 in place", func(t *testing.T) {
			q := watch(t, n, "album", "year > 2020 AND year < 2023")
			r := record(t, q)
			set(q, "year > 2021 AND year < 2023")
			r.want("removed 2021")
			set(q, "year >= 2020 AND year < 2023")
			r.want("initial 2020, initial 2021")
			set(q, "year >= 2020 AND year <= 2022")
			r.want()
		})

		t.Run("243 order and limit only", func(t *testing.T) {
			q := watch(t, n, "album", "ORDER BY year LIMIT 2")
			r := record(t, q)
			set(q, "ORDER BY year LIMIT 3")
			r.want("initial 2022")
			set(q, "ORDER BY year DESC LIMIT 3")
			if got := r.shown(); got != "2024 2023 2022" || rowNames(q, "name") != got {
				t.Errorf("shows %q", got)
			}
		})

		t.Run("244 the last of several wins", func(t *testing.T) {
			q := watch(t, n, "album", "year = 2020")
			r := record(t, q)
			outcomes := make(chan error, 3)
			for _, text := range []string{"year = 2021", "year = 2022", "year = 2023"} {
				go func() { outcomes <- q.SetSelection(t.Context(), selection(t, text)) }()
			}
			for range 3 {
				if err := <-outcomes; err != nil {
					t.Error(err)
				}
			}
			set(q, "year = 2024")
			if got := rowNames(q, "name"); got != "2024" || r.shown() != got {
				t.Errorf("shows %q, by change sets %q", got, r.shown())
			}
		})

		t.Run("245 a wrong one", func(t *testing.T) {
			q := watch(t, n, "album", "year = 2020")
			r := record(t, q)
			err := q.SetSelection(t.Context(), selection(t, "yeer = 2021"))
			var where *ankql.Error
			if core.KindOf(err) != core.KindSelection || !errors.As(err, &where) || !strings.Contains(where.Hint+err.Error(), "year") {
				t.Errorf("%v", err)
			}
			r.want()
			if q.Err() != nil || rowNames(q, "name") != "2020" {
				t.Errorf("shows %q, %v", rowNames(q, "name"), q.Err())
			}
			e := add(t, n, "album", "name", "new", "year", 2020)
			r.want("added new")
			remove(t, n, "album", e)
		})

		t.Run("while rows change", func(t *testing.T) {
			q := watch(t, n, "album", "artist = 'none'")
			r := record(t, q)
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range 50 {
					e := add(t, n, "album", "name", "churn", "artist", fmt.Sprint("a", i%3), "year", 1)
					if i%2 == 0 {
						remove(t, n, "album", e)
					}
				}
			})
			for i := range 30 {
				set(q, fmt.Sprintf("artist = 'a%d'", i%3))
			}
			wg.Wait()
			set(q, "artist = 'a1' ORDER BY id")
			want := len(must(anonymous(n).Fetch(t.Context(), "album", selection(t, "artist = 'a1'"))))
			if len(q.Rows()) != want || len(strings.Fields(r.shown())) != want {
				t.Errorf("%d rows, by change sets %q, want %d", len(q.Rows()), r.shown(), want)
			}
		})
	})
}

// TestLimitGrowsAcrossNodes is 247, and 242 between nodes.
func TestLimitGrowsAcrossNodes(t *testing.T) {
	server := durable(t, core.Options{})
	several(t, server, func(tx *core.Tx) (err error) {
		for i := range 100 {
			_, createErr := tx.Create(t.Context(), "album", with("name", fmt.Sprint(i), "year", i))
			err = errors.Join(err, createErr)
		}
		return err
	})
	a := connected(t, server, core.Options{})
	q := watch(t, a, "album", "ORDER BY year DESC LIMIT 33")
	r := record(t, q)
	eventually(t, "33", func() bool { return q.Status() == core.QueryLive && len(q.Rows()) == 33 })
	if err := q.SetSelection(t.Context(), selection(t, "year <= 99 ORDER BY year DESC LIMIT 54")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "54", func() bool { return q.Status() == core.QueryLive && len(q.Rows()) == 54 })
	rows := strings.Fields(r.shown())
	if !slices.Equal(rows, strings.Fields(rowNames(q, "name"))) || rows[0] != "99" || rows[53] != "46" {
		t.Errorf("shows %v", rows)
	}
}

// TestWindowHearsOfRowsPushedOut: a client whose only query is a window does not show a
// row that left the server's window, and was changed or deleted after that, when the
// window grows short again.
func TestWindowHearsOfRowsPushedOut(t *testing.T) {
	server := durable(t, core.Options{})
	a := openAlbums(t, core.Options{})
	local.Connect(server, a)
	waitLive(t, a)
	var stale []id.EntityID
	for i := range 30 {
		stale = append(stale, create(t, server, "stale", int64(500+i)))
	}
	q := watch(t, a, "album", "ORDER BY year LIMIT 3")
	r := record(t, q)
	eventually(t, "three", func() bool { return q.Status() == core.QueryLive && len(q.Rows()) == 3 })
	var fresh []id.EntityID
	for i := range 40 { // all that the client holds is pushed out, with the slack
		fresh = append(fresh, create(t, server, "fresh", int64(100+i)))
	}
	r.mu.Lock()
	r.sets = nil
	r.mu.Unlock()
	for _, e := range stale { // the client does not hear of it
		remove(t, server, "album", e)
	}
	create(t, server, "last", 900)
	several(t, server, func(tx *core.Tx) (err error) {
		for _, e := range fresh {
			err = errors.Join(err, tx.Delete(t.Context(), "album", e))
		}
		return err
	})
	eventually(t, "the one that is left", func() bool { return rowNames(q, "name") == "last" && r.shown() == "last" })
}

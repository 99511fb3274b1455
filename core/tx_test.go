package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// The numbers in the names of tests are those of the catalogue of behaviour that the
// project measures itself against.

// bothKinds runs a test on a durable node, and on an ephemeral one without a connection.
func bothKinds(t *testing.T, test func(t *testing.T, open func(core.Options) *core.Node)) {
	t.Run("durable", func(t *testing.T) {
		test(t, func(o core.Options) *core.Node {
			n := durable(t, o)
			if err := n.Register(t.Context(), pet); err != nil {
				t.Fatal(err)
			}
			return n
		})
	})
	t.Run("ephemeral", func(t *testing.T) {
		test(t, func(o core.Options) *core.Node {
			n := open(t, o)
			if err := n.Register(t.Context(), album, pet); err != nil {
				t.Fatal(err)
			}
			return n
		})
	})
}

func name(t *testing.T, n *core.Node, collection string, e id.EntityID) string {
	t.Helper()
	v, err := anonymous(n).Get(t.Context(), collection, e)
	if err != nil {
		t.Fatal(err)
	}
	return text(v, "name")
}

// TestTransaction covers 85 to 97: what a transaction sees and what others see of it.
func TestTransaction(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		ctx := t.Context()

		t.Run("85 edits are shown by the commit", func(t *testing.T) {
			e := add(t, n, "album", "name", "before")
			tx := anonymous(n).Begin()
			if err := tx.Set(ctx, "album", e, with("name", "after")); err != nil {
				t.Fatal(err)
			}
			if got := name(t, n, "album", e); got != "before" {
				t.Errorf("outside it is %q already", got)
			}
			v, err := tx.Get(ctx, "album", e)
			if err != nil || text(v, "name") != "after" {
				t.Errorf("inside: %v, %v", v, err)
			}
			commit(t, tx)
			if got := name(t, n, "album", e); got != "after" {
				t.Errorf("after the commit it is %q", got)
			}
		})

		t.Run("86 two from one head make a diamond", func(t *testing.T) {
			e := add(t, n, "album", "name", "a", "year", 1)
			one, two := anonymous(n).Begin(), anonymous(n).Begin()
			if err := errors.Join(one.Set(ctx, "album", e, with("name", "b")), two.Set(ctx, "album", e, with("year", 2))); err != nil {
				t.Fatal(err)
			}
			commit(t, one)
			commit(t, two)
			v, err := anonymous(n).Get(ctx, "album", e)
			if err != nil {
				t.Fatal(err)
			}
			if len(v.State().Head) != 2 || text(v, "name") != "b" || text(v, "year") != "2" {
				t.Errorf("%+v", v.State())
			}
			put(t, n, "album", e, "name", "c")
			if v, _ = anonymous(n).Get(ctx, "album", e); len(v.State().Head) != 1 {
				t.Errorf("the next edit leaves the head %v", v.State().Head)
			}
		})

		t.Run("87 reads do not change", func(t *testing.T) {
			e := add(t, n, "album", "name", "a", "year", 1870)
			other := add(t, n, "album", "name", "other", "year", 1870)
			doomed := add(t, n, "album", "name", "doomed", "year", 1870)
			tx := anonymous(n).Begin()
			defer tx.Rollback()
			if err := tx.Set(ctx, "album", e, with("name", "mine")); err != nil {
				t.Fatal(err)
			}
			put(t, n, "album", e, "name", "theirs")
			put(t, n, "album", other, "year", 1999)
			remove(t, n, "album", doomed)
			late := add(t, n, "album", "name", "late", "year", 1870)
			rows, err := tx.Fetch(ctx, "album", selection(t, "year = 1870 ORDER BY name"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range rows {
				got = append(got, text(v, "name"))
			}
			if fmt.Sprint(got) != "[doomed mine other]" {
				t.Errorf("sees %v", got)
			}
			if v, err := tx.Get(ctx, "album", doomed); err != nil || text(v, "name") != "doomed" {
				t.Errorf("what was deleted since: %v", err)
			}
			if _, err := tx.Get(ctx, "album", late); !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrOffline) {
				t.Errorf("what came since: %v", err)
			}
			if rows, err := tx.Fetch(ctx, "album", selection(t, "year = 1870 ORDER BY name LIMIT 2")); err != nil || len(rows) != 2 || text(rows[1], "name") != "mine" {
				t.Errorf("with a limit: %v, %v", rows, err)
			}
		})

		t.Run("88 several sets are one event", func(t *testing.T) {
			e := add(t, n, "album", "name", "a")
			before, _ := anonymous(n).Get(ctx, "album", e)
			tx := anonymous(n).Begin()
			for i := range 5 {
				if err := tx.Set(ctx, "album", e, with("name", fmt.Sprint(i), "year", i)); err != nil {
					t.Fatal(err)
				}
			}
			commit(t, tx)
			after, _ := anonymous(n).Get(ctx, "album", e)
			if len(after.State().Head) != 1 || after.State().Head.Equal(before.State().Head) || text(after, "name") != "4" {
				t.Errorf("%+v", after.State())
			}
		})

		t.Run("89 nothing changed, nothing told", func(t *testing.T) {
			r := record(t, watch(t, n, "album", ""))
			commit(t, anonymous(n).Begin())
			tx := anonymous(n).Begin()
			if _, err := tx.Fetch(ctx, "album", selection(t, "")); err != nil {
				t.Fatal(err)
			}
			receipt := commit(t, tx)
			r.want()
			if err := receipt.Synced(ctx); err != nil {
				t.Errorf("an empty transaction is synced: %v", err)
			}
		})

		t.Run("90 91 a finished transaction", func(t *testing.T) {
			e := add(t, n, "album", "name", "a")
			rolledBack, committed := anonymous(n).Begin(), anonymous(n).Begin()
			if err := rolledBack.Set(ctx, "album", e, with("name", "b")); err != nil {
				t.Fatal(err)
			}
			rolledBack.Rollback()
			rolledBack.Rollback()
			commit(t, committed)
			committed.Rollback()
			for _, tx := range []*core.Tx{rolledBack, committed} {
				_, create := tx.Create(ctx, "album", with("name", "x"))
				_, get := tx.Get(ctx, "album", e)
				_, fetch := tx.Fetch(ctx, "album", selection(t, ""))
				_, again := tx.Commit(ctx)
				for op, err := range map[string]error{
					"create": create, "get": get, "fetch": fetch, "commit": again,
					"set": tx.Set(ctx, "album", e, with("name", "x")), "delete": tx.Delete(ctx, "album", e), "restore": tx.Restore(ctx, "album", e),
				} {
					if !errors.Is(err, core.ErrTxDone) || core.KindOf(err) != core.KindClosed {
						t.Errorf("%s: %v", op, err)
					}
				}
			}
			if got := name(t, n, "album", e); got != "a" {
				t.Errorf("after all that it is %q", got)
			}
		})

		t.Run("93 an entity that never was", func(t *testing.T) {
			ghost := id.EntityID{ULID: id.New(nil)}
			tx := anonymous(n).Begin()
			defer tx.Rollback()
			err := tx.Set(ctx, "album", ghost, with("name", "x"))
			var known *core.Error
			if k := core.KindOf(err); k != core.KindNotFound && k != core.KindOffline || !errors.As(err, &known) || known.Entity != ghost {
				t.Errorf("set: %v", err)
			}
			if _, err := anonymous(n).Get(ctx, "album", ghost); core.KindOf(err) != core.KindOf(known) {
				t.Errorf("get: %v", err)
			}
		})

		t.Run("94 95 create, get, roll back", func(t *testing.T) {
			tx := anonymous(n).Begin()
			e, err := tx.Create(ctx, "album", with("name", "n", "year", 7))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := anonymous(n).Get(ctx, "album", e); err == nil {
				t.Error("seen before the commit")
			}
			commit(t, tx)
			v, err := anonymous(n).Get(ctx, "album", e)
			if err != nil || v.ID() != e || v.Collection() != "album" || text(v, "name") != "n" || text(v, "year") != "7" || !v.Field("artist").IsNull() {
				t.Errorf("%v, %v", v, err)
			}
			tx = anonymous(n).Begin()
			e, _ = tx.Create(ctx, "album", with("name", "n"))
			if err := tx.Set(ctx, "album", e, with("name", "m")); err != nil {
				t.Fatal(err)
			}
			tx.Rollback()
			if _, err := anonymous(n).Get(ctx, "album", e); err == nil {
				t.Error("found after the rollback")
			}
		})

		t.Run("97 two collections, one commit", func(t *testing.T) {
			albums, pets := record(t, watch(t, n, "album", "artist = '97'")), record(t, watch(t, n, "pet", "x = '97'"))
			tx := anonymous(n).Begin()
			for i := range 2 {
				_, err1 := tx.Create(ctx, "album", with("name", fmt.Sprint("a", i), "artist", "97"))
				_, err2 := tx.Create(ctx, "pet", with("name", fmt.Sprint("p", i), "x", "97"))
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
			}
			commit(t, tx)
			albums.want("added a0, added a1")
			pets.want("added p0, added p1")
		})
	})
}

func remove(t testing.TB, n *core.Node, collection string, e id.EntityID) *core.Receipt {
	t.Helper()
	tx := anonymous(n).Begin()
	if err := tx.Delete(t.Context(), collection, e); err != nil {
		t.Fatal(err)
	}
	r, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func restore(t testing.TB, n *core.Node, collection string, e id.EntityID) *core.Receipt {
	t.Helper()
	tx := anonymous(n).Begin()
	if err := tx.Restore(t.Context(), collection, e); err != nil {
		t.Fatal(err)
	}
	r, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestDeniedTransactionLeavesNothing is 92.
func TestDeniedTransactionLeavesNothing(t *testing.T) {
	engine := memory.New()
	n := durable(t, core.Options{Engine: engine, Policy: refuser{policy.Permissive()}})
	e := create(t, n, "fine", 1)
	q := watch(t, n, "album", "")
	r := record(t, q)
	before := n.Published()

	tx := anonymous(n).Begin()
	fresh, err := tx.Create(t.Context(), "album", fields("good", 2))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Set(t.Context(), "album", e, with("name", "forbidden")); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Commit(t.Context())
	var known *core.Error
	if core.KindOf(err) != core.KindDenied || !errors.Is(err, policy.ErrDenied) || !errors.As(err, &known) || known.Entity != e {
		t.Fatalf("commit: %v", err)
	}
	r.want()
	if n.Published() != before || name(t, n, "album", e) != "fine" {
		t.Error("something of it was published")
	}
	events, err := engine.EntityEvents(t.Context(), fresh, id.EventID{}, 0)
	if err != nil || len(events) != 0 {
		t.Errorf("the creation is stored: %v, %v", events, err)
	}
	if events, _ = engine.EntityEvents(t.Context(), e, id.EventID{}, 0); len(events) != 1 {
		t.Errorf("%d events of the entity are stored", len(events))
	}
	put(t, n, "album", e, "name", "later")
	r.want("updated later")
}

// TestCreateNeedsASystem is 98: on a durable node without a system, commits say so and
// may be tried again; an ephemeral node works before it has ever been connected.
func TestCreateNeedsASystem(t *testing.T) {
	n := open(t, core.Options{Durable: true})
	if err := n.Register(t.Context(), album); core.KindOf(err) != core.KindNotReady {
		t.Errorf("register: %v", err)
	}
	if err := n.CreateSystem(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Register(t.Context(), album); err != nil {
		t.Errorf("register again: %v", err)
	}
	create(t, n, "a", 1)

	e := openAlbums(t, core.Options{})
	create(t, e, "a", 1)
	if p := e.Status().Pending; p != 1 {
		t.Errorf("%d pending", p)
	}
}

// TestDeletion is 99: a deleted entity leaves every result, its history stays, an edit
// made without knowing of it does not bring it back, and restoring does.
func TestDeletion(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		ctx := t.Context()
		e := add(t, n, "album", "name", "a", "year", 1)
		all := record(t, watch(t, n, "album", ""))
		window := record(t, watch(t, n, "album", "ORDER BY year LIMIT 3"))

		concurrent := anonymous(n).Begin()
		if err := concurrent.Set(ctx, "album", e, with("name", "edited")); err != nil {
			t.Fatal(err)
		}
		remove(t, n, "album", e)
		all.want("removed a")
		window.want("removed a")
		if _, err := anonymous(n).Get(ctx, "album", e); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("get: %v", err)
		}
		tx := anonymous(n).Begin()
		if err := tx.Set(ctx, "album", e, with("name", "x")); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("edit: %v", err)
		}
		if err := tx.Delete(ctx, "album", e); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("delete: %v", err)
		}
		tx.Rollback()

		commit(t, concurrent)
		all.want()
		window.want()
		if _, err := anonymous(n).Get(ctx, "album", e); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("get after a concurrent edit: %v", err)
		}

		restore(t, n, "album", e)
		all.want("added edited")
		window.want("added edited")
		tx = anonymous(n).Begin()
		if err := tx.Restore(ctx, "album", e); err != nil {
			t.Errorf("restoring what is there: %v", err)
		}
		commit(t, tx)
		all.want()
	})
}

// TestDeleteAndRestoreInOneTransaction: only the outcome is seen.
func TestDeleteAndRestoreInOneTransaction(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		ctx := t.Context()
		e := add(t, n, "album", "name", "a")
		r := record(t, watch(t, n, "album", ""))
		tx := anonymous(n).Begin()
		if err := tx.Delete(ctx, "album", e); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Get(ctx, "album", e); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("get inside: %v", err)
		}
		if rows, err := tx.Fetch(ctx, "album", selection(t, "")); err != nil || len(rows) != 0 {
			t.Errorf("fetch inside: %v, %v", rows, err)
		}
		if err := tx.Restore(ctx, "album", e); err != nil {
			t.Fatal(err)
		}
		if err := tx.Set(ctx, "album", e, with("name", "b")); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		r.want("updated b")

		tx = anonymous(n).Begin()
		fresh, err := tx.Create(ctx, "album", with("name", "c"))
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Delete(ctx, "album", fresh); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		r.want()
	})
}

// TestCancelledCommit is 100: where the caller's context ends, the transaction happens
// whole or not at all.
func TestCancelledCommit(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		hold := make(chan struct{})
		engine := faulty.Wrap(memory.New(), nil)
		n := open(core.Options{Engine: engine})
		e := add(t, n, "album", "name", "a")
		entered := make(chan struct{}, 16)
		engine.Decide(func(c faulty.Call) faulty.Fault {
			if c.Op != faulty.Commit {
				return faulty.Fault{}
			}
			entered <- struct{}{}
			return faulty.Fault{Wait: hold}
		})
		ctx, cancel := context.WithCancel(t.Context())
		tx := anonymous(n).Begin()
		fresh, err := tx.Create(ctx, "album", with("name", "b"))
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Set(ctx, "album", e, with("name", "c")); err != nil {
			t.Fatal(err)
		}
		outcome := make(chan error, 1)
		go func() {
			_, err := tx.Commit(ctx)
			outcome <- err
		}()
		<-entered
		cancel()
		if err := <-outcome; !errors.Is(err, context.Canceled) || core.KindOf(err) != core.KindDeadline {
			t.Fatalf("commit: %v", err)
		}
		close(hold)
		engine.Decide(nil)
		add(t, n, "album", "name", "after it")
		if name(t, n, "album", e) != "c" || name(t, n, "album", fresh) != "b" {
			t.Error("it was taken, and is not there whole")
		}

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		tx = anonymous(n).Begin()
		if err := tx.Set(t.Context(), "album", e, with("name", "d")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Set(t.Context(), "album", fresh, with("name", "d")); err != nil {
			t.Fatal(err)
		}
		_, err = tx.Commit(ended)
		add(t, n, "album", "name", "after it")
		if one, two := name(t, n, "album", e), name(t, n, "album", fresh); (one == "d") != (two == "d") {
			t.Errorf("half of it: %q, %q, %v", one, two, err)
		}
	})
}

// TestSnapshotOfACommitUnderWay: a transaction that begins while a commit is being stored
// sees all of it or nothing, however long it looks.
func TestSnapshotOfACommitUnderWay(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		engine := faulty.Wrap(memory.New(), nil)
		n := open(core.Options{Engine: engine})
		one, two := add(t, n, "album", "name", "old"), add(t, n, "album", "name", "old")
		entered, hold := make(chan struct{}), make(chan struct{})
		var once sync.Once
		engine.Decide(func(c faulty.Call) (f faulty.Fault) {
			if c.Op == faulty.Commit {
				once.Do(func() {
					close(entered)
					f.Wait = hold
				})
			}
			return f
		})
		writer := anonymous(n).Begin()
		if err := errors.Join(writer.Set(t.Context(), "album", one, with("name", "new")), writer.Set(t.Context(), "album", two, with("name", "new"))); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := writer.Commit(t.Context())
			done <- err
		}()
		<-entered
		reader := anonymous(n).Begin()
		defer reader.Rollback()
		first, err := reader.Get(t.Context(), "album", one)
		if err != nil {
			t.Fatal(err)
		}
		close(hold)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		second, err := reader.Get(t.Context(), "album", two)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := reader.Fetch(t.Context(), "album", selection(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range append(rows, second) {
			if text(v, "name") != text(first, "name") {
				t.Errorf("first %q, then %q", text(first, "name"), text(v, "name"))
			}
		}
	})
}

// TestSnapshotLimit: a transaction that stays open while too much changes fails with
// KindLimit, and costs others nothing.
func TestSnapshotLimit(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{Limits: core.Limits{SnapshotRecords: 3}})
		e := add(t, n, "album", "name", "a")
		tx := anonymous(n).Begin()
		defer tx.Rollback()
		for range 10 { // one entity however often
			put(t, n, "album", e, "name", "b")
		}
		if v, err := tx.Get(t.Context(), "album", e); err != nil || text(v, "name") != "a" {
			t.Fatalf("%v, %v", v, err)
		}
		for range 5 {
			add(t, n, "album", "name", "c")
		}
		if _, err := tx.Fetch(t.Context(), "album", selection(t, "")); core.KindOf(err) != core.KindLimit {
			t.Errorf("fetch: %v", err)
		}
		if _, err := tx.Get(t.Context(), "album", e); core.KindOf(err) != core.KindLimit {
			t.Errorf("get: %v", err)
		}
		put(t, n, "album", e, "name", "d")
	})
}

// TestTransactionLimits: what no peer would accept is refused before it is shown.
func TestTransactionLimits(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{Limits: core.Limits{TxEvents: 8, TxBytes: 10_000}})
		r := record(t, watch(t, n, "album", ""))
		for _, c := range []struct {
			label string
			rows  int
			size  int
			kind  core.Kind
		}{
			{"as many as may be", 8, 1, core.KindNone},
			{"too many events", 9, 1, core.KindLimit},
			{"too many bytes", 2, 6000, core.KindTooLarge},
			{"an event of more than a megabyte", 1, proto.MaxEventBytes + 1, core.KindTooLarge},
		} {
			tx := anonymous(n).Begin()
			var err error
			for range c.rows {
				_, refused := tx.Create(t.Context(), "album", with("name", string(make([]byte, c.size))))
				err = cmp.Or(err, refused)
			}
			if err == nil {
				_, err = tx.Commit(t.Context())
			}
			if core.KindOf(err) != c.kind {
				t.Errorf("%s: %v", c.label, err)
			}
			if c.kind == core.KindNone {
				r.want(strings.Repeat(", added \x00", c.rows)[2:])
			}
			r.want()
		}
	})
}

// TestFieldsFollowTheModel: what does not fit is refused where it is written.
func TestFieldsFollowTheModel(t *testing.T) {
	n := durable(t, core.Options{})
	for _, c := range []struct {
		label string
		pairs []proto.Field
	}{
		{"required property left out", with("year", 1)},
		{"unknown property", with("name", "a", "nmae", "b")},
		{"null where a value is required", with("name", nil)},
		{"text that is no number", with("name", "a", "year", "soon")},
		{"the deletion mark", append(with("name", "a"), proto.Field{Name: proto.Deleted, Value: value.Bool(true)})},
	} {
		tx := anonymous(n).Begin()
		if _, err := tx.Create(t.Context(), "album", c.pairs); core.KindOf(err) != core.KindSchema {
			t.Errorf("%s: %v", c.label, err)
		}
		tx.Rollback()
	}
	tx := anonymous(n).Begin()
	defer tx.Rollback()
	if _, err := tx.Create(t.Context(), "nothing", with("name", "a")); core.KindOf(err) != core.KindSchema {
		t.Errorf("unknown collection: %v", err)
	}
	if _, err := tx.Create(t.Context(), "album", with("name", "a", "year", "1999")); err != nil {
		t.Errorf("text that is a number: %v", err)
	}
}

// TestConcurrentTransactions: many writers race, and no reader sees half of a transaction.
func TestConcurrentTransactions(t *testing.T) {
	n := durable(t, core.Options{Limits: core.Limits{GroupCommit: 3}})
	shared := create(t, n, "0", 0)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				tx := anonymous(n).Begin()
				err := tx.Set(t.Context(), "album", shared, with("name", fmt.Sprint(w*100+i)))
				for range 2 {
					_, createErr := tx.Create(t.Context(), "album", with("name", "pair", "artist", "both"))
					err = errors.Join(err, createErr)
				}
				if _, commitErr := tx.Commit(t.Context()); errors.Join(err, commitErr) != nil {
					t.Error(err, commitErr)
				}
				rows, err := anonymous(n).Fetch(t.Context(), "album", selection(t, "artist = 'both'"))
				if err != nil || len(rows)%2 != 0 {
					t.Errorf("half of a transaction: %d rows, %v", len(rows), err)
				}
			}
		})
	}
	wg.Wait()
	if v, err := anonymous(n).Get(t.Context(), "album", shared); err != nil || len(v.State().Head) > proto.MaxClock {
		t.Errorf("%v, %v", v, err)
	}
}

// measured is an engine whose first commit of album events waits, and that tells the largest batch.
type measured struct {
	storage.Engine
	begun, gate chan struct{}
	once        sync.Once
	largest     atomic.Int64 // bytes of events
}

func (e *measured) Commit(ctx context.Context, b *storage.Batch) error {
	bytes := 0
	for _, event := range b.Events {
		bytes += event.EncodedSize()
	}
	if bytes > 100_000 {
		e.once.Do(func() { close(e.begun); <-e.gate })
		e.largest.Store(max(e.largest.Load(), int64(bytes)))
	}
	return e.Engine.Commit(ctx, b)
}

// Transactions that wait for storage become one batch, but not one of any size: an engine holds it
// in memory.
func TestLargeTransactionsAreNotOneBatch(t *testing.T) {
	e := &measured{Engine: memory.New(), begun: make(chan struct{}), gate: make(chan struct{})}
	n := durable(t, core.Options{Engine: e})
	var later sync.WaitGroup
	later.Go(func() { create(t, n, strings.Repeat("x", 500_000), 1) })
	<-e.begun
	for range 30 {
		later.Go(func() { create(t, n, strings.Repeat("x", 500_000), 1) })
	}
	close(e.gate)
	later.Wait()
	if largest := e.largest.Load(); largest < 1_000_000 || largest > 5<<20 {
		t.Errorf("the largest batch has %d bytes of events", largest)
	}
}

package core_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// TestWindowIsNotRefilledWithStaleRows: a node that was away asks for the rows of its window
// that the answer does not name, and then for those that its own storage fills the window
// with in their place, until all that it shows is known.
func TestWindowIsNotRefilledWithStaleRows(t *testing.T) {
	for _, text := range []string{"ORDER BY year LIMIT 3", "LIMIT 1", "year >= 0 ORDER BY year DESC LIMIT 20"} {
		t.Run(text, func(t *testing.T) {
			server := durable(t, core.Options{})
			a, link := linked(t, server, core.Options{})
			all := liveOn(t, a, "")
			var list []id.EntityID
			several(t, server, func(tx *core.Tx) (err error) {
				for i := range 200 {
					e, createErr := tx.Create(t.Context(), "album", fields(fmt.Sprint(i), int64(i)))
					list, err = append(list, e), errors.Join(err, createErr)
				}
				return err
			})
			eventually(t, "all", func() bool { return len(all.Rows()) == 200 })
			all.Close()
			q := liveOn(t, a, text)
			offline(t, a, link)
			several(t, server, func(tx *core.Tx) (err error) {
				for _, e := range list {
					err = errors.Join(err, tx.Delete(t.Context(), "album", e))
				}
				return err
			})
			local.Connect(server, a)
			eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
			if n := len(q.Rows()); n > 0 {
				t.Errorf("%d rows of none, %s first", n, text)
			}
		})
	}
}

// TestStrayedWindowIsNotLiveBeforeItsRowsAreHere: where a window has moved while its answer was on
// its way, that says nothing against the rows it shows by then. They are asked for, and before they
// are here the window is not live: it may show some of a transaction.
func TestStrayedWindowIsNotLiveBeforeItsRowsAreHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := handmade()
		a := openAlbums(t, core.Options{})
		w, frames := s.connected(t, a)
		all := query(t, a, "year > 0")
		first, second := w.creation("album", with("name", "first", "year", 1)), w.creation("album", with("name", "second", "year", 2))
		rows := []proto.Row{{Entity: first.Entity, Rev: 1, State: must(entity.Apply(nil, first))}, {Entity: second.Entity, Rev: 1, State: must(entity.Apply(nil, second))}}
		w.send(&proto.Rows{Sub: next[*proto.Subscribe](frames).Sub, Collection: "album", Complete: true, Done: true, Rows: rows})
		synctest.Wait()
		all.Close()

		q, err := anonymous(a).QueryWindow("album", selection(t, "ORDER BY year"), core.Window{After: 5})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		sub := next[*proto.Subscribe](frames)
		for _, n := range []int{50, 5} { // and back again
			if err := q.Move(t.Context(), core.Window{After: n}); err != nil {
				t.Fatal(err)
			}
		}
		// One transaction has deleted the first album and changed the second one.
		rows[1] = proto.Row{Entity: second.Entity, Rev: 2, State: must(entity.Apply(rows[1].State, w.edit(second, with("year", 3))))}
		w.send(&proto.Rows{Sub: sub.Sub, Collection: "album", Complete: true, Done: true, Rows: rows[1:]})
		synctest.Wait()
		if q.Status() != core.QueryLocal || rowNames(q, "name") != "first second" {
			t.Errorf("before its rows are here it is %v, with %s", q.Status(), rowNames(q, "name"))
		}
		get := next[*proto.Get](frames)
		w.send(&proto.Rows{Sub: get.Request, Collection: "album", Complete: true, Done: true, Rows: rows[1:], Gone: []id.EntityID{first.Entity}})
		synctest.Wait()
		if q.Status() != core.QueryLive || rowNames(q, "name") != "second" {
			t.Errorf("when its rows are here it is %v, with %s", q.Status(), rowNames(q, "name"))
		}
	})
}

// unscannable returns a client whose storage cannot be scanned while broken is set, and what comes
// of its connections.
func unscannable(t *testing.T) (broken *atomic.Bool, a *core.Node, conns <-chan *wire, frames <-chan proto.Frame) {
	t.Helper()
	broken = new(atomic.Bool)
	engine := faulty.Wrap(memory.NewDisk().Open(), failing(broken, faulty.Scan, faulty.Fault{Before: storage.ErrUnavailable}))
	a = open(t, core.Options{Engine: engine})
	register(t, a)
	conns, frames = handmade().listen(t, a)
	return broken, a, conns, frames
}

// TestOnlyWhatWasHeldAgainstTheRowsIsResumed: storage fails while an answer is shown, so that the
// rows which it does not name are not looked at. Who asks for the same later names them again,
// and does not go on from where that answer was.
func TestOnlyWhatWasHeldAgainstTheRowsIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, a, conns, frames := unscannable(t)
		w := <-conns
		w.send(&proto.Pong{Position: proto.Position{{Epoch: id.EpochID{ULID: id.New(nil)}, Seq: 9}}})
		answer := func(collection string, rows ...proto.Row) {
			w.send(&proto.Rows{Sub: next[*proto.Subscribe](frames).Sub, Collection: collection, Complete: true, Done: true, Rows: rows})
			synctest.Wait()
		}
		query := func(collection, text string) *core.LiveQuery {
			q, err := anonymous(a).Query(collection, selection(t, text))
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		defer query("record", "artist.name = 'muse'").Close() // what happens to artists is looked up for it
		answer("record")
		stays, goes := w.creation("artist", with("name", "stays")), w.creation("artist", with("name", "goes"))
		row := proto.Row{Entity: stays.Entity, Rev: 1, State: must(entity.Apply(nil, stays))}
		defer query("artist", "name IS NOT NULL").Close()
		answer("artist", row, proto.Row{Entity: goes.Entity, Rev: 1, State: must(entity.Apply(nil, goes))})

		q := query("artist", "")
		synctest.Wait()
		broken.Store(true)
		row.Rev, row.State = 2, must(entity.Apply(row.State, w.edit(stays, with("name", "muse"))))
		answer("artist", row)
		if q.Status() != core.QueryError {
			t.Fatalf("it is %v", q.Status())
		}
		q.Close()
		broken.Store(false)
		defer query("artist", "").Close()
		if sub := next[*proto.Subscribe](frames); len(sub.After) != 0 || len(sub.Known) != 2 {
			t.Errorf("it goes on from %v, with %+v", sub.After, sub.Known)
		}
	})
}

// TestWhatRowsReferToIsDoubtedWithThem: storage fails while an answer is shown that does not name a
// row any more, since what that refers to has changed. Both are asked for when the row is read
// again.
func TestWhatRowsReferToIsDoubtedWithThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, a, conns, frames := unscannable(t)
		w := <-conns
		artist := w.creation("artist", with("name", "muse"))
		record := w.creation("record", with("artist", artist.Entity, "name", "drones"))
		there := make(map[id.EntityID]proto.Row)
		for _, e := range []*proto.Event{artist, record} {
			there[e.Entity] = proto.Row{Entity: e.Entity, Rev: 1, State: must(entity.Apply(nil, e))}
		}
		answer := func(number uint64, complete bool, entities ...id.EntityID) {
			parts := map[string]*proto.Rows{"artist": {Sub: number, Collection: "artist"}, "record": {Sub: number, Collection: "record", Complete: complete, Done: true}}
			for _, e := range entities {
				collection := "artist"
				if e == record.Entity {
					collection = "record"
				}
				parts[collection].Rows = append(parts[collection].Rows, there[e])
			}
			w.send(parts["artist"])
			w.send(parts["record"])
			synctest.Wait()
		}
		q, err := anonymous(a).Query("record", selection(t, "artist.name = 'muse'"))
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		answer(next[*proto.Subscribe](frames).Sub, true, artist.Entity, record.Entity)
		if rowNames(q, "name") != "drones" {
			t.Fatalf("shows %q", rowNames(q, "name"))
		}
		w.conn.Close("cut")
		w = <-conns
		sub := next[*proto.Subscribe](frames)
		there[artist.Entity] = proto.Row{Entity: artist.Entity, Rev: 2, State: must(entity.Apply(there[artist.Entity].State, w.edit(artist, with("name", "renamed"))))}
		other := w.creation("artist", with("name", "other")) // to be looked up for the query
		there[other.Entity] = proto.Row{Entity: other.Entity, Rev: 1, State: must(entity.Apply(nil, other))}
		broken.Store(true)
		answer(sub.Sub, true, other.Entity)
		if q.Status() != core.QueryError {
			t.Fatalf("it is %v", q.Status())
		}
		broken.Store(false)
		for q.Status() != core.QueryLive {
			select {
			case f := <-frames:
				if get, ok := f.(*proto.Get); ok {
					answer(get.Request, true, get.Entities...)
				}
			case <-time.After(time.Minute):
				t.Fatalf("it is %v", q.Status())
			}
		}
		if rowNames(q, "name") != "" {
			t.Errorf("shows %q", rowNames(q, "name"))
		}
	})
}

// TestNotLiveBeforeTheRowsThatAcknowledgementsWaitFor: a row matches by what this node did. It has been
// acknowledged, on top of what this node does not know, so that the row has been asked for. An
// answer that does not speak of it does not make the query live before the row is here.
func TestNotLiveBeforeTheRowsThatAcknowledgementsWaitFor(t *testing.T) {
	for _, complete := range []bool{true, false} {
		t.Run(fmt.Sprint(complete), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := openAlbums(t, core.Options{})
				add(t, a, "album", "name", "x")
				w, frames := handmade().connected(t, a)
				c := next[*proto.Commit](frames)
				q, err := anonymous(a).Query("album", selection(t, ""))
				if err != nil {
					t.Fatal(err)
				}
				defer q.Close()
				sub := next[*proto.Subscribe](frames)
				// It came before, and somebody has deleted it since.
				e := c.Events[0]
				w.send(&proto.Ack{Transaction: c.Transaction, Rows: []proto.AckRow{{Entity: e.Entity, Rev: 2, Before: proto.NewClock(w.edit(e, with("year", 1)).ID), Known: true}}})
				w.send(&proto.Rows{Sub: sub.Sub, Collection: "album", Complete: complete, Done: true})
				synctest.Wait()
				if q.Status() != core.QueryLocal || rowNames(q, "name") != "x" {
					t.Errorf("before the row is here it is %v, with %q", q.Status(), rowNames(q, "name"))
				}
				for q.Status() != core.QueryLive {
					get := next[*proto.Get](frames)
					w.send(&proto.Rows{Sub: get.Request, Collection: "album", Complete: true, Done: true, Gone: get.Entities})
					synctest.Wait()
				}
				if rowNames(q, "name") != "" {
					t.Errorf("it shows %q", rowNames(q, "name"))
				}
			})
		})
	}
}

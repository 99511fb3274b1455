package storagetest

import (
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

func named(name string) proto.Field { return proto.Field{Name: "name", Value: value.String(name)} }

func emptyEngine(t *testing.T, e storage.Engine) {
	w := NewWorld(1)
	wantRecords(t, records(t, e, w.Entity(), w.Entity()), []*proto.Record{nil, nil})
	wantRecords(t, records(t, e), nil)
	wantEvents(t, events(t, e, id.EventID(w.Entity())), []*proto.Event{nil})
	wantEvents(t, history(t, e, w.Entity(), id.EventID{}, 10), nil)
	wantRecords(t, scanAll(t, e, selection(t, "true"), nil, 10), nil)
	wantFeed(t, e, w.Node, 0, 10, nil)
	wantOutbox(t, e, 0, 10, nil)
	wantMeta(t, e, []string{"a", "b"}, [][]byte{nil, nil})
	commit(t, e, storage.Batch{})
}

func recordsComeBack(t *testing.T, e storage.Engine) {
	w := NewWorld(2)
	recs := createAlbums(t, e, w, 40)

	_, pending := w.Create(Albums, named("pending")) // as on an ephemeral node
	pending.Rev, pending.Base = 0, &proto.State{}
	_, edited := w.Create("artist", named("edited"))
	edited.Rev, edited.Base = 1<<63, recs[0].State
	_, gone := w.Delete(recs[1])
	_, bare := w.Create("artist")
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{
		{Record: pending}, {Record: edited}, {Record: gone, Expect: recs[1].State.Head}, {Record: bare},
	}})
	recs[1] = gone
	recs = append(recs, pending, edited, bare)

	var asked []id.EntityID
	var want []*proto.Record
	for _, rec := range recs { // in an order of the caller's, some twice, some unknown
		asked = append(asked, rec.Entity, w.Entity())
		want = append(want, rec, nil)
	}
	asked = append(asked, recs[0].Entity)
	want = append(want, recs[0])
	for range 2 { // what an engine remembers from the first time changes nothing
		wantRecords(t, records(t, e, asked...), want)
	}
}

func eventsComeBack(t *testing.T, e storage.Engine) {
	w := NewWorld(3)
	created, rec := w.Create(Albums, w.AlbumFields()...)
	edited, _ := w.Edit(rec, named("x"))
	commit(t, e, storage.Batch{Events: []*proto.Event{created, edited}})
	commit(t, e, storage.Batch{Events: []*proto.Event{edited}}) // they are idempotent
	unknown := id.EventID(w.Entity())
	wantEvents(t, events(t, e, edited.ID, unknown, created.ID, edited.ID), []*proto.Event{edited, nil, created, edited})
	wantRecords(t, records(t, e, rec.Entity), []*proto.Record{nil}) // an event is no record
}

func entityEvents(t *testing.T, e storage.Engine) {
	w := NewWorld(4)
	var evs []*proto.Event
	ev, rec := w.Create(Albums)
	evs = append(evs, ev)
	for range 9 {
		ev, rec = w.Edit(rec, named("x"))
		evs = append(evs, ev)
	}
	for i := len(evs) - 1; i >= 0; i-- { // the order of commits is not that of ids
		other, _ := w.Create(Albums, named("other"))
		commit(t, e, storage.Batch{Events: []*proto.Event{evs[i], other}})
	}
	wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 0), evs)
	wantEvents(t, history(t, e, rec.Entity, evs[3].ID, 4), evs[4:8])
	wantEvents(t, history(t, e, rec.Entity, evs[9].ID, 4), nil)
	between := id.EventID{ULID: id.Make(evs[3].ID.Stamp()+1, [8]byte{})}
	wantEvents(t, history(t, e, rec.Entity, between, 1), evs[4:5])
	wantEvents(t, history(t, e, w.Entity(), id.EventID{}, 4), nil)
}

// An ephemeral node holds records whose history it was never sent.
func entityEventsWithoutCreation(t *testing.T, e storage.Engine) {
	w := NewWorld(5)
	created, rec := w.Create(Albums)
	first, rec := w.Edit(rec, named("a"))
	second, rec := w.Edit(rec, named("b"))
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
	wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 1), nil)
	commit(t, e, storage.Batch{Events: []*proto.Event{second, first}})
	wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 1), []*proto.Event{first})
	wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 2), []*proto.Event{first, second})
	wantEvents(t, events(t, e, created.ID), []*proto.Event{nil})
	commit(t, e, storage.Batch{Events: []*proto.Event{created}})
	wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 2), []*proto.Event{created, first})
	wantRecords(t, records(t, e, rec.Entity), []*proto.Record{rec})
}

func commitExpectsHeads(t *testing.T, e storage.Engine) {
	w := NewWorld(6)
	_, rec := create(t, e, w, named("a"))
	_, one := w.Edit(rec, named("b"))
	_, two := w.Edit(rec, named("c"))
	both := *one
	both.State = &proto.State{Head: proto.NewClock(one.State.Head[0], two.State.Head[0]), Properties: one.State.Properties}
	write := func(r *proto.Record, expect proto.Clock) storage.Batch {
		return storage.Batch{Records: []storage.RecordWrite{{Record: r, Expect: expect}}}
	}

	wantConflict(t, e, write(one, nil))                                           // there is a record
	wantConflict(t, e, write(one, two.State.Head))                                // with another head
	wantConflict(t, e, write(one, both.State.Head))                               // or part of the one expected
	wantConflict(t, e, write(mustCreate(w), rec.State.Head))                      // there is no record
	commit(t, e, write(one, rec.State.Head))                                      // that is it
	wantConflict(t, e, write(two, rec.State.Head))                                // not any more
	commit(t, e, write(&both, one.State.Head))                                    // a head of two events
	wantConflict(t, e, write(two, one.State.Head))                                // one of which is not all
	wantConflict(t, e, write(two, two.State.Head))                                // nor is the other
	wantConflict(t, e, write(two, nil))                                           // still there
	wantRecords(t, records(t, e, rec.Entity), []*proto.Record{&both})             // nothing of that was stored
	rebased := both                                                               // the head stays
	rebased.Base = rec.State                                                      // and the rest changes
	commit(t, e, write(&rebased, both.State.Head))                                // as when a base is confirmed
	commit(t, e, write(two, both.State.Head))                                     // and the head still decides
	wantRecords(t, records(t, e, rec.Entity), []*proto.Record{two})               // so this is the last
	wantRecords(t, scanAll(t, e, selection(t, ""), nil, 9), []*proto.Record{two}) // and the only one
}

func mustCreate(w *World) *proto.Record {
	_, rec := w.Create(Albums)
	return rec
}

func conflictStoresNothing(t *testing.T, e storage.Engine) {
	w := NewWorld(7)
	_, rec := create(t, e, w, named("a"))
	_, kept := create(t, e, w, named("kept"))
	feed := &proto.FeedEntry{Seq: 1, Transaction: w.Transaction()}
	commit(t, e, storage.Batch{
		FeedID: w.Node, Feed: []*proto.FeedEntry{feed},
		Outbox: []storage.OutboxEntry{{Seq: 1, Data: []byte("one")}},
		Meta:   []storage.MetaEntry{{Key: "k", Value: []byte("v")}},
	})
	full := func() storage.Batch {
		ev, created := w.Create(Albums, named("new"))
		return storage.Batch{
			Events:  []*proto.Event{ev},
			Records: []storage.RecordWrite{{Record: created}},
			Evict:   []id.EntityID{kept.Entity},
			Outbox:  []storage.OutboxEntry{{Seq: 1}, {Seq: 2, Data: []byte("two")}},
			Meta:    []storage.MetaEntry{{Key: "k"}, {Key: "new", Value: []byte("x")}},
			FeedID:  w.Node, Feed: []*proto.FeedEntry{{Seq: 2, Transaction: w.Transaction()}},
		}
	}
	check := func(b storage.Batch) {
		t.Helper()
		wantConflict(t, e, b)
		wantEvents(t, events(t, e, b.Events[0].ID), []*proto.Event{nil})
		wantEvents(t, history(t, e, b.Events[0].Entity, id.EventID{}, 9), nil)
		wantRecords(t, records(t, e, b.Events[0].Entity, rec.Entity, kept.Entity), []*proto.Record{nil, rec, kept})
		wantOutbox(t, e, 0, 9, []storage.OutboxEntry{{Seq: 1, Data: []byte("one")}})
		wantMeta(t, e, []string{"k", "new"}, [][]byte{[]byte("v"), nil})
		wantFeed(t, e, w.Node, 0, 9, []*proto.FeedEntry{feed})
		wantRecords(t, scanAll(t, e, selection(t, "true"), nil, 9), []*proto.Record{rec, kept})
	}

	_, edited := w.Edit(rec, named("b"))
	b := full()
	b.Records = append(b.Records, storage.RecordWrite{Record: edited, Expect: edited.State.Head})
	check(b)
	b = full()
	b.Records = append([]storage.RecordWrite{{Record: edited}}, b.Records...)
	check(b)
	b = full()
	b.Feed = append(b.Feed, &proto.FeedEntry{Seq: 1, Transaction: w.Transaction()})
	check(b)
	commit(t, e, full()) // and it was nothing else that was wrong
}

func evict(t *testing.T, e storage.Engine) {
	w := NewWorld(8)
	ev, rec := create(t, e, w, named("a"))
	_, kept := create(t, e, w, named("b"))
	_, bare := w.Create(Albums, named("sent")) // a record without events
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: bare}}})
	commit(t, e, storage.Batch{Evict: []id.EntityID{rec.Entity, bare.Entity, w.Entity()}})
	for range 2 {
		wantRecords(t, records(t, e, rec.Entity, kept.Entity, bare.Entity), []*proto.Record{nil, kept, nil})
		wantRecords(t, scanAll(t, e, selection(t, "true ORDER BY name"), nil, 9), []*proto.Record{kept})
		wantEvents(t, events(t, e, ev.ID), []*proto.Event{ev})
		wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 9), []*proto.Event{ev})
		commit(t, e, storage.Batch{Evict: []id.EntityID{rec.Entity}}) // a second time
	}
}

func evictAndReturn(t *testing.T, e storage.Engine) {
	w := NewWorld(9)
	_, rec := create(t, e, w, named("a"))
	_, bare := w.Create(Albums, named("sent"))
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: bare}}})
	commit(t, e, storage.Batch{Evict: []id.EntityID{rec.Entity, bare.Entity}})
	_, later := w.Edit(rec, named("later"))
	wantConflict(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: later, Expect: rec.State.Head}}})
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: later}, {Record: bare}}})
	wantRecords(t, records(t, e, rec.Entity, bare.Entity), []*proto.Record{later, bare})
	wantRecords(t, scanAll(t, e, selection(t, "true"), nil, 9), []*proto.Record{later, bare})
}

func ownership(t *testing.T, e storage.Engine) {
	w := NewWorld(10)
	_, rec := create(t, e, w, named("a"))
	commit(t, e, storage.Batch{
		Outbox: []storage.OutboxEntry{{Seq: 1, Data: []byte("one")}, {Seq: 2, Data: []byte("two")}},
		Meta:   []storage.MetaEntry{{Key: "k", Value: []byte("v")}},
		FeedID: w.Node, Feed: []*proto.FeedEntry{{Seq: 1}, {Seq: 2}},
	})
	for range 2 {
		recs := records(t, e, rec.Entity)
		wantRecords(t, recs, []*proto.Record{rec})
		recs[0] = nil
		box, err := e.Outbox(t.Context(), 0, 9)
		if err != nil || len(box) != 2 || string(box[0].Data) != "one" || string(box[1].Data) != "two" {
			t.Fatalf("outbox %v, %v", box, err)
		}
		box[0].Data[0], box[1] = 'x', storage.OutboxEntry{}
		values, err := e.Meta(t.Context(), "k")
		if err != nil || string(values[0]) != "v" {
			t.Fatalf("meta %q, %v", values, err)
		}
		values[0][0] = 'x'
		feed, err := e.Feed(t.Context(), w.Node, 0, 9)
		if err != nil || len(feed) != 2 || feed[0].Seq != 1 {
			t.Fatalf("feed %v, %v", feed, err)
		}
		feed[0], feed[1] = feed[1], nil
	}
}

// largeBatch holds what a node catching up commits at once.
func largeBatch(t *testing.T, e storage.Engine) {
	w := NewWorld(11)
	recs := createAlbums(t, e, w, 1500)
	s := selection(t, "year > 0 ORDER BY year DESC, name")
	wantRecords(t, scanAll(t, e, s, nil, 700), selected(recs, s, nil))
	s = selection(t, "true")
	wantRecords(t, scanAll(t, e, s, nil, storage.MaxPage), selected(recs, s, nil))

	var b storage.Batch
	for _, rec := range recs {
		ev, edited := w.Edit(rec, named("edited"))
		b.Events = append(b.Events, ev)
		b.Records = append(b.Records, storage.RecordWrite{Record: edited, Expect: rec.State.Head})
	}
	commit(t, e, b)
	wantConflict(t, e, b)
	if got := scanAll(t, e, selection(t, "name = 'edited'"), nil, 1000); len(got) != len(recs) {
		t.Fatalf("%d of %d edited records are stored", len(got), len(recs))
	}
}

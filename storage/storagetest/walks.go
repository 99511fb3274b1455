package storagetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// walksFindEverything: a walk comes by every record and every event once, in order of ids,
// whatever the collections, the pages, and what was deleted or evicted.
func walksFindEverything(t *testing.T, e storage.Engine, walker storage.Walker) {
	wantWalk(t, walker, nil, nil)
	w := NewWorld(71)
	var recs []*proto.Record
	var evs []*proto.Event
	for i := range 40 {
		ev, rec := w.Create([]string{Albums, "artist", "z"}[i%3], named("a"))
		commit(t, e, storage.Batch{Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec}}})
		evs, recs = append(evs, ev), append(recs, rec)
	}
	for range 60 {
		i := w.Rand.IntN(len(recs) / 2) // the others have no history
		ev, rec := w.Edit(recs[i], named("b"))
		if w.Rand.IntN(8) == 0 {
			ev, rec = w.Delete(recs[i])
		}
		commit(t, e, storage.Batch{Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec, Expect: recs[i].State.Head}}})
		evs, recs[i] = append(evs, ev), rec
	}
	evicted, bare := 11, 17 // a record without events, events without a record
	commit(t, e, storage.Batch{Evict: []id.EntityID{recs[evicted].Entity}})
	recs = slices.Delete(recs, evicted, evicted+1)
	_, without := w.Create(Albums, named("no events"))
	commit(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: without}}})
	recs = append(recs, without)
	edit, _ := w.Edit(recs[bare], named("no record"))
	commit(t, e, storage.Batch{Events: []*proto.Event{edit}})
	evs = append(evs, edit)

	slices.SortFunc(recs, func(a, b *proto.Record) int { return a.Entity.Compare(b.Entity.ULID) })
	slices.SortFunc(evs, func(a, b *proto.Event) int { return keyOf(a).Compare(keyOf(b)) })
	wantWalk(t, walker, recs, evs)
}

func keyOf(ev *proto.Event) storage.EventKey {
	return storage.EventKey{Entity: ev.Entity, Event: ev.ID}
}

func wantWalk(t *testing.T, walker storage.Walker, recs []*proto.Record, evs []*proto.Event) {
	t.Helper()
	for _, limit := range []int{1, 3, 16, 0} {
		gotRecords := walk(t, limit, func(last storage.StoredRecord) ([]storage.StoredRecord, error) {
			return walker.WalkRecords(t.Context(), last.Entity, limit)
		})
		var stored []*proto.Record
		for _, r := range gotRecords {
			if r.Err != nil || r.Record.Entity != r.Entity {
				t.Fatalf("in pages of %d: %+v", limit, r)
			}
			stored = append(stored, r.Record)
		}
		wantRecords(t, stored, recs)
		gotEvents := walk(t, limit, func(last storage.StoredEvent) ([]storage.StoredEvent, error) {
			return walker.WalkEvents(t.Context(), last.Key, limit)
		})
		var events []*proto.Event
		for _, e := range gotEvents {
			if e.Err != nil || keyOf(e.Event) != e.Key {
				t.Fatalf("in pages of %d: %+v", limit, e)
			}
			events = append(events, e.Event)
		}
		wantEvents(t, events, evs)
	}
}

// walk reads pages until one is short.
func walk[T any](t *testing.T, limit int, next func(last T) ([]T, error)) (all []T) {
	t.Helper()
	var last T
	for {
		page, err := next(last)
		if err != nil || len(page) > storage.PageSize(limit) {
			t.Fatalf("a page of %d: %d items, %v", limit, len(page), err)
		}
		all = append(all, page...)
		if len(page) < storage.PageSize(limit) {
			return all
		}
		last = page[len(page)-1]
	}
}

// walkedFeeds: a walk knows the feeds, and where each of them ends.
func walkedFeeds(t *testing.T, e storage.Engine, walker storage.Walker) {
	w := NewWorld(72)
	want := map[id.NodeID]uint64{}
	for _, last := range []uint64{1, 300, 1 << 40, 1<<64 - 1} {
		feed := id.NodeID{ULID: w.id()}
		want[feed] = last
		entries := []*proto.FeedEntry{{Seq: last, Transaction: w.Transaction()}}
		if last > 1 {
			entries = append(entries, &proto.FeedEntry{Seq: last - 1, Transaction: w.Transaction()})
		}
		commit(t, e, storage.Batch{FeedID: feed, Feed: entries})
	}
	got, err := walker.Feeds(t.Context())
	if err != nil || len(got) != len(want) {
		t.Fatalf("feeds: %v, %v; want %v", got, err, want)
	}
	for feed, last := range want {
		if got[feed] != last {
			t.Errorf("feed %s ends at %d, want %d", feed, got[feed], last)
		}
	}
}

// sizeGrows: an engine that knows its size says more when it holds more, or nothing at all.
func sizeGrows(t *testing.T, e storage.Engine, sizer storage.Sizer) {
	before, err := sizer.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorld(73)
	for range 4 {
		createAlbums(t, e, w, 2000)
	}
	after, err := sizer.Size(t.Context())
	if err != nil || after < before || after == before && after != 0 {
		t.Errorf("%d bytes, and then %d, %v", before, after, err)
	}
}

// closedWalks: a closed engine does not walk.
func closedWalks(t *testing.T, e storage.Engine, walker storage.Walker) {
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	_, records := walker.WalkRecords(t.Context(), id.EntityID{}, 1)
	_, events := walker.WalkEvents(t.Context(), storage.EventKey{}, 1)
	_, feeds := walker.Feeds(t.Context())
	for call, err := range map[string]error{"records": records, "events": events, "feeds": feeds} {
		if !errors.Is(err, storage.ErrClosed) {
			t.Errorf("%s: %v, want that it is closed", call, err)
		}
	}
}

package storagetest

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

func wantOutbox(t testing.TB, e storage.Engine, after uint64, limit int, want []storage.OutboxEntry) {
	t.Helper()
	got, err := e.Outbox(t.Context(), after, limit)
	if err != nil {
		t.Fatalf("outbox: %v", err)
	}
	if g, w := outboxLines(got), outboxLines(want); !slices.Equal(g, w) {
		t.Fatalf("outbox after %d:\n%s\nwant\n%s", after, lines(g), lines(w))
	}
}

func wantFeed(t testing.TB, e storage.Engine, feed id.NodeID, after uint64, limit int, want []*proto.FeedEntry) {
	t.Helper()
	got, err := e.Feed(t.Context(), feed, after, limit)
	if err != nil {
		t.Fatalf("feed: %v", err)
	}
	if g, w := feedLines(got), feedLines(want); !slices.Equal(g, w) {
		t.Fatalf("feed after %d:\n%s\nwant\n%s", after, lines(g), lines(w))
	}
}

func wantMeta(t testing.TB, e storage.Engine, keys []string, want [][]byte) {
	t.Helper()
	got, err := e.Meta(t.Context(), keys...)
	if err != nil {
		t.Fatalf("meta: %v", err)
	}
	same := func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
	if !slices.EqualFunc(got, want, same) {
		t.Fatalf("meta %q is %q, want %q", keys, got, want)
	}
}

func outbox(t *testing.T, e storage.Engine) {
	put := func(entries ...storage.OutboxEntry) { t.Helper(); commit(t, e, storage.Batch{Outbox: entries}) }
	entry := func(seq uint64, data string) storage.OutboxEntry {
		return storage.OutboxEntry{Seq: seq, Data: []byte(data)}
	}
	put(entry(300, "c"), entry(2, "b"))
	put(entry(math.MaxUint64, "d"), entry(1, "a"), entry(1<<40, ""))
	all := []storage.OutboxEntry{entry(1, "a"), entry(2, "b"), entry(300, "c"), entry(1<<40, ""), entry(math.MaxUint64, "d")}
	wantOutbox(t, e, 0, 0, all)
	wantOutbox(t, e, 0, 2, all[:2])
	wantOutbox(t, e, 2, 2, all[2:4])
	wantOutbox(t, e, 255, 1, all[2:3])
	wantOutbox(t, e, math.MaxUint64, 9, nil)

	put(entry(2, "again"), storage.OutboxEntry{Seq: 300}, storage.OutboxEntry{Seq: 301})
	wantOutbox(t, e, 0, 3, []storage.OutboxEntry{entry(1, "a"), entry(2, "again"), entry(1<<40, "")})
	put(storage.OutboxEntry{Seq: 1}, storage.OutboxEntry{Seq: 2}, storage.OutboxEntry{Seq: 1 << 40}, storage.OutboxEntry{Seq: math.MaxUint64})
	wantOutbox(t, e, 0, 9, nil)
}

func meta(t *testing.T, e storage.Engine) {
	put := func(entries ...storage.MetaEntry) { t.Helper(); commit(t, e, storage.Batch{Meta: entries}) }
	put(storage.MetaEntry{Key: "node", Value: []byte("n")}, storage.MetaEntry{Key: "empty", Value: []byte{}}, storage.MetaEntry{Key: "", Value: []byte("no name")})
	wantMeta(t, e, []string{"empty", "none", "node", "", "node"}, [][]byte{{}, nil, []byte("n"), []byte("no name"), []byte("n")})
	put(storage.MetaEntry{Key: "node"}, storage.MetaEntry{Key: "none"}, storage.MetaEntry{Key: "empty", Value: []byte("x")})
	wantMeta(t, e, []string{"empty", "none", "node", ""}, [][]byte{[]byte("x"), nil, nil, []byte("no name")})
	wantMeta(t, e, nil, nil)
}

func feeds(t *testing.T, e storage.Engine) {
	w := NewWorld(20)
	other := id.NodeID{ULID: w.id()}
	entry := func(seq uint64) *proto.FeedEntry {
		ev, rec := w.Create(Albums, named("a"))
		return &proto.FeedEntry{Seq: seq, Transaction: w.Transaction(), Changes: []proto.Change{{
			Collection: Albums, Entity: rec.Entity, Rev: 3, After: rec.State.Head, Events: []id.EventID{ev.ID}, Undo: []proto.Field{named("before")},
		}}}
	}
	append1 := func(feed id.NodeID, entries ...*proto.FeedEntry) storage.Batch {
		return storage.Batch{FeedID: feed, Feed: entries}
	}
	mine := []*proto.FeedEntry{entry(1), entry(2), entry(3), entry(256), entry(1 << 33)}
	theirs := []*proto.FeedEntry{entry(1), entry(7)}
	commit(t, e, append1(w.Node, mine[:2]...))
	commit(t, e, append1(other, theirs...))
	commit(t, e, append1(w.Node, mine[2:]...))

	wantFeed(t, e, w.Node, 0, 0, mine)
	wantFeed(t, e, w.Node, 1, 2, mine[1:3])
	wantFeed(t, e, w.Node, 4, 9, mine[3:])
	wantFeed(t, e, w.Node, 1<<33, 9, nil)
	wantFeed(t, e, other, 0, 9, theirs)
	wantFeed(t, e, id.NodeID{ULID: w.id()}, 0, 9, nil)

	wantConflict(t, e, append1(w.Node, entry(2)))
	wantConflict(t, e, append1(other, entry(2), entry(7)))
	commit(t, e, append1(other, entry(2)))
	wantFeed(t, e, w.Node, 0, 9, mine)
}

// limits: a limit of zero or less, or more than MaxPage, is MaxPage.
func limits(t *testing.T, e storage.Engine) {
	w := NewWorld(21)
	const n = storage.MaxPage + 10
	var b storage.Batch
	b.FeedID = w.Node
	for i := range uint64(n) {
		b.Feed = append(b.Feed, &proto.FeedEntry{Seq: i + 1})
		b.Outbox = append(b.Outbox, storage.OutboxEntry{Seq: i + 1, Data: []byte{1}})
		_, rec := w.Create(Albums, named("a"))
		b.Records = append(b.Records, storage.RecordWrite{Record: rec})
	}
	commit(t, e, b)
	for _, limit := range []int{-1, 0, n, math.MaxInt} {
		feed, err := e.Feed(t.Context(), w.Node, 0, limit)
		if err != nil || len(feed) != storage.MaxPage || feed[len(feed)-1].Seq != storage.MaxPage {
			t.Errorf("limit %d: a feed of %d, %v", limit, len(feed), err)
		}
		box, err := e.Outbox(t.Context(), 0, limit)
		if err != nil || len(box) != storage.MaxPage {
			t.Errorf("limit %d: an outbox of %d, %v", limit, len(box), err)
		}
		page, err := e.Scan(t.Context(), Albums, selection(t, "ORDER BY name"), nil, limit)
		if err != nil || len(page.Records) != storage.MaxPage || !page.More {
			t.Errorf("limit %d: %v, %v", limit, page, err)
		}
	}
	feed, err := e.Feed(t.Context(), w.Node, storage.MaxPage, 0)
	if err != nil || len(feed) != n-storage.MaxPage {
		t.Errorf("the rest of the feed has %d, %v", len(feed), err)
	}
}

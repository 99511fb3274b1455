package storagetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

func emptyEngineReopens(t *testing.T, open func(t testing.TB) storage.Engine) {
	for range 3 {
		e := open(t)
		wantRecords(t, scanAll(t, e, selection(t, "true"), nil, 10), nil)
		if err := e.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

func reopenKeepsEverything(t *testing.T, open func(t testing.TB) storage.Engine) {
	w := NewWorld(60)
	e := open(t)
	recs := createAlbums(t, e, w, 50)
	ev, rec := create(t, e, w, named("a"))
	box := []storage.OutboxEntry{{Seq: 1, Data: []byte("one")}, {Seq: 9, Data: []byte("nine")}}
	feed := []*proto.FeedEntry{{Seq: 1, Transaction: w.Transaction()}, {Seq: 2, Transaction: w.Transaction()}}
	commit(t, e, storage.Batch{
		FeedID: w.Node, Feed: feed, Outbox: box,
		Evict: []id.EntityID{recs[0].Entity},
		Meta:  []storage.MetaEntry{{Key: "k", Value: []byte("v")}},
	})
	all := selection(t, "ORDER BY name")
	want := selected(append(recs[1:], rec), all, nil)
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		e = open(t)
		wantRecords(t, scanAll(t, e, all, nil, 20), want)
		wantRecords(t, records(t, e, rec.Entity, recs[0].Entity), []*proto.Record{rec, nil})
		wantEvents(t, history(t, e, rec.Entity, id.EventID{}, 9), []*proto.Event{ev})
		wantOutbox(t, e, 0, 9, box)
		wantFeed(t, e, w.Node, 0, 9, feed)
		wantMeta(t, e, []string{"k"}, [][]byte{[]byte("v")})
		wantConflict(t, e, storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
		wantConflict(t, e, storage.Batch{FeedID: w.Node, Feed: feed[:1]})
	}
	if err := e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// What WriteUntilKilled writes: each batch has this many entities, all with one number.
const batchEntities = 4

const counterKey = "storagetest/batches"

// WriteUntilKilled commits batch after batch and, after each that was acknowledged,
// writes a line to acknowledged. It returns when the context ends or something fails;
// the test kills its process in the middle. It goes on where an earlier run over the
// same data stopped. Each batch creates entities, edits those of the batch before, and
// counts itself in the feed and in the metadata.
func WriteUntilKilled(ctx context.Context, e storage.Engine, acknowledged io.Writer) error {
	w := NewWorld(61)
	n, before, err := resume(ctx, e)
	if err != nil {
		return err
	}
	w.stamp += id.Stamp(n) << 32 // ids of this run follow those of the last
	for {
		n++
		number := proto.Field{Name: "year", Value: value.Int(int64(n))}
		b := &storage.Batch{
			FeedID: w.Node, Feed: []*proto.FeedEntry{{Seq: n, Transaction: w.Transaction()}},
			Meta: []storage.MetaEntry{{Key: counterKey, Value: fmt.Append(nil, n)}},
		}
		var made []*proto.Record
		for range batchEntities {
			ev, rec := w.Create(Albums, named("made"), number)
			b.Events = append(b.Events, ev)
			b.Records = append(b.Records, storage.RecordWrite{Record: rec})
			made = append(made, rec)
		}
		for _, rec := range before {
			ev, edited := w.Edit(rec, named("edited"))
			b.Events = append(b.Events, ev)
			b.Records = append(b.Records, storage.RecordWrite{Record: edited, Expect: rec.State.Head})
		}
		if err := e.Commit(ctx, b); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(acknowledged, n); err != nil {
			return err
		}
		before = made
	}
}

// resume returns the number of batches stored, and the records of the last one.
func resume(ctx context.Context, e storage.Engine) (n uint64, last []*proto.Record, err error) {
	values, err := e.Meta(ctx, counterKey)
	if err != nil || values[0] == nil {
		return 0, nil, err
	}
	if _, err := fmt.Sscan(string(values[0]), &n); err != nil {
		return 0, nil, err
	}
	lastBatch, err := ankql.Parse("year = ?", int64(n))
	if err != nil {
		return 0, nil, err
	}
	if lastBatch, err = lastBatch.Check(AlbumModel); err != nil {
		return 0, nil, err
	}
	var after []byte
	for {
		page, err := e.Scan(ctx, Albums, lastBatch, after, 0)
		if err != nil {
			return 0, nil, err
		}
		last = append(last, page.Records...)
		if after = page.Next; !page.More {
			return n, last, nil
		}
	}
}

// VerifyAcknowledged holds what is stored against the lines that WriteUntilKilled wrote,
// in one or several runs: every acknowledged batch is there, and every batch that is
// there is whole. It returns the number of batches stored.
func VerifyAcknowledged(t testing.TB, e storage.Engine, acknowledged io.Reader) uint64 {
	t.Helper()
	var acked uint64
	for lines := bufio.NewScanner(acknowledged); lines.Scan(); {
		// The last line may have been cut off; a number cut off is a smaller one.
		if line := strings.TrimSpace(lines.Text()); line != "" {
			var n uint64
			if _, err := fmt.Sscan(line, &n); err != nil {
				t.Fatalf("acknowledged %q: %v", line, err)
			}
			acked = max(acked, n)
		}
	}
	stored, last, err := resume(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if stored < acked {
		t.Fatalf("%d batches were acknowledged, %d are stored", acked, stored)
	}
	if want := min(stored, 1) * batchEntities; uint64(len(last)) != want {
		t.Fatalf("the last batch has %d entities, want %d", len(last), want)
	}
	perBatch := map[int64]uint64{}
	var ids []id.EventID
	for _, rec := range scanAll(t, e, selection(t, "true"), nil, 1000) {
		n, _ := rec.Field("year").AsInt()
		perBatch[n]++
		ids = append(ids, rec.State.Head...)
		ids = append(ids, id.EventID(rec.Entity))
		if edited := rec.Field("name").String() == `"edited"`; edited != (uint64(n) < stored) {
			t.Fatalf("of %d batches stored, an entity of batch %d was edited: %v", stored, n, edited)
		}
	}
	for n := range stored {
		if perBatch[int64(n+1)] != batchEntities {
			t.Fatalf("batch %d has %d entities, want %d", n+1, perBatch[int64(n+1)], batchEntities)
		}
	}
	if uint64(len(perBatch)) != stored {
		t.Fatalf("entities of %d batches are stored, want %d", len(perBatch), stored)
	}
	verifyEvents(t, e, ids)
	verifyFeed(t, e, stored)
	return stored
}

func verifyEvents(t testing.TB, e storage.Engine, ids []id.EventID) {
	t.Helper()
	for i, ev := range events(t, e, ids...) {
		if ev == nil {
			t.Fatalf("event %s of a stored record is missing", ids[i])
		}
	}
}

func verifyFeed(t testing.TB, e storage.Engine, stored uint64) {
	t.Helper()
	var seen uint64
	for {
		entries, err := e.Feed(t.Context(), NewWorld(61).Node, seen, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if seen++; entry.Seq != seen {
				t.Fatalf("feed entry %d follows %d", entry.Seq, seen-1)
			}
		}
		if len(entries) == 0 {
			break
		}
	}
	if seen != stored {
		t.Fatalf("the feed has %d entries, want %d", seen, stored)
	}
}

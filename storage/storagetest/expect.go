package storagetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

func commit(t testing.TB, e storage.Engine, b storage.Batch) {
	t.Helper()
	if err := e.Commit(t.Context(), &b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func wantConflict(t testing.TB, e storage.Engine, b storage.Batch) {
	t.Helper()
	if err := e.Commit(t.Context(), &b); !errors.Is(err, storage.ErrConflict) {
		t.Fatalf("commit: %v, want a conflict", err)
	}
}

// create commits an entity with its creation event.
func create(t testing.TB, e storage.Engine, w *World, fields ...proto.Field) (*proto.Event, *proto.Record) {
	t.Helper()
	ev, rec := w.Create(Albums, fields...)
	commit(t, e, storage.Batch{Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec}}})
	return ev, rec
}

// createAlbums commits n random albums in one batch.
func createAlbums(t testing.TB, e storage.Engine, w *World, n int) []*proto.Record {
	t.Helper()
	var b storage.Batch
	records := make([]*proto.Record, n)
	for i := range records {
		ev, rec := w.Create(Albums, w.AlbumFields()...)
		b.Events = append(b.Events, ev)
		b.Records = append(b.Records, storage.RecordWrite{Record: rec})
		records[i] = rec
	}
	commit(t, e, b)
	return records
}

func records(t testing.TB, e storage.Engine, entities ...id.EntityID) []*proto.Record {
	t.Helper()
	recs, err := e.Records(t.Context(), entities)
	if err != nil {
		t.Fatalf("records: %v", err)
	}
	return recs
}

func events(t testing.TB, e storage.Engine, ids ...id.EventID) []*proto.Event {
	t.Helper()
	evs, err := e.Events(t.Context(), ids)
	if err != nil {
		t.Fatalf("events: %v", err)
	}
	return evs
}

func history(t testing.TB, e storage.Engine, entity id.EntityID, after id.EventID, limit int) []*proto.Event {
	t.Helper()
	evs, err := e.EntityEvents(t.Context(), entity, after, limit)
	if err != nil {
		t.Fatalf("entity events: %v", err)
	}
	return evs
}

func wantRecords(t testing.TB, got, want []*proto.Record) {
	t.Helper()
	if g, w := recordLines(got), recordLines(want); !slices.Equal(g, w) {
		t.Fatalf("records\n%s\nwant\n%s", lines(g), lines(w))
	}
}

func wantEvents(t testing.TB, got, want []*proto.Event) {
	t.Helper()
	if g, w := eventLines(got), eventLines(want); !slices.Equal(g, w) {
		t.Fatalf("events\n%s\nwant\n%s", lines(g), lines(w))
	}
}

// recordLines renders records such that equal texts are equal records.
func recordLines(recs []*proto.Record) []string {
	out := make([]string, len(recs))
	for i, rec := range recs {
		if out[i] = "none"; rec != nil {
			encoded := proto.AppendRecord(nil, rec)
			if len(encoded) > 10_000 { // nobody reads that
				sum := sha256.Sum256(encoded)
				encoded = sum[:]
			}
			out[i] = fmt.Sprintf("%s %x", rec.Entity, encoded)
		}
	}
	return out
}

func eventLines(evs []*proto.Event) []string {
	out := make([]string, len(evs))
	for i, ev := range evs {
		if out[i] = "none"; ev != nil {
			out[i] = fmt.Sprintf("%s %x %x", ev.ID, ev.Digest(), proto.AppendEvent(nil, ev))
		}
	}
	return out
}

func feedLines(entries []*proto.FeedEntry) []string {
	out := make([]string, len(entries))
	for i, entry := range entries {
		out[i] = fmt.Sprintf("%d %x", entry.Seq, proto.AppendFeedEntry(nil, entry))
	}
	return out
}

func outboxLines(entries []storage.OutboxEntry) []string {
	out := make([]string, len(entries))
	for i, entry := range entries {
		out[i] = fmt.Sprintf("%d %q %v", entry.Seq, entry.Data, entry.Data == nil)
	}
	return out
}

func lines(texts []string) []byte {
	var b bytes.Buffer
	for _, text := range texts {
		if len(text) > 160 {
			text = text[:160] + "…"
		}
		fmt.Fprintf(&b, "  %s\n", text)
	}
	return b.Bytes()
}

// selection parses and checks a selection of albums.
func selection(t testing.TB, text string, params ...any) *ankql.Selection {
	t.Helper()
	s, err := ankql.Parse(text, params...)
	if err == nil {
		s, err = s.Check(AlbumModel)
	}
	if err != nil {
		t.Fatalf("selection %s: %v", text, err)
	}
	return s
}

// selected is the obvious answer to a scan of everything after a key.
func selected(recs []*proto.Record, s *ankql.Selection, after []byte) []*proto.Record {
	var out []*proto.Record
	keys := make(map[*proto.Record][]byte)
	for _, rec := range recs {
		if rec.Collection != Albums || rec.State.Deleted() || !s.Matches(rec) {
			continue
		}
		if key := s.AppendSortKey(nil, rec, rec.Entity); bytes.Compare(key, after) > 0 {
			keys[rec], out = key, append(out, rec)
		}
	}
	slices.SortFunc(out, func(a, b *proto.Record) int { return bytes.Compare(keys[a], keys[b]) })
	return out
}

// scanAll reads all pages of a scan, each of at most limit, and holds each page against
// what Page says of itself.
func scanAll(t testing.TB, e storage.Engine, s *ankql.Selection, after []byte, limit int) []*proto.Record {
	t.Helper()
	return scanCollection(t, e, Albums, s, after, limit)
}

func scanCollection(t testing.TB, e storage.Engine, collection string, s *ankql.Selection, after []byte, limit int) []*proto.Record {
	t.Helper()
	var all []*proto.Record
	for {
		page, err := e.Scan(t.Context(), collection, s, after, limit)
		if err != nil {
			t.Fatalf("scan %s: %v", s, err)
		}
		if len(page.Records) > limit {
			t.Fatalf("scan %s: a page of %d records, more than %d", s, len(page.Records), limit)
		}
		all = append(all, page.Records...)
		if !page.More {
			if page.Next != nil {
				t.Fatalf("scan %s: the last page has a next key", s)
			}
			return all
		}
		if bytes.Compare(page.Next, after) <= 0 {
			t.Fatalf("scan %s: the next key %x does not go on from %x", s, page.Next, after)
		}
		after = page.Next
	}
}

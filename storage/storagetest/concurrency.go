package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Of the commits that expect one head, exactly one is told that it was stored, and it
// is the one that is.
func oneOfManySucceeds(t *testing.T, e storage.Engine) {
	w := NewWorld(40)
	_, rec := create(t, e, w, named("start"))
	for round := range 5 {
		const rivals = 8
		var won atomic.Pointer[proto.Record]
		var wg sync.WaitGroup
		for i := range rivals {
			_, edited := w.Edit(rec, named(fmt.Sprint(round, i)))
			wg.Go(func() {
				err := e.Commit(t.Context(), &storage.Batch{Records: []storage.RecordWrite{{Record: edited, Expect: rec.State.Head}}})
				if err == nil && won.Swap(edited) != nil {
					t.Error("two commits on one head succeeded")
				}
				if err != nil && !errors.Is(err, storage.ErrConflict) {
					t.Errorf("commit: %v", err)
				}
			})
		}
		wg.Wait()
		if rec = won.Load(); rec == nil {
			t.Fatal("none of the commits succeeded")
		}
		wantRecords(t, records(t, e, rec.Entity), []*proto.Record{rec})
	}
}

// Commits that have nothing to do with each other never conflict, and each is seen by
// whoever made it as soon as it returns.
func allSucceed(t *testing.T, e storage.Engine) {
	const writers, each = 6, 12
	var wg sync.WaitGroup
	for i := range writers {
		w := NewWorld(uint64(100 + i))
		wg.Go(func() {
			ev, rec := w.Create(Albums, named(""))
			expect := proto.Clock(nil)
			for n := range uint64(each) {
				b := storage.Batch{
					Events:  []*proto.Event{ev},
					Records: []storage.RecordWrite{{Record: rec, Expect: expect}},
					FeedID:  w.Node, Feed: []*proto.FeedEntry{{Seq: n + 1, Transaction: w.Transaction()}},
				}
				if err := e.Commit(t.Context(), &b); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				got, err := e.Records(t.Context(), []id.EntityID{rec.Entity})
				if err != nil || got[0] == nil || !got[0].State.Head.Equal(rec.State.Head) {
					t.Errorf("record %v after its commit, %v", got, err)
					return
				}
				expect = rec.State.Head
				ev, rec = w.Edit(rec, named(fmt.Sprint(n)))
			}
			wantFeedLength(t, e, w.Node, each)
		})
	}
	wg.Wait()
	if got := scanAll(t, e, selection(t, "true"), nil, 100); len(got) != writers {
		t.Errorf("%d entities are stored, want %d", len(got), writers)
	}
}

func wantFeedLength(t testing.TB, e storage.Engine, feed id.NodeID, n int) {
	entries, err := e.Feed(t.Context(), feed, 0, 0)
	if err != nil || len(entries) != n {
		t.Errorf("a feed of %d entries, %v, want %d", len(entries), err, n)
	}
}

// A writer gives several entities the same year in each commit, and creates one more;
// no reader sees some of it.
func readIsOfOneMoment(t *testing.T, e storage.Engine) {
	w := NewWorld(41)
	year := func(n int) proto.Field { return proto.Field{Name: "year", Value: value.Int(int64(n))} }
	var recs []*proto.Record
	var ids []id.EntityID
	for range 5 {
		_, rec := create(t, e, w, year(0))
		recs, ids = append(recs, rec), append(ids, rec.Entity)
	}
	const rounds = 30
	added := make([]*proto.Record, rounds)
	for i := range added {
		_, added[i] = w.Create(Albums, year(i+1), named("added"))
		ids = append(ids, added[i].Entity)
	}

	done, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		for n := range rounds {
			b := storage.Batch{Records: []storage.RecordWrite{{Record: added[n]}}}
			for i, rec := range recs {
				_, recs[i] = w.Edit(rec, year(n+1))
				b.Records = append(b.Records, storage.RecordWrite{Record: recs[i], Expect: rec.State.Head})
			}
			if err := e.Commit(t.Context(), &b); err != nil {
				t.Errorf("commit: %v", err)
				return
			}
		}
	})
	selections := []*ankql.Selection{selection(t, "true"), selection(t, "ORDER BY year DESC, name"), selection(t, "id IN ?", ids)}
	for range 2 {
		wg.Go(func() {
			for ok := true; ok && done.Err() == nil; {
				got, err := e.Records(t.Context(), ids)
				ok = checkMoment(t, "records", got, err)
				for i, s := range selections {
					page, err := e.Scan(t.Context(), Albums, s, nil, 1000)
					if err == nil && page.More {
						continue // the engine bounds what it does in one call, and a moment is one call's
					}
					ok = ok && checkMoment(t, fmt.Sprint("scan ", i), pageRecords(page), err)
				}
			}
		})
	}
	wg.Wait()
}

func pageRecords(p *storage.Page) []*proto.Record {
	if p == nil {
		return nil
	}
	return p.Records
}

// checkMoment expects the five that change to have one year, and as many to have been
// added as that year says; it reports whether that is so.
func checkMoment(t testing.TB, what string, recs []*proto.Record, err error) bool {
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return false
	}
	years := map[int64]int{}
	added := 0
	for _, rec := range recs {
		if rec == nil {
			continue
		}
		year, _ := rec.Field("year").AsInt()
		if !rec.Field("name").IsNull() {
			added++
		} else {
			years[year]++
		}
	}
	if len(years) != 1 || years[int64(added)] != 5 {
		t.Errorf("%s: years %v with %d added are not of one moment", what, years, added)
		return false
	}
	return true
}

func closedEngine(t *testing.T, e storage.Engine) {
	w := NewWorld(42)
	_, rec := create(t, e, w, named("a"))
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	for call, err := range everyCall(t.Context(), e, rec, selection(t, "true")) {
		if !errors.Is(err, storage.ErrClosed) {
			t.Errorf("%s after close: %v", call, err)
		}
	}
}

func cancelledContext(t *testing.T, e storage.Engine) {
	w := NewWorld(43)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, rec := w.Create(Albums)
	for call, err := range everyCall(ctx, e, rec, selection(t, "true")) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", call, err)
		}
	}
	wantRecords(t, records(t, e, rec.Entity), []*proto.Record{nil})
}

// everyCall makes every call of an engine but Close, and returns what each answers.
func everyCall(ctx context.Context, e storage.Engine, rec *proto.Record, s *ankql.Selection) map[string]error {
	answers := map[string]error{}
	_, answers["records"] = e.Records(ctx, []id.EntityID{rec.Entity})
	_, answers["events"] = e.Events(ctx, []id.EventID{id.EventID(rec.Entity)})
	_, answers["entity events"] = e.EntityEvents(ctx, rec.Entity, id.EventID{}, 1)
	_, answers["scan"] = e.Scan(ctx, Albums, s, nil, 1)
	_, answers["feed"] = e.Feed(ctx, id.NodeID{}, 0, 1)
	_, answers["outbox"] = e.Outbox(ctx, 0, 1)
	_, answers["meta"] = e.Meta(ctx, "k")
	answers["commit"] = e.Commit(ctx, &storage.Batch{Records: []storage.RecordWrite{{Record: rec}}})
	return answers
}

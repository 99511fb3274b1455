package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/internal/pgtest"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func open(t testing.TB, url string) *Engine {
	t.Helper()
	e, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// schemas returns URLs of empty schemas in one database, which are quicker made than
// databases.
func schemas(t testing.TB) (next func() string) {
	url, n := pgtest.Database(t), 0
	leaktest.Check(t)
	return func() string {
		n++
		return fmt.Sprintf("%s&schema=s%d", url, n)
	}
}

func TestConformance(t *testing.T) {
	next := schemas(t)
	storagetest.Run(t, func(t testing.TB) storage.Engine { return open(t, next()) })
	storagetest.RunShared(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := next()
		return func(t testing.TB) storage.Engine { return open(t, url) }
	})
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := next()
		return func(t testing.TB) storage.Engine { return open(t, url) }
	})
}

// What cannot be read is said to be corrupt, at once and by name.
func TestRowsThatCannotBeRead(t *testing.T) {
	e, w := open(t, schemas(t)()), storagetest.NewWorld(1)
	defer e.Close()
	ev, rec := w.Create(storagetest.Albums, proto.Field{Name: "name", Value: value.String("a")})
	commit(t, e, &storage.Batch{
		Events: []*proto.Event{ev}, Records: []storage.RecordWrite{{Record: rec}},
		FeedID: w.Node, Feed: []*proto.FeedEntry{{Seq: 1, Transaction: w.Transaction()}},
	})
	for _, table := range []string{"_records SET record", "_events SET event", "_feed SET entry"} {
		if _, err := e.pool.Exec(t.Context(), "UPDATE "+e.own(table)+` = '\x93'`); err != nil {
			t.Fatal(err)
		}
	}
	_, records := e.Records(t.Context(), []id.EntityID{rec.Entity})
	_, events := e.Events(t.Context(), []id.EventID{ev.ID})
	_, history := e.EntityEvents(t.Context(), rec.Entity, id.EventID{}, 1)
	_, feed := e.Feed(t.Context(), w.Node, 0, 1)
	_, page := e.Scan(t.Context(), storagetest.Albums, selection(t, "true"), nil, 1)
	for call, err := range map[string]error{"records": records, "events": events, "entity events": history, "feed": feed, "scan": page} {
		if !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

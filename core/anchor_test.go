package core_test

import (
	"context"
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/entropy"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// A window around an entity is where that stands, also if this node holds it as it was some
// time ago.
func TestAnchorsAreNotStale(t *testing.T) {
	server := durable(t, core.Options{})
	moved := create(t, server, "moved", 1)
	for year := int64(2); year <= 9; year++ {
		create(t, server, "other", year)
	}
	n := connected(t, server, core.Options{})
	if _, err := anonymous(n).Get(t.Context(), "album", moved); err != nil { // held, and kept in step by nobody
		t.Fatal(err)
	}
	edit(t, server, moved, "year", value.Int(100))
	q, err := anonymous(n).QueryWindow("album", selection(t, "ORDER BY year"), core.Window{Anchor: core.AtEntity(moved), Before: 2, After: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	eventually(t, "live", func() bool { return q.Status() == core.QueryLive })
	if got := rowNames(q, "year"); got != "8 9 100" {
		t.Errorf("around the entity are %s", got)
	}
}

// Locate counts in what its node has committed before, also while the durable node is still
// deciding that.
func TestLocateReadsOwnWrites(t *testing.T) {
	engine := faulty.Wrap(memory.New(), nil)
	server := durable(t, core.Options{Engine: engine})
	years(t, server, 2001, 2010)
	n := connected(t, server, core.Options{})
	entered, hold := make(chan struct{}, 16), make(chan struct{})
	engine.Decide(func(c faulty.Call) faulty.Fault {
		if c.Op != faulty.Commit {
			return faulty.Fault{}
		}
		entered <- struct{}{}
		return faulty.Fault{Wait: hold}
	})
	create(t, n, "last", 2011)
	<-entered
	located := make(chan int, 1)
	go func() {
		_, index, err := anonymous(n).Locate(context.Background(), "album", selection(t, "ORDER BY year"), 100)
		if err != nil {
			index = -1
		}
		located <- index
	}()
	for range 20 { // time enough for an answer that does not wait
		_, _ = anonymous(n).Get(t.Context(), "album", id.EntityID{ULID: id.New(entropy.Reader)})
	}
	close(hold)
	if index := <-located; index != 10 {
		t.Errorf("the last of 11 rows has index %d", index)
	}
}

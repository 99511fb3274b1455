package core_test

import (
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/value"
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

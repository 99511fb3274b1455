package core_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
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

package core_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors/local"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// TestSelectionsTooLargeToSend: what no durable node would take is refused where it is made,
// as an invalid selection, and the connection goes on.
func TestSelectionsTooLargeToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := durable(t, core.Options{})
		create(t, server, "a", 1)
		lost := 0
		peer := openAlbums(t, core.Options{Listener: core.Listener{Disconnected: func(_ id.NodeID, _ string, _ error) { lost++ }}})
		local.Connect(server, peer)
		settled()
		condition := func(n int) string { return strings.Repeat("name != 'x' AND ", n) + "year = 1" }
		years := func(n int) []any {
			list := make([]any, n)
			for i := range list {
				list[i] = strings.Repeat("y", 300) // too long to be written into the text
			}
			return list
		}
		for what, s := range map[string]*ankql.Selection{
			"a text that is too long":   selection(t, condition(proto.MaxText/12)),
			"too many parameters":       selection(t, "year = 1"+strings.Repeat(" OR name = ?", proto.MaxParams+1), years(proto.MaxParams+1)...),
			"parameters that are large": selection(t, "name = ?", strings.Repeat("y", proto.MaxFrame)),
		} {
			if _, err := anonymous(peer).Query("album", s); core.KindOf(err) != core.KindSelection {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := anonymous(peer).Fetch(t.Context(), "album", s); core.KindOf(err) != core.KindSelection {
				t.Errorf("%s, fetched: %v", what, err)
			}
		}
		q := watch(t, peer, "album", condition(proto.MaxText/20))
		liveNames(t, q, "a")
		if lost > 0 {
			t.Errorf("%d connections were lost", lost)
		}
	})
}

package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
)

// secretive shows no row whose name says that it is secret.
type secretive struct{ policy.Agent }

func (secretive) Read(_ policy.Principal, _ string, row policy.Fields) error {
	if name, _ := row.Field("name").AsString(); strings.HasPrefix(name, "secret") {
		return policy.Denied("the name says so")
	}
	return nil
}

// TestWindowsPassOverHiddenRows: rows that the agent hides one by one do not fill a window,
// however many of them there are, and do not keep it from being filled.
func TestWindowsPassOverHiddenRows(t *testing.T) {
	server := durable(t, core.Options{Policy: secretive{policy.Permissive()}})
	peer := connected(t, server, core.Options{})
	var list []id.EntityID
	several(t, server, func(tx *core.Tx) error {
		for i := range 60 {
			e, err := tx.Create(t.Context(), "album", fields(fmt.Sprintf("name %02d", i), int64(100*i)))
			if err != nil {
				return err
			}
			list = append(list, e)
			for j := range 5 { // more of them than a window holds in store
				if _, err := tx.Create(t.Context(), "album", fields(fmt.Sprint("secret ", i), int64(100*i+j))); err != nil {
					return err
				}
			}
		}
		return nil
	})
	here, there := query(t, server, "ORDER BY year LIMIT 3"), query(t, peer, "ORDER BY year LIMIT 3")
	eventually(t, "live", func() bool { return there.Status() == core.QueryLive })
	for i := 0; i+3 <= len(list); i += 7 {
		want := fmt.Sprintf("name %02d name %02d name %02d ", i, i+1, i+2)
		shows(t, here, want)
		shows(t, there, want)
		several(t, server, func(tx *core.Tx) error {
			for _, e := range list[i:min(i+7, len(list))] {
				if err := tx.Delete(t.Context(), "album", e); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

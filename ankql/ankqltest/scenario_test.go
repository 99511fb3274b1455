package ankqltest_test

import (
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
)

// TestScenarios: the oracle and the language answer every numbered scenario as it wants.
func TestScenarios(t *testing.T) {
	for _, s := range ankqltest.Scenarios() {
		t.Run(s.String(), func(t *testing.T) {
			var ids []id.EntityID
			for i := range s.Data.Rows {
				ids = append(ids, ankqltest.ID(i))
			}
			sel, err := s.Selection(ids)
			if err != nil {
				t.Fatal(err)
			}
			w := ankqltest.NewWorld(ankqltest.Schema{s.Data.Model.Collection: s.Data.Model})
			matching := 0
			for i, values := range s.Data.Rows {
				r := &ankqltest.Row{Collection: s.Data.Model.Collection, ID: ids[i], Values: values}
				w.Put(r)
				if sel.Matches(r) {
					matching++
				}
			}
			var got []string
			for _, r := range w.Fetch(s.Data.Model.Collection, sel) {
				label, _ := r.Field(ankqltest.Label).AsString()
				got = append(got, label)
			}
			if !slices.Equal(got, s.Want) {
				t.Errorf("got %q, want %q", got, s.Want)
			}
			if n := len(s.Want); n != matching && (sel.Limit < 0 || n != min(sel.Limit, matching)) {
				t.Errorf("%d rows match", matching)
			}
		})
	}
}

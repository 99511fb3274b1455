package storagetest

import (
	"maps"
	"slices"
	"testing"

	"github.com/ankurah-go/ankurah/ankql/ankqltest"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// scenarios runs the numbered scenarios of what selections mean. All of their rows are in
// one engine, in a collection for each set of data.
func scenarios(t *testing.T, e storage.Engine) {
	w, all := NewWorld(60), ankqltest.Scenarios()
	ids := map[*ankqltest.Data][]id.EntityID{}
	for _, s := range all {
		if _, there := ids[s.Data]; there {
			continue
		}
		var b storage.Batch
		for _, values := range s.Data.Rows {
			var fields []proto.Field
			for _, name := range slices.Sorted(maps.Keys(values)) {
				fields = append(fields, proto.Field{Name: name, Value: values[name]})
			}
			ev, rec := w.Create(s.Data.Model.Collection, fields...)
			b.Events = append(b.Events, ev)
			b.Records = append(b.Records, storage.RecordWrite{Record: rec})
			ids[s.Data] = append(ids[s.Data], rec.Entity)
		}
		commit(t, e, b)
	}
	for _, s := range all {
		t.Run(s.String(), func(t *testing.T) {
			sel, err := s.Selection(ids[s.Data])
			if err != nil {
				t.Fatal(err)
			}
			for _, limit := range []int{1, 3, 100} {
				var got []string
				for _, r := range scanCollection(t, e, s.Data.Model.Collection, sel, nil, limit) {
					label, _ := r.Field(ankqltest.Label).AsString()
					got = append(got, label)
				}
				if sel.Limit >= 0 { // a scan's caller cuts
					got = got[:min(sel.Limit, len(got))]
				}
				if !slices.Equal(got, s.Want) {
					t.Fatalf("in pages of %d: got %q, want %q", limit, got, s.Want)
				}
			}
		})
	}
}

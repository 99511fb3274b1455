package core_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/core"
)

// TestTheLastSelectionIsTheOneShown: whichever of several selections that were set at once is
// the last, the rows are those of the one that the query says it has.
func TestTheLastSelectionIsTheOneShown(t *testing.T) {
	bothKinds(t, func(t *testing.T, open func(core.Options) *core.Node) {
		n := open(core.Options{})
		for i := range 8 {
			add(t, n, "album", "name", fmt.Sprint(i), "year", i)
		}
		q := watch(t, n, "album", "year = 0")
		for range 500 {
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range 8 {
				wg.Go(func() {
					<-start
					if err := q.SetSelection(t.Context(), selection(t, "year = ?", i)); err != nil {
						t.Error(err)
					}
				})
			}
			close(start)
			wg.Wait()
			if got, want := "year = "+rowNames(q, "name"), q.Selection().String(); got != want {
				t.Fatalf("shows %s, and says %s", got, want)
			}
		}
	})
}

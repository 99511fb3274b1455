package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/proto"
)

// TestDrainGivesBackWhatIsParked: a transaction that waits for what it is on top of does not
// hold up the farewell of a server: it is given back to its author, who sends it again elsewhere.
func TestDrainGivesBackWhatIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, b, between := twoSites(t)
		between.set(true)
		w, served := greeted(t, b.node)
		elsewhere := w.creation("album", with("name", "made on A"))
		parked := w.commit(w.edit(elsewhere, with("year", 2001)))
		w.send(parked)
		synctest.Wait()
		began := time.Now()
		if err := b.node.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took >= time.Second {
			t.Errorf("draining took %v", took)
		}
		if m := w.nack(); m.Transaction != parked.Transaction || core.Kind(m.Kind) != core.KindBehind {
			t.Errorf("it was answered by %+v", m)
		}
		if m := until[*proto.Refuse](w); core.Kind(m.Kind) != core.KindClosed {
			t.Errorf("the farewell is %+v", m)
		}
		<-served
		r.settle("all is well")
	})
}

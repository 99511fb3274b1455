package reactor

import (
	"runtime"
	"testing"
	"weak"
)

// Who has stopped its watches is not kept by the reactor.
func TestStoppedWatchersAreLetGo(t *testing.T) {
	var r Reactor
	var d diary
	create := Change{Collection: "album", Entity: entity(1), After: record(1, "year", 2001)}
	watched := func() (list []weak.Pointer[listener]) {
		var watches []*Watch
		for range 10 {
			l := &listener{name: "l", diary: &d}
			list = append(list, weak.Make(l))
			watches = append(watches, r.Watch("album", selection(t, "year > 2000"), l))
		}
		r.Publish(&Transaction{Position: at(1), Changes: []Change{create, create}})
		for _, w := range watches {
			w.Stop()
		}
		return list
	}()
	r.Publish(&Transaction{Position: at(2), Changes: []Change{create}})
	runtime.GC()
	for i, w := range watched {
		if w.Value() != nil {
			t.Errorf("watcher %d is kept", i)
		}
	}
	runtime.KeepAlive(&r)
}

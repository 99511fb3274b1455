package reactor

import (
	"strings"
	"testing"
	"time"
)

// impatient gives up its watches when large rows have taken them some time.
type impatient struct {
	listener
	t     *testing.T
	times int // that it bears
}

func (i *impatient) Took(_ *Watch, d time.Duration) bool {
	if d < longTime {
		i.t.Errorf("%s is not long", d)
	}
	i.times--
	return i.times > 0
}

// A watch whose watcher gives it up is told of nothing any more, from within the transaction on;
// small rows never are too much, and other watches go on.
func TestWatchesThatTakeTooLong(t *testing.T) {
	var r Reactor
	var d diary
	slow := selection(t, strings.TrimSuffix(strings.Repeat("NOT name LIKE '%a_b%' AND ", 20), " AND "))
	r.Watch("album", slow, &impatient{listener{name: "impatient", diary: &d}, t, 2})
	r.Watch("album", slow, &listener{name: "patient", diary: &d})
	small, large := record(1, "name", "aaa"), record(2, "name", strings.Repeat("a", 200_000))
	create := func(n int, like int) Change {
		after := small
		if like == 2 {
			after = large
		}
		return Change{Collection: "album", Entity: entity(n), After: after}
	}
	for range 5 {
		r.Publish(&Transaction{Position: at(1), Changes: []Change{create(1, 1)}})
		d.want(t, "impatient: 1 false true", "patient: 1 false true", "impatient: end of 1", "patient: end of 1")
	}
	r.Publish(&Transaction{Position: at(2), Changes: []Change{create(2, 2), create(3, 2), create(4, 2), create(5, 1)}})
	d.want(t, "impatient: 2 false true", "patient: 2 false true", "impatient: 3 false true", "patient: 3 false true",
		"patient: 4 false true", "patient: 5 false true", "impatient: end of 2", "patient: end of 2")
	r.Publish(&Transaction{Position: at(3), Changes: []Change{create(6, 1)}})
	d.want(t, "patient: 6 false true", "patient: end of 3")
}

package reactor

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/proto"
)

// diary is what all watchers of a test heard, in order.
type diary struct{ lines []string }

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	if !slices.Equal(d.lines, lines) {
		t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(d.lines, "\n\t"), strings.Join(lines, "\n\t"))
	}
	d.lines = nil
}

// listener writes into the diary what it hears; hooks run on it.
type listener struct {
	name      string
	diary     *diary
	onTouch   func(*Watch)
	onSettle  func()
	watches   map[*Watch]string
	lastTouch *Change
}

func (l *listener) Touch(w *Watch, c *Change, before, after bool) {
	name := l.name
	if n, ok := l.watches[w]; ok {
		name = n
	}
	l.diary.lines = append(l.diary.lines, fmt.Sprintf("%s: %d %v %v", name, c.Entity.Stamp()>>16-1, before, after))
	l.lastTouch = c
	if l.onTouch != nil {
		l.onTouch(w)
	}
}

func (l *listener) Settle(t *Transaction) {
	l.diary.lines = append(l.diary.lines, fmt.Sprintf("%s: end of %d", l.name, numberOf(t)))
	if l.onSettle != nil {
		l.onSettle()
	}
}

func TestWatchersHearOfWhatTheyMatch(t *testing.T) {
	var r Reactor
	var d diary
	r.Watch("album", selection(t, "year > 2000"), &listener{name: "new", diary: &d})
	r.Watch("artist", &ankql.Selection{}, &listener{name: "artists", diary: &d})
	early, late := record(1, "year", 1999), record(1, "year", 2001)
	for _, tc := range []struct {
		name   string
		change Change
		want   []string
	}{
		{"created", changed(nil, late), []string{"new: 1 false true", "new: end of 1"}},
		{"created elsewhere", changed(nil, early), nil},
		{"entered", changed(early, late), []string{"new: 1 false true", "new: end of 1"}},
		{"left", changed(late, early), []string{"new: 1 true false", "new: end of 1"}},
		{"stayed", changed(late, record(1, "year", 2006)), []string{"new: 1 true true", "new: end of 1"}},
		{"stayed out", changed(early, record(1, "year", 1998)), nil},
		{"deleted", changed(late, nil), []string{"new: 1 true false", "new: end of 1"}},
		{"deleted elsewhere", changed(early, nil), nil},
		{"nothing there", changed(nil, nil), nil},
		{"lost what it had", changed(late, record(1)), []string{"new: 1 true false", "new: end of 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.Publish(&Transaction{Position: at(1), Changes: []Change{tc.change}})
			d.want(t, tc.want...)
		})
	}
	r.Publish(&Transaction{Position: at(2)})
	d.want(t)
	r.Publish(&Transaction{Position: at(3), Changes: []Change{{Collection: "artist", Entity: entity(4), After: record(4)}}})
	d.want(t, "artists: 4 false true", "artists: end of 3")
}

// Changes come in the transaction's order, each in the order of registration, and the end
// once for each watcher, in the order of registration too.
func TestOrderAndSettlement(t *testing.T) {
	var r Reactor
	var d diary
	both := &listener{name: "both", diary: &d, watches: map[*Watch]string{}}
	one := &listener{name: "one", diary: &d}
	r.Watch("album", selection(t, "year = 2"), one)
	both.watches[r.Watch("album", selection(t, "name = 'x'"), both)] = "both by name"
	both.watches[r.Watch("album", selection(t, "year > 0"), both)] = "both by year"
	last := &listener{name: "last", diary: &d}
	r.Watch("album", selection(t, ""), last)
	r.Publish(&Transaction{Position: at(7), Changes: []Change{
		changed(nil, record(3, "year", 1, "name", "x")), changed(nil, record(1)), changed(record(2), record(2, "year", 2)),
	}})
	d.want(t,
		"both by name: 3 false true", "both by year: 3 false true", "last: 3 false true",
		"last: 1 false true",
		"one: 2 false true", "both by year: 2 false true", "last: 2 true true",
		"one: end of 7", "both: end of 7", "last: end of 7",
	)
}

// The order does not depend on how the index finds the watches.
func TestOrderIsThatOfRegistration(t *testing.T) {
	var r Reactor
	var d diary
	texts := []string{"", "year = 1", "year > 0", "name LIKE 'a%'", "year IN (1, 2)", "rating IS NULL", "year = 1 OR name = 'b'", "name = name", "NOT year = 2"}
	var want, ends []string
	for round := range 5 {
		for i := range texts {
			l := &listener{name: fmt.Sprint(round, i), diary: &d}
			r.Watch("album", selection(t, texts[(i*4+round)%len(texts)]), l)
			want, ends = append(want, l.name+": 1 false true"), append(ends, l.name+": end of 0")
		}
	}
	for range 20 {
		r.Publish(&Transaction{Changes: []Change{changed(nil, record(1, "year", 1, "name", "ab"))}})
		d.want(t, append(slices.Clone(want), ends...)...)
	}
}

func TestStop(t *testing.T) {
	var r Reactor
	var d diary
	a := r.Watch("album", selection(t, "year = 1"), &listener{name: "a", diary: &d})
	b := r.Watch("album", selection(t, "year = 1"), &listener{name: "b", diary: &d})
	if r.Count() != 2 {
		t.Errorf("%d watches", r.Count())
	}
	a.Stop()
	a.Stop()
	r.Publish(&Transaction{Changes: []Change{changed(nil, record(1, "year", 1))}})
	d.want(t, "b: 1 false true", "b: end of 0")
	b.Stop()
	r.Publish(&Transaction{Changes: []Change{changed(nil, record(1, "year", 1))}})
	d.want(t)
	if r.Count() != 0 || len(r.mu.plain) != 0 {
		t.Errorf("%d watches are left, of %d collections", r.Count(), len(r.mu.plain))
	}
}

func TestStopWithinACallback(t *testing.T) {
	var r Reactor
	var d diary
	var own, other *Watch
	first := &listener{name: "first", diary: &d, onTouch: func(*Watch) { own.Stop(); other.Stop() }}
	own = r.Watch("album", selection(t, ""), first)
	other = r.Watch("album", selection(t, ""), &listener{name: "other", diary: &d})
	r.Watch("album", selection(t, ""), &listener{name: "third", diary: &d})
	r.Publish(&Transaction{Position: at(1), Changes: []Change{changed(nil, record(1)), changed(nil, record(2))}})
	d.want(t, "first: 1 false true", "third: 1 false true", "third: 2 false true", "first: end of 1", "third: end of 1")
	r.Publish(&Transaction{Position: at(2), Changes: []Change{changed(nil, record(3))}})
	d.want(t, "third: 3 false true", "third: end of 2")
}

// Who heard of a change is told of the end, also when its watch was stopped in between.
func TestTheEndFollowsWhatWasTold(t *testing.T) {
	var r Reactor
	var d diary
	early := r.Watch("album", selection(t, ""), &listener{name: "early", diary: &d})
	r.Watch("album", selection(t, ""), &listener{name: "late", diary: &d, onTouch: func(*Watch) { early.Stop() }})
	r.Publish(&Transaction{Position: at(1), Changes: []Change{changed(nil, record(1)), changed(nil, record(2))}})
	d.want(t, "early: 1 false true", "late: 1 false true", "late: 2 false true", "early: end of 1", "late: end of 1")
}

// A watch made by a watcher hears of the next transaction, not of the one under way.
func TestWatchWithinACallback(t *testing.T) {
	var r Reactor
	var d diary
	first := &listener{name: "first", diary: &d}
	first.onTouch = func(*Watch) {
		first.onTouch = nil
		r.Watch("album", selection(t, ""), &listener{name: "second", diary: &d})
	}
	r.Watch("album", selection(t, ""), first)
	changes := []Change{changed(nil, record(1)), changed(nil, record(2))}
	r.Publish(&Transaction{Position: at(1), Changes: changes})
	d.want(t, "first: 1 false true", "first: 2 false true", "first: end of 1")
	r.Publish(&Transaction{Position: at(2), Changes: changes[:1]})
	d.want(t, "first: 1 false true", "second: 1 false true", "first: end of 2", "second: end of 2")
}

func TestPublishWithinACallback(t *testing.T) {
	var r Reactor
	var d diary
	first := &listener{name: "first", diary: &d}
	first.onSettle = func() {
		first.onSettle = nil
		r.Publish(&Transaction{Position: at(2), Changes: []Change{changed(nil, record(9))}})
	}
	r.Watch("album", selection(t, ""), first)
	r.Watch("album", selection(t, ""), &listener{name: "second", diary: &d})
	r.Publish(&Transaction{Position: at(1), Changes: []Change{changed(nil, record(1))}})
	d.want(t, "first: 1 false true", "second: 1 false true", "first: end of 1",
		"first: 9 false true", "second: 9 false true", "first: end of 2", "second: end of 2", "second: end of 1")
}

// A watcher that panics harms no other; the panic goes on when all were told.
func TestPanicsHarmNoOther(t *testing.T) {
	for _, where := range []string{"touch", "settle", "both"} {
		t.Run(where, func(t *testing.T) {
			var r Reactor
			var d diary
			for i := range 4 {
				l := &listener{name: fmt.Sprint(i), diary: &d}
				if i%2 == 1 && where != "settle" {
					l.onTouch = func(*Watch) { panic("touch") }
				}
				if i%2 == 1 && where != "touch" {
					l.onSettle = func() { panic("settle") }
				}
				r.Watch("album", selection(t, ""), l)
			}
			publish := func() (cause any) {
				defer func() { cause = recover() }()
				r.Publish(&Transaction{Position: at(1), Changes: []Change{changed(nil, record(1))}})
				return nil
			}
			for range 2 {
				if publish() == nil {
					t.Error("the panic is swallowed")
				}
				d.want(t, "0: 1 false true", "1: 1 false true", "2: 1 false true", "3: 1 false true", "0: end of 1", "1: end of 1", "2: end of 1", "3: end of 1")
			}
		})
	}
}

// silent counts what it hears.
type silent struct{ touched, settled int }

func (s *silent) Touch(*Watch, *Change, bool, bool) { s.touched++ }
func (s *silent) Settle(*Transaction)               { s.settled++ }

func TestWatchAndStopFromManyGoroutines(t *testing.T) {
	var r Reactor
	sel := []*ankql.Selection{selection(t, "year = 1"), selection(t, "year > 0"), selection(t, ""), selection(t, "name = 'a' OR year IN (1, 2)")}
	var hears silent
	r.Watch("album", sel[0], &hears)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
					w := r.Watch("album", sel[(i+n)%len(sel)], &silent{})
					r.Count()
					w.Stop()
				}
			}
		})
	}
	const transactions = 300
	for range transactions {
		r.Publish(&Transaction{Changes: []Change{changed(record(1, "year", 1), record(1, "year", 2)), changed(nil, record(2, "year", 1))}})
	}
	close(done)
	wg.Wait()
	if hears.touched != 2*transactions || hears.settled != transactions || r.Count() != 1 {
		t.Errorf("%+v after %d transactions; %d watches are left", hears, transactions, r.Count())
	}
}

func TestPublishAllocatesLittle(t *testing.T) {
	var r Reactor
	for i := range 100 {
		r.Watch("album", selection(t, "year = ?", i), &silent{})
	}
	nobody := &Transaction{Changes: []Change{changed(record(1, "year", 500), record(1, "year", 501))}}
	if n := testing.AllocsPerRun(50, func() { r.Publish(nobody) }); n != 0 {
		t.Errorf("a change that touches nobody makes %v allocations", n)
	}
}

// Example watches albums of one year.
func Example() {
	var r Reactor
	s, err := ankql.Parse("year = 2001")
	if err != nil {
		panic(err)
	}
	watch := r.Watch("album", s, printer{})
	r.Publish(&Transaction{Changes: []Change{{Collection: "album", After: &proto.Record{Collection: "album", State: record(1, "year", 2001).State}}}})
	watch.Stop()
	// Output:
	// before: false, after: true
	// end
}

type printer struct{}

func (printer) Touch(_ *Watch, _ *Change, before, after bool) {
	fmt.Printf("before: %v, after: %v\n", before, after)
}
func (printer) Settle(*Transaction) { fmt.Println("end") }

func at(number uint64) proto.Position { return proto.Position{{Seq: number}} }

func numberOf(t *Transaction) uint64 {
	if len(t.Position) == 0 {
		return 0
	}
	return t.Position[0].Seq
}

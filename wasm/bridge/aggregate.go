package bridge

import (
	"slices"
	"strings"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// aggregate is a page's live aggregate. What waits to be sent is not the changes but that
// there are some: when its turn comes, the page gets what is different from what it has.
type aggregate struct {
	session *Session
	number  uint64
	text    string
	live    *core.LiveAggregate

	told  []*core.AggregateGroup // what the page has; of the writing goroutine
	begun bool                   // it has something; of the writing goroutine

	queued bool // its turn will come; guarded by outgoing.mu

	mu struct {
		sync.Mutex
		stop   func()
		closed bool
	}
}

// aggregate opens a live aggregate.
func (s *Session) aggregate(m *frame.Aggregate) {
	if err := s.openAggregate(m); err != nil {
		s.out.message(&frame.Groups{Query: m.Query, Status: frame.QueryError, Err: errorOf(err, m.Text), Reset: true})
	}
}

func (s *Session) openAggregate(m *frame.Aggregate) error {
	if _, err := s.columnsOf(m.Collection); err != nil {
		return err
	}
	if err := s.room(m.Query); err != nil {
		return err
	}
	of, err := aggregation(m)
	if err != nil {
		return err
	}
	live, err := s.service.access.QueryAggregate(m.Collection, of)
	if err != nil {
		return err
	}
	a := &aggregate{session: s, number: m.Query, text: m.Text, live: live}
	s.aggregates[m.Query] = a
	stop := live.Subscribe(func(*core.AggregateChange) { s.out.summary(a) })
	a.mu.Lock()
	a.mu.stop = stop
	a.mu.Unlock()
	return nil
}

// room refuses a number that is taken, and a live result too many.
func (s *Session) room(number uint64) error {
	if s.queries[number] != nil || s.aggregates[number] != nil {
		return refusal(core.KindInvalid, "the query number %d is taken", number)
	}
	if len(s.queries)+len(s.aggregates) >= s.limits().Queries {
		return refusal(core.KindLimit, "more than %d live queries on one page", s.limits().Queries)
	}
	return nil
}

// aggregation reads what a page asks for.
func aggregation(m *frame.Aggregate) (*ankql.Aggregation, error) {
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		return nil, err
	}
	columns := make([]ankql.Aggregate, len(m.Columns))
	for i, c := range m.Columns {
		column := ankql.CountOf(strings.Repeat("n", i+1), c.Path)
		if c.Path == "" {
			column.Path = nil
		}
		column.Function, column.Distinct = ankql.Function(min(c.Function, 255)), c.Distinct
		columns[i] = column
	}
	return ankql.AggregationOf(selection, m.GroupBy, columns...)
}

func (s *Session) closeAggregate(number uint64) {
	if a := s.aggregates[number]; a != nil {
		delete(s.aggregates, number)
		a.close()
	}
}

func (a *aggregate) close() {
	a.mu.Lock()
	a.mu.closed = true
	if a.mu.stop != nil {
		a.mu.stop()
	}
	a.mu.Unlock()
	a.live.Close()
}

func (a *aggregate) closedNow() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.closed
}

// summary makes the page get what is different of an aggregate.
func (o *outgoing) summary(a *aggregate) {
	o.mu.Lock()
	if !a.queued {
		a.queued = true
		o.addLocked(&item{aggregate: a})
	}
	o.mu.Unlock()
	signal(o.ready)
}

// turn says that an aggregate is being written: what changes from now on waits for the next
// turn.
func (o *outgoing) turn(a *aggregate) {
	o.mu.Lock()
	a.queued = false
	o.mu.Unlock()
}

// groups writes what a page does not have of an aggregate, in parts (B5).
func (w *writer) groups(a *aggregate) bool {
	w.session.out.turn(a)
	if a.closedNow() {
		return true
	}
	now := a.live.Now()
	m := frame.Groups{Query: a.number, Status: queryStatus(now.Status), Err: errorOf(now.Err, a.text), Reset: !a.begun}
	changes := difference(a.told, now.Changed)
	a.told, a.begun = now.Changed, true
	limits := w.session.limits()
	for {
		m.Groups = m.Groups[:0]
		n, bytes := 0, 0
		for n < len(changes) && n < limits.PartRows && bytes < limits.PartBytes {
			m.Groups = append(m.Groups, changes[n])
			for _, v := range changes[n].Values {
				bytes += v.Size()
			}
			n++
		}
		changes = changes[n:]
		m.More = len(changes) > 0
		if !w.message(&m) || m.More && !w.flush() {
			return false
		}
		if !m.More {
			return true
		}
		m.Reset = false
	}
}

// difference returns what leads from some groups to others, both in order.
func difference(before, after []*core.AggregateGroup) (changes []frame.Group) {
	for len(before)+len(after) > 0 {
		order := 0
		switch {
		case len(before) == 0:
			order = 1
		case len(after) == 0:
			order = -1
		default:
			order = strings.Compare(before[0].ID, after[0].ID)
		}
		if order < 0 {
			changes = append(changes, frame.Group{ID: before[0].ID})
			before = before[1:]
			continue
		}
		if g := after[0]; order > 0 || g != before[0] && !slices.Equal(g.Values, before[0].Values) {
			changes = append(changes, frame.Group{ID: g.ID, Values: slices.Concat([]value.Value(g.Key), g.Values)})
		}
		if order == 0 {
			before = before[1:]
		}
		after = after[1:]
	}
	return changes
}

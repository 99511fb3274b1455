package bridge

import (
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// query is a page's live query.
type query struct {
	session *Session
	number  uint64
	text    string
	columns []string
	shared  *sharedQuery

	told []string // the columns that the page knows; of the writing goroutine

	stale        bool // the present rows are to be sent; guarded by outgoing.mu
	subscription int  // number of the present one; guarded by outgoing.mu

	mu struct {
		sync.Mutex
		stop   func()
		closed bool
	}
}

// resubscribe subscribes, anew if it had, and returns the present rows as a change set, or
// nil if the query is closed.
func (q *query) resubscribe() *core.ChangeSet {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return nil
	}
	if q.mu.stop != nil {
		q.mu.stop()
	}
	out := q.session.out
	subscription := out.subscribed(q)
	var first *core.ChangeSet
	var status core.QueryStatus
	q.mu.stop = q.shared.live.Subscribe(func(set *core.ChangeSet) {
		if first == nil {
			first, status = set, set.Status
			return
		}
		visible := withoutSame(set)
		if len(visible.Changes) > 0 || set.Status != status || set.Err != nil {
			status = set.Status
			out.changed(q, subscription, visible)
		}
	})
	return first
}

// withoutSame returns a change set without the rows that a page would see no difference in:
// every commit is acknowledged later, and a page need not read its rows a second time for
// that.
func withoutSame(set *core.ChangeSet) *core.ChangeSet {
	same := func(c core.Change) bool { return c.Same && c.From == c.To }
	if !slices.ContainsFunc(set.Changes, same) {
		return set
	}
	visible := *set
	visible.Changes = slices.DeleteFunc(slices.Clone(set.Changes), same)
	return &visible
}

func (q *query) close() {
	q.mu.Lock()
	q.mu.closed = true
	if q.mu.stop != nil {
		q.mu.stop()
	}
	q.mu.Unlock()
	q.session.service.release(q.shared)
}

// subscribe opens a live query.
func (s *Session) subscribe(m *frame.Subscribe) {
	if err := s.openQuery(m); err != nil {
		s.out.message(&frame.Delta{Query: m.Query, Status: frame.QueryError, Err: errorOf(err, m.Text), Reset: true})
	}
}

func (s *Session) openQuery(m *frame.Subscribe) error {
	columns, err := s.columnsOf(m.Collection)
	if err != nil {
		return err
	}
	if err := s.room(m.Query); err != nil {
		return err
	}
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		return err
	}
	shared, err := s.service.acquire(m.Collection, selection)
	if err != nil {
		return err
	}
	q := &query{session: s, number: m.Query, text: m.Text, columns: columns, shared: shared}
	s.queries[m.Query] = q
	s.out.refresh(q)
	return nil
}

func (s *Session) unsubscribe(number uint64) {
	if q := s.queries[number]; q != nil {
		delete(s.queries, number)
		q.close()
	}
}

// parse reads a selection with its parameters.
func parse(text string, p frame.Params) (*ankql.Selection, error) {
	if len(p.Named) > 0 {
		named := make(ankql.Named, len(p.Named))
		for _, param := range p.Named {
			named[param.Name] = bound(param.Param)
		}
		return ankql.Parse(text, named)
	}
	positional := make([]any, len(p.Positional))
	for i, param := range p.Positional {
		positional[i] = bound(param)
	}
	return ankql.Parse(text, positional...)
}

func bound(p frame.Param) any {
	if p.IsList {
		return append([]value.Value{}, p.List...)
	}
	return p.Value
}

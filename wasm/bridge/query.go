package bridge

import (
	"math"
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
	columns []string
	live    *core.LiveQuery

	told []string // the columns that the page knows; of the writing goroutine

	stale        bool // the present rows are to be sent; guarded by outgoing.mu
	subscription int  // number of the present one; guarded by outgoing.mu

	mu struct {
		sync.Mutex
		stop   func()
		text   string // of the selection
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
	var window *core.WindowState
	q.mu.stop = q.live.Subscribe(func(set *core.ChangeSet) {
		if first == nil {
			first, status, window = set, set.Status, set.Window
			return
		}
		if len(set.Changes) > 0 || set.Status != status || set.Err != nil || !sameState(set.Window, window) {
			status, window = set.Status, set.Window
			out.changed(q, subscription, set)
		}
	})
	return first
}

func (q *query) close() {
	q.mu.Lock()
	q.mu.closed = true
	if q.mu.stop != nil {
		q.mu.stop()
	}
	q.mu.Unlock()
	q.live.Close()
}

// text returns the selection's, for where an error is in it.
func (q *query) text() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.text
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
	if s.queries[m.Query] != nil {
		return refusal(core.KindInvalid, "the query number %d is taken", m.Query)
	}
	if len(s.queries) >= s.limits().Queries {
		return refusal(core.KindLimit, "more than %d live queries on one page", s.limits().Queries)
	}
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		return err
	}
	window, err := windowOf(m.Window)
	if err != nil {
		return err
	}
	q := &query{session: s, number: m.Query, columns: columns}
	q.mu.text = m.Text
	if window == nil {
		q.live, err = s.service.access.Query(m.Collection, selection)
	} else {
		q.live, err = s.service.access.QueryWindow(m.Collection, selection, *window)
	}
	if err != nil {
		return err
	}
	s.queries[m.Query] = q
	s.out.refresh(q)
	return nil
}

// turn changes the selection, if there is one, and the window of a live query in place.
// What is wrong with them is told as the query's error; its rows stay true.
func (s *Session) turn(number uint64, text string, selection *ankql.Selection, w *frame.Window) {
	q := s.queries[number]
	if q == nil {
		s.fail(0, refusal(core.KindNotFound, "no query has the number %d", number), "")
		return
	}
	failed := func(err error) {
		s.out.message(&frame.Delta{Query: number, Status: frame.QueryError, Err: errorOf(err, text)})
	}
	window, err := windowOf(w)
	var done <-chan error
	if err == nil {
		done, err = q.live.Turn(selection, window)
	}
	if err != nil {
		failed(err)
		return
	}
	if selection != nil {
		q.mu.Lock()
		q.mu.text = text
		q.mu.Unlock()
	}
	s.bridge.start(func() {
		select {
		case err := <-done:
			if err != nil && core.KindOf(err) != core.KindClosed {
				failed(err)
			}
		case <-s.ctx.Done():
		}
	})
}

func (s *Session) move(m *frame.Move) { s.turn(m.Query, "", nil, m.Window) }

func (s *Session) reselect(m *frame.Select) {
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		s.out.message(&frame.Delta{Query: m.Query, Status: frame.QueryError, Err: errorOf(err, m.Text)})
		return
	}
	s.turn(m.Query, m.Text, selection, m.Window)
}

// locate answers with the cursor of the row of an index.
func (s *Session) locate(m *frame.Locate) {
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		s.fail(m.Request, err, m.Text)
		return
	}
	ctx, end, ok := s.begin(s.ctx, m.Request)
	if !ok {
		return
	}
	s.bridge.start(func() {
		defer end()
		cursor, index, err := s.service.access.Locate(ctx, m.Collection, selection, int(min(m.Index, math.MaxInt32)))
		if err != nil {
			s.fail(m.Request, err, m.Text)
			return
		}
		s.out.message(&frame.Located{Request: m.Request, Cursor: cursor.String(), Index: uint64(index)})
	})
}

// windowOf returns the window that a page asks for.
func windowOf(w *frame.Window) (*core.Window, error) {
	if w == nil {
		return nil, nil
	}
	out := &core.Window{Before: int(w.Before), After: int(w.After)}
	switch a := w.Anchor; a.Kind {
	case frame.AnchorEnd:
		out.Anchor = core.AtEnd
	case frame.AnchorCursor:
		cursor, err := ankql.ParseCursor(a.Cursor)
		if err != nil {
			return nil, err
		}
		out.Anchor = core.AtCursor(cursor)
	case frame.AnchorEntity:
		out.Anchor = core.AtEntity(a.Entity)
	case frame.AnchorIndex:
		out.Anchor = core.AtIndex(int(min(a.Index, math.MaxInt32)))
	}
	return out, nil
}

func sameState(a, b *core.WindowState) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// stateOf returns a window's state as a page reads it.
func stateOf(s *core.WindowState) *frame.WindowState {
	if s == nil {
		return nil
	}
	return &frame.WindowState{Anchor: s.Anchor, Before: s.HasBefore, After: s.HasAfter,
		First: s.First.String(), Last: s.Last.String(), Position: s.Position.String()}
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

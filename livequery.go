package ankurah

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
)

// LiveQuery is a selection of entities of model T that stays true.
type LiveQuery[T any] struct {
	query   *core.LiveQuery
	mapping *mapping
	closed  chan struct{}
	once    sync.Once
}

// Query opens a live query. It returns at once; the rows follow, first from this node's
// data, then from the durable node. The text is AnkQL (package ankql); params take the
// place of its ? in order, or of its :names if one ankql.Named is given.
func Query[T any](c *Context, text string, params ...any) (*LiveQuery[T], error) {
	m, s, err := selectionOf[T](c, "query", text, params)
	if err != nil {
		return nil, err
	}
	q, err := c.Query(m.model.Collection, s)
	if err != nil {
		return nil, err
	}
	return &LiveQuery[T]{query: q, mapping: m, closed: make(chan struct{})}, nil
}

// QueryWindow is Query for a part of the rows around a place in their order; the text has no
// LIMIT.
func QueryWindow[T any](c *Context, w Window, text string, params ...any) (*LiveQuery[T], error) {
	m, s, err := selectionOf[T](c, "query", text, params)
	if err != nil {
		return nil, err
	}
	q, err := c.QueryWindow(m.model.Collection, s, w)
	if err != nil {
		return nil, err
	}
	return &LiveQuery[T]{query: q, mapping: m, closed: make(chan struct{})}, nil
}

// selectionOf returns T's mapping and the selection that a text says.
func selectionOf[T any](c *Context, op, text string, params []any) (*mapping, *ankql.Selection, error) {
	m, err := use[T](context.Background(), c.Node())
	if err != nil {
		return nil, nil, err
	}
	s, err := ankql.Parse(text, params...)
	if err != nil {
		return nil, nil, &Error{Op: op, Kind: core.KindSelection, Err: err}
	}
	return m, s, nil
}

// Rows returns the rows in order. Rows that do not fit into T (another program may have
// registered a wider model) are an error.
func (q *LiveQuery[T]) Rows() ([]View[T], error) { return readAll[T](q.mapping, q.query.Rows()) }

// Status returns how far the rows can be trusted.
func (q *LiveQuery[T]) Status() QueryStatus { return q.query.Status() }

// Err returns why the status is QueryError, else nil.
func (q *LiveQuery[T]) Err() error { return q.query.Err() }

// Wait blocks until the query has been answered, by the durable node where one is
// connected; it returns the query's error, or ctx's.
func (q *LiveQuery[T]) Wait(ctx context.Context, want QueryStatus) error {
	reached := make(chan struct{})
	var once sync.Once
	stop := q.query.Subscribe(func(c *core.ChangeSet) {
		if c.Status >= want {
			once.Do(func() { close(reached) })
		}
	})
	defer stop()
	select {
	case <-reached:
		return q.query.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SetSelection changes the selection in place, and returns when the rows are those of the
// new one.
func (q *LiveQuery[T]) SetSelection(ctx context.Context, text string, params ...any) error {
	s, err := ankql.Parse(text, params...)
	if err != nil {
		return &Error{Op: "set selection", Kind: core.KindSelection, Err: err}
	}
	return q.query.SetSelection(ctx, s)
}

// State returns where the rows of a window stand in their order; nil without a window.
func (q *LiveQuery[T]) State() *WindowState { return q.query.State() }

// Move moves and resizes the window in place, or gives the query one, and returns when the
// rows are those of the new one. See core.LiveQuery.Move for what that costs.
func (q *LiveQuery[T]) Move(ctx context.Context, w Window) error { return q.query.Move(ctx, w) }

// Close ends the query and its subscriptions, and releases what it holds. It does not
// wait for a callback in progress.
func (q *LiveQuery[T]) Close() {
	q.once.Do(func() { close(q.closed) })
	q.query.Close()
}

// Changes is what one transaction, or a change of the selection or the status, did to a
// live query.
type Changes[T any] struct {
	Status QueryStatus
	Err    error
	// Reset says that Changes are all rows, as initial ones: the first call, or the
	// subscriber was too slow for the changes in between.
	Reset   bool
	Changes []Change[T]
	// Window is where the rows stand in their order; nil without a window.
	Window *WindowState
}

// Change is what happened to one row.
type Change[T any] struct {
	Kind     core.ChangeKind
	ID       EntityID
	View     View[T] // zero when removed
	From, To int     // see core.Change
}

// String describes the changes for people.
func (c Changes[T]) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", c.Status)
	for _, x := range c.Changes {
		fmt.Fprintf(&b, ", %s", x.Kind)
		if x.Kind != core.ChangeRemoved {
			fmt.Fprintf(&b, " %+v", x.View.Value)
		}
	}
	if c.Err != nil {
		fmt.Fprintf(&b, ", %v", c.Err)
	}
	return b.String()
}

// mailboxSize bounds the change sets that wait for a slow subscriber.
const mailboxSize = 256

// Subscribe calls f with the rows so far and then with every change, in order, one call
// after the other on a goroutine of its own, until stop. A subscriber that falls far behind
// gets a reset in place of what it missed. stop does not wait for a call in progress.
func (q *LiveQuery[T]) Subscribe(f func(Changes[T])) (stop func()) {
	m := &mailbox{query: q.query, wake: make(chan struct{}, 1), done: make(chan struct{}), closed: q.closed}
	m.subscribe()
	// Owned by the subscription: it ends with stop or with the query, and its queue is
	// bounded by mailboxSize.
	go func() {
		for set, reset := m.next(); set != nil; set, reset = m.next() {
			f(q.typed(set, reset))
		}
	}()
	return m.stop
}

func (q *LiveQuery[T]) typed(set *core.ChangeSet, reset bool) Changes[T] {
	c := Changes[T]{Status: set.Status, Err: set.Err, Reset: reset, Window: set.Window}
	for _, x := range set.Changes {
		typed := Change[T]{Kind: x.Kind, ID: x.Entity, From: x.From, To: x.To}
		if x.View != nil {
			var err error
			if typed.View, err = read[T](q.mapping, x.View); err != nil {
				c.Err = err
			}
		}
		c.Changes = append(c.Changes, typed)
	}
	return c
}

// mailbox holds change sets between the node's loop and a subscriber's goroutine.
type mailbox struct {
	query  *core.LiveQuery
	wake   chan struct{}
	done   chan struct{} // stopped
	closed chan struct{} // the query was closed
	mu     struct {
		sync.Mutex
		sets    []*core.ChangeSet
		first   bool // the first of sets is a reset
		cancel  func()
		stopped bool
	}
}

func (m *mailbox) subscribe() {
	m.mu.Lock()
	m.mu.first = true
	m.mu.Unlock()
	cancel := m.query.Subscribe(m.put)
	m.mu.Lock()
	m.mu.cancel = cancel
	m.mu.Unlock()
}

// put takes a change set, or gives up those that wait when there are too many.
func (m *mailbox) put(set *core.ChangeSet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mu.sets) >= mailboxSize {
		m.mu.sets = m.mu.sets[:0]
		m.mu.sets = append(m.mu.sets, nil) // resubscribe
	}
	if n := len(m.mu.sets); n == 0 || m.mu.sets[n-1] != nil {
		m.mu.sets = append(m.mu.sets, set)
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// next waits for a change set; nil means that the subscription was stopped.
func (m *mailbox) next() (set *core.ChangeSet, reset bool) {
	for {
		m.mu.Lock()
		if len(m.mu.sets) > 0 {
			set, m.mu.sets = m.mu.sets[0], m.mu.sets[1:]
			reset, m.mu.first = m.mu.first, false
			cancel := m.mu.cancel
			m.mu.Unlock()
			if set != nil {
				return set, reset
			}
			cancel()
			m.mu.Lock()
			m.mu.sets = nil
			m.mu.Unlock()
			m.subscribe()
			continue
		}
		m.mu.Unlock()
		select {
		case <-m.wake:
		case <-m.done:
			return nil, false
		case <-m.closed:
			return nil, false
		}
	}
}

func (m *mailbox) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.mu.stopped {
		m.mu.stopped = true
		m.mu.cancel()
		close(m.done)
	}
}

package bridge

import (
	"context"
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// refusal returns an error of this package.
func refusal(kind core.Kind, format string, args ...any) error {
	return &core.Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// fail answers a request with an error; request 0 is the session as a whole. Text is the
// selection that was asked for, if any.
func (s *Session) fail(request uint64, err error, text string) {
	s.out.message(&frame.Failed{Request: request, Err: *errorOf(err, text)})
}

// begin notes a request, so that it can be given up, and returns its context and what ends
// it. A request too many is answered here.
func (s *Session) begin(ctx context.Context, request uint64) (_ context.Context, end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.requests[request] != nil {
		s.fail(0, refusal(core.KindInvalid, "the request number %d is taken", request), "")
		return nil, nil, false
	}
	if len(s.mu.requests) >= s.limits().Requests {
		s.fail(request, refusal(core.KindLimit, "more than %d requests of one page are under way", s.limits().Requests), "")
		return nil, nil, false
	}
	ctx, cancel := context.WithCancel(ctx)
	s.mu.requests[request] = cancel
	return ctx, func() {
		s.mu.Lock()
		delete(s.mu.requests, request)
		s.mu.Unlock()
		cancel()
	}, true
}

func (s *Session) giveUp(request uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.mu.requests[request]; cancel != nil {
		cancel()
	}
}

// answer runs a request on a goroutine of its own and answers Done or Failed.
func (s *Session) answer(request uint64, f func(context.Context) error) {
	s.respond(request, func(ctx context.Context) (frame.Answer, error) {
		return &frame.Done{Request: request}, f(ctx)
	})
}

// respond runs a request on a goroutine of its own and sends its answer, or Failed.
func (s *Session) respond(request uint64, f func(context.Context) (frame.Answer, error)) {
	ctx, end, ok := s.begin(s.ctx, request)
	if !ok {
		return
	}
	s.bridge.start(func() {
		defer end()
		answer, err := f(ctx)
		if err != nil {
			s.fail(request, err, "")
			return
		}
		s.out.message(answer)
	})
}

// administer carries out what concerns the node rather than data.
func (s *Session) administer(m frame.Message) {
	node := s.service.opened.Node
	switch m := m.(type) {
	case *frame.Dismiss:
		s.answer(m.Request, func(ctx context.Context) error {
			defer s.service.signalRefused()
			if m.Transaction.IsZero() {
				return node.DismissRejections(ctx)
			}
			return node.DismissRejection(ctx, m.Transaction)
		})
	case *frame.Retry:
		s.retry(m)
	case *frame.Token:
		s.answer(m.Request, func(context.Context) error {
			s.service.dial(m.Token)
			return nil
		})
	case *frame.Await:
		s.answer(m.Request, node.WaitReady)
	default:
		s.fail(0, refusal(core.KindInvalid, "a page does not send %T", m), "")
	}
}

// rowReader is what core.Context and core.Tx have in common.
type rowReader interface {
	Fetch(ctx context.Context, collection string, s *ankql.Selection) ([]*core.View, error)
	Get(ctx context.Context, collection string, e id.EntityID) (*core.View, error)
}

// reading is a request for rows.
type reading struct {
	request, tx uint64
	collection  string
	text        string
	read        func(context.Context, rowReader) ([]*core.View, error)
}

func (s *Session) fetch(m *frame.Fetch) {
	selection, err := parse(m.Text, m.Params)
	if err != nil {
		s.fail(m.Request, err, m.Text)
		return
	}
	s.readRows(reading{m.Request, m.Tx, m.Collection, m.Text, func(ctx context.Context, from rowReader) ([]*core.View, error) {
		return from.Fetch(ctx, m.Collection, selection)
	}})
}

func (s *Session) get(m *frame.Get) {
	s.readRows(reading{m.Request, m.Tx, m.Collection, "", func(ctx context.Context, from rowReader) ([]*core.View, error) {
		view, err := from.Get(ctx, m.Collection, m.Entity)
		return []*core.View{view}, err
	}})
}

// readRows answers a reading, from its transaction or else from the node.
func (s *Session) readRows(r reading) {
	columns, err := s.columnsOf(r.collection)
	if err != nil {
		s.fail(r.request, err, r.text)
		return
	}
	ctx, end, ok := s.begin(s.ctx, r.request)
	if !ok {
		return
	}
	answer := func(from rowReader) {
		defer end()
		views, err := r.read(ctx, from)
		if err != nil {
			s.fail(r.request, err, r.text)
			return
		}
		s.out.rows(&rowsAnswer{request: r.request, columns: columns, views: views})
	}
	if r.tx == 0 {
		s.bridge.start(func() { answer(s.service.access) })
		return
	}
	s.inTransaction(r.tx, func(t *transaction, err error) {
		if err != nil {
			end()
			s.fail(r.request, err, "")
			return
		}
		answer(t.tx)
	})
}

// inTransaction runs an operation in its turn; it gets the error with which the transaction
// has failed, or cannot begin.
func (s *Session) inTransaction(number uint64, operation func(*transaction, error)) {
	t, err := s.transactionOf(number)
	if err != nil {
		operation(nil, err)
		return
	}
	t.do(func() { operation(t, t.begin()) })
}

func (s *Session) create(m *frame.Create) {
	ctx, end, ok := s.begin(s.ctx, m.Request)
	if !ok {
		return
	}
	s.inTransaction(m.Tx, func(t *transaction, err error) {
		defer end()
		var ids []id.EntityID
		if err == nil {
			if ids, err = t.create(ctx, m); err != nil {
				t.fail(err)
			}
		}
		if err != nil {
			s.fail(m.Request, err, "")
			return
		}
		// A commit often follows at once; its answer takes this one along.
		s.out.along(&frame.Created{Request: m.Request, Entities: ids})
	})
}

// change carries out an operation that has no answer: its error fails the commit.
func (s *Session) change(number uint64, operation func(*transaction) error) {
	s.inTransaction(number, func(t *transaction, err error) {
		switch {
		case t == nil:
			s.fail(0, err, "")
		case err == nil:
			if err := operation(t); err != nil {
				t.fail(err)
			}
		}
	})
}

// commit commits. A page that goes away in the middle does not keep it from happening.
func (s *Session) commit(m *frame.Commit) {
	ctx, end, ok := s.begin(context.WithoutCancel(s.ctx), m.Request)
	if !ok {
		return
	}
	s.inTransaction(m.Tx, func(t *transaction, err error) {
		defer end()
		if err != nil {
			if t != nil {
				t.rollback()
			}
			s.fail(m.Request, err, "")
			return
		}
		if !m.Replaces.IsZero() {
			t.tx.Replaces(m.Replaces)
			defer s.service.signalRefused()
		}
		transaction, err := t.commit(ctx)
		if err != nil {
			s.fail(m.Request, err, "")
			return
		}
		s.out.message(&frame.Committed{Request: m.Request, Transaction: transaction})
	})
	delete(s.transactions, m.Tx)
}

func (s *Session) rollback(number uint64) {
	if t := s.transactions[number]; t != nil {
		delete(s.transactions, number)
		t.do(t.rollback)
	}
}

// expect notes a transaction of this page whose outcome it wants to know.
func (s *Session) expect(t id.TransactionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.unsettled[t] = struct{}{}
}

// settled forgets a transaction, and reports whether its outcome was awaited.
func (s *Session) settled(t id.TransactionID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, awaited := s.mu.unsettled[t]
	delete(s.mu.unsettled, t)
	return awaited
}

// settle tells the page the outcome of a transaction, if it is one of its own.
func (s *Session) settle(m *frame.Settled) {
	if s.settled(m.Transaction) {
		s.out.message(m)
	}
}

package bridge

import (
	"context"
	"errors"
	"sync"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// transaction is a page's open transaction. Its operations run one after the other, on a
// goroutine that exists while there are any.
type transaction struct {
	session *Session

	// The rest, except mu, belongs to the operation that runs.
	tx  *core.Tx
	err error // what went wrong first: the commit fails with it

	mu struct {
		sync.Mutex
		waiting []func()
		running bool
	}
}

// transactionOf returns the page's transaction of that number, which begins now if it is not
// known.
func (s *Session) transactionOf(number uint64) (*transaction, error) {
	t := s.transactions[number]
	if t == nil {
		if len(s.transactions) >= s.limits().Transactions {
			return nil, refusal(core.KindLimit, "more than %d open transactions on one page", s.limits().Transactions)
		}
		t = &transaction{session: s}
		s.transactions[number] = t
	}
	return t, nil
}

// do runs an operation after those before it.
func (t *transaction) do(operation func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit := t.session.limits().Operations; len(t.mu.waiting) >= limit {
		t.mu.waiting = append(t.mu.waiting[:0], func() {
			t.fail(refusal(core.KindLimit, "more than %d operations wait in one transaction", limit))
		})
	}
	t.mu.waiting = append(t.mu.waiting, operation)
	if !t.mu.running {
		t.mu.running = true
		t.session.bridge.start(t.run)
	}
}

func (t *transaction) run() {
	defer t.session.out.wake()
	for {
		t.mu.Lock()
		if len(t.mu.waiting) == 0 {
			t.mu.running = false
			t.mu.Unlock()
			return
		}
		operation := t.mu.waiting[0]
		t.mu.waiting[0] = nil
		t.mu.waiting = t.mu.waiting[1:]
		t.mu.Unlock()
		operation()
	}
}

// begin begins the transaction with its first operation.
func (t *transaction) begin() error {
	if t.err != nil || t.tx != nil {
		return t.err
	}
	if err := t.session.awaitSystem(); err != nil {
		return t.fail(err)
	}
	t.tx = t.session.service.access.Begin()
	return nil
}

// awaitSystem waits until there is a system, but not for ever: a page that has just been
// opened may be ahead of its first connection.
func (s *Session) awaitSystem() error {
	node := s.service.opened.Node
	if node.Status().Ready {
		return nil // without a timer, which would cost more than all else here
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.limits().Ready)
	defer cancel()
	err := node.WaitReady(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &core.Error{Kind: core.KindNotReady, Err: core.ErrNotReady}
	}
	return err
}

// fail keeps the first error, and returns it.
func (t *transaction) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return t.err
}

// create carries out a Create.
func (t *transaction) create(ctx context.Context, m *frame.Create) ([]id.EntityID, error) {
	return t.tx.CreateAll(ctx, m.Collection, m.Columns, m.Rows)
}

// edit carries out an Edit.
func (t *transaction) edit(m *frame.Edit) error {
	return t.tx.Set(t.session.ctx, m.Collection, m.Entity, fieldsOf(m.Columns, m.Values))
}

func fieldsOf(columns []string, values []value.Value) []proto.Field {
	fields := make([]proto.Field, len(columns))
	for i, name := range columns {
		fields[i] = proto.Field{Name: name, Value: values[i]}
	}
	return fields
}

// mark carries out a Mark.
func (t *transaction) mark(m *frame.Mark) error {
	if m.Deleted {
		return t.tx.Delete(t.session.ctx, m.Collection, m.Entity)
	}
	return t.tx.Restore(t.session.ctx, m.Collection, m.Entity)
}

// commit carries out a Commit.
func (t *transaction) commit(ctx context.Context) (id.TransactionID, error) {
	s := t.session
	s.expect(t.tx.ID())
	receipt, err := t.tx.Commit(ctx)
	if err != nil {
		s.settled(t.tx.ID())
		return id.TransactionID{}, err
	}
	if done, err := outcome(receipt); done && err == nil {
		// Nobody will be told: the transaction changed nothing.
		s.settle(&frame.Settled{Transaction: receipt.Transaction()})
	}
	return receipt.Transaction(), nil
}

func (t *transaction) rollback() {
	if t.tx != nil {
		t.tx.Rollback()
	}
}

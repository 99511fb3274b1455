package core_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/memory"
)

// heldUp is one process's engine, whose commits wait while a gate is closed. One that is deaf
// hears of others only when it publishes something of its own.
type heldUp struct {
	*memory.Shared
	deaf bool
	gate atomic.Pointer[chan struct{}]
}

func (e *heldUp) Wake() <-chan struct{} {
	if e.deaf {
		return nil
	}
	return e.Shared.Wake()
}

func (e *heldUp) Commit(ctx context.Context, b *storage.Batch) error {
	if gate := e.gate.Load(); gate != nil {
		<-*gate
	}
	return e.Shared.Commit(ctx, b)
}

// close has commits wait, and returns what lets the next one go. The end of the test lets all go.
func (e *heldUp) close(t *testing.T) (next func()) {
	gate := make(chan struct{})
	e.gate.Store(&gate)
	t.Cleanup(func() { close(gate) })
	return func() { gate <- struct{}{} }
}

// tandem is two processes of one store, the first with an engine that can be held up, and
// entities of 2000.
type tandem struct {
	t             *testing.T
	engine        *heldUp
	first, second *core.Node
	one, two      id.EntityID
	beside        id.EntityID // made by the first
	later         sync.WaitGroup
}

// newTandem opens them. The entities are made by the first process; or by the second, and the
// first, which does not remember them, is deaf.
func newTandem(t *testing.T, deaf bool) *tandem {
	disk := memory.NewDisk()
	x := &tandem{t: t, engine: &heldUp{Shared: disk.Share(), deaf: deaf}}
	x.first = durable(t, core.Options{Engine: x.engine, Limits: core.Limits{SharedPoll: time.Hour}})
	x.second = open(t, core.Options{Engine: disk.Share(), Durable: true})
	by := x.first
	if deaf {
		by = x.second
	}
	x.one, x.two = create(t, by, "one", 2000), create(t, by, "two", 2000)
	x.beside = create(t, x.first, "beside", 2000)
	t.Cleanup(x.later.Wait)
	synctest.Wait()
	return x
}

// set commits, on a node, a year of some entities.
func (x *tandem) set(n *core.Node, year int, entities ...id.EntityID) {
	x.t.Helper()
	tx := anonymous(n).Begin()
	for _, e := range entities {
		if err := tx.Set(context.Background(), "album", e, with("year", year)); err != nil {
			x.t.Error(err)
		}
	}
	if _, err := tx.Commit(context.Background()); err != nil {
		x.t.Error(err)
	}
}

// reads checks of which years the entities are to a transaction.
func (x *tandem) reads(tx *core.Tx, one, two string) {
	x.t.Helper()
	for i, e := range []id.EntityID{x.one, x.two} {
		v, err := tx.Get(x.t.Context(), "album", e)
		if err != nil {
			x.t.Fatal(err)
		}
		if got := v.Field("year").String(); got != []string{one, two}[i] {
			x.t.Errorf("entity %d is of %s, want %s", i+1, got, []string{one, two}[i])
		}
	}
}

// TestOthersChangesAreNotForgotten: while a process stores a change, those of other processes
// stay in sight that it has shown: also on an entity that it remembered as of before.
func TestOthersChangesAreNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTandem(t, false)
		x.set(x.second, 2001, x.one, x.two)
		synctest.Wait()
		next := x.engine.close(t)
		x.later.Go(func() { x.set(x.first, 2002, x.one) })
		synctest.Wait()
		x.reads(anonymous(x.first).Begin(), "2001", "2001")
		next()
		synctest.Wait()
		x.reads(anonymous(x.first).Begin(), "2002", "2001")
	})
}

// TestOvertakenWhileAnotherIsStored: likewise where the change was made on top of what the
// process remembered before it could have heard.
func TestOvertakenWhileAnotherIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTandem(t, false)
		next := x.engine.close(t)
		x.later.Go(func() { x.set(x.first, 2001, x.beside) })
		synctest.Wait()
		x.set(x.second, 2001, x.one, x.two)
		x.later.Go(func() { x.set(x.first, 2002, x.one) })
		synctest.Wait()
		next()
		synctest.Wait()
		x.reads(anonymous(x.first).Begin(), "2001", "2001")
		next()
		synctest.Wait()
		x.reads(anonymous(x.first).Begin(), "2002", "2001")
	})
}

// TestOpenTransactionReadsOneMoment: what an open transaction reads is of before all that has been
// published since, also where the node's own change is on top of another process's that it had
// not heard of.
func TestOpenTransactionReadsOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTandem(t, true)
		open := anonymous(x.first).Begin()
		x.set(x.second, 2001, x.one, x.two)
		x.set(x.first, 2002, x.one)
		synctest.Wait()
		x.reads(open, "2000", "2000")
		x.reads(anonymous(x.first).Begin(), "2002", "2001")
	})
}

// TestTransactionOfAMomentThatIsShown: who is told of a change and begins a transaction reads at
// least that, also while changes of other processes are published with it.
func TestTransactionOfAMomentThatIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTandem(t, true)
		q := watch(t, x.first, "album", "year > 2000")
		var read []string
		t.Cleanup(q.Subscribe(func(*core.ChangeSet) {
			tx := anonymous(x.first).Begin()
			defer tx.Rollback()
			for _, shown := range q.Rows() {
				v, err := tx.Get(t.Context(), "album", shown.ID())
				if err != nil || v.Field("year") != shown.Field("year") {
					t.Errorf("shown is %s, read %v, %v", shown.Field("year"), v, err)
					return
				}
				read = append(read, v.Field("year").String())
			}
		}))
		x.set(x.second, 2001, x.one, x.two)
		x.set(x.first, 2002, x.one)
		synctest.Wait()
		if len(read) == 0 {
			t.Error("nobody was told")
		}
	})
}

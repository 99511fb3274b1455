package faulty_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/faulty"
	"github.com/ankurah-go/ankurah/storage/memory"
	"github.com/ankurah-go/ankurah/storage/storagetest"
)

func TestWithoutFaultsItIsTheEngine(t *testing.T) {
	storagetest.Run(t, func(testing.TB) storage.Engine { return faulty.Wrap(memory.New(), nil) },
		storagetest.Counts, storagetest.Indexes, storagetest.Explains, storagetest.Walks, storagetest.Sizes)
}

func write(key string) *storage.Batch {
	return &storage.Batch{Meta: []storage.MetaEntry{{Key: key, Value: []byte("x")}}}
}

// stored reports whether write(key) is in the engine.
func stored(t *testing.T, e storage.Engine, key string) bool {
	t.Helper()
	values, err := e.Meta(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return values[0] != nil
}

func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fault  faulty.Fault
		want   error
		stored bool
		killed bool
	}{
		"none":       {faulty.Fault{}, nil, true, false},
		"before":     {faulty.Fault{Before: broken}, broken, false, false},
		"after":      {faulty.Fault{After: broken}, broken, true, false},
		"kill":       {faulty.Fault{Kill: true}, storage.ErrUnavailable, false, true},
		"kill after": {faulty.Fault{KillAfter: true}, faulty.ErrKilled, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			inner := memory.New()
			e := faulty.Wrap(inner, func(call faulty.Call) faulty.Fault {
				if call.Op == faulty.Commit && call.Batch.Meta[0].Key == "struck" {
					return c.fault
				}
				return faulty.Fault{}
			})
			if err := e.Commit(t.Context(), write("spared")); err != nil {
				t.Fatal(err)
			}
			if err := e.Commit(t.Context(), write("struck")); !errors.Is(err, c.want) {
				t.Errorf("commit: %v, want %v", err, c.want)
			}
			if got := stored(t, inner, "struck"); got != c.stored {
				t.Errorf("stored: %v, want %v", got, c.stored)
			}
			if e.Killed() != c.killed {
				t.Errorf("killed: %v, want %v", e.Killed(), c.killed)
			}
			_, err := e.Records(t.Context(), nil)
			if errors.Is(err, faulty.ErrKilled) != c.killed {
				t.Errorf("the next call: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestWaitDelays(t *testing.T) {
	release, waiting := make(chan struct{}), make(chan struct{})
	inner := memory.New()
	e := faulty.Wrap(inner, func(call faulty.Call) faulty.Fault {
		close(waiting)
		return faulty.Fault{Wait: release}
	})
	done := make(chan error)
	go func() { done <- e.Commit(t.Context(), write("k")) }()
	<-waiting
	if stored(t, inner, "k") {
		t.Error("the call did not wait")
	}
	close(release)
	if err := <-done; err != nil || !stored(t, inner, "k") {
		t.Errorf("after the wait: %v, stored %v", err, stored(t, inner, "k"))
	}
	if e.Calls() != 1 {
		t.Errorf("%d calls", e.Calls())
	}

	ctx, cancel := context.WithCancel(t.Context())
	e.Decide(func(faulty.Call) faulty.Fault {
		cancel()
		return faulty.Fault{Wait: make(chan struct{})}
	})
	if _, err := e.Meta(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait: %v", err)
	}
}

// A call that a kill overtakes while it waits does not reach the engine.
func TestKillOvertakesAWait(t *testing.T) {
	inner := memory.New()
	release := make(chan struct{})
	e := faulty.Wrap(inner, func(faulty.Call) faulty.Fault { return faulty.Fault{Wait: release} })
	done := make(chan error)
	go func() { done <- e.Commit(t.Context(), write("k")) }()
	for e.Calls() == 0 {
		runtime.Gosched()
	}
	e.Kill()
	close(release)
	if err := <-done; !errors.Is(err, faulty.ErrKilled) || stored(t, inner, "k") {
		t.Errorf("commit: %v, stored %v", err, stored(t, inner, "k"))
	}
}

// Whatever call a kill strikes, a transfer between two entities is whole, and the same
// steps bring it to its end.
func TestEveryBoundary(t *testing.T) {
	kills := 0
	faulty.EveryBoundary(t, func(t *testing.T, wrap func(storage.Engine) *faulty.Engine) {
		disk := memory.NewDisk()
		e := wrap(disk.Open())
		if err := transfer(t.Context(), e); err != nil {
			if !errors.Is(err, faulty.ErrKilled) {
				t.Fatal(err)
			}
			kills++
			e = wrap(disk.Open())
			if err := transfer(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		from, to := accounts()
		recs, err := e.Records(t.Context(), []id.EntityID{from.Entity, to.Entity})
		if err != nil && !e.Killed() {
			t.Fatal(err)
		}
		for i, want := range []int64{0, 10} {
			if err != nil {
				break // the kill struck the check itself
			}
			if got, _ := recs[i].Field("year").AsInt(); got != want {
				t.Errorf("account %d has %d, want %d", i, got, want)
			}
		}
	})
	if kills != 6 { // two commits and the read between them, before and after
		t.Errorf("%d kills struck the transfer, want 6", kills)
	}
}

// accounts are two entities, the first with 10 and the second with 0.
func accounts() (from, to *proto.Record) {
	w := storagetest.NewWorld(1)
	_, from = w.Create("account", proto.Field{Name: "year", Value: value.Int(10)})
	_, to = w.Create("account", proto.Field{Name: "year", Value: value.Int(0)})
	return from, to
}

// transfer creates the accounts, unless they are there, and moves 10 from one to the
// other, unless it was moved.
func transfer(ctx context.Context, e storage.Engine) error {
	from, to := accounts()
	err := e.Commit(ctx, &storage.Batch{Records: []storage.RecordWrite{{Record: from}, {Record: to}}})
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return err
	}
	recs, err := e.Records(ctx, []id.EntityID{from.Entity, to.Entity})
	if err != nil {
		return err
	}
	if recs[0] == nil || recs[1] == nil {
		return errors.New("one account without the other")
	}
	a, _ := recs[0].Field("year").AsInt()
	b, _ := recs[1].Field("year").AsInt()
	if a+b != 10 {
		return errors.New("money was made or lost")
	}
	w := storagetest.NewWorld(2)
	_, debited := w.Edit(from, proto.Field{Name: "year", Value: value.Int(0)})
	_, credited := w.Edit(to, proto.Field{Name: "year", Value: value.Int(10)})
	err = e.Commit(ctx, &storage.Batch{Records: []storage.RecordWrite{
		{Record: debited, Expect: from.State.Head}, {Record: credited, Expect: to.State.Head},
	}})
	if errors.Is(err, storage.ErrConflict) && a == 0 {
		return nil
	}
	return err
}

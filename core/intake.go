package core

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// intake follows the peer: it asks for what its store holds after what it has, and
// takes that, one Entries after the other.
func (x *exchange) intake(ctx context.Context) error {
	t, err := progressIn(ctx, x.node, x.store)
	if err != nil {
		return err
	}
	in := &intake{exchange: x, progress: t, backoff: backoff{limits: &x.node.limits}}
	x.seq.recatalog(ctx) // what an earlier exchange brought may not have been looked at
	x.out.must(&proto.Follow{After: t})
	for {
		select {
		case m := <-x.entries:
			if err := in.take(ctx, m); err != nil {
				return err
			}
			x.out.must(&proto.Taken{})
		case <-ctx.Done():
			return nil
		}
	}
}

// intake is how far an exchange is with the peer's transactions.
type intake struct {
	*exchange
	progress progress
	unsaved  int // transactions since the progress was stored
	backoff  backoff
	lookups  uint64 // the number of the last one
}

// arrival is one transaction that the peer has sent.
type arrival struct {
	tx       id.TransactionID
	progress progress
	events   []*proto.Event
	fresh    bool // it was new to this node
	asked    bool // for what it is on top of
}

// unsavedProgress is after how many transactions that brought nothing new the progress is stored
// all the same.
const unsavedProgress = 1024

// take takes the transactions of one frame. It returns when each has been stored, or known
// before, or refused for good; as long as one of them can neither be taken nor refused, it
// tries again.
func (in *intake) take(ctx context.Context, m *proto.Entries) error {
	arrivals := in.read(m)
	about := slices.ContainsFunc(arrivals, (*arrival).inCatalog)
	for len(arrivals) > 0 {
		n, err := in.submit(ctx, arrivals)
		arrivals = arrivals[n:]
		switch {
		case err == nil:
			in.backoff.reset()
			continue
		case errors.Is(err, ErrParents):
			err = in.complete(ctx, arrivals[0])
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
		case permanent(err):
			in.refused(arrivals[0].tx, err)
			arrivals = arrivals[1:]
		default:
			in.pause(ctx, err)
		}
	}
	in.shown.update(func(r *Replication) { r.Lag, r.LastError = m.Left, nil })
	if about {
		in.seq.recatalog(ctx)
	}
	return in.save(ctx)
}

// read decodes transactions, and refuses those that cannot be read.
func (in *intake) read(m *proto.Entries) (list []*arrival) {
	for i := range m.List {
		e := &m.List[i]
		in.progress = in.progress.to(e.Position)
		in.unsaved++
		if len(e.Events) == 0 {
			continue
		}
		in.heard.add(e.Transaction)
		events, err := proto.DecodeEvents(e.Events)
		if err != nil {
			in.refused(e.Transaction, err)
			continue
		}
		list = append(list, &arrival{tx: e.Transaction, progress: in.progress, events: events})
	}
	return list
}

func (a *arrival) inCatalog() bool { return slices.ContainsFunc(a.events, inCatalog) }

func (in *intake) refused(tx id.TransactionID, err error) {
	in.shown.update(func(r *Replication) { r.Refused++ })
	if l := in.node.opts.Listener.Refused; l != nil {
		l(in.peer, tx, err)
	}
}

// pause waits before what cannot be taken at present is tried again: an event from the
// future, a full disk.
func (in *intake) pause(ctx context.Context, err error) {
	in.shown.update(func(r *Replication) { r.LastError = err })
	in.node.opts.Listener.failed("replicate", err)
	timer := time.NewTimer(in.backoff.next())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// submit hands transactions to the sequencer, in order, and returns how many of them are
// decided; err is why the next one is not. Those behind that one are not taken either, so
// that the progress that is stored never runs ahead.
func (in *intake) submit(ctx context.Context, list []*arrival) (decided int, err error) {
	list = list[:min(len(list), intakeAtOnce)]
	var held atomic.Bool
	outcomes := make([]error, len(list))
	done := make(chan struct{}, len(list))
	for i, a := range list {
		sub := &submission{
			tx: a.tx, events: a.events, author: in.peer, replicated: true, held: held.Load,
			meta: a.progress.entry(in.store),
		}
		sub.done = func(_ []proto.AckRow, err error) {
			if outcomes[i] = err; err != nil && !permanent(err) {
				held.Store(true)
			}
			a.fresh = a.fresh || err == nil && sub.fresh
			done <- struct{}{}
		}
		if err := in.seq.submit(ctx, sub); err != nil {
			return 0, err
		}
	}
	for range list {
		select {
		case <-done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return in.count(list, outcomes)
}

// intakeAtOnce bounds the transactions of one peer that wait for the sequencer, so that this
// node's own do not wait long behind them.
const intakeAtOnce = 256

// count notes the outcomes up to the first one that is not final.
func (in *intake) count(list []*arrival, outcomes []error) (decided int, err error) {
	var taken uint64
	for i, a := range list {
		if err = outcomes[i]; err != nil && !permanent(err) {
			break
		}
		if decided++; err != nil {
			in.refused(a.tx, err)
			err = nil
		} else if a.fresh {
			taken++
			in.unsaved = 0
		}
	}
	in.shown.update(func(r *Replication) { r.Taken += taken })
	return decided, err
}

// save stores the progress where that has not happened for long with what it brought.
func (in *intake) save(ctx context.Context) error {
	if in.unsaved < unsavedProgress {
		return nil
	}
	in.unsaved = 0
	return in.seq.commit(ctx, &submission{system: true, meta: in.progress.entry(in.store)})
}

package core

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// spread tells a neighbour what there is to tell whenever it is woken, until ctx ends, the node
// has handed its members over, or tell fails. What tell has returned for is on its way.
func (h *hub) spread(ctx context.Context, to *presence.Neighbour, wake <-chan struct{}, tell func(*proto.Spread) error) error {
	defer h.spreading()()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for last := false; !last; {
		select {
		case <-wake:
		case <-h.ends:
			last = true
		case <-ctx.Done():
			return nil
		}
		for m := to.Take(time.Now(), tellBytes); m != nil; m = to.Take(time.Now(), tellBytes) {
			if err := tell(m); err != nil {
				return err
			}
		}
		pause.Reset(hubPause)
		select {
		case <-pause.C:
		case <-h.ends:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// spreading notes that somebody is being told, until done.
func (h *hub) spreading() (done func()) {
	told := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.spreads[told] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.mu.spreads, told)
		close(told)
	}
}

// handOver tells other durable nodes that this one ends, so that its members are away there, and
// not present for the whole lease. It returns when they have been told, or ctx ends.
func (h *hub) handOver(ctx context.Context) {
	if ctx.Err() != nil || !h.board.Close(time.Now()) {
		return
	}
	h.mu.Lock()
	if !h.mu.ended {
		h.mu.ended = true
		close(h.ends)
	}
	spreads := slices.Collect(maps.Keys(h.mu.spreads))
	h.mu.Unlock()
	for _, told := range spreads {
		select {
		case <-told:
		case <-ctx.Done():
			return
		}
	}
}

// meet makes somebody a neighbour of the board, and returns the channel by which it is woken.
func (h *hub) meet() (*presence.Neighbour, <-chan struct{}) {
	wake := make(chan struct{}, 1)
	return h.board.Meet(func() { signal(wake) }), wake
}

// spreadPresence tells the other durable node who is in which room: one thing after the other
// is sent, so that a slow line gets less and not more.
func (x *exchange) spreadPresence(ctx context.Context) error {
	return x.node.hub().spread(ctx, x.neighbour, x.wakeNeighbour, func(m *proto.Spread) error { return x.out.deliver(ctx, m) })
}

// mingle tells the other processes of the node's store, where there are any, and hears them.
func (h *hub) mingle(ctx context.Context) {
	bus, ok := h.node.engine.(storage.Broadcaster)
	if !ok || h.node.others == nil {
		return
	}
	processes, wake := h.meet()
	h.node.run.start(func(ctx context.Context) {
		err := bus.Listen(ctx, func(message []byte) {
			if message == nil {
				processes.Ask()
				return
			}
			h.hear(processes, message)
		})
		h.failed(ctx, err)
	})
	tell := func(m *proto.Spread) error { return bus.Broadcast(ctx, proto.AppendFrame(nil, m)) }
	for pauses := (backoff{limits: &h.node.limits}); ; {
		err := h.spread(ctx, processes, wake, tell)
		if err == nil {
			return
		}
		h.failed(ctx, err)
		select {
		case <-time.After(pauses.next()):
			processes.Retell()
		case <-ctx.Done():
			return
		}
	}
}

func (h *hub) failed(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		h.node.opts.Listener.failed("presence of other processes", err)
	}
}

// hear takes in what another process has told.
func (h *hub) hear(from *presence.Neighbour, message []byte) {
	f, err := proto.DecodeFrame(message)
	m, ok := f.(*proto.Spread)
	if err == nil && !ok {
		err = errors.Join(proto.ErrFrameType, errors.New("it is not about presence"))
	}
	if err != nil {
		h.node.opts.Listener.failed("presence of other processes", err)
		return
	}
	from.Hear(time.Now(), m)
}

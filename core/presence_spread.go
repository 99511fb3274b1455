package core

import (
	"context"
	"errors"
	"time"

	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// spread tells a neighbour what there is to tell whenever it is woken, until ctx ends or tell
// fails.
func (h *hub) spread(ctx context.Context, to *presence.Neighbour, wake <-chan struct{}, tell func(*proto.Spread) error) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-wake:
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
		case <-ctx.Done():
			return nil
		}
	}
}

// meet makes somebody a neighbour of the board, and returns the channel by which it is woken.
func (h *hub) meet() (*presence.Neighbour, <-chan struct{}) {
	wake := make(chan struct{}, 1)
	return h.board.Meet(func() { signal(wake) }), wake
}

// spreadPresence tells the other durable node who is in which room.
func (x *exchange) spreadPresence(ctx context.Context) error {
	return x.node.hub().spread(ctx, x.neighbour, x.wakeNeighbour, func(m *proto.Spread) error { return x.out.wait(ctx, m) })
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
	for pauses := (backoff{limits: &h.node.limits}); ctx.Err() == nil; {
		h.failed(ctx, h.spread(ctx, processes, wake, tell))
		select {
		case <-time.After(pauses.next()):
			processes.Retell()
		case <-ctx.Done():
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

package core

import (
	"context"
	"sync"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/proto"
)

// outlet is the bounded queue of frames towards one peer. push refuses what does not fit,
// and the caller falls back to a resume; wait blocks instead; must is for answers whose
// number is bounded by the requests that the peer may have open.
type outlet struct {
	conn   connectors.Conn
	limits *Limits
	wake   chan struct{} // something to send
	room   chan struct{} // something was sent
	mu     struct {
		sync.Mutex
		frames [][]byte
		bytes  int
		closed bool
	}
}

func newOutlet(conn connectors.Conn, limits *Limits) *outlet {
	return &outlet{conn: conn, limits: limits, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func (o *outlet) must(f proto.Frame) { o.add(proto.AppendFrame(nil, f), true) }

func (o *outlet) push(f proto.Frame) bool { return o.add(proto.AppendFrame(nil, f), false) }

// wait queues a frame as soon as the queue has room.
func (o *outlet) wait(ctx context.Context, f proto.Frame) error {
	frame := proto.AppendFrame(nil, f)
	for !o.add(frame, false) {
		select {
		case <-o.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (o *outlet) add(frame []byte, always bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.closed {
		return true // nobody is there to miss it
	}
	if len(frame) > proto.MaxFrame && !always {
		return false
	}
	full := len(o.mu.frames) >= o.limits.SendQueue || o.mu.bytes+len(frame) > o.limits.SendBytes && o.mu.bytes > 0
	if full && !always {
		return false
	}
	o.mu.frames = append(o.mu.frames, frame)
	o.mu.bytes += len(frame)
	signal(o.wake)
	return true
}

// drained reports whether the queue is less than half full.
func (o *outlet) drained() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.mu.frames) < o.limits.SendQueue/2 && o.mu.bytes < o.limits.SendBytes/2
}

// write sends what is queued until ctx ends or the connection breaks; sent is called
// after every frame.
func (o *outlet) write(ctx context.Context, sent func()) error {
	defer o.close()
	for {
		frame := o.next()
		if frame == nil {
			select {
			case <-o.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := o.conn.Send(ctx, frame); err != nil {
			return err
		}
		signal(o.room)
		sent()
	}
}

func (o *outlet) next() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.mu.frames) == 0 {
		o.mu.frames = nil
		return nil
	}
	frame := o.mu.frames[0]
	o.mu.frames[0] = nil
	o.mu.frames = o.mu.frames[1:]
	o.mu.bytes -= len(frame)
	return frame
}

func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.closed = true
	o.mu.frames = nil
	signal(o.room)
}

// signal pokes a channel of one slot.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

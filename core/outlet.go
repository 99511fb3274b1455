package core

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/proto"
)

// outlet is the bounded queue of frames towards one peer. push refuses what does not fit,
// and the caller falls back to a resume; wait blocks instead; must is for answers whose
// number is bounded by the requests that the peer may have open.
type outlet struct {
	conn   connectors.Conn
	limits *Limits
	all    *atomic.Int64 // bytes that wait on all of the node's connections; nil if it has one
	wake   chan struct{} // something to send
	room   chan struct{} // something was sent
	ended  chan struct{} // closed when write has returned
	mu     struct {
		sync.Mutex
		frames   []outgoing
		bytes    int
		finished bool // write returns when all is sent
		closed   bool
	}
}

// outgoing is a frame, or what makes frames when its turn has come.
type outgoing struct {
	frame []byte
	final func() []byte // what frame has become when its turn has come; nil where it stays
	later func() iter.Seq[[]byte]
}

// errFinished is what write returns after finish.
var errFinished = errors.New("all was sent")

func newOutlet(conn connectors.Conn, limits *Limits, all *atomic.Int64) *outlet {
	if all == nil {
		all = new(atomic.Int64)
	}
	return &outlet{conn: conn, limits: limits, all: all, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (o *outlet) must(f proto.Frame) { o.add(proto.AppendFrame(nil, f), true) }

func (o *outlet) push(f proto.Frame) bool { return o.add(proto.AppendFrame(nil, f), false) }

// later queues frames that are made when their turn has come, on the goroutine that sends, and
// each when the one before it was sent. It is for what is bounded in number and not worth
// keeping in many versions.
func (o *outlet) later(frames func() iter.Seq[[]byte]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mu.closed {
		o.mu.frames = append(o.mu.frames, outgoing{later: frames})
		signal(o.wake)
	}
}

// finish queues a last frame; write returns once it is sent.
func (o *outlet) finish(f proto.Frame) {
	o.must(f)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.finished = true
	signal(o.wake)
}

// hasRoom waits until the queue has room.
func (o *outlet) hasRoom(ctx context.Context) error {
	for {
		o.mu.Lock()
		room := !o.fullLocked(0)
		o.mu.Unlock()
		if room {
			signal(o.room) // nothing was added: it is there for others too
			return nil
		}
		select {
		case <-o.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fullLocked reports whether a frame of so many bytes does not fit. Where very much waits on
// all connections together, each keeps to little: those that take what they are sent have no
// more waiting anyway.
func (o *outlet) fullLocked(size int) bool {
	room := o.limits.SendBytes
	if o.all.Load() > int64(o.limits.SendTotal) {
		room = min(room, crowdedBytes)
	}
	return !o.mu.closed && (len(o.mu.frames) >= o.limits.SendQueue || o.mu.bytes+size > room && o.mu.bytes > 0)
}

// crowdedBytes is what may wait on one connection while too much waits on all.
const crowdedBytes = 64 << 10

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

// deliver queues a frame, and waits until it is sent, or nothing more will be.
func (o *outlet) deliver(ctx context.Context, f proto.Frame) error {
	frame, sent := proto.AppendFrame(nil, f), make(chan struct{})
	o.later(func() iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			if yield(frame) {
				close(sent)
			}
		}
	})
	select {
	case <-sent:
		return nil
	case <-o.ended:
		return nil // nobody is there to miss it
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *outlet) add(frame []byte, always bool) bool { return o.queue(outgoing{frame: frame}, always) }

// queue is add of what has a frame.
func (o *outlet) queue(x outgoing, always bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := len(x.frame)
	if o.mu.closed {
		return true // nobody is there to miss it
	}
	if size > proto.MaxFrame && !always {
		return false
	}
	if !always && o.fullLocked(size) {
		return false
	}
	o.mu.frames = append(o.mu.frames, x)
	o.mu.bytes += size
	o.all.Add(int64(size))
	signal(o.wake)
	return true
}

// drained reports whether the queue is less than half full.
func (o *outlet) drained() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.mu.frames) < o.limits.SendQueue/2 && o.mu.bytes < o.limits.SendBytes/2 && !o.fullLocked(0)
}

// write sends what is queued until ctx ends or the connection breaks; sent is called
// after every frame.
func (o *outlet) write(ctx context.Context, sent func()) error {
	defer o.close()
	for {
		next, last := o.next()
		if last {
			return errFinished
		}
		if next.frame == nil && next.later == nil {
			select {
			case <-o.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := o.send(ctx, next); err != nil {
			return err
		}
		signal(o.room)
		sent()
	}
}

// next takes the first frame; last says that there is none and will be none.
func (o *outlet) next() (next outgoing, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.mu.frames) == 0 {
		o.mu.frames = nil
		return outgoing{}, o.mu.finished
	}
	next = o.mu.frames[0]
	o.mu.frames[0] = outgoing{}
	o.mu.frames = o.mu.frames[1:]
	o.mu.bytes -= len(next.frame)
	o.all.Add(-int64(len(next.frame)))
	return next, false
}

func (o *outlet) send(ctx context.Context, next outgoing) error {
	if next.final != nil {
		next.frame = next.final()
	}
	if next.later == nil {
		return o.conn.Send(ctx, next.frame)
	}
	for frame := range next.later() {
		if err := o.conn.Send(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}

func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.closed = true
	o.mu.frames = nil
	o.all.Add(-int64(o.mu.bytes))
	o.mu.bytes = 0
	signal(o.room)
	close(o.ended)
}

// signal pokes a channel of one slot.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

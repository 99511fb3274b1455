package wsjs

import (
	"context"
	"sync"
)

// inbox holds what has arrived until it is received, and how the connection ended.
// put and end never block, because JavaScript's callbacks call them.
type inbox struct {
	maxFrames, maxBytes int

	changed chan struct{} // signalled after put
	ended   chan struct{} // closed once err is set

	mu struct {
		sync.Mutex
		frames [][]byte
		bytes  int
		err    error
		drop   bool // frames that arrived are not handed out any more
	}
}

func newInbox(maxFrames, maxBytes int) *inbox {
	return &inbox{
		maxFrames: maxFrames,
		maxBytes:  maxBytes,
		changed:   make(chan struct{}, 1),
		ended:     make(chan struct{}),
	}
}

// put adds a frame, and reports false if there is no room for it.
func (b *inbox) put(frame []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	full := len(b.mu.frames) >= b.maxFrames || b.mu.bytes+len(frame) > b.maxBytes
	if full && len(b.mu.frames) > 0 {
		return false
	}
	b.mu.frames = append(b.mu.frames, frame)
	b.mu.bytes += len(frame)
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return true
}

// end sets what receive returns after the frames that are there, or with drop at once.
// The first end counts; it reports whether this was it.
func (b *inbox) end(err error, drop bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.err != nil {
		return false
	}
	b.mu.err, b.mu.drop = err, drop
	close(b.ended)
	return true
}

// err returns what the connection ended with, or nil while it has not.
func (b *inbox) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.err
}

// receive returns the next frame.
func (b *inbox) receive(ctx context.Context) ([]byte, error) {
	for {
		frame, ok, err := b.take()
		if ok || err != nil {
			return frame, err
		}
		select {
		case <-b.changed:
		case <-b.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (b *inbox) take() (frame []byte, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.frames) == 0 || b.mu.drop {
		b.mu.frames = nil // an idle connection keeps no buffer
		return nil, false, b.mu.err
	}
	frame = b.mu.frames[0]
	b.mu.frames[0] = nil
	b.mu.frames = b.mu.frames[1:]
	b.mu.bytes -= len(frame)
	return frame, true, nil
}

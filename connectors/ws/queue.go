package ws

import (
	"context"
	"sync"
)

// sendQueue holds the frames that wait to be written, between one goroutine that sends
// and one that writes.
type sendQueue struct {
	maxFrames, maxBytes int

	filled chan struct{} // signalled after put
	taken  chan struct{} // signalled after take

	mu struct {
		sync.Mutex
		frames [][]byte
		bytes  int
	}
}

func newSendQueue(maxFrames, maxBytes int) *sendQueue {
	return &sendQueue{
		maxFrames: maxFrames,
		maxBytes:  maxBytes,
		filled:    make(chan struct{}, 1),
		taken:     make(chan struct{}, 1),
	}
}

// put adds a frame when there is room for it; it reports false if stop was closed
// before there was.
func (q *sendQueue) put(ctx context.Context, frame []byte, stop <-chan struct{}) (bool, error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if q.tryPut(frame) {
			signal(q.filled)
			return true, nil
		}
		select {
		case <-q.taken:
		case <-stop:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (q *sendQueue) tryPut(frame []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := len(q.mu.frames) >= q.maxFrames || q.mu.bytes+len(frame) > q.maxBytes
	if full && len(q.mu.frames) > 0 {
		return false
	}
	q.mu.frames = append(q.mu.frames, frame)
	q.mu.bytes += len(frame)
	return true
}

// take removes the oldest frame, and reports false if there is none.
func (q *sendQueue) take() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.frames) == 0 {
		q.mu.frames = nil // an idle connection keeps no buffer
		return nil, false
	}
	frame := q.mu.frames[0]
	q.mu.frames[0] = nil
	q.mu.frames = q.mu.frames[1:]
	q.mu.bytes -= len(frame)
	signal(q.taken)
	return frame, true
}

// signal sets a one-slot flag without blocking.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

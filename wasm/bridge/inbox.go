package bridge

import "sync"

// inbox holds a page's frames until they are read: adding only copies a slice header and
// signals, for it is done in a JavaScript callback (L1 of the house).
type inbox struct {
	ready chan struct{}
	limit int

	mu struct {
		sync.Mutex
		frames [][]byte
		bytes  int
	}
}

func newInbox(limit int) inbox { return inbox{ready: make(chan struct{}, 1), limit: limit} }

// add reports false where the page has sent more than may wait.
func (in *inbox) add(b []byte) bool {
	in.mu.Lock()
	fits := in.mu.bytes+len(b) <= in.limit || len(in.mu.frames) == 0
	if fits {
		in.mu.frames = append(in.mu.frames, b)
		in.mu.bytes += len(b)
	}
	in.mu.Unlock()
	signal(in.ready)
	return fits
}

// take returns the next frame, or nil.
func (in *inbox) take() []byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.mu.frames) == 0 {
		return nil
	}
	b := in.mu.frames[0]
	in.mu.frames[0] = nil
	in.mu.frames = in.mu.frames[1:]
	in.mu.bytes -= len(b)
	return b
}

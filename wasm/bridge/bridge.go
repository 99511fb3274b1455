package bridge

import (
	"context"
	"sync"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// Options configures a bridge. Open is required.
type Options struct {
	// Open opens the node that a page asks for. The bridge closes it.
	Open func(ctx context.Context, hello *frame.Hello) (*Opened, error)
	// Failed hears of errors that no page can be told of; nil is not called.
	Failed func(err error)
	// Limits bound what pages may use.
	Limits Limits
}

// Opened is an open node with what the bridge needs beside it.
type Opened struct {
	Node *core.Node
	// Storage is where the node keeps its data.
	Storage frame.Storage
	// Warning says why that is not where the page asked for; nil where it is.
	Warning error
	// Dial keeps the node connected to its durable node with the given token, until hangUp.
	// It is nil where the node has none.
	Dial func(token string) (hangUp func())
}

// Bridge serves any number of pages from one node at a time.
type Bridge struct {
	options Options
	limits  Limits
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu struct {
		sync.Mutex
		service *service      // the open node, while anyone uses it
		closed  chan struct{} // closed when the node before it is
	}
}

// New returns a bridge without sessions and without a node.
func New(options Options) *Bridge {
	b := &Bridge{options: options, limits: options.Limits}
	b.limits.ensureDefaults()
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.mu.closed = make(chan struct{})
	close(b.mu.closed)
	return b
}

// Connect starts a session. Frames for its page are passed to send, one after the other
// and on a goroutine of the session; send keeps them.
func (b *Bridge) Connect(send func(frame []byte)) *Session {
	s := newSession(b, send)
	b.start(s.read)
	b.start(s.write)
	return s
}

// Close ends all sessions, closes the node and waits until everything has ended.
func (b *Bridge) Close() {
	b.cancel()
	b.running.Wait()
}

// start runs f on a goroutine that Close waits for. All goroutines begin here.
func (b *Bridge) start(f func()) { b.running.Go(f) }

func (b *Bridge) failed(err error) {
	if err != nil && b.options.Failed != nil {
		b.options.Failed(err)
	}
}

// join returns the node that hello asks for, and opens it if there is none, connected if
// online. Whoever joined must leave.
func (b *Bridge) join(ctx context.Context, hello *frame.Hello, online bool) (*service, error) {
	b.mu.Lock()
	v := b.mu.service
	if v == nil {
		v = newService(b, hello, online)
		b.mu.service = v
		before := b.mu.closed
		b.start(func() { v.open(before) })
	}
	v.users++
	b.mu.Unlock()
	err := v.wait(ctx)
	if err == nil {
		err = v.accepts(hello)
	}
	if err != nil {
		b.leave(v)
		return nil, err
	}
	return v, nil
}

// leave closes the node when nobody uses it any more.
func (b *Bridge) leave(v *service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.users--; v.users > 0 {
		return
	}
	b.mu.service = nil
	b.mu.closed = v.closed
	b.start(v.close)
}

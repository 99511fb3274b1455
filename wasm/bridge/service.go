package bridge

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// service is one open node with the sessions that use it.
type service struct {
	bridge *Bridge
	hello  *frame.Hello // what it was opened by
	users  int          // guarded by Bridge.mu

	ready  chan struct{} // closed when opened and err are set
	opened *Opened
	err    error
	access *core.Context
	stops  []func()
	closed chan struct{} // closed when the node is

	refused chan struct{} // signals that there may be other rejections
	ended   chan struct{} // closed when the service begins to close
	live    atomic.Bool   // the node is connected

	// Callbacks of the node take mu: it is not held while the node is called.
	mu struct {
		sync.Mutex
		sessions map[*Session]struct{}
	}
	link struct {
		sync.Mutex
		token  string
		online bool              // a page has a network
		pages  map[*Session]bool // those that said whether they have
		hangUp func()            // nil while there is no link
	}
}

func newService(b *Bridge, hello *frame.Hello, online bool) *service {
	v := &service{
		bridge: b, hello: hello,
		ready: make(chan struct{}), closed: make(chan struct{}), refused: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	v.mu.sessions = make(map[*Session]struct{})
	v.link.online, v.link.pages = online, make(map[*Session]bool)
	return v
}

// open opens the node, once the one before it has let go of the store.
func (v *service) open(before <-chan struct{}) {
	defer close(v.ready)
	<-before
	v.opened, v.err = v.bridge.options.Open(v.bridge.ctx, v.hello)
	if v.err != nil {
		return
	}
	v.access = v.opened.Node.Context(policy.Principal{})
	v.stops = append(v.stops,
		v.opened.Node.OnStatus(v.tellStatus),
		v.opened.Node.OnSettled(v.tellSettled),
	)
	v.bridge.start(v.tellRejections)
	v.dial(v.hello.Token)
}

func (v *service) close() {
	defer close(v.closed)
	<-v.ready
	if v.err != nil {
		return
	}
	for _, stop := range v.stops {
		stop()
	}
	close(v.ended)
	v.link.Lock()
	v.hangUpLocked()
	v.link.Unlock()
	v.bridge.failed(v.opened.Node.Close())
}

func (v *service) wait(ctx context.Context) error {
	select {
	case <-v.ready:
		return v.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accepts says whether a page that says hello may use this node.
func (v *service) accepts(hello *frame.Hello) error {
	refuse := func(what, is, asked any) error {
		return &core.Error{Op: "open", Kind: core.KindInvalid, Err: fmt.Errorf("%q is open with %s %q, and this page asks for %q", v.hello.Name, what, is, asked)}
	}
	switch {
	case hello.Name != v.hello.Name:
		return refuse("name", v.hello.Name, hello.Name)
	case hello.URL != v.hello.URL:
		return refuse("url", v.hello.URL, hello.URL)
	case hello.Storage != v.hello.Storage:
		return refuse("storage", v.hello.Storage, hello.Storage)
	}
	return nil
}

// dial connects, anew if the token is another one; without a network, once there is one.
func (v *service) dial(token string) {
	v.link.Lock()
	defer v.link.Unlock()
	if token != v.link.token {
		v.hangUpLocked()
	}
	v.link.token = token
	v.dialLocked()
}

// setNetwork takes in whether a page has a network, and hangs up when none has any more: a
// browser knows that at once, a connection only after a while. When one has it again there is
// no pause before the attempt to connect.
func (v *service) setNetwork(s *Session, online bool) {
	v.link.Lock()
	defer v.link.Unlock()
	v.link.pages[s] = online
	v.followNetworkLocked()
}

func (v *service) followNetworkLocked() {
	if len(v.link.pages) == 0 {
		return
	}
	v.link.online = false
	for _, online := range v.link.pages {
		v.link.online = v.link.online || online
	}
	if v.link.online {
		v.dialLocked()
	} else {
		v.hangUpLocked()
	}
}

func (v *service) dialLocked() {
	if v.opened.Dial != nil && v.link.online && v.link.hangUp == nil {
		v.link.hangUp = v.opened.Dial(v.link.token)
	}
}

func (v *service) hangUpLocked() {
	if v.link.hangUp != nil {
		v.link.hangUp()
		v.link.hangUp = nil
	}
}

// add makes the session hear what the node tells.
func (v *service) add(s *Session) {
	v.mu.Lock()
	v.mu.sessions[s] = struct{}{}
	v.mu.Unlock()
	s.out.status(statusMessage(v.opened.Node.Status()))
	v.signalRefused()
}

func (v *service) remove(s *Session) {
	v.mu.Lock()
	delete(v.mu.sessions, s)
	v.mu.Unlock()
	v.link.Lock()
	delete(v.link.pages, s)
	v.followNetworkLocked()
	v.link.Unlock()
}

func (v *service) each(f func(*Session)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range v.mu.sessions {
		f(s)
	}
}

func (v *service) tellStatus(status core.Status) {
	if live := status.Connection == core.Live; live != v.live.Swap(live) {
		v.signalRefused() // another user may have been welcomed, with other refusals
	}
	message := statusMessage(status)
	v.each(func(s *Session) { s.out.status(message) })
}

func statusMessage(s core.Status) *frame.Status {
	m := &frame.Status{Pending: uint64(s.Pending), Ready: s.Ready, Err: errorOf(s.LastError, "")}
	switch s.Connection {
	case core.Connecting:
		m.Connection = frame.Connecting
	case core.Live:
		m.Connection = frame.Live
	default:
		m.Connection = frame.Offline
	}
	if m.Err != nil && m.Err.Code == core.KindInternal.String() {
		// Whatever a socket says when there is nobody at its other end.
		m.Err.Code = core.KindOffline.String()
	}
	return m
}

// tellSettled runs on the node's loop.
func (v *service) tellSettled(settled core.Settled) {
	message := &frame.Settled{Transaction: settled.Transaction, Err: errorOf(settled.Err, "")}
	v.each(func(s *Session) { s.settle(message) })
	if settled.Err != nil {
		v.signalRefused()
	}
}

func (v *service) signalRefused() { signal(v.refused) }

// tellRejections reads the refused transactions whenever there may be others; it ends when
// the service is closed.
func (v *service) tellRejections() {
	for {
		select {
		case <-v.refused:
			message, err := v.readRejections()
			if err != nil {
				v.bridge.failed(err)
				continue
			}
			v.each(func(s *Session) { s.out.rejections(message) })
		case <-v.ended:
			return
		}
	}
}

func (v *service) readRejections() (*frame.Rejections, error) {
	list, err := v.opened.Node.Rejections(v.bridge.ctx)
	if err != nil {
		return nil, err
	}
	m := &frame.Rejections{}
	for _, r := range list {
		rejection := frame.Rejection{Transaction: r.Transaction, Code: r.Kind.String(), Message: r.Message, Millis: r.Time.UnixMilli()}
		for _, c := range r.Changes() {
			rejection.Changes = append(rejection.Changes, frame.RejectedChange(c))
		}
		m.List = append(m.List, rejection)
	}
	return m, nil
}

func noModel(collection string) error {
	return &core.Error{Kind: core.KindSchema, Err: fmt.Errorf("%w: no model is registered for collection %q", schema.ErrInvalid, collection)}
}

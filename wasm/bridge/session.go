package bridge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// Session is one page's use of the node.
type Session struct {
	bridge *Bridge
	send   func([]byte)
	ctx    context.Context // ends with the session
	cancel context.CancelFunc
	in     inbox
	out    *outgoing
	cutOff atomic.Bool

	// The rest, except mu, belongs to the reading goroutine; service and columns do not
	// change once they are set, which is before anything else can use them.
	service      *service
	columns      map[string][]string // by collection
	offline      bool                // the page has no network
	queries      map[uint64]*query
	aggregates   map[uint64]*aggregate
	transactions map[uint64]*transaction
	attendances  map[uint64]*attendance

	mu struct {
		sync.Mutex
		requests  map[uint64]context.CancelFunc // under way
		unsettled map[id.TransactionID]struct{} // committed, or being committed, by this page
	}
}

func newSession(b *Bridge, send func([]byte)) *Session {
	s := &Session{
		bridge: b, send: send, in: newInbox(b.limits.Inbox), out: newOutgoing(&b.limits),
		columns: make(map[string][]string), queries: make(map[uint64]*query), aggregates: make(map[uint64]*aggregate), transactions: make(map[uint64]*transaction),
		attendances: make(map[uint64]*attendance),
	}
	s.ctx, s.cancel = context.WithCancel(b.ctx)
	s.mu.requests = make(map[uint64]context.CancelFunc)
	s.mu.unsettled = make(map[id.TransactionID]struct{})
	return s
}

// Receive takes a frame from the page; it keeps b. It does not block. A page that sends
// faster than it is served is cut off, and told so.
func (s *Session) Receive(b []byte) {
	if s.ctx.Err() == nil && !s.in.add(b) {
		s.cutOff.Store(true)
		s.Close()
	}
}

// Close ends the session, because its page is gone. It does not block; what the session
// holds is released soon after.
func (s *Session) Close() { s.cancel() }

func (s *Session) limits() *Limits { return &s.bridge.limits }

// read handles the page's frames until the session ends, and then releases all that it
// holds (B4).
func (s *Session) read() {
	defer s.release()
	for {
		for b := s.in.take(); b != nil; b = s.in.take() {
			for m, err := range frame.Decode(b) {
				if s.ctx.Err() != nil {
					return
				}
				s.handle(m, err)
			}
		}
		select {
		case <-s.in.ready:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Session) release() {
	s.out.discard()
	for number := range s.queries {
		s.unsubscribe(number)
	}
	for number := range s.aggregates {
		s.closeAggregate(number)
	}
	for number := range s.transactions {
		s.rollback(number)
	}
	for number := range s.attendances {
		s.unattend(number, proto.Away) // the page may be loading anew
	}
	if s.service != nil {
		s.service.remove(s)
		s.bridge.leave(s.service)
	}
}

// handle carries out one message.
func (s *Session) handle(m frame.Message, err error) {
	hello, isHello := m.(*frame.Hello)
	network, isNetwork := m.(*frame.Network)
	switch {
	case err != nil:
		s.refuse(err)
	case isHello:
		s.open(hello)
	case isNetwork:
		s.setNetwork(network.Online)
	case s.service == nil:
		s.unopened(m)
	default:
		s.serve(m)
	}
}

// refuse answers what could not be read (B3).
func (s *Session) refuse(err error) {
	var bad *frame.MessageError
	request := uint64(0)
	if errors.As(err, &bad) {
		request = bad.Request
	}
	kind := core.KindInvalid
	if errors.Is(err, frame.ErrVersion) {
		kind = core.KindVersion
	}
	s.fail(request, &core.Error{Kind: kind, Err: err}, "")
}

// unopened answers a message that came before a hello, or after one that failed.
func (s *Session) unopened(m frame.Message) {
	if r, ok := m.(frame.Request); ok {
		s.fail(r.ID(), refusal(core.KindClosed, "the node is not open"), "")
	}
}

func (s *Session) open(hello *frame.Hello) {
	if s.service != nil {
		s.fail(hello.Request, refusal(core.KindInvalid, "the node is open already"), "")
		return
	}
	service, err := s.bridge.join(s.ctx, hello, !s.offline)
	if err == nil {
		if err = service.opened.Node.Register(s.ctx, hello.Models...); err != nil {
			s.bridge.leave(service)
		}
	}
	if err != nil {
		s.fail(hello.Request, err, "")
		return
	}
	s.service = service
	for _, model := range hello.Models {
		names := make([]string, len(model.Properties))
		for i := range model.Properties {
			names[i] = model.Properties[i].Name
		}
		s.columns[model.Collection] = names
	}
	if hello.Token != "" {
		service.dial(hello.Token)
	}
	s.out.message(&frame.Opened{Request: hello.Request, Storage: service.opened.Storage, Warning: errorOf(service.opened.Warning, "")})
	service.add(s)
	service.setNetwork(s, !s.offline)
}

// setNetwork takes in whether the page has a network.
func (s *Session) setNetwork(online bool) {
	s.offline = !online
	if s.service != nil {
		s.service.setNetwork(s, online)
	}
}

// columnsOf returns the properties of a collection that the page knows.
func (s *Session) columnsOf(collection string) ([]string, error) {
	columns, ok := s.columns[collection]
	if !ok {
		return nil, noModel(collection)
	}
	return columns, nil
}

func (s *Session) serve(m frame.Message) {
	switch m := m.(type) {
	case *frame.Subscribe:
		s.subscribe(m)
	case *frame.Aggregate:
		s.aggregate(m)
	case *frame.Unsubscribe:
		s.unsubscribe(m.Query)
		s.closeAggregate(m.Query)
	case *frame.Move:
		s.move(m)
	case *frame.Select:
		s.reselect(m)
	case *frame.Locate:
		s.locate(m)
	case *frame.Fetch:
		s.fetch(m)
	case *frame.Get:
		s.get(m)
	case *frame.Explain:
		s.explain(m)
	case *frame.History:
		s.history(m)
	case *frame.AsOf:
		s.asOf(m)
	case *frame.Attend:
		s.attend(m)
	case *frame.Create:
		s.create(m)
	case *frame.Edit:
		s.change(m.Tx, func(t *transaction) error { return t.edit(m) })
	case *frame.Mark:
		s.change(m.Tx, func(t *transaction) error { return t.mark(m) })
	case *frame.Commit:
		s.commit(m)
	case *frame.Rollback:
		s.rollback(m.Tx)
	case *frame.Cancel:
		s.giveUp(m.Request)
	case *frame.Received:
		s.out.taken(m.Bytes)
	default:
		s.administer(m)
	}
}

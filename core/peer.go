package core

import (
	"context"
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
)

// peer is a connection to a durable node, from the side that dialled. subs, requests and
// everything that sends belong to the loop.
type peer struct {
	node *Node
	id   id.NodeID
	conn connectors.Conn
	out  *outlet
	run  *runner

	last       uint64 // the last number given out
	gaps       int    // requests for rows that an update did not fit
	asking     bool   // a ping asks for the position
	lost       bool   // something it sent could not be stored: nothing after that is taken
	subs       map[uint64]*upstream
	aggregates map[uint64]*distant
	requests   map[uint64]*request
	standstill standstill

	parts     *proto.Update // of which more is to come; belongs to serve
	partBytes int
}

// request waits for a Reply, for complete Rows, or for a frame of its own.
type request struct {
	collection string
	entities   map[id.EntityID]struct{} // asked for and not answered yet
	take       func(proto.Frame) error  // reads the answer, if that is a frame of its own
	done       func(error)
	located    func(*proto.Located) // of a Locate
	deadline   *time.Timer
}

// expect registers a request under a fresh number. A peer that does not answer in time
// is given up, which ends all that waits for it.
func (p *peer) expect(r *request) uint64 {
	number := p.number()
	r.deadline = time.AfterFunc(p.node.limits.Request, func() {
		p.close(fmt.Errorf("%w: a request was not answered", context.DeadlineExceeded))
	})
	p.requests[number] = r
	return number
}

// answered takes a request off the list and returns it.
func (p *peer) answered(number uint64) (*request, bool) {
	r, ok := p.requests[number]
	if ok {
		r.deadline.Stop()
		delete(p.requests, number)
	}
	return r, ok
}

func newPeer(ctx context.Context, n *Node, conn connectors.Conn) *peer {
	p := &peer{node: n, conn: conn, out: newOutlet(conn, &n.limits, nil), run: newRunner(ctx),
		subs: make(map[uint64]*upstream), aggregates: make(map[uint64]*distant), requests: make(map[uint64]*request)}
	p.standstill.peer = p
	p.run.start(func(ctx context.Context) {
		if err := p.out.write(ctx, func() {}); err != nil {
			p.run.end(err)
			p.conn.Close("cannot send")
		}
	})
	p.run.start(p.probe)
	return p
}

// lose ends the connection from the loop, and takes nothing more that it has brought.
func (p *peer) lose(cause error) {
	p.lost = true
	p.close(cause)
}

func (p *peer) close(cause error) {
	p.run.end(cause)
	p.conn.Close(KindOf(cause).String())
}

// stop ends the connection and tells the replica.
func (p *peer) stop() {
	p.conn.Close("done")
	p.run.stop(errStopped)
	done := make(chan struct{})
	if p.node.loop.post(func() { p.ended(); close(done) }) {
		select {
		case <-done:
		case <-p.node.run.ctx.Done():
		}
	}
}

// ended, on the loop, fails what waits for an answer.
func (p *peer) ended() {
	p.lost = true
	p.node.replica.disconnected(p)
	clear(p.aggregates)
	clear(p.subs) // answers that are still in the queue belong to nobody now
	for _, r := range p.requests {
		r.deadline.Stop()
		r.done(fmt.Errorf("%w: %w", ErrOffline, errGone))
	}
	clear(p.requests)
}

func (p *peer) number() uint64 {
	p.last++
	return p.last
}

// register tells the durable node of models.
func (p *peer) register(models []*schema.Model, done func(error)) {
	p.out.must(&proto.Register{Request: p.expect(&request{done: done}), Models: models})
}

// ask asks for rows by id; done is called, on the loop, when they are stored. Rows that
// the durable node does not have are forgotten.
func (p *peer) ask(collection string, entities []id.EntityID, done func(error)) {
	if len(entities) > askAtOnce {
		rest := entities[askAtOnce:]
		entities = entities[:askAtOnce]
		last := done
		done = func(err error) {
			if err != nil {
				last(err)
				return
			}
			p.ask(collection, rest, last)
		}
	}
	p.get(collection, entities, done)
}

// get is ask for as many rows as one request may name; it returns its number.
func (p *peer) get(collection string, entities []id.EntityID, done func(error)) uint64 {
	r := &request{collection: collection, entities: make(map[id.EntityID]struct{}, len(entities)), done: done}
	for _, e := range entities {
		r.entities[e] = struct{}{}
	}
	m := &proto.Get{Request: p.expect(r), Collection: collection, Entities: entities}
	p.out.must(m)
	return m.Request
}

// askAll is ask for rows of several collections.
func (p *peer) askAll(wanted map[string][]id.EntityID, done func(error)) {
	left := len(wanted)
	var failed error
	for collection, entities := range wanted {
		p.ask(collection, entities, func(err error) {
			if failed == nil {
				failed = err
			}
			if left--; left == 0 {
				done(failed)
			}
		})
	}
}

// askFor asks for rows that this node turned out not to be in step with. Until they are
// here, the position does not advance.
func (p *peer) askFor(missing map[string][]id.EntityID) {
	for collection, entities := range missing {
		p.gaps++
		p.ask(collection, entities, func(err error) {
			p.gaps--
			if err != nil {
				p.lose(fmt.Errorf("rows that were asked for: %w", err))
			}
		})
	}
}

// askForAll is askFor of rows that somebody waits for; done is called, on the loop, when they
// are here or the connection has ended.
func (p *peer) askForAll(missing map[string][]id.EntityID, done func()) {
	p.gaps++
	p.askAll(missing, func(err error) {
		p.gaps--
		if err != nil {
			p.lose(fmt.Errorf("rows that were asked for: %w", err))
		}
		done()
	})
}

// locate asks for the position of a row; done is called on the loop.
func (p *peer) locate(m *proto.Locate, done func(*proto.Located, error)) {
	m.Request = p.expect(&request{
		done:    func(err error) { done(nil, err) },
		located: func(m *proto.Located) { done(m, nil) },
	})
	p.out.must(m)
}

// confirm asks for the position, so that it is known and stored soon.
func (p *peer) confirm() {
	if !p.asking {
		p.asking = p.out.push(&proto.Ping{Time: time.Now().UnixMicro()})
	}
}

// askAtOnce bounds the ids of one Get.
const askAtOnce = 1000

// serve reads frames until the connection ends.
func (p *peer) serve() error {
	for {
		frame, err := p.receive()
		if err != nil {
			return err
		}
		f, err := proto.DecodeFrame(frame)
		if err != nil {
			return err
		}
		if m, ok := f.(*proto.Refuse); ok {
			if kindFromWire(m.Kind) == KindClosed {
				return errFarewell
			}
			return remoteError(m.Kind, m.Message)
		}
		if err := p.handle(f); err != nil {
			return err
		}
	}
}

// probe sends a ping at every interval: it shows the peer that this side is alive, and the
// answer shows it of the other.
func (p *peer) probe(ctx context.Context) {
	ticker := time.NewTicker(p.node.limits.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.out.push(&proto.Ping{Time: time.Now().UnixMicro()})
		case <-ctx.Done():
			return
		}
	}
}

// receive returns the next frame; a peer that is silent in spite of pings is given up.
func (p *peer) receive() ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(p.run.ctx, 2*p.node.limits.Ping,
		fmt.Errorf("%w: the peer is silent", context.DeadlineExceeded))
	defer cancel()
	frame, err := p.conn.Receive(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return frame, err
}

// handle turns a frame into a step of the replica. It blocks while the replica has enough
// to do, which is what keeps a fast durable node from flooding this one.
func (p *peer) handle(f proto.Frame) error {
	r := p.node.replica
	s := &step{}
	switch m := f.(type) {
	case *proto.Update:
		m, err := p.whole(m)
		if m == nil {
			return err
		}
		f = m
		var missing map[string][]id.EntityID
		s.stage = func(ctx context.Context, d *draft) (err error) {
			missing, err = d.update(ctx, m)
			return err
		}
		s.done = p.orFail(func() { p.askFor(missing) })
	case *proto.Rows:
		return p.handleRows(m)
	case *proto.Groups:
		return p.handleGroups(m)
	case *proto.Members:
		r.attendant.take(p, m)
		return nil
	case *proto.Ack:
		var missing map[string][]id.EntityID
		var own *pendingTx
		s.stage = func(ctx context.Context, d *draft) (err error) {
			own = d.outbox.byTx[m.Transaction]
			missing, err = d.ack(ctx, m)
			return err
		}
		s.done = p.orFail(func() {
			if own != nil && own.acked && !own.told { // one that waits for rows is acknowledged again
				own.told = true
				p.node.aggregates.each(func(d *distant) { d.settled(own) })
				r.settled(Settled{Transaction: m.Transaction})
			}
			p.askFor(missing)
		})
	case *proto.Nack:
		switch kind := kindFromWire(m.Kind); {
		case kind == KindBehind:
			return p.onLoop(func() { r.postpone(p, m.Transaction) })
		case temporary(kind):
			return remoteError(m.Kind, m.Message)
		case kind == KindClockDrift:
			return p.handleEarly(m)
		case kind == KindMissingParents:
			return p.handleLacking(m)
		}
		return p.hand(m, p.refusal(m))
	case *proto.Pong:
		s.stage = func(_ context.Context, d *draft) error { d.advance(m.Position); return nil }
		s.done = p.orFail(func() { p.asking = false })
	case *proto.Catalog:
		return p.handleCatalog(m)
	case *proto.Located:
		return p.onLoop(func() {
			if r, ok := p.answered(m.Request); ok && r.located != nil {
				r.located(m)
			}
		})
	case *proto.Reply:
		return p.onLoop(func() { p.reply(m) })
	case *proto.Revisions:
		return p.onLoop(func() { p.take(m.Request, m) })
	case *proto.Snapshot:
		return p.onLoop(func() { p.take(m.Request, m) })
	case *proto.Ping:
		return p.onLoop(func() { p.out.must(&proto.Pong{Time: m.Time}) })
	default:
		return fmt.Errorf("%w: %T is not for this side", proto.ErrFrameType, f)
	}
	return p.hand(f, s)
}

// whole puts an update together that came in parts; it is nil while more of it is to come.
func (p *peer) whole(m *proto.Update) (*proto.Update, error) {
	if p.parts == nil && !m.More {
		return m, nil
	}
	if p.parts == nil {
		p.parts, p.partBytes = &proto.Update{}, 0
	}
	p.parts.Changes = append(p.parts.Changes, m.Changes...)
	if p.partBytes += (&incoming{frame: m}).size(); p.partBytes > maxWhole {
		return nil, fmt.Errorf("%w: an update of more than %d bytes", ErrTooLarge, maxWhole)
	}
	if m.More {
		return nil, nil
	}
	whole := p.parts
	p.parts = nil
	whole.Position, whole.Transaction = m.Position, m.Transaction
	return whole, nil
}

// maxWhole bounds what an update that comes in parts takes.
const maxWhole = 256 << 20

// refusal returns the step that takes the durable node's refusal of a transaction.
func (p *peer) refusal(m *proto.Nack) *step {
	var refused []Settled
	var dropped []*pendingTx
	var doubtful map[string][]id.EntityID
	return &step{
		stage: func(ctx context.Context, d *draft) (err error) {
			refused, doubtful, err = d.nack(ctx, m)
			for _, x := range refused {
				dropped = append(dropped, d.refusedTx[x.Transaction])
			}
			return err
		},
		done: p.orFail(func() {
			for i, x := range refused {
				p.node.aggregates.each(func(d *distant) { d.settled(dropped[i]) })
				p.node.replica.settled(x)
			}
			p.askFor(doubtful)
		}),
	}
}

// hand gives a frame, with the step that takes it, to the replica, which passes it over when
// the connection has been given up by then.
func (p *peer) hand(f proto.Frame, s *step) error {
	var staged []*incoming
	return p.node.replica.hand(p.run.ctx, &step{
		stage: func(ctx context.Context, d *draft) (err error) {
			if p.lost {
				return errGone
			}
			staged, err = p.standstill.take(ctx, d, &incoming{f, s})
			return err
		},
		show: func() {
			for _, x := range staged {
				if x.step.show != nil {
					x.step.show()
				}
			}
		},
		done: func(err error) {
			for _, x := range staged {
				x.step.finish(err)
			}
			if err != nil && len(staged) == 0 {
				p.orFail(nil)(err)
			}
		},
	})
}

// temporary reports whether a refusal says nothing about the transaction: it stays in the
// outbox, and the connection is made anew after a pause.
func temporary(k Kind) bool {
	switch k {
	case KindStorage, KindQuota, KindClosed, KindNotReady, KindDeadline, KindInternal, KindOffline:
		return true
	}
	return false
}

func (p *peer) onLoop(f func()) error {
	if !p.node.loop.post(f) {
		return ErrClosed
	}
	return nil
}

// orFail returns a step's done that ends the connection when the step could not be
// stored: the resume brings what was lost.
func (p *peer) orFail(f func()) func(error) {
	return func(err error) {
		if err != nil {
			if !p.lost {
				p.node.opts.Listener.failed("receive", err)
			}
			p.lose(err)
			return
		}
		f()
	}
}

func (p *peer) handleRows(m *proto.Rows) error {
	r := p.node.replica
	var up *upstream
	var missing map[string][]id.EntityID
	s := &step{
		stage: func(ctx context.Context, d *draft) (err error) {
			up = p.subs[m.Sub]
			if req, ok := p.requests[m.Sub]; ok {
				req.gone(m)
			}
			missing, err = d.rows(ctx, up, m)
			return err
		},
	}
	s.done = p.orFail(func() {
		p.askFor(missing)
		if m.Done {
			if req, ok := p.answered(m.Sub); ok {
				req.done(nil)
			}
		}
		if up != nil && m.Done && p.subs[m.Sub] == up {
			r.answered(up)
		}
	})
	return p.hand(m, s)
}

// gone adds, at its end, to an answer what was asked for and is not in it.
func (r *request) gone(m *proto.Rows) {
	for i := range m.Rows {
		delete(r.entities, m.Rows[i].Entity)
	}
	for _, list := range [][]id.EntityID{m.Gone, m.Absent, m.Same} {
		for _, e := range list {
			delete(r.entities, e)
		}
	}
	if !m.Done {
		return
	}
	for e := range r.entities {
		m.Gone = append(m.Gone, e)
	}
	if m.Collection == "" {
		m.Collection = r.collection
	}
}

func (p *peer) handleCatalog(m *proto.Catalog) error {
	n := p.node
	n.catalog.registering.Lock()
	defer n.catalog.registering.Unlock()
	for _, model := range m.Models {
		if old, ok := n.catalog.get(model.Collection); ok {
			merged, _, err := schema.Merge(old, model)
			if err != nil {
				n.status.update(func(s *Status) { s.LastError = err })
				n.opts.Listener.failed("catalog", err)
				continue
			}
			model = merged
		}
		n.catalog.put(model)
	}
	all := encodeModels(n.catalog.all())
	return p.hand(m, &step{
		stage: func(_ context.Context, d *draft) error { d.meta(metaModels, all); return nil },
		done:  p.orFail(func() {}),
	})
}

// reply ends a request or refuses a subscription.
func (p *peer) reply(m *proto.Reply) {
	var err error
	if m.Kind != uint64(KindNone) {
		err = remoteError(m.Kind, m.Message)
	}
	if r, ok := p.answered(m.Request); ok {
		r.done(err)
		return
	}
	if up, ok := p.subs[m.Request]; ok && err != nil {
		p.node.replica.refused(up, err)
	}
	if d, ok := p.aggregates[m.Request]; ok && err != nil {
		d.refused(err)
	}
}

// take ends a request whose answer is a frame of its own.
func (p *peer) take(number uint64, f proto.Frame) {
	r, ok := p.answered(number)
	if !ok {
		return
	}
	if r.take == nil {
		r.done(answers(false, f))
		return
	}
	r.done(r.take(f))
}

package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

// What a session answers.

func (s *session) history(ctx context.Context, m *proto.History) {
	view := &Context{s.node, s.principal}
	page, err := view.History(ctx, m.Collection, m.Entity, HistoryOptions{Before: m.Before, Limit: int(min(m.Limit, MaxRevisions))})
	if err != nil {
		s.decline(ctx, m.Request, err)
		return
	}
	answer := &proto.Revisions{Request: m.Request, Next: page.Next}
	size := 0
	for i := range page.Revisions {
		revision, bytes := encodeRevision(&page.Revisions[i])
		if size += bytes; size > answerBytes && i > 0 {
			answer.Next = page.Revisions[i-1].Event // the rest comes with the next page
			break
		}
		answer.List = append(answer.List, revision)
	}
	_ = s.out.wait(ctx, answer) // it fails when the connection ends
}

func (s *session) asOf(ctx context.Context, m *proto.AsOf) {
	view := &Context{s.node, s.principal}
	err := s.node.checkCollection(m.Collection)
	var state *proto.State
	if err == nil {
		state, err = view.asOf(ctx, m.Collection, m.Entity, Moment{Events: m.Events, Time: unixMicro(m.Time)})
	}
	if err != nil {
		s.decline(ctx, m.Request, err)
		return
	}
	_ = s.out.wait(ctx, &proto.Snapshot{Request: m.Request, State: state})
}

// decline answers a request with an error, while there is somebody to read it.
func (s *session) decline(ctx context.Context, request uint64, err error) {
	if ctx.Err() == nil {
		s.reply(request, err)
	}
}

func encodeRevision(r *Revision) (_ proto.Revision, size int) {
	out := proto.Revision{Event: r.Event, Author: r.Author, User: r.User, Parents: r.Parents, Changes: make([]proto.ValueChange, len(r.Changes))}
	size = 64 + len(r.User) + 18*len(r.Parents)
	for i, c := range r.Changes {
		out.Changes[i] = proto.ValueChange(c)
		size += 8 + len(c.Property) + c.Before.Size() + c.After.Size()
	}
	return out, size
}

// What an ephemeral node asks.

// history asks the durable node for a page, and puts what waits to be sent before the
// first one.
func (r *replica) history(ctx context.Context, collection string, e id.EntityID, o HistoryOptions) (*History, error) {
	page := &History{}
	var pending []Revision
	err := r.request(ctx, func(done func(error)) {
		if o.Before.IsZero() {
			pending = r.pendingRevisions(e)
		}
		take := func(f proto.Frame) error {
			m, ok := f.(*proto.Revisions)
			if ok {
				page.decode(m)
			}
			return answers(ok, f)
		}
		r.peer.out.must(&proto.History{Request: r.peer.expect(&request{take: take, done: done}),
			Collection: collection, Entity: e, Before: o.Before, Limit: uint64(o.Limit)})
	})
	switch {
	case KindOf(err) == KindNotFound && len(pending) > 0: // the durable node has not heard of it
	case err != nil:
		return nil, err
	}
	for _, p := range pending {
		// The durable node may have it by now, and its acknowledgement be on the way.
		if !slices.ContainsFunc(page.Revisions, func(x Revision) bool { return x.Event == p.Event }) {
			page.Revisions = slices.Insert(page.Revisions, 0, p)
		}
	}
	return page, nil
}

func (h *History) decode(m *proto.Revisions) {
	h.Next = m.Next
	for i := range m.List {
		x := &m.List[i]
		revision := Revision{Event: x.Event, Time: x.Event.Stamp().Time(), Author: x.Author, User: x.User, Parents: x.Parents}
		for _, c := range x.Changes {
			revision.Changes = append(revision.Changes, PropertyChange(c))
		}
		h.Revisions = append(h.Revisions, revision)
	}
}

// pendingRevisions returns, on the loop, what no durable node has acknowledged of an entity,
// in the order in which it was made.
func (r *replica) pendingRevisions(e id.EntityID) (list []Revision) {
	record, ok := r.cache[e]
	if !ok {
		records, err := r.node.stored(r.node.run.ctx, []id.EntityID{e})
		if err != nil {
			r.node.opts.Listener.failed("history", err)
			return nil
		}
		record = records[0]
	}
	state := base(record)
	for _, p := range r.outbox.byEntity[e] {
		for _, event := range p.on(e) {
			before := state
			after, err := entity.Apply(before, event)
			if err != nil {
				continue // what it was made on top of was refused
			}
			made := revision(entity.Step{Event: event, Before: before, After: after})
			made.Pending = true
			list = append(list, made)
			state = after
		}
	}
	return list
}

// asOf asks the durable node for an entity's state at a moment.
func (r *replica) asOf(ctx context.Context, collection string, e id.EntityID, m Moment) (*proto.State, error) {
	ask := &proto.AsOf{Collection: collection, Entity: e, Events: m.Events}
	if !m.Time.IsZero() {
		ask.Time = m.Time.UnixMicro()
	}
	var state *proto.State
	err := r.request(ctx, func(done func(error)) {
		take := func(f proto.Frame) error {
			m, ok := f.(*proto.Snapshot)
			if ok {
				state = m.State
			}
			return answers(ok, f)
		}
		ask.Request = r.peer.expect(&request{take: take, done: done})
		r.peer.out.must(ask)
	})
	if err != nil {
		return nil, err // state may still be written
	}
	return state, nil
}

// answers is what a request makes of a frame that is, or is not, of the kind that answers
// it.
func answers(ok bool, f proto.Frame) error {
	if !ok {
		return fmt.Errorf("%w: %T does not answer the request", proto.ErrFrameType, f)
	}
	return nil
}

package core

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
)

// ingest is the one way by which events enter a durable node, wherever they come from:
// known ones are passed over, the others are held against the rules (structure was
// verified when they were decoded or minted), and merged, parents first.
type ingest struct {
	*sequencer
	sub     *submission
	records map[id.EntityID]*touched
	order   []id.EntityID
	fresh   []*proto.Event
}

// touched is an entity of the transaction.
type touched struct {
	before, now *proto.Record
	events      []id.EventID // the new ones
}

// survive is run; a defect of the policy agent refuses the transaction.
func (in *ingest) survive(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = recovered("judging the transaction", cause)
			in.node.opts.Listener.failed("commit", err)
		}
	}()
	return in.run(ctx)
}

func (in *ingest) run(ctx context.Context) error {
	if !in.sub.replicated { // elsewhere others may be the limits
		if err := in.node.checkSize(in.sub.events); err != nil {
			return err
		}
	}
	if _, ready := in.node.system.get(); !ready && !in.sub.system {
		return ErrNotReady
	}
	events := in.sub.events
	if !slices.IsSortedFunc(events, byID) {
		// By the monotone rule, ascending ids have parents before children.
		events = slices.Clone(events)
		sort.Slice(events, func(i, j int) bool { return byID(events[i], events[j]) < 0 })
	}
	for _, e := range events {
		if err := in.event(ctx, e); err != nil {
			return about(e.Entity, err)
		}
	}
	return nil
}

func byID(a, b *proto.Event) int { return a.ID.Compare(b.ID.ULID) }

func (in *ingest) event(ctx context.Context, e *proto.Event) error {
	t, err := in.touch(ctx, e.Entity)
	if err != nil {
		return err
	}
	known, err := in.known(ctx, t, e)
	if err != nil || known {
		return err
	}
	if err := in.permitted(e); err != nil {
		return err
	}
	if t.now != nil && t.now.Collection != e.Collection {
		return fmt.Errorf("%w: the entity belongs to %q, not to %q", proto.ErrStructure, t.now.Collection, e.Collection)
	}
	var before *proto.State
	if t.now != nil {
		before = t.now.State
	}
	state, err := entity.Apply(before, e)
	if err != nil {
		return err
	}
	if !in.sub.replicated {
		if err := in.judge(e, t, state); err != nil {
			return err
		}
	}
	next := &proto.Record{Collection: e.Collection, Entity: e.Entity, Rev: 1, State: state}
	if t.before != nil {
		next.Rev = t.before.Rev + 1
	}
	t.now = next
	t.events = append(t.events, e.ID)
	in.fresh = append(in.fresh, e)
	return nil
}

// judge holds what an event makes of its entity against this node's limits and its policy.
func (in *ingest) judge(e *proto.Event, t *touched, state *proto.State) error {
	if wide := len(state.Head); wide > in.node.limits.Siblings && (t.now == nil || wide > len(t.now.State.Head)) {
		return fmt.Errorf("%w: %d concurrent changes, more than %d", entity.ErrWide, wide, in.node.limits.Siblings)
	}
	if size := state.Size(); size > proto.MaxStateBytes {
		return fmt.Errorf("%w: the entity would take %d bytes, more than %d", ErrTooLarge, size, proto.MaxStateBytes)
	}
	if in.sub.system {
		return nil
	}
	write := policy.Write{Event: e, After: &proto.Record{Collection: e.Collection, Entity: e.Entity, State: state}}
	if t.now != nil {
		write.Before = t.now
	}
	return in.node.policy.Write(in.sub.principal, write)
}

func (in *ingest) touch(ctx context.Context, e id.EntityID) (*touched, error) {
	if t, ok := in.records[e]; ok {
		return t, nil
	}
	r, err := in.record(ctx, e)
	if err != nil {
		return nil, err
	}
	t := &touched{before: r, now: r}
	in.records[e] = t
	in.order = append(in.order, e)
	return t, nil
}

// known reports whether the event is part of the entity already, and fails if it cannot
// be because its parents are not, or another event has its id. Where all parents are in
// the head the event is new, since it would have taken their place; only other events
// need a look into storage.
func (in *ingest) known(ctx context.Context, t *touched, e *proto.Event) (bool, error) {
	switch {
	case t.now == nil && !e.IsCreation():
		return false, &lackingError{e.Parents, "the entity was never created here"}
	case t.now == nil:
		return false, nil
	case !e.IsCreation() && t.now.State.Head.ContainsAll(e.Parents):
		return false, nil
	}
	found, err := in.lookup(ctx, append(slices.Clone(e.Parents), e.ID))
	if err != nil {
		return false, err
	}
	if same := found[len(found)-1]; same != nil {
		if same.Digest() != e.Digest() {
			return false, fmt.Errorf("%w: another event with this id is known", proto.ErrTampered)
		}
		return true, nil
	}
	for i, parent := range e.Parents {
		switch {
		case found[i] == nil:
			return false, &lackingError{e.Parents, "parent " + parent.String()}
		case found[i].Entity != e.Entity:
			return false, fmt.Errorf("%w: %s", errForeignParent, parent)
		}
	}
	return false, nil
}

// lackingError is an ErrParents.
type lackingError struct {
	parents proto.Clock // of the event; this node lacks some
	problem string
}

func (e *lackingError) Error() string { return ErrParents.Error() + ": " + e.problem }
func (e *lackingError) Unwrap() error { return ErrParents }

// lookup returns events from this transaction, from those in flight and from storage.
func (in *ingest) lookup(ctx context.Context, ids []id.EventID) ([]*proto.Event, error) {
	found, err := in.node.engine.Events(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, e := range ids {
		if found[i] == nil {
			found[i] = in.sequencer.events[e]
		}
		for _, fresh := range in.fresh {
			if found[i] == nil && fresh.ID == e {
				found[i] = fresh
			}
		}
	}
	return found, nil
}

// permitted holds an event against everything but the entity and the policy.
func (in *ingest) permitted(e *proto.Event) error {
	if in.sub.system {
		return nil
	}
	if in.node.foreignRoot(e) {
		return fmt.Errorf("%w: the event makes another one", ErrSystem)
	}
	if ahead := e.ID.Stamp().Time().Sub(in.node.clock.Now()); ahead > in.node.opts.MaxClockDrift {
		return fmt.Errorf("%w: it is %s ahead, more than %s; is the clock right?", ErrClockDrift, ahead.Round(time.Second), in.node.opts.MaxClockDrift)
	}
	if in.sub.replicated {
		return nil
	}
	if !in.sub.author.IsZero() {
		if e.Author != in.sub.author {
			return policy.Denied("the event names %s as its author, the connection belongs to %s", e.Author, in.sub.author)
		}
		if e.User != "" && e.User != in.sub.principal.Name {
			return policy.Denied("the event names %q as its user, the connection belongs to %q", e.User, in.sub.principal.Name)
		}
	}
	if strings.HasPrefix(e.Collection, schema.ReservedPrefix) {
		return fmt.Errorf("%w: %s", ErrReserved, e.Collection)
	}
	return in.fitsModel(e)
}

// fitsModel holds the operations against the catalog.
func (in *ingest) fitsModel(e *proto.Event) error {
	model, ok := in.node.catalog.get(e.Collection)
	if !ok {
		return fmt.Errorf("%w: no model is registered for collection %q", schema.ErrInvalid, e.Collection)
	}
	for i := range e.Operations {
		op := &e.Operations[i]
		kind, ok := entity.KindByCode(op.Kind)
		if !ok {
			return fmt.Errorf("%w: %s: unknown kind %d", entity.ErrKind, op.Property, op.Kind)
		}
		v, whole, err := kind.Written(*op)
		if err != nil {
			return err
		}
		if op.Property == proto.Deleted {
			if _, isBool := v.AsBool(); !isBool {
				return fmt.Errorf("%w: the deletion mark takes true or false", schema.ErrValue)
			}
			continue
		}
		p, ok := model.Property(op.Property)
		if !ok {
			return fmt.Errorf("%w: %s has no property %q", schema.ErrValue, e.Collection, op.Property)
		}
		if !kind.Serves(p.MergeKind()) {
			return fmt.Errorf("%w: %s.%s has kind %s", entity.ErrKind, e.Collection, op.Property, p.MergeKind())
		}
		if whole {
			if err := p.Check(v); err != nil {
				return fmt.Errorf("%s: %w", e.Collection, err)
			}
		}
	}
	return nil
}

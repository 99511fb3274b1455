package entity

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/core/property/lww"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Why an event cannot be applied.
var (
	// ErrNoEntity: an edit of an entity that was never created here.
	ErrNoEntity = errors.New("entity: not created")
	// ErrExists: a second creation of an entity.
	ErrExists = errors.New("entity: already created")
	// ErrKind: an operation of an unknown kind, or of another kind than the property
	// has.
	ErrKind = errors.New("entity: property kind mismatch")
	// ErrWide: the head would hold more concurrent events than a clock may.
	ErrWide = errors.New("entity: too many concurrent heads")
)

var kinds = [...]property.Kind{lww.Register{}}

// KindByCode returns the merge kind with the given code.
func KindByCode(code byte) (property.Kind, bool) {
	for _, k := range kinds {
		if k.Code() == code {
			return k, true
		}
	}
	return nil, false
}

// KindOf returns the merge kind by which properties declared with k merge.
func KindOf(k schema.Kind) (property.Kind, bool) {
	for _, kind := range kinds {
		if kind.Serves(k) {
			return kind, true
		}
	}
	return nil, false
}

// Apply returns the state after e. before is nil for an entity that does not exist.
func Apply(before *proto.State, e *proto.Event) (*proto.State, error) {
	if e.IsCreation() {
		if before != nil && len(before.Head) > 0 {
			return nil, fmt.Errorf("%w: %s", ErrExists, e.Entity)
		}
		before = &proto.State{}
	} else if before == nil || len(before.Head) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoEntity, e.Entity)
	}
	head := before.Head.Advance(e.Parents, e.ID)
	if len(head) > proto.MaxClock {
		return nil, fmt.Errorf("%w: %s has %d", ErrWide, e.Entity, len(before.Head))
	}
	properties := make([]proto.PropertyState, len(before.Properties), len(before.Properties)+len(e.Operations))
	copy(properties, before.Properties)
	after := &proto.State{Head: head, Properties: properties}
	for i := range e.Operations {
		if err := applyOperation(after, &e.Operations[i], e); err != nil {
			return nil, err
		}
	}
	return after, nil
}

// Create returns the state after a creation whose operations were made of the given
// values, one each: what Apply returns, without reading them back.
func Create(e *proto.Event, values []value.Value) (*proto.State, error) {
	state := &proto.State{Head: proto.Clock{e.ID}, Properties: make([]proto.PropertyState, len(e.Operations))}
	for i := range e.Operations {
		op := &e.Operations[i]
		kind, ok := KindByCode(op.Kind)
		if !ok {
			return nil, fmt.Errorf("%w: %s: unknown kind %d", ErrKind, op.Property, op.Kind)
		}
		state.Properties[i] = kind.Initial(*op, values[i], e.ID)
	}
	return state, nil
}

// applyOperation changes s, which Apply has just made.
func applyOperation(s *proto.State, op *proto.Operation, e *proto.Event) error {
	kind, ok := KindByCode(op.Kind)
	if !ok {
		return fmt.Errorf("%w: %s: unknown kind %d", ErrKind, op.Property, op.Kind)
	}
	i, found := s.Find(op.Property)
	before := proto.PropertyState{Name: op.Property}
	if found {
		before = s.Properties[i]
		if before.Kind != op.Kind {
			return fmt.Errorf("%w: %s has kind %d, the operation %d", ErrKind, op.Property, before.Kind, op.Kind)
		}
	}
	next, err := kind.Apply(before, *op, e.ID)
	if err != nil {
		return err
	}
	if found {
		s.Properties[i] = next
	} else {
		s.Properties = slices.Insert(s.Properties, i, next)
	}
	return nil
}

// Merge combines two states of one entity: every property by its kind. The head of the
// result is the union of both, from which the caller, who can see the history, removes
// what descends from something else in it.
func Merge(a, b *proto.State) (*proto.State, error) {
	merged := &proto.State{Head: proto.NewClock(append(slices.Clone(a.Head), b.Head...)...)}
	if len(merged.Head) > proto.MaxClock {
		return nil, ErrWide
	}
	merged.Properties = slices.Clone(a.Properties)
	for _, p := range b.Properties {
		i, found := merged.Find(p.Name)
		if !found {
			merged.Properties = slices.Insert(merged.Properties, i, p)
			continue
		}
		q := merged.Properties[i]
		kind, ok := KindByCode(p.Kind)
		if !ok || q.Kind != p.Kind {
			return nil, fmt.Errorf("%w: %s: %d and %d", ErrKind, p.Name, q.Kind, p.Kind)
		}
		next, err := kind.Merge(q, p)
		if err != nil {
			return nil, err
		}
		merged.Properties[i] = next
	}
	return merged, nil
}

// Patch returns the properties of after that differ from before's.
func Patch(before, after *proto.State) []proto.PropertyState {
	if before == nil {
		return after.Properties
	}
	var patch []proto.PropertyState
	for i := range after.Properties {
		p := &after.Properties[i]
		if j, found := before.Find(p.Name); !found || !same(&before.Properties[j], p) {
			patch = append(patch, *p)
		}
	}
	return patch
}

func same(a, b *proto.PropertyState) bool {
	return a.Kind == b.Kind && a.Value == b.Value && string(a.Data) == string(b.Data)
}

// WithPatch returns s with the given head and the given properties in place of its
// own.
func WithPatch(s *proto.State, head proto.Clock, patch []proto.PropertyState) *proto.State {
	next := &proto.State{Head: head, Properties: slices.Clone(s.Properties)}
	for _, p := range patch {
		if i, found := next.Find(p.Name); found {
			next.Properties[i] = p
		} else {
			next.Properties = slices.Insert(next.Properties, i, p)
		}
	}
	return next
}

// Undo returns what the properties that differ in after were in before, null where
// they were not set. For a creation there is nothing to undo.
func Undo(before, after *proto.State) []proto.Field {
	if before == nil {
		return nil
	}
	patch := Patch(before, after)
	undo := make([]proto.Field, len(patch))
	for i := range patch {
		undo[i] = proto.Field{Name: patch[i].Name, Value: before.Field(patch[i].Name)}
	}
	return undo
}

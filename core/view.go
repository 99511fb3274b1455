package core

import (
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// View is an immutable reading of an entity.
type View struct{ record *proto.Record }

// newView returns the view of a record, nil for nil.
func newView(r *proto.Record) *View {
	if r == nil {
		return nil
	}
	return &View{r}
}

// ID returns the entity's id.
func (v *View) ID() id.EntityID { return v.record.Entity }

// Collection returns the entity's collection.
func (v *View) Collection() string { return v.record.Collection }

// Field returns the value of a property, null if it was never set; "id" is the
// entity's id.
func (v *View) Field(name string) value.Value { return v.record.Field(name) }

// State returns the head and the properties that the view reads.
func (v *View) State() *proto.State { return v.record.State }

// SyncState is how far a view is in step with the durable node.
type SyncState = proto.SyncState

// The states of a view.
const (
	// Synced is a view of what the durable node has, as far as this node knows. On a durable
	// node every view is.
	Synced = proto.Synced
	// Pending is a view with changes that no durable node has acknowledged.
	Pending = proto.Pending
	// Refused is a view without changes that a durable node refused: the rejection is kept
	// until it is tried again, made anew or dismissed.
	Refused = proto.Refused
)

// Sync returns how far the view is in step; a selection asks for it as $sync.
func (v *View) Sync() SyncState { return v.record.Sync }

// Pending reports whether the view shows changes that no durable node has acknowledged.
func (v *View) Pending() bool { return v.record.Sync == Pending }

func views(records []*proto.Record) []*View {
	list := make([]*View, len(records))
	for i, r := range records {
		list[i] = newView(r)
	}
	return list
}

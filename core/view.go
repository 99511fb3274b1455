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

// Pending reports whether the view shows changes that no durable node has acknowledged.
func (v *View) Pending() bool { return v.record.Base != nil }

func views(records []*proto.Record) []*View {
	list := make([]*View, len(records))
	for i, r := range records {
		list[i] = newView(r)
	}
	return list
}

package kv

import (
	"fmt"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// appendRow appends what is stored under a record's key: [rev, base rev, state, base or
// nil].
func appendRow(dst []byte, rec *proto.Record) []byte {
	dst = msgpack.AppendArrayLen(dst, 4)
	dst = msgpack.AppendUint(dst, rec.Rev)
	dst = msgpack.AppendUint(dst, rec.BaseRev)
	dst = proto.AppendState(dst, rec.State)
	if rec.Base == nil {
		return msgpack.AppendNil(dst)
	}
	return proto.AppendState(dst, rec.Base)
}

// decodeRow reads what appendRow wrote. The record keeps nothing of b.
func decodeRow(collection string, entity id.EntityID, b []byte) (*proto.Record, error) {
	r := msgpack.NewReader(b)
	r.Array(4)
	rec := &proto.Record{Collection: collection, Entity: entity, Rev: r.Uint(), BaseRev: r.Uint(), State: proto.ReadState(&r)}
	if !r.TryNil() {
		rec.Base = proto.ReadState(&r)
	}
	if err := r.Done(); err != nil {
		return nil, corruptRow(entity, err)
	}
	return rec, nil
}

func corruptRow(entity id.EntityID, err error) error {
	return fmt.Errorf("%w: record of %s: %w", storage.ErrCorrupt, entity, err)
}

// rowView reads a stored row where it lies; it is reused from row to row. It is the
// ankql.Fields of the entity's state.
type rowView struct {
	entity id.EntityID
	state  proto.StateView
}

// reset turns the view to the row of an entity, and is valid for as long as b.
func (v *rowView) reset(entity id.EntityID, b []byte) error {
	v.entity = entity
	r := msgpack.NewReader(b)
	r.Array(4)
	r.Uint() // rev
	r.Uint() // base rev
	err := r.Err()
	if err == nil {
		err = v.state.Reset(b[len(b)-r.Remaining():])
	}
	if err != nil {
		return corruptRow(entity, err)
	}
	return nil
}

// Field implements ankql.Fields.
func (v *rowView) Field(name string) value.Value {
	if name == "id" {
		return value.ID(v.entity)
	}
	return v.state.Field(name)
}

// err returns what Field could not read since reset.
func (v *rowView) err() error {
	if err := v.state.Err(); err != nil {
		return corruptRow(v.entity, err)
	}
	return nil
}

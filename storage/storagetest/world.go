package storagetest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// Albums is the collection that most cases use.
const Albums = "album"

// AlbumModel describes it: a property of every type.
var AlbumModel = &schema.Model{Collection: Albums, Properties: []schema.Property{
	{Name: "name", Type: schema.TypeString},
	{Name: "year", Type: schema.TypeInt, Optional: true},
	{Name: "score", Type: schema.TypeFloat, Optional: true},
	{Name: "live", Type: schema.TypeBool, Optional: true},
	{Name: "cover", Type: schema.TypeBytes, Optional: true},
	{Name: "artist", Type: schema.TypeRef, Optional: true},
	{Name: "meta", Type: schema.TypeJSON, Optional: true},
}}

// World makes ids, events and records as a node would. It is not safe for concurrent
// use.
type World struct {
	Rand  *rand.Rand
	Node  id.NodeID
	stamp id.Stamp
}

// NewWorld returns a world in which everything follows from seed.
func NewWorld(seed uint64) *World {
	w := &World{Rand: rand.New(rand.NewPCG(seed, 0)), stamp: 1 << 40}
	w.Node = id.NodeID{ULID: w.id()}
	return w
}

func (w *World) id() id.ULID {
	w.stamp += id.Stamp(1 + w.Rand.Uint64N(1<<20))
	var tail [8]byte
	for i := range tail {
		tail[i] = byte(w.Rand.Uint32())
	}
	return id.Make(w.stamp, tail)
}

// Entity returns an id that nothing has.
func (w *World) Entity() id.EntityID { return id.EntityID{ULID: w.id()} }

// Transaction returns the id of a new transaction.
func (w *World) Transaction() id.TransactionID { return id.TransactionID{ULID: w.id()} }

// Create makes an entity: its creation event, and its record afterwards.
func (w *World) Create(collection string, fields ...proto.Field) (*proto.Event, *proto.Record) {
	ev := w.event(collection, nil, fields)
	return ev, &proto.Record{
		Collection: collection,
		Entity:     ev.Entity,
		Rev:        1,
		State:      next(&proto.State{}, ev, fields),
	}
}

// Edit changes an entity: the event, and the record afterwards.
func (w *World) Edit(rec *proto.Record, fields ...proto.Field) (*proto.Event, *proto.Record) {
	ev := w.event(rec.Collection, rec, fields)
	after := *rec
	after.Rev++
	after.State = next(rec.State, ev, fields)
	return ev, &after
}

// Delete marks an entity as deleted.
func (w *World) Delete(rec *proto.Record) (*proto.Event, *proto.Record) {
	return w.Edit(rec, proto.Field{Name: proto.Deleted, Value: value.Bool(true)})
}

func (w *World) event(collection string, rec *proto.Record, fields []proto.Field) *proto.Event {
	ev := &proto.Event{Collection: collection, Author: w.Node, User: "somebody"}
	if rec != nil {
		ev.Entity, ev.Parents = rec.Entity, rec.State.Head
		w.stamp = max(w.stamp, rec.State.Head.Stamp()) // it may be another world's
	} else {
		for i := range ev.Nonce {
			ev.Nonce[i] = byte(w.Rand.Uint32())
		}
	}
	for _, f := range fields {
		ev.Operations = append(ev.Operations, proto.Operation{Property: f.Name, Kind: 1, Data: value.Append(nil, f.Value)})
	}
	slices.SortFunc(ev.Operations, func(a, b proto.Operation) int { return strings.Compare(a.Property, b.Property) })
	w.stamp += id.Stamp(1 + w.Rand.Uint64N(1<<20))
	if err := ev.Mint(w.stamp); err != nil {
		panic(err) // the world makes no events that are refused
	}
	return ev
}

// next is the state after an event that is on top of it.
func next(s *proto.State, ev *proto.Event, fields []proto.Field) *proto.State {
	after := &proto.State{Head: s.Head.Advance(ev.Parents, ev.ID), Properties: slices.Clone(s.Properties)}
	for _, f := range fields {
		p := proto.PropertyState{Name: f.Name, Kind: 1, Value: f.Value, Data: ev.ID.Bytes()}
		if i, found := after.Find(f.Name); found {
			after.Properties[i] = p
		} else {
			after.Properties = slices.Insert(after.Properties, i, p)
		}
	}
	return after
}

// AlbumFields returns random properties of an album: few distinct values, so that
// there are ties, with NULLs, missing ones and the odd ends of each type.
func (w *World) AlbumFields() []proto.Field {
	fields := []proto.Field{{Name: "name", Value: value.String(pick(w, []string{"", "a", "ab", "b", "Muse", "muse", "é", "\x00", "日本", strings.Repeat("x", 300)}))}}
	add := func(name string, values ...value.Value) {
		if w.Rand.IntN(4) > 0 { // else missing, which reads as NULL
			fields = append(fields, proto.Field{Name: name, Value: pick(w, append(values, value.Null))})
		}
	}
	add("year", value.Int(-1), value.Int(0), value.Int(1999), value.Int(2001), value.Int(math.MaxInt64), value.Int(math.MinInt64), value.Int(1<<53+1))
	add("score", value.Float(-0.5), value.Float(0), value.Float(math.Copysign(0, -1)), value.Float(1e300), value.Float(4.5))
	add("live", value.Bool(true), value.Bool(false))
	add("cover", value.Bytes(nil), value.Bytes([]byte{0}), value.Bytes([]byte{0, 0xff}))
	add("artist", value.ID(id.EntityID{ULID: id.Make(7, [8]byte{1})}), value.ID(id.EntityID{ULID: id.Make(7, [8]byte{2})}))
	add("meta", json(map[string]any{"genre": "rock", "n": 1.0}), json(map[string]any{"genre": nil}), json([]any{true, "x"}))
	return fields
}

func pick[T any](w *World, from []T) T { return from[w.Rand.IntN(len(from))] }

func json(tree any) value.Value {
	v, err := value.JSON(tree)
	if err != nil {
		panic(err)
	}
	return v
}

package proto

import (
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
)

// The samples of this file are fixed: their bytes are pinned by golden files. Every field
// of every message is set to something else than its zero.

func ulid(n byte) id.ULID {
	return id.Make(1_700_000_000_000<<16|id.Stamp(n), [8]byte{n, 2, 3, 4, 5, 6, 7, 8})
}

func entityID(n byte) id.EntityID { return id.EntityID{ULID: ulid(n)} }

func clockOf(n ...byte) Clock {
	var ids []id.EventID
	for _, b := range n {
		ids = append(ids, id.EventID{ULID: ulid(b)})
	}
	return NewClock(ids...)
}

func set(name string, v value.Value) Operation {
	return Operation{Property: name, Kind: 1, Data: value.Append(nil, v)}
}

func mustMint(t testing.TB, e *Event, stamp id.Stamp) *Event {
	t.Helper()
	if err := e.Mint(stamp); err != nil {
		t.Fatal(err)
	}
	return e
}

func sampleCreation(t testing.TB) *Event {
	return mustMint(t, &Event{
		Collection: "album", Author: id.NodeID{ULID: ulid(9)}, User: "matt", Nonce: [NonceSize]byte{1, 2, 3, 15: 16},
		Operations: []Operation{set("name", value.String("Showbiz")), set("year", value.Int(1999))},
	}, 1_700_000_000_000<<16)
}

func sampleEdit(t testing.TB) *Event {
	creation := sampleCreation(t)
	other := mustMint(t, &Event{Collection: "album", Entity: creation.Entity, Parents: NewClock(creation.ID), Operations: []Operation{set("year", value.Null)}}, creation.ID.Stamp()+1)
	return mustMint(t, &Event{
		Collection: "album", Entity: creation.Entity, Parents: NewClock(creation.ID, other.ID), Author: id.NodeID{ULID: ulid(8)}, User: "dom",
		Operations: []Operation{set(Deleted, value.Bool(true)), set("artist", value.ID(entityID(7))), set("rating", value.Float(4.5))},
	}, other.ID.Stamp()+70_000)
}

func sampleState(t testing.TB) *State {
	doc, err := value.JSON(map[string]any{"genre": "rock", "tags": []any{"live", nil, 1.5}})
	if err != nil {
		t.Fatal(err)
	}
	writer := ulid(5)
	return &State{Head: clockOf(3, 4), Properties: []PropertyState{
		{Name: Deleted, Kind: 1, Value: value.Bool(false), Data: writer.Bytes()},
		{Name: "artist", Kind: 1, Value: value.ID(entityID(7)), Data: writer.Bytes()},
		{Name: "cover", Kind: 1, Value: value.Bytes([]byte{0, 255}), Data: writer.Bytes()},
		{Name: "meta", Kind: 1, Value: doc, Data: writer.Bytes()},
		{Name: "name", Kind: 1, Value: value.String("Origin of Symmetry"), Data: writer.Bytes()},
		{Name: "none", Kind: 1, Value: value.Null, Data: writer.Bytes()},
		{Name: "rating", Kind: 2, Value: value.Float(-0.5), Data: []byte{1}},
		{Name: "year", Kind: 1, Value: value.Int(-2001), Data: writer.Bytes()},
	}}
}

func sampleRecord(t testing.TB) *Record {
	return &Record{
		Collection: "album", Entity: entityID(1), Rev: 300, BaseRev: 12, State: sampleState(t),
		Base: &State{Head: clockOf(2), Properties: []PropertyState{{Name: "name", Kind: 1, Value: value.String("Origin"), Data: ulid(2).Bytes()}}},
	}
}

func sampleFeedEntry() *FeedEntry {
	return &FeedEntry{Seq: 70_000, Transaction: id.TransactionID{ULID: ulid(20)}, Changes: []Change{
		{Collection: "album", Entity: entityID(1), Rev: 1, After: clockOf(1), Events: clockOf(1)},
		{
			Collection: "artist", Entity: entityID(2), Rev: 5, Before: clockOf(2), After: clockOf(3, 4), Events: clockOf(3, 4),
			Undo: []Field{{Name: "name", Value: value.Null}, {Name: "year", Value: value.Int(1994)}},
		},
	}}
}

func sampleModels() []*schema.Model {
	return []*schema.Model{
		{Collection: "album", Properties: []schema.Property{
			{Name: "name", Type: schema.TypeString, Kind: schema.KindText},
			{Name: "artist", Type: schema.TypeRef, Kind: schema.KindLWW, Optional: true, Target: "artist"},
			{Name: "format", Type: schema.TypeEnum, Kind: schema.KindLWW, Default: value.String("cd"), Enum: []string{"cd", "vinyl"}},
		}, Indexes: []schema.Index{
			{Columns: []schema.IndexColumn{{Path: []string{"artist"}}, {Path: []string{"name"}, Desc: true}}},
			{Columns: []schema.IndexColumn{{Path: []string{"format"}}}, Unique: true},
		}},
		{Collection: "artist"},
	}
}

func samplePosition(seq uint64) Position {
	return Position{{Epoch: id.EpochID{ULID: ulid(30)}, Seq: seq}, {Epoch: id.EpochID{ULID: ulid(31)}, Seq: 3}}
}

func sampleFields() []byte {
	return AppendFields(nil, []Field{{Name: "typing", Value: value.Bool(true)}, {Name: "x", Value: value.Float(0.5)}})
}

// sampleFrames has one frame of every type, by the name of its golden file.
func sampleFrames(t testing.TB) map[string]Frame {
	state := sampleState(t)
	return map[string]Frame{
		"hello":       &Hello{Node: id.NodeID{ULID: ulid(1)}, Durable: true, System: entityID(2), Time: 1_700_000_000_123_456, Credentials: []byte("token"), Store: id.StoreID{ULID: ulid(3)}, Position: samplePosition(80)},
		"welcome":     &Welcome{Node: id.NodeID{ULID: ulid(1)}, System: entityID(2), Time: -5, User: "matt", Store: id.StoreID{ULID: ulid(3)}, Continues: true, Alone: true, View: 6},
		"refuse":      &Refuse{Kind: 16, Message: "protocol version 2 is not spoken here"},
		"register":    &Register{Request: 3, Models: sampleModels()},
		"catalog":     &Catalog{Models: sampleModels()},
		"subscribe":   &Subscribe{Sub: 4, Collection: "album", Text: "year > ? ORDER BY name LIMIT 50", Params: []value.Value{value.Int(1985), value.Null}, Once: true, After: samplePosition(77), Known: []KnownRow{{Entity: entityID(1), Rev: 2, Head: clockOf(1, 2).Fingerprint()}, {Entity: entityID(2), Rev: 300}}},
		"unsubscribe": &Unsubscribe{Sub: 4},
		"rows":        &Rows{Sub: 4, Collection: "album", Complete: true, Done: true, Rows: []Row{{Entity: entityID(1), Rev: 2, State: state}}, Same: []id.EntityID{entityID(2)}, Gone: []id.EntityID{entityID(3), entityID(4)}, Equal: []KnownRow{{Entity: entityID(5), Rev: 6, Head: 7}}, Absent: []id.EntityID{entityID(6)}},
		"update": &Update{Position: samplePosition(79), Transaction: id.TransactionID{ULID: ulid(20)}, Changes: []RowChange{
			{Collection: "album", Entity: entityID(1), Rev: 3, Kind: RowPatch, Head: clockOf(5), Properties: state.Properties[4:6]},
			{Collection: "album", Entity: entityID(2), Rev: 1, Kind: RowState, Head: state.Head, Properties: state.Properties},
			{Collection: "album", Entity: entityID(3), Rev: 9, Kind: RowGone},
		}, More: true},
		"commit":  &Commit{Transaction: id.TransactionID{ULID: ulid(21)}, Attempt: 2, Events: []*Event{sampleCreation(t), sampleEdit(t)}},
		"ack":     &Ack{Transaction: id.TransactionID{ULID: ulid(21)}, Attempt: 2, Rows: []AckRow{{Entity: entityID(1), Rev: 4, Before: clockOf(1, 2), Known: true}, {Entity: entityID(2), Rev: 1}}},
		"nack":    &Nack{Transaction: id.TransactionID{ULID: ulid(21)}, Attempt: 1, Kind: 2, Entity: entityID(1), Message: "access denied: " + strings.Repeat("no ", 10)},
		"get":     &Get{Request: 6, Collection: "album", Entities: []id.EntityID{entityID(1), entityID(2)}},
		"reply":   &Reply{Request: 6, Kind: 3, Message: "not found"},
		"history": &History{Request: 6, Collection: "album", Entity: entityID(1), Before: id.EventID{ULID: ulid(9)}, Limit: 50},
		"revisions": &Revisions{Request: 6, List: []Revision{
			{Event: id.EventID{ULID: ulid(8)}, Author: id.NodeID{ULID: ulid(1)}, User: "matt", Parents: clockOf(3, 4), Changes: []ValueChange{
				{Property: Deleted, Before: value.Bool(false), After: value.Bool(true)}, {Property: "year", Before: value.Int(2000), After: value.Int(2001)}}},
		}, Next: id.EventID{ULID: ulid(8)}},
		"as-of":    &AsOf{Request: 7, Collection: "album", Entity: entityID(1), Events: clockOf(3, 4), Time: 1_700_000_000_123_456},
		"snapshot": &Snapshot{Request: 7, State: state},
		"aggregate": &Aggregate{Sub: 9, Collection: "album", Text: "year > ?", Params: []value.Value{value.Int(1985)}, GroupBy: [][]string{{"artist"}, {"meta", "genre"}},
			Columns: []AggregateColumn{{Function: 0, Path: []string{"name"}, Distinct: true}, {Function: 1, Path: []string{"meta", "price"}}, {}}},
		"groups": &Groups{Sub: 9, Reset: true, Done: true, Included: []id.TransactionID{{ULID: ulid(21)}, {ULID: ulid(22)}}, Groups: []Group{
			{Key: []value.Value{value.ID(entityID(7)), value.Null}, Rows: 3, Parts: []value.Value{value.Int(2), value.Bytes([]byte{1, 2}), value.Int(3)}},
			{Key: []value.Value{value.ID(entityID(8)), value.String("rock")}},
		}},
		"locate":  &Locate{Request: 10, Collection: "album", Text: "year > ? ORDER BY name", Params: []value.Value{value.Int(1985)}, Entity: entityID(1), Index: 50_000},
		"located": &Located{Request: 10, Cursor: "lAHP_-0", Index: 49_999},
		"follow":  &Follow{After: []Position{samplePosition(9), {{Epoch: id.EpochID{ULID: ulid(33)}, Seq: 7}}}},
		"entries": &Entries{Left: 400, List: []Entry{
			{Position: samplePosition(10), Transaction: id.TransactionID{ULID: ulid(21)}, Events: AppendEvents(nil, []*Event{sampleCreation(t), sampleEdit(t)})},
			{Position: samplePosition(11), Transaction: id.TransactionID{ULID: ulid(22)}},
		}},
		"taken":  &Taken{},
		"lookup": &Lookup{Request: 11, Events: clockOf(3, 4), Known: clockOf(1, 2)},
		"found":  &Found{Request: 11, Events: []*Event{sampleEdit(t)}},
		"attend": &Attend{Number: 12, Room: "album/1", Key: MemberKey{1, 15: 2}, Seq: 1 << 50, Attendance: Away, State: sampleFields()},
		"members": &Members{Number: 12, Reset: true, Kind: 12, Message: "too many members", List: []Present{
			{Member: MemberKey{1}.Member(), User: "matt", Since: 1_700_000_000_000_000, State: sampleFields()},
			{Member: MemberKey{2}.Member(), Gone: true},
		}},
		"spread": &Spread{From: id.EpochID{ULID: ulid(29)}, Again: true, Ask: []id.EpochID{{ULID: ulid(32)}}, Begin: []id.EpochID{{ULID: ulid(30)}}, Homes: []Home{{ID: id.EpochID{ULID: ulid(30)}, Beat: 7, Age: 1500, All: true, Closed: true}}, List: []Attending{
			{Room: "lobby", Home: id.EpochID{ULID: ulid(30)}, Seq: 1 << 50, Present: Present{Member: MemberKey{1}.Member(), User: "matt", Since: 1_700_000_000_000_000, State: sampleFields()}},
			{Room: "lobby", Home: id.EpochID{ULID: ulid(31)}, Seq: 3, Present: Present{Member: MemberKey{2}.Member(), Gone: true}},
		}},
		"ping": &Ping{Time: 1_700_000_000_000_000},
		"pong": &Pong{Time: 1_700_000_000_000_000, Position: samplePosition(1 << 40)},
	}
}

package proto

import (
	"errors"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

func TestFieldsOfRecords(t *testing.T) {
	rec := sampleRecord(t)
	for name, want := range map[string]value.Value{
		"id": value.ID(rec.Entity), "name": value.String("Origin of Symmetry"), "year": value.Int(-2001), "none": value.Null, "missing": value.Null,
	} {
		if got := rec.Field(name); got != want {
			t.Errorf("%s is %#v, want %#v", name, got, want)
		}
	}
	if rec.State.Deleted() {
		t.Error("a restored entity is deleted")
	}
}

func TestDeleted(t *testing.T) {
	for v, want := range map[value.Value]bool{value.Bool(true): true, value.Bool(false): false, value.Null: false, value.Int(1): false} {
		s := &State{Properties: []PropertyState{{Name: Deleted, Kind: 1, Value: v}}}
		if s.Deleted() != want {
			t.Errorf("marked with %#v: %v", v, s.Deleted())
		}
	}
	if (&State{}).Deleted() || (&State{Properties: []PropertyState{{Name: "name", Value: value.Bool(true)}}}).Deleted() {
		t.Error("deleted without a mark")
	}
}

func TestFindTellsWhereToInsert(t *testing.T) {
	s := sampleState(t)
	for i, p := range s.Properties {
		if at, found := s.Find(p.Name); at != i || !found {
			t.Errorf("%s is at %d, %v", p.Name, at, found)
		}
		if at, found := s.Find(p.Name + "0"); at != i+1 || found {
			t.Errorf("what follows %s is at %d, %v", p.Name, at, found)
		}
	}
}

func TestStatesThatAreRefused(t *testing.T) {
	state := func(change func(*State)) []byte {
		s := &State{Properties: []PropertyState{{Name: "a", Kind: 1}, {Name: "b", Kind: 1}}}
		change(s)
		return AppendState(nil, s)
	}
	later := AppendState(nil, &State{})
	later[1] = stateVersion + 1
	kind := propertyOf(func(b []byte) []byte { return msgpack.AppendNil(b) })
	kind = splice(kind, len(kind)-4, 1, 0xcd, 1, 1) // of 257, which is no byte
	for name, tc := range map[string]struct {
		b    []byte
		want error
	}{
		"properties out of order": {state(func(s *State) { s.Properties[1].Name = "A" }), ErrNotCanonical},
		"a property twice":        {state(func(s *State) { s.Properties[1].Name = "a" }), ErrNotCanonical},
		"heads out of order":      {state(func(s *State) { s.Head = Clock{{ULID: ulid(2)}, {ULID: ulid(1)}} }), ErrNotCanonical},
		"a kind beyond a byte":    {kind, ErrStructure},
		"a later version":         {later, nil},
	} {
		r := msgpack.NewReader(tc.b)
		if s := ReadState(&r); r.Done() == nil || s != nil || tc.want != nil && !errors.Is(r.Err(), tc.want) {
			t.Errorf("%s: %+v, %v; want %v", name, s, r.Err(), tc.want)
		}
	}
}

func TestRecordsWithAndWithoutBase(t *testing.T) {
	for name, rec := range map[string]*Record{
		"durable":            {Collection: "album", Entity: entityID(1), Rev: 1, State: sampleState(t)},
		"pending over base":  sampleRecord(t),
		"pending creation":   {Collection: "album", Entity: entityID(1), Rev: 1, State: sampleState(t), Base: &State{}},
		"without properties": {Collection: "album", Entity: entityID(1), State: &State{Head: clockOf(1)}},
	} {
		got, err := DecodeRecord(AppendRecord(nil, rec))
		if err != nil || string(AppendRecord(nil, got)) != string(AppendRecord(nil, rec)) || (got.Base == nil) != (rec.Base == nil) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, rec)
		}
	}
}

func TestFeedEntriesThatAreRefused(t *testing.T) {
	half := msgpack.AppendUint(msgpack.AppendArrayLen(nil, 3), 1)
	half = msgpack.AppendArrayLen(AppendID(half, ulid(1)), 1)
	half = AppendID(msgpack.AppendString(msgpack.AppendArrayLen(half, 7), "album"), ulid(1))
	half = AppendClock(AppendClock(msgpack.AppendUint(half, 1), nil), nil)
	half = msgpack.AppendString(msgpack.AppendArrayLen(msgpack.AppendArrayLen(half, 0), 1), "name")
	if e, err := DecodeFeedEntry(half); !errors.Is(err, ErrStructure) || e != nil {
		t.Errorf("half a field to undo: %+v, %v", e, err)
	}
	many := &FeedEntry{Changes: make([]Change, MaxTxEvents+1)}
	if _, err := DecodeFeedEntry(AppendFeedEntry(nil, many)); !errors.Is(err, msgpack.ErrTooLong) {
		t.Errorf("too many changes: %v", err)
	}
	many = &FeedEntry{Changes: []Change{{Events: make([]id.EventID, MaxTxEvents+1)}}}
	if _, err := DecodeFeedEntry(AppendFeedEntry(nil, many)); !errors.Is(err, msgpack.ErrTooLong) {
		t.Errorf("too many events: %v", err)
	}
}

package frame_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew")

const golden = "testdata/frames.txt"

// pinned is the SHA-256 of the golden file for frame.Version: a protocol that changes gets
// another version, and js/src/wire.ts with it.
const pinned = "f97fdcae91ec85364e8e298460abe3c6c1d1d1530709adfc7dcff2754d2f987c"

func entity(n byte) id.EntityID {
	return id.EntityID{ULID: id.Make(id.Stamp(uint64(n)<<32), [8]byte{n, 1, 2, 3, 4, 5, 6, 7})}
}

func transaction(n byte) id.TransactionID { return id.TransactionID(entity(n)) }

func document(tree any) value.Value {
	v, err := value.JSON(tree)
	if err != nil {
		panic(err)
	}
	return v
}

var (
	columns = []string{"name", "year", "plays", "rating", "good", "cover", "artist", "meta"}
	full    = []value.Value{
		value.String("Größe 🎵"), value.Int(2001), value.Int(9007199254740993), value.Float(4.5), value.Bool(true),
		value.Bytes([]byte{0, 255}), value.ID(entity(7)),
		document(map[string]any{"__proto__": map[string]any{"x": int64(1)}, "genre": "rock", "tags": []any{"a", nil, 1.5, -3, false}}),
	}
	empty    = make([]value.Value, len(columns))
	negative = []value.Value{
		value.String(""), value.Int(-1), value.Int(-9223372036854775808), value.Float(-0.25), value.Bool(false),
		value.Bytes(nil), value.ID(entity(0)), document([]any{}),
	}
	long = strings.Repeat("long ", 80)
)

// presence is a state with every type of value that a page writes.
var presence = []proto.Field{
	{Name: "name", Value: value.String("Größe")}, {Name: "typing", Value: value.Bool(true)}, {Name: "x", Value: value.Float(0.5)}, {Name: "n", Value: value.Int(-3)},
	{Name: "none", Value: value.Null}, {Name: "bytes", Value: value.Bytes([]byte{0, 255})}, {Name: "meta", Value: document(map[string]any{"tags": []any{"a", nil}})},
}

// messages are one or more of every kind; js/test/wire.test.ts builds the same ones under
// the same names.
var messages = []struct {
	name    string
	message frame.Message
}{
	{"hello", &frame.Hello{Request: 1, Name: "my-app", URL: "ws://localhost:9797/ws", Storage: frame.StorageMemory, Token: "secret", Models: []*schema.Model{
		{Collection: "album", Properties: []schema.Property{
			{Name: "name", Type: schema.TypeString, Kind: schema.KindText},
			{Name: "artist", Type: schema.TypeRef, Kind: schema.KindLWW, Target: "artist"},
			{Name: "year", Type: schema.TypeInt, Kind: schema.KindLWW, Optional: true},
			{Name: "format", Type: schema.TypeEnum, Kind: schema.KindLWW, Default: value.String("cd"), Enum: []string{"cd", "vinyl"}},
		}, Indexes: []schema.Index{
			{Columns: []schema.IndexColumn{{Path: []string{"artist"}}, {Path: []string{"year"}, Desc: true}}},
			{Columns: []schema.IndexColumn{{Path: []string{"name"}}}, Unique: true},
		}},
	}}},
	{"explain", &frame.Explain{Request: 12, Collection: "album", Text: "year > ?", Params: frame.Params{Positional: []frame.Param{{Value: value.Int(1985)}}}}},
	{"explained", &frame.Explained{Request: 12, Plan: "walk 1 ranges of index year, keep where live = TRUE", Method: "index", Index: "year", Ranges: 1, Sorted: true,
		Residual: "live = TRUE", Entries: 40, Rows: 39, Returned: 7, More: true, Micros: 1234}},
	{"explained-none", &frame.Explained{Request: 12, Plan: "nothing can match", Method: "nothing"}},
	{"hello-least", &frame.Hello{Request: 1, Name: "x"}},
	{"subscribe", &frame.Subscribe{Query: 3, Collection: "album", Text: "year > ? AND artist IN ?", Params: frame.Params{Positional: []frame.Param{
		{Value: value.Int(1985)}, {List: []value.Value{value.String("Muse"), value.Null, value.Float(1.5)}, IsList: true},
	}}}},
	{"subscribe-named", &frame.Subscribe{Query: 300, Collection: "album", Text: "year > :since", Params: frame.Params{Named: []frame.NamedParam{
		{Name: "of", Param: frame.Param{List: []value.Value{}, IsList: true}},
		{Name: "since", Param: frame.Param{Value: value.Int(-5)}},
	}}}},
	{"unsubscribe", &frame.Unsubscribe{Query: 70000}},
	{"fetch", &frame.Fetch{Request: 2, Tx: 4, Collection: "album", Text: ""}},
	{"get", &frame.Get{Request: 5, Collection: "album", Entity: entity(9)}},
	{"create", &frame.Create{Request: 6, Tx: 4, Collection: "album", Columns: columns, Rows: [][]value.Value{full, empty, negative}}},
	{"edit", &frame.Edit{Tx: 4, Collection: "album", Entity: entity(9), Columns: []string{"name"}, Values: []value.Value{value.String(long)}}},
	{"delete", &frame.Mark{Tx: 4, Collection: "album", Entity: entity(9), Deleted: true}},
	{"restore", &frame.Mark{Tx: 4, Collection: "album", Entity: entity(9)}},
	{"commit", &frame.Commit{Request: 7, Tx: 4}},
	{"commit-replacing", &frame.Commit{Request: 7, Tx: 4, Replaces: transaction(3)}},
	{"rollback", &frame.Rollback{Tx: 4}},
	{"cancel", &frame.Cancel{Request: 7}},
	{"dismiss", &frame.Dismiss{Request: 8, Transaction: transaction(3)}},
	{"dismiss-all", &frame.Dismiss{Request: 8}},
	{"token", &frame.Token{Request: 9, Token: "other"}},
	{"token-none", &frame.Token{Request: 9}},
	{"await", &frame.Await{Request: 10}},
	{"received", &frame.Received{Bytes: 5_000_000_000}},
	{"subscribe-window", &frame.Subscribe{Query: 4, Collection: "album", Text: "ORDER BY name", Window: &frame.Window{After: 50}}},
	{"move", &frame.Move{Query: 4, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorCursor, Cursor: "lAHP_-0"}, Before: 20, After: 1000}}},
	{"move-end", &frame.Move{Query: 4, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEnd}, Before: 20}}},
	{"move-entity", &frame.Move{Query: 4, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorEntity, Entity: entity(9)}, Before: 1, After: 2}}},
	{"move-index", &frame.Move{Query: 4, Window: &frame.Window{Anchor: frame.Anchor{Kind: frame.AnchorIndex, Index: 70_000}, After: 2}}},
	{"move-none", &frame.Move{Query: 4}},
	{"select", &frame.Select{Query: 4, Text: "year = ?", Params: frame.Params{Positional: []frame.Param{{Value: value.Int(1985)}}}, Window: &frame.Window{Before: 3}}},
	{"select-plain", &frame.Select{Query: 4, Text: ""}},
	{"locate", &frame.Locate{Request: 11, Collection: "album", Text: "ORDER BY name", Index: 50_000}},
	{"history", &frame.History{Request: 12, Collection: "album", Entity: entity(9), Before: id.EventID(entity(5)), Limit: 50}},
	{"history-all", &frame.History{Request: 12, Collection: "album", Entity: entity(9)}},
	{"as-of", &frame.AsOf{Request: 13, Collection: "album", Entity: entity(9), Events: []id.EventID{id.EventID(entity(3)), id.EventID(entity(4))}}},
	{"as-of-time", &frame.AsOf{Request: 13, Collection: "album", Entity: entity(9), Millis: 1_700_000_000_123}},
	{"retry", &frame.Retry{Request: 14, Transaction: transaction(3)}},
	{"network", &frame.Network{Online: true}},
	{"network-none", &frame.Network{}},

	{"aggregate", &frame.Aggregate{Query: 9, Collection: "album", Text: "year > ?", Params: frame.Params{Positional: []frame.Param{{Value: value.Int(1985)}}},
		GroupBy: []string{"artist", "meta.genre"}, Columns: []frame.AggregateColumn{{}, {Function: 1, Path: "plays"}, {Path: "name", Distinct: true}}}},
	{"aggregate-least", &frame.Aggregate{Query: 10, Collection: "album", Columns: []frame.AggregateColumn{{}}}},
	{"attend", &frame.Attend{Number: 12, Room: "album/1", Key: proto.MemberKey{1, 15: 2}, State: proto.AppendFields(nil, presence)}},
	{"attend-away", &frame.Attend{Number: 12, Room: "album/1", Attendance: proto.Away}},
	{"members", &frame.Members{Number: 12, Status: frame.RoomLive, Self: id.MemberID(entity(9)), Reset: true, Changed: []frame.Member{
		{ID: id.MemberID(entity(1)), User: "matt", Since: 1_700_000_000_123_456, State: proto.AppendFields(nil, presence)},
		{ID: id.MemberID(entity(2))},
	}, Left: []id.MemberID{id.MemberID(entity(3))}}},
	{"members-refused", &frame.Members{Number: 12, Status: frame.RoomRefused, Err: &frame.Error{Code: "denied", Message: "not yours"}}},
	{"done", &frame.Done{Request: 8}},
	{"failed", &frame.Failed{Request: 2, Err: frame.Error{Code: "selection", Message: "expected a property, got \"yaer\"", Place: &frame.Place{Offset: 12, Line: 1, Column: 13, Hint: "did you mean \"year\"?"}}}},
	{"failed-plain", &frame.Failed{Request: 2, Err: frame.Error{Code: "offline", Message: "no connection"}}},
	{"opened", &frame.Opened{Request: 1, Storage: frame.StorageMemory, Warning: &frame.Error{Code: "storage", Message: "IndexedDB is unavailable"}}},
	{"rows", &frame.Rows{Request: 2, More: true, Columns: columns, Rows: []frame.Row{{Entity: entity(1), Values: full}, {Entity: entity(2), Sync: proto.Pending, Values: empty}, {Entity: entity(3), Values: negative}}}},
	{"rows-none", &frame.Rows{Request: 2, Columns: []string{}}},
	{"created", &frame.Created{Request: 6, Entities: []id.EntityID{entity(1), entity(2)}}},
	{"located", &frame.Located{Request: 11, Cursor: "lAHP_-0", Index: 49_999}},
	{"located-none", &frame.Located{Request: 11}},
	{"committed", &frame.Committed{Request: 7, Transaction: transaction(3)}},
	{"delta", &frame.Delta{Query: 3, More: true, Status: frame.QueryLocal, Reset: true, Columns: []string{"name", "year"}, Changes: []frame.Change{
		{Op: frame.OpInitial, From: -1, To: 0, Entity: entity(1), Values: []value.Value{value.String("a"), value.Null}},
		{Op: frame.OpAdded, From: -1, To: 40, Entity: entity(2), Sync: proto.Pending, Values: []value.Value{value.String("b"), value.Int(1)}},
		{Op: frame.OpUpdated, From: 7, To: 7, Entity: entity(4), Sync: proto.Refused},
		{Op: frame.OpUpdated, From: 700, To: 2, Entity: entity(3), Values: []value.Value{value.String("c"), value.Int(2)}},
		{Op: frame.OpRemoved, From: 70_000, To: -1, Entity: entity(4)},
	}}},
	{"delta-window", &frame.Delta{Query: 4, Status: frame.QueryLive, Changes: []frame.Change{}, Window: &frame.WindowState{Anchor: 20, Before: true, First: "lAHP_-0", Last: "lAHP_-1", Position: "lAHP_-2"}}},
	{"delta-window-start", &frame.Delta{Query: 4, Status: frame.QueryLive, Window: &frame.WindowState{After: true}}},
	{"delta-error", &frame.Delta{Query: 3, Status: frame.QueryError, Err: &frame.Error{Code: "denied", Message: "access denied"}}},
	{"groups", &frame.Groups{Query: 9, More: true, Status: frame.QueryLocal, Reset: true, Groups: []frame.Group{
		{ID: "\x30Muse\x00\x01", Values: []value.Value{value.String("Muse"), value.Int(3), value.Float(5.5), value.Null}},
		{ID: "\xf0", Values: []value.Value{value.Null, value.Int(1), value.Int(2), value.ID(entity(7))}},
		{ID: "\x10"},
	}}},
	{"groups-error", &frame.Groups{Query: 9, Status: frame.QueryError, Err: &frame.Error{Code: "limit", Message: "too many groups"}}},
	{"status", &frame.Status{Connection: frame.Offline, Pending: 12, Ready: true, Err: &frame.Error{Code: "offline", Message: "refused"}}},
	{"status-live", &frame.Status{Connection: frame.Live}},
	{"settled", &frame.Settled{Transaction: transaction(3)}},
	{"settled-refused", &frame.Settled{Transaction: transaction(3), Err: &frame.Error{Code: "denied", Message: "not yours"}}},
	{"rejections", &frame.Rejections{List: []frame.Rejection{{Transaction: transaction(3), Code: "denied", Message: "not yours", Millis: 1_700_000_000_123, Changes: []frame.RejectedChange{
		{Collection: "album", Entity: entity(1), Creation: true, Fields: []proto.Field{{Name: "name", Value: value.String("a")}, {Name: "year", Value: value.Int(2001)}}},
		{Collection: "album", Entity: entity(2), Fields: []proto.Field{{Name: proto.Deleted, Value: value.Bool(true)}}},
	}}}}},
	{"revisions", &frame.Revisions{Request: 12, List: []frame.Revision{
		{Event: id.EventID(entity(5)), Millis: 1_700_000_000_123, Author: id.NodeID(entity(9)), User: "matt", Parents: []id.EventID{id.EventID(entity(3)), id.EventID(entity(4))}, Changes: []frame.ValueChange{
			{Property: proto.Deleted, Before: value.Null, After: value.Bool(true)}, {Property: "year", Before: value.Int(2000), After: value.Int(2001)}}},
		{Event: id.EventID(entity(3)), Millis: 1_600_000_000_000, Author: id.NodeID(entity(9)), Parents: nil, Pending: true, Changes: []frame.ValueChange{
			{Property: "name", Before: value.Null, After: value.String("a")}}},
	}, Next: id.EventID(entity(3))}},
	{"revisions-none", &frame.Revisions{Request: 12}},
}

func TestGolden(t *testing.T) {
	var out strings.Builder
	for _, m := range messages {
		out.WriteString(m.name + " " + hex.EncodeToString(encode(frame.Begin(nil), m.message)) + "\n")
	}
	if *rewrite {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("encoded frames differ from %s; if that is meant, run with -rewrite", golden)
	}
	sum := sha256.Sum256(want)
	if got := hex.EncodeToString(sum[:]); got != pinned {
		t.Errorf("the golden frames of version %d have hash %s; another form of any message is another version", frame.Version, got)
	}
}

// encode appends a message of either direction.
func encode(dst []byte, m frame.Message) []byte {
	if answer, ok := m.(frame.Answer); ok {
		return frame.Append(dst, answer)
	}
	return frame.AppendRequest(dst, m)
}

// normal encodes a message, since nil and empty slices are the same on the wire.
func normal(m frame.Message) []byte { return encode(nil, m) }

// directions are the two halves of the protocol.
var directions = []struct {
	name    string
	decode  func([]byte) iter.Seq2[frame.Message, error]
	answers bool
}{
	{"page to node", frame.Decode, false},
	{"node to page", frame.DecodeAnswers, true},
}

// What was written is read again, in one frame, and shares nothing with it.
func TestDecodeReadsWhatAppendWrote(t *testing.T) {
	for _, direction := range directions {
		t.Run(direction.name, func(t *testing.T) {
			var sent, read []frame.Message
			b := frame.Begin(nil)
			for _, m := range messages {
				if _, answer := m.message.(frame.Answer); answer == direction.answers {
					sent = append(sent, m.message)
					b = encode(b, m.message)
				}
			}
			for m, err := range direction.decode(b) {
				if err != nil {
					t.Fatal(err)
				}
				read = append(read, m)
			}
			for i := range b {
				b[i] = 0xee
			}
			if len(read) != len(sent) || len(sent) == 0 {
				t.Fatalf("read %d messages, wrote %d", len(read), len(sent))
			}
			for i := range sent {
				if !bytes.Equal(normal(read[i]), normal(sent[i])) {
					t.Errorf("got %+v, want %+v", read[i], sent[i])
				}
			}
		})
	}
}

func TestMessagesOfTheOtherDirectionAreUnknown(t *testing.T) {
	for _, direction := range directions {
		for _, m := range messages {
			if _, answer := m.message.(frame.Answer); answer == direction.answers {
				continue
			}
			for _, err := range direction.decode(encode(frame.Begin(nil), m.message)) {
				if err == nil {
					t.Errorf("%s: read %s", direction.name, m.name)
				}
			}
		}
	}
}

// One bad message is answered, and the rest of its frame is still read.
func TestBadMessageDoesNotSpoilItsFrame(t *testing.T) {
	good := &frame.Rollback{Tx: 4}
	for name, tc := range map[string]struct {
		bad     []byte
		request uint64
	}{
		"unknown kind":     {msgpack.AppendUint(msgpack.AppendArrayLen(nil, 1), 99), 0},
		"no array":         {msgpack.AppendString(nil, "x"), 0},
		"too few fields":   {msgpack.AppendUint(msgpack.AppendUint(msgpack.AppendArrayLen(nil, 2), 9), 6), 6},
		"wrong type":       {msgpack.AppendString(msgpack.AppendUint(msgpack.AppendUint(msgpack.AppendArrayLen(nil, 3), 9), 6), "x"), 6},
		"id of wrong size": {msgpack.AppendBytes(msgpack.AppendUint(msgpack.AppendUint(msgpack.AppendArrayLen(nil, 3), 12), 8), []byte{1}), 8},
	} {
		t.Run(name, func(t *testing.T) {
			b := encode(append(encode(frame.Begin(nil), good), tc.bad...), good)
			var read, refused int
			for m, err := range frame.Decode(b) {
				var bad *frame.MessageError
				switch {
				case errors.As(err, &bad):
					refused++
					if bad.Request != tc.request {
						t.Errorf("error names request %d, want %d", bad.Request, tc.request)
					}
				case err != nil:
					t.Errorf("error %v is no MessageError", err)
				case m.(*frame.Rollback).Tx == 4:
					read++
				}
			}
			if read != 2 || refused != 1 {
				t.Errorf("read %d messages and refused %d, want 2 and 1", read, refused)
			}
		})
	}
}

func TestFrameThatCannotBeReadIsOneError(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":         {},
		"other version": {frame.Version + 1, 0x91, 17},
		"truncated":     {frame.Version, 0x95},
		"too long":      make([]byte, frame.MaxFrame+1),
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for m, err := range frame.Decode(b) {
				if n++; err == nil {
					t.Errorf("read %+v", m)
				}
			}
			if n != 1 {
				t.Errorf("%d errors, want 1", n)
			}
		})
	}
}

func TestParamsAreReadInCanonicalFormOnly(t *testing.T) {
	for name, names := range map[string][]string{"twice": {"a", "a"}, "out of order": {"b", "a"}} {
		t.Run(name, func(t *testing.T) {
			m := &frame.Subscribe{Query: 1, Collection: "album", Text: "x"}
			for _, n := range names {
				m.Params.Named = append(m.Params.Named, frame.NamedParam{Name: n})
			}
			for _, err := range frame.Decode(encode(frame.Begin(nil), m)) {
				if err == nil {
					t.Error("read without an error")
				}
			}
		})
	}
}

// FuzzDecode: nothing that arrives makes the decoder panic, and what it accepts survives
// being written and read again.
func FuzzDecode(f *testing.F) {
	for _, m := range messages {
		f.Add(encode(frame.Begin(nil), m.message))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, direction := range directions {
			for m, err := range direction.decode(b) {
				if err != nil {
					continue
				}
				once := normal(m)
				for again, err := range direction.decode(append(frame.Begin(nil), once...)) {
					if err != nil {
						t.Fatalf("%T does not survive: %v", m, err)
					}
					if !bytes.Equal(normal(again), once) {
						t.Fatalf("%T changes when it is read again", m)
					}
				}
			}
		}
	})
}

func BenchmarkDecodeCreate(b *testing.B) {
	m := &frame.Create{Request: 1, Tx: 1, Collection: "album", Columns: columns}
	for range 1000 {
		m.Rows = append(m.Rows, full)
	}
	buf := encode(frame.Begin(nil), m)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range frame.Decode(buf) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

package proto

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
)

// forge puts a body under the id that its hash gives it, as somebody would who can mint
// what no Mint does.
func forge(stamp id.Stamp, body []byte) []byte {
	sum := sha256.Sum256(body)
	b := msgpack.AppendArrayLen(nil, 2)
	b = AppendID(b, id.Make(stamp, [8]byte(sum[:8])))
	return append(b, body...)
}

// forged is forge for the body of an event whatever it says.
func forged(e *Event, stamp id.Stamp) []byte { return forge(stamp, e.appendBody(nil, stamp)) }

func TestMintedEventsAreReadAgain(t *testing.T) {
	for _, e := range []*Event{sampleCreation(t), sampleEdit(t), mustMint(t, &Event{Collection: "album"}, 1)} {
		b := AppendEvent(nil, e)
		got, err := DecodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(AppendEvent(nil, got), b) || got.ID != e.ID || got.Digest() != e.Digest() {
			t.Errorf("%+v is read as %+v", e, got)
		}
		if digest := e.Digest(); !bytes.Equal(e.ID.Bytes()[8:], digest[:8]) {
			t.Errorf("the id %v is not of the digest %x", e.ID, digest)
		}
		if len(b) > e.EncodedSize() {
			t.Errorf("%d bytes, more than the bound of %d", len(b), e.EncodedSize())
		}
	}
}

// Scenarios 6 and 11: equal creations are two entities by their nonces, and nothing but
// what an event says makes its id.
func TestIDsAreOfContent(t *testing.T) {
	if again := sampleEdit(t); again.ID != sampleEdit(t).ID {
		t.Error("the same event has two ids")
	}
	ids := map[id.EventID]string{sampleEdit(t).ID: "as it was"}
	for name, change := range map[string]func(*Event){
		"collection":     func(e *Event) { e.Collection = "artist" },
		"entity":         func(e *Event) { e.Entity = entityID(99) },
		"parents":        func(e *Event) { e.Parents = e.Parents[:1] },
		"author":         func(e *Event) { e.Author = id.NodeID{ULID: ulid(99)} },
		"user":           func(e *Event) { e.User = "chris" },
		"operation":      func(e *Event) { e.Operations = e.Operations[1:] },
		"operation name": func(e *Event) { e.Operations[1].Property = "artisu" },
		"operation kind": func(e *Event) { e.Operations[0].Kind = 2 },
		"operation data": func(e *Event) { e.Operations[0].Data = []byte{0xc2} },
		"creation":       func(e *Event) { e.Parents, e.Entity = nil, id.EntityID{} },
		"nonce":          func(e *Event) { e.Parents, e.Nonce[3] = nil, 1 },
	} {
		e := sampleEdit(t)
		stamp := e.ID.Stamp()
		change(e)
		mustMint(t, e, stamp)
		if other, taken := ids[e.ID]; taken {
			t.Errorf("another %s and %q give one id", name, other)
		}
		ids[e.ID] = name
	}
}

func TestCreationsNameTheirEntity(t *testing.T) {
	e := sampleCreation(t)
	if !e.IsCreation() || e.Entity != id.EntityID(e.ID) {
		t.Errorf("%v creates %v", e.ID, e.Entity)
	}
	if edit := sampleEdit(t); edit.IsCreation() || edit.Entity != e.Entity {
		t.Errorf("%v edits %v", edit.ID, edit.Entity)
	}
}

// Whatever one changes in an encoded event, it is refused; it never becomes another
// valid event.
func TestTamperingIsDetected(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, e := range []*Event{sampleCreation(t), sampleEdit(t)} {
		whole := AppendEvent(nil, e)
		refused := func(what string, b []byte) {
			t.Helper()
			if got, err := DecodeEvent(b); err == nil {
				t.Errorf("%s: read as %+v", what, got)
			}
		}
		for i := range whole {
			for flip := 1; flip < 256; flip++ {
				b := bytes.Clone(whole)
				b[i] ^= byte(flip)
				refused(fmt.Sprintf("byte %d changed by %#x", i, flip), b)
			}
			refused(fmt.Sprintf("byte %d left out", i), slices.Delete(bytes.Clone(whole), i, i+1))
			refused(fmt.Sprintf("byte %d doubled", i), slices.Insert(bytes.Clone(whole), i, whole[i]))
			refused(fmt.Sprintf("a zero before byte %d", i), slices.Insert(bytes.Clone(whole), i, 0))
		}
		for range 2000 {
			b := bytes.Clone(whole)
			for range 2 + rng.IntN(6) {
				b[rng.IntN(len(b))] = byte(rng.Uint32())
			}
			if !bytes.Equal(b, whole) {
				refused("several bytes changed", b)
			}
		}
	}
}

func TestTheErrorTellsTampering(t *testing.T) {
	e := sampleEdit(t)
	b := AppendEvent(nil, e)
	b[len(b)-1] ^= 1 // within the last operation's value
	if _, err := DecodeEvent(b); !errors.Is(err, ErrTampered) {
		t.Errorf("content of another id: %v", err)
	}
	if _, err := DecodeEvent(AppendEvent(nil, &Event{ID: e.ID, Collection: e.Collection, Entity: e.Entity, Parents: e.Parents, Operations: e.Operations})); !errors.Is(err, ErrTampered) {
		t.Errorf("another event under the same id: %v", err)
	}
}

// respellings returns the item at the start of b and the items in it written otherwise,
// each time in one place.
func respellings(b []byte) (out [][]byte) {
	r := msgpack.NewReader(b)
	var walk func()
	walk = func() {
		start := len(b) - r.Remaining()
		switch c := b[start]; {
		case c < 0x80: // an integer of one byte
			out = append(out, splice(b, start, 1, 0xcc, c), splice(b, start, 1, 0xcd, 0, c), splice(b, start, 1, 0xd0, c), splice(b, start, 1, 0xca, 0, 0, 0, 0))
		case c == 0xcf:
			out = append(out, splice(b, start, 1, 0xd3))
		case c >= 0xa0 && c < 0xc0: // a text of less than 32 bytes
			out = append(out, splice(b, start, 1, 0xd9, c&0x1f), splice(b, start, 1, 0xda, 0, c&0x1f))
		case c == 0xc4:
			out = append(out, splice(b, start, 2, 0xc5, 0, b[start+1]), splice(b, start, 2, 0xc6, 0, 0, 0, b[start+1]), splice(b, start, 2, 0xd9, b[start+1]))
		case c >= 0x90 && c < 0xa0: // an array of less than 16 items
			out = append(out, splice(b, start, 1, 0xdc, 0, c&0xf), splice(b, start, 1, 0xdd, 0, 0, 0, c&0xf))
		}
		if r.Next() != msgpack.TypeArray {
			r.Skip()
			return
		}
		for n := r.ArrayLen(1 << 20); n > 0; n-- {
			walk()
		}
	}
	walk()
	return out
}

func splice(b []byte, at, n int, with ...byte) []byte {
	return slices.Concat(b[:at], with, b[at+n:])
}

// A second spelling of an event would be a second id of the same content: it is refused,
// although its hash is right.
func TestOtherSpellingsAreRefused(t *testing.T) {
	for _, e := range []*Event{sampleCreation(t), sampleEdit(t)} {
		body := e.appendBody(nil, e.ID.Stamp())
		if _, err := DecodeEvent(forge(e.ID.Stamp(), body)); err != nil {
			t.Fatalf("spelt as it should be: %v", err)
		}
		variants := respellings(body)
		if len(variants) < 30 {
			t.Fatalf("only %d spellings", len(variants))
		}
		for _, b := range variants {
			if got, err := DecodeEvent(forge(e.ID.Stamp(), b)); err == nil {
				t.Errorf("%x is read as %+v", b, got)
			}
		}
	}
	e := sampleCreation(t)
	b := forge(e.ID.Stamp(), splice(e.appendBody(nil, e.ID.Stamp()), 0, 1, 0xdc, 0, 8))
	if _, err := DecodeEvent(b); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("a longer array: %v", err)
	}
}

// eventFaults are changes that make an event wrong, with what minting says of them and
// what reading does where somebody minted it all the same.
var eventFaults = []struct {
	name   string
	change func(*Event)
	stamp  id.Stamp // 0 for that of the edit
	mint   error
	read   error
}{
	{"as old as its parent", func(*Event) {}, 1_700_000_000_000<<16 + 1, ErrMonotone, ErrMonotone},
	{"older than its parents", func(*Event) {}, 1, ErrMonotone, ErrMonotone},
	{"no collection", func(e *Event) { e.Collection = "" }, 0, ErrStructure, ErrStructure},
	{"a long collection", func(e *Event) { e.Collection = strings.Repeat("a", MaxNameBytes+1) }, 0, ErrStructure, msgpack.ErrTooLong},
	{"a collection that is not UTF-8", func(e *Event) { e.Collection = "\xff" }, 0, ErrStructure, msgpack.ErrType},
	{"a long user", func(e *Event) { e.User = strings.Repeat("a", MaxUserBytes+1) }, 0, ErrStructure, ErrStructure},
	{"a user that is not UTF-8", func(e *Event) { e.User = "\xff" }, 0, ErrStructure, msgpack.ErrType},
	{"an edit without operations", func(e *Event) { e.Operations = nil }, 0, ErrStructure, ErrStructure},
	{"operations out of order", func(e *Event) { slices.Reverse(e.Operations) }, 0, ErrStructure, ErrStructure},
	{"a property twice", func(e *Event) { e.Operations[1].Property = e.Operations[0].Property }, 0, ErrStructure, ErrStructure},
	{"a property without name", func(e *Event) { e.Operations[0].Property = "" }, 0, ErrStructure, ErrStructure},
	{"a property that is not UTF-8", func(e *Event) { e.Operations[2].Property = "\xff" }, 0, ErrStructure, msgpack.ErrType},
	{"a long property", func(e *Event) { e.Operations[2].Property = strings.Repeat("z", MaxNameBytes+1) }, 0, ErrStructure, msgpack.ErrTooLong},
	{"too many operations", func(e *Event) {
		e.Operations = nil
		for i := range MaxOperations + 1 {
			e.Operations = append(e.Operations, set(fmt.Sprintf("p%05d", i), value.Null))
		}
	}, 0, ErrStructure, msgpack.ErrTooLong},
	{"too many bytes", func(e *Event) { e.Operations[0].Data = make([]byte, MaxEventBytes) }, 0, msgpack.ErrTooLong, msgpack.ErrTooLong},
	{"parents out of order", func(e *Event) { e.Parents = Clock{e.Parents[1], e.Parents[0]} }, 0, ErrStructure, ErrNotCanonical},
	{"a parent twice", func(e *Event) { e.Parents = Clock{e.Parents[0], e.Parents[0]} }, 0, ErrStructure, ErrNotCanonical},
	{"too many parents", func(e *Event) {
		var ids []id.EventID
		for i := range MaxClock + 1 {
			ids = append(ids, id.EventID{ULID: id.Make(id.Stamp(i), [8]byte{})})
		}
		e.Parents = ids
	}, 0, ErrStructure, msgpack.ErrTooLong},
}

func TestFaultyEventsAreNotMinted(t *testing.T) {
	for _, tc := range eventFaults {
		e := sampleEdit(t)
		tc.change(e)
		if err := e.Mint(stampOr(tc.stamp, e)); !errors.Is(err, tc.mint) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.mint)
		}
	}
}

func TestFaultyEventsAreRefused(t *testing.T) {
	for _, tc := range eventFaults {
		e := sampleEdit(t)
		stamp := stampOr(tc.stamp, e)
		tc.change(e)
		if got, err := DecodeEvent(forged(e, stamp)); !errors.Is(err, tc.read) || got != nil {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.read)
		}
	}
}

func stampOr(stamp id.Stamp, e *Event) id.Stamp {
	if stamp == 0 {
		return e.ID.Stamp()
	}
	return stamp
}

// What no Event value can say, but bytes can.
func TestMalformedBodiesAreRefused(t *testing.T) {
	const stamp = 1 << 60
	creation := sampleCreation(t)
	parents := NewClock(creation.ID)
	body := func(items ...func([]byte) []byte) []byte {
		b := msgpack.AppendArrayLen(nil, len(items))
		for _, item := range items {
			b = item(b)
		}
		return b
	}
	bytesOf := func(n int) func([]byte) []byte {
		return func(b []byte) []byte { return msgpack.AppendBytes(b, make([]byte, n)) }
	}
	number := func(n uint64) func([]byte) []byte { return func(b []byte) []byte { return msgpack.AppendUint(b, n) } }
	text := func(s string) func([]byte) []byte { return func(b []byte) []byte { return msgpack.AppendString(b, s) } }
	clock := func(c Clock) func([]byte) []byte { return func(b []byte) []byte { return AppendClock(b, c) } }
	operations := func(kind uint64) func([]byte) []byte {
		return func(b []byte) []byte {
			b = msgpack.AppendArrayLen(msgpack.AppendArrayLen(b, 1), 3)
			return msgpack.AppendBytes(msgpack.AppendUint(msgpack.AppendString(b, "name"), kind), []byte{0xc0})
		}
	}
	entity := func(b []byte) []byte { return AppendID(b, creation.ID.ULID) }
	null := msgpack.AppendNil
	s, author, album, nobody := number(stamp), bytesOf(16), text("album"), text("")
	if _, err := DecodeEvent(forge(stamp, body(s, album, entity, clock(parents), author, nobody, null, operations(1)))); err != nil {
		t.Fatalf("a well-formed edit: %v", err)
	}
	if _, err := DecodeEvent(forge(stamp, body(s, album, null, clock(nil), author, nobody, bytesOf(16), operations(1)))); err != nil {
		t.Fatalf("a well-formed creation: %v", err)
	}
	for name, b := range map[string][]byte{
		"an edit with a nonce":         body(s, album, entity, clock(parents), author, nobody, bytesOf(16), operations(1)),
		"a creation without a nonce":   body(s, album, null, clock(nil), author, nobody, null, operations(1)),
		"a nonce of 15 bytes":          body(s, album, null, clock(nil), author, nobody, bytesOf(15), operations(1)),
		"an entity without parents":    body(s, album, entity, clock(nil), author, nobody, null, operations(1)),
		"parents without an entity":    body(s, album, null, clock(parents), author, nobody, bytesOf(16), operations(1)),
		"an author of 15 bytes":        body(s, album, entity, clock(parents), bytesOf(15), nobody, null, operations(1)),
		"a property kind of 256":       body(s, album, entity, clock(parents), author, nobody, null, operations(256)),
		"an item too few":              body(s, album, entity, clock(parents), author, nobody, null),
		"an item too many":             body(s, album, entity, clock(parents), author, nobody, null, operations(1), null),
		"another stamp than in its id": body(number(stamp+1), album, entity, clock(parents), author, nobody, null, operations(1)),
		"a negative stamp":             body(func(b []byte) []byte { return msgpack.AppendInt(b, -1) }, album, entity, clock(parents), author, nobody, null, operations(1)),
		"a text for the stamp":         body(text("1"), album, entity, clock(parents), author, nobody, null, operations(1)),
		"operations that are a number": body(s, album, entity, clock(parents), author, nobody, null, number(1)),
		"nothing":                      nil,
		"nil":                          null(nil),
	} {
		if got, err := DecodeEvent(forge(stamp, b)); err == nil || got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What was decoded shares nothing with the bytes it came from.
func TestDecodedEventsOwnTheirContent(t *testing.T) {
	e := sampleEdit(t)
	b := AppendEvent(nil, e)
	got, err := DecodeEvent(b)
	if err != nil {
		t.Fatal(err)
	}
	want := AppendEvent(nil, got)
	for i := range b {
		b[i] = 0xff
	}
	if !bytes.Equal(AppendEvent(nil, got), want) {
		t.Errorf("the event became %+v", got)
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	event := AppendEvent(nil, sampleEdit(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEvent(event); err != nil {
			b.Fatal(err)
		}
	}
}

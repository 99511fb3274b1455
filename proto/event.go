package proto

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/internal/sha256"
)

// What can be wrong with an event, whoever made it.
var (
	ErrNotCanonical = errors.New("proto: not in canonical form")
	ErrTampered     = errors.New("proto: event id does not match its content")
	ErrStructure    = errors.New("proto: malformed event")
	ErrMonotone     = errors.New("proto: event id is not greater than its parents'")
)

// NonceSize is the length of the random part of a creation, which makes two equal
// creations two entities.
const NonceSize = 16

// Deleted is the property under which an event marks its entity as deleted (true) or
// restored (false). It is a last-writer-wins register like any other; its name is
// none that a model can have.
const Deleted = "$deleted"

// Event is one atomic, immutable change to one entity. Once minted or decoded it is
// not changed, and may be shared between goroutines.
type Event struct {
	ID         id.EventID
	Collection string
	Entity     id.EntityID // equal to ID for a creation
	Parents    Clock       // empty for a creation
	Author     id.NodeID   // the node that minted it
	User       string      // the principal on whose behalf; "" when anonymous
	Nonce      [NonceSize]byte
	Operations []Operation // ascending by property, one each

	digest [sha256.Size]byte
	body   []byte // canonical; of an event that was minted or decoded
}

// Operation is one property's part of an event. What Data means is the kind's affair;
// for "lww" it is the new value (package property/lww).
type Operation struct {
	Property string
	Kind     byte
	Data     []byte
}

// IsCreation reports whether the event creates its entity.
func (e *Event) IsCreation() bool { return len(e.Parents) == 0 }

// Digest returns the SHA-256 of the canonical body, of which the id holds the first
// half.
func (e *Event) Digest() [sha256.Size]byte { return e.digest }

// Mint fills in the event's digest and id for the given stamp; for a creation also the
// entity. It fails on an event that Verify would refuse. It copies the operations' data.
func (e *Event) Mint(stamp id.Stamp) error {
	e.body = e.appendHeader(make([]byte, 0, e.sizeEstimate()), stamp)
	for i := range e.Operations {
		op := &e.Operations[i]
		e.body = op.append(e.body)
		op.Data = e.body[len(e.body)-len(op.Data) : len(e.body) : len(e.body)]
	}
	if err := checkBodySize(e.body); err != nil {
		return err
	}
	e.digest = sha256.Sum256(e.body)
	e.ID = id.EventID{ULID: id.Make(stamp, [8]byte(e.digest[:8]))}
	if e.IsCreation() {
		e.Entity = id.EntityID(e.ID)
	}
	return e.check()
}

func checkBodySize(body []byte) error {
	if len(body) > MaxEventBytes {
		return fmt.Errorf("%w: event of %d bytes, more than %d", msgpack.ErrTooLong, len(body), MaxEventBytes)
	}
	return nil
}

// check holds an event against the rules that need nothing but the event.
func (e *Event) check() error {
	switch {
	case !validName(e.Collection):
		return fmt.Errorf("%w: collection name of %d bytes", ErrStructure, len(e.Collection))
	case len(e.Parents) > MaxClock || !e.Parents.ascends():
		return fmt.Errorf("%w: %d parents, which must be a clock of at most %d", ErrStructure, len(e.Parents), MaxClock)
	case len(e.User) > MaxUserBytes || !utf8.ValidString(e.User):
		return fmt.Errorf("%w: user name of %d bytes", ErrStructure, len(e.User))
	case len(e.Operations) > MaxOperations:
		return fmt.Errorf("%w: %d operations, more than %d", ErrStructure, len(e.Operations), MaxOperations)
	case e.IsCreation() != (e.Entity == id.EntityID(e.ID)):
		return fmt.Errorf("%w: a creation, and only a creation, names its entity", ErrStructure)
	case !e.IsCreation() && len(e.Operations) == 0:
		return fmt.Errorf("%w: an edit without operations", ErrStructure)
	case e.ID.Stamp() <= e.Parents.Stamp():
		return ErrMonotone
	}
	for i := range e.Operations {
		name := e.Operations[i].Property
		if !validName(name) {
			return fmt.Errorf("%w: property name of %d bytes", ErrStructure, len(name))
		}
		if i > 0 && strings.Compare(e.Operations[i-1].Property, name) >= 0 {
			return fmt.Errorf("%w: operations out of order at %q", ErrStructure, name)
		}
	}
	return nil
}

func validName(name string) bool {
	return name != "" && len(name) <= MaxNameBytes && utf8.ValidString(name)
}

// appendBody appends the canonical body, which is what the id's hash covers:
//
//	[stamp, collection, entity or nil, [parents…], author, user, nonce or nil,
//	 [[property, kind, data]…]]
//
// Entity is nil and nonce present exactly for a creation.
func (e *Event) appendBody(dst []byte, stamp id.Stamp) []byte {
	dst = e.appendHeader(dst, stamp)
	for i := range e.Operations {
		dst = e.Operations[i].append(dst)
	}
	return dst
}

// appendHeader appends the body up to the operations.
func (e *Event) appendHeader(dst []byte, stamp id.Stamp) []byte {
	dst = msgpack.AppendArrayLen(dst, 8)
	dst = msgpack.AppendUint(dst, uint64(stamp))
	dst = msgpack.AppendString(dst, e.Collection)
	if e.IsCreation() {
		dst = msgpack.AppendNil(dst)
	} else {
		dst = AppendID(dst, e.Entity.ULID)
	}
	dst = AppendClock(dst, e.Parents)
	dst = AppendID(dst, e.Author.ULID)
	dst = msgpack.AppendString(dst, e.User)
	if e.IsCreation() {
		dst = msgpack.AppendBytes(dst, e.Nonce[:])
	} else {
		dst = msgpack.AppendNil(dst)
	}
	return msgpack.AppendArrayLen(dst, len(e.Operations))
}

func (op *Operation) append(dst []byte) []byte {
	dst = msgpack.AppendArrayLen(dst, 3)
	dst = msgpack.AppendString(dst, op.Property)
	dst = msgpack.AppendUint(dst, uint64(op.Kind))
	return msgpack.AppendBytes(dst, op.Data)
}

// AppendEvent appends e as [id, body]. That of an event which was minted or decoded is
// not made anew.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = msgpack.AppendArrayLen(dst, 2)
	dst = AppendID(dst, e.ID.ULID)
	if e.body == nil {
		return e.appendBody(dst, e.ID.Stamp())
	}
	return append(dst, e.body...)
}

// EncodedSize returns how many bytes AppendEvent appends, for limits and buffers; of an
// event that was neither minted nor decoded it is an upper bound.
func (e *Event) EncodedSize() int {
	const head = 1 + 2 + id.Size
	if e.body == nil {
		return head + e.sizeEstimate()
	}
	return head + len(e.body)
}

// sizeEstimate is an upper bound for the length of the body.
func (e *Event) sizeEstimate() int {
	n := 80 + len(e.Collection) + len(e.User) + 18*len(e.Parents)
	for i := range e.Operations {
		n += 12 + len(e.Operations[i].Property) + len(e.Operations[i].Data)
	}
	return n
}

// ReadEvent reads what AppendEvent wrote and verifies it: canonical form, structure,
// the monotone rule against the parents' ids, and the id against the content. Errors
// stay in r.
func ReadEvent(r *msgpack.Reader) *Event {
	r.Array(2)
	e := &Event{ID: id.EventID{ULID: ReadID(r)}}
	body := r.Known() // reading it is what checks it
	if r.Err() != nil {
		return nil
	}
	err := checkBodySize(body)
	if err == nil {
		e.body = append([]byte(nil), body...)
		err = e.readBody()
	}
	if err != nil {
		r.Fail(err)
		return nil
	}
	return e
}

// DecodeEvent is ReadEvent for a slice that holds exactly one event.
func DecodeEvent(b []byte) (*Event, error) {
	r := msgpack.NewReader(b)
	e := ReadEvent(&r)
	if err := r.Done(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Event) readBody() error {
	r := msgpack.NewReader(e.body)
	r.Array(8)
	stamp := id.Stamp(r.Uint())
	e.Collection = readName(&r)
	creation := r.TryNil()
	if !creation {
		e.Entity = id.EntityID{ULID: ReadID(&r)}
	}
	e.Parents = ReadClock(&r)
	e.Author = id.NodeID{ULID: ReadID(&r)}
	e.User = names.of(r.StringBytes())
	if !r.TryNil() {
		nonce := r.Bytes()
		if len(nonce) != NonceSize {
			r.Fail(ErrStructure)
		}
		copy(e.Nonce[:], nonce)
	}
	e.Operations = readOperations(&r)
	if err := r.Done(); err != nil {
		return err
	}
	if creation {
		e.Entity = id.EntityID(e.ID)
	}
	if creation != e.IsCreation() {
		return fmt.Errorf("%w: an entity without parents, or parents without an entity", ErrStructure)
	}
	return e.verify(stamp)
}

// verify compares the id with the content as it would be encoded again, so that a
// second spelling of the same content is refused as well.
func (e *Event) verify(stamp id.Stamp) error {
	var room [512]byte
	if string(e.appendBody(room[:0], stamp)) != string(e.body) {
		return ErrNotCanonical
	}
	e.digest = sha256.Sum256(e.body)
	if e.ID.ULID != id.Make(stamp, [8]byte(e.digest[:8])) {
		return ErrTampered
	}
	return e.check()
}

// readOperations reads operations whose data is part of the reader's input.
func readOperations(r *msgpack.Reader) []Operation {
	n := r.ArrayLen(MaxOperations)
	if n == 0 {
		return nil
	}
	ops := make([]Operation, 0, n)
	for ; n > 0 && r.Err() == nil; n-- {
		r.Array(3)
		op := Operation{Property: readName(r)}
		op.Kind = readKind(r)
		op.Data = r.Bytes()
		ops = append(ops, op)
	}
	return ops
}

func readKind(r *msgpack.Reader) byte {
	kind := r.Uint()
	if kind > math.MaxUint8 {
		r.Fail(fmt.Errorf("%w: property kind %d", ErrStructure, kind))
	}
	return byte(kind)
}

func readName(r *msgpack.Reader) string { return readShort(r, MaxNameBytes) }

// readShort reads a text of which the same few come again and again.
func readShort(r *msgpack.Reader, max int) string {
	b := r.StringBytes()
	if len(b) > max {
		r.Fail(msgpack.ErrTooLong)
		return ""
	}
	return names.of(b)
}

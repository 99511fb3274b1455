package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/connectors"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/presence"
	"github.com/ankurah-go/ankurah/core/property"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/internal/msgpack"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Kind classifies errors by what a caller may do about them. The numbers travel on the
// wire and the names reach TypeScript as codes: the list is append-only.
type Kind uint8

// The kinds.
const (
	KindNone             Kind = iota // no error
	KindInvalid                      // the call or the data is wrong in itself
	KindDenied                       // the policy agent refused
	KindNotFound                     // no such entity
	KindNotReady                     // the node belongs to no system yet
	KindOffline                      // it takes a durable node, and none is connected
	KindDeadline                     // the call's context ended first
	KindClosed                       // the node, query, transaction or connection is closed
	KindConflict                     // the stored data is not what the change expects
	KindSchema                       // the model does not allow it
	KindSelection                    // the selection does not parse or does not fit the model
	KindTooLarge                     // a value, event, transaction or frame is too large
	KindLimit                        // too many of something
	KindClockDrift                   // an event from too far in the future
	KindMissingParents               // an event on top of events that are not known
	KindDependsOnRefused             // it was made on top of something refused
	KindVersion                      // the peers speak different protocol versions
	KindSystemMismatch               // the peers belong to different systems
	KindStorage                      // storage failed
	KindQuota                        // storage is full
	KindInternal                     // a defect of this program
	KindBehind                       // the durable node lacks what others have; it will come
	KindExpired                      // the credentials are not valid any more
)

var kindNames = [...]string{"none", "invalid", "denied", "not-found", "not-ready", "offline", "deadline",
	"closed", "conflict", "schema", "selection", "too-large", "limit", "clock-drift", "missing-parents",
	"depends-on-refused", "version", "system-mismatch", "storage", "quota", "internal", "behind", "expired"}

// String returns the kind's name, the code by which TypeScript knows it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[KindInternal]
}

// kindFromWire reads a kind that a peer sent, which may be newer than this program.
func kindFromWire(n uint64) Kind {
	if n < uint64(len(kindNames)) {
		return Kind(n)
	}
	return KindInternal
}

// Sentinels that callers branch on.
var (
	ErrNotFound     = errors.New("no such entity")
	ErrNotReady     = errors.New("the node belongs to no system yet")
	ErrSystemExists = errors.New("the system exists already")
	ErrOffline      = errors.New("no durable node is connected")
	ErrClosed       = errors.New("closed")
	ErrTxDone       = errors.New("the transaction has been committed or rolled back already")
	ErrDurableOnly  = errors.New("only a durable node can do this")
	ErrClockDrift   = errors.New("the event is from the future")
	ErrParents      = errors.New("the event is on top of events that are not known")
	ErrExpired      = errors.New("the credentials have expired")
	ErrDependent    = errors.New("it depends on a transaction that was refused")
	ErrLimit        = errors.New("limit exceeded")
	ErrTooLarge     = errors.New("too large")
	ErrSystem       = errors.New("the peer belongs to another system")
	ErrReserved     = errors.New("the collection is protected")

	// errBehind: other durable nodes may have what a transaction is on top of.
	errBehind = errors.New("this durable node does not have yet what the transaction is on top of")
	// errHeld: the transaction is offered again when one before it has been decided.
	errHeld = errors.New("a transaction before it is to come first")
	// errForeignParent: an event is on top of one of another entity.
	errForeignParent = errors.New("the event is on top of one of another entity")
)

// Error is what calls of this package return.
type Error struct {
	Op     string      // what was being done: "commit", "query", …
	Kind   Kind        // what kind of problem it is
	Entity id.EntityID // the entity concerned; zero if none
	Err    error       // the cause
}

// Error implements error.
func (e *Error) Error() string {
	text := "ankurah: "
	if e.Op != "" {
		text += e.Op + ": "
	}
	if !e.Entity.IsZero() {
		text += e.Entity.String() + ": "
	}
	return text + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes *err an *Error of the given operation, once.
func wrap(err *error, op string) {
	if *err == nil {
		return
	}
	var known *Error
	if errors.As(*err, &known) {
		if known.Op == "" {
			*err = &Error{Op: op, Kind: known.Kind, Entity: known.Entity, Err: known.Err}
		}
		return
	}
	*err = &Error{Op: op, Kind: KindOf(*err), Err: *err}
}

// about attaches an entity to an error.
func about(e id.EntityID, err error) error {
	return &Error{Kind: KindOf(err), Entity: e, Err: err}
}

// remoteError is a peer's refusal, in its words.
func remoteError(kind uint64, message string) error {
	return &Error{Kind: kindFromWire(kind), Err: errors.New(message)}
}

var kindsOf = []struct {
	target error
	kind   Kind
}{
	{ErrNotFound, KindNotFound}, {ErrNotReady, KindNotReady}, {ErrSystemExists, KindConflict},
	{ErrOffline, KindOffline}, {ErrClosed, KindClosed}, {ErrTxDone, KindClosed},
	{ErrDurableOnly, KindInvalid}, {ErrReserved, KindDenied}, {ErrClockDrift, KindClockDrift},
	{errBehind, KindBehind}, {ErrExpired, KindExpired}, {ErrParents, KindMissingParents}, {errForeignParent, KindMissingParents}, {ErrDependent, KindDependsOnRefused}, {ErrLimit, KindLimit},
	{presence.ErrFull, KindLimit},
	{ErrTooLarge, KindTooLarge}, {ErrSystem, KindSystemMismatch},
	{policy.ErrDenied, KindDenied}, {schema.ErrValue, KindSchema}, {schema.ErrInvalid, KindSchema},
	{schema.ErrConflict, KindSchema}, {entity.ErrNoEntity, KindNotFound}, {entity.ErrExists, KindConflict},
	{entity.ErrKind, KindSchema}, {entity.ErrWide, KindLimit},
	{storage.ErrConflict, KindConflict}, {storage.ErrFull, KindQuota}, {storage.ErrClosed, KindClosed},
	{storage.ErrUnavailable, KindStorage}, {storage.ErrCorrupt, KindStorage},
	{context.DeadlineExceeded, KindDeadline}, {context.Canceled, KindDeadline},
	{connectors.ErrClosed, KindClosed}, {connectors.ErrFrameTooLarge, KindTooLarge},
	{proto.ErrVersion, KindVersion}, {msgpack.ErrTooLong, KindTooLarge},
	{proto.ErrStructure, KindInvalid}, {proto.ErrMonotone, KindInvalid}, {proto.ErrTampered, KindInvalid},
	{proto.ErrNotCanonical, KindInvalid}, {proto.ErrFrameType, KindInvalid}, {id.ErrFormat, KindInvalid},
	{property.ErrOperation, KindInvalid}, {value.ErrJSON, KindInvalid}, {msgpack.ErrTooDeep, KindTooLarge},
	{ankql.ErrCursor, KindSelection},
	{msgpack.ErrTruncated, KindInvalid}, {msgpack.ErrType, KindInvalid}, {msgpack.ErrTrailing, KindInvalid},
}

// KindOf returns the kind of an error that a call of this package returned, or of its
// causes; KindNone for nil, KindInternal for what nobody expected.
func KindOf(err error) Kind {
	if err == nil {
		return KindNone
	}
	var known *Error
	if errors.As(err, &known) {
		return known.Kind
	}
	var selection *ankql.Error
	if errors.As(err, &selection) {
		return KindSelection
	}
	for _, k := range kindsOf {
		if errors.Is(err, k.target) {
			return k.kind
		}
	}
	return KindInternal
}

// recovered turns a panic's value into an error.
func recovered(what string, cause any) error {
	return fmt.Errorf("%s panicked: %v", what, cause)
}

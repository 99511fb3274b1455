// Package property is the contract of the merge kinds: how concurrent changes to one
// property combine. The kinds are in the folders below, one each; package entity knows
// them all.
//
// Every kind obeys the same laws, which package propertytest holds it to:
//
//	P1  applying operations commutes: any order that respects nothing but the set of
//	    operations gives the same state
//	P2  applying an operation twice is applying it once
//	P3  merging states is commutative, associative and idempotent, and merging two
//	    states equals applying the operations of both
package property

import (
	"errors"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// ErrOperation is wrapped by the errors for operations and states that a kind cannot
// read.
var ErrOperation = errors.New("property: malformed operation")

// Kind is one merge rule. Its methods do not change their arguments, and are safe for
// concurrent use.
type Kind interface {
	// Code identifies the kind in operations and states, for ever.
	Code() byte

	// Apply returns the property after an operation of event e on before, which is
	// zero (but for its name) if the property was never touched.
	Apply(before proto.PropertyState, op proto.Operation, e id.EventID) (proto.PropertyState, error)

	// Initial is Apply on a property that was never touched, for an operation that Set
	// made of v: whoever made it need not read it back.
	Initial(op proto.Operation, v value.Value, e id.EventID) proto.PropertyState

	// Merge combines two states of one property.
	Merge(a, b proto.PropertyState) (proto.PropertyState, error)

	// Set returns the operation that makes the property read v from now on.
	Set(name string, before proto.PropertyState, v value.Value) proto.Operation

	// AppendSet appends the data of the operation that Set returns for a property that
	// was never touched.
	AppendSet(dst []byte, v value.Value) []byte

	// Written returns the value that an operation writes, for checks against the
	// model; ok is false if the operation does not write a whole value.
	Written(op proto.Operation) (v value.Value, ok bool, err error)

	// Serves reports whether properties declared with the given kind merge by this
	// rule.
	Serves(k schema.Kind) bool
}

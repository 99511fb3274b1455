// Package policy says what an agent may decide about who reads and writes what.
//
// Policy does not know nodes: an agent receives credentials, principals, selections,
// events and fields, and answers. Every decision is made on a durable node; a browser
// is never trusted.
//
// # Concurrency
//
// An agent's methods are called from many goroutines and must not block on anything
// slower than memory, except Authenticate.
package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
)

// ErrDenied is wrapped by every refusal of an agent; its text reaches the user.
var ErrDenied = errors.New("access denied")

// Denied returns an ErrDenied with a reason.
func Denied(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDenied, fmt.Sprintf(format, args...))
}

// Principal is on whose behalf something happens. The zero Principal is anonymous.
type Principal struct {
	// Name goes into the events that the principal makes; at most
	// proto.MaxUserBytes.
	Name string
	// Claims are whatever the agent that authenticated the principal wants to
	// remember of it; other agents do not look at it.
	Claims any
}

// Fields reads the properties of an entity, "id" included; what is not set is null.
type Fields interface {
	Field(name string) value.Value
}

// Write is a change for an agent to judge: one event, with the entity before and
// after it. Before is nil for a creation.
type Write struct {
	Event  *proto.Event
	Before Fields
	After  Fields
}

// Agent decides. Each method returns nil to allow, or an error wrapping ErrDenied
// whose text says why.
type Agent interface {
	// Authenticate turns the credentials that a connection presents (a token; empty
	// when there is none) into a principal.
	Authenticate(ctx context.Context, credentials []byte) (Principal, error)

	// Narrow returns the predicate that limits what p may see of a collection, to be
	// combined with each selection by AND; nil does not limit. An error refuses the
	// collection.
	Narrow(p Principal, collection string) (ankql.Expr, error)

	// Read judges one entity that is about to be shown to p.
	Read(p Principal, collection string, entity Fields) error

	// Write judges one event of a transaction that p wants to commit. A refusal
	// refuses the whole transaction.
	Write(p Principal, w Write) error
}

// Replicator is an agent that lets durable nodes replicate with this one. Whoever may do so
// reads everything, history and models included, and what it sends has been judged where
// it was committed and is not judged again: it is a right for servers of the same operator.
// With an agent that is no Replicator nobody has it.
type Replicator interface {
	Agent
	// Replicate returns nil if p, as which a durable node has presented itself, may
	// replicate.
	Replicate(p Principal) error
}

// MayReplicate returns nil if an agent lets p replicate.
func MayReplicate(a Agent, p Principal) error {
	if r, ok := a.(Replicator); ok {
		return r.Replicate(p)
	}
	return Denied("the policy of this node lets nobody replicate")
}

// Expiring is an agent whose principals are known for a limited time: the credentials by which
// they were authenticated expire.
type Expiring interface {
	Agent
	// Expires returns when p is not to be served any more; the zero time means never.
	Expires(p Principal) time.Time
}

// Expires returns when an agent does not want p to be served any more; the zero time means
// never.
func Expires(a Agent, p Principal) time.Time {
	if x, ok := a.(Expiring); ok {
		return x.Expires(p)
	}
	return time.Time{}
}

// Rooms is an agent that lets principals into rooms, in which they see each other (see
// docs/presence.md). With an agent that is no Rooms nobody is in any.
type Rooms interface {
	Agent
	// See returns nil if p may see who is in a room.
	See(p Principal, room string) error
	// Enter returns nil if p, who may see the room, may be seen in it by everybody else who may.
	Enter(p Principal, room string) error
}

// MaySee returns nil if an agent lets p see who is in a room.
func MaySee(a Agent, p Principal, room string) error {
	if r, ok := a.(Rooms); ok {
		return r.See(p, room)
	}
	return Denied("the policy of this node lets nobody see who is where")
}

// MayEnter returns nil if an agent lets p see a room and be in it.
func MayEnter(a Agent, p Principal, room string) error {
	if err := MaySee(a, p, room); err != nil {
		return err
	}
	return a.(Rooms).Enter(p, room)
}

// Permissive returns the agent that allows everything to everybody. It is for
// development; a node that runs with it says so in its log.
func Permissive() Agent { return permissive{} }

type permissive struct{}

func (permissive) Authenticate(context.Context, []byte) (Principal, error) {
	return Principal{}, nil
}
func (permissive) Narrow(Principal, string) (ankql.Expr, error) { return nil, nil }
func (permissive) Read(Principal, string, Fields) error         { return nil }
func (permissive) Write(Principal, Write) error                 { return nil }
func (permissive) Replicate(Principal) error                    { return nil }
func (permissive) See(Principal, string) error                  { return nil }
func (permissive) Enter(Principal, string) error                { return nil }

// IsPermissive reports whether a is the agent that Permissive returns.
func IsPermissive(a Agent) bool {
	_, ok := a.(permissive)
	return ok
}

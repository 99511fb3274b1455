package ankurah

import (
	"context"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/storage"
)

// The parts of a node, which are package core's.
type (
	// Node is a participant of a system.
	Node = core.Node
	// Context is a node as seen by one principal; reads and writes go through one.
	Context = core.Context
	// Tx is a transaction.
	Tx = core.Tx
	// Receipt is what a commit returns; its Synced waits for a durable node.
	Receipt = core.Receipt
	// Options configures a node.
	Options = core.Options
	// Limits bounds a node's queues, caches and deadlines.
	Limits = core.Limits
	// Listener hears of what is not an answer to a call.
	Listener = core.Listener
	// Status is how a node is doing.
	Status = core.Status
	// DialOptions says how a link presents itself.
	DialOptions = core.DialOptions
	// Link keeps an ephemeral node connected.
	Link = core.Link
	// Error is what calls return.
	Error = core.Error
	// Kind classifies errors.
	Kind = core.Kind
	// QueryStatus is how far a live query's rows can be trusted.
	QueryStatus = core.QueryStatus
	// SyncState is how far a view is in step with the durable node; see View.Sync.
	SyncState = core.SyncState
	// Rejection is a transaction that the durable node refused, and that is kept.
	Rejection = core.Rejection
	// EntityID names an entity.
	EntityID = id.EntityID
	// Principal is on whose behalf something happens.
	Principal = policy.Principal
	// Agent decides who may read and write what.
	Agent = policy.Agent
)

// The statuses of a live query.
const (
	QueryLoading = core.QueryLoading
	QueryLocal   = core.QueryLocal
	QueryLive    = core.QueryLive
	QueryError   = core.QueryError
)

// The states of a view; selections ask for them as $sync.
const (
	Synced  = core.Synced
	Pending = core.Pending
	Refused = core.Refused
)

// Anonymous is nobody in particular.
var Anonymous = Principal{}

// Permissive returns the agent that allows everything; it is for development.
func Permissive() Agent { return policy.Permissive() }

// KindOf returns the kind of an error.
func KindOf(err error) Kind { return core.KindOf(err) }

// NewDurable opens a durable node over an engine, which it owns from then on. Over an
// empty engine it belongs to no system yet: see Node.CreateSystem.
func NewDurable(engine storage.Engine, agent Agent) (*Node, error) {
	return Open(context.Background(), Options{Engine: engine, Policy: agent, Durable: true})
}

// New opens an ephemeral node over an engine, which it owns from then on. It belongs to a
// system once a connector has connected it to a durable node of one.
func New(engine storage.Engine, agent Agent) (*Node, error) {
	return Open(context.Background(), Options{Engine: engine, Policy: agent})
}

// Open is New and NewDurable with all options.
func Open(ctx context.Context, opts Options) (*Node, error) { return core.Open(ctx, opts) }

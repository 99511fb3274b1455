package tikvtest

import (
	"time"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/kvrpcpb"
)

// Call is a request that a store has received.
type Call struct {
	Store int
	Kind  string // "Get", "BatchGet", "Scan", "Prewrite", "Commit", "ResolveLock", …
}

// Fault is what becomes of a request; the zero value is nothing unusual.
type Fault struct {
	Delay time.Duration // before anything else
	Kind  FaultKind
}

// FaultKind is how a request goes wrong.
type FaultKind int

// The faults.
const (
	NoFault       FaultKind = iota
	NotLeader               // refused: the region's leader is elsewhere, nobody knows where
	EpochNotMatch           // refused: the region is not what the client believes
	ServerIsBusy            // refused: try later
	StaleCommand            // refused: the leader has changed in between
	LostRequest             // not carried out, and the store's connections break
	LostReply               // carried out, and the store's connections break before the answer
	Silence                 // carried out, and never answered
)

// Inject has f decide what becomes of each request to a store, from now on; nil ends that. f
// may be called from many goroutines.
func (c *Cluster) Inject(f func(Call) Fault) {
	if f == nil {
		c.fault.Store(nil)
	} else {
		c.fault.Store(&f)
	}
}

func (c *Cluster) faultOf(call Call) Fault {
	if f := c.fault.Load(); f != nil {
		return (*f)(call)
	}
	return Fault{}
}

// regionError returns how a store words a refusal, or nil.
func regionError(kind FaultKind, about *kvrpcpb.Context) *errorpb.Error {
	switch kind {
	case NotLeader:
		return &errorpb.Error{Message: "not leader", NotLeader: &errorpb.NotLeader{RegionId: about.RegionId}}
	case EpochNotMatch:
		return &errorpb.Error{Message: "epoch not match", EpochNotMatch: &errorpb.EpochNotMatch{}}
	case ServerIsBusy:
		return &errorpb.Error{Message: "server is busy", ServerIsBusy: &errorpb.ServerIsBusy{Reason: "injected"}}
	case StaleCommand:
		return &errorpb.Error{Message: "stale command", StaleCommand: &errorpb.StaleCommand{}}
	}
	return nil
}

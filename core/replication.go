package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Durable nodes with stores of their own replicate from each other. One dials the other
// (Node.Dial), and over the connection, an exchange, each follows what the other commits: it
// names a position in the other's store (progress.go), is sent the transactions after it
// (dispatch.go), and submits them to its sequencer (intake.go). These enter its own feed, so
// that nodes connected in any way come to hold the same: what a node has already leaves no
// trace, by which everything that goes round in a circle comes to an end.
//
// What a durable node has accepted is accepted: a transaction that comes this way is held
// against the rules that are the same everywhere (structure, digest, parents, one root) and
// not judged again by what is a node's own (policy, catalog, limits), since two nodes that
// judged differently would never agree. So replicating is a right of its own
// (policy.Replicator).

// Replication is how a durable node stands to another one.
type Replication struct {
	Peer      id.NodeID // zero before the first contact
	Remote    string    // its address: of one that is dialled, as given
	Dialled   bool      // this node keeps up the connection
	Connected bool
	// Lag is about how many transactions of the peer's store are still to come, and Behind
	// how many of this node's the peer has not taken yet, both as of the last exchange.
	Lag, Behind uint64
	// Taken and Refused count the peer's transactions that were new to this node, and those
	// that were not taken; Sent those that the peer was sent.
	Taken, Refused, Sent uint64
	// LastError is why the last connection failed or ended, or why the peer's transactions
	// are not taken at present; nil when all is well.
	LastError error
}

// Replications returns how this durable node stands to those that it dials, in the order in
// which it began to, and then to those that have dialled it and are connected.
func (n *Node) Replications() []Replication {
	r := &n.replication
	r.mu.Lock()
	list := slices.Clone(r.mu.list)
	r.mu.Unlock()
	out := make([]Replication, len(list))
	for i, x := range list {
		out[i] = x.get()
	}
	slices.SortStableFunc(out, func(a, b Replication) int {
		switch {
		case a.Dialled == b.Dialled:
			return 0
		case a.Dialled:
			return -1
		}
		return 1
	})
	return out
}

// replication is a durable node's part in replication.
type replication struct {
	published beacon // lit when there is more to send, or something new to be on top of
	mu        struct {
		sync.Mutex
		list []*standing
		ever bool // the node has exchanged transactions with another, now or earlier
	}
}

// Keys of the engine's metadata.
const (
	metaReplicates = "replicates" // the node has exchanged transactions with another
	metaProgress   = "progress/"  // and the store's id: how far it is followed
)

func (r *replication) load(ctx context.Context, n *Node) error {
	meta, err := n.engine.Meta(ctx, metaReplicates)
	r.mu.ever = err == nil && meta[0] != nil
	return err
}

// isAlone reports whether what this node lacks is nowhere else: it neither replicates nor
// ever did.
func (r *replication) isAlone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.mu.ever && len(r.mu.list) == 0
}

func (r *replication) add(s *standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.list = append(r.mu.list, s)
}

func (r *replication) remove(s *standing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.list = slices.DeleteFunc(r.mu.list, func(x *standing) bool { return x == s })
}

// begin notes, for good, that the node replicates.
func (s *sequencer) begin(ctx context.Context) error {
	r := &s.node.replication
	r.mu.Lock()
	ever := r.mu.ever
	r.mu.Unlock()
	if ever {
		return nil
	}
	sub := &submission{system: true, meta: []storage.MetaEntry{{Key: metaReplicates, Value: []byte{1}}}}
	if err := s.commit(ctx, sub); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.ever = true
	return nil
}

// standing is a Replication that changes.
type standing struct {
	mu sync.Mutex
	r  Replication
}

func (s *standing) get() Replication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r
}

func (s *standing) update(f func(r *Replication)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.r)
}

// beacon wakes whoever waits for something to happen.
type beacon struct {
	mu   sync.Mutex
	next chan struct{}
}

// watch returns a channel that is closed the next time that the beacon is lit. Whoever calls
// it before looking misses nothing.
func (b *beacon) watch() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *beacon) light() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// admit decides about a peer that says it is durable.
func (s *sequencer) admit(p policy.Principal, m *proto.Hello) error {
	n := s.node
	if err := policy.MayReplicate(n.policy, p); err != nil {
		return err
	}
	if root, _ := n.system.get(); !m.System.IsZero() && m.System != root {
		return fmt.Errorf("%w: it is of %s, this node of %s", ErrSystem, m.System, root)
	}
	if m.Store == n.feeds.store {
		return errSameStore
	}
	return nil
}

// errSameStore: the nodes are processes of one store, or one is a copy of the other.
var errSameStore = fmt.Errorf("%w: both nodes say that their store is the same; one of them may be a copy of the other", proto.ErrStructure)

// foreignRoot reports whether an event makes a system beside the one there is.
func (n *Node) foreignRoot(e *proto.Event) bool {
	root, ok := n.system.get()
	return ok && e.Collection == collectionSystem && e.Entity != root
}

// inCatalog reports whether an event is about a model.
func inCatalog(e *proto.Event) bool {
	return strings.HasPrefix(e.Collection, collectionModel) || strings.HasPrefix(e.Collection, collectionProperty)
}

package core

import (
	"runtime"
	"time"

	"github.com/ankurah-go/ankurah/proto"
)

// Limits bounds everything that a node would otherwise let grow. The zero value of a
// field means its default.
type Limits struct {
	// TxEvents and TxBytes bound one transaction. Defaults proto.MaxTxEvents and
	// proto.MaxTxBytes, which they cannot exceed.
	TxEvents, TxBytes int
	// Siblings bounds the concurrent events in an entity's head that this node lets come
	// about: a transaction that would add one more fails with KindLimit. Default 64, at
	// most proto.MaxClock, which leaves room for what other durable nodes let come about.
	Siblings int
	// CommitQueue bounds the transactions that wait for the sequencer, and CommitBytes the
	// events of those that peers sent and that have not been decided. Defaults 1024 and
	// 256 MiB; who commits more waits.
	CommitQueue, CommitBytes int
	// GroupCommit bounds the transactions of one storage batch. Default 512.
	GroupCommit int
	// CachedRecords bounds the records that the committing goroutine keeps, and CachedBytes
	// what they take. Defaults 8192 and 32 MiB.
	CachedRecords, CachedBytes int
	// SnapshotRecords bounds what an open transaction remembers so that its reads do not
	// change; beyond it the transaction fails with KindLimit. Default 100,000.
	SnapshotRecords int
	// SendQueue bounds the frames that wait to be sent on one connection. Default 1024.
	// What there is no room for is told later, of each row its last state, as one change.
	SendQueue int
	// Backlog bounds the rows that wait for that, and BacklogBytes what they take; a peer
	// that leaves more is disconnected, and resumes when it connects again. Defaults 50,000
	// and 32 MiB.
	Backlog, BacklogBytes int
	// SendBytes bounds their bytes. Default 8 MiB.
	SendBytes int
	// SendTotal bounds the bytes that wait on all connections together; beyond it each may
	// have little more than one frame waiting. Default 256 MiB.
	SendTotal int
	// Subscriptions bounds those of one connection. Default 4096.
	Subscriptions int
	// SelectionCost bounds what it takes to hold one entity against a selection of a peer's,
	// in comparisons (ankql.Selection.Cost), and SubscriptionCost the sum of it over the
	// subscriptions of one connection. Defaults 5,000 and 50,000; beyond them a
	// subscription fails with KindLimit.
	SelectionCost, SubscriptionCost int
	// HeldBytes bounds what this node keeps in memory for the live results of one principal's
	// connections, or of one address's as with PrincipalRate: the rows of windows (selections
	// with a LIMIT) and the groups of aggregates, and for the histories that it reads for them.
	// HeldTotal bounds it over all peers: beyond it, nobody is given much more than there is.
	// Defaults 128 MiB and 512 MiB. A subscription fails with KindLimit for the one, and comes
	// again after a while for the other.
	HeldBytes, HeldTotal int
	// Scans bounds the answers to peers that are being read from storage at one moment, on
	// all connections together; the others wait their turn, page by page. Default one for
	// each processor, and no less than two.
	Scans int
	// Unacknowledged bounds the transactions of one connection that have not been decided,
	// and UnacknowledgedBytes the events of those of one principal, or of one address as
	// with PrincipalRate; who sends more waits. Defaults 128 and 16 MiB.
	Unacknowledged, UnacknowledgedBytes int
	// Groups bounds the groups of one aggregate, and DistinctValues the different values
	// that COUNT DISTINCT keeps, over its groups. Defaults 10,000 and 200,000; beyond them an
	// aggregate fails with KindLimit.
	Groups, DistinctValues int
	// Known bounds the rows that an ephemeral node says it holds when it subscribes.
	// Default 20,000.
	Known int
	// ResumeEntries bounds how much of the feed one resume reads; what is further back is
	// compared row by row. Default 50,000.
	ResumeEntries int
	// Pending bounds the transactions of an ephemeral node's outbox. Default 100,000;
	// beyond it commits are refused with KindLimit.
	Pending int
	// Rejections bounds the refused transactions that are kept for the app. Default 256,
	// the oldest are dropped.
	Rejections int
	// RejectionBytes bounds the events that are kept with them; of older ones only the
	// reason stays. Default 1 MiB.
	RejectionBytes int
	// Cursors bounds the selections whose feed position an ephemeral node remembers.
	// Default 512.
	Cursors int
	// Rate is how many units a second a durable node carries out for one connection, and
	// Burst how many at once; a frame costs one, a commit one for each event and for each
	// 256 bytes of it, a subscription 20, reading for an answer one for each 4 µs, and so does
	// holding a row over 16 KiB against a selection that is open, where that takes a
	// millisecond. What is beyond waits, and so does everything after it; a selection for which
	// there is a second to wait is refused. Defaults 50,000 and 200,000.
	Rate, Burst int
	// PrincipalRate and PrincipalBurst are that for all connections of one principal, and
	// of principals without a name for all from one address. Defaults 150,000 and 600,000.
	PrincipalRate, PrincipalBurst int
	// Parked is how long a durable node that replicates keeps a peer's transaction whose
	// parents it lacks and other durable nodes may have, before it tells the peer to come
	// again later. Default 10 s.
	Parked time.Duration
	// HistoryEvents bounds the events of one entity that a history is made of, and
	// HistoryBytes what they take; beyond it the call fails with KindLimit. Defaults
	// 100,000 and 64 MiB.
	HistoryEvents, HistoryBytes int
	// PresenceRooms bounds the rooms that one connection watches, together with the members that
	// it has in rooms, and PresenceState the bytes of a member's state. Defaults 256 and 4096.
	PresenceRooms, PresenceState int
	// PresenceMembers bounds the members of one room that this node takes in, PresencePrincipal
	// those of one principal (or one address, as with PrincipalRate), and PresenceTotal all that
	// it knows of, those that left in the last half minute included. Defaults 1,000, 5,000 and
	// 100,000; who is one too many is refused with KindLimit.
	PresenceMembers, PresencePrincipal, PresenceTotal int
	// PresenceGrace is how long a member whose connection has ended stays in its rooms, and how
	// long a node that has lost its connection shows who was there. PresenceLease is how long the
	// members of another durable node stay that nothing is heard of. Defaults 5 s and 15 s.
	PresenceGrace, PresenceLease time.Duration
	// PresencePause is how long after a member's state was sent its next one is; those in
	// between are left out. Default 50 ms.
	PresencePause time.Duration
	// Handshake and Request are deadlines for a peer's answer. Defaults 10 s and 30 s.
	Handshake, Request time.Duration
	// SharedPoll is how often a durable node looks at what other processes have committed to
	// its store when nothing wakes it. Default 500 ms.
	SharedPoll time.Duration
	// Ping is how long a connection may be silent before it is probed, and then until it
	// is given up. Default 20 s.
	Ping time.Duration
	// Backoff and MaxBackoff bound the pauses between attempts to connect. Defaults
	// 250 ms and 15 s; each pause is drawn at random between half of it and the whole.
	Backoff, MaxBackoff time.Duration
}

// DefaultLimits returns the limits of a node that is given none.
func DefaultLimits() (l Limits) {
	l.ensureDefaults()
	return l
}

func (l *Limits) ensureDefaults() {
	set(&l.TxEvents, proto.MaxTxEvents)
	l.TxEvents = min(l.TxEvents, proto.MaxTxEvents)
	set(&l.TxBytes, proto.MaxTxBytes)
	l.TxBytes = min(l.TxBytes, proto.MaxTxBytes)
	set(&l.Siblings, 64)
	l.Siblings = min(l.Siblings, proto.MaxClock)
	set(&l.CommitQueue, 1024)
	set(&l.CommitBytes, 256<<20)
	set(&l.GroupCommit, 512)
	set(&l.CachedRecords, 8192)
	set(&l.CachedBytes, 32<<20)
	set(&l.SnapshotRecords, 100_000)
	set(&l.SendQueue, 1024)
	set(&l.Backlog, 50_000)
	set(&l.BacklogBytes, 32<<20)
	set(&l.SendBytes, 8<<20)
	set(&l.SendTotal, 256<<20)
	set(&l.Subscriptions, 4096)
	set(&l.SelectionCost, 5000)
	set(&l.SubscriptionCost, 50_000)
	set(&l.HeldBytes, 128<<20)
	set(&l.HeldTotal, 512<<20)
	set(&l.Scans, max(2, runtime.GOMAXPROCS(0)))
	set(&l.Unacknowledged, 2*sendAhead)
	set(&l.UnacknowledgedBytes, 16<<20)
	set(&l.Groups, 10_000)
	set(&l.DistinctValues, 200_000)
	set(&l.Known, 20_000)
	set(&l.ResumeEntries, 50_000)
	set(&l.Pending, 100_000)
	set(&l.Rejections, 256)
	set(&l.RejectionBytes, 1<<20)
	set(&l.Cursors, 512)
	set(&l.Rate, 50_000)
	set(&l.Burst, 200_000)
	set(&l.PrincipalRate, 150_000)
	set(&l.PrincipalBurst, 600_000)
	set(&l.HistoryEvents, 100_000)
	set(&l.HistoryBytes, 64<<20)
	set(&l.Parked, 10*time.Second)
	set(&l.PresenceRooms, 256)
	set(&l.PresenceState, 4096)
	l.PresenceState = min(l.PresenceState, proto.MaxPresenceBytes)
	set(&l.PresenceMembers, 1000)
	set(&l.PresencePrincipal, 5000)
	set(&l.PresenceTotal, 100_000)
	set(&l.PresenceGrace, 5*time.Second)
	set(&l.PresenceLease, 15*time.Second)
	set(&l.PresencePause, 50*time.Millisecond)
	set(&l.Handshake, 10*time.Second)
	set(&l.Request, 30*time.Second)
	set(&l.SharedPoll, 500*time.Millisecond)
	set(&l.Ping, 20*time.Second)
	set(&l.Backoff, 250*time.Millisecond)
	set(&l.MaxBackoff, 15*time.Second)
}

func set[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

package storage

import (
	"context"
	"errors"

	"github.com/ankurah-go/ankurah/core/id"
)

// ErrFenced: the process has lost its feed, because the store took it for dead, and another
// may write to it by now. Nothing was stored; only opening the store again helps.
var ErrFenced = errors.New("storage: another process may have taken over this one's feed")

// Shared is a power that an engine may have: several processes use its store at the same
// time. Each writes to a feed of its own, whose order is the order of its commits, and
// reads those of the others. Expected heads (RecordWrite) keep the processes from
// overwriting each other: ErrConflict then says that another was faster.
//
// The store has one set of metadata; a process that changes what others read there does
// so under a Lock, or under keys that name its feed.
type Shared interface {
	// Join gives the process a feed that no other living process writes to: one that an
	// earlier process has left, or a new one. It is the process's until the engine is
	// closed. Where the store takes the process for dead before that, Commit fails with
	// ErrFenced from the moment on at which another process could have the feed. Join is
	// called once, before the first Commit that appends to a feed.
	Join(ctx context.Context) (feed id.NodeID, err error)

	// View opens the store as it is at one moment. Whoever opened a view closes it soon:
	// it may hold a connection, and keep the store from cleaning up.
	View(ctx context.Context) (View, error)

	// Wake returns a channel that receives when another process has, perhaps, committed. It
	// is a hint without content: hints may come late, together, for nothing, or get lost,
	// so that a reader looks from time to time without one. The channel has room for one
	// hint and is never closed.
	Wake() <-chan struct{}

	// Lock waits until no other process holds the lock of that name, and takes it. It is
	// released by unlock, by closing the engine, and by the store when it takes the process
	// for dead; so it keeps work from being done twice, but is no proof that it is not:
	// that is for expected heads. Locks are not held over more than some seconds.
	Lock(ctx context.Context, name string) (unlock func(), err error)
}

// View is a store as of one moment, whatever is committed meanwhile. It belongs to one
// goroutine at a time.
type View interface {
	Reader

	// Feeds returns the greatest Seq of every feed that has entries.
	Feeds(ctx context.Context) (map[id.NodeID]uint64, error)

	// Close ends the view. Closing it twice is harmless.
	Close()
}

// Broadcaster is a power that an engine may have which is Shared: processes that have joined tell
// each other what is worth nothing later, and is stored nowhere. Messages may be lost; who hears
// is told that some may have been.
type Broadcaster interface {
	// Broadcast tells the other processes something, of at most MaxBroadcast bytes, and keeps
	// nothing of it. One process's messages are heard in the order of their Broadcasts, which
	// are made one after the other.
	Broadcast(ctx context.Context, message []byte) error

	// Listen calls hear with what the other processes tell from now on, one message after the
	// other, until ctx ends, and returns its error, or ErrClosed. hear(nil) says that messages
	// may have been missed: at the beginning, and whenever that was so. It is called once.
	Listen(ctx context.Context, hear func(message []byte)) error
}

// MaxBroadcast bounds a message of a Broadcaster.
const MaxBroadcast = 128 << 10

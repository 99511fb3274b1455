package tikv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// Broadcasts lie in rows of the cluster: of each feed the last few messages of the process that
// has it, over and over in the same rows, and a head that says which the last one is. So they take
// no more room with time, and one look at the heads tells whether there are any new ones.

// broadcastSlots is how many messages of a process there are at a time; who looks less often has
// missed some.
const broadcastSlots = 32

// broadcasts is this process's side of it.
type broadcasts struct {
	sync.Mutex
	seq uint64 // of the last message
}

// numbered is the beginning of a head and of a message: who has written it, and its number.
type numbered struct {
	self id.ULID
	seq  uint64
}

const numberedSize = id.Size + 8

func (x numbered) row(message []byte) []byte {
	row := binary.BigEndian.AppendUint64(x.self.AppendTo(make([]byte, 0, numberedSize+len(message))), x.seq)
	return append(row, message...)
}

func readNumbered(row []byte) (x numbered, message []byte, err error) {
	if len(row) < numberedSize {
		return x, nil, fmt.Errorf("%w: a broadcast of %d bytes", storage.ErrCorrupt, len(row))
	}
	x.self, err = id.FromBytes(row[:id.Size])
	x.seq = binary.BigEndian.Uint64(row[id.Size:])
	return x, row[numberedSize:], err
}

func (s *store) headKey(feed string) []byte { return s.ownKey(rowBroadcast, "h", feed) }

func (s *store) slotKey(feed string, seq uint64) []byte {
	return append(s.ownKey(rowBroadcast, "s", feed), byte(seq%broadcastSlots))
}

var _ storage.Broadcaster = (*Engine)(nil)

// errNotJoined is what Broadcast returns before Join.
var errNotJoined = errors.New("tikv: only who has joined broadcasts")

// Broadcast implements storage.Broadcaster.
func (e *Engine) Broadcast(ctx context.Context, message []byte) error {
	s := e.store
	if err := s.gate.Enter(ctx); err != nil {
		return err
	}
	defer s.gate.Leave()
	feed := s.ownFeed()
	switch {
	case len(message) > storage.MaxBroadcast:
		return fmt.Errorf("tikv: a broadcast of %d bytes, more than %d", len(message), storage.MaxBroadcast)
	case feed == "":
		return errNotJoined
	}
	s.broadcasts.Lock()
	defer s.broadcasts.Unlock()
	s.broadcasts.seq++ // where it fails it may be there all the same
	x := numbered{s.self, s.broadcasts.seq}
	err := s.transact(ctx, func(tx *transaction) error {
		return errors.Join(tx.put(s.slotKey(feed, x.seq), x.row(message)), tx.put(s.headKey(feed), x.row(nil)))
	})
	s.wakes.tell(storage.NewBroadcasts) // where it has failed it may be there all the same
	return err
}

// Listen implements storage.Broadcaster.
func (e *Engine) Listen(ctx context.Context, hear func(message []byte)) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	l := listener{store: e.store, hear: hear, missed: true} // what came before the first look
	look := func() (news bool) {
		news, err := l.look(ctx)
		if l.missed = l.missed || err != nil; errors.Is(err, storage.ErrClosed) {
			end(err)
		}
		return news
	}
	e.store.lookOut(ctx, storage.NewBroadcasts, look, func() { look() })
	return context.Cause(ctx)
}

// listener knows how far the heads have come.
type listener struct {
	store  *store
	hear   func(message []byte)
	known  map[string]numbered // by feed; nil before the first look
	missed bool                // something may have been, and that was not said
}

// look hears what is new, and reports whether anything is.
func (l *listener) look(ctx context.Context) (news bool, err error) {
	s := l.store
	if err := s.gate.Enter(ctx); err != nil {
		return false, err
	}
	n, err := s.now(ctx)
	var heads map[string]numbered
	if err == nil {
		heads, err = n.heads(ctx)
	}
	var messages [][]byte
	if err == nil {
		messages, err = l.read(ctx, n, heads)
	}
	s.gate.Leave()
	if err != nil {
		return false, err
	}
	if l.missed {
		l.missed = false
		l.hear(nil)
	}
	for _, m := range messages {
		l.hear(m)
	}
	return len(messages) > 0, nil
}

// heads returns the last message of every feed.
func (n *snapshot) heads(ctx context.Context) (map[string]numbered, error) {
	heads := map[string]numbered{}
	err := n.each(ctx, n.store.headKey(""), func(feed string, value []byte) error {
		x, _, err := readNumbered(value)
		heads[feed] = x
		return err
	})
	return heads, err
}

// read returns the messages that have come since the last look, and takes the heads for known.
func (l *listener) read(ctx context.Context, n *snapshot, heads map[string]numbered) (messages [][]byte, err error) {
	own := l.store.ownFeed()
	var keys [][]byte
	var want []numbered
	for feed, head := range heads {
		last, known := l.known[feed]
		switch {
		case feed == own || l.known == nil:
			continue
		case !known || last.self != head.self:
			last = numbered{head.self, 0} // another process, from its beginning
		}
		if head.seq-last.seq > broadcastSlots {
			l.missed = true
			last.seq = head.seq - broadcastSlots
		}
		for seq := last.seq + 1; seq <= head.seq; seq++ {
			keys, want = append(keys, l.store.slotKey(feed, seq)), append(want, numbered{head.self, seq})
		}
	}
	rows, err := n.rows(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		x, message, err := readNumbered(row)
		if err != nil || x != want[i] {
			l.missed = true // one of those whose outcome was not known
			continue
		}
		messages = append(messages, message)
	}
	l.known = heads
	return messages, nil
}

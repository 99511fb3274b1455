package core

import (
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

// backlog is what a peer has yet to be told because its queue had no room: of each row the
// last of what happened to it. It has one place in the queue; when the turn of that comes, it
// goes out as one Update, in as many frames as it takes, and the peer shows it as one change.
// So a peer that is slow sees fewer moments, and none of them half. What is queued behind it
// may show what it says, never what it does not.
type backlog struct {
	out    *outlet
	limits *Limits
	mu     struct {
		sync.Mutex
		rows     map[id.EntityID]*pendingRow // nil while it has no place in the queue
		order    []id.EntityID
		bytes    int
		position proto.Position
		tx       id.TransactionID // zero where there are several
		failed   error            // it was too much, and is given up
	}
}

// errSlow: a peer takes less than what changes of what it subscribes to.
var errSlow = fmt.Errorf("%w: the peer does not take its updates, and may connect again", ErrLimit)

// empty reports, on the loop, whether the next update may be queued itself.
func (b *backlog) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.rows == nil && b.mu.failed == nil
}

// add takes, on the loop, what a transaction has done to rows. It fails, once, with errSlow
// where that is too much; from then on nothing is sent.
func (b *backlog) add(t *reactor.Transaction, rows []*pendingRow) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.failed != nil {
		return nil
	}
	if b.mu.rows == nil {
		b.mu.rows, b.mu.tx = make(map[id.EntityID]*pendingRow, len(rows)), t.ID
		b.out.later(b.frames)
	} else {
		b.mu.tx = id.TransactionID{}
	}
	if len(t.Position) > 0 {
		b.mu.position = t.Position
	}
	before := b.mu.bytes
	for _, row := range rows {
		b.putLocked(row)
	}
	b.out.all.Add(int64(b.mu.bytes - before))
	if len(b.mu.rows) > b.limits.Backlog || b.mu.bytes > b.roomLocked() {
		return b.giveUpLocked()
	}
	return nil
}

// giveUp has nothing more sent, on the loop, as add does where it fails.
func (b *backlog) giveUp() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.failed != nil {
		return nil
	}
	if b.mu.rows == nil {
		b.out.later(b.frames)
	}
	return b.giveUpLocked()
}

func (b *backlog) giveUpLocked() error {
	b.mu.failed = errSlow
	b.out.all.Add(-int64(b.mu.bytes))
	b.clearLocked()
	return errSlow
}

// roomLocked returns how many bytes the backlog may take.
func (b *backlog) roomLocked() int {
	if b.out.all.Load() > int64(b.limits.SendTotal) {
		return crowdedBytes
	}
	return b.limits.BacklogBytes
}

func (b *backlog) putLocked(row *pendingRow) {
	e := row.change.Entity
	if old := b.mu.rows[e]; old != nil {
		b.mu.bytes -= old.size()
	} else {
		b.mu.order = append(b.mu.order, e)
	}
	c := *row.change
	c.Before = nil
	last := &pendingRow{change: &c, whole: true, hidden: row.hidden}
	b.mu.rows[e] = last
	b.mu.bytes += last.size()
}

// size is about how many bytes a row takes while it waits.
func (p *pendingRow) size() int {
	if p.hidden {
		return pendingSize
	}
	return pendingSize + p.change.Stored.State.Size()
}

// pendingSize is about what a row that waits takes besides its state.
const pendingSize = 256

func (b *backlog) clearLocked() {
	b.mu.rows, b.mu.order, b.mu.bytes, b.mu.position, b.mu.tx = nil, nil, 0, nil, id.TransactionID{}
}

// frames takes what waits, when its turn has come. Where it was given up, the peer is told so:
// nothing that was queued behind it would be true. A frame is made when the one before it was
// sent: until then its rows are the states that the node has anyway, and count as waiting.
func (b *backlog) frames() iter.Seq[[]byte] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.failed != nil {
		return slices.Values([][]byte{proto.AppendFrame(nil, refusal(b.mu.failed))})
	}
	rows, order, bytes, end := b.mu.rows, b.mu.order, b.mu.bytes, &proto.Update{Position: b.mu.position, Transaction: b.mu.tx}
	b.clearLocked()
	return func(yield func([]byte) bool) {
		defer func() { b.out.all.Add(-int64(bytes)) }()
		part, size := &proto.Update{}, 0
		for _, e := range order {
			if len(part.Changes) >= answerItems || size >= answerBytes {
				part.More = true
				if !yield(proto.AppendFrame(nil, part)) {
					return
				}
				b.out.all.Add(-int64(size))
				bytes -= size
				part, size = &proto.Update{}, 0
			}
			part.Changes = append(part.Changes, rows[e].encode())
			size += rows[e].size()
		}
		end.Changes = part.Changes
		yield(proto.AppendFrame(nil, end))
	}
}

// drop forgets what waits, at the end of the connection.
func (b *backlog) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out.all.Add(-int64(b.mu.bytes))
	b.clearLocked()
}

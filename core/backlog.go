package core

import (
	"fmt"
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
		b.mu.failed = errSlow
		b.out.all.Add(-int64(b.mu.bytes))
		b.clearLocked()
		return errSlow
	}
	return nil
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
	return pendingSize + stateSize(p.change.Stored.State)
}

// pendingSize is about what a row that waits takes besides its state.
const pendingSize = 256

func (b *backlog) clearLocked() {
	b.mu.rows, b.mu.order, b.mu.bytes, b.mu.position, b.mu.tx = nil, nil, 0, nil, id.TransactionID{}
}

// frames takes what waits, when its turn has come. Where it was given up, the peer is told so:
// nothing that was queued behind it would be true.
func (b *backlog) frames() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.failed != nil {
		return [][]byte{proto.AppendFrame(nil, refusal(b.mu.failed))}
	}
	b.out.all.Add(-int64(b.mu.bytes))
	defer b.clearLocked()
	var list [][]byte
	part, size := &proto.Update{}, 0
	for _, e := range b.mu.order {
		row := b.mu.rows[e]
		if len(part.Changes) >= answerItems || size >= answerBytes {
			part.More = true
			list = append(list, proto.AppendFrame(nil, part))
			part, size = &proto.Update{}, 0
		}
		part.Changes = append(part.Changes, row.encode())
		size += row.size()
	}
	part.Position, part.Transaction = b.mu.position, b.mu.tx
	return append(list, proto.AppendFrame(nil, part))
}

// drop forgets what waits, at the end of the connection.
func (b *backlog) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out.all.Add(-int64(b.mu.bytes))
	b.clearLocked()
}

// telling is what a session tells its peer of rows, by updates and by answers. An answer was
// read some time before it is sent: what updates have said meanwhile counts, and where it says
// otherwise it is corrected.
type telling struct {
	out     *outlet
	backlog backlog
	mu      struct {
		sync.Mutex
		answers int                     // under way
		told    map[id.EntityID]toldRow // since the first of these began
	}
}

// toldRow is the last that an update has said of a row.
type toldRow struct {
	rev    uint64
	hidden bool
}

func (x *telling) init(out *outlet, limits *Limits) {
	x.out = out
	x.backlog.out, x.backlog.limits = out, limits
}

// answering notes that an answer is being read, until the function is called that it returns.
func (x *telling) answering() (done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.answers++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.mu.answers--; x.mu.answers == 0 {
			x.mu.told = nil
		}
	}
}

// tell sends, from the loop, what a transaction has done to rows: now, or with the backlog.
func (x *telling) tell(t *reactor.Transaction, rows []*pendingRow) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mu.answers > 0 {
		if x.mu.told == nil {
			x.mu.told = make(map[id.EntityID]toldRow, len(rows))
		}
		for _, row := range rows {
			x.mu.told[row.change.Entity] = toldRow{row.change.Rev, row.hidden}
		}
	}
	if x.backlog.empty() && x.out.push(update(t, rows)) {
		return nil
	}
	return x.backlog.add(t, rows)
}

// answer queues part of an answer if there is room.
func (x *telling) answer(w *rowWriter, m *proto.Rows, encoded *[]byte) (queued bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.mu.told) > 0 && x.correctLocked(w, m) {
		*encoded = proto.AppendFrame(nil, m)
	}
	return x.out.add(*encoded, false)
}

// correctLocked takes from an answer what has been told otherwise: rows that have gone out of
// sight, and that others are not there.
func (x *telling) correctLocked(w *rowWriter, m *proto.Rows) (corrected bool) {
	hidden := func(e id.EntityID, rev uint64) bool {
		last, told := x.mu.told[e]
		corrected = corrected || told && last.hidden && rev <= last.rev
		return told && last.hidden && rev <= last.rev
	}
	shown := func(e id.EntityID) bool {
		last, told := x.mu.told[e]
		corrected = corrected || told && !last.hidden
		return told && !last.hidden
	}
	m.Rows = slices.DeleteFunc(m.Rows, func(r proto.Row) bool { return hidden(r.Entity, r.Rev) })
	m.Equal = slices.DeleteFunc(m.Equal, func(r proto.KnownRow) bool { return hidden(r.Entity, r.Rev) })
	m.Gone = slices.DeleteFunc(m.Gone, shown)
	there := func(e id.EntityID) bool {
		if !shown(e) {
			return false
		}
		m.Same = append(m.Same, e)
		return true
	}
	m.Absent = slices.DeleteFunc(m.Absent, there)
	if m.Done {
		w.lacking = slices.DeleteFunc(w.lacking, there)
	}
	return corrected
}

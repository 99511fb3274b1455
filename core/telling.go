package core

import (
	"slices"
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/proto"
)

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

// toldBacklogs is how many backlogs of rows may change while a peer takes an answer.
const toldBacklogs = 4

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
		x.answeredLocked()
	}
}

func (x *telling) answeredLocked() {
	if x.mu.answers--; x.mu.answers == 0 {
		x.mu.told = nil
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
		if len(x.mu.told) > toldBacklogs*x.backlog.limits.Backlog {
			return x.backlog.giveUp()
		}
	}
	if x.backlog.empty() && x.out.push(update(t, rows)) {
		return nil
	}
	return x.backlog.add(t, rows)
}

// answer queues part of an answer if there is room. What waits in front of it, with the backlog,
// may come to say more until its turn has come; then it is corrected once more.
func (x *telling) answer(w *rowWriter, m *proto.Rows, encoded *[]byte) (queued bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.correctLocked(w, m, encoded)
	if x.backlog.empty() {
		return x.out.add(*encoded, false)
	}
	frame := *encoded
	queued = x.out.queue(outgoing{frame: frame, final: func() []byte {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.correctLocked(w, m, &frame)
		x.answeredLocked()
		return frame
	}}, false)
	if queued {
		x.mu.answers++
	}
	return queued
}

// correctLocked takes from an answer what has been told otherwise: rows that have gone out of
// sight, and that others are not there.
func (x *telling) correctLocked(w *rowWriter, m *proto.Rows, encoded *[]byte) {
	corrected := false
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
	if corrected {
		*encoded = proto.AppendFrame(nil, m)
	}
}

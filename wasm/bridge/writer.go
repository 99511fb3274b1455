package bridge

import (
	"runtime"

	"github.com/ankurah-go/ankurah/core"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/wasm/frame"
)

// writer turns what waits for a page into frames. It belongs to the session's writing
// goroutine.
type writer struct {
	session *Session
	frame   []byte
	values  []value.Value // of the part being written
}

// write sends what waits, until the session ends. Everything that waits at a time goes in
// one frame, or in several of about Limits.PartBytes.
func (s *Session) write() {
	w := writer{session: s}
	defer w.farewell()
	for {
		if !w.drain() {
			return
		}
		// To post a frame costs many times what it costs to fill it. Who else can go on
		// now, does so first: a commit's answer goes along with the status that follows it.
		runtime.Gosched()
		if !w.drain() || !w.flush() {
			return
		}
		select {
		case <-s.out.ready:
		case <-s.ctx.Done():
			return
		}
	}
}

// drain writes all items that wait; it reports false when the session has ended.
func (w *writer) drain() bool {
	for i := w.session.out.take(); i != nil; i = w.session.out.take() {
		if !w.item(i) {
			return false
		}
	}
	return true
}

// farewell tells a page that was cut off why nothing comes any more. It does not wait until
// the page can take it in: it is the last.
func (w *writer) farewell() {
	if w.session.cutOff.Load() {
		err := refusal(core.KindClosed, "the page was cut off: more than %d bytes of its frames were waiting", w.session.limits().Inbox)
		w.session.send(frame.Append(frame.Begin(nil), &frame.Failed{Err: *errorOf(err, "")}))
	}
}

// item writes an item; it reports false when the session has ended.
func (w *writer) item(i *item) bool {
	switch {
	case i.message != nil:
		return w.message(i.message)
	case i.answer != nil:
		return w.answer(i.answer)
	case i.aggregate != nil:
		return w.groups(i.aggregate)
	case i.room != nil:
		return w.members(i.room)
	case i.set != nil:
		return w.delta(i.query, i.set, false)
	}
	return w.refresh(i.query)
}

func (w *writer) message(m frame.Answer) bool {
	if len(w.frame) == 0 {
		w.frame = frame.Begin(make([]byte, 0, 256))
	}
	w.frame = frame.Append(w.frame, m)
	return len(w.frame) < w.session.limits().PartBytes || w.flush()
}

func (w *writer) flush() bool {
	if len(w.frame) == 0 {
		return true
	}
	if !w.session.out.sending(w.session.ctx, len(w.frame)) {
		return false
	}
	w.session.send(w.frame)
	w.frame = nil
	return true
}

// refresh writes the present rows of a query, in the place of everything before.
func (w *writer) refresh(q *query) bool {
	first := q.resubscribe()
	if first == nil {
		return true // closed meanwhile
	}
	q.told = nil
	return w.delta(q, first, true)
}

// delta writes a change set in parts (B5).
func (w *writer) delta(q *query, set *core.ChangeSet, reset bool) bool {
	d := frame.Delta{Query: q.number, Status: queryStatus(set.Status), Err: errorOf(set.Err, q.text()), Reset: reset}
	if q.told == nil {
		q.told = q.columns
		d.Columns = q.columns
	}
	changes := set.Changes
	for {
		n := 0
		d.Changes, n = w.part(d.Changes[:0], q.columns, changes)
		changes = changes[n:]
		d.More = len(changes) > 0
		if !d.More {
			d.Window = stateOf(set.Window)
		}
		if !w.message(&d) || d.More && !w.flush() {
			return false
		}
		if !d.More {
			return true
		}
		d.Columns, d.Reset = nil, false
	}
}

// part appends the first of the changes, as many as one message takes, and says how many
// they are.
func (w *writer) part(dst []frame.Change, columns []string, changes []core.Change) ([]frame.Change, int) {
	w.values = w.values[:0]
	limits := w.session.limits()
	bytes := 0
	for n := range changes {
		if n >= limits.PartRows || bytes >= limits.PartBytes {
			return dst, n
		}
		c := &changes[n]
		change := frame.Change{Op: frame.Op(c.Kind), From: c.From, To: c.To, Entity: c.Entity}
		if c.View != nil {
			change.Sync = c.View.Sync()
		}
		if c.View != nil && !c.Same { // every commit is acknowledged later, which changes no value
			change.Values = w.row(c.View, columns, &bytes)
		}
		dst = append(dst, change)
	}
	return dst, len(changes)
}

// row returns a view's values, in memory that the next part uses again, and adds their size
// to bytes.
func (w *writer) row(v *core.View, columns []string, bytes *int) []value.Value {
	start := len(w.values)
	for _, name := range columns {
		field := v.Field(name)
		*bytes += field.Size()
		w.values = append(w.values, field)
	}
	return w.values[start:len(w.values):len(w.values)]
}

// answer writes the rows of an answer in parts (B5).
func (w *writer) answer(a *rowsAnswer) bool {
	m := frame.Rows{Request: a.request, Columns: a.columns}
	views := a.views
	for {
		w.values = w.values[:0]
		m.Rows = m.Rows[:0]
		n, bytes := 0, 0
		for n < len(views) && n < w.session.limits().PartRows && bytes < w.session.limits().PartBytes {
			m.Rows = append(m.Rows, frame.Row{Entity: views[n].ID(), Sync: views[n].Sync(), Values: w.row(views[n], a.columns, &bytes)})
			n++
		}
		views = views[n:]
		m.More = len(views) > 0
		if !w.message(&m) || m.More && !w.flush() {
			return false
		}
		if !m.More {
			return true
		}
	}
}

func queryStatus(s core.QueryStatus) frame.QueryStatus {
	switch s {
	case core.QueryLocal:
		return frame.QueryLocal
	case core.QueryLive:
		return frame.QueryLive
	case core.QueryError:
		return frame.QueryError
	}
	return frame.QueryLoading
}

package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/core/value"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// subscription is a selection that a session keeps its peer in step with. Without a limit
// it keeps no state per row: before and after say what changed. With one it keeps the
// window.
type subscription struct {
	session    *session
	number     uint64
	collection string
	sel        *ankql.Selection // checked and narrowed
	reading    *reading         // of sel, by the peer's principal
	scope      *ankql.Selection // what the principal may see at all; nil for everything
	watch      *reactor.Watch   // without a limit
	stopped    atomic.Bool
	cost       int // of sel

	// The rest belongs to the loop.
	filling bool          // its first answer is on its way: changes are sent as whole rows
	window  *servedWindow // with a limit
}

// sessionFeed is what a session collects of one transaction.
type sessionFeed struct {
	changes map[id.EntityID]*pendingRow
	order   []id.EntityID
	windows []*subscription
}

type pendingRow struct {
	change *reactor.Change
	whole  bool // the peer may not hold the row as it was before
	hidden bool // it may not see the row as it is now
}

// subscribe starts to answer a Subscribe.
func (s *session) subscribe(m *proto.Subscribe) error {
	if !s.enter(m) {
		return nil // the same frame again
	}
	return s.scanning(func(ctx context.Context) {
		defer s.telling.answering()()
		sub, err := s.newSubscription(m)
		if errors.Is(err, errUnwanted) {
			return
		}
		if err == nil {
			err = sub.answer(ctx, m)
			if finishErr := sub.answered(ctx); err == nil {
				err = finishErr
			}
		}
		if err != nil && ctx.Err() == nil {
			s.unsubscribe(m.Sub)
			s.reply(m.Sub, err)
		}
	})
}

// answered ends the first answer.
func (sub *subscription) answered(ctx context.Context) error {
	return sub.session.node.loop.call(ctx, func() { sub.filling = false })
}

var (
	errDuplicate = errors.New("the subscription exists")
	errUnwanted  = errors.New("the subscription is not wanted any more")
)

// enter notes, before anything that the peer sends next is read, that a subscription is to be
// opened, so that an Unsubscribe finds it from now on. It reports whether it is new.
func (s *session) enter(m *proto.Subscribe) bool {
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	if s.entering[m.Sub] != nil || s.subs[m.Sub] != nil || s.aggregates[m.Sub] != nil {
		return false
	}
	if s.entering == nil {
		s.entering = make(map[uint64]*proto.Subscribe)
	}
	s.entering[m.Sub] = m
	return true
}

// selection reads a selection that the peer sent, and prepares it.
func (s *session) selection(collection, text string, values []value.Value) (*ankql.Selection, error) {
	params := make([]any, len(values))
	for i, v := range values {
		params[i] = v
	}
	parsed, err := ankql.Parse(text, params...)
	if err != nil {
		return nil, err
	}
	checked, err := s.node.prepare(s.principal, collection, parsed)
	if err != nil {
		return nil, err
	}
	return checked, s.affordable(checked)
}

func (s *session) newSubscription(m *proto.Subscribe) (*subscription, error) {
	checked, err := s.selection(m.Collection, m.Text, m.Params)
	if err != nil {
		return nil, err
	}
	sub := &subscription{session: s, number: m.Sub, cost: checked.Cost(), collection: m.Collection, sel: checked, filling: true}
	sub.reading = s.node.reading(s.principal, m.Collection, checked)
	if sub.scope, err = s.node.scope(s.principal, m.Collection); err != nil {
		return nil, err
	}
	s.subsMu.Lock()
	defer s.subsMu.Unlock()
	if s.run.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if s.entering[m.Sub] != m {
		return nil, errUnwanted
	}
	if err := errors.Join(s.roomLocked(), s.budgetLocked(sub.cost)); err != nil {
		return nil, err
	}
	if checked.Limit < 0 {
		sub.watch = sub.reading.watch(watcher{sub})
	}
	delete(s.entering, m.Sub)
	s.subs[m.Sub] = sub
	return sub, nil
}

// stop ends a subscription. Its window is left soon.
func (sub *subscription) stop() {
	sub.stopped.Store(true)
	if sub.watch != nil {
		sub.watch.Stop()
		return
	}
	sub.session.node.loop.release(func() {
		if sub.window != nil {
			sub.window.leave(sub)
		}
	})
}

func (s *session) unsubscribe(number uint64) {
	s.subsMu.Lock()
	sub := s.subs[number]
	delete(s.subs, number)
	delete(s.entering, number)
	if sub != nil {
		s.cost -= sub.cost
	}
	s.subsMu.Unlock()
	if sub != nil {
		sub.stop()
	}
}

// answer sends the rows of a new subscription. It watches already, so that what changes
// from here on is sent as well; a row that goes out twice carries its revision.
func (sub *subscription) answer(ctx context.Context, m *proto.Subscribe) error {
	n := sub.session.node
	if sub.sel.Limit >= 0 {
		return sub.answerWindow(ctx, m)
	}
	out := sub.writer(ctx)
	var err error
	if sub.reading.follows() {
		err = sub.answerAll(ctx, out, knownRows(m.Known))
	} else if from, entries, ok := n.feeds.since(m.After); ok && entries <= uint64(n.limits.ResumeEntries) {
		err = sub.resume(ctx, out, from)
	} else {
		out.complete = true
		known := knownRows(m.Known)
		err = n.scanAll(ctx, sub.collection, sub.sel, func(r *proto.Record) error { return out.row(r, known) })
	}
	if err == nil {
		err = out.done()
	}
	if m.Once {
		sub.session.unsubscribe(sub.number)
	}
	return err
}

// answerAll writes the rows of a selection that follows references, with their support. A
// position in the feed says nothing of these: what was not told of may have to do with them.
func (sub *subscription) answerAll(ctx context.Context, out *rowWriter, known heldRows) error {
	out.complete = true
	return sub.reading.first(ctx, func(at *moment) error {
		support := sub.supportWriter(out, at, known)
		err := sub.reading.each(at, func(r *proto.Record) error {
			if err := out.row(r, known); err != nil {
				return err
			}
			return support.row(r)
		})
		if err != nil {
			return err
		}
		return support.flush()
	})
}

// heldRows is what a peer holds, as it has named it.
type heldRows map[id.EntityID]proto.KnownRow

func knownRows(list []proto.KnownRow) heldRows {
	known := make(heldRows, len(list))
	for _, k := range list {
		known[k.Entity] = k
	}
	return known
}

// answerWindow sends the rows in the window.
func (sub *subscription) answerWindow(ctx context.Context, m *proto.Subscribe) error {
	n := sub.session.node
	x, err := n.extent(sub.session.principal, sub.collection, sub.sel, nil)
	if err != nil {
		return err
	}
	var rows []*proto.Record
	answer := make(chan error, 1)
	joined := n.loop.post(func() {
		n.windows.join(sub, x, func(err error) {
			if err == nil {
				rows = sub.window.rows()
			}
			answer <- err
		})
	})
	if !joined {
		return ErrClosed
	}
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	out := sub.writer(ctx)
	out.complete = true
	if err = sub.writeWindow(out, rows, knownRows(m.Known)); err == nil {
		err = out.done()
	}
	if m.Once {
		sub.session.unsubscribe(sub.number)
	}
	return err
}

// writeWindow writes rows with their support. That is read as it is by now: what has changed
// since the rows were read is sent besides.
func (sub *subscription) writeWindow(out *rowWriter, rows []*proto.Record, known heldRows) error {
	at := sub.session.node.present(out.ctx)
	at.follow(rows, sub.reading.support)
	support := sub.supportWriter(out, at, known)
	for _, r := range rows {
		err := out.row(r, known)
		if err == nil {
			err = support.row(r)
		}
		if err != nil {
			return err
		}
	}
	return support.flush()
}

// rowWriter sends an answer in frames of bounded size.
type rowWriter struct {
	session    *session
	ctx        context.Context
	number     uint64 // of the subscription or request
	collection string
	complete   bool
	lacking    []id.EntityID // of a Get, what was not there
	frame      *proto.Rows
	items      int
	bytes      int
}

// Limits of one frame of an answer.
const (
	answerItems = 1000
	answerBytes = 256 << 10
)

func (sub *subscription) writer(ctx context.Context) *rowWriter {
	return &rowWriter{session: sub.session, ctx: ctx, number: sub.number, collection: sub.collection}
}

func (w *rowWriter) next() *proto.Rows {
	if w.frame == nil {
		w.frame = &proto.Rows{Sub: w.number, Collection: w.collection, Complete: w.complete}
		w.items, w.bytes = 0, 0
	}
	return w.frame
}

// row adds a record, or just its id where the peer holds this revision.
func (w *rowWriter) row(r *proto.Record, known heldRows) error {
	s := w.session
	if s.node.policy.Read(s.principal, r.Collection, r) != nil {
		return nil
	}
	switch held, ok := known[r.Entity]; {
	case ok && held.Rev == r.Rev:
		w.next().Same = append(w.next().Same, r.Entity)
		return w.added(id.Size)
	case ok && held.Rev == 0 && held.Head == r.State.Head.Fingerprint():
		w.next().Equal = append(w.next().Equal, proto.KnownRow{Entity: r.Entity, Rev: r.Rev, Head: held.Head})
		return w.added(2 * id.Size)
	}
	w.next().Rows = append(w.next().Rows, proto.Row{Entity: r.Entity, Rev: r.Rev, State: r.State})
	return w.added(stateSize(r.State))
}

func stateSize(s *proto.State) int {
	size := 32 + 18*len(s.Head)
	for i := range s.Properties {
		size += 8 + len(s.Properties[i].Name) + s.Properties[i].Value.Size() + len(s.Properties[i].Data)
	}
	return size
}

func (w *rowWriter) gone(e id.EntityID) error {
	w.next().Gone = append(w.next().Gone, e)
	return w.added(id.Size)
}

func (w *rowWriter) absent(e id.EntityID) error {
	w.next().Absent = append(w.next().Absent, e)
	return w.added(id.Size)
}

func (w *rowWriter) added(bytes int) error {
	w.items++
	w.bytes += bytes
	if w.items < answerItems && w.bytes < answerBytes {
		return nil
	}
	return w.flush()
}

// flush sends the frame that is being filled, if there is one.
func (w *rowWriter) flush() error {
	if w.frame == nil {
		return nil
	}
	frame := w.frame
	w.frame = nil
	return w.send(frame)
}

func (w *rowWriter) done() error {
	frame := w.next()
	w.frame = nil
	frame.Done = true
	return w.send(frame)
}

// send sends part of an answer. It was read while transactions were being stored: those that
// it shows are published first, so that the peer hears of all that each of them did before it
// is sent a row that shows it.
func (w *rowWriter) send(frame *proto.Rows) error {
	n := w.session.node
	if err := n.abreast(w.ctx); err != nil {
		return err
	}
	if n.durable.shows(frame.Rows) { // the loop stores, and then publishes
		if err := n.loop.call(w.ctx, func() {}); err != nil {
			return err
		}
	}
	encoded := proto.AppendFrame(nil, frame)
	for {
		if w.session.telling.answer(w, frame, &encoded) {
			return nil
		}
		select {
		case <-w.session.out.room:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
}

// resume sends what changed after the given entries of the feeds: rows that match now, and
// rows that did as of these or at any time since. (The peer may hold one that matched only in
// between: it may have made it so itself.) Other rows are none of its business.
func (sub *subscription) resume(ctx context.Context, out *rowWriter, from map[id.NodeID]uint64) error {
	n := sub.session.node
	past, order, err := sub.changesSince(ctx, from)
	if err != nil {
		return err
	}
	for len(order) > 0 {
		page := order[:min(len(order), storage.MaxPage)]
		order = order[len(page):]
		records, err := n.engine.Records(ctx, page)
		if err != nil {
			return err
		}
		for i, r := range records {
			if r == nil {
				continue
			}
			if err := sub.resumeRow(out, r, sub.matched(r, past[page[i]])); err != nil {
				return err
			}
		}
	}
	return nil
}

// changesSince reads the changes of the collection's entities after the given entries of the
// feeds, and the entities in the order in which they come.
func (sub *subscription) changesSince(ctx context.Context, from map[id.NodeID]uint64) (past map[id.EntityID][]*proto.Change, order []id.EntityID, err error) {
	past = make(map[id.EntityID][]*proto.Change)
	for feed, after := range from {
		for {
			entries, err := sub.session.node.engine.Feed(ctx, feed, after, storage.MaxPage)
			if err != nil {
				return nil, nil, err
			}
			if len(entries) == 0 {
				break
			}
			for _, entry := range entries {
				after = entry.Seq
				for i := range entry.Changes {
					c := &entry.Changes[i]
					if c.Collection != sub.collection {
						continue
					}
					if past[c.Entity] == nil {
						order = append(order, c.Entity)
					}
					past[c.Entity] = append(past[c.Entity], c)
				}
			}
		}
	}
	if len(from) > 1 { // the feeds are read one after the other
		for _, changes := range past {
			slices.SortFunc(changes, func(a, b *proto.Change) int { return cmp.Compare(a.Rev, b.Rev) })
		}
	}
	return past, order, nil
}

// matched reports whether a row matched, and the peer could see it, before any of the
// given changes, oldest first.
func (sub *subscription) matched(r *proto.Record, changes []*proto.Change) bool {
	row := pastRow{r, make(map[string]value.Value)}
	for _, c := range slices.Backward(changes) {
		if len(c.Before) == 0 {
			return false // it did not exist
		}
		for _, f := range c.Undo {
			row.undone[f.Name] = f.Value
		}
		if !row.deleted() && sub.sel.Matches(row) && sub.readable(row) {
			return true
		}
	}
	return false
}

func (sub *subscription) resumeRow(out *rowWriter, r *proto.Record, matched bool) error {
	matches := visible(r) != nil && sub.sel.Matches(r)
	switch {
	case !matches && !matched:
		return nil
	case sub.readable(r):
		return out.row(r, nil)
	case matched:
		return out.gone(r.Entity)
	}
	return nil // it never saw the row
}

// readable reports whether the peer may see a row as it is.
func (sub *subscription) readable(row policy.Fields) bool {
	return sub.readableBy(row, nil)
}

// readableBy is readable where the scope may follow references.
func (sub *subscription) readableBy(row policy.Fields, from ankql.Resolver) bool {
	if sub.scope != nil && !sub.scope.MatchesWith(row, from) {
		return false
	}
	return sub.session.node.policy.Read(sub.session.principal, sub.collection, row) == nil
}

// watcher hears for a subscription. Its transactions are settled by the session, once
// for all of its subscriptions.
type watcher struct{ sub *subscription }

// What follows runs on the loop.

// Touch implements reactor.Watcher.
func (w watcher) Touch(_ *reactor.Watch, c *reactor.Change, before, after bool) {
	defer w.sub.session.survive()
	if before || after {
		w.sub.tell(c, before && !w.sub.filling)
	}
}

// Settle implements reactor.Watcher.
func (w watcher) Settle(t *reactor.Transaction) {
	defer w.sub.session.survive()
	w.sub.session.settle(t)
}

// Lost implements reactor.Follower.
func (w watcher) Lost(_ *reactor.Watch, err error) { w.sub.session.lost(err) }

// lost ends the connection: the peer comes again, and is answered anew.
func (s *session) lost(err error) {
	s.node.opts.Listener.failed("session", err)
	s.run.end(err)
	s.conn.Close("internal error")
}

// survive keeps a defect of the policy agent, which judges rows, to this connection.
func (s *session) survive() {
	if cause := recover(); cause != nil {
		s.lost(recovered("judging a row", cause))
	}
}

// add notes that a row's change is to be sent; held says that the peer holds the row as it
// was before.
func (f *sessionFeed) add(sub *subscription, c *reactor.Change, held bool) {
	n := sub.session.node
	hidden := c.Stored == nil || !sub.readableBy(c.Stored, n.shown)
	seen := c.Before != nil
	if hidden && seen {
		before := ankql.Resolver(n.shown)
		if n.world != nil {
			before = &n.world.before
		}
		seen = sub.readableBy(c.Before, before)
	}
	f.note(c, held, hidden, seen)
}

// note is add where it is known whether the peer may see the row as it is (else it is
// hidden), and as it was (seen). What it never saw it does not hear of.
func (f *sessionFeed) note(c *reactor.Change, held, hidden, seen bool) {
	row := f.changes[c.Entity]
	if row == nil {
		if hidden && !seen {
			return
		}
		row = &pendingRow{change: c, whole: true, hidden: hidden}
		f.put(row)
	}
	if held {
		row.whole = false
	}
}

func (f *sessionFeed) put(row *pendingRow) {
	if f.changes == nil {
		f.changes = make(map[id.EntityID]*pendingRow)
	}
	f.changes[row.change.Entity] = row
	f.order = append(f.order, row.change.Entity)
}

// settle sends a transaction's effect on the session's subscriptions, once.
func (s *session) settle(t *reactor.Transaction) {
	f := &s.feed
	if len(f.changes) == 0 && len(f.windows) == 0 {
		return
	}
	for _, sub := range f.windows {
		sub.moved(t)
	}
	if err := s.node.shown.err; err != nil {
		f.take()
		s.lost(err)
		return
	}
	if rows := f.take(); len(rows) > 0 {
		if err := s.telling.tell(t, rows); err != nil {
			s.stopReading(err)
		}
	}
}

// take returns the rows that were collected, in order, and makes room for the next.
func (f *sessionFeed) take() []*pendingRow {
	rows := make([]*pendingRow, 0, len(f.order))
	for _, e := range f.order {
		rows = append(rows, f.changes[e])
	}
	*f = sessionFeed{}
	return rows
}

func update(t *reactor.Transaction, rows []*pendingRow) *proto.Update {
	m := &proto.Update{Position: t.Position, Transaction: t.ID, Changes: make([]proto.RowChange, len(rows))}
	for i, row := range rows {
		m.Changes[i] = row.encode()
	}
	return m
}

// encode writes a row's change for a peer that holds what it was before, or not.
func (p *pendingRow) encode() proto.RowChange {
	c := p.change
	row := proto.RowChange{Collection: c.Collection, Entity: c.Entity, Rev: c.Rev}
	switch {
	case p.hidden:
		row.Kind = proto.RowGone
	case p.whole || c.Before == nil || c.Recalled:
		row.Kind, row.Head, row.Properties = proto.RowState, c.Stored.State.Head, c.Stored.State.Properties
	default:
		row.Kind, row.Head, row.Properties = proto.RowPatch, c.Stored.State.Head, entity.Patch(c.Before.State, c.Stored.State)
	}
	return row
}

// moved notes the rows that came into a window because others left.
func (sub *subscription) moved(t *reactor.Transaction) {
	at := sub.session.node.shown
	for _, c := range sub.window.finish(t) {
		if c.Kind == resultset.Removed {
			continue
		}
		f := &sub.session.feed
		f.state(c.Row)
		sub.reading.supporting(c.Row, at, sub.eyes(at), func(x referred) {
			if x.record == nil || x.hidden {
				sub.hide(x)
			} else {
				f.state(x.record)
			}
		})
	}
}

// sent is called after every frame that went out: models that there was no room for are sent
// once the queue has drained.
func (s *session) sent() {
	if s.out.drained() && s.catalogBehind.CompareAndSwap(true, false) {
		s.out.must(&proto.Catalog{Models: s.node.catalog.all()})
	}
}

// pastRow reads a record as it was before some changes.
type pastRow struct {
	record *proto.Record
	undone map[string]value.Value
}

// Field implements ankql.Fields.
func (p pastRow) Field(name string) value.Value {
	if v, ok := p.undone[name]; ok {
		return v
	}
	return p.record.Field(name)
}

func (p pastRow) deleted() bool {
	deleted, _ := p.Field(proto.Deleted).AsBool()
	return deleted
}

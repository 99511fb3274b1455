package core

import (
	"context"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/proto"
)

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
		n.sequencer().windows.join(sub, x, func(err error) {
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
	return w.added(r.State.Size())
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

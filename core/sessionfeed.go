package core

import (
	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/entity"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/reactor"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/proto"
)

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

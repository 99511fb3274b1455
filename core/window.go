package core

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/core/policy"
	"github.com/ankurah-go/ankurah/core/resultset"
	"github.com/ankurah-go/ankurah/core/schema"
	"github.com/ankurah-go/ankurah/proto"
	"github.com/ankurah-go/ankurah/storage"
)

// Window is a part of a live query's rows: up to Before of them before the anchor, and up to
// After from it on. There are never more, and never fewer while there are others on that
// side. Rows come, go and move around the anchor; it stays where it is.
type Window struct {
	Anchor        Anchor
	Before, After int
}

// MaxWindow bounds the rows on each side of an anchor.
const MaxWindow = 1 << 20

// Anchor is a place in a selection's order. The zero Anchor is AtStart.
type Anchor struct {
	kind   anchorKind
	cursor ankql.Cursor
	entity id.EntityID
	index  int
}

type anchorKind uint8

const (
	anchorStart anchorKind = iota
	anchorEnd
	anchorCursor
	anchorEntity
	anchorIndex
)

// AtStart and AtEnd are before and behind all rows.
var (
	AtStart = Anchor{}
	AtEnd   = Anchor{kind: anchorEnd}
)

// AtCursor is a cursor's position: of the rows, the first from the anchor on is the one that
// the cursor was made from, if it is still there.
func AtCursor(c ankql.Cursor) Anchor { return Anchor{kind: anchorCursor, cursor: c} }

// AtEntity is where an entity stands when the window is made, whether or not the selection
// is true of it. The anchor does not follow the entity.
func AtEntity(e id.EntityID) Anchor { return Anchor{kind: anchorEntity, entity: e} }

// AtIndex is the position, when the window is made, of the row with so many before it, or
// of the last one if there are fewer. Finding it takes time with the index.
func AtIndex(index int) Anchor { return Anchor{kind: anchorIndex, index: max(index, 0)} }

// WindowState is where the rows of a window stand in their order. States can be compared
// with ==.
type WindowState struct {
	// Anchor is how many of the rows stand before the anchor: the index of the first that
	// does not.
	Anchor int
	// HasBefore and HasAfter say whether there are rows before the first and after the last;
	// as far as this node knows while the status is not QueryLive.
	HasBefore, HasAfter bool
	// First and Last are the cursors of the first row and of the last, zero without rows.
	First, Last ankql.Cursor
	// Position is the anchor's, zero at the start and at the end.
	Position ankql.Cursor
}

// extent is what a live query shows: a selection's rows, or a window of them.
type extent struct {
	reading *reading
	window  *Window // nil for none
	place   resultset.Window
	key     string // equal for what shares a result; "" if nothing does

	// What is scanned on the sides where no row is held yet, by resultset.Side, and where
	// some are.
	near, far [2]*reading
}

// extent checks a selection, which has been prepared, with a window.
func (n *Node) extent(p policy.Principal, collection string, s *ankql.Selection, w *Window) (*extent, error) {
	x := &extent{reading: n.reading(p, collection, s)}
	if w != nil {
		if s.Limit != ankql.NoLimit {
			return nil, &ankql.Error{Pos: -1, Expected: "a selection without LIMIT", Got: "LIMIT " + strconv.Itoa(s.Limit), Hint: "the window says how many rows"}
		}
		if w.Before < 0 || w.After < 0 || w.Before > MaxWindow || w.After > MaxWindow {
			return nil, fmt.Errorf("%w: a window of %d and %d rows; each side has 0 to %d", ErrLimit, w.Before, w.After, MaxWindow)
		}
		own := *w
		x.window = &own
	}
	if !x.resolved() {
		return x, nil
	}
	return x, x.settle()
}

// resolved reports whether nothing about the anchor is to be looked up.
func (x *extent) resolved() bool { return x.window == nil || x.window.Anchor.kind < anchorEntity }

// settle works out what follows from the anchor.
func (x *extent) settle() (err error) {
	r, s := x.reading, x.reading.sel
	x.place = resultset.Whole(s)
	x.near, x.far = [2]*reading{resultset.After: r}, [2]*reading{resultset.After: r}
	if x.window != nil {
		x.place = resultset.Window{Before: x.window.Before, After: x.window.After}
		back := r.of(s.Reversed())
		x.near[resultset.Before], x.far[resultset.Before] = back, back
		switch x.window.Anchor.kind {
		case anchorEnd:
			x.place.Anchor = resultset.End
		case anchorCursor:
			if err := x.cut(x.window.Anchor.cursor); err != nil {
				return err
			}
		}
	}
	x.key = r.node.resultKey(x)
	return nil
}

func (x *extent) cut(c ankql.Cursor) error {
	s := x.reading.sel
	key, err := s.AppendCursorKey(nil, c)
	if err != nil {
		return err
	}
	from, err := s.From(c)
	if err != nil {
		return err
	}
	before, err := s.Before(c)
	if err != nil {
		return err
	}
	x.place.Anchor = resultset.At(key)
	x.near = [2]*reading{resultset.After: x.reading.of(from), resultset.Before: x.reading.of(before)}
	return nil
}

// of returns a reading of another selection by the same principal.
func (r *reading) of(s *ankql.Selection) *reading {
	return r.node.reading(r.principal, r.collection, s)
}

// resultKey returns what extents that show the same have in common, to the same audience;
// "" where nobody else may be shown it.
func (n *Node) resultKey(x *extent) string {
	audience := ""
	if n.opts.Durable {
		var ok bool
		if audience, ok = policy.AudienceOf(n.policy, x.reading.principal); !ok {
			return ""
		}
	}
	key := x.reading.collection + "\n" + x.reading.sel.Key() + "\n" + audience
	if w := x.window; w != nil {
		key += fmt.Sprintf("\n%d %d %d %s", w.Anchor.kind, w.Before, w.After, w.Anchor.cursor)
	}
	return key
}

// newSet returns an empty set for the extent's rows.
func (x *extent) newSet() *resultset.Set { return resultset.NewWindow(x.reading.sel, x.place) }

// fill scans what a set needs.
func (x *extent) fill(at *moment, set *resultset.Set) error {
	for n, ok := set.Need(); ok; n, ok = set.Need() {
		rows, more, err := x.scan(at, n)
		if err != nil {
			return err
		}
		set.Follow(x.reading.resolver(at))
		set.Fill(n, rows, more)
	}
	return at.err
}

func (x *extent) scan(at *moment, n resultset.Need) (rows []*proto.Record, more bool, err error) {
	switch {
	case n.N < 0: // in any order: the set sorts them
		err = x.reading.eachPage(at, func(page []*proto.Record) error {
			rows = append(rows, page...)
			return at.keep(page)
		})
		return rows, false, err
	case n.From == nil:
		return x.near[n.Side].scan(at, nil, n.N)
	}
	return x.far[n.Side].scan(at, n.From, n.N)
}

// side is one side of an extent, as it is asked for upstream.
type side struct {
	side resultset.Side
	sel  *ankql.Selection
}

// sides returns what to subscribe to upstream: without a limit the order does not matter;
// with one, some rows more than are shown, so that a row which a pending change takes away
// is replaced at once.
//
// A selection that asks for the rows' Sync is evaluated on this node, which is why it is asked
// for all rows that can match: those that match if they are synced, and those that were refused,
// which are held here and kept in step.
func (x *extent) sides() []side {
	if x.reading.restated {
		return x.restatedSides()
	}
	if x.window == nil {
		wide := *x.reading.sel
		if wide.Limit < 0 {
			// Except by what is behind references, which is wanted with the rows.
			wide.Order = slices.DeleteFunc(slices.Clone(wide.Order), func(o ankql.Order) bool { return !o.FollowsReferences() })
		} else {
			wide.Limit += resultset.Slack(wide.Limit)
		}
		return []side{{resultset.After, &wide}}
	}
	var list []side
	for i, size := range [2]int{resultset.After: x.window.After, resultset.Before: x.window.Before} {
		kind := x.window.Anchor.kind
		if kind == anchorStart && i == int(resultset.Before) || kind == anchorEnd && i == int(resultset.After) {
			continue
		}
		limited := *x.near[i].sel
		limited.Limit = size + resultset.Slack(size)
		list = append(list, side{resultset.Side(i), &limited})
	}
	return list
}

func (x *extent) restatedSides() []side {
	sel := x.reading.sel
	list := []side{{resultset.After, unordered(sel.Synced().Where)}}
	if ankql.WhereSync(sel.Where, schema.Refused) != ankql.False {
		if refused, ok := x.reading.node.overlay.inState(maxTargets, proto.Refused); ok && len(refused) > 0 {
			sort.Slice(refused, func(i, j int) bool { return refused[i].Compare(refused[j].ULID) < 0 })
			list = append(list, side{resultset.After, unordered(ankql.Naming(schema.ID, refused))})
		}
	}
	return list
}

func unordered(where ankql.Expr) *ankql.Selection {
	return &ankql.Selection{Where: where, Limit: ankql.NoLimit}
}

// state returns where rows stand, as of the loop's moment; nil without a window.
func (x *extent) state(rows resultset.Rows) *WindowState {
	if x.window == nil {
		return nil
	}
	s := &WindowState{Anchor: rows.Anchor, HasBefore: rows.HasBefore, HasAfter: rows.HasAfter, Position: x.window.Anchor.cursor}
	if n := rows.Len(); n > 0 {
		first, last, from := rows.At(0), rows.At(n-1), x.reading.now()
		s.First = x.reading.sel.Cursor(first, first.Entity, from)
		s.Last = x.reading.sel.Cursor(last, last.Entity, from)
	}
	return s
}

// resolve looks the anchor up.
func (x *extent) resolve(ctx context.Context) error {
	a := &x.window.Anchor
	var cursor ankql.Cursor
	var err error
	if a.kind == anchorEntity {
		cursor, err = x.cursorOf(ctx, a.entity)
	} else {
		cursor, _, err = x.reading.locate(ctx, a.index)
	}
	switch {
	case err != nil:
		return err
	case cursor.IsZero(): // there are no rows
		*a = AtStart
	default:
		*a = AtCursor(cursor)
	}
	return x.settle()
}

// cursorOf returns where an entity stands. What this node holds of it, and of what the order
// reads behind references, may be of some time ago, so it asks the durable node; not about
// an entity with changes that one may not have.
func (x *extent) cursorOf(ctx context.Context, e id.EntityID) (ankql.Cursor, error) {
	r := x.reading
	if r.node.replica == nil || r.restated || e.IsZero() { // the frame means an index without an entity
		return r.standing(ctx, e)
	}
	here, err := r.node.record(ctx, e)
	if err != nil || here != nil && here.Base != nil {
		return r.standing(ctx, e)
	}
	cursor, _, err := r.node.replica.locate(ctx, r, &proto.Locate{Entity: e})
	if errors.Is(err, ErrOffline) {
		return r.standing(ctx, e)
	}
	return cursor, err
}

// standing returns where an entity stands as far as this node knows.
func (r *reading) standing(ctx context.Context, e id.EntityID) (ankql.Cursor, error) {
	c := &Context{r.node, r.principal}
	view, err := c.Get(ctx, r.collection, e)
	if err != nil {
		return ankql.Cursor{}, err
	}
	at := r.node.present(ctx)
	cursor := r.sel.Cursor(view.record, e, r.resolver(at))
	return cursor, at.err
}

// Locate returns the cursor of the row of a selection with so many before it, or, if there
// are not that many, of the last one, and its index; without rows the cursor is zero. An
// ephemeral node that is connected asks the durable node. It takes time with the index.
func (c *Context) Locate(ctx context.Context, collection string, s *ankql.Selection, index int) (_ ankql.Cursor, _ int, err error) {
	defer wrap(&err, "locate")
	checked, err := c.node.prepare(c.principal, collection, s)
	if err != nil {
		return ankql.Cursor{}, 0, err
	}
	return c.node.reading(c.principal, collection, checked).locate(ctx, max(index, 0))
}

// locate is Locate for a reading.
func (r *reading) locate(ctx context.Context, index int) (ankql.Cursor, int, error) {
	if replica := r.node.replica; replica != nil && !r.restated {
		cursor, at, err := replica.locate(ctx, r, &proto.Locate{Index: uint64(index)})
		if !errors.Is(err, ErrOffline) {
			return cursor, at, err
		}
	}
	return r.walk(ctx, index)
}

// walk finds the row of an index among those that this node holds.
func (r *reading) walk(ctx context.Context, index int) (ankql.Cursor, int, error) {
	if limit := r.sel.Limit; limit >= 0 {
		index = min(index, limit-1)
	}
	var last *proto.Record
	var after []byte
	at, seen := r.node.present(ctx), 0
	for more := index >= 0; more && seen <= index; {
		var rows []*proto.Record
		var err error
		if rows, more, err = r.scan(at, after, min(storage.MaxPage, index+1-seen)); err != nil {
			return ankql.Cursor{}, 0, err
		}
		if len(rows) == 0 {
			break
		}
		last, seen = rows[len(rows)-1], seen+len(rows)
		after = r.sel.AppendSortKeyWith(nil, last, last.Entity, r.resolver(at))
		if err := ctx.Err(); err != nil {
			return ankql.Cursor{}, 0, err
		}
	}
	if last == nil {
		return ankql.Cursor{}, 0, at.err
	}
	return r.sel.Cursor(last, last.Entity, r.resolver(at)), seen - 1, at.err
}

// located is the answer to a Locate.
type located struct {
	cursor ankql.Cursor
	index  int
	err    error
}

// locate asks the durable node.
func (r *replica) locate(ctx context.Context, what *reading, m *proto.Locate) (ankql.Cursor, int, error) {
	outcome := make(chan located, 1)
	m.Collection = what.collection
	m.Text, m.Params = what.sel.Text()
	if !r.node.loop.post(func() {
		if r.peer == nil {
			outcome <- located{err: ErrOffline}
			return
		}
		r.peer.locate(m, func(m *proto.Located, err error) {
			out := located{err: err}
			if err == nil {
				out.cursor, out.err = ankql.ParseCursor(m.Cursor)
				out.index = int(min(m.Index, math.MaxInt))
			}
			outcome <- out
		})
	}) {
		return ankql.Cursor{}, 0, ErrClosed
	}
	select {
	case out := <-outcome:
		return out.cursor, out.index, out.err
	case <-ctx.Done():
		return ankql.Cursor{}, 0, ctx.Err()
	case <-r.node.run.ctx.Done():
		return ankql.Cursor{}, 0, ErrClosed
	}
}

// locate answers a Locate.
func (s *session) locate(ctx context.Context, m *proto.Locate) error {
	selection, err := s.selection(m.Collection, m.Text, m.Params)
	if err != nil {
		return err
	}
	reading := s.node.reading(s.principal, m.Collection, selection)
	var cursor ankql.Cursor
	var index int
	if m.Entity.IsZero() {
		cursor, index, err = reading.walk(ctx, int(min(m.Index, math.MaxInt32)))
	} else {
		cursor, err = reading.standing(ctx, m.Entity)
	}
	if err != nil {
		return err
	}
	s.out.must(&proto.Located{Request: m.Request, Cursor: cursor.String(), Index: uint64(index)})
	return nil
}

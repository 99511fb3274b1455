package core

import (
	"context"
	"slices"
	"strconv"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/proto"
)

// PageAt says which page of a selection's rows is wanted: the one after a cursor, the one
// before, or, with neither, the first.
type PageAt struct {
	After, Before ankql.Cursor
}

// Page is rows that follow each other.
type Page struct {
	Views []*View
	// Next is where the next page begins (PageAt.After), zero if there are no more rows.
	Next ankql.Cursor
	// Previous is where the page before ends (PageAt.Before), zero if there are no rows
	// before. Where the page was asked for by After, there may have been some that are gone.
	Previous ankql.Cursor
}

// FetchPage returns a page of a selection's rows, as many as its LIMIT says, as Fetch would.
// Cursors are positions in the order, so pages fit together while rows come and go; one of
// another order is ankql.ErrCursor.
func (c *Context) FetchPage(ctx context.Context, collection string, s *ankql.Selection, at PageAt) (_ *Page, err error) {
	defer wrap(&err, "fetch page")
	checked, err := c.node.prepare(c.principal, collection, s)
	if err != nil {
		return nil, err
	}
	size := checked.Limit
	if size <= 0 || size > MaxWindow || !at.After.IsZero() && !at.Before.IsZero() {
		return nil, &ankql.Error{Pos: -1, Expected: "a LIMIT from 1 to " + strconv.Itoa(MaxWindow) + ", and one cursor at most", Got: "LIMIT " + strconv.Itoa(size)}
	}
	back := !at.Before.IsZero()
	wanted := checked
	switch {
	case back:
		wanted, err = checked.Before(at.Before)
	case !at.After.IsZero():
		wanted, err = checked.After(at.After)
	}
	if err != nil {
		return nil, err
	}
	more := *wanted
	more.Limit = size + 1 // to know whether there are any
	views, err := c.fetch(ctx, collection, &more)
	if err != nil {
		return nil, err
	}
	return c.page(ctx, collection, checked, views, at, size)
}

// page cuts off the row that only shows that there are more, and makes the cursors.
func (c *Context) page(ctx context.Context, collection string, s *ankql.Selection, views []*View, at PageAt, size int) (*Page, error) {
	back, more := !at.Before.IsZero(), len(views) > size
	p := &Page{Views: views[:min(size, len(views))]}
	if back {
		slices.Reverse(p.Views)
	}
	if len(p.Views) == 0 {
		p.Next, p.Previous = at.Before, at.After // what lies on the other side of the gap
		return p, nil
	}
	moment := c.node.present(ctx)
	from := c.node.reading(c.principal, collection, s).resolver(moment)
	cursor := func(r *proto.Record) ankql.Cursor { return s.Cursor(r, r.Entity, from) }
	if back || more {
		p.Next = cursor(p.Views[len(p.Views)-1].record)
	}
	if back && more || !at.After.IsZero() {
		p.Previous = cursor(p.Views[0].record)
	}
	return p, moment.err
}

package ankurah

import (
	"context"

	"github.com/ankurah-go/ankurah/ankql"
	"github.com/ankurah-go/ankurah/core"
)

// Places in the order of a selection's rows, and what is shown around one.
type (
	// Cursor is a position in an order, as text for URLs and storage. It stays good while rows
	// come, go and change.
	Cursor = ankql.Cursor
	// Window is a part of a live query's rows around an anchor.
	Window = core.Window
	// Anchor is a place in an order.
	Anchor = core.Anchor
	// WindowState is where the rows of a window stand in their order.
	WindowState = core.WindowState
	// PageAt says which page is wanted.
	PageAt = core.PageAt
)

// The ends of an order, as anchors.
var (
	AtStart = core.AtStart
	AtEnd   = core.AtEnd
)

// AtCursor is the anchor at a cursor's position.
func AtCursor(c Cursor) Anchor { return core.AtCursor(c) }

// AtEntity is the anchor where an entity stands when the window is made.
func AtEntity(e EntityID) Anchor { return core.AtEntity(e) }

// AtIndex is the anchor at the row with so many before it when the window is made, or at
// the last one.
func AtIndex(index int) Anchor { return core.AtIndex(index) }

// ParseCursor reads a cursor's text.
func ParseCursor(text string) (Cursor, error) { return ankql.ParseCursor(text) }

// Page is rows that follow each other, and where to go on.
type Page[T any] struct {
	Rows []View[T]
	// Next begins the next page (PageAt.After), zero if there are no more rows; Previous ends
	// the page before (PageAt.Before), zero if there are no rows before.
	Next, Previous Cursor
}

// FetchPage returns the page of a selection's rows that is wanted, as many as the text's
// LIMIT says. See Fetch for what an ephemeral node answers from.
func FetchPage[T any](ctx context.Context, c *Context, at PageAt, text string, params ...any) (Page[T], error) {
	m, s, err := selectionOf[T](c, "fetch page", text, params)
	if err != nil {
		return Page[T]{}, err
	}
	p, err := c.FetchPage(ctx, m.model.Collection, s, at)
	if err != nil {
		return Page[T]{}, err
	}
	rows, err := readAll[T](m, p.Views)
	return Page[T]{Rows: rows, Next: p.Next, Previous: p.Previous}, err
}

// Locate returns the cursor of the row with so many before it, or of the last one, and its
// index. It takes time with the index.
func Locate[T any](ctx context.Context, c *Context, index int, text string, params ...any) (Cursor, int, error) {
	m, s, err := selectionOf[T](c, "locate", text, params)
	if err != nil {
		return Cursor{}, 0, err
	}
	return c.Locate(ctx, m.model.Collection, s, index)
}

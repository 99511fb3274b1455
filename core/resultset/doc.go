// Package resultset keeps the rows of one selection in order, or a window of them.
//
// A window is an anchor, which is a place in the order, with up to so many rows before it
// and so many from it on. A selection with LIMIT is a window from the start; one without
// has no bounds. The anchor is a place and not a row: rows come, go and move around it.
//
// A Set is told of rows that match ([Set.Put]) and rows that do not ([Set.Remove]). It
// does not fetch: when rows have left a window, [Set.Need] says how many rows on which
// side would make it whole, and [Set.Fill] takes them. What happened between Begin and End
// comes out as one list of changes.
//
//	R1  the visible rows are sorted by the selection's sort key, ties by entity id
//	R2  never more rows are visible on a side of the anchor than the window says, and
//	    fewer only if there are no more (once Need asks for nothing)
//	R3  applying the changes in order to the visible rows before gives those after
//	R4  a row older (by Rev) than the one held changes nothing; one of the same Rev can
//	    only change its place, which depends on other entities where the order follows
//	    references
//	R5  once Need asks for nothing, HasBefore and HasAfter are exact
//	R6  what a transaction costs follows the rows that it changes and shows, not the rows
//	    that are held
//
// A window holds some rows more than it shows (the slack), so that most rows that leave are
// replaced, and most that a move brings are shown, without a scan.
//
// # How it is kept
//
// The rows held are one run of the order, without gaps, in chunks of a few hundred. A Set
// knows how far that run reaches on either side: rows beyond are for Fill to bring. Chunks
// are copied when they change while somebody reads them, so that [Set.Rows] costs a list of
// chunks and not a list of rows, and what it returns never changes.
//
// # Concurrency
//
// A Set is not safe for concurrent use; what owns it guards it. [Rows] are immutable.
package resultset

// Package resultset keeps the rows of one selection in order, and under LIMIT a window
// of them.
//
// A Set is told of rows that match ([Set.Put]) and rows that do not ([Set.Remove]). It
// does not fetch: when rows have left a window, [Set.Need] says how many rows after
// which sort key would make it whole, and [Set.Fill] takes them. What happened between
// Begin and End comes out as one list of changes.
//
//	R1  the visible rows are sorted by the selection's sort key, ties by entity id
//	R2  never more than LIMIT rows are visible, and fewer only if there are no more
//	    (once Need asks for nothing)
//	R3  applying the changes in order to the visible rows before gives those after
//	R4  a row older (by Rev) than the one held changes nothing; one of the same Rev can
//	    only change its place, which depends on other entities where the order follows
//	    references
//
// A window holds some rows more than it shows (the slack), so that most rows that leave
// are replaced without a scan.
//
// # Concurrency
//
// A Set is not safe for concurrent use; the live query that owns it guards it.
package resultset

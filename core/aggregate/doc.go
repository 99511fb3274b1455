// Package aggregate keeps what is known of groups of rows while rows come and go: counts,
// sums, means, extremes and numbers of different values.
//
// A [Table] is given rows to add and rows to remove, each at a cost that does not depend on
// how many there are, and has for each group a [Group] to show. It keeps nothing per row,
// with two exceptions: COUNT DISTINCT keeps each different value once, and MIN and MAX
// keep the few best rows. When all of those have left, the table says which group is short
// (Short) and takes the next best from whoever can read rows in order (Fill).
//
// A1  what a table shows depends on the rows that are in it, and not on the order in which
// rows came and went: a table that was kept in step is equal, bit for bit, to one that was
// filled anew. Sums are therefore exact (see [Sum]), and rounded once, when they are shown.
//
// # Parts
//
// What a group shows does not say enough to go on from: a sum has been rounded, a mean has
// lost its weight. Whoever continues another's work takes the parts ([Group.Parts]), as an
// ephemeral node does that adds its own pending changes to what a durable node has counted:
// [Combine] puts the parts of a group together with a table of what is different here
// ([NewDifference]).
//
// # Concurrency
//
// A table belongs to one goroutine at a time. Groups that it has returned are not changed.
//
// # Errors
//
// [ErrGroups] and [ErrValues] say that a limit was exceeded; the table is of no use then.
// [ErrParts] says that parts are none.
package aggregate

// Package plan turns a selection into reads of ordered keys: which entities to look up, or
// which ranges of which index to walk, and what is left to evaluate.
//
// It is shared by the engines over a key-value store, which keep for every [Index] one
// entry per entity under [Index.AppendKey]. The functions here are pure: they read
// selections and descriptions of indexes, and no data.
//
// A plan can change speed, never answers (laws P1 to P4, each a test):
//
//	P1  every entity that matches lies in the plan's entities or ranges
//	P2  an entity that lies there matches if it matches the plan's residual
//	P3  where Ordered is set, walking the ranges as the plan says gives the
//	    selection's order
//	P4  every entity that matches lies within one of the alternatives of Bounds
//
// # How a predicate becomes ranges
//
// The predicate is written as a disjunction of boxes. A box says for some paths which
// values they may take, as a set of spans of their encoded keys (value.AppendKey), so that
// NULL, families of values, and int against float need no cases of their own. What
// cannot be said so (two properties compared, a pattern) stays in the residual. A box
// and an index give ranges: the first columns that take single values are a prefix, the
// next one may take spans, the rest is free. Where no index serves all boxes, each may have
// its own, and the plan is the union of the walks.
//
// # What is chosen
//
// The cost of a plan is what it is expected to read. How much of a collection lies in a
// plan's ranges is guessed from the form of the predicate; where that could mislead, the
// entries are counted ([Statistics]). An ordered plan can stop when it has found as many
// as are wanted, and so costs what its answer costs, unless little of what it reads
// matches. [Suggest] weighs the same when it proposes an index.
//
// # Concurrency
//
// Plans and indexes are immutable once made.
package plan

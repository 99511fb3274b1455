// Package verify holds a store against itself: what its records say against what its events
// lead to, and its change feeds against both.
//
// [Store] goes through a store entity by entity, in memory that does not grow with it, except
// for the ids of the events of one entity at a time. It recomputes each state from the
// entity's events, in ascending order of ids, which has parents before children, and compares
// heads, values and what the kinds of properties keep to merge. It finds
//
//   - rows that cannot be read, events whose id or digest does not fit their content among them;
//   - events whose parents are missing, or that break the monotone rule;
//   - records whose state or head is not what the events lead to, or that name another
//     collection than their events;
//   - events without a record, and records without events;
//   - feeds with gaps, and entries that name events or entities that are not there;
//   - events that no feed names, and revisions that do not add up, as numbers of all entities;
//   - collections of which a scan returns more or fewer entities than there are.
//
// It changes nothing. The store is not to be written to meanwhile: what is committed during
// the walk may be reported.
//
// # Concurrency
//
// Store blocks until it is done or its context ends.
//
// # Errors
//
// Those of the engine. What is wrong with the data is no error but a [Finding].
package verify

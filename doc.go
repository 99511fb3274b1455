// Package ankurah keeps application state in step, in real time, on every machine that
// shows it.
//
// Define a model once, as a struct:
//
//	type Album struct {
//		Name   string `ankurah:"name,text"`
//		Artist string `ankurah:"artist"`
//		Year   int    `ankurah:"year"`
//	}
//
// A durable node ([NewDurable]) keeps every change; ephemeral nodes ([New]) hold what they
// show and what they made, work offline, and connect by a connector (local, ws). Reads
// and writes go through a [Context]: [Query] opens a live query, [Fetch] and [Get] read
// once, and a transaction ([Context.Begin]) with [Create], [Update] and [Delete] changes
// any number of entities together or not at all.
//
// The package is a typed front of package core: its nodes, contexts and transactions are
// core's, and everything that is not about Go structs is documented there.
//
// # Models
//
// Exported fields with the tag `ankurah:"name,option,…"` are properties; fields without
// the tag, or with the name "-", are not. Types: bool, integers, floats, string, []byte,
// [time.Time] (microseconds), [Ref] to another model, and anything else with the option
// json. A pointer is optional: nil is null. Options:
//
//	text            collaborative text (see schema.KindText)
//	optional        may be null, which reads as the zero value
//	enum=a|b|c      one of these texts
//	json            stored as a JSON document, by way of encoding/json
//	index           engines keep an index over it from the start (see [Indexer])
//	unique          the same, and no two entities are expected to have one value; this
//	                helps the planner, and is not enforced
//
// The collection is the struct's name in lower case, or what its method Collection
// returns. An entity's id is not a property; views carry it.
//
// # Concurrency
//
// Everything may be used from many goroutines, except a transaction, which belongs to one
// at a time. Callbacks of [LiveQuery.Subscribe] run on a goroutine of their own, one after
// the other, and may call anything.
//
// # Errors
//
// Errors are *[Error] with a [Kind], or wrap one; [KindOf] finds it.
package ankurah

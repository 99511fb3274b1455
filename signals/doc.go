// Package signals holds reactive cells: values that tell who depends on them.
//
// A [Cell] holds a value. A [Derived] computes one from others, when it is asked for and
// something it read has changed. [Effect] runs a function again whenever something it
// read has changed; [Observer] tells somebody else, such as a user interface, that it is
// time to do so. What a function depends on is what it reads through the [Tracker] that
// it is given, in its last run: dependencies need no list and are never stale.
//
//	name := signals.NewCell("Muse")
//	greeting := signals.NewDerived(func(t *signals.Tracker) string { return "Hello, " + name.Track(t) })
//	stop := signals.Effect(func(t *signals.Tracker) { fmt.Println(greeting.Track(t)) })
//	name.Set("Sophie")
//	stop()
//
// Nothing is shown half-changed: an effect runs after all writes of a [Batch], once, and
// sees every derived value computed from the same cells; it does not run if all that it
// read is as before. A derived value that nobody observes costs nothing when its sources
// change, and needs no closing.
//
// # Concurrency
//
// Everything may be used from many goroutines, except a Tracker, which belongs to the
// function that it was given to, and to its goroutine. An effect runs on the goroutine
// whose write made it due, before the write returns; but while another goroutine is
// running effects, or has a batch open, the effect waits for that and the write does
// not. One effect is never run twice at once. No lock is held while functions of the
// user run.
//
// # Errors
//
// A panic in the function of a derived value reaches who reads it, and the next read
// tries again. A panic in an effect reaches who made it due, after the other effects
// have run. A derived value that depends on itself, and effects that keep making each
// other due, panic with a text that says so.
package signals

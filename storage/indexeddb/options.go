package indexeddb

// Durability is what a commit waits for.
type Durability string

// The durabilities of IndexedDB.
const (
	// Relaxed: a commit has been handed to the operating system. It survives a crash of
	// the page and of the browser, but the last commits may be lost when the machine
	// loses power.
	Relaxed Durability = "relaxed"
	// Strict: a commit has been flushed to the device. It costs about half as much again
	// for a single small commit.
	Strict Durability = "strict"
)

// Options are a store's settings.
type Options struct {
	// Name is the database's name within the origin. Required.
	Name string
	// Durability is what Commit waits for; the default is Relaxed.
	Durability Durability
	// OnClosed, if not nil, is told when the store has lost its connection, with
	// ErrDisconnected, and when it has lost its data to another store or to the user who
	// cleared it, with ErrSuperseded. It must return soon, and must not call the store.
	OnClosed func(error)
}

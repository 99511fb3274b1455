package storage

// Hints carries hints between the processes of one store, for an engine whose store cannot tell
// by itself that something is new in it. A hint has no content: it may come late, together with
// others, for nothing, or not at all. The store is the truth, and whoever waits for something
// new looks from time to time without a hint.
type Hints interface {
	// Tell hints to the other processes that there is something new. It does not block.
	Tell()

	// Told returns a channel that receives when another process has, perhaps, called Tell. It
	// has room for one hint and is never closed.
	Told() <-chan struct{}

	// Close ends both. Tell may still be called, and does nothing.
	Close() error
}

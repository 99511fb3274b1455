package storage

// Hints carries hints between the processes of one store, for an engine whose store cannot tell
// by itself that something is new in it. A hint has no content but what kind of news it is about:
// it may come late, together with others, for nothing, or not at all. The store is the truth, and
// whoever waits for something new looks from time to time without a hint.
type Hints interface {
	// Tell hints to the other processes that there are news. It does not block.
	Tell(News)

	// Told returns a channel that receives when another process has, perhaps, called Tell for
	// such news. It has room for one hint and is never closed.
	Told(News) <-chan struct{}

	// Close ends both. Tell may still be called, and does nothing.
	Close() error
}

// News is what a hint is about.
type News uint8

// The kinds of news, and how many there are.
const (
	NewCommits    News = iota // a process has committed
	NewBroadcasts             // a process has broadcast (Broadcaster)
	NewsKinds
)

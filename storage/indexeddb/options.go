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
	// OnClosed, if not nil, is told when the connection was taken away: another
	// connection deletes or upgrades the database, or the browser closed it because the
	// user cleared the site's data. The error wraps storage.ErrUnavailable. It is called
	// on a goroutine of its own, and must not call Close.
	OnClosed func(error)
}

func (o *Options) ensureDefaults() {
	if o.Durability == "" {
		o.Durability = Relaxed
	}
}

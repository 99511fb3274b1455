package indexeddb

import (
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
)

// What may go wrong here and nowhere else. Each wraps storage.ErrUnavailable.
var (
	// ErrUnsupported: there is no IndexedDB, or this browser or its privacy mode does not
	// let us use it. It will not go away by trying again.
	ErrUnsupported = fmt.Errorf("indexeddb: not available in this environment: %w", storage.ErrUnavailable)
	// ErrBlocked: a connection that does not close keeps the database from being opened.
	ErrBlocked = fmt.Errorf("indexeddb: blocked by another connection: %w", storage.ErrUnavailable)
	// ErrNewer: the database was made by a newer version of this program.
	ErrNewer = fmt.Errorf("indexeddb: the database belongs to a newer version: %w", storage.ErrUnavailable)
	// ErrDisconnected: the connection was taken away: another connection deletes or
	// upgrades the database, or the browser closed it. The next call opens it again.
	ErrDisconnected = fmt.Errorf("indexeddb: connection closed: %w", storage.ErrUnavailable)
)

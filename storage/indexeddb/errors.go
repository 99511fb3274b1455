package indexeddb

import (
	"fmt"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/indexeddb/internal/paged"
)

// What may go wrong here and nowhere else. Each wraps storage.ErrUnavailable.
var (
	// ErrUnsupported: there is no IndexedDB, or this browser or its privacy mode does not
	// let us use it. It will not go away by trying again.
	ErrUnsupported = fmt.Errorf("indexeddb: not available in this environment: %w", storage.ErrUnavailable)
	// ErrBlocked: a connection that does not close keeps the database from being opened.
	ErrBlocked = fmt.Errorf("indexeddb: blocked by another connection: %w", storage.ErrUnavailable)
	// ErrNewer: the database was made by a newer version of this program.
	ErrNewer = paged.ErrNewer
	// ErrDisconnected: the connection was taken away: another connection deletes or
	// upgrades the database, or the browser closed it. The next call opens it again.
	ErrDisconnected = fmt.Errorf("indexeddb: connection closed: %w", storage.ErrUnavailable)
	// ErrSuperseded: another store was opened over the same database, or its data was
	// removed. This store stays unusable; what it holds in memory is not true any more.
	ErrSuperseded = paged.ErrSuperseded
)

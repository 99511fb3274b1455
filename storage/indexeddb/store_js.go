//go:build js && wasm

package indexeddb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ankurah-go/ankurah/storage/indexeddb/internal/paged"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// Open opens the store in the database of the given name, and makes it if there is
// none. A store that was opened over it before is superseded. Open blocks while another
// connection keeps the database from being opened, until ctx ends.
func Open(ctx context.Context, o Options) (kv.Store, error) {
	if o.Name == "" {
		return nil, errors.New("indexeddb: Options.Name is empty")
	}
	switch o.Durability {
	case Relaxed, Strict:
	case "":
		o.Durability = Relaxed
	default:
		return nil, fmt.Errorf("indexeddb: no such durability: %q", o.Durability)
	}
	d, err := openDatabase(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := paged.Open(ctx, d, paged.Options{OnSuperseded: func() { o.closed(ErrSuperseded) }})
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return &store{s, d}, nil
}

func (o *Options) closed(err error) {
	if o.OnClosed != nil {
		o.OnClosed(err)
	}
}

// store is a paged.Store that knows its database.
type store struct {
	*paged.Store
	database *database
}

// Get implements kv.Store.
func (s *store) Get(ctx context.Context, keys [][]byte) ([][]byte, error) {
	s.giveWay()
	return s.Store.Get(ctx, keys)
}

// Scan implements kv.Store.
func (s *store) Scan(ctx context.Context, r kv.Range, limit int) ([]kv.Pair, error) {
	s.giveWay()
	return s.Store.Scan(ctx, r, limit)
}

// View implements kv.Viewer.
func (s *store) View(ctx context.Context, read func(kv.Reader) error) error {
	s.giveWay()
	return s.Store.View(ctx, read)
}

// Commit implements kv.Store.
func (s *store) Commit(ctx context.Context, w *kv.Writes) error {
	s.giveWay()
	return s.Store.Commit(ctx, w)
}

// Close implements kv.Store. A call that waits to connect again ends with
// storage.ErrClosed.
func (s *store) Close() error {
	s.database.end()
	return s.Store.Close()
}

// longestRun is how long calls may go on that are answered from memory.
const longestRun = 16 * time.Millisecond

// lastTurn is when JavaScript last called. There is one thread.
var lastTurn = time.Now()

// giveWay lets the event loop go round if it has not for a while. JavaScript runs only
// while every goroutine waits: goroutines that read and read, each time answered from
// memory, would keep sockets, timers and transactions from ever being heard.
func (s *store) giveWay() {
	if time.Since(lastTurn) < longestRun {
		return
	}
	if c := s.database.current(); c != nil {
		_ = c.turn() // the call itself will find out if the connection has ended
	}
}

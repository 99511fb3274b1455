//go:build js && wasm

package indexeddb

import (
	"context"
	"errors"
	"sync"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/indexeddb/internal/paged"
)

// database is a paged.Disk in one object store. It keeps one connection open, and opens
// it again after it was lost.
type database struct {
	options Options
	life    context.Context // ends when the database is closed
	end     context.CancelFunc
	watches sync.WaitGroup

	opening chan struct{} // holds a token while somebody opens a connection

	mu struct {
		sync.Mutex
		connection *connection // nil when there is none
	}
}

func openDatabase(ctx context.Context, o Options) (*database, error) {
	d := &database{options: o, opening: make(chan struct{}, 1)}
	d.life, d.end = context.WithCancel(context.Background())
	if _, err := d.connected(ctx); err != nil {
		d.end()
		return nil, err
	}
	return d, nil
}

// Transact implements paged.Disk. It opens a new connection if the last one was lost
// before t began.
func (d *database) Transact(ctx context.Context, t *paged.Transaction) (*paged.Results, error) {
	for retried := false; ; retried = true {
		c, err := d.connected(ctx)
		if err != nil {
			return nil, err
		}
		r, err := c.transact(ctx, t, d.options.Durability)
		gone := errors.Is(err, errEnded) || errors.Is(err, ErrDisconnected)
		if !gone {
			return r, err
		}
		d.forget(c)
		if retried {
			return nil, ErrDisconnected
		}
	}
}

// connected returns the connection, and opens one if there is none.
func (d *database) connected(ctx context.Context) (*connection, error) {
	if c := d.current(); c != nil {
		return c, nil
	}
	select {
	case d.opening <- struct{}{}:
		defer func() { <-d.opening }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c := d.current(); c != nil {
		return c, nil
	}
	// Closing does not wait for another connection to unblock this one.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	c, err := connect(ctx, d.options.Name)
	if err != nil {
		if d.life.Err() != nil {
			err = storage.ErrClosed
		}
		return nil, err
	}
	d.mu.Lock()
	d.mu.connection = c
	d.mu.Unlock()
	d.watches.Add(1)
	go d.watch(c)
	return c, nil
}

func (d *database) current() *connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.connection
}

// forget drops a connection that is of no more use.
func (d *database) forget(c *connection) {
	d.mu.Lock()
	if d.mu.connection == c {
		d.mu.connection = nil
	}
	d.mu.Unlock()
	c.end()
}

// watch waits until the connection is lost and reports it.
func (d *database) watch(c *connection) {
	defer d.watches.Done()
	select {
	case <-c.lost:
		d.forget(c)
		d.options.closed(ErrDisconnected)
	case <-d.life.Done():
	}
}

// Close implements paged.Disk.
func (d *database) Close() error {
	d.end()
	d.watches.Wait()
	if c := d.current(); c != nil {
		d.forget(c)
	}
	return nil
}

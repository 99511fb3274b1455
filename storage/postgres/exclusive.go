package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/storage"
)

// ErrLocked is what Open returns, with Options.Exclusive, for a schema that another engine has
// opened so.
var ErrLocked = errors.New("postgres: the schema is in use by another server")

// exclusion keeps other engines away from a schema: a connection of its own holds an advisory
// lock. Where the connection is cut the lock is taken again; where somebody else has it
// by then, the engine is of no use any more.
type exclusion struct {
	engine *Engine
	end    context.CancelFunc
	done   sync.WaitGroup
	lost   atomic.Bool
}

// hold takes the lock and keeps it until stop.
func (x *exclusion) hold(ctx context.Context, e *Engine) error {
	x.engine = e
	var conn *pgx.Conn
	worth := func(err error) bool { return errors.Is(err, ErrLocked) || again(err) }
	err := attempts(ctx, min(e.options.Timeout, lockGrace), worth, func(ctx context.Context) (err error) {
		conn, err = x.take(ctx)
		return err
	})
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.Background())
	x.end = end
	x.done.Go(func() { x.keep(life, conn) })
	return nil
}

// lockGrace is how long a lock is waited for: PostgreSQL may not have noticed yet that the
// server which had it was killed.
const lockGrace = 2 * time.Second

// take connects and takes the lock.
func (x *exclusion) take(ctx context.Context) (*pgx.Conn, error) {
	e := x.engine
	conn, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	var mine bool
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", "ankurah-owner:"+e.schema).Scan(&mine)
	if err == nil && !mine {
		err = fmt.Errorf("%w: %s", ErrLocked, e.schema)
	}
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return conn, nil
}

// keep waits for the connection to end, and takes the lock again.
func (x *exclusion) keep(ctx context.Context, conn *pgx.Conn) {
	for {
		_, err := conn.WaitForNotification(ctx) // there are none: it returns when the connection ends
		conn.Close(context.WithoutCancel(ctx))
		for err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(firstPause):
			}
			if conn, err = x.take(ctx); errors.Is(err, ErrLocked) {
				x.lost.Store(true)
				return
			}
		}
	}
}

// check fails once another engine has the schema.
func (x *exclusion) check() error {
	if x.lost.Load() {
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, ErrLocked)
	}
	return nil
}

func (x *exclusion) stop() {
	if x.end != nil {
		x.end()
		x.done.Wait()
	}
}

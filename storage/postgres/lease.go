package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ankurah-go/ankurah/storage"
)

// ErrLocked is what Open returns, with Options.Exclusive, for a schema that another engine has
// opened so or has joined, and what Join returns for one that another has opened so.
var ErrLocked = errors.New("postgres: the schema is in use by another server")

// lease is something that one process has at a time: the schema, or a feed. An advisory lock
// says who has it, held by a connection of the lease's own, so that it is free again when the
// process ends. A process that lost its connection does not know of that at once, and one that
// stood still not at all. Therefore a lease has a generation, which grows whenever somebody takes
// it, and each commit is made on condition that it is the one that the process knows (_fence):
//
//	P1  a commit takes the lease's fence, shared, before it looks at the generation, and has it
//	    to its end
//	P2  whoever takes a lease has the fence alone while the generation grows
//
// So no commit of the former owner's ends after another has the lease. As long as nobody has
// taken it, a process goes on without its connection, and takes the lock again.
type lease struct {
	engine *Engine
	// take takes the locks on a new connection, and says why they are not to be had: ErrLocked.
	take func(ctx context.Context, conn *pgx.Conn) error
	// heard is told that the connection is new, or that it was notified of something.
	heard func(*pgconn.Notification)

	end  context.CancelFunc
	done sync.WaitGroup
}

// pulse is how often a connection that only waits is tried.
const pulse = 10 * time.Second

// hold takes the lease and keeps it until stop.
func (l *lease) hold(ctx context.Context) error {
	var conn *pgx.Conn
	begun := time.Now()
	worth := func(err error) bool {
		return again(err) || errors.Is(err, ErrLocked) && time.Since(begun) < l.engine.options.grace
	}
	err := attempts(ctx, l.engine.options.Timeout, worth, func(ctx context.Context) (err error) {
		conn, err = l.connect(ctx)
		return err
	})
	if err != nil {
		return classify(err)
	}
	life, end := context.WithCancel(context.Background())
	l.end = end
	l.done.Go(func() { l.keep(life, conn) })
	return nil
}

// connect makes a connection that has the locks.
func (l *lease) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, l.engine.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	if err := l.take(ctx, conn); err != nil {
		discard(conn)
		return nil, err
	}
	return conn, nil
}

// endTime is how long the end of something may take before its connection is given up.
const endTime = 2 * time.Second

// discard closes a connection, in whatever state it is.
func discard(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	conn.Close(ctx)
}

// keep listens on the connection, and makes another when it ends.
func (l *lease) keep(ctx context.Context, conn *pgx.Conn) {
	for conn != nil {
		l.listen(ctx, conn)
		discard(conn)
		if conn = l.reconnect(ctx); conn != nil && l.heard != nil {
			l.heard(nil)
		}
	}
}

// listen returns when the connection has ended.
func (l *lease) listen(ctx context.Context, conn *pgx.Conn) {
	for {
		waiting, cancel := context.WithTimeout(ctx, pulse)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil && l.heard != nil:
			l.heard(n)
		case err != nil && (ctx.Err() != nil || !pgconn.Timeout(err) || !l.answers(ctx, conn)):
			return
		}
	}
}

// answers tries a connection.
func (l *lease) answers(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, l.engine.options.Timeout)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// reconnect tries until it has the locks again, or nil when there is no more use in it.
func (l *lease) reconnect(ctx context.Context) *pgx.Conn {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		conn, err := l.connect(ctx)
		if err == nil {
			return conn
		}
		if errors.Is(err, storage.ErrFenced) {
			l.engine.fenced(err)
			return nil
		}
		if l.engine.mayCommit() != nil {
			return nil
		}
		// ErrLocked: the server may not have noticed yet that the former connection is gone.
	}
}

func (l *lease) stop() {
	if l.end != nil {
		l.end()
		l.done.Wait()
	}
}

// Names of advisory locks, of sessions and of transactions, followed by the schema and, for all
// but the first, by the lease's name.
const (
	lockOwner = "ankurah-owner:" // shared by those who have joined, or held alone
	lockFeed  = "ankurah-feed:"
	lockFence = "ankurah-fence:"
)

// owner is the name of the lease of the schema as a whole; others have the name of a feed.
const owner = "owner"

// tryLock takes an advisory lock for the connection's life, if it is free.
func tryLock(ctx context.Context, conn *pgx.Conn, how, name string) (mine bool, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock"+how+advisory, name).Scan(&mine)
	return mine, err
}

// takeOwner has the schema's own lock taken, shared or not.
func (e *Engine) takeOwner(ctx context.Context, conn *pgx.Conn, how string) error {
	mine, err := tryLock(ctx, conn, how, lockOwner+e.reader.Schema)
	if err == nil && !mine {
		err = fmt.Errorf("%w: %s", ErrLocked, e.reader.Schema)
	}
	return err
}

// seize lets the generations of leases grow, and returns that of the last. Commits of those who
// had them are waited for a while.
func (e *Engine) seize(ctx context.Context, conn *pgx.Conn, names ...string) (generation int64, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '1s'"); err != nil {
			return err
		}
		for _, name := range names {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock"+advisory, lockFence+e.reader.Schema+":"+name); err != nil {
				return err
			}
			err := tx.QueryRow(ctx, "INSERT INTO "+e.own("_leases")+" AS l VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET generation = l.generation + 1 RETURNING generation", name).Scan(&generation)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return generation, err
}

// stillAt says whether nobody has taken a lease since.
func (e *Engine) stillAt(ctx context.Context, conn *pgx.Conn, name string, generation int64) error {
	var now int64
	if err := conn.QueryRow(ctx, "SELECT generation FROM "+e.own("_leases")+" WHERE name = $1", name).Scan(&now); err != nil {
		return err
	}
	if now != generation {
		return fmt.Errorf("%w: lease %s", storage.ErrFenced, name)
	}
	return nil
}

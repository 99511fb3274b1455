package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/ankurah-go/ankurah/storage"
)

// lockNamed are advisory locks that callers name, after the schema.
const lockNamed = "ankurah-lock:"

// locks are the named locks that callers have or wait for. Each is held by a connection of its
// own, and goes with it.
type locks struct {
	engine *Engine
	life   context.Context
	end    context.CancelFunc

	mu struct {
		sync.Mutex
		turns map[string]chan struct{} // by name; who waits in the process puts something in
		open  sync.WaitGroup
	}
}

func (l *locks) init(e *Engine) {
	l.engine = e
	l.life, l.end = context.WithCancel(context.Background())
	l.mu.turns = map[string]chan struct{}{}
}

// close releases what is held, and has those who wait give up.
func (l *locks) close() {
	l.end()
	l.mu.open.Wait()
}

// turn returns the channel by which callers in the process take turns at a name, so that only
// one of them waits in the database.
func (l *locks) turn(name string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	turn := l.mu.turns[name]
	if turn == nil {
		turn = make(chan struct{}, 1)
		l.mu.turns[name] = turn
	}
	return turn
}

// Lock implements storage.Shared.
func (e *Engine) Lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := e.gate.Enter(ctx); err != nil {
		return nil, err
	}
	l := &e.locks
	l.mu.open.Add(1)
	e.gate.Leave()
	ctx, cancel := context.WithCancel(ctx)
	stopWaiting := context.AfterFunc(l.life, cancel)
	defer func() {
		stopWaiting()
		cancel()
		if err != nil {
			l.mu.open.Done()
			if l.life.Err() != nil {
				err = storage.ErrClosed
			}
		}
	}()
	turn := l.turn(name)
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := l.acquire(ctx, name)
	if err != nil {
		<-turn
		return nil, err
	}
	return l.unlocker(conn, name, turn), nil
}

// unlocker returns the function that releases a lock, which is called when the engine is closed,
// if not before.
func (l *locks) unlocker(conn *pgx.Conn, name string, turn chan struct{}) func() {
	release := sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), endTime)
		defer cancel()
		conn.Exec(ctx, "SELECT pg_advisory_unlock"+advisory, l.key(name)) // or else closing does it
		discard(conn)
		<-turn
		l.mu.open.Done()
	})
	stop := context.AfterFunc(l.life, release)
	return func() { stop(); release() }
}

func (l *locks) key(name string) string { return lockNamed + l.engine.reader.Schema + ":" + name }

// acquire makes a connection that has the lock, when nobody else has it.
func (l *locks) acquire(ctx context.Context, name string) (conn *pgx.Conn, err error) {
	for {
		err := l.engine.attempts(ctx, again, func(ctx context.Context) (err error) {
			config := l.engine.pool.Config().ConnConfig
			config.RuntimeParams["statement_timeout"] = "0"
			conn, err = pgx.ConnectConfig(ctx, config)
			return err
		})
		if err != nil {
			return nil, err
		}
		if _, err = conn.Exec(ctx, "SELECT pg_advisory_lock"+advisory, l.key(name)); err == nil {
			return conn, nil
		}
		discard(conn)
		if ctx.Err() != nil || !again(err) {
			return nil, classify(err)
		}
	}
}

package postgres

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ankurah-go/ankurah/core/id"
)

// news are the hints by which processes tell each other that they have committed. NOTIFY inside
// of commits would have these take turns; so each process sends one for all that it committed
// lately, on a connection of its own.
type news struct {
	engine  *Engine
	channel string
	sender  string // by which a process knows its own
	wake    chan struct{}
	dirty   chan struct{} // has room for one: there is something to tell
	end     context.CancelFunc
	done    sync.WaitGroup
}

// newsPause is how long after a hint the next is sent at the earliest.
const newsPause = 5 * time.Millisecond

func (n *news) init(e *Engine) {
	*n = news{engine: e, channel: "ankurah:" + e.reader.Schema, sender: id.New(rand.Reader).String(),
		wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1)}
}

// Wake implements storage.Shared.
func (e *Engine) Wake() <-chan struct{} { return e.membership.news.wake }

// hint puts into a channel of hints that there is one.
func hint(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// hear is told of a notification, or, with nil, that some may have been missed.
func (n *news) hear(of *pgconn.Notification) {
	if of == nil || of.Payload != n.sender {
		hint(n.wake)
	}
}

// listen has a connection notified.
func (n *news) listen(ctx context.Context, conn *pgx.Conn) error {
	if n.engine.options.Silent {
		return nil
	}
	_, err := conn.Exec(ctx, `LISTEN "`+n.channel+`"`)
	return err
}

// committed says that there is something to tell.
func (n *news) committed() { hint(n.dirty) }

func (n *news) start() {
	if n.engine.options.Silent {
		return
	}
	life, end := context.WithCancel(context.Background())
	n.end = end
	n.done.Go(func() { n.tell(life) })
}

func (n *news) stop() {
	if n.end != nil {
		n.end()
		n.done.Wait()
	}
}

// tell sends a hint when there is something to tell, and not too often.
func (n *news) tell(ctx context.Context) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			discard(conn)
		}
	}()
	for pause := newsPause; ; {
		select {
		case <-ctx.Done():
			return
		case <-n.dirty:
		}
		var err error
		if conn, err = n.send(ctx, conn); err == nil {
			pause = newsPause
		} else {
			pause = min(2*pause, lastPause)
			hint(n.dirty)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// messenger makes a connection to notify others by.
func (e *Engine) messenger(ctx context.Context) (*pgx.Conn, error) {
	config := e.pool.Config().ConnConfig
	config.RuntimeParams["synchronous_commit"] = "off" // there is nothing to lose
	return pgx.ConnectConfig(ctx, config)
}

// send sends a hint, and returns the connection for the next one.
func (n *news) send(ctx context.Context, conn *pgx.Conn) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, n.engine.options.Timeout)
	defer cancel()
	if conn == nil {
		var err error
		if conn, err = n.engine.messenger(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", n.channel, n.sender); err != nil {
		discard(conn)
		return nil, err
	}
	return conn, nil
}

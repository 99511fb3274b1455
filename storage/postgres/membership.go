package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ankurah-go/ankurah/core/id"
	"github.com/ankurah-go/ankurah/storage"
)

// membership is what a process has of a schema that it does not only read: the schema as a
// whole, where it was opened exclusively, and a feed, once it has joined.
type membership struct {
	engine *Engine
	whole  lease
	feed   lease
	news   news

	broadcasts broadcasts

	held atomic.Pointer[[]hold] // what commits depend on
	lost atomic.Pointer[error]  // set once; nothing is committed any more

	mu struct {
		sync.Mutex
		stopped bool
		joined  bool
	}
}

// hold is a lease that the process has, as it knows it.
type hold struct {
	name       string
	generation int64
}

func (m *membership) init(e *Engine) {
	m.engine = e
	m.held.Store(&[]hold{})
	m.news.init(e)
	m.broadcasts.init(e)
}

// has adds a hold.
func (m *membership) has(h hold) {
	held := append(slices.Clone(*m.held.Load()), h)
	m.held.Store(&held)
}

// start has a lease held, unless the engine was closed.
func (m *membership) start(ctx context.Context, l *lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.stopped {
		return storage.ErrClosed
	}
	return l.hold(ctx)
}

func (m *membership) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.stopped = true
	m.news.stop()
	m.broadcasts.close()
	m.feed.stop()
	m.whole.stop()
}

// enter takes the schema as a whole.
func (m *membership) enter(ctx context.Context) error {
	e, mine := m.engine, hold{name: owner}
	m.whole = lease{engine: e, take: func(ctx context.Context, conn *pgx.Conn) error {
		if err := e.takeOwner(ctx, conn, ""); err != nil || mine.generation != 0 {
			return errors.Join(err, e.stillAt(ctx, conn, mine.name, mine.generation))
		}
		// Those who had joined, and do not know that they are not any more, have their feeds.
		feeds, err := e.feeds(ctx, conn)
		if err != nil {
			return err
		}
		mine.generation, err = e.seize(ctx, conn, append(feeds, owner)...)
		return err
	}}
	if err := m.start(ctx, &m.whole); err != nil {
		return err
	}
	m.has(mine)
	return nil
}

// feeds returns the feeds that anybody had.
func (e *Engine) feeds(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT name FROM "+e.own("_leases")+" WHERE name <> $1 ORDER BY name", owner)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// errJoined is what a second Join returns.
var errJoined = errors.New("postgres: the engine has joined already")

// mayJoin is true once.
func (m *membership) mayJoin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.mu.joined
	m.mu.joined = true
	return first
}

// Join implements storage.Shared.
func (e *Engine) Join(ctx context.Context) (id.NodeID, error) {
	if err := e.gate.Enter(ctx); err != nil {
		return id.NodeID{}, err
	}
	defer e.gate.Leave()
	m := &e.membership
	if !m.mayJoin() {
		return id.NodeID{}, errJoined
	}
	var mine hold
	m.feed = lease{engine: e, heard: m.hear, take: func(ctx context.Context, conn *pgx.Conn) error {
		if !e.options.Exclusive {
			if err := e.takeOwner(ctx, conn, "_shared"); err != nil {
				return err
			}
		}
		if err := e.takeFeed(ctx, conn, &mine); err != nil {
			return err
		}
		if err := m.news.listen(ctx, conn); err != nil {
			return err
		}
		return m.broadcasts.listen(ctx, conn)
	}}
	if err := m.start(ctx, &m.feed); err != nil {
		return id.NodeID{}, err
	}
	m.has(mine)
	m.news.start()
	feed, err := id.Parse(mine.name)
	return id.NodeID{ULID: feed}, err
}

// hear is told of a notification, or, with nil, that some may have been missed.
func (m *membership) hear(of *pgconn.Notification) {
	if of == nil || of.Channel == m.broadcasts.channel {
		m.broadcasts.hear(of)
	}
	if of == nil || of.Channel == m.news.channel {
		m.news.hear(of)
	}
}

// takeFeed takes a feed that is free, or again the one that the process has.
func (e *Engine) takeFeed(ctx context.Context, conn *pgx.Conn, mine *hold) error {
	prefix := lockFeed + e.reader.Schema + ":"
	if mine.name != "" {
		got, err := tryLock(ctx, conn, "", prefix+mine.name)
		if err == nil {
			err = e.stillAt(ctx, conn, mine.name, mine.generation)
		}
		if err == nil && !got {
			err = fmt.Errorf("%w: feed %s", ErrLocked, mine.name)
		}
		return err
	}
	// Whoever opened the schema exclusively, and does not know that it has it no more.
	if !e.options.Exclusive {
		if _, err := e.seize(ctx, conn, owner); err != nil {
			return err
		}
	}
	feeds, err := e.feeds(ctx, conn)
	if err != nil {
		return err
	}
	for _, name := range append(feeds, id.New(rand.Reader).String()) {
		got, err := tryLock(ctx, conn, "", prefix+name)
		if err != nil {
			return err
		}
		if !got {
			continue
		}
		generation, err := e.seize(ctx, conn, name)
		if codeOf(err) == codeLockTimeout {
			continue // somebody who has lost it is still at something; it stays locked, and unused
		}
		*mine = hold{name, generation}
		return err
	}
	return fmt.Errorf("%w: no feed", ErrLocked)
}

// fenced has nothing committed any more.
func (e *Engine) fenced(err error) { e.membership.lost.CompareAndSwap(nil, &err) }

// mayCommit fails once another process has what this one had.
func (e *Engine) mayCommit() error {
	if err := e.membership.lost.Load(); err != nil {
		return *err
	}
	return nil
}

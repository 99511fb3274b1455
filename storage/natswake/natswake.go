package natswake

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ankurah-go/ankurah/storage"
)

// How the connection is looked after.
const (
	connectTimeout = 2 * time.Second        // an attempt, at one address
	reconnectWait  = 250 * time.Millisecond // between attempts
	pingInterval   = 5 * time.Second        // a peer that misses two pings is gone
)

// pause is how long after a hint the next is sent at the earliest. What is told meanwhile is
// told by that one.
const pause = time.Millisecond

// Hints are a store's hints over NATS.
type Hints struct {
	conn   *nats.Conn
	log    *slog.Logger
	topics [storage.NewsKinds]topic
	life   context.Context
	end    context.CancelFunc
	work   sync.WaitGroup
}

// topic is how one kind of news of a store is told.
type topic struct {
	subject string
	told    chan struct{}
	dirty   chan struct{} // has room for one: there is something to tell
}

var _ storage.Hints = (*Hints)(nil)

// Open connects to the NATS at the given addresses, of which there are several where commas are
// between them: nats://, or tls:// for an encrypted connection, with user and password, or a
// token, before an @. Processes that name the same store tell each other, and no others. If
// nobody answers, Open returns all the same, after two seconds at most for each address, and the
// connection is made as soon as somebody does. log takes what becomes of the connection; nil
// drops it.
func Open(addresses, store string, log *slog.Logger) (*Hints, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &Hints{log: log}
	for news := range h.topics {
		h.topics[news] = topic{subject(store, storage.News(news)), make(chan struct{}, 1), make(chan struct{}, 1)}
	}
	h.life, h.end = context.WithCancel(context.Background())
	conn, err := nats.Connect(addresses,
		nats.Name("ankurah"), nats.NoEcho(), nats.Timeout(connectTimeout),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait),
		nats.ReconnectBufSize(-1), // a hint that is late is none
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(h.connected), nats.ReconnectHandler(h.connected),
		nats.DisconnectErrHandler(h.disconnected), nats.ErrorHandler(h.complained),
	)
	if err != nil {
		h.end()
		return nil, fmt.Errorf("natswake: %w", err)
	}
	h.conn = conn
	for _, t := range h.topics {
		if _, err := conn.Subscribe(t.subject, func(*nats.Msg) { hint(t.told) }); err != nil {
			conn.Close()
			h.end()
			return nil, fmt.Errorf("natswake: subscribe to %s: %w", t.subject, err)
		}
	}
	if !conn.IsConnected() {
		h.disconnected(conn, conn.LastError())
	}
	for _, t := range h.topics {
		h.work.Go(func() { h.tell(t) })
	}
	return h, nil
}

// subject returns the subject of some news of a store, whose name has nothing in it that NATS
// reads as more than one part of a name.
func subject(store string, news storage.News) string {
	part := func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(".*>", r) {
			return '_'
		}
		return r
	}
	name := "ankurah.wake." + strings.Map(part, store)
	if news == storage.NewBroadcasts {
		name += ".broadcast"
	}
	return name
}

// hint puts into a channel of hints that there is one.
func hint(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Tell implements storage.Hints.
func (h *Hints) Tell(news storage.News) { hint(h.topics[news].dirty) }

// Told implements storage.Hints.
func (h *Hints) Told(news storage.News) <-chan struct{} { return h.topics[news].told }

// tell sends a hint when there is something to tell, and not too often.
func (h *Hints) tell(t topic) {
	for {
		select {
		case <-t.dirty:
		case <-h.life.Done():
			return
		}
		if err := h.conn.Publish(t.subject, nil); err != nil {
			h.log.Debug("a hint was not sent", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-h.life.Done():
			return
		}
	}
}

// connected also hints, since something may have been missed.
func (h *Hints) connected(*nats.Conn) {
	h.log.Info("connected to NATS")
	for _, t := range h.topics {
		hint(t.told)
	}
}

func (h *Hints) disconnected(_ *nats.Conn, err error) {
	if h.life.Err() == nil {
		h.log.Warn("NATS is away: commits of other servers are looked for until it is back", "error", err)
	}
}

func (h *Hints) complained(_ *nats.Conn, _ *nats.Subscription, err error) {
	h.log.Warn("NATS complains", "error", err)
}

// Close implements storage.Hints.
func (h *Hints) Close() error {
	h.end()
	h.work.Wait()
	h.conn.Close()
	return nil
}

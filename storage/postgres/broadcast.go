package postgres

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ankurah-go/ankurah/storage"
)

// broadcasts are what processes tell each other by NOTIFY alone, on a connection of their own to
// tell and the lease's to hear. A message goes in parts, since a payload has to be short and text:
// the sender, the part's number, a mark on the last one, and some of the message.
type broadcasts struct {
	engine  *Engine
	channel string

	telling sync.Mutex // of conn
	conn    *pgx.Conn

	mu struct {
		sync.Mutex
		listening *listener
	}
}

// listener puts the messages of other processes together.
type listener struct {
	*storage.Inbox
	parts map[string][]byte // of messages that have begun, by sender
}

const (
	partBytes   = 5800 // of a message, in one part
	heardAhead  = 1024 // messages that wait to be heard
	mostSenders = 1024 // that have begun a message
	senderChars = 26
	numberChars = 3
	lastPart    = '.'
)

var _ storage.Broadcaster = (*Engine)(nil)

func (b *broadcasts) init(e *Engine) {
	b.engine, b.channel = e, "ankurah+:"+e.reader.Schema
}

// Broadcast implements storage.Broadcaster; Options.Silent is about commits alone.
func (e *Engine) Broadcast(ctx context.Context, message []byte) error {
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	defer e.gate.Leave()
	if len(message) > storage.MaxBroadcast {
		return fmt.Errorf("postgres: a broadcast of %d bytes, more than %d", len(message), storage.MaxBroadcast)
	}
	return classify(e.membership.broadcasts.send(ctx, message))
}

func (b *broadcasts) send(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, b.engine.options.Timeout)
	defer cancel()
	b.telling.Lock()
	defer b.telling.Unlock()
	if b.conn == nil {
		conn, err := b.engine.messenger(ctx)
		if err != nil {
			return err
		}
		b.conn = conn
	}
	_, err := b.conn.Exec(ctx, "SELECT pg_notify($1, part) FROM unnest($2::text[]) AS part", b.channel, split(b.engine.membership.news.sender, message))
	if err != nil {
		discard(b.conn)
		b.conn = nil
	}
	return err
}

// split returns the payloads of a message.
func split(sender string, message []byte) (parts []string) {
	for number := 0; ; number++ {
		n, mark := min(partBytes, len(message)), "+"
		if n == len(message) {
			mark = string(lastPart)
		}
		parts = append(parts, fmt.Sprintf("%s%0*d%s%s", sender, numberChars, number, mark, base64.StdEncoding.EncodeToString(message[:n])))
		if message = message[n:]; len(message) == 0 {
			return parts
		}
	}
}

func (b *broadcasts) close() {
	b.telling.Lock()
	defer b.telling.Unlock()
	if b.conn != nil {
		discard(b.conn)
		b.conn = nil
	}
}

// listen has a connection notified.
func (b *broadcasts) listen(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `LISTEN "`+b.channel+`"`)
	return err
}

// hear is told of a notification, or, with nil, that some may have been missed.
func (b *broadcasts) hear(of *pgconn.Notification) {
	b.mu.Lock()
	l := b.mu.listening
	b.mu.Unlock()
	if l == nil {
		return
	}
	if of == nil {
		clear(l.parts)
		l.Lose()
		return
	}
	l.take(of.Payload, b.engine.membership.news.sender)
}

// take puts the message together that a part belongs to.
func (l *listener) take(payload, self string) {
	const head = senderChars + numberChars + 1
	if len(payload) < head || payload[:senderChars] == self {
		return
	}
	sender := payload[:senderChars]
	number, err := strconv.Atoi(payload[senderChars : head-1])
	part, err2 := base64.StdEncoding.DecodeString(payload[head:])
	whole, begun := l.parts[sender]
	delete(l.parts, sender)
	if err != nil || err2 != nil || number*partBytes != len(whole) || begun != (number > 0) {
		l.Lose() // the beginning came before there was a listener, or a connection
		return
	}
	whole = append(whole, part...)
	switch {
	case len(whole) > storage.MaxBroadcast || len(l.parts) >= mostSenders:
		l.Lose()
	case payload[head-1] != lastPart:
		l.parts[sender] = whole
	default:
		l.Put(whole)
	}
}

// Listen implements storage.Broadcaster.
func (e *Engine) Listen(ctx context.Context, hear func(message []byte)) error {
	if err := e.gate.Enter(ctx); err != nil {
		return err
	}
	e.gate.Leave()
	b := &e.membership.broadcasts
	l := &listener{storage.NewInbox(heardAhead), map[string][]byte{}}
	b.set(l)
	defer b.set(nil)
	return l.Hear(ctx, hear)
}

func (b *broadcasts) set(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.listening = l
}

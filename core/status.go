package core

import (
	"sync"

	"github.com/ankurah-go/ankurah/core/id"
)

// Connection is how an ephemeral node stands to its durable node.
type Connection uint8

// The states of a connection.
const (
	Offline    Connection = iota // not connected; another attempt follows if a Link is open
	Connecting                   // the first attempt is being made
	Live                         // connected and served
)

var connectionNames = [...]string{"offline", "connecting", "live"}

// String returns the state's name.
func (c Connection) String() string { return connectionNames[c] }

// Status is how a node is doing.
type Status struct {
	Connection Connection
	Ready      bool  // it belongs to a system
	Pending    int   // own transactions that no durable node has acknowledged
	LastError  error // why the last connection failed or ended; nil when Live
}

// Settled is the end of an own transaction's way to a durable node.
type Settled struct {
	Transaction id.TransactionID
	Err         error // nil if it was acknowledged, else why it was refused
}

// statusBoard keeps the status and tells who wants to know. Callbacks run on whichever
// goroutine changes the status, one change after the other.
type statusBoard struct {
	listener *Listener
	notify   sync.Mutex // orders the callbacks
	mu       struct {
		sync.Mutex
		status   Status
		next     int
		watchers map[int]func(Status)
		settled  map[int]func(Settled)
	}
}

func (b *statusBoard) init(durable bool, l *Listener) {
	b.listener = l
	if durable {
		b.mu.status.Connection = Live
	}
	b.mu.watchers = make(map[int]func(Status))
	b.mu.settled = make(map[int]func(Settled))
}

func (b *statusBoard) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.status
}

// update changes the status and tells the watchers if it is another.
func (b *statusBoard) update(change func(*Status)) {
	b.notify.Lock()
	defer b.notify.Unlock()
	b.mu.Lock()
	before := b.mu.status
	change(&b.mu.status)
	after := b.mu.status
	watchers := values(b.mu.watchers)
	b.mu.Unlock()
	if before == after {
		return
	}
	for _, f := range watchers {
		b.call(func() { f(after) })
	}
}

// call runs a callback; one that panics is reported and keeps nobody else from hearing.
func (b *statusBoard) call(f func()) {
	defer func() {
		if cause := recover(); cause != nil {
			b.listener.failed("status", recovered("a callback", cause))
		}
	}()
	f()
}

func (b *statusBoard) settle(s Settled) {
	b.mu.Lock()
	watchers := values(b.mu.settled)
	b.mu.Unlock()
	for _, f := range watchers {
		b.call(func() { f(s) })
	}
}

// values returns a map's values in no particular order.
func values[K comparable, V any](m map[K]V) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

// Status returns how the node is doing. A durable node is always Live.
func (n *Node) Status() Status { return n.status.get() }

// OnStatus calls f with every later status, until stop. f must not block.
func (n *Node) OnStatus(f func(Status)) (stop func()) {
	b := &n.status
	b.mu.Lock()
	defer b.mu.Unlock()
	key := b.mu.next
	b.mu.next++
	b.mu.watchers[key] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.mu.watchers, key)
	}
}

// OnSettled calls f whenever an own transaction is acknowledged by a durable node or
// refused, until stop. f runs on the node's loop and must not block.
func (n *Node) OnSettled(f func(Settled)) (stop func()) {
	b := &n.status
	b.mu.Lock()
	defer b.mu.Unlock()
	key := b.mu.next
	b.mu.next++
	b.mu.settled[key] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.mu.settled, key)
	}
}

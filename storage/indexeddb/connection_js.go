//go:build js && wasm

package indexeddb

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"
	"syscall/js"

	"github.com/hack-pad/go-indexeddb/idb"

	"github.com/ankurah-go/ankurah/storage"
)

//go:embed bridge.js
var bridgeSource string

const (
	// schemaVersion is the version of the IndexedDB database: which object stores it
	// has. What they hold has its own versions.
	schemaVersion = 1
	objectStore   = "kv"
)

// bridge returns the JavaScript half, which it makes if the host has not.
func bridge() (b js.Value, err error) {
	const name = "ankurahIndexedDB"
	if b := js.Global().Get(name); b.Truthy() {
		return b, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("indexeddb: run bridge.js before the program, its global %s is missing and cannot be made: %v", name, r)
		}
	}()
	js.Global().Get("Function").New(bridgeSource).Invoke()
	return js.Global().Get(name), nil
}

// connection is one open connection to the database.
type connection struct {
	bridge   js.Value
	factory  js.Value
	database js.Value

	// lost is closed when the connection was taken away.
	lost chan struct{}

	blocked bool // another connection kept this one waiting
	done    js.Func
	event   js.Func

	mu struct {
		sync.Mutex
		lastID  int
		pending map[int]chan<- outcome
		ended   bool // no transaction begins any more
		lost    bool
	}
}

// outcome is what became of a transaction: a reply, or the name and message of an
// exception.
type outcome struct {
	name, message string
	reply         js.Value
}

// connect opens the database, and makes it if there is none. It blocks as long as
// another connection blocks it, until ctx ends.
func connect(ctx context.Context, name string) (*connection, error) {
	b, err := bridge()
	if err != nil {
		return nil, err
	}
	if !js.Global().Get("indexedDB").Truthy() {
		return nil, ErrUnsupported
	}
	c := &connection{bridge: b, lost: make(chan struct{})}
	c.mu.pending = map[int]chan<- outcome{}
	c.done = js.FuncOf(c.onDone)
	c.event = js.FuncOf(c.onEvent)
	c.factory = b.Call("factory", c.event)
	if err := c.open(ctx, name); err != nil {
		c.factory.Call("abandon")
		c.end()
		return nil, err
	}
	return c, nil
}

func (c *connection) open(ctx context.Context, name string) error {
	factory, err := idb.WrapFactory(c.factory)
	if err != nil {
		return err
	}
	// The library waits for the end of this context to let go of its callbacks.
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	var upgradeErr error
	request, err := factory.Open(listening, name, schemaVersion, func(db *idb.Database, _, _ uint) error {
		_, upgradeErr = db.CreateObjectStore(objectStore, idb.ObjectStoreOptions{})
		return nil // the library would panic
	})
	if err != nil {
		return openError(err)
	}
	_, err = request.Await(listening)
	switch {
	case ctx.Err() != nil && c.blocked:
		return fmt.Errorf("%w: %w", ErrBlocked, context.Cause(ctx))
	case ctx.Err() != nil:
		return fmt.Errorf("indexeddb: open: %w", context.Cause(ctx))
	case upgradeErr != nil:
		return openError(upgradeErr)
	case err != nil:
		return openError(err)
	}
	c.database = c.factory.Get("database")
	return nil
}

// openError says what an exception means that came of opening a database.
func openError(err error) error {
	for name, meaning := range map[string]error{
		"VersionError":      ErrNewer,
		"SecurityError":     ErrUnsupported,
		"NotAllowedError":   ErrUnsupported,
		"InvalidStateError": ErrUnsupported, // Firefox without storage
	} {
		if errors.Is(err, idb.NewDOMException(name)) {
			return fmt.Errorf("%w: %w", meaning, err)
		}
	}
	if errors.Is(err, idb.NewDOMException("QuotaExceededError")) {
		return fmt.Errorf("indexeddb: open: %w: %w", storage.ErrFull, err)
	}
	return fmt.Errorf("indexeddb: open: %w: %w", storage.ErrUnavailable, err)
}

// onEvent is called from JavaScript with what happens to the connection.
func (c *connection) onEvent(_ js.Value, args []js.Value) any {
	if args[0].String() == "blocked" {
		c.blocked = true
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mu.lost {
		c.mu.lost = true
		close(c.lost)
	}
	return nil
}

// onDone is called from JavaScript with a transaction's outcome.
func (c *connection) onDone(_ js.Value, args []js.Value) any {
	id := args[0].Int()
	o := outcome{name: args[1].String(), message: args[2].String()}
	if o.name == "" {
		o.reply = args[3]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.pending[id] <- o // it has room for one
	delete(c.mu.pending, id)
	c.releaseLocked()
	return nil
}

// errEnded: the connection is not to be used any more; nothing was done.
var errEnded = errors.New("indexeddb: connection ended")

// transact carries out t and returns its reply once it is complete, which after writes
// means durable. When ctx ends it is aborted, unless it is too late for that.
func (c *connection) transact(ctx context.Context, t *transaction, durability Durability) (*reply, error) {
	done := make(chan outcome, 1)
	tx, err := c.begin(t, durability, done)
	if err != nil {
		return nil, err
	}
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		if tx.Truthy() {
			abort(tx)
		}
		o = <-done
		if o.name == "AbortError" {
			return nil, fmt.Errorf("indexeddb: %w", context.Cause(ctx))
		}
	}
	if o.name != "" {
		return nil, transactionError(o)
	}
	b := make([]byte, o.reply.Length())
	js.CopyBytesToGo(b, o.reply)
	return &reply{bytes: b}, nil
}

// begin starts a transaction whose outcome will be sent to done.
func (c *connection) begin(t *transaction, durability Durability, done chan<- outcome) (js.Value, error) {
	operations := t.javaScript()
	c.mu.Lock()
	if c.mu.ended {
		c.mu.Unlock()
		return js.Value{}, errEnded
	}
	c.mu.lastID++
	id := c.mu.lastID
	c.mu.pending[id] = done
	c.mu.Unlock() // the call below may answer at once
	return c.bridge.Call("transact", c.database, objectStore, operations, t.writes, string(durability), id, c.done), nil
}

// abort ends a transaction that may have ended by itself.
func abort(tx js.Value) {
	defer func() { _ = recover() }() // InvalidStateError: it has
	tx.Call("abort")
}

// transactionError says what an exception means that ended a transaction.
func transactionError(o outcome) error {
	switch o.name {
	case "Conflict":
		return storage.ErrConflict
	case "QuotaExceededError":
		return fmt.Errorf("indexeddb: %w: %s", storage.ErrFull, o.message)
	case "InvalidStateError", "TransactionInactiveError":
		return fmt.Errorf("%w: %s", ErrDisconnected, o.message)
	}
	return fmt.Errorf("indexeddb: transaction failed: %w: %s: %s", storage.ErrUnavailable, o.name, o.message)
}

// end closes the connection. Transactions in progress still come to their ends.
func (c *connection) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended {
		return
	}
	c.mu.ended = true
	if c.database.Truthy() {
		c.database.Call("close")
	}
	c.releaseLocked()
}

// releaseLocked releases the callbacks when JavaScript has no more use for them.
func (c *connection) releaseLocked() {
	if c.mu.ended && len(c.mu.pending) == 0 {
		c.done.Release()
		c.event.Release()
	}
}

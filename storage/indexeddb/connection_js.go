//go:build js && wasm

package indexeddb

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall/js"
	"time"

	"github.com/hack-pad/go-indexeddb/idb"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/indexeddb/internal/paged"
)

//go:embed bridge.js
var bridgeSource string

const (
	// schemaVersion is the version of the IndexedDB database: which object stores it
	// has. What they hold has its own versions.
	schemaVersion = 1
	objectStore   = "records"
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

	lost     chan struct{} // closed when the connection was taken away
	loseOnce sync.Once
	waits    chan struct{} // closed when another connection keeps this one from opening
	waitOnce sync.Once

	done  js.Func
	event js.Func

	mu struct {
		sync.Mutex
		lastID  int
		pending map[int]chan<- outcome
		ended   bool // no transaction begins any more
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
	c := newConnection(b)
	if err := c.open(ctx, name, schemaVersion); err != nil {
		c.factory.Call("abandon")
		c.end()
		return nil, err
	}
	return c, nil
}

func newConnection(bridge js.Value) *connection {
	c := &connection{bridge: bridge, lost: make(chan struct{}), waits: make(chan struct{})}
	c.mu.pending = map[int]chan<- outcome{}
	c.done = js.FuncOf(c.onDone)
	c.event = js.FuncOf(c.onEvent)
	c.factory = bridge.Call("factory", c.event)
	return c
}

func (c *connection) open(ctx context.Context, name string, version uint) error {
	factory, err := idb.WrapFactory(c.factory)
	if err != nil {
		return err
	}
	// The library waits for the end of this context to let go of its callbacks.
	listening, cancel := context.WithCancel(ctx)
	defer cancel()
	var upgradeErr error
	request, err := factory.Open(listening, name, version, func(db *idb.Database, _, _ uint) error {
		_, upgradeErr = db.CreateObjectStore(objectStore, idb.ObjectStoreOptions{})
		return nil // the library would panic
	})
	if err != nil {
		return openError(err)
	}
	_, err = request.Await(listening)
	switch {
	case ctx.Err() != nil && c.isBlocked():
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
	meaning := storage.ErrUnavailable
	switch exceptionName(err) {
	case "VersionError":
		meaning = ErrNewer
	case "SecurityError", "NotAllowedError", "InvalidStateError": // Firefox without storage says the last
		meaning = ErrUnsupported
	case "QuotaExceededError":
		meaning = storage.ErrFull
	}
	return fmt.Errorf("indexeddb: open: %w: %w", meaning, err)
}

// exceptionName returns the name of the exception that err stands for. The library makes
// those that are thrown errors of another kind than those that requests end with.
func exceptionName(err error) string {
	var thrown js.Error
	if errors.As(err, &thrown) {
		return thrown.Value.Get("name").String()
	}
	name, _, _ := strings.Cut(err.Error(), ":")
	return name
}

func (c *connection) isBlocked() bool {
	select {
	case <-c.waits:
		return true
	default:
		return false
	}
}

// onEvent is called from JavaScript with what happens to the connection.
func (c *connection) onEvent(_ js.Value, args []js.Value) any {
	if args[0].String() == "blocked" {
		c.waitOnce.Do(func() { close(c.waits) })
	} else {
		c.loseOnce.Do(func() { close(c.lost) })
	}
	return nil
}

// onDone is called from JavaScript with a transaction's outcome.
func (c *connection) onDone(_ js.Value, args []js.Value) any {
	id := args[0].Int()
	lastTurn = time.Now()
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
func (c *connection) transact(ctx context.Context, t *paged.Transaction, durability Durability) (*paged.Results, error) {
	done := make(chan outcome, 1)
	id, err := c.expect(done)
	if err != nil {
		return nil, err
	}
	operations, values := pack(t)
	tx := c.bridge.Call("transact", c.database, objectStore, bytesToJS(operations), values, t.Writes(), string(durability), id, c.done)
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
	packed := make([]byte, o.reply.Length())
	js.CopyBytesToGo(packed, o.reply)
	return unpack(t, packed)
}

// turn waits until the event loop has gone round.
func (c *connection) turn() error {
	done := make(chan outcome, 1)
	id, err := c.expect(done)
	if err == nil {
		c.bridge.Call("turn", id, c.done)
		<-done
	}
	return err
}

// expect returns a number by which JavaScript will tell an outcome.
func (c *connection) expect(done chan<- outcome) (id int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.ended {
		return 0, errEnded
	}
	c.mu.lastID++
	c.mu.pending[c.mu.lastID] = done
	return c.mu.lastID, nil
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

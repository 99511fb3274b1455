package sledcompat

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// engineTree is the tree that holds a node's data.
const engineTree = "node"

// Open returns the storage engine over the database in dir, which is created where it
// does not exist. It blocks while the log of the last run is replayed.
func Open(dir string, opts ...Option) (storage.Engine, error) {
	db, err := OpenDB(dir, opts...)
	if err != nil {
		return nil, err
	}
	e, err := db.engine(newOptions(opts).kv)
	if err != nil {
		return nil, fmt.Errorf("sledcompat: open %s: %w", dir, errors.Join(err, db.Close()))
	}
	return e, nil
}

func (db *DB) engine(o kv.Options) (*kv.Engine, error) {
	tree, err := db.Tree(engineTree)
	if err != nil {
		return nil, err
	}
	return kv.Open(context.Background(), &store{tree}, o)
}

// DB is a database in a directory: a set of named trees.
type DB struct {
	dir    string
	pebble *pebble.DB
	lock   *pebble.Lock
	space  space

	// commit orders changes: what a change's checks found holds until it is in memory.
	commit sync.Mutex
	failed atomic.Pointer[error] // why the database can no longer be trusted

	mu struct {
		sync.RWMutex // held for reading by every call, so that Close waits for them
		closed       bool
	}
}

// OpenDB opens the database in dir, and creates it where it does not exist.
func OpenDB(dir string, opts ...Option) (*DB, error) {
	db, err := openDB(dir, newOptions(opts))
	if err != nil {
		return nil, fmt.Errorf("sledcompat: open %s: %w", dir, classify(err))
	}
	return db, nil
}

func openDB(dir string, o *options) (*DB, error) {
	if err := o.fs.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// One name for the directory, whichever way it was given: locks go by name.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	lock, err := lockDirectory(dir, o.fs)
	if err != nil {
		return nil, err
	}
	db := &DB{dir: dir, lock: lock, space: space{fs: o.fs, dir: dir, reserve: o.reserve}}
	err = catch(func() (err error) {
		db.pebble, err = pebble.Open(dir, o.pebble(lock))
		return err
	})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return db, nil
}

// Close waits for calls in progress, writes out what is in memory and releases the
// directory. Later calls, a second Close aside, return storage.ErrClosed.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return nil
	}
	db.mu.closed = true
	err := catch(db.pebble.Close)
	if err = errors.Join(err, db.lock.Close()); err != nil {
		return fmt.Errorf("sledcompat: close %s: %w", db.dir, classify(err))
	}
	return nil
}

// enter begins a call; unless it fails, the caller defers db.leave.
func (db *DB) enter() error {
	db.mu.RLock()
	switch failed := db.failed.Load(); {
	case db.mu.closed:
		db.mu.RUnlock()
		return storage.ErrClosed
	case failed != nil:
		db.mu.RUnlock()
		return *failed
	}
	return nil
}

func (db *DB) leave() { db.mu.RUnlock() }

// MaxTreeName is the length of a tree's name at most, in bytes.
const MaxTreeName = 128

// Tree returns the tree of the given name, which is not empty. It exists as long as it
// has keys.
func (db *DB) Tree(name string) (*Tree, error) {
	if n := len(name); n == 0 || n > MaxTreeName {
		return nil, fmt.Errorf("sledcompat: a tree's name has 1 to %d bytes, not %d", MaxTreeName, n)
	}
	return &Tree{db: db, prefix: append([]byte{byte(len(name))}, name...)}, nil
}

// TreeNames returns the names of the trees that have keys, shorter ones first.
func (db *DB) TreeNames() ([]string, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	it, err := db.pebble.NewIter(nil)
	if err != nil {
		return nil, classify(err)
	}
	var names []string
	for ok := it.First(); ok; {
		key := it.Key()
		if len(key) < 1+int(key[0]) {
			return nil, errors.Join(fmt.Errorf("%w: key %x is in no tree", storage.ErrCorrupt, key), it.Close())
		}
		prefix := append([]byte(nil), key[:1+int(key[0])]...)
		names = append(names, string(prefix[1:]))
		ok = it.SeekGE(prefixEnd(prefix))
	}
	return names, classify(it.Close())
}

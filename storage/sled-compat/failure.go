package sledcompat

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ankurah-go/ankurah/storage"
)

// ErrLocked is what Open returns, wrapped with the directory's name, for a directory that
// is open already, in this process or in another one.
var ErrLocked = errors.New("directory is in use by another server or process")

func lockDirectory(dir string, fsys vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fsys)
	if err == nil {
		return lock, nil
	}
	var path *fs.PathError
	var errno syscall.Errno
	switch {
	case errors.As(err, &path): // the lock file could not be opened
	case errors.As(err, &errno) && errno != syscall.EAGAIN && errno != syscall.EACCES:
	default: // held: by another process according to errno, or else by this one
		err = fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	return nil, err
}

// classify wraps errors of Pebble and of the operating system in those of package
// storage, where one fits.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case vfs.IsNoSpaceError(err):
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
	}
	return err
}

// catch makes a fatal message of Pebble in this goroutine an error.
func catch(call func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fatal:
			err = r
		default:
			panic(r)
		}
	}()
	return call()
}

// fail records that a change may be in memory and not on disk, and returns the error for
// this call and all later ones.
func (db *DB) fail(cause error) error {
	err := fmt.Errorf("%w: writing to %s failed, it has to be opened again: %w", storage.ErrUnavailable, db.dir, classify(cause))
	db.failed.CompareAndSwap(nil, &err)
	return *db.failed.Load()
}

// space looks how much is free on the disk, often enough not to be surprised.
type space struct {
	fs      vfs.FS
	dir     string
	reserve uint64

	mu struct {
		sync.Mutex
		looked  time.Time
		written int // since then
	}
}

// After as much time or as many bytes it looks again.
const (
	lookAfter      = 100 * time.Millisecond
	lookAfterBytes = 1 << 20
)

// check returns storage.ErrFull if writing some bytes would leave less than the reserve.
func (s *space) check(bytes int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.written += bytes
	if s.mu.written < lookAfterBytes && time.Since(s.mu.looked) < lookAfter {
		return nil
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return nil // a file system that cannot tell; the write will
	}
	if usage.AvailBytes < s.reserve+uint64(bytes) {
		return fmt.Errorf("%w: %s has %d MiB free, and %d MiB are kept in reserve",
			storage.ErrFull, s.dir, usage.AvailBytes>>20, s.reserve>>20)
	}
	s.mu.looked, s.mu.written = time.Now(), 0
	return nil
}

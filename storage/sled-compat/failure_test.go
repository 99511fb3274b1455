package sledcompat

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
)

// fullFS is a file system that says how much is free.
type fullFS struct {
	vfs.FS
	free atomic.Uint64
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load()}, nil
}

// A full disk refuses changes before anything is written; what is there can be read, and
// once there is room, changes go on.
func TestFullDiskRefusesChanges(t *testing.T) {
	disk := &fullFS{FS: vfs.Default}
	disk.free.Store(1 << 30)
	tree := openTree(t, t.TempDir(), "t", WithFS(disk), WithReserve(1<<20))
	defer tree.db.Close()
	if err := tree.Insert([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(1 << 20)
	tree.db.space.mu.looked = time.Time{} // it looks now and then
	for range 2 {
		if err := tree.Insert([]byte("b"), []byte("1")); !errors.Is(err, storage.ErrFull) || !strings.Contains(err.Error(), tree.db.dir) {
			t.Fatalf("insert: %v, want ErrFull with the directory", err)
		}
	}
	values, err := tree.GetMany([][]byte{[]byte("a"), []byte("b")})
	if err != nil || string(values[0]) != "1" || values[1] != nil {
		t.Fatalf("stored %q, %v", values, err)
	}
	disk.free.Store(1 << 30)
	if err := tree.Insert([]byte("b"), []byte("2")); err != nil {
		t.Fatalf("with room again: %v", err)
	}
}

// brokenLog is a file system whose log fails once told so: its writes or its syncs.
type brokenLog struct {
	cause  error
	writes bool
	broken atomic.Bool
}

func (b *brokenLog) MaybeError(op errorfs.Op) error {
	struck := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
	if b.writes {
		struck = op.Kind == errorfs.OpFileWrite
	}
	if b.broken.Load() && struck && strings.HasSuffix(op.Path, ".log") {
		return b.cause
	}
	return nil
}

func (b *brokenLog) String() string { return "broken log" }

// When the log fails, the change is not acknowledged, nothing goes on as if it were
// stored, and what was acknowledged before is there after opening again.
func TestBrokenLog(t *testing.T) {
	for _, c := range []struct {
		cause  error
		writes bool
		also   error
	}{
		{syscall.EIO, false, storage.ErrUnavailable},
		{syscall.ENOSPC, false, storage.ErrFull},
		{syscall.ENOSPC, true, storage.ErrFull},
	} {
		t.Run(fmt.Sprintf("%v writes=%v", c.cause, c.writes), func(t *testing.T) {
			dir := t.TempDir()
			log := &brokenLog{cause: c.cause, writes: c.writes}
			tree := openTree(t, dir, "t", WithFS(errorfs.Wrap(vfs.Default, log)))
			if err := tree.Insert([]byte("a"), []byte("1")); err != nil {
				t.Fatal(err)
			}
			log.broken.Store(true)
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					err := tree.Insert(fmt.Append(nil, "lost", i), []byte("1"))
					if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, c.also) || !errors.Is(err, c.cause) {
						t.Errorf("insert: %v", err)
					}
				})
			}
			wg.Wait()
			_, getErr := tree.Get([]byte("a"))
			rangeErr := tree.Range(kv.Range{}, func(_, _ []byte) bool { return true })
			for call, err := range map[string]error{"get": getErr, "range": rangeErr, "insert": tree.Insert(nil, nil)} {
				if !errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("%s afterwards: %v", call, err)
				}
			}
			if err := tree.db.Close(); err == nil {
				t.Error("closing says nothing of the broken log")
			}

			tree = openTree(t, dir, "t")
			defer tree.db.Close()
			if got, err := tree.Get([]byte("a")); err != nil || string(got) != "1" {
				t.Errorf("after opening again: %q, %v", got, err)
			}
			if err := tree.Insert([]byte("b"), []byte("1")); err != nil {
				t.Errorf("insert after opening again: %v", err)
			}
		})
	}
}

// What Pebble calls fatal in a call of ours is an error of that call, and other panics
// are not swallowed.
func TestFatalMessages(t *testing.T) {
	err := catch(func() error {
		logger{}.Fatalf("no %s", "way")
		return nil
	})
	var f fatal
	if !errors.As(err, &f) || err.Error() != "no way" {
		t.Errorf("a fatal message is %v", err)
	}
	defer func() {
		if recover() != "other" {
			t.Error("a panic was swallowed")
		}
	}()
	_ = catch(func() error { panic("other") })
}

package sledcompat

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ankurah-go/ankurah/storage/kv"
)

// Option is a setting of Open and OpenDB.
type Option func(*options)

type options struct {
	cache   int64
	reserve uint64
	log     func(message string)
	kv      kv.Options
	fs      vfs.FS
}

const (
	defaultCache   = 64 << 20
	defaultReserve = 32 << 20
	memTable       = 16 << 20
)

func newOptions(opts []Option) *options {
	o := &options{cache: defaultCache, reserve: defaultReserve, fs: vfs.Default}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// WithCache sets the size in bytes of the cache of what was read from disk; the default
// is 64 MiB. Up to 32 MiB more hold what was written last.
func WithCache(bytes int64) Option { return func(o *options) { o.cache = bytes } }

// WithReserve sets how many bytes must be free on the disk for a change to be accepted;
// the default is 32 MiB, which is what finishing what was accepted may take.
func WithReserve(bytes uint64) Option { return func(o *options) { o.reserve = bytes } }

// WithLog has messages of the database, which are dropped by default, passed to log. It
// is called from several goroutines, and must not call the database.
func WithLog(log func(message string)) Option { return func(o *options) { o.log = log } }

// WithKV sets the options of the engine over the tree; it has no meaning for OpenDB.
func WithKV(engine kv.Options) Option { return func(o *options) { o.kv = engine } }

// WithFS sets the file system that the database is on, in place of the operating system's, for
// tests that break it. The directory has to exist on that one as well.
func WithFS(fs vfs.FS) Option { return func(o *options) { o.fs = fs } }

func (o *options) pebble(lock *pebble.Lock) *pebble.Options {
	p := &pebble.Options{
		FS:                 o.fs,
		Lock:               lock,
		CacheSize:          o.cache,
		MemTableSize:       memTable,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             logger{o.log},
		// Two, so that a long compaction does not hold up a short one.
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, 2 },
	}
	for i := range p.Levels {
		// Every creation asks for keys that are absent; the filters answer from memory.
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}

// logger passes Pebble's messages on.
type logger struct{ log func(message string) }

// fatal is what a fatal message of Pebble becomes: it does not expect to return from it.
type fatal struct{ message string }

func (f fatal) Error() string { return f.message }

func (l logger) Infof(format string, args ...any) {
	if l.log != nil {
		l.log(fmt.Sprintf(format, args...))
	}
}

func (l logger) Errorf(format string, args ...any) { l.Infof(format, args...) }

func (l logger) Fatalf(format string, args ...any) {
	l.Infof(format, args...)
	panic(fatal{fmt.Sprintf(format, args...)})
}

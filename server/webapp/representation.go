package webapp

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxKept bounds the bytes of compressed files that are kept in memory, minCompressed
// and maxCompressed the files that are compressed while somebody waits.
const (
	maxKept       = 64 << 20
	minCompressed = 1 << 10
	maxCompressed = 32 << 20
)

// encodings are the compressed copies that are looked for, best first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// representation is one way to send a file.
type representation struct {
	encoding string // "" for the file as it is
	etag     string
	open     func() (readSeekCloser, error)
}

// representations finds and makes them, and remembers what is costly: hashes, and the
// bytes that it compressed.
type representations struct {
	root *os.Root

	mu struct {
		sync.Mutex
		known map[string]*fileFacts // by name
		bytes int                   // compressed ones
	}
}

// fileFacts is what is remembered of one version of a file.
type fileFacts struct {
	modified time.Time
	size     int64

	once       sync.Once
	err        error
	etag       string
	compressed []byte // by gzip; nil if that is not done, or not worth it
}

func newRepresentations(root *os.Root) *representations {
	r := &representations{root: root}
	r.mu.known = map[string]*fileFacts{}
	return r
}

// choose returns the best way to send a file to somebody who takes the encodings.
func (r *representations) choose(name string, accepted []string) (*representation, error) {
	if compressible(name) {
		for _, e := range encodings {
			if !slices.Contains(accepted, e.name) {
				continue
			}
			if copied, err := r.stored(name+e.suffix, e.name); err == nil && !r.older(name+e.suffix, name) {
				return copied, nil
			}
		}
		if slices.Contains(accepted, "gzip") {
			if facts, err := r.facts(name, true); err == nil && facts.compressed != nil {
				return inMemory(facts), nil
			}
		}
	}
	return r.stored(name, "")
}

// stored is a file as it is on disk.
func (r *representations) stored(name, encoding string) (*representation, error) {
	facts, err := r.facts(name, false)
	if err != nil {
		return nil, err
	}
	return &representation{
		encoding: encoding,
		etag:     facts.etag,
		open:     func() (readSeekCloser, error) { return r.root.Open(name) },
	}, nil
}

func inMemory(facts *fileFacts) *representation {
	return &representation{
		encoding: "gzip",
		etag:     strings.TrimSuffix(facts.etag, `"`) + `-gzip"`,
		open: func() (readSeekCloser, error) {
			return memoryFile{bytes.NewReader(facts.compressed)}, nil
		},
	}
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// older reports whether a compressed copy was made before its file: it is stale.
func (r *representations) older(copied, name string) bool {
	c, err := r.root.Stat(copied)
	if err != nil {
		return true
	}
	f, err := r.root.Stat(name)
	return err == nil && c.ModTime().Before(f.ModTime())
}

// facts returns what is known of a file's present version; with compress, compressed
// bytes too if it has them.
func (r *representations) facts(name string, compress bool) (*fileFacts, error) {
	info, err := r.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	key := name
	if compress {
		key += "\x00gzip"
	}
	facts := r.entry(key, info)
	facts.once.Do(func() { facts.err = r.learn(facts, name, compress) })
	return facts, facts.err
}

func (r *representations) entry(key string, info fs.FileInfo) *fileFacts {
	r.mu.Lock()
	defer r.mu.Unlock()
	facts := r.mu.known[key]
	if facts == nil || facts.size != info.Size() || !facts.modified.Equal(info.ModTime()) {
		if facts != nil {
			r.mu.bytes -= len(facts.compressed)
		}
		facts = &fileFacts{modified: info.ModTime(), size: info.Size()}
		r.mu.known[key] = facts
	}
	return facts
}

// learn reads a file once.
func (r *representations) learn(facts *fileFacts, name string, compress bool) error {
	f, err := r.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	var compressed bytes.Buffer
	if !compress || facts.size < minCompressed || facts.size > maxCompressed {
		_, err = io.Copy(hash, f)
	} else {
		z, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression) // the level is a valid one
		if _, err = io.Copy(io.MultiWriter(hash, z), f); err == nil {
			err = z.Close()
		}
	}
	if err != nil {
		return err
	}
	facts.etag = `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:12]) + `"`
	if n := compressed.Len(); n > 0 && int64(n) < facts.size && r.reserve(n) {
		facts.compressed = compressed.Bytes()
	}
	return nil
}

// reserve counts bytes that are to be kept, if there is room for them.
func (r *representations) reserve(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.bytes+n > maxKept {
		return false
	}
	r.mu.bytes += n
	return true
}

// acceptable returns the content codings of an Accept-Encoding header that are not
// refused by a zero weight.
func acceptable(header string) []string {
	var accepted []string
	for part := range strings.SplitSeq(header, ",") {
		coding, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		weight, found := strings.CutPrefix(strings.ReplaceAll(parameters, " ", ""), "q=")
		if q, err := strconv.ParseFloat(weight, 64); found && (err != nil || q <= 0) {
			continue
		}
		if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "" {
			accepted = append(accepted, coding)
		}
	}
	return accepted
}

package tikv

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pingcap/log"
	"github.com/tikv/client-go/v2/oracle"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

func TestForeignAndNewerPrefixesAreRefused(t *testing.T) {
	url := tikvtest.URL(t)
	p, err := parseURL(url, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	other := openedStore(t, tikvtest.URL(t), Options{})
	defer other.Close()
	put := func(key, value string) {
		t.Helper()
		err := other.transact(t.Context(), func(tx *transaction) error { return tx.put([]byte(p.prefix+key), []byte(value)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(want error, words string) {
		t.Helper()
		if e, err := Open(t.Context(), url, Options{}); !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
			t.Errorf("opened: %v, %v; want %v", e != nil, err, want)
		}
	}
	put("/something", "else")
	refused(storage.ErrCorrupt, "the prefix holds data that is not Ankurah's")
	put("/v", "\x02")
	refused(kv.ErrNewer, "its layout is version 2, and this program reads up to 1")
	put("/v", "\x01")
	put("/dv", "\x09")
	refused(kv.ErrNewer, "its layout is version 9")
}

func TestURLs(t *testing.T) {
	var o Options
	p, err := parseURL("tikv://a,b:1,[::1]:5/my-app_2.x?timeout=3s&lease=250ms&poll=1ms&keep=10m&attempt=2s&ca=/c&cert=/d&key=/e", &o)
	want := Options{Timeout: 3 * time.Second, Attempt: 2 * time.Second, Lease: 250 * time.Millisecond, Poll: time.Millisecond, Keep: 10 * time.Minute, CA: "/c", Cert: "/d", Key: "/e"}
	if err != nil || !slices.Equal(p.pds, []string{"a:2379", "b:1", "[::1]:5"}) || p.prefix != "my-app_2.x" || !reflect.DeepEqual(o, want) {
		t.Errorf("%+v, %+v, %v", p, o, err)
	}
	for url, words := range map[string]string{
		"postgres://a/b":         "want a URL",
		"tikv://a":               "prefix \"\"",
		"tikv://a/":              "prefix \"\"",
		"tikv://a/b/c":           "prefix \"b/c\"",
		"tikv://a/b%2f":          "prefix",
		"tikv:///b":              "the address of a PD",
		"tikv://a,/b":            "the address of a PD",
		"tikv://a/b?timeout=5":   "want a duration",
		"tikv://a/b?timeout=-5s": "want a duration",
		"tikv://a/b?speed=5":     "unknown parameter \"speed\"",
	} {
		if _, err := parseURL(url, &Options{}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", url, err, words)
		}
	}
}

func TestOpenSaysThatNobodyAnswers(t *testing.T) {
	c := tikvtest.New(t, 1)
	c.StopPD()
	_, err := Open(t.Context(), c.URL()+"?timeout=300ms", Options{})
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("opened: %v", err)
	}
	if _, err := Open(t.Context(), c.URL()+"?ca=/nowhere", Options{}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("with an authority that is not there: %v", err)
	}
}

// A store that is told to has the cluster forget what is older, and nothing newer.
func TestOldVersionsAreForgotten(t *testing.T) {
	c := tikvtest.New(t, 1)
	keeping := openedStore(t, c.URL(), Options{})
	defer keeping.Close()
	begun, err := keeping.now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.SafePoint() != 0 {
		t.Error("a store that was not told to has versions forgotten")
	}
	const keep = 100 * time.Millisecond
	s := openedStore(t, c.URL(), Options{Keep: keep})
	defer s.Close()
	for c.SafePoint() < begun.at {
		time.Sleep(time.Millisecond)
	}
	point := c.SafePoint()
	if n, err := s.now(t.Context()); err != nil || oracle.ExtractPhysical(n.at)-oracle.ExtractPhysical(point) < keep.Milliseconds() {
		t.Errorf("versions are forgotten up to %d at %d, %v", point, n.at, err)
	}
	if values, err := s.Get(t.Context(), [][]byte{[]byte("a")}); err != nil || values[0] != nil {
		t.Errorf("a read: %q, %v", values, err)
	}
}

// What the client library has to say goes to the logger that it was given.
func TestClientLogIsRouted(t *testing.T) {
	var said bytes.Buffer
	e := open(t, tikvtest.URL(t), Options{Log: slog.New(slog.NewTextHandler(&lockedWriter{w: &said}, nil))})
	log.Warn("a store does not answer") // as the client does
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	routeLog(nil)
	if !strings.Contains(said.String(), "level=WARN msg=\"tikv client: a store does not answer") {
		t.Errorf("logged: %s", said.String())
	}
}

// lockedWriter is for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// A row may have as many bytes as is said, and of a larger one it is said how many those are. It
// lies in a cluster of its own: the mock store would read it again for each row beside it, and
// have the tests that follow take minutes.
func TestLargestRow(t *testing.T) {
	s := openedStore(t, tikvtest.New(t, 1).URL(), Options{})
	defer s.Close()
	key := bytes.Repeat([]byte("k"), 2*maxKey)
	largest := bytes.Repeat([]byte("v"), MaxRow-len(key))
	if err := s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: key, Value: largest}}}); err != nil {
		t.Fatal(err)
	}
	if values, err := s.Get(t.Context(), [][]byte{key}); err != nil || !bytes.Equal(values[0], largest) {
		t.Errorf("%d bytes came back with %d, %v", len(largest), len(values[0]), err)
	}
	err := s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: key, Value: append(largest, 'v')}}})
	if err == nil || errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "a row of 5242881 bytes; 5242880 are allowed") {
		t.Errorf("one byte more: %v", err)
	}
}

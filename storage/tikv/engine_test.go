package tikv

import (
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// ample is a timeout for tests that are not about timeouts, however busy the machine is.
const ample = time.Minute

func open(t testing.TB, url string, o Options) *Engine {
	t.Helper()
	o.Timeout = ample
	e, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func openedStore(t testing.TB, url string, o Options) *store {
	t.Helper()
	o.Timeout = ample
	p, err := parseURL(url, &o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStore(t.Context(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// impatient has a store's calls end soon while do runs.
func impatient(s *store, do func()) {
	patient := s.options
	s.options.Timeout, s.options.Attempt = 300*time.Millisecond, 100*time.Millisecond
	do()
	s.options = patient
}

func TestEngine(t *testing.T) {
	storagetest.Run(t, func(t testing.TB) storage.Engine { return open(t, tikvtest.URL(t), Options{}) })
}

func TestEngineKeepsItsData(t *testing.T) {
	storagetest.RunDurable(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := tikvtest.URL(t)
		return func(t testing.TB) storage.Engine { return open(t, url, Options{}) }
	})
}

func TestProcessesShareAPrefix(t *testing.T) {
	storagetest.RunShared(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := tikvtest.URL(t)
		return func(t testing.TB) storage.Engine { return open(t, url, Options{}) }
	})
}

// The prefix has neighbours, whose keys it must not see.
func TestPrefixIsAStore(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kvtest.Place {
		url := tikvtest.URL(t)
		for _, neighbour := range []string{url[:len(url)-1], url + "0", url + "-", url + "."} {
			s := openedStore(t, neighbour, Options{})
			for _, key := range []string{"", "a", "\xff\xff"} {
				if err := s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: []byte(key), Value: []byte("theirs")}}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return kvtest.PlaceFunc(func(t testing.TB) kv.Store { return openedStore(t, url, Options{}) })
	})
}

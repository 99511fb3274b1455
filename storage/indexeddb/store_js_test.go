//go:build js && wasm

package indexeddb

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall/js"
	"testing"

	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/kv"
	"github.com/ankurah-go/ankurah/storage/kv/kvtest"
)

// The tests run in package browsertest's browser. Elsewhere only the refusal can be
// tested.
func TestMain(m *testing.M) {
	if !js.Global().Get("location").Truthy() {
		flag.Parse()
		_ = flag.Set("test.run", "Unsupported")
	}
	leaktest.Main(m)
}

var databases atomic.Int64

// newName returns the name of a database that does not exist yet.
func newName(t testing.TB) string { return fmt.Sprintf("%s-%d", t.Name(), databases.Add(1)) }

func open(t testing.TB, o Options) kv.Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func put(t testing.TB, s kv.Store, key, value string) {
	t.Helper()
	if err := tryPut(t, s, key, value); err != nil {
		t.Fatal(err)
	}
}

func tryPut(t testing.TB, s kv.Store, key, value string) error {
	return s.Commit(t.Context(), &kv.Writes{Puts: []kv.Pair{{Key: []byte(key), Value: []byte(value)}}})
}

func get(t testing.TB, s kv.Store, key string) string {
	t.Helper()
	values, err := s.Get(t.Context(), [][]byte{[]byte(key)})
	if err != nil {
		t.Fatal(err)
	}
	return string(values[0])
}

// evaluate runs JavaScript that ends with a promise, and returns what that becomes; an
// exception becomes its name.
func evaluate(t testing.TB, source string) js.Value {
	t.Helper()
	result := make(chan js.Value, 1)
	done := js.FuncOf(func(_ js.Value, args []js.Value) any { result <- args[0]; return nil })
	defer done.Release()
	js.Global().Call("eval", "(async () => {"+source+"})().catch((e) => e.name)").Call("then", done)
	return <-result
}

// openOther opens another connection, at a version, that closes when it is told to, or
// not. It is closed with the test.
func openOther(t testing.TB, name string, version int, yields bool) {
	t.Helper()
	source := fmt.Sprintf(`return new Promise((resolve, reject) => {
		const r = indexedDB.open(%q, %d);
		r.onerror = () => reject(r.error);
		r.onupgradeneeded = () => { if (r.transaction.db.objectStoreNames.length === 0) r.result.createObjectStore('records'); };
		r.onsuccess = () => {
			globalThis.other = r.result;
			if (%v) other.onversionchange = () => other.close();
			resolve('opened');
		};
	});`, name, version, yields)
	if got := evaluate(t, source).String(); got != "opened" {
		t.Fatal(got)
	}
	t.Cleanup(func() { evaluate(t, "other.close();") })
}

// remove deletes a database and waits until it is gone.
func remove(t testing.TB, name string) {
	t.Helper()
	evaluate(t, fmt.Sprintf("await new Promise((resolve) => { indexedDB.deleteDatabase(%q).onsuccess = resolve; });", name))
}

// ask sends a request to the runner of the tests.
func ask(t testing.TB, path string) {
	t.Helper()
	if got := evaluate(t, fmt.Sprintf("const r = await fetch(%q); return r.status + ' ' + await r.text();", path)).String(); got != "200 " {
		t.Fatalf("%s: %s", path, got)
	}
}

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kvtest.Place {
		o := Options{Name: newName(t)}
		return kvtest.PlaceFunc(func(t testing.TB) kv.Store {
			s, err := Open(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
	})
}

func TestStrictStoreKeepsItsData(t *testing.T) {
	o := Options{Name: newName(t), Durability: Strict}
	s := open(t, o)
	put(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, open(t, o), "k"); got != "v" {
		t.Errorf("after opening again: %q", got)
	}
}

func TestLargeValuesSurvive(t *testing.T) {
	o := Options{Name: newName(t)}
	s := open(t, o)
	want := map[string]string{}
	for i, size := range []int{0, 1, 100_000, 3_000_000} {
		key := fmt.Sprint("k", i)
		want[key] = strings.Repeat(string(rune('a'+i)), size)
		put(t, s, key, want[key])
	}
	_ = s.Close()
	s = open(t, o)
	for key, value := range want {
		if got := get(t, s, key); got != value {
			t.Errorf("%s: %d bytes, want %d", key, len(got), len(value))
		}
	}
}

func TestSecondStoreSupersedesTheFirst(t *testing.T) {
	told := make(chan error, 1)
	o := Options{Name: newName(t), OnClosed: func(err error) { told <- err }}
	first := open(t, o)
	put(t, first, "k", "1")
	second := open(t, Options{Name: o.Name})
	if err := tryPut(t, first, "k", "2"); !errors.Is(err, ErrSuperseded) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("commit of the first: %v", err)
	}
	if err := <-told; !errors.Is(err, ErrSuperseded) {
		t.Errorf("told %v", err)
	}
	if got := get(t, second, "k"); got != "1" {
		t.Errorf("the second has %q", got)
	}
}

// Another connection asks for the database at a higher version, and gets it because
// the store lets go.
func TestUpgradeElsewhereIsSurvived(t *testing.T) {
	told := make(chan error, 1)
	o := Options{Name: newName(t), OnClosed: func(err error) { told <- err }}
	s := open(t, o)
	put(t, s, "k", "v")
	openOther(t, o.Name, schemaVersion+1, true)
	if err := <-told; !errors.Is(err, ErrDisconnected) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("told %v", err)
	}
	if err := tryPut(t, s, "k", "2"); !errors.Is(err, ErrNewer) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("commit: %v, want ErrNewer", err)
	}
	if _, err := Open(t.Context(), o); !errors.Is(err, ErrNewer) {
		t.Errorf("Open: %v, want ErrNewer", err)
	}
}

func TestDeletionElsewhereSupersedes(t *testing.T) {
	told := make(chan error, 2)
	o := Options{Name: newName(t), OnClosed: func(err error) { told <- err }}
	s := open(t, o)
	put(t, s, "k", "v")
	remove(t, o.Name)
	if err := <-told; !errors.Is(err, ErrDisconnected) {
		t.Errorf("told %v", err)
	}
	if err := tryPut(t, s, "k", "2"); !errors.Is(err, ErrSuperseded) {
		t.Errorf("commit: %v, want ErrSuperseded", err)
	}
	if err := <-told; !errors.Is(err, ErrSuperseded) {
		t.Errorf("told %v", err)
	}
	_ = s.Close()
	if got := get(t, open(t, o), "k"); got != "" {
		t.Errorf("the new database has %q", got)
	}
}

func TestLostConnectionIsOpenedAgain(t *testing.T) {
	o := Options{Name: newName(t)}
	s := open(t, o)
	put(t, s, "a", "1")
	// The connection ends without a word, as some browsers do to a page in the background.
	s.(*store).database.current().database.Call("close")
	put(t, s, "b", "2")
	if a, b := get(t, s, "a"), get(t, s, "b"); a != "1" || b != "2" {
		t.Errorf("a is %q, b is %q", a, b)
	}
}

func TestEvictionByTheBrowserSupersedes(t *testing.T) {
	told := make(chan error, 2)
	o := Options{Name: newName(t), OnClosed: func(err error) { told <- err }}
	s := open(t, o)
	put(t, s, "k", "v")
	ask(t, "/browser/evict")
	if err := <-told; !errors.Is(err, ErrDisconnected) {
		t.Errorf("told %v", err)
	}
	if err := tryPut(t, s, "k", "2"); !errors.Is(err, ErrSuperseded) {
		t.Errorf("commit: %v, want ErrSuperseded", err)
	}
}

func TestBlockedOpenWaitsUntilItsContextEnds(t *testing.T) {
	name := newName(t)
	openOther(t, name, schemaVersion, false)
	deleted := make(chan struct{})
	go func() { remove(t, name); close(deleted) }() // waits for the other connection
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() {
		_, err := Open(ctx, Options{Name: name})
		opened <- err
	}()
	evaluate(t, "await new Promise((resolve) => setTimeout(resolve, 20));")
	select {
	case err := <-opened:
		t.Fatalf("Open returned while it was blocked: %v", err)
	default:
	}
	cancel()
	if err := <-opened; !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want context.Canceled", err)
	}
	evaluate(t, "other.close();")
	<-deleted
	open(t, Options{Name: name}) // the abandoned request does not stand in the way
}

// A connection of an older program, which does not let go, blocks an upgrade.
func TestBlockedUpgradeSaysSo(t *testing.T) {
	name := newName(t)
	openOther(t, name, schemaVersion, false)
	ctx, cancel := context.WithCancel(t.Context())
	b, err := bridge()
	if err != nil {
		t.Fatal(err)
	}
	c := newConnection(b)
	opened := make(chan error, 1)
	go func() { opened <- c.open(ctx, name, schemaVersion+1) }()
	<-c.waits
	cancel()
	if err := <-opened; !errors.Is(err, ErrBlocked) || !errors.Is(err, context.Canceled) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("open: %v, want ErrBlocked", err)
	}
	c.factory.Call("abandon")
	c.end()
}

func TestFullQuota(t *testing.T) {
	ask(t, "/browser/quota?bytes=1000000")
	defer ask(t, "/browser/quota")
	ask(t, "/browser/evict") // or else Chromium remembers for a while how much room there was
	s := open(t, Options{Name: newName(t)})
	put(t, s, "before", "1")
	var err error
	n := 0
	random := rand.NewChaCha8([32]byte{})
	for ; err == nil && n < 200; n++ {
		value := make([]byte, 100_000) // that do not compress
		_, _ = random.Read(value)
		err = tryPut(t, s, fmt.Sprint("k", n), string(value))
	}
	if !errors.Is(err, storage.ErrFull) {
		t.Fatalf("after %d commits of 100 kB with a quota of 1 MB: %v, want ErrFull", n, err)
	}
	if got := get(t, s, fmt.Sprint("k", n-1)); got != "" {
		t.Error("the commit that failed is there")
	}
	if got := get(t, s, "before"); got != "1" {
		t.Errorf("what was there before is %q", got)
	}
	ask(t, "/browser/quota")
	put(t, s, "after", "2")
}

func TestCommitEndsWithItsContext(t *testing.T) {
	o := Options{Name: newName(t)}
	s := open(t, o)
	put(t, s, "k", "1")
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		value := fmt.Sprint("try ", i)
		go cancel()
		before := get(t, s, "k")
		err := s.Commit(ctx, &kv.Writes{Puts: []kv.Pair{{Key: []byte("k"), Value: []byte(value)}}})
		want := value
		if err != nil {
			want = before
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		if got := get(t, s, "k"); got != want {
			t.Fatalf("%q after %q with error %v", got, value, err)
		}
	}
	want := get(t, s, "k")
	_ = s.Close()
	if got := get(t, open(t, o), "k"); got != want {
		t.Errorf("%q after opening again, want %q", got, want)
	}
}

func TestUnsupported(t *testing.T) {
	js.Global().Call("eval", "Object.defineProperty(globalThis, 'indexedDB', { value: undefined, configurable: true })")
	defer js.Global().Call("eval", "delete globalThis.indexedDB")
	_, err := Open(t.Context(), Options{Name: "x"})
	if !errors.Is(err, ErrUnsupported) || !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Open: %v, want ErrUnsupported", err)
	}
}

func TestPrivacyModesAreUnsupported(t *testing.T) {
	for _, name := range []string{"SecurityError", "InvalidStateError", "NotAllowedError"} {
		js.Global().Call("eval", `Object.defineProperty(globalThis, 'indexedDB', {
			value: { open() { throw new DOMException('no', '`+name+`'); } }, configurable: true })`)
		_, err := Open(t.Context(), Options{Name: "x"})
		js.Global().Call("eval", "delete globalThis.indexedDB")
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", name, err)
		}
	}
}

func TestOpenRefusesBadOptions(t *testing.T) {
	for _, o := range []Options{{}, {Name: newName(t), Durability: "eventual"}} {
		if _, err := Open(t.Context(), o); err == nil {
			t.Errorf("Open(%+v) succeeds", o)
		}
	}
}

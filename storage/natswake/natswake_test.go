package natswake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/internal/leaktest"
	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/natswake"
	"github.com/ankurah-go/ankurah/storage/natswake/natstest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, url, store string) *natswake.Hints {
	t.Helper()
	h, err := natswake.Open(url, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		h.Tell(storage.NewCommits) // does nothing
	})
	return h
}

// news is all kinds of it.
var news = []storage.News{storage.NewCommits, storage.NewBroadcasts}

// arrives waits for a hint of each kind. Who tells does so again and again: a hint may get lost.
func arrives(t *testing.T, from, at *natswake.Hints) {
	t.Helper()
	for _, n := range news {
		hintArrives(t, from, at, n)
	}
}

func hintArrives(t *testing.T, from, at *natswake.Hints, news storage.News) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		from.Tell(news)
		select {
		case <-at.Told(news):
			return
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("no hint arrives")
		}
	}
}

// connected is open, and takes the hint that there is of a connection that was made.
func connected(t *testing.T, url, store string) *natswake.Hints {
	t.Helper()
	h := open(t, url, store)
	looks(t, h)
	return h
}

// looks waits for a hint that nobody has told: something may have been missed.
func looks(t *testing.T, h *natswake.Hints) {
	t.Helper()
	for _, n := range news {
		select {
		case <-h.Told(n):
		case <-time.After(time.Minute):
			t.Fatal("no hint that something may have been missed")
		}
	}
}

// The processes of a store are told what each other tells, but not what they tell themselves,
// and not what those of other stores tell.
func TestProcessesOfAStoreTellEachOther(t *testing.T) {
	url := natstest.New(t).URL()
	const store = "7/my.app > * all"
	a, b, c := connected(t, url, store), connected(t, url, store), connected(t, url, store)
	other := connected(t, url, "7/my.app")
	for range 10 {
		arrives(t, a, b)
		arrives(t, a, c)
	}
	for _, n := range news {
		select {
		case <-other.Told(n):
			t.Error("another store is told")
		case <-a.Told(n):
			t.Error("it hears itself")
		default:
		}
	}
	arrives(t, b, a)
	arrives(t, c, a)
}

// Who waits for news of one kind is not woken by the other.
func TestNewsAreKeptApart(t *testing.T) {
	url := natstest.New(t).URL()
	a, b := connected(t, url, "s"), connected(t, url, "s")
	for i, n := range news {
		for range 5 {
			hintArrives(t, a, b, n)
		}
		select {
		case <-b.Told(news[1-i]):
			t.Errorf("news of kind %d are told as the other", n)
		default:
		}
	}
}

// NATS may be away when a process starts, and later; when it is back, everybody looks, and is
// told again.
func TestNATSMayBeAway(t *testing.T) {
	nats := natstest.New(t)
	a := connected(t, nats.URL(), "s")
	nats.Stop()
	b := open(t, nats.URL(), "s")
	for range 100 { // nobody waits
		a.Tell(storage.NewCommits)
		b.Tell(storage.NewBroadcasts)
	}
	nats.Start(t)
	looks(t, a)
	looks(t, b)
	arrives(t, a, b)
	arrives(t, b, a)
}

func TestAddressesThatAreNone(t *testing.T) {
	h, err := natswake.Open("nats://%zz", "s", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "natswake: ") {
		t.Errorf("opened: %v, %v", h, err)
	}
}

package natswake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/internal/leaktest"
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
		h.Tell() // does nothing
	})
	return h
}

// arrives waits for a hint. Who tells does so again and again: a hint may get lost.
func arrives(t *testing.T, from, at *natswake.Hints) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		from.Tell()
		select {
		case <-at.Told():
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
	select {
	case <-h.Told():
	case <-time.After(time.Minute):
		t.Fatal("no hint that something may have been missed")
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
	select {
	case <-other.Told():
		t.Error("another store is told")
	case <-a.Told():
		t.Error("it hears itself")
	default:
	}
	arrives(t, b, a)
	arrives(t, c, a)
}

// NATS may be away when a process starts, and later; when it is back, everybody looks, and is
// told again.
func TestNATSMayBeAway(t *testing.T) {
	nats := natstest.New(t)
	a := connected(t, nats.URL(), "s")
	nats.Stop()
	b := open(t, nats.URL(), "s")
	for range 100 { // nobody waits
		a.Tell()
		b.Tell()
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

package tikv

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankurah-go/ankurah/storage"
	"github.com/ankurah-go/ankurah/storage/natswake"
	"github.com/ankurah-go/ankurah/storage/natswake/natstest"
	"github.com/ankurah-go/ankurah/storage/storagetest"
	"github.com/ankurah-go/ankurah/storage/tikv/tikvtest"
)

// bell is storage.Hints that a test looks at, and rings.
type bell struct {
	store  string
	tells  [storage.NewsKinds]chan struct{}
	told   [storage.NewsKinds]chan struct{}
	closed bool
}

func newBell() *bell {
	b := &bell{}
	for news := range b.tells {
		b.tells[news], b.told[news] = make(chan struct{}, 100), make(chan struct{}, 1)
	}
	return b
}

func (b *bell) open(store string) (storage.Hints, error) {
	b.store = store
	return b, nil
}

func (b *bell) Tell(news storage.News)                 { b.tells[news] <- struct{}{} }
func (b *bell) Told(news storage.News) <-chan struct{} { return b.told[news] }

func (b *bell) Close() error {
	b.closed = true
	return nil
}

// Who commits something that others wait for tells them, once it is stored, and no sooner. Who
// is told looks, also where there is nothing.
func TestHintsAreGivenAndTaken(t *testing.T) {
	url := tikvtest.URL(t)
	first, second := newBell(), newBell()
	e, other := open(t, url, Options{Hints: first.open}), open(t, url, Options{Hints: second.open})
	if first.store == "" || first.store != second.store {
		t.Errorf("processes of one store know it as %q and as %q", first.store, second.store)
	}
	feed, err := e.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := storagetest.NewWorld(1)
	if err := e.Commit(t.Context(), &storage.Batch{Meta: []storage.MetaEntry{{Key: "k", Value: []byte("v")}}}); err != nil {
		t.Fatal(err)
	}
	tells := first.tells[storage.NewCommits]
	if len(tells) > 0 {
		t.Error("others are told of what they do not wait for")
	}
	for seq := range uint64(3) {
		if err := appendEntry(e, w, feed, seq+1); err != nil {
			t.Fatal(err)
		}
		<-tells
	}
	if err := appendEntry(e, w, feed, 3); !errors.Is(err, storage.ErrConflict) || len(tells) > 0 {
		t.Errorf("of a commit that fails others are told %d times: %v", len(tells), err)
	}
	wake := other.Wake()
	<-wake // it has seen what was committed
	for range 3 {
		second.told[storage.NewCommits] <- struct{}{}
		<-wake
	}
	for _, closing := range []*Engine{e, other} {
		if err := closing.Close(); err != nil {
			t.Error(err)
		}
	}
	if !first.closed || !second.closed {
		t.Error("hints stay open when their engine is closed")
	}
}

// Who broadcasts tells the others, and of that alone; who is told hears it.
func TestBroadcastsAreHintedAt(t *testing.T) {
	url := tikvtest.URL(t)
	first, second := newBell(), newBell()
	from, to := open(t, url, Options{Hints: first.open}), open(t, url, Options{Hints: second.open})
	defer from.Close()
	defer to.Close()
	for _, e := range []*Engine{from, to} {
		if _, err := e.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	heard := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- to.Listen(ctx, func(m []byte) { heard <- string(m) }) }()
	<-heard // that something may have been missed
	for i := range 10 {
		want := fmt.Sprint("message ", i)
		if err := from.Broadcast(t.Context(), []byte(want)); err != nil {
			t.Fatal(err)
		}
		<-first.tells[storage.NewBroadcasts]
		second.told[storage.NewBroadcasts] <- struct{}{}
		if got := <-heard; got != want {
			t.Errorf("%q is heard, want %q", got, want)
		}
	}
	if len(first.tells[storage.NewCommits]) > 0 {
		t.Error("broadcasts are told as commits")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("listening ends with %v", err)
	}
}

// Who is told of news acts at once, and looks more and more rarely, as if there were none; who is
// not told looks often while there are any.
func TestHintsSaveLooks(t *testing.T) {
	for _, tells := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBell()
			s := &store{options: Options{Poll: time.Hour}, wakes: wakes{hints: b}}
			looks, acts := 0, 0
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go s.lookOut(ctx, storage.NewBroadcasts, func() bool { looks++; return true }, func() { acts++ })
			const hints = 2000
			for range hints {
				time.Sleep(3 * time.Millisecond)
				if tells {
					b.told[storage.NewBroadcasts] <- struct{}{}
					synctest.Wait()
				}
			}
			switch {
			case tells && (acts != hints || looks > 15):
				t.Errorf("told %d times it acts %d times, and looks %d times", hints, acts, looks)
			case !tells && looks < 500:
				t.Errorf("in 6 s full of news it looks %d times", looks)
			}
		})
	}
}

// Where hints cannot be had the store is not opened, and nothing stays open.
func TestHintsThatCannotBeOpened(t *testing.T) {
	broken := errors.New("broken")
	e, err := Open(t.Context(), tikvtest.URL(t), Options{Hints: func(string) (storage.Hints, error) { return nil, broken }})
	if !errors.Is(err, broken) {
		t.Errorf("opened: %v, %v", e != nil, err)
	}
}

// overNATS has engines tell each other over a NATS.
func overNATS(url string) func(string) (storage.Hints, error) {
	return func(store string) (storage.Hints, error) { return natswake.Open(url, store, nil) }
}

// With NATS everything is as without, and so it is when NATS goes away: commits of others are
// noticed, and nobody fails.
func TestProcessesTellEachOtherOverNATS(t *testing.T) {
	nats := natstest.New(t)
	url := tikvtest.URL(t)
	o := Options{Hints: overNATS(nats.URL())}
	e, other := open(t, url, o), open(t, url, o)
	defer e.Close()
	defer other.Close()
	feed, err := e.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, seq := storagetest.NewWorld(1), uint64(0)
	noticed := func() {
		t.Helper()
		seq++
		if err := appendEntry(e, w, feed, seq); err != nil {
			t.Fatal(err)
		}
		for {
			<-other.Wake()
			feeds, err := other.Feeds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if feeds[feed] == seq {
				return
			}
		}
	}
	for range 20 {
		noticed()
	}
	nats.Stop()
	for range 5 {
		noticed()
	}
	nats.Start(t)
	for range 5 {
		noticed()
	}
}

func TestProcessesShareAPrefixOverNATS(t *testing.T) {
	nats := natstest.New(t)
	storagetest.RunShared(t, func(t testing.TB) func(testing.TB) storage.Engine {
		url := tikvtest.URL(t)
		return func(t testing.TB) storage.Engine { return open(t, url, Options{Hints: overNATS(nats.URL())}) }
	})
}

// How long it takes until another process has what one commits, where they tell each other and
// where they look for it.
func BenchmarkTail(b *testing.B) {
	for name, hints := range map[string]func(string) (storage.Hints, error){"poll": nil, "nats": overNATS(natstest.New(b).URL())} {
		b.Run(name, func(b *testing.B) {
			storagetest.BenchmarkTail(b, func(b testing.TB) func(testing.TB) storage.Engine {
				url := tikvtest.URL(b)
				return func(b testing.TB) storage.Engine { return open(b, url, Options{Hints: hints}) }
			})
		})
	}
}

package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ankurah-go/ankurah/storage"
)

// listening collects what an engine hears.
type listening struct {
	mu    sync.Mutex
	heard [][]byte
	lost  int // how often messages may have been missed
	news  chan struct{}
}

func listen(t testing.TB, m *Member) *listening {
	t.Helper()
	l := &listening{news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Engine.(storage.Broadcaster).Listen(ctx, l.hear)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	l.until(t, "the beginning", func() bool { return l.lost > 0 })
	return l
}

func (l *listening) hear(message []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if message == nil {
		l.lost++
	} else {
		l.heard = append(l.heard, bytes.Clone(message))
	}
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (l *listening) until(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		done := so()
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-l.news:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// What one process broadcasts, every other that listens hears, once, whole and in order, and the
// process itself does not.
func broadcastsReachTheOthers(t *testing.T, open func(t testing.TB) *Member) {
	members := []*Member{open(t).Join(), open(t).Join(), open(t).Join()}
	var all []*listening
	for _, m := range members {
		all = append(all, listen(t, m))
	}
	const each = 20
	message := func(from, i int) []byte {
		m := []byte(fmt.Sprintf("%d %d ", from, i))
		if i%7 == 3 { // among them the largest there may be
			m = append(m, bytes.Repeat([]byte{byte(i), 0, 255}, (storage.MaxBroadcast-len(m))/3)...)
		}
		return m
	}
	var sending sync.WaitGroup
	for from, m := range members {
		sending.Go(func() {
			for i := range each {
				if err := m.Engine.(storage.Broadcaster).Broadcast(t.Context(), message(from, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	for to, l := range all {
		l.until(t, "all messages", func() bool { return len(l.heard) >= (len(members)-1)*each || l.lost > 1 })
		next := make([]int, len(members))
		for _, got := range l.heard {
			var from, i int
			if _, err := fmt.Sscanf(string(got[:min(len(got), 20)]), "%d %d", &from, &i); err != nil || from == to || i != next[from] && l.lost == 1 || !bytes.Equal(got, message(from, i)) {
				t.Errorf("%d hears %d bytes, %q…, after %d of them", to, len(got), got[:min(len(got), 8)], next)
			}
			next[from] = i + 1
		}
	}
	if err := members[0].Engine.(storage.Broadcaster).Broadcast(t.Context(), make([]byte, storage.MaxBroadcast+1)); err == nil {
		t.Error("a message that is too large is broadcast")
	}
}

// What is broadcast once a listener was told that it may have missed something, it hears: who asks
// to be told everything again, then and there, is not passed over with the answer.
func broadcastsAreHeardFromTheFirst(t *testing.T, open func(t testing.TB) *Member) {
	from, to := open(t).Join(), open(t).Join()
	for i := range 3 { // which may be missed
		if err := from.Engine.(storage.Broadcaster).Broadcast(t.Context(), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var asked sync.Once
	var heard bool
	err := to.Engine.(storage.Broadcaster).Listen(ctx, func(message []byte) {
		asked.Do(func() {
			if message != nil {
				t.Errorf("%q is heard before anything may have been missed", message)
			}
			if err := from.Engine.(storage.Broadcaster).Broadcast(t.Context(), []byte("answer")); err != nil {
				t.Error(err)
			}
		})
		if heard = heard || string(message) == "answer"; heard {
			cancel()
		}
	})
	if !heard || !errors.Is(err, context.Canceled) {
		t.Errorf("the answer is heard: %v; listening ends with %v", heard, err)
	}
}

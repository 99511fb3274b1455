package wsjs

import (
	"context"
	"errors"
	"testing"
)

var errEnd = errors.New("end")

func TestInboxKeepsWhatFits(t *testing.T) {
	b := newInbox(3, 10)
	for i, c := range []struct {
		size int
		want bool
	}{{100, true}, {1, false}} { // one frame may wait, whatever its size
		if got := b.put(make([]byte, c.size)); got != c.want {
			t.Errorf("put %d of %d bytes: %v", i, c.size, got)
		}
	}
	if frame, err := b.receive(t.Context()); len(frame) != 100 || err != nil {
		t.Errorf("%d bytes, %v", len(frame), err)
	}
	for i, c := range []struct {
		size int
		want bool
	}{{4, true}, {7, false}, {6, true}, {0, true}, {0, false}} {
		if got := b.put(make([]byte, c.size)); got != c.want {
			t.Errorf("put %d of %d bytes: %v", i, c.size, got)
		}
	}
}

func TestInboxHandsOutWhatCameBeforeTheEnd(t *testing.T) {
	b := newInbox(3, 10)
	b.put([]byte("a"))
	if err := b.err(); err != nil {
		t.Error(err)
	}
	if !b.end(errEnd, false) || b.end(errors.New("other"), true) {
		t.Error("not the first end counts")
	}
	if frame, err := b.receive(t.Context()); string(frame) != "a" || err != nil {
		t.Errorf("%q, %v", frame, err)
	}
	if _, err := b.receive(t.Context()); err != errEnd {
		t.Error(err)
	}
}

func TestInboxDropsWhatCameBeforeTheEnd(t *testing.T) {
	b := newInbox(3, 10)
	b.put([]byte("a"))
	b.end(errEnd, true)
	if frame, err := b.receive(t.Context()); err != errEnd {
		t.Errorf("%q, %v", frame, err)
	}
}

func TestInboxReceiveWaits(t *testing.T) {
	b := newInbox(3, 10)
	received := make(chan string)
	go func() {
		for range 2 {
			frame, err := b.receive(context.Background())
			received <- string(frame) + " " + errorText(err)
		}
	}()
	b.put([]byte("a"))
	if got := <-received; got != "a " {
		t.Error(got)
	}
	b.end(errEnd, false)
	if got := <-received; got != " end" {
		t.Error(got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newInbox(1, 1).receive(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
